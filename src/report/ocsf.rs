//! A run as OCSF 1.5 compliance findings (class 2003): an array with one event per line.
//!
//! What is unknown is a `Warning`, which the schema keeps for a check that came to no result for want of information;
//! what is exempt or not applicable is `Other`, exempt findings are suppressed.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::facts::{Ids, evidence, filled, link, name, place, severity};
use crate::checks::{CheckRun, Finding, Findings, Severity, Status, instant_text};
use sha2::{Digest, Sha256};

const OCSF_VERSION: &str = "1.5.0";

pub(super) fn write(run: &CheckRun, out: &mut dyn Write) -> io::Result<()> {
    let ids = Ids::of(run);
    write!(out, "[")?;
    for (index, finding) in run.findings.iter().flat_map(Findings::iter).enumerate() {
        write!(out, "{}{}", if index == 0 { "\n" } else { ",\n" }, event(run, ids, &finding))?;
    }
    writeln!(out, "\n]")
}

fn event(run: &CheckRun, ids: Ids, finding: &Finding<'_>) -> Value {
    let severity = match finding.status {
        Status::Fail | Status::Unknown => severity_of(severity(run, finding.check_id)),
        Status::Pass | Status::Exempt | Status::NotApplicable => (1, "Informational"),
    };
    let status = match finding.status {
        Status::Exempt => (3, "Suppressed"),
        _ => (1, "New"),
    };
    let at = run.started_at.timestamp_millis();
    let header = run.headers.get(finding.check_id);
    let mut event = json!({
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": 1,
        "activity_name": "Create",
        "type_uid": 200_301,
        "type_name": "Compliance Finding: Create",
        "time": at,
        "severity_id": severity.0,
        "severity": severity.1,
        "status_id": status.0,
        "status": status.1,
        "status_code": finding.reason_code,
        "status_detail": finding.reason,
        "message": format!("{}: {}", finding.resource(), finding.reason),
        "metadata": {
            "version": OCSF_VERSION,
            "product": { "name": "adolake", "vendor_name": "adolake", "version": run.version },
            "uid": ids.verdict(finding),
            "correlation_uid": run.run_id,
            "event_code": finding.check_id,
        },
        "finding_info": {
            // The same in every run, so that a receiver knows it again.
            "uid": hex::encode(Sha256::digest(name(finding).as_bytes())),
            "title": header.map_or(finding.check_id, |header| header.title.as_str()),
            "desc": header.and_then(|header| header.rationale.as_deref()).unwrap_or_default(),
            "created_time": at,
            "types": [finding.check_id],
        },
        "compliance": compliance(run, finding),
        "resources": [resource(finding)],
        "unmapped": {
            "run": { "profile": run.profile.as_str(), "findings_sha256": run.findings_sha256,
                "settings_hash": run.settings_hash, "counts_agree": run.differences.is_empty(),
                "period_from": instant_text(run.period.from), "period_to": instant_text(run.period.to) },
            "flags": finding.flags.split(',').filter(|flag| !flag.is_empty()).collect::<Vec<_>>(),
            "evidence": evidence(finding),
        },
    });
    if let Some(link) = link(finding) {
        event["finding_info"]["src_url"] = link.into();
    }
    if let Some(remediation) = header.and_then(|header| header.remediation.as_deref()) {
        event["remediation"] = json!({ "desc": remediation });
    }
    event
}

fn compliance(run: &CheckRun, finding: &Finding<'_>) -> Value {
    let (status_id, status) = match finding.status {
        Status::Pass => (1, "Pass"),
        Status::Unknown => (2, "Warning"),
        Status::Fail => (3, "Fail"),
        Status::Exempt => (99, "Exempt"),
        Status::NotApplicable => (99, "Not Applicable"),
    };
    let header = run.headers.get(finding.check_id);
    let controls = header.map_or(&[][..], |header| header.controls.as_slice());
    let mut standards: Vec<&str> = controls.iter().map(|one| one.framework.as_str()).collect();
    standards.sort_unstable();
    standards.dedup();
    let requirements: Vec<String> = controls.iter().map(ToString::to_string).collect();
    json!({
        "control": finding.check_id,
        "desc": header.map_or("", |header| header.title.as_str()),
        "standards": standards,
        "requirements": requirements,
        "status_id": status_id,
        "status": status,
        "status_code": finding.reason_code,
        "status_detail": finding.reason,
    })
}

fn resource(finding: &Finding<'_>) -> Value {
    let kind = match (finding.pull_request_id, finding.branch) {
        (Some(_), _) => "Pull Request",
        (None, Some(_)) => "Branch",
        (None, None) => "Repository",
    };
    let uid = finding.resource();
    let name = filled(finding.subject).unwrap_or(&uid);
    json!({ "uid": uid, "name": name, "type": kind, "data": place(finding) })
}

const fn severity_of(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}
