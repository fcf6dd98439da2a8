//! What a caller asks to be written, checked and made ready.

use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Parents of which a change holds every live child: stored children that are missing get a tombstone.
#[derive(Debug, Clone, Default)]
pub struct Complete {
    /// Columns that name a parent, with those of its partition where they are known.
    pub columns: &'static [&'static str],
    /// Their values by parent, none of them null.
    pub parents: Vec<Arc<[Cell]>>,
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

/// Complete parents by the columns that name them, beside the organization: the position of the answer that each is of, and
/// the values of those columns.
pub(crate) type ParentsByColumns = BTreeMap<Vec<usize>, Vec<(usize, Arc<[Cell]>)>>;

/// What tombstones of a parent's children get beside the time.
pub(crate) type Also = Vec<(&'static str, Cell)>;

/// Takes complete answers apart. There may be as many parents as rows: nothing is copied.
pub(crate) fn parents(
    table: &Table,
    complete: Vec<Complete>,
) -> Result<(ParentsByColumns, Vec<Also>), Error> {
    let misuse = |problem: String| Error::Misuse { table: table.name.clone(), problem };
    if !complete.is_empty() && table.tombstone.is_none() {
        return Err(misuse("it has no column that marks what is gone".to_owned()));
    }
    let (mut parents, mut also) = (ParentsByColumns::new(), Vec::with_capacity(complete.len()));
    for (position, one) in complete.into_iter().enumerate() {
        let columns: Option<Vec<usize>> =
            one.columns.iter().map(|name| table.index(name)).collect();
        let is_named = |columns: &Vec<usize>| {
            let fits = |(value, &column): (&Cell, &usize)| {
                !value.is_null() && value.fits(table.columns[column].kind)
            };
            let is_whole = |parent: &Arc<[Cell]>| parent.len() == columns.len();
            one.parents.iter().all(|own| is_whole(own) && own.iter().zip(columns).all(fits))
        };
        let Some(columns) = columns.filter(is_named) else {
            return Err(misuse(format!("columns {:?} name no such parents", one.columns)));
        };
        let own = one.parents.into_iter().map(|parent| (position, parent));
        parents.entry(columns).or_default().extend(own);
        also.push(one.also);
    }
    Ok((parents, also))
}
