//! What becomes of projects, repositories, branches and pipelines that are no longer listed.

use adolake::sync::Options;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::only_from;
use crate::support::canned::{PROJECT, REPOSITORY};
use crate::support::fake::{Fake, repository};

const OTHER: &str = "aaaaaaaa-0000-0000-0000-000000000002";
const SECOND: &str = "bbbbbbbb-0000-0000-0000-000000000002";
const REPOSITORIES: &str =
    "select name, is_disabled, deleted_at, last_visible_at from repositories order by 1";

fn day() -> TimeDelta {
    TimeDelta::days(1)
}

fn project(id: &str, name: &str, state: &str) -> Value {
    json!({"id": id, "name": name, "state": state, "visibility": "private"})
}

/// Two projects, the second with one repository.
async fn two_projects() -> Fake {
    let fake = Fake::start("").await;
    fake.set(
        "projects",
        json!([project(PROJECT, "shop", "wellFormed"), project(OTHER, "other", "wellFormed")]),
    );
    let second = json!({"id": SECOND, "name": "second", "project": {"id": OTHER, "name": "other"}});
    fake.set("git/repositories", json!([repository(REPOSITORY, "api"), second]));
    for path in ["git/pullrequests", "policy/configurations", "build/definitions", "build/builds"] {
        fake.set(&format!("{OTHER}/{path}"), json!([]));
    }
    fake.set(&format!("{OTHER}/build/retention"), json!({}));
    fake.set(&format!("{OTHER}/build/settings"), json!({}));
    fake.set(&format!("{OTHER}/git/repositories/{SECOND}/refs"), json!([]));
    fake.sync_whole().await;
    fake
}

#[tokio::test]
async fn a_deleted_project_is_marked_once_with_its_repositories() {
    let fake = two_projects().await;
    fake.set(
        "projects",
        json!([project(PROJECT, "shop", "wellFormed"), project(OTHER, "other", "deleted")]),
    );
    fake.set("git/repositories", json!([repository(REPOSITORY, "api")]));
    for _ in 0..2 {
        fake.advance(day());
        fake.sync_whole().await;
        assert_eq!(
            fake.rows("select name, state, deleted_at from projects order by 1").await,
            ["other deleted 2026-03-11T08:00:00Z", "shop wellFormed -"]
        );
        assert_eq!(
            fake.rows(REPOSITORIES).await,
            ["api false - -", "second false 2026-03-11T08:00:00Z 2026-03-10T08:00:00Z"]
        );
    }
    // Restored, it is as before.
    fake.set(
        "projects",
        json!([project(PROJECT, "shop", "wellFormed"), project(OTHER, "other", "wellFormed")]),
    );
    let second = json!({"id": SECOND, "name": "second", "project": {"id": OTHER, "name": "other"}});
    fake.set("git/repositories", json!([repository(REPOSITORY, "api"), second]));
    fake.sync_whole().await;
    assert_eq!(fake.rows(REPOSITORIES).await, ["api false - -", "second false - -"]);
    assert_eq!(fake.row("select deleted_at from projects where name = 'other'").await, "-");
}

#[tokio::test]
async fn a_hidden_project_is_warned_of_and_not_taken_for_deleted() {
    let mut fake = two_projects().await;
    fake.set("projects", json!([project(PROJECT, "shop", "wellFormed")]));
    fake.set("git/repositories", json!([repository(REPOSITORY, "api")]));
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(
        fake.rows(REPOSITORIES).await,
        ["api false - -", "second false - 2026-03-10T08:00:00Z"]
    );
    assert_eq!(fake.row("select deleted_at from projects where name = 'other'").await, "-");
    let warnings = fake.warnings().join("\n");
    assert!(warnings.contains("project `other` is no longer visible"), "{warnings}");
    assert!(warnings.contains("repository `other/second` is no longer visible"), "{warnings}");
    fake.configure("[[repository]]\nmatch = \"contoso/other/*\"\ngone-since = 2026-03-11\n");
    fake.sync_whole().await;
    let warnings = fake.warnings().join("\n");
    assert!(!warnings.contains("repository"), "acknowledged: {warnings}");
}

