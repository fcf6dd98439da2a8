//! Which pull requests are read, when, and how they are counted.

use chrono::TimeDelta;
use serde_json::json;

use super::only_from;
use crate::support::canned::{BEN, PROJECT, REPOSITORY, at};
use crate::support::fake::{Fake, repository};
use adolake::sync::Options;

fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

const STATUS: &str = "select status from pull_requests where pull_request_id = 1";
const COUNTS: &str =
    "select closed_month, listed_count, is_final from population_counts order by 1";

#[tokio::test]
async fn a_pull_request_closed_after_the_upper_bound_waits_for_the_next_sync() {
    let fake = Fake::start("").await;
    fake.open(1);
    fake.sync_whole().await;
    // It closes between the first answer of the sync, whose time is the bound, and the lists.
    fake.close(1, "completed", "2026-03-10T08:00:00.5Z");
    fake.sync_whole().await;
    assert_eq!(fake.row(STATUS).await, "active");
    fake.advance(days(1));
    fake.sync_whole().await;
    assert_eq!(fake.row(STATUS).await, "completed");
    assert_eq!(fake.row(COUNTS).await, "2026-03 1 false");
}

#[tokio::test]
async fn a_pull_request_that_vanishes_from_every_list_is_asked_for_and_never_taken_for_deleted() {
    let fake = Fake::start("").await;
    fake.open(1);
    fake.edit(1, |pull| pull["labels"] = json!([{"name": "urgent", "active": true}]));
    fake.sync_whole().await;
    let pull = fake.hide(1);
    fake.advance(days(1));
    let report = fake.sync_whole().await;
    assert_eq!(fake.asked("git/pullrequests/1?").len(), 1);
    assert_eq!(fake.row(STATUS).await, "active");
    assert!(fake.warnings()[0].contains("stay as they were last read: 1"), "{:?}", fake.warnings());
    let row = only_from(&report, "pull_requests", &format!("{PROJECT}@unlisted"));
    assert_eq!(row.text("status"), Some("skipped"));
    // It is seen again as if nothing had been.
    fake.show(pull);
    fake.sync_whole().await;
    assert_eq!(fake.asked("git/pullrequests/1?").len(), 0);
    assert_eq!(fake.row("select removed_at from pull_request_labels").await, "-");
}

#[tokio::test]
async fn a_pull_request_that_shifting_pages_left_out_is_read_by_its_number_with_labels() {
    let fake = Fake::start("").await;
    fake.open(1);
    fake.edit(1, |pull| pull["labels"] = json!([{"name": "urgent", "active": true}]));
    fake.sync_whole().await;
    // The lists know nothing of it, its own address does.
    let mut pull = fake.hide(1);
    pull["title"] = json!("Renamed");
    pull.as_object_mut().unwrap().remove("labels");
    pull["reviewers"] = json!([]);
    fake.set("git/pullrequests/1", pull);
    fake.set(
        &format!("git/repositories/{REPOSITORY}/pullRequests/1/labels"),
        json!([{"name": "later", "active": true}]),
    );
    fake.advance(days(1));
    fake.sync_whole().await;
    assert_eq!(fake.row("select title from pull_requests").await, "Renamed");
    assert_eq!(
        fake.rows(
            "select name, removed_at is null, was_removed_open from pull_request_labels order by 1"
        )
        .await,
        ["later true false", "urgent false true"]
    );
    assert_eq!(fake.row("select removed_at is null from pull_request_reviewers").await, "false");
}

#[tokio::test]
async fn a_month_is_counted_for_good_once_it_is_listed_after_the_recheck() {
    let fake = Fake::start("").await;
    fake.merged(1, "2026-02-27T08:00:00Z");
    fake.merged(2, "2026-03-02T08:00:00Z");
    for _ in 0..12 {
        fake.sync_whole().await;
        fake.advance(days(1));
    }
    // On 2026-03-15 the fourteen days after the end of February are over.
    assert_eq!(fake.rows(COUNTS).await, ["2026-02 1 true", "2026-03 1 false"]);
    let report = fake.sync_whole().await;
    let window = only_from(&report, "pull_requests", PROJECT).time("window_from");
    assert_eq!(window, Some(at("2026-03-01T00:00:00Z")), "February is not listed again");
    fake.advance(days(60));
    fake.sync_whole().await;
    assert_eq!(fake.rows(COUNTS).await, ["2026-02 1 true", "2026-03 1 true"]);
}

