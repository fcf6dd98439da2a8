//! Pushes: what explains them is asked for until it is answered.

use serde_json::json;

use crate::support::canned::REPOSITORY;
use crate::support::fake::Fake;

#[tokio::test]
async fn whether_a_push_was_forced_is_asked_until_it_is_answered() {
    let fake = Fake::start("").await;
    let of = |path: &str| format!("git/repositories/{REPOSITORY}/{path}");
    fake.set(
        &of("pushes"),
        json!([{"pushId": 4, "date": "2026-03-09T08:00:00Z", "pushedBy": {"id": "i", "uniqueName": "ben@contoso.com"},
            "refUpdates": [{"name": "refs/heads/main", "oldObjectId": "a1", "newObjectId": "a2"}]}]),
    );
    fake.set(&of("pullrequestquery"), json!({"results": [{"a2": null}, {"a2": []}]}));
    fake.set(&of("diffs/commits"), json!(403));
    let report = fake.sync().await;
    assert!(fake.problems(&report)[0].contains("pushes"), "{report:?}");
    fake.set(&of("diffs/commits"), json!({"commonCommit": "a0"}));
    fake.sync_whole().await;
    assert_eq!(fake.row("select is_force, pull_request_ids from pushes").await, "true ");
    fake.sync_whole().await;
    assert_eq!(fake.asked("diffs/commits").len(), 0);
}
