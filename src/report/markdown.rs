//! A run as Markdown, for the summary of a pipeline or a page of a wiki.

use std::io::{self, Write};

use super::facts::{controls, filled, link as address};
use super::markup::{escape, link};
use crate::checks::{CheckRun, Finding, Findings, Header, Status, instant_text};

/// How many verdicts of one status and check are listed: forges cut off pages that are long.
const LISTED: usize = 100;

/// What is listed one by one, with its heading.
const SECTIONS: [(Status, &str); 3] = [
    (Status::Fail, "Failed"),
    (Status::Unknown, "Unknown: evidence is missing, expired or unreadable"),
    (Status::Exempt, "Exempt"),
];

pub(super) fn write(run: &CheckRun, out: &mut dyn Write) -> io::Result<()> {
    let counts = run.counts();
    let count = |status| counts.of(status);
    let (failed, unknown) = (count(Status::Fail), count(Status::Unknown));
    writeln!(out, "# adolake check: {failed} failed, {unknown} unknown of {}\n", counts.total())?;
    head(run, out)?;
    summary(run, out)?;
    for (status, heading) in SECTIONS.into_iter().filter(|(status, _)| count(*status) > 0) {
        writeln!(out, "\n## {heading}")?;
        for findings in &run.findings {
            if findings.counts().of(status) > 0 {
                list(run, findings, status, out)?;
            }
        }
    }
    Ok(())
}

fn head(run: &CheckRun, out: &mut dyn Write) -> io::Result<()> {
    let organizations: Vec<String> = run.organizations.iter().map(|name| escape(name)).collect();
    let data = run.data_as_of.map_or_else(|| "no data yet".to_owned(), instant_text);
    writeln!(out, "- organizations: {}", organizations.join(", "))?;
    writeln!(out, "- profile: {}", run.profile.as_str())?;
    let (from, to) = (instant_text(run.period.from), instant_text(run.period.to));
    writeln!(out, "- period: {from} to {to}")?;
    writeln!(out, "- data as of: {data}")?;
    writeln!(out, "- run: `{}`", run.run_id)?;
    writeln!(out, "- SHA-256 over all findings: `{}`", run.findings_sha256)?;
    for difference in &run.differences {
        writeln!(out, "- **does not add up**: {}", escape(difference))?;
    }
    for warning in &run.warnings {
        writeln!(out, "- **warning**: {}", escape(warning))?;
    }
    if run.out_of_scope > 0 {
        writeln!(out, "- repositories out of scope: {}", run.out_of_scope)?;
    }
    Ok(())
}

fn summary(run: &CheckRun, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n| check | controls | severity | pass | fail | exempt | n.a. | unknown |")?;
    writeln!(out, "|---|---|---|---:|---:|---:|---:|---:|")?;
    for findings in &run.findings {
        let id = findings.check_id();
        let header = run.headers.get(id);
        let title = header.map_or("", |header| header.title.as_str());
        let severity = header.and_then(|header| header.severity);
        write!(
            out,
            "| {}<br>`{id}` | {} | {}",
            escape(title),
            escape(&header.map(controls).unwrap_or_default()),
            severity.map(|severity| severity.to_string()).unwrap_or_default(),
        )?;
        if findings.counts().total() == 0 {
            writeln!(out, " | nothing to judge | | | | |")?;
            continue;
        }
        for status in Status::ALL {
            write!(out, " | {}", findings.counts().of(status))?;
        }
        writeln!(out, " |")?;
    }
    Ok(())
}

/// The verdicts of one status and check.
fn list(
    run: &CheckRun,
    findings: &Findings,
    status: Status,
    out: &mut dyn Write,
) -> io::Result<()> {
    let id = findings.check_id();
    writeln!(out, "\n### `{id}`\n")?;
    let remediation = |header: &Header| header.remediation.clone();
    if status == Status::Fail
        && let Some(remediation) = run.headers.get(id).and_then(remediation)
    {
        writeln!(out, "{}\n", escape(&remediation))?;
    }
    writeln!(out, "| resource | subject | reason | flags |\n|---|---|---|---|")?;
    let of_status = || findings.iter().filter(|finding| finding.status == status);
    for finding in of_status().take(LISTED) {
        line(&finding, out)?;
    }
    let count = findings.counts().of(status);
    if let Some(more) = count.checked_sub(LISTED as u64).filter(|more| *more > 0) {
        writeln!(out, "\n… and {more} more; `--format csv` lists all.")?;
    }
    Ok(())
}

fn line(finding: &Finding<'_>, out: &mut dyn Write) -> io::Result<()> {
    let subject = filled(finding.subject).map(escape).unwrap_or_default();
    let resource = link(&finding.resource(), address(finding).as_deref());
    let (code, reason) = (finding.reason_code, escape(finding.reason));
    let flags = finding.flags.split(',').collect::<Vec<_>>().join(", ");
    writeln!(out, "| {resource} | {subject} | `{code}`: {reason} | {} |", escape(&flags))
}
