//! The named examples the long way: served by the simulation, synced and judged by the real binary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use adolake::simulator::{Example, Options, Simulator};
use serde_json::Value;

use crate::support::cmd::Adolake;

const DAY: Duration = Duration::from_secs(86_400);

/// Status, reason and flags.
type Verdict = (String, String, String);

/// Every finding, by check and by pull request or branch.
fn verdicts(document: &Value) -> BTreeMap<(String, String), Verdict> {
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
            let verdict = (text("status"), text("reason_code"), text("flags"));
            ((text("check_id"), subject), verdict)
        })
        .collect()
}

fn subject(example: &Example) -> String {
    let place = format!("{}/{}", example.project, example.repository);
    match (example.pull_request, &example.branch) {
        (Some(number), _) => format!("{place}!{number}"),
        (None, branch) => format!("{place}@{}", branch.as_deref().unwrap_or_default()),
    }
}

/// Runs the binary, whose exit code must be this.
fn run(adolake: &Adolake, arguments: &[&str], code: i32) -> String {
    let ended = tokio::task::block_in_place(|| adolake.run(arguments));
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    ended.stdout
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
        run(&adolake, &["sync"], 0);
        // Strict once, when everything has happened.
        let profiles = if day == 3 { &["standard", "strict"][..] } else { &["standard"] };
        for profile in profiles {
            let json = run(&adolake, &["check", "--format", "json", "--profile", profile], 1);
            let found = verdicts(&serde_json::from_str(&json).unwrap());
            let settled =
                simulator.examples().iter().filter(|one| one.settled_at <= simulator.now());
            for example in settled {
                let subject = subject(example);
                for expected in &example.expected {
                    compared += 1;
                    let key = (expected.check.to_owned(), subject.clone());
                    let (status, reason, flags) = found
                        .get(&key)
                        .cloned()
                        .unwrap_or_else(|| ("none".to_owned(), String::new(), String::new()));
                    let is_standard = *profile == "standard";
                    let told = (expected.status, expected.reason);
                    let told = if is_standard { told } else { expected.strict.unwrap_or(told) };
                    let told_flags = expected.flags.filter(|_| is_standard);
                    if (status.as_str(), reason.as_str()) != told
                        || told_flags.is_some_and(|told| told != flags)
                    {
                        let _ = writeln!(
                            wrong,
                            "day {day}, {profile}: {} ({subject}), {}: expected {told:?} {told_flags:?}, found {status} {reason} [{flags}]",
                            example.name, expected.check,
                        );
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 600, "only {compared} verdicts were compared");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_read_is_unknown_and_never_a_pass() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let adolake = Adolake::with_config(&simulator.config("./lake", "ADO_PAT"))
        .env("ADO_PAT", simulator.token());
    let resources = ["projects", "repositories", "branches", "pull_requests"];
    let arguments: Vec<&str> = std::iter::once("sync")
        .chain(resources.into_iter().flat_map(|resource| ["--resource", resource]))
        .collect();
    run(&adolake, &arguments, 0);
    for profile in ["standard", "strict"] {
        let arguments = ["check", "--format", "json", "--profile", profile];
        let ended = tokio::task::block_in_place(|| adolake.run(&arguments));
        let found = verdicts(&serde_json::from_str(&ended.stdout).unwrap());
        let of = |check: &str, subject: &str| {
            let (status, reason, _) = &found[&(check.to_owned(), format!("examples/{subject}"))];
            (status.clone(), reason.clone())
        };
        let unknown = |reason: &str| ("unknown".to_owned(), reason.to_owned());
        let branch = "branch-policies@release/strictest";
        assert_eq!(of("branch_policy_requires_approval", branch), unknown("POLICIES_UNREADABLE"));
        assert_eq!(of("change_has_pull_request", branch), unknown("EVIDENCE_UNREADABLE"));
        let example = simulator.examples().iter().find(|one| one.name == "merged").unwrap();
        let merged = format!("{}!{}", example.repository, example.pull_request.unwrap());
        assert_eq!(of("pull_request_sast_passed", &merged), unknown("EVIDENCE_UNREADABLE"));
        let passes = found.iter().filter(|((check, _), verdict)| {
            let needs_more = ["pull_request_approved", "pull_request_dependency_check_passed"];
            verdict.0 == "pass" && !needs_more.contains(&check.as_str())
        });
        assert_eq!(passes.count(), 0);
    }
}
