//! Reports: what a check run found, for people, for spreadsheets, for pipelines, for auditors and for programs.
//!
//! - `text`: a summary for a terminal, ending in `Done. PASS=… FAIL=… EXEMPT=… NA=… UNKNOWN=… TOTAL=…`,
//! - `json`: one object with `run`, `summary` and `findings`; stable,
//! - `csv`: one line per finding; no cell that a spreadsheet would run,
//! - `markdown`: the summary and what failed, for a page,
//! - `junit`, `sarif`: for pipelines and code hosts,
//! - `oscal`, `ocsf`: for compliance tools and security lakes.
//!
//! In none of them does an unknown verdict look like one that passed. Findings are written one by one from their
//! batches, so that a report takes no memory of its own, JUnit apart.

mod csv;
mod diff;
mod explanation;
mod facts;
mod json;
mod junit;
mod markdown;
mod markup;
mod ocsf;
mod oscal;
mod plain;
mod sarif;
mod text;

use std::io::{self, Write};

use crate::checks::CheckRun;

pub use self::diff::Comparison;
pub use self::explanation::{ExplanationFormat, write_explanation};
pub use self::plain::plain;
pub use self::text::TextOptions;

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
    /// For pages.
    Markdown,
    /// For pipelines: JUnit XML.
    Junit,
    /// For code hosts: SARIF 2.1.0.
    Sarif,
    /// For compliance tools: OSCAL assessment results 1.1.3.
    Oscal,
    /// For security lakes: OCSF 1.5 compliance findings.
    Ocsf,
}

/// Writes the report of a run.
///
/// # Errors
/// Fails when `out` does.
pub fn write(
    run: &CheckRun,
    format: Format,
    options: &TextOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Text => text::write(run, options, out),
        Format::Json => json::write(run, out),
        Format::Csv => csv::write(run, out),
        Format::Markdown => markdown::write(run, out),
        Format::Junit => junit::write(run, out),
        Format::Sarif => sarif::write(run, out),
        Format::Oscal => oscal::write(run, out),
        Format::Ocsf => ocsf::write(run, out),
    }
}

/// Returns the differences and warnings of a run that a format has no place for.
pub fn untold(run: &CheckRun, format: Format) -> impl Iterator<Item = &str> {
    let (differences, warnings): (&[String], &[String]) = match format {
        Format::Csv | Format::Ocsf => (&run.differences, &run.warnings),
        Format::Junit => (&[], &run.warnings),
        Format::Text | Format::Json | Format::Markdown | Format::Sarif | Format::Oscal => {
            (&[], &[])
        }
    };
    differences.iter().chain(warnings).map(String::as_str)
}
