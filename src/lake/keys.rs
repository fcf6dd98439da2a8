//! Keys as bytes: looking rows up by them, and remembering as hashes which of them a data file holds.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{partition, take};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

use super::cells::to_array;
use crate::schema::{Cell, Table};

/// Some columns of a table as one comparable value.
#[derive(Debug)]
pub(crate) struct Keys {
    columns: Vec<usize>,
    converter: RowConverter,
}

impl Keys {
    pub(crate) fn new(table: &Table, columns: Vec<usize>) -> Result<Self, ArrowError> {
        let kinds = columns.iter().map(|&column| table.columns[column].kind.arrow_type());
        let converter = RowConverter::new(kinds.map(SortField::new).collect())?;
        Ok(Self { columns, converter })
    }

    fn of_cells<'a, I: Iterator<Item = &'a Cell>>(
        &self,
        table: &Table,
        cells: impl Fn(usize) -> I,
    ) -> Result<Rows, ArrowError> {
        let array = |&column: &usize| to_array(table.columns[column].kind, cells(column));
        let arrays: Result<Vec<ArrayRef>, ArrowError> = self.columns.iter().map(array).collect();
        self.converter.convert_columns(&arrays?)
    }

    pub(crate) fn of_batch(
        &self,
        table: &Table,
        batch: &RecordBatch,
    ) -> Result<BatchKeys, ArrowError> {
        let arrays = self.arrays(table, batch)?;
        Ok(BatchKeys::new(self.converter.convert_columns(&arrays)?))
    }

    /// Returns the hashes of the keys of a batch, one for each that stands in rows next to each other.
    fn distinct(&self, table: &Table, batch: &RecordBatch) -> Result<Vec<u64>, ArrowError> {
        let arrays = self.arrays(table, batch)?;
        let firsts = partition(&arrays)?.ranges().into_iter().map(|same| same.start as u64);
        let firsts = UInt64Array::from_iter_values(firsts);
        let arrays: Result<Vec<ArrayRef>, ArrowError> =
            arrays.iter().map(|array| take(array, &firsts, None)).collect();
        Ok(BatchKeys::new(self.converter.convert_columns(&arrays?)?).hashes)
    }

    fn arrays(&self, table: &Table, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ArrowError> {
        self.columns.iter().map(|&column| named(table, batch, column)).collect()
    }
}

/// The keys of the rows of a batch, as bytes that compare as they do, and hashed.
#[derive(Debug)]
pub(crate) struct BatchKeys {
    rows: Rows,
    hashes: Vec<u64>,
}

impl BatchKeys {
    fn new(rows: Rows) -> Self {
        let hashes = rows.iter().map(|row| hash(row.as_ref())).collect();
        Self { rows, hashes }
    }

    /// Returns the key of a row.
    pub(crate) fn row(&self, at: usize) -> arrow::row::Row<'_> {
        self.rows.row(at)
    }

    /// Returns the rows in the order of their keys; those with the same one as they stand.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.num_rows()).collect();
        order.sort_by(|&a, &b| self.row(a).cmp(&self.row(b)));
        order
    }
}

/// Returns a column of a batch by its position in the table.
pub(crate) fn named(
    table: &Table,
    batch: &RecordBatch,
    column: usize,
) -> Result<ArrayRef, ArrowError> {
    let name = &table.columns[column].name;
    let array = batch.column_by_name(name);
    array.cloned().ok_or_else(|| ArrowError::SchemaError(format!("column `{name}` is missing")))
}

/// Keys → positions, to look stored rows up by.
#[derive(Debug)]
pub(crate) struct Index {
    keys: Keys,
    rows: Vec<BatchKeys>,
    /// Which of `rows`, and the place in it, by position.
    order: Vec<(usize, usize)>,
    /// Hashes of the keys, by position.
    hashes: Vec<u64>,
    /// Hashes, each with the position of its key; sorted. Made once something is looked up.
    sorted: OnceLock<Vec<(u64, usize)>>,
}

impl Index {
    /// Of the values of some columns, in their order.
    pub(crate) fn new<'a, I: Iterator<Item = &'a Cell>>(
        table: &Table,
        columns: Vec<usize>,
        cells: impl Fn(usize) -> I,
    ) -> Result<Self, ArrowError> {
        let keys = Keys::new(table, columns)?;
        let rows = BatchKeys::new(keys.of_cells(table, cells)?);
        let order = (0..rows.hashes.len()).map(|row| (0, row)).collect();
        Ok(Self::of(keys, vec![rows], order))
    }

    /// Of the keys of several batches, in an order of its own.
    pub(crate) fn of(keys: Keys, rows: Vec<BatchKeys>, order: Vec<(usize, usize)>) -> Self {
        let hashes = order.iter().map(|&(batch, row)| rows[batch].hashes[row]).collect();
        Self { keys, rows, order, hashes, sorted: OnceLock::new() }
    }

    /// Returns for each position the batch and the row in it.
    pub(crate) fn order(&self) -> &[(usize, usize)] {
        &self.order
    }

