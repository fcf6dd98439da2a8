//! What several forms of a report say of a run, of a check and of a verdict.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use crate::checks::{CheckRun, Finding, Header, Severity, Status};

/// The ids of the parts of one run: the same whenever the run is written, and unlike those of any other run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids(Uuid);

impl Ids {
    pub(super) fn of(run: &CheckRun) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, run.run_id.as_bytes()))
    }

    /// The id of the run itself: version 5, as some forms know no newer version.
    pub(super) const fn run(self) -> Uuid {
        self.0
    }

    /// The id of a part, by its kind and its name.
    pub(super) fn part(self, kind: &str, name: &str) -> Uuid {
        Uuid::new_v5(&self.0, format!("{kind}\n{name}").as_bytes())
    }

    pub(super) fn verdict(self, finding: &Finding<'_>) -> Uuid {
        self.part("verdict", &name(finding))
    }
}

/// What tells a verdict from all others of a run, and finds its like in other runs.
pub(super) fn name(finding: &Finding<'_>) -> String {
    let repository_id = finding.repository_id.unwrap_or_default();
    format!("{}\n{}\n{repository_id}", finding.check_id, finding.resource())
}

/// `SOC2 CC8.1; ISO27001 A.8.28`, empty where there are none.
pub(super) fn controls(header: &Header) -> String {
    let controls: Vec<String> = header.controls.iter().map(ToString::to_string).collect();
    controls.join("; ")
}

/// The controls of all checks: framework → clauses, sorted.
pub(super) fn frameworks(run: &CheckRun) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut frameworks: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for control in run.headers.values().flat_map(|header| &header.controls) {
        frameworks.entry(&control.framework).or_default().insert(&control.clause);
    }
    frameworks
}

/// How bad a failure of the check is; where a header does not say, as bad as can be told apart from the rest.
pub(super) fn severity(run: &CheckRun, check_id: &str) -> Severity {
    run.headers.get(check_id).and_then(|header| header.severity).unwrap_or(Severity::High)
}

/// The verdict that an exempt resource would have had, where the evidence says so.
pub(super) fn would_be(finding: &Finding<'_>) -> Option<Status> {
    if finding.status != Status::Exempt {
        return None;
    }
    Status::parse(evidence(finding).get("would_be")?.as_str()?)
}

/// The evidence as JSON; the contract of checks sees to it that it is an object.
pub(super) fn evidence(finding: &Finding<'_>) -> Value {
    serde_json::from_str(finding.evidence_json).unwrap_or_default()
}

/// The address of the resource, where it is one that may be followed.
pub(super) fn link(finding: &Finding<'_>) -> Option<String> {
    let url = Url::parse(finding.resource_url?).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// A text that says something, or none.
pub(super) fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// Those texts that say something, by name.
pub(super) fn texts<'a>(
    texts: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Map<String, Value> {
    let filled = texts.into_iter().filter_map(|(name, text)| Some((name, filled(text)?)));
    filled.map(|(name, text)| (name.to_owned(), text.into())).collect()
}

/// Where the resource of a verdict is, by column.
pub(super) fn place(finding: &Finding<'_>) -> Map<String, Value> {
    let mut place = texts([
        ("organization", Some(finding.organization)),
        ("project", finding.project),
        ("repository", finding.repository),
        ("repository_id", finding.repository_id),
        ("branch", finding.branch),
        ("subject", finding.subject),
    ]);
    if let Some(number) = finding.pull_request_id {
        place.insert("pull_request_id".to_owned(), number.into());
    }
    place
}