#[tokio::test]
async fn a_count_falls_with_what_is_listed_but_not_with_what_may_not_be_seen() {
    let fake = Fake::start("").await;
    fake.merged(1, "2026-03-01T08:00:00Z");
    fake.merged(2, "2026-03-02T08:00:00Z");
    fake.sync_whole().await;
    let (one, two) = (fake.hide(1), fake.hide(2));
    fake.set("git/repositories", json!([]));
    fake.advance(days(1));
    fake.sync_whole().await;
    assert_eq!(fake.row(COUNTS).await, "2026-03 2 false", "hidden with its repository");
    fake.set("git/repositories", json!([repository(REPOSITORY, "api")]));
    fake.show(one);
    let report = fake.sync().await;
    assert_eq!(fake.row(COUNTS).await, "2026-03 1 false");
    assert!(
        fake.problems(&report)[0]
            .contains("1 merged into `main` of `api` in 2026-03 were listed, 2 stand in the lake"),
        "{:?}",
        fake.problems(&report)
    );
    let again = fake.sync().await;
    assert_eq!(fake.problems(&again), fake.problems(&report), "told until it is mended");
    fake.show(two);
    fake.sync_whole().await;
    assert_eq!(fake.row(COUNTS).await, "2026-03 2 false");
}

#[tokio::test]
async fn an_earlier_bound_takes_nothing_back() {
    let fake = Fake::start("").await;
    fake.merged(1, "2026-01-20T08:00:00Z");
    fake.merged(2, "2026-03-02T08:00:00Z");
    fake.sync_whole().await;
    let before = fake.rows(COUNTS).await;
    assert_eq!(before, ["2026-01 1 true", "2026-03 1 false"]);
    for until in ["2026-01-10T00:00:00Z", "2026-03-01T12:00:00Z"] {
        let options = Options { until: Some(at(until)), ..Options::default() };
        let report = fake.sync_with(&options).await;
        assert!(!report.is_partial(), "{:?}", fake.problems(&report));
        assert_eq!(fake.rows(COUNTS).await, before, "{until}");
    }
}

#[tokio::test]
async fn a_long_gap_is_read_window_by_window_and_goes_on_where_it_stopped() {
    let fake = Fake::start("").await;
    fake.sync_whole().await;
    fake.advance(days(400));
    for month in 1..=12 {
        fake.merged(month, &format!("2026-{month:02}-12T08:00:00Z"));
    }
    let report = fake.sync_whole().await;
    let windows: Vec<_> = report
        .rows
        .iter()
        .filter(|row| row.text("resource") == Some("pull_requests"))
        .map(|row| (row.time("window_from").unwrap(), row.time("window_to").unwrap()))
        .collect();
    assert!(windows.len() > 1, "{windows:?}");
    assert_eq!(windows[0].1, at("2027-04-14T08:00:00Z"), "the newest first");
    assert_eq!(
        fake.row("select count(*) from pull_requests").await,
        "10",
        "those after the first sync"
    );
    let listed =
        fake.row("select sum(listed_count), min(closed_month) from population_counts").await;
    assert_eq!(listed, "10 2026-03");
}

#[tokio::test]
async fn closed_at_a_bound_of_two_windows_is_read_once() {
    let fake = Fake::start("").await;
    for (number, when) in [
        (1, "2025-12-31T23:59:59.9999999Z"),
        (2, "2026-01-01T00:00:00Z"),
        (3, "2026-02-01T00:00:00Z"),
    ] {
        fake.merged(number, when);
    }
    fake.sync_whole().await;
    assert_eq!(
        fake.rows("select closed_month, listed_count from population_counts order by 1").await,
        ["2025-12 1", "2026-01 1", "2026-02 1"]
    );
}

