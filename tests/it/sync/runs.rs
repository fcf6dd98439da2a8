//! Pipeline runs: progress, reruns, deletion, and what retention takes before anybody looks.

use chrono::TimeDelta;
use serde_json::json;

use super::only_from;
use crate::support::canned::{PROJECT, REPOSITORY};
use crate::support::fake::Fake;

const RUNS: &str =
    "select status, result, finished_at, deleted_at from pipeline_runs where run_id = 77";
const JOBS: &str = "[defaults]\nsast = [\"job:security/codeql/*/*\"]\n";

fn day() -> TimeDelta {
    TimeDelta::days(1)
}

#[tokio::test]
async fn a_run_seen_in_progress_gets_its_result_and_a_rerun_another_finish() {
    let fake = Fake::start("").await;
    fake.run(77, json!({"status": "inProgress", "result": null}));
    fake.sync_whole().await;
    assert_eq!(fake.row(RUNS).await, "inProgress - - -");
    fake.run(77, json!({"finishTime": "2026-03-10T09:00:00Z", "result": "failed"}));
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(fake.row(RUNS).await, "completed failed 2026-03-10T09:00:00Z -");
    fake.run(77, json!({"finishTime": "2026-03-11T09:00:00Z"}));
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(fake.row(RUNS).await, "completed succeeded 2026-03-11T09:00:00Z -");
    assert_eq!(
        fake.rows(
            "select finished_at, result, first_seen_at from pipeline_run_finishes order by 1"
        )
        .await,
        [
            "2026-03-10T09:00:00Z failed 2026-03-11T08:00:00Z",
            "2026-03-11T09:00:00Z succeeded 2026-03-12T08:00:00Z"
        ]
    );
}

#[tokio::test]
async fn a_purged_run_stays_and_is_marked_however_long_ago_it_finished() {
    let fake = Fake::start("").await;
    fake.run(77, json!({"finishTime": "2025-06-01T09:00:00Z"}));
    fake.sync_whole().await;
    fake.run(77, json!({"finishTime": "2025-06-01T09:00:00Z", "deleted": true}));
    fake.advance(TimeDelta::days(3));
    fake.sync_whole().await;
    assert_eq!(
        fake.row(RUNS).await,
        "completed succeeded 2025-06-01T09:00:00Z -",
        "once a week is enough"
    );
    fake.advance(TimeDelta::days(5));
    fake.sync_whole().await;
    let marked = "completed succeeded 2025-06-01T09:00:00Z 2026-03-18T08:00:00Z";
    assert_eq!(fake.row(RUNS).await, marked);
    fake.forget_run(77);
    fake.advance(TimeDelta::days(8));
    fake.sync_whole().await;
    assert_eq!(fake.row(RUNS).await, marked, "what was seen stays");
}

#[tokio::test]
async fn a_gap_longer_than_retention_is_warned_of_swept_and_its_losses_counted() {
    let fake = Fake::start("").await;
    fake.set(
        "build/retention",
        json!({"purgeRuns": {"value": 30}, "purgePullRequestRuns": {"value": 2}}),
    );
    fake.sync_whole().await;
    assert!(fake.warnings().is_empty(), "{:?}", fake.warnings());
    fake.advance(TimeDelta::days(3));
    // One was deleted unread and can still be seen so; two were destroyed.
    fake.run(77, json!({"finishTime": "2026-03-10T12:00:00Z", "deleted": true}));
    fake.merged(1, "2026-03-11T08:00:00Z");
    fake.set(
        "1/evaluations",
        json!([
        {"evaluationId": "E1", "status": "approved", "context": {"buildId": 77}},
        {"evaluationId": "E2", "status": "approved", "context": {"buildId": 78}},
        {"evaluationId": "E3", "status": "approved", "context": {"buildId": 79}}]),
    );
    let report = fake.sync_whole().await;
    assert_eq!(
        fake.row(RUNS).await,
        "completed succeeded 2026-03-10T12:00:00Z 2026-03-13T08:00:00Z"
    );
    let warnings = fake.warnings().join("\n");
    assert!(warnings.contains("were last read 3 days ago and are kept for 2"), "{warnings}");
    assert!(warnings.contains("Azure DevOps deleted 2 before they were read"), "{warnings}");
    let lost = only_from(&report, "pipeline_runs", &format!("{PROJECT}@lost"));
    assert!(lost.text("error").unwrap().contains("deleted 2 before"));
    fake.sync_whole().await;
    assert!(fake.warnings().is_empty(), "told once: {:?}", fake.warnings());
}

