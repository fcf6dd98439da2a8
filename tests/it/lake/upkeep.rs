//! Upkeep: no row is touched, few files are left, and only what no version needs is removed.

use std::fs::File;

use adolake::lake::{Care, Error, Upkeep};
use adolake::schema::from_batch;

use super::*;
use crate::support::world::files;

fn care(now: DateTime<Utc>) -> Care {
    Care { is_dry: false, now }
}

async fn maintain(lake: &Lake, table: &str, now: DateTime<Utc>) -> Upkeep {
    lake.maintain(table, care(now)).await.unwrap().unwrap()
}

/// Pushes of 20 nights in three months, each night a commit.
async fn nights(lake: &Lake, from: i64, count: i64) {
    for night in from..from + count {
        let months = ["2026-01", "2026-02", "2026-03"];
        let rows = months.iter().zip(0..).map(|(month, at)| push(night * 10 + at, month));
        write(lake, "pushes", day(1), rows.collect()).await;
    }
}

/// The rows of a table in the order of their key, as text.
async fn rows(lake: &Lake, table: &str) -> Vec<String> {
    let session = lake.session().await.unwrap();
    let sql = format!("select * from {table}");
    let batches = session.ctx.sql(&sql).await.unwrap().collect().await.unwrap();
    let definition = lake.catalog().require(table).unwrap();
    let rows = batches.iter().flat_map(|batch| from_batch(definition, batch).unwrap());
    let mut rows: Vec<String> = rows.map(|row| format!("{row:?}")).collect();
    rows.sort_unstable();
    rows
}

/// Data files of a table on disk, live or not.
fn data(folder: &Path) -> usize {
    files(&folder.join("pushes"), ".zstd.parquet").len()
}

#[tokio::test]
async fn small_files_are_joined_and_older_versions_stay_readable() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    nights(&lake, 0, 20).await;
    let before = rows(&lake, "pushes").await;
    assert_eq!(data(folder.path()), 60);
    let dry = lake.maintain("pushes", Care { is_dry: true, now: Utc::now() }).await.unwrap();
    let upkeep = maintain(&lake, "pushes", Utc::now()).await;
    assert_eq!((upkeep.files, upkeep.compacted, upkeep.compacted_to), (60, 60, 3));
    let dry = dry.unwrap();
    assert_eq!((dry.files, dry.compacted, dry.compacted_to), (60, 60, 3));
    assert_eq!((upkeep.expired, upkeep.orphans, upkeep.log_files), (0, 0, 0));
    assert_eq!(rows(&lake, "pushes").await, before);
    assert_eq!(rows(&open(folder.path()), "pushes").await, before);
    // Everything is there for as long as versions are kept.
    for version in [0, 7, 19] {
        let versions = BTreeMap::from([("pushes".to_owned(), version)]);
        let session = open(folder.path()).session_at(&versions).await.unwrap();
        let counted = ask(&session, "select count(*) from pushes").await;
        assert!(counted.contains(&format!("| {} ", (version + 1) * 3)), "{counted}");
    }
    let again = maintain(&lake, "pushes", Utc::now()).await;
    assert!(again.is_nothing(), "{again:?}");
    // The commit says of itself that it changes no rows, and carries the fence.
    let commit = commits(folder.path(), "pushes").pop().unwrap();
    let fence = commit.iter().find(|action| action["txn"].is_object()).unwrap();
    assert_eq!(
        (&fence["txn"]["appId"], &fence["txn"]["version"]),
        (&"adolake/contoso".into(), &21.into())
    );
    let changes = commit.iter().flat_map(|action| [&action["add"], &action["remove"]]);
    let changes: Vec<bool> = changes.filter_map(|file| file["dataChange"].as_bool()).collect();
    assert_eq!((changes.len(), changes.contains(&true)), (63, false));
    // Rows that are stored already are found in the joined files.
    assert_eq!(write(&lake, "pushes", day(2), vec![push(0, "2026-01")]).await, Written::default());
    nights(&lake, 20, 1).await;
    assert_eq!(rows(&lake, "pushes").await.len(), 63);
}