#[tokio::test]
async fn abandoned_reactivated_and_completed_ends_as_completed_with_details_of_the_last_close() {
    let fake = Fake::start("[sync]\ndetail = \"all\"\n").await;
    fake.open(1);
    fake.edit(1, |pull| pull["labels"] = json!([{"name": "emergency", "active": true}]));
    fake.set("1/evaluations", json!([{"evaluationId": "E1", "status": "queued"}]));
    fake.sync_whole().await;
    fake.close(1, "abandoned", "2026-03-10T07:00:00Z");
    fake.edit(1, |pull| pull["labels"] = json!([]));
    fake.sync_whole().await;
    assert_eq!(
        fake.row(
            "select was_seen_open, was_seen_closed, was_removed_open from pull_request_labels"
        )
        .await,
        "true - true",
        "abandoned is not merged"
    );
    assert_eq!(
        fake.row("select status, details_read_at is null from pull_requests").await,
        "abandoned false"
    );
    fake.edit(1, |pull| {
        pull["status"] = json!("active");
        pull["labels"] = json!([{"name": "emergency", "active": true}]);
    });
    fake.advance(days(1));
    fake.sync_whole().await;
    assert_eq!(fake.row("select status, closed_at from pull_requests").await, "active -");
    fake.close(1, "completed", "2026-03-12T07:00:00Z");
    fake.set("1/evaluations", json!([{"evaluationId": "E1", "status": "approved"}]));
    fake.advance(days(1));
    fake.sync_whole().await;
    assert_eq!(
        fake.row("select status, closed_at < details_read_at, closed_at < evaluations_read_at from pull_requests").await,
        "completed true true"
    );
    assert_eq!(fake.row("select status from pull_request_policy_evaluations").await, "approved");
    assert_eq!(
        fake.row("select was_seen_open, was_seen_closed, removed_at from pull_request_labels")
            .await,
        "true true -"
    );
}

#[tokio::test]
async fn votes_and_labels_keep_what_was_seen_while_open() {
    let fake = Fake::start("").await;
    fake.open(1);
    fake.sync_whole().await;
    let vote =
        "select vote, vote_while_open, vote_while_open_at, removed_at from pull_request_reviewers";
    assert_eq!(fake.row(vote).await, "10 10 2026-03-10T08:00:00Z -");
    fake.advance(days(1));
    fake.sync_whole().await;
    assert_eq!(fake.row(vote).await, "10 10 2026-03-10T08:00:00Z -", "since when it is listed");
    fake.close(1, "completed", "2026-03-11T09:00:00Z");
    fake.edit(1, |pull| pull["reviewers"] = json!([]));
    fake.advance(days(1));
    fake.sync_whole().await;
    assert_eq!(fake.row(vote).await, "10 10 2026-03-10T08:00:00Z 2026-03-12T08:00:00Z");
    assert_eq!(
        fake.row("select last_seen_open_at from pull_requests").await,
        "2026-03-11T08:00:00Z"
    );
    // A label that comes late, inside the re-check window.
    fake.edit(1, |pull| pull["labels"] = json!([{"name": "emergency", "active": true}]));
    fake.advance(days(1));
    fake.sync_whole().await;
    assert_eq!(
        fake.row("select was_seen_open, was_seen_closed, first_seen_at from pull_request_labels")
            .await,
        "- true 2026-03-13T08:00:00Z"
    );
}

#[tokio::test]
async fn a_reviewer_without_an_id_is_known_by_another_name() {
    let fake = Fake::start("").await;
    fake.open(1);
    fake.edit(1, |pull| {
        pull["reviewers"] = json!([
            {"id": null, "uniqueName": "cora@contoso.com", "vote": 5},
            {"id": BEN.to_uppercase().replace('-', ""), "vote": 10}]);
    });
    fake.sync_whole().await;
    assert_eq!(
        fake.rows("select reviewer_id, vote from pull_request_reviewers order by 2").await,
        ["cora@contoso.com 5".to_owned(), format!("{BEN} 10")]
    );
}