#[tokio::test]
async fn runs_of_a_long_past_come_in_windows_that_are_durable_each() {
    let fake = Fake::start("").await;
    for (id, when) in
        [(1, "2026-03-09T08:00:00Z"), (2, "2026-01-09T08:00:00Z"), (3, "2024-01-09T08:00:00Z")]
    {
        fake.run(id, json!({"finishTime": when}));
    }
    let report = fake.sync_whole().await;
    let windows: Vec<_> = report
        .rows
        .iter()
        .filter(|row| {
            row.text("resource") == Some("pipeline_runs") && row.text("scope") == Some(PROJECT)
        })
        .collect();
    assert_eq!(windows.len(), 2, "the newest, and the thin rest at once");
    assert!(windows[0].time("window_to") > windows[1].time("window_to"));
    assert_eq!(
        windows[0].time("window_from"),
        windows[1].time("window_to"),
        "no hole between them"
    );
    assert_eq!(fake.row("select count(*) from pipeline_runs").await, "3");
}

#[tokio::test]
async fn a_job_selector_finds_runs_by_folder_and_by_what_evaluations_name() {
    let fake = Fake::start(JOBS).await;
    fake.merged(1, "2026-03-09T08:00:00Z");
    // Nothing of this run tells its pull request; the evaluation does.
    let finish = json!({"finishTime": "2026-03-08T09:00:00Z", "sourceBranch": "refs/heads/x", "reason": "manual"});
    fake.run(77, finish);
    fake.set(
        "1/evaluations",
        json!([{"evaluationId": "E1", "status": "approved", "context": {"buildId": 77}}]),
    );
    fake.set("build/builds/77/timeline", json!({"records": [
        {"id": "S", "type": "Stage", "name": "Analyze", "attempt": 2, "state": "completed", "result": "failed",
         "finishTime": "2026-03-09T09:00:00Z",
         "previousAttempts": [{"attempt": 1, "timelineId": "T1", "recordId": "S"}]},
        {"id": "j", "parentId": "s", "type": "Job", "name": "csharp", "attempt": 2, "state": "completed", "result": "failed",
         "finishTime": "2026-03-09T09:00:00Z", "previousAttempts": [{"attempt": 1, "timelineId": "t1", "recordId": "j"}]}]}));
    fake.set("build/builds/77/timeline/t1", json!({"records": [
        {"id": "s", "type": "Stage", "name": "Analyze", "attempt": 1, "state": "completed", "result": "succeeded",
         "finishTime": "2026-03-08T09:00:00Z"},
        {"id": "j", "parentId": "s", "type": "Job", "name": "csharp", "attempt": 1, "state": "completed",
         "result": "succeeded", "finishTime": "2026-03-08T09:00:00Z"}]}));
    let report = fake.sync_whole().await;
    assert_eq!(
        fake.rows("select path, attempt, result from pipeline_run_jobs order by 1, 2").await,
        [
            "Analyze 1 succeeded",
            "Analyze 2 failed",
            "Analyze/csharp 1 succeeded",
            "Analyze/csharp 2 failed"
        ],
        "what a stage did before it ran again is not lost"
    );
    assert_eq!(only_from(&report, "pipeline_run_jobs", PROJECT).int("requests"), Some(2));
    fake.sync_whole().await;
    assert_eq!(fake.asked("/timeline").len(), 0);
}

