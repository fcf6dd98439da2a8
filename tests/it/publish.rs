//! Publishing: what other tools find, and that only what changed is written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use adolake::hint::Hint as _;
use adolake::lake::Lake;
use adolake::publish::{Error, Place, Report, publish};
use adolake::schema::Catalog;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use crate::support::cmd::Adolake;
use crate::support::{lake as small, world};

fn open(folder: &Path) -> Lake {
    let keep = std::time::Duration::from_secs(400 * 86_400);
    let catalog = Arc::new(Catalog::embedded().unwrap());
    Lake::open(folder.to_str().unwrap(), &BTreeMap::new(), keep, catalog).unwrap()
}

/// A lake with verdicts, in a folder of its own.
async fn judged() -> (TempDir, Lake) {
    let folder = TempDir::new().unwrap();
    let lake = open(&folder.path().join("lake"));
    world::fill(&lake).await;
    world::run(&lake, &world::settings(), &world::request()).await;
    (folder, lake)
}

async fn published(lake: &Lake, out: &Path) -> Report {
    let place = Place::open(lake, out.to_str(), &BTreeMap::new()).unwrap();
    publish(lake, &lake.session().await.unwrap(), &place).await.unwrap()
}

/// All files below a folder, with what tells that they were written anew.
fn files(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let metadata = fs::metadata(&path).unwrap();
            let what = (metadata.ino(), metadata.modified().unwrap(), metadata.len());
            found.insert(path, what);
        }
    }
    found
}

/// Asks plain Parquet files, as any tool would that knows nothing of adolake.
async fn ask(out: &Path, table: &str, partitions: &[&str], sql: &str) -> Vec<String> {
    let context = SessionContext::new();
    let options = ParquetReadOptions::default().table_partition_cols(
        partitions
            .iter()
            .map(|name| ((*name).to_owned(), arrow::datatypes::DataType::Utf8))
            .collect(),
    );
    let folder = format!("{}/", out.join(table).display());
    context.register_parquet("t", &folder, options).await.unwrap();
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let text = |batch: &arrow::array::RecordBatch, row: usize| {
        let cells = batch.columns().iter();
        cells
            .map(|column| arrow::util::display::array_value_to_string(column, row).unwrap())
            .collect::<Vec<_>>()
            .join("|")
    };
    batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(|row| text(batch, row)).collect::<Vec<_>>())
        .collect()
}

#[tokio::test]
async fn plain_files_hold_what_the_tables_hold() {
    let (folder, lake) = judged().await;
    let out = folder.path().join("out");
    let report = published(&lake, &out).await;
    let names: Vec<&str> = report.tables.iter().map(|table| table.table.as_str()).collect();
    assert!(names.contains(&"latest_check_results") && names.contains(&"sync_runs"), "{names:?}");
    for table in &report.tables {
        let partitions: Vec<&str> = match table.table.as_str() {
            "latest_check_results" => vec!["organization"],
            name => lake.catalog().table(name).unwrap().partition_names(),
        };
        let count = ask(&out, &table.table, &partitions, "select count(*) from t").await;
        assert_eq!(count, [table.rows.to_string()], "{}", table.table);
        if table.table != "latest_check_results" {
            let sql = format!("select count(*) from {}", table.table);
            assert_eq!(world::ask(&lake, &sql).await, count, "{}", table.table);
        }
    }
    let sql = "select created_month, sum(pull_request_id) from t group by 1 order by 1";
    let sums = ask(&out, "pull_requests", &["organization", "created_month"], sql).await;
    assert_eq!(sums, ["2026-03|6", "2026-04|4"]);
    let sql = "select check_id, status, count(*) from latest group by 1, 2 order by 1, 2";
    let session = lake.session().await.unwrap();
    adolake::checks::prepare(&session.ctx);
    let queries = adolake::checks::Queries::embedded().unwrap();
    let view = queries.views().iter().find(|view| view.id() == "latest_check_results").unwrap();
    let sql_there = sql.replace("latest", &format!("({}) as latest", view.text));
    let expected = session.ctx.sql(&sql_there).await.unwrap().collect().await.unwrap();
    let expected: usize = expected.iter().map(arrow::array::RecordBatch::num_rows).sum();
    let found =
        ask(&out, "latest_check_results", &["organization"], &sql.replace("latest", "t")).await;
    assert!(found.len() > 5 && found.len() == expected, "{found:?}");
}

