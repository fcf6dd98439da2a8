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
    packed: Vec<Packed>,
    packed_bytes: usize,
    packed_rows: usize,
}

/// Rows as a batch. Their keys are made and ordered at once, while others are still on their way: a commit keeps more
/// waiting.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) batch: RecordBatch,
    pub(crate) keys: BatchKeys,
    /// Rows of the batch in the order of their keys.
    pub(crate) order: Vec<usize>,
}

impl Packed {
    pub(crate) fn new(table: &Table, keys: &Keys, batch: RecordBatch) -> Result<Self, ArrowError> {
        let keys = keys.of_batch(table, &batch)?;
        let order = keys.order();
        Ok(Self { batch, keys, order })
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
            self.packed.push(Packed::new(&table, &keys, batch).map_err(failed)?);
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
    pub(crate) fn into_packed(mut self, organization: &str) -> Result<Vec<Packed>, schema::Error> {
        self.pack(organization)?;
        Ok(self.packed)
    }
}