    /// Returns the hashes of the keys, by position.
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    fn key(&self, at: usize) -> arrow::row::Row<'_> {
        let (batch, row) = self.order[at];
        self.rows[batch].row(row)
    }

    /// Returns for each row of a batch in the table's columns the position that it matches: the last, if there are
    /// several.
    pub(crate) fn matches(
        &self,
        table: &Table,
        batch: &RecordBatch,
    ) -> Result<Vec<Option<usize>>, ArrowError> {
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Vec<(u64, usize)> = self.hashes.iter().copied().zip(0..).collect();
            sorted.sort_unstable();
            sorted
        });
        let keys = self.keys.of_batch(table, batch)?;
        let position = |(key, &hash): (arrow::row::Row<'_>, &u64)| {
            let first = sorted.partition_point(|(own, _)| *own < hash);
            let same = sorted[first..].iter().take_while(|(own, _)| *own == hash);
            same.map(|&(_, at)| at).filter(|&at| self.key(at) == key).last()
        };
        Ok(keys.rows.iter().zip(&keys.hashes).map(position).collect())
    }
}

/// Hashes the keys of a table's rows and of their parents.
pub(crate) struct KeyHasher {
    rows: Keys,
    /// The key without its last column: what a complete answer is about.
    parents: Option<Keys>,
}

/// Hashes of the keys of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileKeys {
    rows: Vec<u64>,
    parents: Vec<u64>,
}

/// Returns the columns that name the parent of a row, in tables where parents have complete answers.
pub(crate) fn parent_columns(table: &Table) -> Option<&[usize]> {
    table
        .tombstone
        .and(table.key.split_last())
        .map(|(_, parent)| parent)
        .filter(|key| !key.is_empty())
}

impl KeyHasher {
    pub(crate) fn new(table: &Table) -> Result<Self, ArrowError> {
        let parents = parent_columns(table).map(|columns| Keys::new(table, columns.to_vec()));
        Ok(Self { rows: Keys::new(table, table.key.clone())?, parents: parents.transpose()? })
    }

    /// Adds the keys of a batch, which holds the key's columns, to those of its file; `known` are the hashes of the
    /// keys, where they are known.
    pub(crate) fn add(
        &self,
        table: &Table,
        batch: &RecordBatch,
        known: Option<&[u64]>,
        keys: &mut FileKeys,
    ) -> Result<(), ArrowError> {
        match known {
            Some(known) => keys.rows.extend_from_slice(known),
            None => keys.rows.extend(self.rows.of_batch(table, batch)?.hashes),
        }
        if let Some(parents) = &self.parents {
            keys.parents.extend(parents.distinct(table, batch)?);
        }
        Ok(())
    }
}

/// Hashes kept in memory, 8 bytes each; the files first seen are forgotten first: reading goes on to other months.
const MAX_HASHES: usize = 1 << 20;

/// The keys of files, for all tables of a lake. Files never change: what was read or written once is known for good.
#[derive(Debug, Default)]
pub(crate) struct KeyCache(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    files: HashMap<String, FileKeys>,
    order: VecDeque<String>,
    hashes: usize,
}

/// Hashes the bytes of a key.
fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

impl FileKeys {
    fn len(&self) -> usize {
        self.rows.len() + self.parents.len()
    }
}

impl KeyCache {
    /// Remembers the keys of a file.
    pub(crate) fn insert(&self, path: &str, mut keys: FileKeys) {
        for hashes in [&mut keys.rows, &mut keys.parents] {
            hashes.sort_unstable();
            hashes.dedup();
            hashes.shrink_to_fit();
        }
        let mut known = self.lock();
        known.hashes += keys.len();
        if let Some(old) = known.files.insert(path.to_owned(), keys) {
            known.hashes -= old.len();
        } else {
            known.order.push_back(path.to_owned());
        }
        while known.hashes > MAX_HASHES
            && let Some(oldest) = known.order.pop_front()
        {
            known.hashes -= known.files.remove(&oldest).map_or(0, |keys| keys.len());
        }
    }

    /// Returns whether a file may hold a row with one of the keys; so it may where its keys are not known.
    pub(crate) fn may_hold_row(&self, path: &str, mut keys: impl Iterator<Item = u64>) -> bool {
        let known = self.lock();
        let Some(file) = known.files.get(path) else { return true };
        keys.any(|key| file.rows.binary_search(&key).is_ok())
    }

    /// Returns whether a file may hold a child of one of the parents.
    pub(crate) fn may_hold_parent(&self, path: &str, mut keys: impl Iterator<Item = u64>) -> bool {
        let known = self.lock();
        let Some(file) = known.files.get(path) else { return true };
        keys.any(|key| file.parents.binary_search(&key).is_ok())
    }

    /// Nothing can be left half-done under the lock.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_ruled_out() {
        let cache = KeyCache::default();
        assert!(cache.may_hold_row("a", [1].into_iter()));
        cache.insert("a", FileKeys { rows: vec![3, 1, 3], parents: vec![7] });
        assert!(cache.may_hold_row("a", [2, 3].into_iter()));
        assert!(!cache.may_hold_row("a", [2].into_iter()));
        assert!(cache.may_hold_parent("a", [7].into_iter()));
        assert!(!cache.may_hold_parent("a", [3].into_iter()));
    }

    #[test]
    fn the_oldest_files_are_forgotten() {
        let cache = KeyCache::default();
        let rows: Vec<u64> = (0..(MAX_HASHES as u64 / 2 + 1)).collect();
        cache.insert("a", FileKeys { rows: rows.clone(), parents: Vec::new() });
        cache.insert("b", FileKeys { rows, parents: Vec::new() });
        let unknown = || [u64::MAX].into_iter();
        assert!(cache.may_hold_row("a", unknown()) && !cache.may_hold_row("b", unknown()));
    }
}
