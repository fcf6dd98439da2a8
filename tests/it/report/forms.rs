//! The forms for pages, pipelines, code hosts and compliance tools: one verdict of each status, hostile titles.

use std::collections::BTreeMap;

use adolake::checks::{self, CheckRun, Queries, Request, Status};
use adolake::report::{Format, TextOptions};
use tempfile::TempDir;

use super::written;
use crate::support::world;

/// A check with a verdict of each status; what Azure DevOps could name so that a reader is deceived.
pub const ALL_STATUSES: &str = "\
-- id: all_statuses
-- title: Every status occurs | <once> [x](http://evil)
-- severity: medium
-- controls: SOC2 CC8.1; ISO27001 A.8.28, A.8.29; PCI-DSS 6.2.3; SLSA Source L4
-- reads: repositories
-- rationale: A form that cannot show a status hides it.
-- remediation: Show it {0}.

select
    r.organization, r.project, r.repository_id, r.name as repository, 'main' as branch, v.number as pull_request_id,
    v.subject, concat('https://ado/x?y=', v.number, '&z=\"<b>') as resource_url, v.status, v.code as reason_code,
    v.reason, v.flags, v.evidence as evidence_json
from repositories as r
cross join (
    values
        (1, 'pass', 'SHOWN', 'It is shown.', '', '{}', 'plain'),
        (2, 'fail', 'HIDDEN', 'It is `hidden` | {1}.', 'A,B', '{\"a\":[1,null,\"```\"]}', '<script>alert(1)</script> ]]> & \"x\" | [x](javascript:alert(1)) ![i](http://evil/i.png) @all #1'),
        (3, 'exempt', 'EXCEPTION', 'It is excepted.', '', '{\"would_be\":\"fail\"}', '=cmd|''/c calc''!A1'),
        (4, 'not_applicable', 'GONE', 'It is gone.', '', '{}', '\u{1b}]8;;http://evil\u{7}link\u{1b}]8;;\u{7} \u{202e}gpj.exe\u{202c} \u{0}\u{fffe}'),
        (5, 'unknown', 'UNREADABLE', 'It cannot be read.', '', '{}', 'two
lines # not a heading'),
        (6, 'exempt', 'EMERGENCY_LABEL', 'It is an emergency.', '', '{\"would_be\":\"unknown\"}', null)
) as v (number, status, code, reason, flags, evidence, subject)
";

/// A run of that check, with ids that do not change.
async fn run() -> CheckRun {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("all_statuses.sql"), ALL_STATUSES).unwrap();
    let queries = Queries::load(folder.path()).unwrap();
    let ids = ["all_statuses".to_owned()];
    let request = Request { checks: &ids, is_stored: false, ..world::request() };
    let lake = world::lake().await;
    let mut run = checks::run(&lake, &queries, &world::settings(), &request).await.unwrap();
    run.run_id = "01990000-0000-7000-8000-000000000000".to_owned();
    run.settings_hash = "[hash]".to_owned();
    run.settings_json = "{}".to_owned();
    run.findings_sha256 = "[hash]".to_owned();
    run.table_versions.clear();
    run.queries = BTreeMap::from([("all_statuses".to_owned(), "select 1".to_owned())]);
    run.differences = vec!["contoso/payments/api branch `main` in 2026-03: listed 5".to_owned()];
    run.warnings = vec!["exception `contoso/a|b/*!*` names nothing".to_owned()];
    run
}

fn form(run: &CheckRun, format: Format) -> String {
    written(run, format, &TextOptions::default())
}

fn json(run: &CheckRun, format: Format) -> serde_json::Value {
    serde_json::from_str(&form(run, format)).unwrap()
}

#[tokio::test]
async fn every_form_shows_every_status() {
    let run = run().await;
    assert_eq!(Status::ALL.map(|status| run.counts().of(status)), [1, 1, 2, 1, 1]);
    insta::assert_snapshot!("forms_text", form(&run, Format::Text));
    insta::assert_snapshot!("forms_csv", form(&run, Format::Csv));
    insta::assert_snapshot!("forms_markdown", form(&run, Format::Markdown));
    insta::assert_snapshot!("forms_junit", form(&run, Format::Junit));
    insta::assert_snapshot!("forms_sarif", format!("{:#}", json(&run, Format::Sarif)));
    insta::assert_snapshot!("forms_oscal", format!("{:#}", json(&run, Format::Oscal)));
    insta::assert_snapshot!("forms_ocsf", format!("{:#}", json(&run, Format::Ocsf)));
}

#[tokio::test]
async fn the_unknown_is_never_shown_as_passed() {
    let run = run().await;
    let report = quick_junit::Report::deserialize_from_str(&form(&run, Format::Junit)).unwrap();
    assert_eq!((report.tests, report.failures, report.errors, report.skipped), (7, 1, 2, 3));
    let sarif = json(&run, Format::Sarif);
    let kinds: Vec<&str> = sarif["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["pass", "fail", "fail", "notApplicable", "open", "open"]);
    let ocsf = json(&run, Format::Ocsf);
    let statuses: Vec<i64> = ocsf
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["compliance"]["status_id"].as_i64().unwrap())
        .collect();
    assert_eq!(statuses, [1, 3, 99, 99, 2, 99]);
    let mut hopeful = run;
    hopeful.findings.clear();
    let target = |run: &CheckRun| {
        let oscal = json(run, Format::Oscal);
        oscal["assessment-results"]["results"][0]["findings"][0]["target"]["status"].clone()
    };
    hopeful.findings = nothing_but(Status::Unknown).await;
    assert_eq!(
        target(&hopeful),
        serde_json::json!({ "state": "not-satisfied", "reason": "other" })
    );
    hopeful.findings = nothing_but(Status::Pass).await;
    assert_eq!(target(&hopeful), serde_json::json!({ "state": "satisfied", "reason": "pass" }));
    hopeful.findings = nothing_but(Status::Exempt).await;
    assert_eq!(target(&hopeful), serde_json::json!({ "state": "satisfied", "reason": "pass" }));
}

/// The findings of the check, one status only.
async fn nothing_but(status: Status) -> Vec<checks::Findings> {
    let folder = TempDir::new().unwrap();
    let text = format!("{ALL_STATUSES}where v.status = '{status}'\n");
    std::fs::write(folder.path().join("all_statuses.sql"), text).unwrap();
    let queries = Queries::load(folder.path()).unwrap();
    let ids = ["all_statuses".to_owned()];
    let request = Request { checks: &ids, is_stored: false, ..world::request() };
    let lake = world::lake().await;
    checks::run(&lake, &queries, &world::settings(), &request).await.unwrap().findings
}

#[tokio::test]
async fn a_check_with_nothing_to_judge_is_not_satisfied() {
    let mut run = run().await;
    run.findings = nothing_but(Status::Pass).await;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("all_statuses.sql"), format!("{ALL_STATUSES}where false\n"))
        .unwrap();
    let queries = Queries::load(folder.path()).unwrap();
    let ids = ["all_statuses".to_owned()];
    let request = Request { checks: &ids, is_stored: false, ..world::request() };
    let lake = world::lake().await;
    run.findings =
        checks::run(&lake, &queries, &world::settings(), &request).await.unwrap().findings;
    assert_eq!(run.counts().total(), 0);
    let oscal = json(&run, Format::Oscal);
    let result = &oscal["assessment-results"]["results"][0];
    assert_eq!(result["findings"][0]["target"]["status"]["state"], "not-satisfied");
    assert!(form(&run, Format::Markdown).contains("nothing to judge"));
    assert_eq!(json(&run, Format::Ocsf), serde_json::json!([]));
}