#[tokio::test]
async fn what_no_kept_version_needs_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    nights(&lake, 0, 25).await;
    maintain(&lake, "pushes", Utc::now()).await;
    nights(&lake, 25, 3).await;
    let before = rows(&lake, "pushes").await;
    let later = Utc::now() + chrono::TimeDelta::days(399);
    assert_eq!(maintain(&lake, "pushes", later).await.expired, 0);
    let much_later = Utc::now() + chrono::TimeDelta::days(401);
    let dry = lake.maintain("pushes", Care { is_dry: true, now: much_later }).await.unwrap();
    let upkeep = maintain(&lake, "pushes", much_later).await;
    assert_eq!(dry.unwrap().expired, upkeep.expired);
    assert!(upkeep.expired >= 75 && upkeep.orphans == 0, "{upkeep:?}");
    assert_eq!(data(folder.path()), 3);
    assert!(upkeep.log_files > 20, "{upkeep:?}");
    for lake in [&lake, &open(folder.path())] {
        assert_eq!(rows(lake, "pushes").await, before);
        let versions = BTreeMap::from([("pushes".to_owned(), 3)]);
        let gone = lake.session_at(&versions).await.unwrap_err();
        assert!(matches!(gone, Error::VersionGone { .. }), "{gone}");
        let as_of = lake.versions_at(Utc::now() - chrono::TimeDelta::hours(1)).await.unwrap_err();
        assert!(matches!(as_of, Error::TooOld { .. }), "{as_of}");
    }
    // It can still be written, by a lake that was open before and by one that is opened now.
    nights(&lake, 30, 1).await;
    nights(&open(folder.path()), 31, 1).await;
    assert_eq!(rows(&lake, "pushes").await.len(), before.len() + 6);
}

#[tokio::test]
async fn a_past_whose_files_are_gone_is_too_old_though_the_log_still_tells_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    nights(&lake, 0, 3).await;
    let old = files(&folder.path().join("pushes"), ".zstd.parquet");
    maintain(&lake, "pushes", Utc::now()).await;
    let times: Vec<_> = commits(folder.path(), "pushes")
        .iter()
        .map(|commit| commit[0]["commitInfo"]["timestamp"].as_i64().unwrap())
        .map(|at| DateTime::from_timestamp_millis(at).unwrap())
        .collect();
    assert_eq!(open(folder.path()).versions_at(times[1]).await.unwrap()["pushes"], 1);
    std::fs::remove_file(&old[0]).unwrap();
    let lake = open(folder.path());
    for at in &times[..3] {
        let error = lake.versions_at(*at).await.unwrap_err();
        let Error::TooOld { oldest, .. } = error else { panic!("{error}") };
        assert!(oldest > *at && times.contains(&oldest), "{oldest}: {times:?}");
        assert!(lake.versions_at(oldest).await.is_ok());
    }
}

#[tokio::test]
async fn files_of_killed_commits_go_once_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    nights(&lake, 0, 2).await;
    let own = files(&folder.path().join("pushes"), ".zstd.parquet");
    let months = own[0].parent().unwrap();
    let orphan = months.join("part-0.zstd.parquet");
    let young = months.join("part-1.zstd.parquet");
    let staged = months.join("part-2.zstd.parquet#1");
    let log_staged = folder.path().join("pushes/_delta_log/00000000000000000002.json#4");
    let foreign = months.join("notes.txt");
    for file in [&orphan, &young, &staged, &log_staged, &foreign] {
        std::fs::copy(&own[0], file).unwrap();
    }
    let eight_days_ago = std::time::SystemTime::now() - 8 * DAY;
    for file in [&orphan, &staged, &log_staged, &foreign] {
        File::options().write(true).open(file).unwrap().set_modified(eight_days_ago).unwrap();
    }
    let upkeep = maintain(&lake, "pushes", Utc::now()).await;
    assert_eq!((upkeep.orphans, upkeep.expired), (3, 0));
    assert!(!orphan.exists() && !staged.exists() && !log_staged.exists());
    assert!(young.exists() && foreign.exists());
    assert_eq!(rows(&lake, "pushes").await.len(), 6);
}

