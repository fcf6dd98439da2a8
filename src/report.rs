//! Reports: what a check run found, for people, for spreadsheets and for programs.
//!
//! - `text`: a summary for a terminal, ending in `Done. PASS=… FAIL=… EXEMPT=… NA=… UNKNOWN=… TOTAL=…`,
//! - `json`: one object with `run`, `summary` and `findings`; stable,
//! - `csv`: one line per finding; no cell that a spreadsheet would run.
//!
//! Findings are written one by one from their batches, so that a report takes no memory of its own.

mod csv;
mod json;
mod plain;
mod text;

use std::io::{self, Write};
use std::path::Path;

use crate::checks::CheckRun;

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
}

impl Format {
    /// Returns the form that the suffix of a file name asks for.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" | "text" => Self::Text,
            "json" => Self::Json,
            "csv" => Self::Csv,
            _ => return None,
        })
    }
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
    }
}
