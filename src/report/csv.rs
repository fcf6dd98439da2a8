//! Findings as CSV that no spreadsheet runs.

use std::io::{self, Write};

use super::facts::{controls, severity};
use super::plain::plain;
use crate::checks::{COLUMNS, CheckRun, Finding};

/// Writes a header and one line per finding: `check_id`, the columns of the contract, and of the check its severity and
/// its controls.
pub(super) fn write(run: &CheckRun, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "check_id")?;
    for (name, _) in COLUMNS {
        write!(out, ",{name}")?;
    }
    writeln!(out, ",severity,controls")?;
    for findings in &run.findings {
        let severity = severity(run, findings.check_id()).to_string();
        let controls = run.headers.get(findings.check_id()).map(controls).unwrap_or_default();
        for finding in findings.iter() {
            line(&finding, &severity, &controls, out)?;
        }
    }
    Ok(())
}

fn line(
    finding: &Finding<'_>,
    severity: &str,
    controls: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let number = finding.pull_request_id.map(|number| number.to_string());
    let cells = [
        Some(finding.check_id),
        Some(finding.organization),
        finding.project,
        finding.repository_id,
        finding.repository,
        finding.branch,
        number.as_deref(),
        finding.subject,
        finding.resource_url,
        Some(finding.status.as_str()),
        Some(finding.reason_code),
        Some(finding.reason),
        Some(finding.flags),
        Some(finding.evidence_json),
        Some(severity),
        Some(controls),
    ];
    row(cells, out)
}

/// Cells on one line: what would move a cursor or begin a row of its own is gone, as everywhere on a terminal.
pub(super) fn row<'a>(
    cells: impl IntoIterator<Item = Option<&'a str>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (index, text) in cells.into_iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        cell(&plain(text.unwrap_or_default()), out)?;
    }
    writeln!(out)
}

/// Quotes where needed; what a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(text: &str, out: &mut dyn Write) -> io::Result<()> {
    // Some spreadsheets take the full-width signs for the same, and look behind spaces.
    let first = text.trim_start_matches([' ', '\u{a0}', '\u{feff}', '\u{200b}']);
    let is_formula = first.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]);
    let prefix = if is_formula { "'" } else { "" };
    if text.contains([',', '"', '\n', '\r']) {
        write!(out, "\"{prefix}{}\"", text.replace('"', "\"\""))
    } else {
        write!(out, "{prefix}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        cell(text, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn formulas_are_disarmed_and_quotes_doubled() {
        assert_eq!(written("=1+1"), "'=1+1");
        assert_eq!(written("@SUM(A1,A2)"), "\"'@SUM(A1,A2)\"");
        assert_eq!(written("-2"), "'-2");
        assert_eq!(written("\tx"), "'\tx");
        assert_eq!(written("\rx"), "\"'\rx\"");
        assert_eq!(written("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(written("plain=1"), "plain=1");
        assert_eq!(written(" =1"), "' =1");
        assert_eq!(written("\u{ff1d}1"), "'\u{ff1d}1");
    }
}
