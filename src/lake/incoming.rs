//! New rows of a change: checked, stamped, each key once, in the order of partition and key.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringViewArray};
use arrow::compute::interleave;
use arrow::datatypes::{FieldRef, Schema};
use arrow::error::ArrowError;

use super::cells::{text_bytes, to_scalar};
use super::error::Error;
use super::keys::{Index, Keys};
use super::reconcile::{Stamp, reconcile};
use super::rows::{Packed, Rows};
use crate::schema::{
    self, Cell, Column, Kind, META_COLUMNS, Row, Table, from_batch, to_cells, to_partial_batch,
};

/// Texts of so many bytes on the average are put in order without being copied; the encoder copies them anyway.
const LONG_TEXT: usize = 512;

/// The rows of a change, ready to be written. They stay in the batches in which they came until they are asked for: a
/// copy of all in order would take as much memory again.
#[derive(Debug)]
pub(crate) struct Incoming {
    table: Arc<Table>,
    batches: Vec<RecordBatch>,
    index: Index,
    partitions: Vec<(Vec<String>, Range<usize>)>,
    /// By column, its value where all rows have the same.
    constants: Vec<Option<Cell>>,
    /// By column, the same texts as views where they are long and no part of the key.
    views: Vec<Option<Vec<ArrayRef>>>,
    /// Memory that all rows take.
    bytes: usize,
}

impl Incoming {
    /// Checks, stamps and orders rows; of those with the same key comes what would if they had been written one after
    /// the other.
    pub(crate) fn new(
        table: &Arc<Table>,
        organization: &str,
        rows: Rows,
        stamp: &Stamp,
    ) -> Result<Self, Error> {
        if let Some(row) = rows.foreign(table) {
            let problem = format!("a row belongs to table `{}`", row.table().name);
            return Err(Error::Misuse { table: table.name.clone(), problem });
        }
        let packed = rows.into_packed(organization).map_err(Error::Schema)?;
        for batch in &packed.batches {
            check(table, organization, batch)?;
        }
        let (batches, index) = ordered(table, packed, stamp)?;
        let partitions = partitions(table, &batches, index.order());
        let constants = constants(table, organization, &batches, stamp);
        let views = (0..table.columns.len()).map(|column| views(table, &batches, column)).collect();
        let bytes = batches.iter().map(RecordBatch::get_array_memory_size).sum();
        Ok(Self { table: Arc::clone(table), batches, index, partitions, constants, views, bytes })
    }

    /// Returns how many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.index.order().len()
    }

    /// Returns about how many bytes of memory a row takes.
    pub(crate) fn row_bytes(&self) -> usize {
        self.bytes / self.len().max(1)
    }

    /// Returns the keys of the rows.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the partitions, each with the positions of its rows.
    pub(crate) fn partitions(&self) -> &[(Vec<String>, Range<usize>)] {
        &self.partitions
    }

    /// Returns the values of a column of all rows.
    pub(crate) fn cells(&self, column: usize) -> Result<Vec<Cell>, Error> {
        if self.batches.is_empty() {
            return Ok(Vec::new());
        }
        let array = interleave(&self.column(column), self.index.order())
            .map_err(|source| self.failed(source))?;
        Ok(to_cells(self.table.columns[column].kind, &array))
    }

    /// Returns the rows at some positions.
    pub(crate) fn rows_at(
        &self,
        positions: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<Row>, Error> {
        from_batch(&self.table, &self.batch_at(positions)?).map_err(Error::Schema)
    }

    /// Returns the same as a batch in the columns of the table.
    pub(crate) fn batch_at(
        &self,
        positions: impl IntoIterator<Item = usize>,
    ) -> Result<RecordBatch, Error> {
        self.columns_at(positions, |index| self.column(index))
            .and_then(|columns| RecordBatch::try_new(self.table.arrow_schema(), columns))
            .map_err(|source| self.failed(source))
    }

    /// Returns the same to be encoded: long texts are views.
    pub(crate) fn to_encode_at(
        &self,
        positions: impl IntoIterator<Item = usize>,
    ) -> Result<RecordBatch, Error> {
        let column = |index: usize| match &self.views[index] {
            Some(views) => views.iter().map(AsRef::as_ref).collect(),
            None => self.column(index),
        };
        let of_type = |(field, array): (&FieldRef, &ArrayRef)| {
            field.as_ref().clone().with_data_type(array.data_type().clone())
        };
        self.columns_at(positions, column)
            .and_then(|columns| {
                let schema = self.table.arrow_schema();
                let fields: Vec<_> = schema.fields().iter().zip(&columns).map(of_type).collect();
                RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            })
            .map_err(|source| self.failed(source))
    }

    fn columns_at<'a>(
        &'a self,
        positions: impl IntoIterator<Item = usize>,
        column: impl Fn(usize) -> Vec<&'a dyn Array>,
    ) -> Result<Vec<ArrayRef>, ArrowError> {
        let order: Vec<(usize, usize)> =
            positions.into_iter().map(|at| self.index.order()[at]).collect();
        let column = |(index, constant): (usize, &Option<Cell>)| match constant {
            Some(cell) => to_scalar(self.table.columns[index].kind, cell)
                .to_array_of_size(order.len())
                .map_err(|error| ArrowError::ExternalError(Box::new(error))),
            None => interleave(&column(index), &order),
        };
        self.constants.iter().enumerate().map(column).collect()
    }

    /// Returns a column of all batches.
    fn column(&self, index: usize) -> Vec<&dyn Array> {
        self.batches.iter().map(|batch| batch.column(index).as_ref()).collect()
    }

    fn failed(&self, source: ArrowError) -> Error {
        Error::Schema(schema::Error::Batch { table: self.table.name.clone(), source })
    }
}