#[tokio::test]
async fn a_second_publish_writes_nothing_and_a_third_only_what_changed() {
    let (folder, lake) = judged().await;
    let out = folder.path().join("out");
    assert!(!published(&lake, &out).await.is_unchanged());
    let before = files(&out);
    let report = published(&lake, &out).await;
    assert!(report.is_unchanged(), "{report:?}");
    assert_eq!(files(&out), before);
    // Another process that opens the lake anew comes to the same.
    assert!(published(&open(&folder.path().join("lake")), &out).await.is_unchanged());

    let cells = [
        ("repository_id", "r1"),
        ("pull_request_id", "4"),
        ("created_month", "2026-04"),
        ("name", "emergency"),
        ("active", "true"),
        ("first_seen_at", "2026-04-02"),
        ("was_seen_open", "true"),
    ];
    let label = world::row(lake.catalog(), "pull_request_labels", &cells);
    world::write(&lake, vec![label]).await;
    let report = published(&lake, &out).await;
    let written: Vec<_> = report
        .tables
        .iter()
        .filter(|t| t.written > 0)
        .map(|t| (t.table.as_str(), t.rows))
        .collect();
    assert_eq!(written, [("pull_request_labels", 1)]);
    let after = files(&out);
    let touched: Vec<String> = after
        .iter()
        .filter(|(path, what)| before.get(*path) != Some(what))
        .map(|(path, _)| path.strip_prefix(&out).unwrap().display().to_string())
        .collect();
    assert_eq!(
        touched,
        [
            "_published.json",
            "pull_request_labels/organization=contoso/created_month=2026-04/data.parquet"
        ]
    );
}

#[tokio::test]
async fn what_is_not_as_it_was_put_is_put_again_and_what_is_gone_is_removed() {
    let (folder, lake) = judged().await;
    let out = folder.path().join("out");
    published(&lake, &out).await;
    let repositories = out.join("repositories/organization=contoso/data.parquet");
    let whole = fs::read(&repositories).unwrap();
    fs::write(&repositories, &whole[..whole.len() / 2]).unwrap();
    fs::remove_file(out.join("branches/organization=contoso/data.parquet")).unwrap();
    let gone = out.join("branches/organization=fabrikam/data.parquet");
    fs::create_dir_all(gone.parent().unwrap()).unwrap();
    fs::write(&gone, &whole).unwrap();
    let own = out.join("branches/notes.txt");
    fs::write(&own, "somebody's").unwrap();
    let report = published(&lake, &out).await;
    let changed: Vec<_> = report
        .tables
        .iter()
        .filter(|t| t.written + t.removed > 0)
        .map(|t| (t.table.as_str(), t.written, t.removed))
        .collect();
    assert_eq!(changed, [("branches", 1, 1), ("repositories", 1, 0)]);
    assert_eq!(fs::read(&repositories).unwrap(), whole);
    assert!(!gone.exists() && own.exists());
}

#[tokio::test]
async fn a_publish_that_was_killed_is_finished_by_the_next() {
    let (folder, lake) = judged().await;
    let (out, other) = (folder.path().join("out"), folder.path().join("other"));
    published(&lake, &out).await;
    let manifest = out.join("_published.json");
    let early = fs::read(&manifest).unwrap();
    let mut row = lake.session().await.unwrap().ctx.table("repositories").await.unwrap();
    row = row.limit(0, Some(1)).unwrap();
    let batches = row.collect().await.unwrap();
    let table = lake.catalog().require("repositories").unwrap();
    let mut rows = adolake::schema::from_batch(table, &batches[0]).unwrap();
    rows[0].set("name", "renamed");
    world::write(&lake, rows).await;
    published(&lake, &out).await;
    // The files were put, and the kill came before the manifest.
    fs::write(&manifest, early).unwrap();
    assert!(!published(&lake, &out).await.is_unchanged());
    published(&lake, &other).await;
    for (path, (.., bytes)) in files(&other) {
        let same = out.join(path.strip_prefix(&other).unwrap());
        if path.extension().is_some_and(|suffix| suffix == "parquet") {
            assert_eq!(
                fs::read(&path).unwrap(),
                fs::read(&same).unwrap(),
                "{path:?}, {bytes} bytes"
            );
        }
    }
    assert!(published(&lake, &out).await.is_unchanged());
}

