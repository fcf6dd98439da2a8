//! A run as SARIF 2.1.0: each check a rule, each verdict a result, each framework of controls a taxonomy.
//!
//! What is unknown is of kind `open` (too little information to decide), what is exempt is suppressed.

use std::io::{self, Write};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::facts::{Ids, evidence, frameworks, link, name, place, severity, texts, would_be};
use super::plain::plain;
use crate::checks::{CheckRun, Finding, Findings, Severity, Status, instant_text};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Writes the log; results one per line, in order.
pub(super) fn write(run: &CheckRun, out: &mut dyn Write) -> io::Result<()> {
    let ids = Ids::of(run);
    let driver = json!({
        "name": "adolake",
        "version": run.version,
        "rules": run.findings.iter().map(|findings| rule(run, findings)).collect::<Vec<_>>(),
        "supportedTaxonomies": frameworks(run).keys().enumerate()
            .map(|(index, name)| json!({ "name": name, "index": index })).collect::<Vec<_>>(),
    });
    writeln!(out, "{{\"$schema\": {}, \"version\": \"2.1.0\", \"runs\": [{{", json!(SCHEMA))?;
    writeln!(out, "\"tool\": {},", json!({ "driver": driver }))?;
    writeln!(out, "\"taxonomies\": {},", taxonomies(run))?;
    writeln!(out, "\"automationDetails\": {},", automation(run, ids))?;
    writeln!(out, "\"invocations\": [{}],", invocation(run))?;
    writeln!(out, "\"properties\": {},", properties(run))?;
    write!(out, "\"results\": [")?;
    let mut separator = "\n";
    for (index, findings) in run.findings.iter().enumerate() {
        for finding in findings.iter() {
            write!(out, "{separator}{}", result(run, ids, index, &finding))?;
            separator = ",\n";
        }
    }
    writeln!(out, "\n]}}]}}")
}

fn rule(run: &CheckRun, findings: &Findings) -> Value {
    let id = findings.check_id();
    let mut rule = json!({
        "id": id,
        "defaultConfiguration": { "level": level(severity(run, id)) },
    });
    let Some(header) = run.headers.get(id) else { return rule };
    let all = frameworks(run);
    let relationships: Vec<Value> = header
        .controls
        .iter()
        .map(|control| {
            let index = all.keys().position(|name| *name == control.framework);
            json!({
                "target": {
                    "id": control.clause,
                    "toolComponent": { "name": control.framework, "index": index },
                },
                "kinds": ["relevant"],
            })
        })
        .collect();
    rule["shortDescription"] = json!({ "text": message(&header.title) });
    if let Some(rationale) = &header.rationale {
        rule["fullDescription"] = json!({ "text": message(rationale) });
    }
    if let Some(remediation) = &header.remediation {
        rule["help"] = json!({ "text": message(remediation) });
    }
    rule["relationships"] = relationships.into();
    let mut tags: Vec<String> = header.controls.iter().map(ToString::to_string).collect();
    tags.sort();
    tags.dedup();
    rule["properties"] = json!({
        "tags": tags,
        "severity": severity(run, id).to_string(),
    });
    rule
}

fn taxonomies(run: &CheckRun) -> Value {
    let taxonomy = |(name, clauses): (&str, std::collections::BTreeSet<&str>)| {
        let taxa: Vec<Value> = clauses.iter().map(|clause| json!({ "id": clause })).collect();
        json!({ "name": name, "isComprehensive": false, "taxa": taxa })
    };
    frameworks(run).into_iter().map(taxonomy).collect()
}

fn automation(run: &CheckRun, ids: Ids) -> Value {
    json!({
        "id": format!("adolake/check/{}/{}", run.profile.as_str(), run.run_id),
        "guid": ids.run(),
    })
}

/// How the run went: a difference of counts means that something was left out.
fn invocation(run: &CheckRun) -> Value {
    let told = |level: &'static str| move |text: &String| json!({ "level": level, "message": { "text": message(text) } });
    let differences = run.differences.iter().map(told("error"));
    let warnings = run.warnings.iter().map(told("warning"));
    json!({
        "executionSuccessful": run.differences.is_empty(),
        "startTimeUtc": instant_text(run.started_at),
        "endTimeUtc": instant_text(run.finished_at),
        "toolExecutionNotifications": differences.chain(warnings).collect::<Vec<_>>(),
    })
}

fn properties(run: &CheckRun) -> Value {
    json!({
        "run_id": run.run_id,
        "profile": run.profile.as_str(),
        "period": { "from": instant_text(run.period.from), "to": instant_text(run.period.to) },
        "settings_hash": run.settings_hash,
        "findings_sha256": run.findings_sha256,
        "table_versions": run.table_versions,
        "out_of_scope_repositories": run.out_of_scope,
    })
}

fn result(run: &CheckRun, ids: Ids, rule: usize, finding: &Finding<'_>) -> Value {
    // An exempt verdict is shown as the one it stands in place of, and suppressed.
    let shown = match finding.status {
        Status::Exempt => would_be(finding).unwrap_or(Status::Fail),
        status => status,
    };
    let kind = match shown {
        Status::Pass => "pass",
        Status::Fail | Status::Exempt => "fail",
        Status::NotApplicable => "notApplicable",
        Status::Unknown => "open",
    };
    let level = if kind == "fail" { level(severity(run, finding.check_id)) } else { "none" };
    let resource = finding.resource();
    let mut result = json!({
        "ruleId": finding.check_id,
        "ruleIndex": rule,
        "guid": ids.verdict(finding),
        "kind": kind,
        "level": level,
        "message": { "text": message(&format!("{resource}: {}", finding.reason)) },
        "locations": [{ "logicalLocations": [{
            "fullyQualifiedName": resource,
            "kind": kind_of(finding),
        }] }],
        "partialFingerprints": { "verdict/v1": fingerprint(finding) },
    });
    if let Some(link) = link(finding) {
        result["hostedViewerUri"] = link.into();
    }
    if finding.status == Status::Exempt {
        result["suppressions"] = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": finding.reason,
        }]);
    }
    let verdict = [
        ("status", Some(finding.status.as_str())),
        ("reason_code", Some(finding.reason_code)),
        ("flags", Some(finding.flags)),
    ];
    let mut facts = texts(verdict);
    facts.extend(place(finding));
    facts.insert("evidence".to_owned(), evidence(finding));
    result["properties"] = Value::Object(facts);
    result
}

const fn kind_of(finding: &Finding<'_>) -> &'static str {
    match (finding.pull_request_id, finding.branch) {
        (Some(_), _) => "pullRequest",
        (None, Some(_)) => "branch",
        (None, None) => "repository",
    }
}

/// Finds the same verdict in later runs.
fn fingerprint(finding: &Finding<'_>) -> String {
    hex::encode(Sha256::digest(name(finding).as_bytes()))
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

/// A text as a message: brackets would be links, braces placeholders.
fn message(text: &str) -> String {
    let mut message = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '\\' | '[' | ']' => message.extend(['\\', c]),
            '{' | '}' => message.extend([c, c]),
            c => message.push(c),
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_no_links_and_no_placeholders() {
        assert_eq!(message("see [x](http://evil) {0}\u{1b}"), r"see \[x\](http://evil) {{0}} ");
    }
}