#[tokio::test]
async fn a_table_without_partitions_and_one_of_two_organizations_are_kept_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    for number in 0..6 {
        for organization in ["contoso", "fabrikam"] {
            let rows = vec![project(&format!("p{number}"), "payments")];
            let (table, run_id, seen_at, complete) = ("projects", "run", day(1), Vec::new());
            let change =
                Change { table, organization, run_id, seen_at, rows: rows.into(), complete };
            lake.write(change).await.unwrap();
        }
    }
    let before = rows(&lake, "projects").await;
    let upkeep = maintain(&lake, "projects", Utc::now()).await;
    assert_eq!((upkeep.compacted, upkeep.compacted_to), (12, 2));
    assert_eq!(rows(&open(folder.path()), "projects").await, before);
    let fences: Vec<String> = commits(folder.path(), "projects")
        .iter()
        .rev()
        .take(2)
        .flat_map(|commit| commit.iter().filter_map(|action| action["txn"]["appId"].as_str()))
        .map(str::to_owned)
        .collect();
    assert_eq!(fences, ["adolake/fabrikam", "adolake/contoso"]);
    assert_eq!(lake.maintain("branches", care(Utc::now())).await.unwrap(), None);
}

/// Runs upkeep twice at once beside a writer, each with a lake of its own as in processes of their own.
async fn round(folder: &Path, round: i64) {
    let (one, other, writer) = (open(folder), open(folder), open(folder));
    tokio::join!(
        maintain(&one, "pushes", Utc::now()),
        maintain(&other, "pushes", Utc::now()),
        nights(&writer, 100 + round * 10, 4),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_of_upkeep_beside_a_writer_change_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    nights(&lake, 0, 12).await;
    let rounds = std::env::var("ADOLAKE_TEST_ROUNDS").ok().and_then(|text| text.parse().ok());
    for number in 0..rounds.unwrap_or(5) {
        let before = rows(&lake, "pushes").await;
        round(folder.path(), number).await;
        let after = rows(&lake, "pushes").await;
        assert_eq!(after.len(), before.len() + 12, "round {number}");
        assert!(before.iter().all(|row| after.binary_search(row).is_ok()), "round {number}");
        let keys = count(&lake, "select count(distinct push_id) from pushes").await;
        assert_eq!(usize::try_from(keys).unwrap(), after.len(), "round {number}");
    }
    maintain(&lake, "pushes", Utc::now()).await;
    let session = lake.session().await.unwrap();
    let live = lake.partitions(&session).await.unwrap();
    assert_eq!(live["pushes"].len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_the_files_that_are_joined_are_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    for round in 0..5 {
        for name in ["a", "b", "c", "d"] {
            let rows = vec![project(&format!("{name}{round}"), "old")];
            write(&lake, "projects", day(1), rows).await;
        }
        let (one, other) = (open(folder.path()), open(folder.path()));
        let rename = async {
            for name in ["a", "b", "c", "d"] {
                let new = project(&format!("{name}{round}"), &format!("new {round}"));
                write(&other, "projects", day(2), vec![new]).await;
            }
        };
        tokio::join!(maintain(&one, "projects", Utc::now()), rename);
        let renamed = format!("select count(*) from projects where name = 'new {round}'");
        assert_eq!(count(&lake, &renamed).await, 4, "round {round}");
        assert_eq!(count(&lake, "select count(*) from projects").await, 4 * (round + 1));
    }
}