#[tokio::test]
async fn half_a_file_that_a_kill_left_is_removed_by_a_later_publish() {
    let (folder, lake) = judged().await;
    let out = folder.path().join("out");
    published(&lake, &out).await;
    let partition = out.join("repositories/organization=contoso");
    let [old, young] = ["data.parquet#1", "data.parquet#2"].map(|name| partition.join(name));
    let file = fs::File::create(&old).unwrap();
    file.set_modified(SystemTime::now() - std::time::Duration::from_secs(7200)).unwrap();
    fs::write(&young, "another publish is at it").unwrap();
    assert!(published(&lake, &out).await.is_unchanged());
    assert!(!old.exists() && young.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_during_publishes_sees_whole_files() {
    let (folder, lake) = judged().await;
    let out = folder.path().join("out");
    published(&lake, &out).await;
    let (is_over, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let reader = {
        let (out, is_over, reads) = (out.clone(), Arc::clone(&is_over), Arc::clone(&reads));
        tokio::task::spawn_blocking(move || {
            while !is_over.load(Ordering::SeqCst) {
                for path in world::files(&out, ".parquet") {
                    let file = fs::File::open(&path).unwrap();
                    let rows = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
                    assert!(rows.build().unwrap().all(|batch| batch.is_ok()), "{path:?}");
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
    };
    let mut round = 0;
    while !reader.is_finished() && (round < 10 || reads.load(Ordering::SeqCst) <= 20) {
        let name = format!("branch-{round}");
        let cells = [
            ("repository_id", "r1"),
            ("name", name.as_str()),
            ("commit_id", "x"),
            ("first_seen_at", "2026-04-02"),
        ];
        world::write(&lake, vec![world::row(lake.catalog(), "branches", &cells)]).await;
        assert_eq!(published(&lake, &out).await.tables.iter().map(|t| t.written).sum::<u64>(), 1);
        round += 1;
    }
    is_over.store(true, Ordering::SeqCst);
    reader.await.unwrap();
}

#[tokio::test]
async fn what_was_published_of_a_table_that_is_gone_stays() {
    let (folder, lake) = judged().await;
    let out = folder.path().join("out");
    published(&lake, &out).await;
    let before = files(&out);
    let table = folder.path().join("lake/pull_request_votes");
    fs::remove_dir_all(&table).unwrap();
    for _ in 0..2 {
        let report = published(&open(&folder.path().join("lake")), &out).await;
        assert_eq!(report.gone, ["pull_request_votes"]);
        assert!(report.is_unchanged(), "{report:?}");
        assert_eq!(files(&out), before);
    }
    fs::create_dir(&table).unwrap();
    fs::write(table.join("notes.txt"), "x").unwrap();
    let lake = open(&folder.path().join("lake"));
    let place = Place::open(&lake, out.to_str(), &BTreeMap::new()).unwrap();
    let error = publish(&lake, &lake.session().await.unwrap(), &place).await.unwrap_err();
    assert!(
        matches!(&error, Error::Lake(adolake::lake::Error::Foreign { problem, .. }) if problem.contains("notes.txt")),
        "{error}"
    );
    assert_eq!(files(&out), before);
    // Who removes the copy as well meant it.
    fs::remove_dir_all(&table).unwrap();
    fs::remove_dir_all(out.join("pull_request_votes")).unwrap();
    let report = published(&open(&folder.path().join("lake")), &out).await;
    assert_eq!(report.gone, Vec::<String>::new());
}

#[tokio::test]
async fn places_that_are_not_adolakes_are_refused_and_left_alone() {
    let (folder, lake) = judged().await;
    let refuse = async |out: &Path| {
        let place = match Place::open(&lake, out.to_str(), &BTreeMap::new()) {
            Ok(place) => place,
            Err(error) => return error,
        };
        publish(&lake, &lake.session().await.unwrap(), &place).await.unwrap_err()
    };
    let before = files(folder.path());
    let inside = folder.path().join("lake");
    for out in [&inside, folder.path(), &inside.join("projects"), &inside.join("projects/x")] {
        let error = refuse(out).await;
        assert!(matches!(error, Error::Overlap { .. }), "{}: {error}", out.display());
        assert!(!error.hints().is_empty());
    }
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("holiday.jpg"), "x").unwrap();
    let error = refuse(&foreign).await;
    assert!(error.to_string().ends_with("it holds `holiday.jpg`, which adolake did not publish"));
    fs::remove_dir_all(&foreign).unwrap();
    assert_eq!(files(folder.path()), before);
    let newer = folder.path().join("newer");
    fs::create_dir(&newer).unwrap();
    fs::write(newer.join("_published.json"), r#"{"format": 2}"#).unwrap();
    assert!(matches!(refuse(&newer).await, Error::Newer { .. }));
    fs::write(newer.join("_published.json"), "{").unwrap();
    assert!(matches!(refuse(&newer).await, Error::Foreign { .. }));
}

#[test]
fn the_command_tells_of_a_table_that_is_gone_and_ends_in_part() {
    let adolake = Adolake::new();
    small::fill(&adolake.path().join("lake"));
    assert_eq!(adolake.run(&["publish"]).code, Some(0));
    fs::remove_dir_all(adolake.path().join("lake/repositories")).unwrap();
    insta::assert_snapshot!(adolake.run(&["publish"]).told(), @r"
    exit 4
    --- stdout
    published to [folder]/lake/published/
      nothing has changed since the last publish: nothing was written
    Done. 1 files of 1 tables stand.
    --- stderr
    warning: table `repositories` is gone from the lake; what was published of it stays: restore its folder from a copy, have it filled again by `adolake sync` or `adolake check`, or remove it from what is published
    ");
}

#[test]
fn the_command_tells_what_it_wrote() {
    let adolake = Adolake::new();
    small::fill(&adolake.path().join("lake"));
    let first = adolake.run(&["publish"]);
    insta::assert_snapshot!(first.told().replace(char::is_numeric, "9"), @r"
    exit 9
    --- stdout
    published to [folder]/lake/published/
      table           files  written  removed        rows        size
      pull_requests       9        9        9           9    99.9 KiB
      repositories        9        9        9           9     9.9 KiB
    Done. 9 of 9 files of 9 tables written, 99.9 KiB.
    ");
    let second = adolake.run(&["publish", "--format", "json", "--export", "report.json"]);
    assert_eq!(second.json()["tables"][0]["written"], 0);
    assert_eq!(adolake.read("report.json"), second.stdout);
    let elsewhere = adolake.run(&["publish", "--out", "there"]);
    assert_eq!(elsewhere.code, Some(0), "{}", elsewhere.stderr);
    assert!(adolake.path().join("there/repositories/organization=contoso/data.parquet").exists());
    insta::assert_snapshot!(adolake.run(&["publish", "--out", "lake/repositories"]).told(), @r"
    exit 2
    --- stderr
    error: cannot publish to `[folder]/lake/repositories/`: `repositories` of the lake is there
    hint: give `--out` a folder of its own, outside of the lake's tables
    ");
    insta::assert_snapshot!(adolake.run(&["publish", "--out", "report.json"]).told(), @r"
    exit 2
    --- stderr
    error: the lake cannot be at `[folder]/report.json`: it is not a folder
    hint: set `--out` to another folder, or move `[folder]/report.json` away
    ");
    insta::assert_snapshot!(Adolake::new().run(&["publish"]).told(), @r"
    exit 2
    --- stderr
    error: there is no lake at `[folder]/lake` yet
    hint: there is no config file here: write an `adolake.toml`, or name yours with `--config FILE`
    hint: `adolake demo` makes a lake to try
    ");
}
