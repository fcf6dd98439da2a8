//! A run as OSCAL assessment results 1.1.3: each check a finding, each verdict an observation.
//!
//! A finding is satisfied only where something was judged, nothing fails and nothing is unknown. The settings in force
//! and the queries stand in the back matter: they are the plan that was followed.

use std::collections::BTreeSet;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::facts::{Ids, filled, frameworks, link, severity};
use super::markup::{code_block, escape};
use super::plain::plain;
use crate::checks::{CheckRun, Finding, Findings, Status, instant_text};

const OSCAL_VERSION: &str = "1.1.3";

/// The namespace of properties that OSCAL does not define.
const NAMESPACE: &str = "urn:adolake:oscal";

/// Writes the document; observations one per line, in order.
pub(super) fn write(run: &CheckRun, out: &mut dyn Write) -> io::Result<()> {
    let ids = Ids::of(run);
    let plan = ids.part("plan", "");
    writeln!(out, "{{\"assessment-results\": {{")?;
    writeln!(out, "\"uuid\": {},", json!(ids.run()))?;
    let metadata = json!({
        "title": "adolake check",
        "last-modified": instant_text(run.finished_at),
        "version": run.run_id,
        "oscal-version": OSCAL_VERSION,
    });
    writeln!(out, "\"metadata\": {metadata},")?;
    writeln!(out, "\"import-ap\": {},", json!({ "href": format!("#{plan}") }))?;
    let organizations = run.organizations.join(", ");
    writeln!(out, "\"results\": [{{")?;
    for (key, value) in [
        ("uuid", json!(ids.part("result", ""))),
        ("title", json!(filled_or(&escape(&organizations), "no organization"))),
        ("description", json!(description(run))),
        ("start", json!(instant_text(run.started_at))),
        ("end", json!(instant_text(run.finished_at))),
        ("props", properties(run)),
        ("reviewed-controls", reviewed_controls(run)),
    ] {
        writeln!(out, "\"{key}\": {value},")?;
    }
    let items = inventory(run, ids);
    if !items.is_empty() {
        writeln!(out, "\"local-definitions\": {},", json!({ "inventory-items": items }))?;
    }
    observations(run, ids, out)?;
    findings(run, ids, out)?;
    writeln!(out, "\n]}}],")?;
    writeln!(out, "\"back-matter\": {}", json!({ "resources": resources(run, ids, plan) }))?;
    writeln!(out, "}}}}")
}

fn description(run: &CheckRun) -> String {
    let counts = run.counts();
    let told: Vec<String> = Status::ALL
        .into_iter()
        .map(|status| format!("{} {}", counts.of(status), status.as_str()))
        .collect();
    format!(
        "Verdicts under the profile {} on what was merged from {} to {}: {}.",
        run.profile.as_str(),
        instant_text(run.period.from),
        instant_text(run.period.to),
        told.join(", ")
    )
}

fn property(name: &str, value: &str) -> Option<Value> {
    let value = plain(value);
    let value = filled(Some(&value))?;
    Some(json!({ "name": name, "ns": NAMESPACE, "value": value }))
}

fn properties(run: &CheckRun) -> Value {
    let mut properties = vec![
        property("profile", run.profile.as_str()),
        property("version", &run.version),
        property("settings-sha256", &run.settings_hash),
        property("findings-sha256", &run.findings_sha256),
        property("counts-agree", if run.differences.is_empty() { "true" } else { "false" }),
    ];
    properties.extend(run.differences.iter().map(|text| property("count-difference", text)));
    properties.extend(run.warnings.iter().map(|text| property("warning", text)));
    properties.into_iter().flatten().collect()
}

/// Every control that a check gives evidence for, as `soc2-cc8.1`.
fn reviewed_controls(run: &CheckRun) -> Value {
    let controls: BTreeSet<String> = frameworks(run)
        .into_iter()
        .flat_map(|(framework, clauses)| {
            clauses.into_iter().map(move |clause| token(&format!("{framework} {clause}")))
        })
        .collect();
    let mut selection = json!({ "description": "The controls that the checks give evidence for." });
    if !controls.is_empty() {
        selection["include-controls"] =
            controls.iter().map(|id| json!({ "control-id": id })).collect();
    }
    json!({ "control-selections": [selection] })
}

/// A name as OSCAL takes it: letters, digits, `.`, `-` and `_`, not beginning with a digit.
fn token(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let token: String =
        text.to_lowercase().chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let is_word = token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if is_word { token } else { format!("_{token}") }
}

/// The place of a verdict: what it is about stands in this repository.
fn place(finding: &Finding<'_>) -> String {
    let names = [Some(finding.organization), finding.project, finding.repository];
    names.into_iter().flatten().collect::<Vec<_>>().join("/")
}

fn place_id(ids: Ids, finding: &Finding<'_>) -> Uuid {
    let repository_id = finding.repository_id.unwrap_or_default();
    ids.part("place", &format!("{}\n{repository_id}", place(finding)))
}

