//! Logs whose files were damaged: the file is named, nothing is taken for less than it was, and the advice helps.

use std::fs;
use std::path::PathBuf;

use adolake::hint::Hint;
use adolake::lake::{Care, Error};

use super::*;

/// A lake whose table of pushes has so many commits.
async fn with_commits(folder: &Path, count: i64) {
    let lake = open(folder);
    for number in 1..=count {
        write(&lake, "pushes", day(1), vec![push(number, "2026-01")]).await;
    }
}

fn log_file(folder: &Path, name: &str) -> PathBuf {
    folder.join("pushes/_delta_log").join(name)
}

fn commit(version: u64) -> String {
    format!("{version:020}.json")
}

/// Opens the lake anew, which must fail; what is told, and what to do.
async fn refused(folder: &Path) -> (String, String) {
    let error = open(folder).session().await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(!error.is_transient(), "{error}");
    (error.to_string(), error.hints().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_commit_is_no_commit_of_nothing() {
    // Replayed here, and read from a checkpoint on.
    for count in [3, 12] {
        let folder = tempfile::tempdir().unwrap();
        with_commits(folder.path(), count).await;
        let last = u64::try_from(count).unwrap() - 1;
        fs::write(log_file(folder.path(), &commit(last)), "").unwrap();
        let (told, hint) = refused(folder.path()).await;
        assert!(
            told.contains(&format!("`_delta_log/{}` is damaged: it is empty", commit(last))),
            "{told}"
        );
        assert!(hint.contains("restore it"), "{hint}");
        let lake = open(folder.path());
        let rows = vec![push(count, "2026-01")].into();
        let change = Change {
            table: "pushes",
            organization: "contoso",
            run_id: "run",
            seen_at: day(2),
            rows,
            complete: Vec::new(),
        };
        assert!(matches!(lake.write(change).await, Err(Error::Damaged { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_read_when_it_was_whole_is_read_again_when_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    with_commits(folder.path(), 2).await;
    let lake = open(folder.path());
    assert_eq!(count(&lake, "select count(*) from pushes").await, 2);
    fs::write(log_file(folder.path(), &commit(2)), "").unwrap();
    let error = lake.session().await.unwrap_err();
    assert!(error.to_string().contains(&commit(2)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_commits_are_named() {
    for count in [3, 14] {
        let folder = tempfile::tempdir().unwrap();
        with_commits(folder.path(), count).await;
        let file = log_file(folder.path(), &commit(u64::try_from(count).unwrap() - 2));
        let name = file.file_name().unwrap().to_str().unwrap();
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let (told, _) = refused(folder.path()).await;
        assert!(told.contains(name), "{told}");
        fs::remove_file(&file).unwrap();
        let (told, hint) = refused(folder.path()).await;
        assert!(told.contains(&format!("`_delta_log/{name}` is damaged: it is missing")), "{told}");
        assert!(hint.contains("restore it"), "{hint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_is_named_and_can_be_done_without() {
    let folder = tempfile::tempdir().unwrap();
    with_commits(folder.path(), 14).await;
    let checkpoint = log_file(folder.path(), &format!("{:020}.checkpoint.parquet", 9));
    let whole = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, &whole[..whole.len() / 2]).unwrap();
    let (told, hint) = refused(folder.path()).await;
    assert!(told.contains("checkpoint.parquet` is damaged"), "{told}");
    assert!(hint.starts_with("remove it and `_last_checkpoint`"), "{hint}");
    fs::remove_file(&checkpoint).unwrap();
    fs::remove_file(log_file(folder.path(), "_last_checkpoint")).unwrap();
    assert_eq!(count(&open(folder.path()), "select count(*) from pushes").await, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_at_no_checkpoint_is_named_and_can_be_done_without() {
    let folder = tempfile::tempdir().unwrap();
    with_commits(folder.path(), 14).await;
    let hint_file = log_file(folder.path(), "_last_checkpoint");
    let text = fs::read_to_string(&hint_file).unwrap().replace("\"version\":9", "\"version\":12");
    fs::write(&hint_file, text).unwrap();
    let (told, hint) = refused(folder.path()).await;
    assert!(
        told.contains(
            "`_delta_log/_last_checkpoint` is damaged: it names a checkpoint of version 12"
        ),
        "{told}"
    );
    assert!(hint.starts_with("remove it"), "{hint}");
    fs::remove_file(&hint_file).unwrap();
    assert_eq!(count(&open(folder.path()), "select count(*) from pushes").await, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_gone_is_named_for_the_sake_of_other_readers() {
    let folder = tempfile::tempdir().unwrap();
    with_commits(folder.path(), 14).await;
    let lake = open(folder.path());
    lake.check_checkpoint("pushes").await.unwrap();
    fs::remove_file(log_file(folder.path(), &format!("{:020}.checkpoint.parquet", 9))).unwrap();
    let lake = open(folder.path());
    assert_eq!(count(&lake, "select count(*) from pushes").await, 14);
    let care = Care { is_dry: false, now: chrono::Utc::now() };
    for error in [
        lake.check_checkpoint("pushes").await.unwrap_err(),
        lake.maintain("pushes", care).await.unwrap_err(),
    ] {
        let told = error.to_string();
        assert!(told.contains("`_delta_log/_last_checkpoint` is damaged: it names"), "{told}");
        assert!(error.hints()[0].starts_with("remove it"), "{:?}", error.hints());
    }
}