#[tokio::test]
async fn a_timeline_that_is_gone_is_noted_and_not_asked_for_again() {
    let mut fake = Fake::start("").await;
    fake.merged(1, "2026-03-09T08:00:00Z");
    fake.run(77, json!({"finishTime": "2026-03-08T09:00:00Z", "deleted": true}));
    fake.sync_whole().await;
    fake.configure(JOBS);
    fake.sync_whole().await;
    assert_eq!(fake.asked("builds/77/timeline").len(), 1);
    assert_eq!(fake.row("select jobs_gone_at is null from pipeline_runs").await, "false");
    fake.sync_whole().await;
    assert_eq!(fake.asked("builds/77/timeline").len(), 0);
}

#[tokio::test]
async fn lookalikes_on_another_host_belong_to_no_pull_request() {
    let fake = Fake::start("").await;
    let github = json!({"id": "contoso/api", "type": "GitHub"});
    fake.run(1, json!({"finishTime": "2026-03-08T09:00:00Z", "repository": github, "triggerInfo": {"pr.number": "1"}}));
    fake.run(2, json!({"finishTime": "2026-03-08T09:00:00Z", "repository": {"id": REPOSITORY.to_uppercase(), "type": "tfsgit"}}));
    fake.sync_whole().await;
    assert_eq!(
        fake.rows("select repository_id, pull_request_id from pipeline_runs order by run_id").await,
        ["contoso/api -".to_owned(), format!("{REPOSITORY} 1")]
    );
}

#[tokio::test]
async fn what_the_list_of_deleted_runs_leaves_out_stays_as_it_was_read() {
    let fake = Fake::start("").await;
    let more = json!({"finishTime": "2025-06-01T09:00:00Z", "buildNumber": "7", "sourceVersion": "a1",
                      "requestedFor": {"uniqueName": "anna@contoso.com"}});
    for number in [77, 78] {
        fake.run(number, more.clone());
    }
    fake.sync_whole().await;
    let evidence = "select run_id, pipeline_name, pipeline_folder, repository_id, repository_type, build_number, reason, \
                    status, source_branch, source_version, requested_for from pipeline_runs order by 1";
    let before = fake.rows(evidence).await;
    let bare = json!({"deleted": true, "finishTime": "2025-06-01T09:00:00Z", "buildNumber": null, "reason": null,
                      "repository": null, "sourceBranch": null, "sourceVersion": null, "requestedFor": null,
                      "definition": {"id": 5}});
    fake.run(77, bare.clone());
    fake.run(78, bare);
    fake.run(
        78,
        json!({"deleted": true, "finishTime": "2025-06-01T09:00:00Z", "definition": null}),
    );
    fake.advance(TimeDelta::days(8));
    fake.sync_whole().await;
    assert_eq!(fake.rows(evidence).await, before);
    let deleted = "select deleted_at is not null from pipeline_runs order by run_id";
    assert_eq!(fake.rows(deleted).await, ["true", "false"], "the second names no pipeline");
}

#[tokio::test]
async fn earlier_attempts_that_may_not_be_read_leave_the_timeline_unread() {
    let fake = Fake::start(JOBS).await;
    fake.merged(1, "2026-03-09T08:00:00Z");
    fake.run(77, json!({"finishTime": "2026-03-08T09:00:00Z"}));
    fake.set("build/builds/77/timeline", json!({"records": [
        {"id": "j", "type": "Job", "name": "csharp", "attempt": 2, "state": "completed", "result": "succeeded",
         "previousAttempts": [{"attempt": 1, "timelineId": "t1", "recordId": "j"}]}]}));
    fake.set("build/builds/77/timeline/t1", json!(403));
    let report = fake.sync().await;
    assert!(fake.problems(&report)[0].contains("pipeline_run_jobs"), "{report:?}");
    let read = "select jobs_read_at is not null from pipeline_runs";
    assert_eq!(fake.row(read).await, "false");
    fake.set("build/builds/77/timeline/t1", json!(404));
    fake.sync_whole().await;
    assert_eq!(fake.row(read).await, "true", "what is missing cannot be read later either");
}
