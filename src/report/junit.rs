//! A run as JUnit: each check a suite, each verdict a test case.
//!
//! What is unknown is an error, what fails a failure, what is exempt or not applicable is skipped; counts of the
//! population that disagree are errors of a suite of their own. The library writes a document as a whole, so that this
//! form takes memory with every verdict.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::facts::{Ids, controls, filled, link};
use super::plain::plain;
use crate::checks::{CheckRun, Finding, Findings, Status, instant_text};

pub(super) fn write(run: &CheckRun, out: &mut dyn Write) -> io::Result<()> {
    let mut report = Report::new("adolake check");
    report.set_uuid(Ids::of(run).run()).set_timestamp(run.started_at);
    for findings in &run.findings {
        report.add_test_suite(suite(run, findings));
    }
    if !run.differences.is_empty() {
        report.add_test_suite(population(run));
    }
    // Written as a whole: what `out` fails with must be told as it is.
    let text = report.to_string().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

fn suite(run: &CheckRun, findings: &Findings) -> TestSuite {
    let mut suite = TestSuite::new(findings.check_id());
    suite.set_timestamp(run.started_at);
    if let Some(header) = run.headers.get(findings.check_id()) {
        property(&mut suite, "title", &header.title);
        property(&mut suite, "controls", &controls(header));
        let severity = header.severity.map(|severity| severity.to_string()).unwrap_or_default();
        property(&mut suite, "severity", &severity);
        property(&mut suite, "remediation", header.remediation.as_deref().unwrap_or_default());
    }
    property(&mut suite, "profile", run.profile.as_str());
    property(&mut suite, "period_from", &instant_text(run.period.from));
    property(&mut suite, "period_to", &instant_text(run.period.to));
    property(&mut suite, "run_id", &run.run_id);
    for finding in findings.iter() {
        suite.add_test_case(case(&finding));
    }
    suite
}

fn property(suite: &mut TestSuite, name: &str, value: &str) {
    if !value.is_empty() {
        suite.add_property(Property::new(name, plain(value)));
    }
}

fn case(finding: &Finding<'_>) -> TestCase {
    let mut status = match finding.status {
        Status::Pass => TestCaseStatus::success(),
        Status::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Status::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
        Status::Exempt | Status::NotApplicable => TestCaseStatus::skipped(),
    };
    status
        .set_type(finding.reason_code)
        .set_message(plain(finding.reason))
        .set_description(described(finding));
    let mut case = TestCase::new(plain(&finding.resource()), status);
    case.set_classname(finding.check_id);
    let properties = [
        ("status", Some(finding.status.as_str())),
        ("reason_code", Some(finding.reason_code)),
        ("flags", Some(finding.flags)),
        ("repository_id", finding.repository_id),
        ("subject", finding.subject),
    ];
    for (name, value) in properties {
        if let Some(value) = filled(value) {
            case.add_property(Property::new(name, plain(value)));
        }
    }
    case
}

/// What a person reads below a test case: the title, the address, the evidence.
fn described(finding: &Finding<'_>) -> String {
    let subject = filled(finding.subject).map(|subject| plain(subject).into_owned());
    let flags = filled(Some(finding.flags)).map(|flags| format!("flags: {flags}"));
    let evidence = format!("evidence: {}", plain(finding.evidence_json));
    let lines = [subject, link(finding), flags, Some(evidence)];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The counts that disagree: a run that left something out must not look like one that passed.
fn population(run: &CheckRun) -> TestSuite {
    let mut suite = TestSuite::new("population");
    suite.set_timestamp(run.started_at);
    for difference in &run.differences {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("COUNTS_DIFFER").set_message(plain(difference));
        let place = difference.split(": ").next().unwrap_or(difference);
        let mut case = TestCase::new(plain(place), status);
        case.set_classname("population");
        suite.add_test_case(case);
    }
    suite
}
