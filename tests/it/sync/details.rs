//! Details: for whom they are read, when again, and what is kept of what vanishes.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::canned::REPOSITORY;
use crate::support::fake::Fake;

fn day() -> TimeDelta {
    TimeDelta::days(1)
}

fn status(id: i64, state: &str) -> Value {
    json!({"id": id, "state": state, "context": {"genre": "sonar", "name": "gate"}, "creationDate": "2026-03-09T08:00:00Z"})
}

#[tokio::test]
async fn threads_and_statuses_are_read_again_after_a_day_a_week_and_at_the_end() {
    let fake = Fake::start("").await;
    fake.merged(1, "2026-03-10T07:00:00Z");
    let mut asked = Vec::new();
    for day_number in 0..20 {
        fake.sync_whole().await;
        if !fake.asked("pullRequests/1/threads").is_empty() {
            assert_eq!(fake.asked("pullRequests/1/statuses").len(), 1);
            asked.push(day_number);
        }
        assert!(day_number == 0 || fake.asked("evaluations").is_empty());
        fake.advance(day());
    }
    assert_eq!(asked, [0, 1, 7, 14]);
}

#[tokio::test]
async fn a_recheck_that_was_missed_is_made_up_for() {
    let fake = Fake::start("").await;
    fake.merged(1, "2026-03-10T07:00:00Z");
    fake.sync_whole().await;
    fake.set("1/statuses", json!([status(1, "succeeded")]));
    fake.advance(TimeDelta::days(90));
    fake.sync_whole().await;
    assert_eq!(fake.row("select count(*) from pull_request_statuses").await, "1");
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(fake.asked("pullRequests/1/").len(), 0);
}

#[tokio::test]
async fn statuses_posted_again_or_deleted_stay_with_the_time_of_the_answer() {
    let fake = Fake::start("").await;
    fake.merged(1, "2026-03-10T07:00:00Z");
    fake.set("1/statuses", json!([status(1, "failed")]));
    fake.sync_whole().await;
    fake.set(
        "1/statuses",
        json!([{"id": 2, "context": {"name": "gate"}, "creationDate": "2026-03-11T08:00:00Z"}]),
    );
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(
        fake.rows(
            "select status_id, state, genre, removed_at from pull_request_statuses order by 1"
        )
        .await,
        ["1 failed sonar 2026-03-11T08:00:00Z", "2 notSet - -"]
    );
}

#[tokio::test]
async fn the_first_evaluation_after_the_close_is_kept() {
    let fake = Fake::start("").await;
    fake.merged(1, "2026-03-10T07:00:00Z");
    fake.set("1/evaluations", json!([{"evaluationId": "E1", "status": "approved"}]));
    fake.set("1/commits", json!(403));
    let report = fake.sync().await;
    assert!(report.is_partial());
    fake.set(
        "1/evaluations",
        json!([{"evaluationId": "E1", "status": "queued", "context": {"buildId": 7}}]),
    );
    fake.set("1/commits", json!([]));
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(fake.asked("evaluations").len(), 0);
    assert_eq!(
        fake.row("select status, build_id from pull_request_policy_evaluations").await,
        "approved -"
    );
    assert_eq!(fake.row("select commits_read_at from pull_requests").await, "2026-03-11T08:00:00Z");
}

#[tokio::test]
async fn details_follow_the_settings() {
    let mut fake = Fake::start("[checks]\nstart-date = 2026-03-01\n").await;
    fake.merged(1, "2026-02-20T08:00:00Z");
    fake.merged(2, "2026-03-02T08:00:00Z");
    fake.merged(3, "2026-03-03T08:00:00Z");
    fake.edit(3, |pull| pull["targetRefName"] = json!("refs/heads/develop"));
    fake.open(4);
    fake.close(4, "abandoned", "2026-03-04T08:00:00Z");
    let read =
        "select pull_request_id from pull_requests where threads_read_at is not null order by 1";
    fake.sync_whole().await;
    assert_eq!(fake.rows(read).await, ["2"]);
    fake.configure("[checks]\nstart-date = 2026-02-01\n");
    fake.sync_whole().await;
    assert_eq!(fake.rows(read).await, ["1", "2"], "an earlier start");
    fake.configure("[defaults]\nproduction-branches = [\"main\", \"develop\"]\n");
    fake.sync_whole().await;
    assert_eq!(fake.rows(read).await, ["1", "2", "3"], "another production branch");
    fake.configure(
        "[sync]\ndetail = \"all\"\n[defaults]\nproduction-branches = [\"main\", \"develop\"]\n",
    );
    fake.sync_whole().await;
    assert_eq!(fake.rows(read).await, ["1", "2", "3", "4"], "all of them");
    fake.set(
        &format!("git/repositories/{REPOSITORY}/pullRequests/2/iterations/1/changes"),
        json!({"changeEntries": [
        {"changeType": "edit", "item": {"path": "/src/a.rs"}}]}),
    );
    for number in [1, 3, 4] {
        let path =
            format!("git/repositories/{REPOSITORY}/pullRequests/{number}/iterations/1/changes");
        fake.set(&path, json!({"changeEntries": []}));
    }
    fake.configure("[sync]\ndetail = \"all\"\n[defaults]\nsast = [{ pipeline = \"x\", paths = [\"src/**\"] }]\n");
    fake.sync_whole().await;
    assert_eq!(
        fake.row("select pull_request_id, path from pull_request_changes").await,
        "2 /src/a.rs"
    );
    fake.sync_whole().await;
    assert_eq!(fake.asked("/pullRequests/").len(), 0, "nothing is missing now");
}

#[tokio::test]
async fn production_details_reach_behind_the_start_date() {
    let fake =
        Fake::start("[checks]\nstart-date = 2026-03-05\n[sync]\ndetail = \"production\"\n").await;
    fake.merged(1, "2025-02-20T08:00:00Z");
    fake.merged(2, "2025-03-02T08:00:00Z");
    fake.edit(2, |pull| pull["targetRefName"] = json!("refs/heads/topic"));
    fake.sync_whole().await;
    assert_eq!(
        fake.rows("select pull_request_id, threads_read_at is null from pull_requests order by 1")
            .await,
        ["1 false", "2 true"]
    );
}
