//! What a caller asks to be written, checked and made ready.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::Error;
use super::rows::Rows;
use crate::schema::{Cell, Row, Table};

/// Rows for one table, as one commit.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// Name of the table.
    pub table: &'a str,
    /// Organization that all rows belong to.
    pub organization: &'a str,
    /// Run that writes.
    pub run_id: &'a str,
    /// When the rows were seen: `Date` of the answer; becomes `_synced_at` and the time of tombstones.
    pub seen_at: DateTime<Utc>,
    /// New rows; the meta columns are filled by the lake, and so is `organization` where it is null.
    pub rows: Rows,
    /// Parents of which `rows` holds every live child.
    pub complete: Vec<Complete>,
}

/// A parent of which a change holds every live child: stored children that are missing get a tombstone.
#[derive(Debug, Clone, Default)]
pub struct Complete {
    /// Columns and values that name the parent, with its partition values where they are known.
    pub key: Vec<(&'static str, Cell)>,
    /// Columns to set beside the tombstone.
    pub also: Vec<(&'static str, Cell)>,
}

/// What a write came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// The table's version after the commit; none where nothing had changed.
    pub version: Option<i64>,
    /// Rows with a new key.
    pub inserted: u64,
    /// Rows whose content changed.
    pub updated: u64,
    /// Rows marked as gone.
    pub tombstoned: u64,
    /// Bytes of data files written.
    pub bytes: u64,
    /// How many commits have changed rows of the organization, this one included; none where nothing had changed.
    pub transaction: Option<i64>,
}

impl Written {
    /// Returns the number of rows that changed in any way.
    pub fn rows(&self) -> u64 {
        self.inserted + self.updated + self.tombstoned
    }
}

/// Turns complete answers into rows of which only the parent's columns are set.
pub(crate) fn parents(table: &Arc<Table>, change: &Change<'_>) -> Result<Vec<Row>, Error> {
    if !change.complete.is_empty() && table.tombstone.is_none() {
        return Err(Error::Misuse {
            table: table.name.clone(),
            problem: "it has no column that marks what is gone".into(),
        });
    }
    Ok(change
        .complete
        .iter()
        .map(|complete| {
            let mut parent = Row::new(table);
            complete.key.iter().for_each(|(column, value)| {
                parent.set(column, value.clone());
            });
            if table.index("organization").is_some() {
                parent.set("organization", change.organization);
            }
            parent
        })
        .collect())
}
