//! Instants as text, alike in evidence and reports.

use chrono::{DateTime, SecondsFormat, Utc};

/// Returns RFC 3339 in UTC, with just the digits of the fraction that say something: `2026-01-31T12:00:00Z`.
#[must_use]
pub fn instant_text(at: DateTime<Utc>) -> String {
    let mut text = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    if text.contains('.') {
        text.pop();
        text.truncate(text.trim_end_matches('0').len());
        text.push('Z');
    }
    text
}
