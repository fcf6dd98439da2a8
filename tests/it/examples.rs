//! The named examples the long way: served by the simulation, synced and judged by the real binary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use adolake::simulator::{Options, Simulator};
use serde_json::Value;

use crate::support::cmd::Adolake;

const DAY: Duration = Duration::from_secs(86_400);

/// Status and reason of every finding, by check and by pull request or branch.
fn verdicts(document: &Value) -> BTreeMap<(String, String), (String, String)> {
    let findings = document["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            let place = format!("{}/{}", text("project"), text("repository"));
            let subject = match finding["pull_request_id"].as_i64() {
                Some(number) => format!("{place}!{number}"),
                None => format!("{place}@{}", text("branch")),
            };
            ((text("check_id"), subject), (text("status"), text("reason_code")))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_named_example_gets_the_verdict_that_stands_beside_it() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let adolake = Adolake::with_config(&simulator.config("./lake", "ADO_PAT"))
        .env("ADO_PAT", simulator.token());
    let mut wrong = String::new();
    let mut compared = 0;
    for day in 0..4 {
        if day > 0 {
            simulator.advance(DAY);
        }
        let sync = tokio::task::block_in_place(|| adolake.run(&["sync"]));
        assert_eq!(sync.code, Some(0), "{}{}", sync.stdout, sync.stderr);
        let check = tokio::task::block_in_place(|| adolake.run(&["check", "--format", "json"]));
        assert_eq!(check.code, Some(1), "{}", check.stderr);
        let found = verdicts(&serde_json::from_str(&check.stdout).unwrap());
        for example in simulator.examples().iter().filter(|one| one.settled_at <= simulator.now()) {
            let place = format!("{}/{}", example.project, example.repository);
            let subject = match (example.pull_request, &example.branch) {
                (Some(number), _) => format!("{place}!{number}"),
                (None, branch) => format!("{place}@{}", branch.as_deref().unwrap_or_default()),
            };
            for expected in &example.expected {
                compared += 1;
                let key = (expected.check.to_owned(), subject.clone());
                let verdict =
                    found.get(&key).map_or(("none", ""), |(status, reason)| (status, reason));
                if verdict != (expected.status, expected.reason) {
                    let _ = writeln!(
                        wrong,
                        "day {day}: {} ({subject}), {}: expected {} {}, found {} {}",
                        example.name,
                        expected.check,
                        expected.status,
                        expected.reason,
                        verdict.0,
                        verdict.1
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 400, "only {compared} verdicts were compared");
}
