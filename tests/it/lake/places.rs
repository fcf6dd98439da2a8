//! Lakes in odd places, and tables that are not ours to write.

use adolake::hint::Hint;
use adolake::lake::Error;

use super::*;
use crate::support::world;

async fn fails(lake: &Lake, table: &str, rows: Vec<Row>) -> Error {
    let (organization, run_id, seen_at, complete) = ("contoso", "run", day(1), Vec::new());
    let written = lake
        .write(Change { table, organization, run_id, seen_at, rows: rows.into(), complete })
        .await;
    let error = written.unwrap_err();
    assert!(!error.hints().is_empty(), "{error}");
    assert!(!error.is_transient(), "{error}");
    error
}

/// Rewrites the only commit of a table.
fn tamper(folder: &Path, table: &str, from: &str, to: &str) {
    let commit = folder.join(table).join("_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&commit).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(commit, text.replace(from, to)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_may_hold_anything_and_opening_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plain", "with space", "ünïcode-数据", "per%20cent", "hash#1?x=[y]", "deep/er"]
    {
        let path = folder.path().join(name);
        let lake = open(&path);
        lake.session().await.unwrap();
        assert!(!path.exists(), "{name}");
        write(&lake, "pushes", day(1), vec![push(1, "2026-01")]).await;
        write(&lake, "pushes", day(1), vec![push(2, "2026-01")]).await;
        assert!(path.join("pushes/_delta_log").is_dir(), "{name}");
        assert_eq!(
            count(&open(&path), "select count(*) from pushes where push_id > 1").await,
            1,
            "{name}"
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn places_that_cannot_be_written_are_named() {
    // Nobody makes folders there, not even root.
    let lake = open(Path::new("/sys/adolake"));
    lake.session().await.unwrap();
    let error = fails(&lake, "projects", vec![project("p1", "One")]).await;
    assert!(matches!(error, Error::NotWritable { .. }), "{error:?}");
    assert_eq!(error.to_string(), "cannot write to `/sys/adolake/projects/`");
    let error =
        fails(&open(Path::new("/proc/adolake")), "projects", vec![project("p1", "One")]).await;
    assert!(matches!(error, Error::NotWritable { .. }), "{error:?}");
    // Nor is there room for such a name.
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder.path().join("x".repeat(300)));
    let error = fails(&lake, "projects", vec![project("p1", "One")]).await;
    assert!(matches!(error, Error::Location { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_may_be_named_anything() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    let organization = "Büro & Söhne/100% #1";
    for name in ["One", "Two"] {
        let mut row = project("p1", name);
        row.set("organization", organization);
        let (table, run_id, seen_at) = ("projects", "run", day(1));
        let change = Change {
            table,
            organization,
            run_id,
            seen_at,
            rows: vec![row].into(),
            complete: Vec::new(),
        };
        assert_eq!(lake.write(change).await.unwrap().rows(), 1);
    }
    let fresh = open(folder.path());
    let query = format!(
        "select count(*) from projects where organization = '{organization}' and name = 'Two'"
    );
    assert_eq!(count(&fresh, &query).await, 1);
    assert_eq!(count(&fresh, "select count(*) from projects").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_folders_and_tables_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let strange = folder.path().join("projects");
    std::fs::create_dir(&strange).unwrap();
    std::fs::write(strange.join("notes.txt"), "mine").unwrap();
    let lake = open(folder.path());
    let error = fails(&lake, "projects", vec![project("p1", "One")]).await;
    assert!(
        matches!(error, Error::Foreign { .. }) && error.to_string().contains("notes.txt"),
        "{error}"
    );

    write(&lake, "pushes", day(1), vec![push(1, "2026-01")]).await;
    tamper(folder.path(), "pushes", "adolake.schemaVersion", "other.schemaVersion");
    let error = fails(&open(folder.path()), "pushes", vec![push(2, "2026-01")]).await;
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert!(!strange.join("_delta_log").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_first_write_left_behind_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let orphan = folder.path().join("pushes/organization=contoso/pushed_month=2026-01");
    std::fs::create_dir_all(&orphan).unwrap();
    std::fs::write(orphan.join("part-1.zstd.parquet"), "half a file").unwrap();
    let lake = open(folder.path());
    assert_eq!(write(&lake, "pushes", day(1), vec![push(1, "2026-01")]).await.inserted, 1);
    assert_eq!(count(&lake, "select count(*) from pushes").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_and_incompatible_tables_are_refused() {
    let tampered = [
        (
            r#""adolake.schemaVersion":"1""#,
            r#""adolake.schemaVersion":"2""#,
            "written by a newer adolake",
        ),
        (r#"\"name\":\"push_id\""#, r#"\"name\":\"push_number\""#, "it has a column `push_number`"),
        (
            r#"{\"name\":\"push_id\",\"type\":\"long\""#,
            r#"{\"name\":\"push_id\",\"type\":\"string\""#,
            "column `push_id` is stored as string, and the schema says BIGINT",
        ),
        (r#""minReaderVersion":1"#, r#""minReaderVersion":2"#, "its protocol is reader 2"),
    ];
    for (from, to, message) in tampered {
        let folder = tempfile::tempdir().unwrap();
        write(&open(folder.path()), "pushes", day(1), vec![push(1, "2026-01")]).await;
        tamper(folder.path(), "pushes", from, to);
        let lake = open(folder.path());
        let error = fails(&lake, "pushes", vec![push(2, "2026-01")]).await;
        assert!(error.to_string().contains(message), "{error}");
        let error = lake.session().await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(commits(folder.path(), "pushes").len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_columns_are_null_until_a_write_or_a_sync_adds_them() {
    let folder = tempfile::tempdir().unwrap();
    let schemas = folder.path().join("schemas");
    std::fs::create_dir(&schemas).unwrap();
    let current = catalog();
    let definition = current.require("pushes").unwrap().to_string();
    let line = definition.lines().find(|line| line.trim_start().starts_with("is_force ")).unwrap();
    let older = definition.replace(&format!("{line}\n"), "").replace("is_force, ", "");
    std::fs::write(schemas.join("pushes.sql"), older).unwrap();
    let older = Arc::new(Catalog::load(&schemas).unwrap());
    let lake = folder.path().join("lake");
    let before =
        Lake::open(lake.to_str().unwrap(), &BTreeMap::new(), 400 * DAY, Arc::clone(&older))
            .unwrap();
    let mut row = Row::new(older.require("pushes").unwrap());
    for (column, cell) in
        current.require("pushes").unwrap().columns.iter().zip(push(1, "2026-01").cells())
    {
        if column.name != "is_force" {
            row.set(&column.name, cell.clone());
        }
    }
    write(&before, "pushes", day(1), vec![row]).await;

    let now = open(&lake);
    assert_eq!(count(&now, "select count(*) from pushes where is_force is null").await, 1);
    // The same row is still the same.
    assert_eq!(write(&now, "pushes", day(2), vec![push(1, "2026-01")]).await.version, None);
    let copy = folder.path().join("copy");
    world::copy(&lake, &copy);
    let quiet = open(&copy);
    for _ in 0..2 {
        quiet.renew_tables().await.unwrap();
        let newest = commits(&copy, "pushes");
        assert_eq!(newest.len(), 2, "once is enough");
    }
    assert_eq!(count(&open(&copy), "select count(*) from pushes where is_force is null").await, 1);
    let url = copy.to_str().unwrap();
    let of_older = Lake::open(url, &BTreeMap::new(), 400 * DAY, Arc::clone(&older)).unwrap();
    assert!(matches!(of_older.session().await.unwrap_err(), Error::Newer { .. }));
    let mut forced = push(2, "2026-01");
    forced.set("is_force", true);
    assert_eq!(write(&now, "pushes", day(2), vec![forced]).await.version, Some(1));
    let mut changed = push(1, "2026-01");
    changed.set("is_force", false);
    assert_eq!(write(&now, "pushes", day(3), vec![changed]).await.updated, 1);
    let query = "select push_id, is_force from pushes order by 1";
    insta::assert_snapshot!(ask(&open(&lake).session().await.unwrap(), query).await);
    let error = Lake::session(&before).await.unwrap_err();
    assert!(matches!(error, Error::Newer { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_others_partitioned_likewise_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let published = folder.path().join("pushes/organization=contoso/pushed_month=2026-01");
    std::fs::create_dir_all(&published).unwrap();
    std::fs::write(published.join("data.parquet"), "of somebody else").unwrap();
    let lake = open(folder.path());
    let error = fails(&lake, "pushes", vec![push(1, "2026-01")]).await;
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    // Before anything is written to other tables, too.
    let error = open(folder.path()).check_tables().await.unwrap_err();
    assert!(error.to_string().contains("data.parquet"), "{error}");
}
