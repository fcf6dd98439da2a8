//! What is listed again unchanged is not looked up, and whatever else happened to its rows is noticed.

use std::collections::BTreeSet;
use std::sync::Arc;

use adolake::lake::Change;
use adolake::schema::from_batch;
use adolake::simulator::{Options as World, Simulator};
use adolake::sync::Options;
use chrono::TimeDelta;
use serde_json::json;
use tempfile::TempDir;

use super::{config, lake, synced, world};
use crate::support::canned::{BEN, at};
use crate::support::fake::Fake;
use crate::support::world::files;

const TITLE: &str = "select title from pull_requests where pull_request_id = 1";
const STATUS: &str = "select status from pull_requests where pull_request_id = 1";
const RECORDS: &str = "select count(*) from sync_runs where resource = 'pull_requests' and scope like '%@listed' and settled is not null";

#[tokio::test]
async fn the_same_list_is_taken_down_once() {
    let fake = Fake::start("").await;
    fake.open(1);
    fake.open(2);
    fake.sync_whole().await;
    assert_eq!(fake.row(RECORDS).await, "1");
    fake.advance(TimeDelta::hours(1));
    fake.sync_whole().await;
    assert_eq!(fake.row(RECORDS).await, "1");
    fake.edit(2, |pull| pull["title"] = json!("Renamed"));
    fake.sync_whole().await;
    assert_eq!(fake.row(RECORDS).await, "2");
    assert_eq!(
        fake.rows("select title from pull_requests order by 1").await,
        ["Change 1", "Renamed"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_again_unchanged_is_not_looked_up() {
    let (simulator, folder) = (world().await, TempDir::new().unwrap());
    let config = config("2030-01-01", "");
    synced(&simulator, &config, &lake(&folder)).await;
    // Where the rows of children stand is gone: who looks for them fails.
    for table in ["pull_request_reviewers", "pull_request_labels"] {
        for file in files(&folder.path().join("lake").join(table), ".zstd.parquet") {
            std::fs::remove_file(file).unwrap();
        }
    }
    synced(&simulator, &config, &lake(&folder)).await;
    simulator.advance(super::DAY);
    let lake = lake(&folder);
    let input = super::input(&simulator, &config, &lake, Arc::new(adolake::event::Silent));
    let error = adolake::sync::sync(input, &Options::default()).await.unwrap_err();
    assert!(error.to_string().contains("which votes were listed"), "{error}");
}

#[tokio::test]
async fn rows_that_somebody_else_has_changed_are_looked_up() {
    let fake = Fake::start("").await;
    fake.open(1);
    fake.sync_whole().await;
    let session = fake.lake.session().await.unwrap();
    let batches =
        session.ctx.sql("select * from pull_requests").await.unwrap().collect().await.unwrap();
    let table = fake.lake.catalog().require("pull_requests").unwrap();
    let mut rows = from_batch(table, &batches[0]).unwrap();
    rows[0].set("title", "What another sync has read before");
    let (run_id, seen_at) = ("another", at("2026-03-10T07:00:00Z"));
    let organization = "contoso";
    let change = Change {
        table: "pull_requests",
        organization,
        run_id,
        seen_at,
        rows: rows.into(),
        complete: Vec::new(),
    };
    fake.lake.write(change).await.unwrap();
    assert_eq!(fake.row(TITLE).await, "What another sync has read before");
    fake.sync_whole().await;
    assert_eq!(fake.row(TITLE).await, "Change 1");
}

#[tokio::test]
async fn a_pull_request_that_comes_back_as_it_was_is_active_again() {
    let fake = Fake::start("").await;
    fake.open(1);
    fake.sync_whole().await;
    let before = fake.hide(1);
    fake.show(before.clone());
    fake.close(1, "abandoned", "2026-03-10T08:30:00Z");
    fake.advance(TimeDelta::hours(1));
    fake.sync_whole().await;
    assert_eq!(fake.row(STATUS).await, "abandoned");
    fake.show(before);
    fake.advance(TimeDelta::hours(1));
    fake.sync_whole().await;
    assert_eq!(fake.row(STATUS).await, "active");
}

#[tokio::test]
async fn votes_and_labels_change_what_is_listed() {
    let fake = Fake::start("").await;
    fake.open(1);
    fake.sync_whole().await;
    let votes = "select vote, vote_while_open_at from pull_request_reviewers where vote <> 0";
    fake.advance(TimeDelta::hours(1));
    fake.edit(1, |pull| pull["reviewers"] = json!([{"id": BEN, "displayName": "Ben", "vote": 10}]));
    fake.sync_whole().await;
    let first = fake.row(votes).await;
    // The time of the first answer that listed it stays.
    fake.advance(TimeDelta::hours(1));
    fake.edit(1, |pull| pull["labels"] = json!([{"name": "urgent", "active": true}]));
    fake.sync_whole().await;
    assert_eq!(fake.row(votes).await, first);
    assert_eq!(fake.row("select name from pull_request_labels").await, "urgent");
    fake.edit(1, |pull| pull["labels"] = json!([]));
    fake.sync_whole().await;
    assert_eq!(fake.row("select removed_at is null from pull_request_labels").await, "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_of_syncs_leave_what_one_sync_of_all_leaves() {
    let simulator = Simulator::start(World::default()).await.unwrap();
    let folders = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let config = config("2023-01-01", super::SELECTORS);
    let (daily, weekly) = (lake(&folders.0), lake(&folders.1));
    synced(&simulator, &config, &daily).await;
    for _ in 0..14 {
        simulator.advance(super::DAY / 2);
        synced(&simulator, &config, &daily).await;
    }
    synced(&simulator, &config, &weekly).await;
    // What came and went in between only the daily one knows.
    for sql in [
        "select pull_request_id, title, status, target_ref, closed_at, is_draft from pull_requests order by 1",
        "select pull_request_id, reviewer_id, vote from pull_request_reviewers where removed_at is null order by 1, 2",
        "select pull_request_id, name from pull_request_labels where removed_at is null order by 1, 2",
    ] {
        let (daily, weekly) = (super::asked(&daily, sql).await, super::asked(&weekly, sql).await);
        let known: BTreeSet<&str> = daily.lines().collect();
        let missing: Vec<&str> = weekly.lines().filter(|line| !known.contains(line)).collect();
        assert!(weekly.lines().count() > 20, "{sql}");
        assert_eq!(missing, Vec::<&str>::new(), "{sql}");
    }
}
