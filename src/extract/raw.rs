//! Raw answers: what was asked and answered about a judged pull request, word for word.

use sha2::{Digest as _, Sha256};

use super::{Error, Source};
use crate::ado::Answer;
use crate::schema::Row;
use crate::window::month_of;

/// Returns the row of `raw_answers` for an answer that was kept; none where it was not.
pub(super) fn row<T>(
    source: &Source,
    resource: &str,
    object_key: &str,
    answer: &Answer<T>,
) -> Result<Option<Row>, Error> {
    let Some(body) = &answer.raw else { return Ok(None) };
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let mut row = source.table("raw_answers")?.row();
    row.set("resource", resource)
        .set("object_key", object_key)
        .set("content_hash", hex::encode(Sha256::digest(body)))
        .set("url", answer.url.as_str())
        .set("api_version", answer.api_version)
        .set("fetched_at", answer.seen_at)
        .set("body_json", text)
        .set("fetched_month", month_of(answer.seen_at));
    Ok(Some(row))
}
