//! Explanations of verdicts: for people, and as one JSON object.

mod json;
mod text;

use std::io::{self, Write};

use super::TextOptions;
use crate::checks::Explanation;

/// The forms of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplanationFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Writes an explanation.
///
/// # Errors
/// Fails when `out` does.
pub fn write_explanation(
    explanation: &Explanation,
    format: ExplanationFormat,
    options: &TextOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        ExplanationFormat::Text => text::write(explanation, options, out),
        ExplanationFormat::Json => json::write(explanation, out),
    }
}
