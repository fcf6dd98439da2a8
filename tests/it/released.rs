//! Lakes that released versions wrote, kept in `tests/lakes/`: this version opens them, judges them, and writes to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adolake::lake::Lake;
use adolake::schema::Catalog;

use crate::support::{lake as small, world};

fn lakes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lakes")
}

fn open(folder: &Path) -> Lake {
    let keep = std::time::Duration::from_secs(400 * 86_400);
    let catalog = Arc::new(Catalog::embedded().unwrap());
    Lake::open(folder.to_str().unwrap(), &BTreeMap::new(), keep, catalog).unwrap()
}

/// Counts the rows of all tables that have some, and adds up what stands.
async fn summary(lake: &Lake) -> String {
    let session = lake.session().await.unwrap();
    let mut text = String::new();
    for table in session.versions.keys() {
        let sql = format!("select count(*) from {table}");
        text.push_str(&format!("{table} {}\n", world::ask(lake, &sql).await[0]));
    }
    text
}

/// Writes the lake of this version where there is none yet: run it once before a release, and commit the folder.
#[test]
#[ignore = "writes into the source tree"]
fn the_lake_of_this_version_is_written() {
    let folder = lakes().join(env!("CARGO_PKG_VERSION"));
    assert!(!folder.exists(), "{} is kept as it is", folder.display());
    small::add_projects(&folder, 12);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let summary = runtime.block_on(async {
        let lake = open(&folder);
        world::fill(&lake).await;
        world::run(&lake, &world::settings(), &world::request()).await;
        summary(&lake).await
    });
    fs::write(folder.join("expected.txt"), summary).unwrap();
}

#[tokio::test]
async fn lakes_of_all_versions_open_and_go_on() {
    let mut count = 0;
    for entry in fs::read_dir(lakes()).unwrap() {
        let kept = entry.unwrap().path();
        let (temporary, version) = (tempfile::tempdir().unwrap(), kept.display().to_string());
        let folder = temporary.path().join("lake");
        world::copy(&kept, &folder);
        let lake = open(&folder);
        let expected = fs::read_to_string(kept.join("expected.txt")).unwrap();
        assert_eq!(summary(&lake).await, expected, "{version}");
        lake.check_tables().await.unwrap();
        // A run under the same settings finds nothing else than the one that is stored; its evidence may say more.
        let verdicts = "select distinct check_id, resource, status, reason_code, flags from check_results order by 1, 2, 3, 4, 5";
        let before = world::ask(&lake, verdicts).await;
        world::run(&lake, &world::settings(), &world::request()).await;
        assert_eq!(world::ask(&lake, verdicts).await, before, "{version}");
        assert!(!before.is_empty(), "{version}");
        let path = folder.clone();
        tokio::task::spawn_blocking(move || small::add_projects(&path, 14)).await.unwrap();
        let projects = world::ask(&open(&folder), "select count(*) from projects").await;
        assert_eq!(projects, ["14"], "{version}");
        count += 1;
    }
    assert!(count > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_does_not_fit_is_refused_before_a_sync_writes_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || small::add_projects(&path, 1)).await.unwrap();
    let commit = folder.path().join("projects/_delta_log/00000000000000000000.json");
    let text = fs::read_to_string(&commit).unwrap();
    let (stored, wanted) =
        (r#"\"name\":\"name\",\"type\":\"string\""#, r#"\"name\":\"name\",\"type\":\"long\""#);
    assert!(text.contains(stored));
    fs::write(&commit, text.replace(stored, wanted)).unwrap();
    let simulator = crate::sync::world().await;
    let config = crate::sync::config("2026-06-01", "");
    let lake = Arc::new(open(folder.path()));
    let input = crate::sync::input(&simulator, &config, &lake, Arc::new(adolake::event::Silent));
    let error = adolake::sync::sync(input, &adolake::sync::Options::default()).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("column `name` is stored as long, and the schema says STRING"),
        "{cause}"
    );
    assert!(!error.is_transient());
    let tables: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!((tables.len(), simulator.requests().total), (1, 0));
}
