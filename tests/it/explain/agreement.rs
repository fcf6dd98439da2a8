//! Explanations say what the checks say: every reason code once, and every check has explanations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use adolake::checks::Queries;
use adolake::simulator::{Options, Simulator};
use serde_json::Value;

use super::{DAY, run};
use crate::support::cases;
use crate::support::cmd::Adolake;

/// What a check says: check, status and reason code, the three kinds of solutions as one.
type Key = (String, String, String);

fn key(finding: &Value) -> Key {
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let check = text("check_id");
    let is_about_solutions = check.ends_with("_passed");
    let check = if is_about_solutions { "solutions".to_owned() } else { check };
    (check, text("status"), text("reason_code"))
}

/// The findings of a check run by the resource they are about.
fn findings(adolake: &Adolake, profile: &str) -> BTreeMap<String, Vec<Value>> {
    let arguments = ["check", "--no-store", "--format", "json", "--profile", profile];
    let ended = run(adolake, &arguments);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let mut findings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for finding in document["findings"].as_array().unwrap() {
        let text = |key: &str| finding[key].as_str().unwrap_or_default();
        let place = format!("{}/{}/{}", text("organization"), text("project"), text("repository"));
        let resource = match (finding["pull_request_id"].as_i64(), finding["branch"].as_str()) {
            (Some(number), _) => format!("{place}!{number}"),
            (None, Some(branch)) => format!("{place}@refs/heads/{branch}"),
            (None, None) => place,
        };
        findings.entry(resource).or_default().push(finding.clone());
    }
    findings
}

/// What is wrong with the explanation of a resource, compared with what the check run says of it.
fn problems(adolake: &Adolake, profile: &str, resource: &str, findings: &[Value]) -> Vec<String> {
    let file = format!("{}.txt", resource.replace(['/', '!', '@'], "-"));
    let arguments =
        ["explain", resource, "--profile", profile, "--format", "json", "--export", &file];
    let ended = adolake.run(&arguments);
    if ended.code != Some(0) {
        return vec![ended.told()];
    }
    let (document, page) = (ended.json(), adolake.read(&file));
    let verdicts = document["verdicts"].as_array().unwrap();
    let mut problems = Vec::new();
    for finding in findings {
        let own = verdicts.iter().find(|one| {
            one["check_id"] == finding["check_id"] && one["branch"] == finding["branch"]
        });
        let Some(own) = own else {
            problems.push(format!("no verdict of {}", finding["check_id"]));
            continue;
        };
        for (column, value) in finding.as_object().unwrap() {
            if &own[column] != value {
                problems.push(format!("{column} is {}, the check says {value}", own[column]));
            }
        }
        let text = |key: &str| finding[key].as_str().unwrap_or_default();
        let word = if text("status") == "not_applicable" { "n.a." } else { text("status") };
        if !page.contains(&format!(" {word} {}", text("reason_code"))) {
            problems.push(format!("the page lacks {word} {}", text("reason_code")));
        }
        let has = |list: &str| own[list].as_array().is_some_and(|list| !list.is_empty());
        let decides = ["counts", "against", "ignored", "missing"];
        let facts = own["facts"].as_array().unwrap();
        if !facts.iter().any(|fact| decides.contains(&fact["effect"].as_str().unwrap())) {
            problems.push(format!("no fact decides {}", text("reason_code")));
        }
        if ["fail", "unknown"].contains(&text("status")) && !(has("flips") && has("now")) {
            problems.push(format!("nothing would flip {}", text("reason_code")));
        }
        let meant = own["flag_meanings"].as_array().unwrap();
        for flag in text("flags").split(',').filter(|flag| !flag.is_empty()) {
            if !meant.iter().any(|meaning| meaning["fact"] == flag) {
                problems.push(format!("flag {flag} has no meaning"));
            }
        }
        let lists = ["facts", "flips", "now", "nearest"].map(|list| &own[list]);
        for fact in lists.into_iter().filter_map(Value::as_array).flatten() {
            let told = fact["fact"].as_str().unwrap();
            let why = fact["why"].as_str().unwrap_or(".");
            // A name that is not there leaves a gap.
            if told.is_empty() || told.contains("  ") || told.ends_with(' ') || why.ends_with(' ') {
                problems.push(format!("`{told}` has a gap"));
            }
        }
    }
    problems
}

/// Every reason code is explained once: the examples reach nearly all of them, a lake that was read in part the rest.
#[tokio::test(flavor = "multi_thread")]
async fn every_reason_code_is_explained_as_it_is_judged() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let config = simulator.config("./lake", "ADO_PAT");
    let new = || Adolake::with_config(&config).env("ADO_PAT", simulator.token());
    let (whole, part) = (new(), new());
    for day in 0..4 {
        if day > 0 {
            simulator.advance(DAY);
        }
        let ended = run(&whole, &["sync"]);
        assert_eq!(ended.code, Some(0), "{}", ended.told());
    }
    let resources = ["projects", "repositories", "branches", "pull_requests"];
    let arguments: Vec<&str> = std::iter::once("sync")
        .chain(resources.into_iter().flat_map(|resource| ["--resource", resource]))
        .collect();
    assert_eq!(run(&part, &arguments).code, Some(0));

    let mut reached: BTreeSet<Key> = BTreeSet::new();
    let mut chosen = Vec::new();
    for (adolake, profile) in [(&whole, "standard"), (&whole, "strict"), (&part, "standard")] {
        for (resource, findings) in findings(adolake, profile) {
            let keys: BTreeSet<Key> = findings.iter().map(key).collect();
            if !keys.is_subset(&reached) {
                reached.extend(keys);
                chosen.push((adolake, profile, resource, findings));
            }
        }
    }
    let missing: BTreeSet<Key> = expected().difference(&reached).cloned().collect();
    let elsewhere = [
        ("branch_policy_requires_approval", "unknown", "EVIDENCE_UNREADABLE"),
        ("branch_policy_requires_approval", "unknown", "POLICY_HISTORY_UNPROVEN"),
    ];
    let elsewhere: BTreeSet<Key> = elsewhere
        .into_iter()
        .map(|(check, status, reason)| (check.to_owned(), status.to_owned(), reason.to_owned()))
        .collect();
    assert_eq!(missing, elsewhere, "tests of their own explain these");

    let next = AtomicUsize::new(0);
    let told = std::sync::Mutex::new(Vec::new());
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some((adolake, profile, resource, findings)) =
                        chosen.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        for problem in problems(adolake, profile, resource, findings) {
                            told.lock().unwrap().push(format!("{resource} ({profile}): {problem}"));
                        }
                    }
                });
            }
        });
    });
    let told = told.into_inner().unwrap();
    assert!(told.is_empty(), "{} of {}:\n{}", told.len(), chosen.len(), told.join("\n"));
}

/// Every status and reason code that a case of a check expects.
fn expected() -> BTreeSet<Key> {
    cases::all()
        .into_iter()
        .flat_map(|case| {
            let check =
                if case.check_id.ends_with("_passed") { "solutions" } else { &case.check_id };
            let expected = case.expected().unwrap();
            let keys = expected
                .into_iter()
                .map(|verdict| (check.to_owned(), verdict.status, verdict.reason_code));
            keys.collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_check_is_explained() {
    let queries = Queries::embedded().unwrap();
    let checks: BTreeSet<&str> = queries.checks().iter().map(|check| check.id()).collect();
    let explained: BTreeSet<&str> = queries
        .explanations()
        .iter()
        .flat_map(|explanation| &explanation.header.checks)
        .map(String::as_str)
        .collect();
    assert_eq!(explained, checks);
}
