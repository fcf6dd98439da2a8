//! What a caller asks to be written, checked and made ready.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::error::Error;
use super::rows::Rows;
use crate::schema::{Cell, Table};

/// Rows for one table, as one commit.
#[derive(Debug)]
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

/// Complete parents by the columns that name them: the position of each among the complete answers, and the values of
/// those columns in their order.
pub(crate) type ParentsByColumns = BTreeMap<Vec<usize>, Vec<(usize, Vec<Cell>)>>;

/// What tombstones of a parent's children get beside the time.
pub(crate) type Also = Vec<(&'static str, Cell)>;

/// Takes complete answers apart. There may be as many as rows: nothing is copied.
pub(crate) fn parents(
    table: &Table,
    organization: &str,
    complete: Vec<Complete>,
) -> Result<(ParentsByColumns, Vec<Also>), Error> {
    let misuse = |problem: String| Error::Misuse { table: table.name.clone(), problem };
    if !complete.is_empty() && table.tombstone.is_none() {
        return Err(misuse("it has no column that marks what is gone".to_owned()));
    }
    let owner = table.index("organization");
    let (mut parents, mut also) = (ParentsByColumns::new(), Vec::with_capacity(complete.len()));
    for (position, one) in complete.into_iter().enumerate() {
        let mut cells: Vec<(usize, Cell)> = Vec::with_capacity(one.key.len() + 1);
        for (name, value) in one.key {
            match table.index(name) {
                Some(column) if value.fits(table.columns[column].kind) => {
                    cells.push((column, value))
                }
                _ => return Err(misuse(format!("no column `{name}` holds {value:?}"))),
            }
        }
        cells.extend(owner.map(|column| (column, organization.into())));
        cells.retain(|(_, value)| !value.is_null());
        cells.sort_by_key(|(column, _)| *column);
        let (columns, cells) = cells.into_iter().unzip();
        parents.entry(columns).or_default().push((position, cells));
        also.push(one.also);
    }
    Ok((parents, also))
}
