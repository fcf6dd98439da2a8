//! `adolake maintain` as its users see it; what it does to tables is tested with the lake.

use std::fs;
use std::time::{Duration, Instant};

use adolake::lake::Care;
use adolake::simulator::{Options, Simulator};
use chrono::Utc;

use crate::support::cmd::Adolake;
use crate::support::lake;
use crate::support::siege::{Place, differences};
use crate::support::world;

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn the_command_tells_what_it_did() {
    let adolake = Adolake::new();
    let folder = adolake.path().join("lake");
    lake::fill(&folder);
    lake::add_projects(&folder, 6);
    insta::assert_snapshot!(adolake.run(&["maintain", "--dry-run"]).told(), @r"
    exit 0
    --- stdout
    what would be done
      table      files          joined  checkpoint  expired  orphans     removed  log files
      projects       6          6 to 1         yes        0        0         0 B          0
    Would be: 6 files joined to 1, 0 removed (0 B), 0 of the log removed.
    ");
    let report = adolake.run(&["maintain", "--format", "json", "--export", "report.json"]);
    assert_eq!(report.json()["dry_run"], false);
    assert_eq!(report.json()["tables"][0]["table"], "projects");
    assert_eq!(report.json()["tables"][0]["compacted"], 6);
    assert_eq!(adolake.read("report.json"), report.stdout);
    insta::assert_snapshot!(adolake.run(&["maintain"]).told(), @r"
    exit 0
    --- stdout
    what was done
      nothing: 3 tables are in order
    ");
}

#[test]
fn without_a_lake_nothing_is_made() {
    let adolake = Adolake::new();
    insta::assert_snapshot!(adolake.run(&["maintain"]).told(), @r"
    exit 2
    --- stderr
    error: there is no lake at `[folder]/lake` yet
    hint: there is no config file here: write an `adolake.toml`, or name yours with `--config FILE`
    hint: `adolake demo` makes a lake to try
    ");
    assert_eq!(std::fs::read_dir(adolake.path()).unwrap().count(), 0);
}

#[test]
fn a_table_that_cannot_be_read_is_named_and_the_others_are_kept_in_order() {
    let adolake = Adolake::new();
    lake::fill(&adolake.path().join("lake"));
    adolake.write("lake/repositories/_delta_log/00000000000000000001.json", "{");
    let ended = adolake.run(&["maintain"]);
    assert_eq!(ended.code, Some(4), "{}", ended.told());
    assert!(ended.stderr.contains("`repositories`"), "{}", ended.told());
    assert!(ended.stdout.contains("what was done"), "{}", ended.told());
}

#[test]
fn a_damaged_file_and_a_foreign_folder_are_named() {
    let adolake = Adolake::new();
    let lake = adolake.path().join("lake");
    lake::fill(&lake);
    lake::add_projects(&lake, 3);
    let file = world::files(&lake.join("projects"), ".parquet").remove(0);
    let name = file.file_name().unwrap().to_str().unwrap();
    fs::write(&file, vec![7; usize::try_from(fs::metadata(&file).unwrap().len()).unwrap()])
        .unwrap();
    fs::create_dir(lake.join("pipelines")).unwrap();
    adolake.write("lake/pipelines/notes.txt", "x");
    let ended = adolake.run(&["maintain"]);
    assert_eq!(ended.code, Some(4), "{}", ended.told());
    assert!(ended.stderr.contains(name), "{}", ended.told());
    assert!(
        ended.stderr.contains("pipelines") && ended.stderr.contains("notes.txt"),
        "{}",
        ended.told()
    );
    let ended = adolake.run(&["sql", "select count(*) from pipelines"]);
    assert_eq!(ended.code, Some(2), "{}", ended.told());
    assert!(ended.stderr.contains("notes.txt"), "{}", ended.told());
}

/// What a lake on disk takes.
#[derive(Debug, Clone, Copy)]
struct Size {
    files: usize,
    log_bytes: u64,
}

impl Size {
    async fn of(place: &Place, what: &str) -> Self {
        let begun = Instant::now();
        let session = place.lake().session().await.unwrap();
        let sql = "select count(*), max(closed_at), count(distinct author_id) from pull_requests";
        session.ctx.sql(sql).await.unwrap().collect().await.unwrap();
        let query = begun.elapsed();
        let (mut files, mut log_bytes) = (0, 0);
        for entry in world::files(&place.path("lake"), "") {
            if entry.components().any(|part| part.as_os_str() == "_delta_log") {
                log_bytes += fs::metadata(&entry).unwrap().len();
            } else {
                files += 1;
            }
        }
        println!("{what}: {files} files, {log_bytes} bytes of logs, a query takes {query:?}");
        Self { files, log_bytes }
    }
}

/// Nights in a row, each with a sync and upkeep; `ADOLAKE_TEST_NIGHTS=365` makes a year of them, beside a lake without
/// upkeep, and prints how both grow.
#[tokio::test(flavor = "multi_thread")]
async fn nights_in_a_row_leave_the_lake_as_small_as_it_was() {
    let given = std::env::var("ADOLAKE_TEST_NIGHTS").ok().and_then(|text| text.parse().ok());
    let nights: u32 = given.unwrap_or(60);
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let (kept, left) = (Place::new(&simulator), Place::new(&simulator));
    let tables: Vec<String> = kept.lake().table_names().map(str::to_owned).collect();
    let mut early = None;
    for night in 1..=nights {
        simulator.advance(DAY);
        assert_eq!(kept.synced(&simulator).await.status.code(), Some(0));
        if given.is_some() {
            assert_eq!(left.synced(&simulator).await.status.code(), Some(0));
        }
        // The clock of the files stands still: what was written before looks as old as the nights that have passed.
        let care = Care { is_dry: false, now: Utc::now() + DAY * night };
        let lake = kept.lake_that_keeps(7 * DAY);
        for table in &tables {
            lake.maintain(table, care).await.unwrap();
        }
        let is_told = night % 20 == 0 || night == nights;
        if is_told {
            let size = Size::of(&kept, &format!("night {night}, with upkeep")).await;
            if given.is_some() {
                Size::of(&left, &format!("night {night}, without")).await;
            }
            let before = *early.get_or_insert(size);
            // Every month brings files of its own.
            let months = usize::try_from(night / 30 + 1).unwrap();
            assert!(size.files <= before.files + months * 16, "{before:?} then {size:?}");
            assert!(size.log_bytes <= before.log_bytes * 3 / 2, "{before:?} then {size:?}");
        }
    }
    if given.is_some() {
        let differences = differences(&left.content().await, &kept.content().await);
        assert!(differences.is_empty(), "{differences}");
    }
}