#[tokio::test]
async fn a_repository_is_deleted_only_where_that_is_shown() {
    let fake = Fake::start("").await;
    fake.set(
        "git/repositories",
        json!([repository(REPOSITORY, "api"), repository(SECOND, "second")]),
    );
    fake.set(&format!("git/repositories/{SECOND}/refs"), json!([]));
    fake.sync_whole().await;
    fake.set("git/repositories", json!([repository(REPOSITORY, "api")]));
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(fake.rows(REPOSITORIES).await[1], "second false - 2026-03-10T08:00:00Z");
    // What one list shows holds, whether the other one may be read or not.
    fake.set("git/deletedrepositories", json!(403));
    fake.set(
        "git/recycleBin/repositories",
        json!([{"id": SECOND.to_uppercase(), "name": "second"}]),
    );
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(
        fake.rows(REPOSITORIES).await[1],
        "second false 2026-03-12T08:00:00Z 2026-03-10T08:00:00Z"
    );
    fake.set(
        "git/repositories",
        json!([repository(REPOSITORY, "api"), repository(SECOND, "renamed")]),
    );
    fake.sync_whole().await;
    assert_eq!(
        fake.rows(REPOSITORIES).await[1],
        "renamed false - -",
        "it came back under another name"
    );
}

#[tokio::test]
async fn a_disabled_repository_is_skipped_on_record_and_its_rows_stay() {
    let fake = Fake::start("").await;
    fake.merged(1, "2026-03-01T08:00:00Z");
    fake.open(2);
    fake.sync_whole().await;
    let mut disabled = repository(REPOSITORY, "api");
    disabled["isDisabled"] = json!(true);
    fake.set("git/repositories", json!([disabled]));
    fake.set(&format!("git/repositories/{REPOSITORY}/refs"), json!(404));
    let (_, _) = (fake.hide(1), fake.hide(2));
    fake.advance(day());
    let report = fake.sync_whole().await;
    let branches = only_from(&report, "branches", REPOSITORY);
    assert_eq!(branches.text("status"), Some("skipped"));
    let pushes = only_from(&report, "pushes", &format!("{REPOSITORY}@refs/heads/main"));
    assert_eq!(pushes.text("status"), Some("skipped"));
    assert_eq!(fake.row("select deleted_at from branches").await, "-");
    assert_eq!(fake.row("select count(*) from pull_requests").await, "2");
    assert_eq!(fake.asked("git/pullrequests/2").len(), 0, "nothing of it can be read");
}

#[tokio::test]
async fn a_branch_that_one_of_two_lists_names_is_not_deleted() {
    let fake = Fake::start("").await;
    let refs = format!("git/repositories/{REPOSITORY}/refs");
    let main = json!({"name": "refs/heads/main", "objectId": "A1"});
    let release = json!({"name": "refs/heads/release", "objectId": "B2"});
    fake.set(&refs, json!([main, release]));
    fake.sync_whole().await;
    // A page that shifted while it was read leaves one out.
    fake.set_once(&refs, json!([main]));
    fake.advance(day());
    fake.sync_whole().await;
    let deleted = "select name, deleted_at is not null from branches order by 1";
    assert_eq!(fake.rows(deleted).await, ["main false", "release false"]);
    fake.set(&refs, json!([main]));
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(fake.rows(deleted).await, ["main false", "release true"]);
}

#[tokio::test]
async fn a_token_that_may_not_ask_who_it_is_still_reads_profile_and_accounts() {
    let fake = Fake::start("").await;
    fake.set("connectionData", json!(403));
    fake.set("accounts", json!([{"accountId": "a1", "accountName": "contoso"}]));
    fake.sync_whole().await;
    assert_eq!(fake.row("select account_id from organizations").await, "a1");
    assert_eq!(fake.row("select count(*) from profiles").await, "1");
}

#[tokio::test]
async fn a_token_that_is_not_made_for_the_graph_still_reads_everything_else() {
    let fake = Fake::start("").await;
    fake.set("graph/users", json!(401));
    let report = fake.sync().await;
    let users = only_from(&report, "users", "contoso");
    assert_eq!(users.text("status"), Some("unreadable"));
    let told = users.text("error").unwrap();
    assert!(told.contains("Graph (Read)"), "{told}");
    let repositories = only_from(&report, "repositories", "contoso");
    assert_eq!(repositories.text("status"), Some("ok"));
    // A token that is wrong for the core ends the sync all the same.
    fake.set("projects", json!(401));
    assert!(adolake::sync::sync(fake.input(), &Options::default()).await.is_err());
}

