//! What a plan says before anything is read, and that it writes nothing.

use serde_json::json;

use crate::support::fake::Fake;
use adolake::sync::{Options, Plan, Planned, plan};

async fn planned(fake: &Fake) -> Plan {
    plan(fake.input(), &Options::default()).await.unwrap()
}

fn of<'a>(plan: &'a Plan, resource: &str) -> Vec<&'a Planned> {
    plan.items.iter().filter(|item| item.resource == resource).collect()
}

#[tokio::test]
async fn a_plan_counts_what_the_lake_knows_to_be_missing_and_says_what_it_cannot_know() {
    let mut fake = Fake::start("[checks]\nstart-date = 2026-03-05\n").await;
    fake.merged(1, "2026-03-02T08:00:00Z");
    fake.merged(2, "2026-03-03T08:00:00Z");
    fake.run(77, json!({"finishTime": "2026-03-01T09:00:00Z"}));
    fake.set("build/builds/77/timeline", json!({"records": []}));
    let first = planned(&fake).await;
    assert_eq!(of(&first, "pushes")[0].requests, None, "no branch is known");
    assert_eq!(of(&first, "pull_request_details")[0].requests, Some(0));
    assert_eq!(of(&first, "pull_requests").len(), 2, "the newest window and the past");
    assert!(of(&first, "pipeline_run_jobs").is_empty());

    fake.sync_whole().await;
    fake.configure("[checks]\nstart-date = 2026-03-01\n[defaults]\nsast = [\"job:CodeQL/*/*\"]\n");
    let before = fake.lake.session().await.unwrap().versions;
    let second = planned(&fake).await;
    assert_eq!(of(&second, "pull_request_details")[0].requests, Some(12), "an earlier start");
    assert_eq!(of(&second, "pipeline_run_jobs")[0].requests, Some(1), "a new selector");
    let pushes = of(&second, "pushes");
    assert_eq!((pushes.len(), pushes[0].scope.as_str()), (1, "shop/api@main"));
    assert_eq!(of(&second, "pull_requests").len(), 1);
    assert!(of(&second, "users").is_empty() && of(&second, "retention_settings").is_empty());
    assert_eq!(fake.lake.session().await.unwrap().versions, before);

    let report = fake.sync_whole().await;
    let of = |name: &str| -> i64 {
        let rows = report.rows.iter().filter(|row| row.text("resource") == Some(name));
        rows.filter_map(|row| row.int("requests")).sum()
    };
    assert_eq!(of("pull_request_details"), 12, "as planned");
    assert_eq!(of("pipeline_run_jobs"), 1, "as planned");
}
