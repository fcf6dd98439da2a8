//! Branch policies: revisions, deletion that is shown, and coming back.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::fake::Fake;

const POLICIES: &str = "select revision, is_deleted, valid_from, is_valid_from_proven, valid_to from branch_policies order by 1";

fn policy(revision: i64, created: &str) -> Value {
    json!({"id": 3, "revision": revision, "isEnabled": true, "isBlocking": true, "createdDate": created,
        "type": {"id": "FA4E907D-C16B-4A4C-9DFA-4906E5D171DD"}, "settings": {"minimumApproverCount": 1}})
}

#[tokio::test]
async fn a_policy_is_deleted_only_where_the_list_lacks_it_and_its_id_is_missing() {
    let fake = Fake::start("").await;
    let listed = json!([policy(1, "2026-01-01T00:00:00Z")]);
    fake.set("policy/configurations", listed.clone());
    fake.sync_whole().await;
    fake.set("policy/configurations", json!([]));
    fake.set("policy/configurations/3", json!(403));
    fake.advance(TimeDelta::days(1));
    fake.sync_whole().await;
    assert_eq!(
        fake.row(POLICIES).await,
        "1 false 2026-01-01T00:00:00Z true -",
        "hidden, not deleted"
    );
    fake.set("policy/configurations/3", json!(404));
    fake.sync_whole().await;
    assert_eq!(fake.row(POLICIES).await, "1 true 2026-01-01T00:00:00Z true 2026-03-11T08:00:00Z");
    fake.set("policy/configurations", listed);
    fake.sync_whole().await;
    assert_eq!(
        fake.row(POLICIES).await,
        "1 false 2026-01-01T00:00:00Z true -",
        "it was not deleted after all"
    );
}

#[tokio::test]
async fn a_policy_that_its_id_shows_as_deleted_is_deleted() {
    let fake = Fake::start("").await;
    let own = policy(1, "2026-01-01T00:00:00Z");
    fake.set("policy/configurations", json!([own]));
    fake.sync_whole().await;
    let mut deleted = own;
    deleted["isDeleted"] = json!(true);
    fake.set("policy/configurations", json!([]));
    fake.set("policy/configurations/3", deleted);
    fake.advance(TimeDelta::days(1));
    fake.sync_whole().await;
    assert_eq!(fake.row(POLICIES).await, "1 true 2026-01-01T00:00:00Z true 2026-03-11T08:00:00Z");
}

#[tokio::test]
async fn a_new_revision_ends_the_one_before_also_where_the_history_may_not_be_read() {
    let fake = Fake::start("").await;
    fake.set("policy/configurations", json!([policy(1, "2026-01-01T00:00:00Z")]));
    fake.sync_whole().await;
    fake.set("policy/configurations", json!([policy(2, "2026-01-01T00:00:00Z")]));
    fake.set("policy/configurations/3/revisions", json!(403));
    fake.advance(TimeDelta::days(1));
    let report = fake.sync().await;
    assert!(report.is_partial());
    assert_eq!(
        fake.rows(POLICIES).await,
        [
            "1 false 2026-01-01T00:00:00Z true 2026-03-11T08:00:00Z",
            "2 false 2026-03-11T08:00:00Z false -"
        ]
    );
}

#[tokio::test]
async fn a_policy_without_an_id_is_an_error_and_the_others_are_read() {
    let fake = Fake::start("").await;
    let mut odd = policy(1, "2026-01-01T00:00:00Z");
    odd.as_object_mut().unwrap().remove("id");
    fake.set("policy/configurations", json!([odd, policy(1, "2026-01-01T00:00:00Z")]));
    let report = fake.sync().await;
    let problems = fake.problems(&report);
    assert!(problems[0].contains("`id` of policy `without id` is missing"), "{problems:?}");
    assert_eq!(fake.row("select policy_id from branch_policies").await, "3");
}

#[tokio::test]
async fn a_history_that_was_refused_is_asked_for_again() {
    let fake = Fake::start("").await;
    let revisions = json!([policy(1, "2026-01-01T00:00:00Z"), policy(2, "2026-02-01T00:00:00Z")]);
    fake.set("policy/configurations", json!([revisions[1]]));
    fake.set("policy/configurations/3/revisions", json!(403));
    assert!(fake.sync().await.is_partial());
    assert_eq!(fake.rows(POLICIES).await.len(), 1);
    fake.set("policy/configurations/3/revisions", revisions);
    fake.advance(TimeDelta::days(1));
    fake.sync_whole().await;
    let revisions = "select revision, is_valid_from_proven from branch_policies order by 1";
    assert_eq!(fake.rows(revisions).await, ["1 true", "2 true"]);
    fake.sync_whole().await;
    assert_eq!(fake.asked("/revisions").len(), 0);
}