#[tokio::test]
async fn a_pipeline_is_deleted_only_where_the_list_lacks_it_and_its_id_is_missing() {
    let fake = Fake::start("").await;
    let pipeline = |id: i64, name: &str| json!({"id": id, "name": name, "path": "\\"});
    fake.set(
        "build/definitions",
        json!([pipeline(5, "kept"), pipeline(6, "hidden"), pipeline(7, "gone")]),
    );
    fake.sync_whole().await;
    fake.set("build/definitions", json!([pipeline(5, "kept")]));
    fake.set("build/definitions/6", json!(403));
    for _ in 0..2 {
        fake.advance(day());
        fake.sync_whole().await;
        assert_eq!(
            fake.rows("select name, deleted_at from pipelines order by 1").await,
            ["gone 2026-03-11T08:00:00Z", "hidden -", "kept -"]
        );
    }
    fake.set("build/definitions", json!([pipeline(5, "kept"), pipeline(7, "gone")]));
    fake.sync_whole().await;
    assert_eq!(fake.row("select deleted_at from pipelines where name = 'gone'").await, "-");
}

#[tokio::test]
async fn the_visibility_of_a_repository_is_that_of_its_project() {
    let fake = Fake::start("").await;
    let mut own = repository(REPOSITORY, "api");
    own["project"]["visibility"] = json!("unchanged");
    fake.set("git/repositories", json!([own]));
    fake.sync_whole().await;
    assert_eq!(fake.row("select visibility from repositories").await, "private");
}

#[tokio::test]
async fn every_resource_leaves_a_row_in_every_sync() {
    let fake = Fake::start("").await;
    fake.merged(1, "2026-03-01T08:00:00Z");
    let first = fake.sync_whole().await;
    let second = fake.sync_whole().await;
    for report in [first, second] {
        for resource in [
            "organizations",
            "projects",
            "repositories",
            "users",
            "branches",
            "branch_policies",
            "pipelines",
            "retention_settings",
            "pipeline_runs",
            "pull_requests",
            "pull_request_details",
            "pushes",
        ] {
            let rows = report.rows.iter().filter(|row| row.text("resource") == Some(resource));
            assert!(rows.count() > 0, "{resource}");
        }
    }
    let keys = "select count(*) - count(distinct concat(run_id, resource, scope, cast(window_from as varchar))) from sync_runs";
    assert_eq!(fake.row(keys).await, "0", "the key tells rows apart");
}

#[tokio::test]
async fn organizations_hold_every_account_and_the_profile_is_read_once_a_day() {
    let fake = Fake::start("").await;
    fake.set(
        "accounts",
        json!([
        {"accountId": "A1", "accountName": "Contoso", "accountStatus": "enabled"},
        {"accountId": "A2", "accountName": "archive"}]),
    );
    fake.sync_whole().await;
    let rows = "select organization, account_id, account_name, is_configured from organizations order by 1";
    assert_eq!(fake.rows(rows).await, ["archive a2 archive false", "contoso a1 Contoso true"]);
    fake.sync_whole().await;
    assert!(fake.asked("profile").is_empty() && fake.asked("accounts").is_empty());
    assert_eq!(fake.asked("connectionData").len(), 1, "the token is tried all the same");
    fake.advance(day());
    fake.sync_whole().await;
    assert_eq!(fake.asked("profile").len(), 1);
    assert_eq!(fake.rows(rows).await, ["archive a2 archive false", "contoso a1 Contoso true"]);
}

#[tokio::test]
async fn a_project_in_a_state_of_another_name_is_read() {
    let fake = Fake::start("").await;
    let projects = [("p2", "new"), ("p3", "createPending"), ("p4", "deleting")];
    let mut list = vec![project(PROJECT, "shop", "wellFormedAgain")];
    list.extend(projects.iter().map(|(id, state)| project(id, id, state)));
    fake.set("projects", list.into());
    fake.merged(1, "2026-03-09T08:00:00Z");
    fake.sync_whole().await;
    assert_eq!(fake.row("select count(*) from pull_requests").await, "1");
    assert_eq!(fake.asked("/p2/").len(), 0);
}

#[tokio::test]
async fn without_the_list_of_repositories_no_details_are_said_to_be_here() {
    let fake = Fake::start("").await;
    fake.set("git/repositories", json!(403));
    fake.merged(1, "2026-03-09T08:00:00Z");
    let report = fake.sync().await;
    let details = only_from(&report, "pull_request_details", PROJECT);
    assert_eq!(details.text("status"), Some("partial"));
    assert_eq!(fake.row("select count(*) from pull_requests").await, "1");
}
