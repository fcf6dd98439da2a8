//! Questions in SQL with small answers, as text.

use arrow::array::{Array as _, RecordBatch};
use arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;

use super::error::Error;

/// The rows of an answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    batches: Vec<RecordBatch>,
}

/// One row of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

/// Asks a session; `what` is said in errors, as a clause.
pub(super) async fn ask(
    context: &SessionContext,
    sql: &str,
    what: &'static str,
) -> Result<Answer, Error> {
    let failed = |source| Error::Query { what, source: Box::new(source) };
    let frame = context.sql(sql).await.map_err(failed)?;
    Ok(Answer { batches: frame.collect().await.map_err(failed)? })
}

impl Answer {
    /// Returns the rows in order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.batches
            .iter()
            .flat_map(|batch| (0..batch.num_rows()).map(move |row| Line { batch, row }))
    }
}

impl Line<'_> {
    /// Returns a column as text; none where it is null or absent.
    pub fn text(&self, column: &str) -> Option<String> {
        let values = self.batch.column_by_name(column)?;
        if values.is_null(self.row) {
            return None;
        }
        array_value_to_string(values, self.row).ok()
    }

    /// Returns a column as text, empty where it is null.
    pub fn word(&self, column: &str) -> String {
        self.text(column).unwrap_or_default()
    }

    /// Returns a column as a number, 0 where it is null.
    pub fn number(&self, column: &str) -> i64 {
        self.text(column).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Returns whether a column is true.
    pub fn is(&self, column: &str) -> bool {
        self.text(column).as_deref() == Some("true")
    }
}

/// Returns the first few of some names in backticks, and how many more there are.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<&str> = names.into_iter().collect();
    let mut text: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        text.push(format!("{} more", names.len() - SHOWN));
    }
    match text.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// Returns `1 repository`, `2 repositories`, `3 branches`.
pub(super) fn counted(count: usize, one: &str) -> String {
    let stem = one.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match stem {
        _ if count == 1 => format!("1 {one}"),
        Some(stem) => format!("{count} {stem}ies"),
        None if one.ends_with(['h', 's', 'x']) => format!("{count} {one}es"),
        None => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b"]), "`a` and `b`");
        assert_eq!(
            listed(["a", "b", "c", "d", "e", "f", "g"]),
            "`a`, `b`, `c`, `d`, `e` and 2 more"
        );
        assert_eq!(counted(2, "repository"), "2 repositories");
        assert_eq!(counted(0, "branch"), "0 branches");
        assert_eq!((counted(1, "day"), counted(2, "day")), ("1 day".into(), "2 days".into()));
    }
}
