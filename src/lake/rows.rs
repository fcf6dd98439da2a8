//! Rows on their way into a table, packed into Arrow batches as they come: a batch takes a third of the memory of its rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::keys::{BatchKeys, Keys};
use super::reconcile::ContentHash;
use crate::schema::{self, Cell, META_COLUMNS, Row, Table, to_partial_batch};

/// Rows that become one batch.
const PACKED_ROWS: usize = 512;

/// Rows of one table and one organization.
#[derive(Debug, Default)]
pub struct Rows {
    open: Vec<Row>,
    open_bytes: usize,
    packed: Packed,
    packed_bytes: usize,
    packed_rows: usize,
}

/// Rows as batches. Their keys are made and ordered as they come, while others are still on their way: a commit keeps more
/// waiting.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub(crate) batches: Vec<RecordBatch>,
    /// Keys of each batch.
    pub(crate) keys: Vec<BatchKeys>,
    /// Batches and rows in the order of their keys, in runs each of which is more than twice as long as the next.
    runs: Vec<Vec<(usize, usize)>>,
}

impl Packed {
    fn push(&mut self, table: &Table, keys: &Keys, batch: RecordBatch) -> Result<(), ArrowError> {
        let (at, keys) = (self.batches.len(), keys.of_batch(table, &batch)?);
        self.runs.push(keys.order().into_iter().map(|row| (at, row)).collect());
        self.batches.push(batch);
        self.keys.push(keys);
        while let [.., earlier, later] = self.runs.as_slice()
            && earlier.len() <= 2 * later.len()
        {
            let merged = self.merged(earlier, later);
            self.runs.truncate(self.runs.len() - 2);
            self.runs.push(merged);
        }
        Ok(())
    }

    /// Merges two runs; rows with the same key stay as they came.
    fn merged(&self, earlier: &[(usize, usize)], later: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let mut merged = [earlier, later].concat();
        self.sort(&mut merged);
        merged
    }

    fn sort(&self, order: &mut [(usize, usize)]) {
        let of = |&(batch, row): &(usize, usize)| self.keys[batch].row(row);
        order.sort_by(|a, b| of(a).cmp(&of(b)));
    }

    /// Returns all batches and rows in the order of their keys; those with the same one as they came.
    pub(crate) fn order(&mut self) -> Vec<(usize, usize)> {
        let mut order = std::mem::take(&mut self.runs).concat();
        self.sort(&mut order);
        order
    }
}

impl From<Vec<Row>> for Rows {
    fn from(open: Vec<Row>) -> Self {
        let open_bytes = open.iter().map(Row::size).sum();
        Self { open, open_bytes, ..Self::default() }
    }
}

impl Rows {
    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.packed_rows + self.open.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns about how many bytes of memory they take.
    pub fn size(&self) -> usize {
        self.packed_bytes + self.open_bytes
    }

    /// Adds rows, whose `organization` is set where it is null; all must be of one table.
    ///
    /// # Errors
    /// Fails when rows cannot be made a batch.
    pub fn extend(&mut self, organization: &str, rows: Vec<Row>) -> Result<(), schema::Error> {
        self.open_bytes += rows.iter().map(Row::size).sum::<usize>();
        self.open.extend(rows);
        if self.open.len() >= PACKED_ROWS { self.pack(organization) } else { Ok(()) }
    }

    fn pack(&mut self, organization: &str) -> Result<(), schema::Error> {
        let Some(first) = self.open.first() else { return Ok(()) };
        let table = Arc::clone(first.table());
        let (owner, hash) = (table.index("organization"), ContentHash::new(&table));
        let hash_column = table.index(META_COLUMNS[2]);
        let failed = |source| schema::Error::Batch { table: table.name.clone(), source };
        let keys = Keys::new(&table, table.key.clone()).map_err(failed)?;
        for rows in self.open.chunks_mut(PACKED_ROWS) {
            for row in rows.iter_mut() {
                if let Some(cell) = owner.map(|index| &mut row.cells_mut()[index])
                    && cell.is_null()
                {
                    *cell = organization.into();
                }
                if let Some(index) = hash_column {
                    row.cells_mut()[index] = Cell::Text(hash.of(row));
                }
            }
            let batch = to_partial_batch(&table, rows)?;
            self.packed_bytes += batch.get_array_memory_size();
            self.packed_rows += batch.num_rows();
            self.packed.push(&table, &keys, batch).map_err(failed)?;
        }
        self.open = Vec::new();
        self.open_bytes = 0;
        Ok(())
    }

    /// Returns the first row that is not of a table.
    pub(crate) fn foreign(&self, table: &Table) -> Option<&Row> {
        self.open.iter().find(|row| row.table().name != table.name)
    }

    /// Returns all rows in the order in which they came, with their hashes; columns may hold nulls that must not.
    pub(crate) fn into_packed(mut self, organization: &str) -> Result<Packed, schema::Error> {
        self.pack(organization)?;
        Ok(self.packed)
    }
}