/// Demands what each row must keep, and names the first that does not.
fn check(table: &Arc<Table>, organization: &str, batch: &RecordBatch) -> Result<(), Error> {
    let owner = table.index("organization");
    if let Some(owner) = owner.map(|index| batch.column(index).as_string::<i32>())
        && owner.iter().any(|own| own != Some(organization))
    {
        let problem = format!("a row is not of organization `{organization}`");
        return Err(Error::Misuse { table: table.name.clone(), problem });
    }
    for (index, column) in table.columns.iter().enumerate() {
        if column.is_nullable || META_COLUMNS.contains(&column.name.as_str()) {
            continue;
        }
        let array = batch.column(index);
        let is_partition = table.partitions.contains(&index);
        let is_bad = |at: &usize| {
            array.is_null(*at) || (is_partition && array.as_string::<i32>().value(*at).is_empty())
        };
        let has_bad = array.null_count() > 0 || is_partition;
        if let Some(at) = has_bad.then(|| (0..array.len()).find(is_bad)).flatten() {
            let row = from_batch(table, &batch.slice(at, 1)).map_err(Error::Schema)?;
            return Err(Error::Schema(schema::Error::MissingValue {
                table: table.name.clone(),
                column: column.name.clone(),
                row: row.first().map(|row| describe(table, row)).unwrap_or_default(),
            }));
        }
    }
    Ok(())
}

fn describe(table: &Table, row: &Row) -> String {
    let cells = table.key.iter().map(|&index| match &row.cells()[index] {
        Cell::Text(text) => text.clone(),
        Cell::Int(value) => value.to_string(),
        other => format!("{other:?}"),
    });
    cells.collect::<Vec<_>>().join(", ")
}

/// Finds the order of the rows in files, each key once; what comes of several with one key is added as a batch.
fn ordered(
    table: &Arc<Table>,
    mut packed: Packed,
    stamp: &Stamp,
) -> Result<(Vec<RecordBatch>, Index), Error> {
    let failed = |source| Error::Schema(schema::Error::Batch { table: table.name.clone(), source });
    let order = packed.order();
    let Packed { mut batches, keys: mut rows, .. } = packed;
    let of = |&(batch, row): &(usize, usize)| rows[batch].row(row);
    let mut unique = Vec::with_capacity(order.len());
    let mut merged = Vec::new();
    for same in order.chunk_by(|a, b| of(a) == of(b)) {
        if let [one] = same {
            unique.push(*one);
            continue;
        }
        unique.push((batches.len(), merged.len()));
        merged.push(one_after_the_other(table, &batches, same, stamp)?);
    }
    let keys = Keys::new(table, table.key.clone()).map_err(failed)?;
    if !merged.is_empty() {
        let batch = to_partial_batch(table, &merged).map_err(Error::Schema)?;
        rows.push(keys.of_batch(table, &batch).map_err(failed)?);
        batches.push(batch);
    }
    let index = Index::of(keys, rows, by_partition(table, &batches, unique));
    Ok((batches, index))
}

/// Puts rows in the order of their partitions; those of one stay as they are.
fn by_partition(
    table: &Table,
    batches: &[RecordBatch],
    mut order: Vec<(usize, usize)>,
) -> Vec<(usize, usize)> {
    for &column in table.partitions.iter().rev() {
        let texts = texts(batches, column);
        let of = |&(batch, row): &(usize, usize)| texts[batch].value(row);
        // Nearly always all of one organization.
        if order.is_sorted_by_key(of) {
            continue;
        }
        // There are few values, and mostly several rows with one stand together.
        let mut by_value: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
        for same in order.chunk_by(|a, b| of(a) == of(b)) {
            by_value.entry(of(&same[0])).or_default().extend_from_slice(same);
        }
        order = by_value.into_values().flatten().collect();
    }
    order
}