fn inventory(run: &CheckRun, ids: Ids) -> Vec<Value> {
    let mut known = BTreeSet::new();
    let mut items = Vec::new();
    for finding in run.findings.iter().flat_map(Findings::iter) {
        let id = place_id(ids, &finding);
        if known.insert(id) {
            let mut item = json!({ "uuid": id, "description": escape(&place(&finding)) });
            if let Some(property) =
                property("repository-id", finding.repository_id.unwrap_or_default())
            {
                item["props"] = json!([property]);
            }
            items.push(item);
        }
    }
    items
}

fn observations(run: &CheckRun, ids: Ids, out: &mut dyn Write) -> io::Result<()> {
    if run.counts().total() == 0 {
        return Ok(());
    }
    write!(out, "\"observations\": [")?;
    let collected = run.data_as_of.unwrap_or(run.started_at);
    let all = run.findings.iter().flat_map(Findings::iter);
    for (index, finding) in all.enumerate() {
        let observation = observation(ids, &finding, &instant_text(collected));
        write!(out, "{}{observation}", if index == 0 { "\n" } else { ",\n" })?;
    }
    writeln!(out, "\n],")
}

fn observation(ids: Ids, finding: &Finding<'_>, collected: &str) -> Value {
    let resource = escape(&finding.resource());
    let mut properties = vec![
        property("status", finding.status.as_str()),
        property("reason", finding.reason_code),
        property("check", finding.check_id),
        property("subject", finding.subject.unwrap_or_default()),
    ];
    properties.extend(finding.flags.split(',').map(|flag| property("flag", flag)));
    let mut evidence = json!({ "description": escape(finding.reason) });
    if let Some(link) = link(finding) {
        evidence["href"] = link.into();
    }
    evidence["remarks"] = code_block("json", finding.evidence_json).into();
    let query = ids.part("query", finding.check_id);
    json!({
        "uuid": ids.verdict(finding),
        "title": resource,
        "description": escape(finding.reason),
        "props": properties.into_iter().flatten().collect::<Vec<_>>(),
        "methods": ["TEST"],
        "subjects": [{
            "subject-uuid": place_id(ids, finding),
            "type": "inventory-item",
            "title": resource,
        }],
        "relevant-evidence": [
            evidence,
            { "href": format!("#{query}"), "description": "The query that decided." },
        ],
        "collected": collected,
    })
}

fn findings(run: &CheckRun, ids: Ids, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "\"findings\": [")?;
    for (index, findings) in run.findings.iter().enumerate() {
        let finding = finding(run, ids, findings);
        write!(out, "{}{finding}", if index == 0 { "\n" } else { ",\n" })?;
    }
    Ok(())
}

fn finding(run: &CheckRun, ids: Ids, findings: &Findings) -> Value {
    let id = findings.check_id();
    let header = run.headers.get(id);
    let title = escape(header.map_or(id, |header| header.title.as_str()));
    let rationale = header.and_then(|header| header.rationale.as_deref()).unwrap_or(id);
    let counts = findings.counts();
    let (state, reason) = if counts.of(Status::Fail) > 0 {
        ("not-satisfied", "fail")
    } else if counts.of(Status::Unknown) > 0 || counts.total() == 0 {
        ("not-satisfied", "other")
    } else {
        ("satisfied", "pass")
    };
    let mut properties = vec![property("severity", &severity(run, id).to_string())];
    let controls = header.map_or(&[][..], |header| header.controls.as_slice());
    properties.extend(controls.iter().map(|control| property("control", &control.to_string())));
    let mut status = json!({ "state": state, "reason": reason });
    if counts.total() == 0 {
        status["remarks"] = "Nothing to judge.".into();
    }
    let mut finding = json!({
        "uuid": ids.part("finding", id),
        "title": title,
        "description": escape(rationale),
        "props": properties.into_iter().flatten().collect::<Vec<_>>(),
        "target": { "type": "objective-id", "target-id": token(id), "title": title, "status": status },
    });
    let related: Vec<Value> = findings
        .iter()
        .map(|finding| json!({ "observation-uuid": ids.verdict(&finding) }))
        .collect();
    if !related.is_empty() {
        finding["related-observations"] = related.into();
    }
    if let Some(remediation) = header.and_then(|header| header.remediation.as_deref()) {
        finding["remarks"] = escape(remediation).into();
    }
    finding
}

fn resources(run: &CheckRun, ids: Ids, plan: Uuid) -> Vec<Value> {
    let resource = |id: Uuid, title: &str, file: &str, kind: &str, text: &str| {
        json!({
            "uuid": id,
            "title": title,
            "base64": { "filename": file, "media-type": kind, "value": STANDARD.encode(text) },
        })
    };
    let mut resources = vec![resource(
        plan,
        "The settings in force",
        "settings.json",
        "application/json",
        &run.settings_json,
    )];
    for (id, text) in &run.queries {
        let file = format!("{id}.sql");
        resources.push(resource(ids.part("query", id), id, &file, "application/sql", text));
    }
    resources
}

fn filled_or<'a>(text: &'a str, default: &'a str) -> &'a str {
    filled(Some(text)).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_become_tokens() {
        assert_eq!(token("SLSA Source L4"), "slsa-source-l4");
        assert_eq!(token("PCI-DSS 6.2.3"), "pci-dss-6.2.3");
        assert_eq!(token("27001 A.8"), "_27001-a.8");
    }
}