/// Returns by column its value where all rows have the same: it need not be copied row by row.
fn constants(
    table: &Table,
    organization: &str,
    batches: &[RecordBatch],
    stamp: &Stamp,
) -> Vec<Option<Cell>> {
    let known = [
        ("organization", organization.into()),
        (META_COLUMNS[0], stamp.run_id.clone()),
        (META_COLUMNS[1], stamp.seen_at.clone()),
    ];
    let is_empty = |index: usize| {
        batches.iter().map(|batch| batch.column(index)).all(|own| own.null_count() == own.len())
    };
    let constant = |(index, column): (usize, &Column)| {
        let known = known.iter().find(|(name, _)| *name == column.name);
        known.map(|(_, value)| value.clone()).or_else(|| is_empty(index).then_some(Cell::Null))
    };
    table.columns.iter().enumerate().map(constant).collect()
}

/// Returns the texts of a column as views, where that pays.
fn views(table: &Table, batches: &[RecordBatch], column: usize) -> Option<Vec<ArrayRef>> {
    if table.columns[column].kind != Kind::Text || table.key.contains(&column) {
        return None;
    }
    let texts = texts(batches, column);
    let rows: usize = texts.iter().map(|own| own.len()).sum();
    let bytes: usize = texts.iter().map(|own| text_bytes(own)).sum();
    let view = |own: &StringArray| Arc::new(StringViewArray::from(own)) as ArrayRef;
    (rows > 0 && bytes / rows >= LONG_TEXT).then(|| texts.into_iter().map(view).collect())
}

fn texts(batches: &[RecordBatch], column: usize) -> Vec<&StringArray> {
    batches.iter().map(|batch| batch.column(column).as_string::<i32>()).collect()
}

/// Returns what comes of rows with the same key that are written one after the other.
fn one_after_the_other(
    table: &Arc<Table>,
    batches: &[RecordBatch],
    same: &[(usize, usize)],
    stamp: &Stamp,
) -> Result<Row, Error> {
    let mut last: Option<Row> = None;
    for &(batch, at) in same {
        let rows = from_batch(table, &batches[batch].slice(at, 1)).map_err(Error::Schema)?;
        for mut row in rows {
            if let Some(last) = &last {
                reconcile(&mut row, last);
            }
            last = Some(row);
        }
    }
    let mut row = last.unwrap_or_else(|| Row::new(table));
    stamp.apply(&mut row);
    Ok(row)
}

/// Returns the partitions of ordered rows, each with the positions of its rows.
fn partitions(
    table: &Table,
    batches: &[RecordBatch],
    order: &[(usize, usize)],
) -> Vec<(Vec<String>, Range<usize>)> {
    let columns: Vec<Vec<&StringArray>> =
        table.partitions.iter().map(|&column| texts(batches, column)).collect();
    let values =
        |(batch, row): (usize, usize)| columns.iter().map(move |texts| texts[batch].value(row));
    let starts: Vec<usize> = (0..order.len())
        .filter(|&at| at == 0 || !values(order[at]).eq(values(order[at - 1])))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([order.len()]);
    let named = |at: usize| values(order[at]).map(str::to_owned).collect();
    starts.iter().zip(ends).map(|(&start, end)| (named(start), start..end)).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::schema::Catalog;

    fn label(name: &str, active: bool, month: &str) -> Row {
        let catalog = Catalog::embedded().unwrap();
        let mut row = Row::new(catalog.require("pull_request_labels").unwrap());
        row.set("repository_id", "r").set("pull_request_id", 7_i64).set("created_month", month);
        row.set("name", name).set("active", active);
        row.set("first_seen_at", DateTime::from_timestamp(i64::from(active), 0));
        row
    }

    #[test]
    fn later_rows_win_and_rows_are_sorted_by_partition_and_key() {
        let rows = vec![
            label("b", true, "2026-02"),
            label("c", true, "2026-01"),
            label("a", true, "2026-02"),
            label("a", false, "2026-02"),
        ];
        let table = Arc::clone(rows[0].table());
        let stamp = Stamp::new(&table, "run", DateTime::from_timestamp(5, 0).unwrap());
        let incoming = Incoming::new(&table, "contoso", rows.into(), &stamp).unwrap();
        let rows = incoming.rows_at(0..3).unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.text("name"), row.bool("active"))).collect();
        assert_eq!(
            told,
            [(Some("c"), Some(true)), (Some("a"), Some(false)), (Some("b"), Some(true))]
        );
        // What is kept of the first one counts in the hash of what came of both.
        assert_eq!(rows[1].time("first_seen_at"), DateTime::from_timestamp(1, 0));
        let mut expected = rows[1].clone();
        stamp.apply(&mut expected);
        assert_eq!(rows[1], expected);
        let ranges: Vec<_> = incoming.partitions().iter().map(|(_, range)| range.clone()).collect();
        assert_eq!(ranges, [0..1, 1..3]);
    }

    #[test]
    fn nothing_comes_of_nothing() {
        let catalog = Catalog::embedded().unwrap();
        let table = catalog.require("pull_request_labels").unwrap();
        let stamp = Stamp::new(table, "run", DateTime::UNIX_EPOCH);
        let incoming = Incoming::new(table, "contoso", Rows::default(), &stamp).unwrap();
        assert_eq!((incoming.len(), incoming.partitions().len()), (0, 0));
    }
}
