//! Stored rows that new rows and complete answers may concern, read at one snapshot from as few files as possible.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

use super::cells::to_array;
use super::error::Error;
use super::file::{DataFile, object_path};
use super::log::{Log, Snapshot};
use super::reader::FileReader;
use super::reconcile::deciding_columns;
use crate::schema::{Row, Table, from_batch};

/// Files that are read at the same time.
const PARALLEL_FILES: usize = 4;

/// Rows decoded at a time.
const BATCH_ROWS: usize = 8192;

/// What one file holds of interest.
pub(crate) struct Found {
    pub(crate) file: Arc<DataFile>,
    /// Position in the file, position among the new rows, and the stored row with its deciding columns.
    pub(crate) same: Vec<(usize, usize, Row)>,
    /// Position in the file, and position among the complete answers that lack it.
    pub(crate) vanished: Vec<(usize, usize)>,
}

/// What to look for in a table.
pub(crate) struct Search {
    table: Arc<Table>,
    rows: Index,
    /// New rows by partition, each with its key columns that are not partition columns.
    by_partition: HashMap<Vec<String>, Vec<usize>>,
    new: Vec<Row>,
    parents: Vec<Index>,
    /// Parents as rows of which only the parent's columns are set, in the order they were given.
    complete: Vec<Row>,
}

/// Values of some columns → position, to look stored rows up by.
struct Index {
    columns: Vec<usize>,
    converter: RowConverter,
    positions: HashMap<Box<[u8]>, usize>,
}

impl Index {
    fn new<'a>(
        table: &Table,
        columns: Vec<usize>,
        rows: impl Iterator<Item = (usize, &'a Row)> + Clone,
    ) -> Result<Self, ArrowError> {
        let fields =
            columns.iter().map(|&column| SortField::new(table.columns[column].kind.arrow_type()));
        let converter = RowConverter::new(fields.collect())?;
        let arrays: Result<Vec<ArrayRef>, ArrowError> = columns
            .iter()
            .map(|&column| {
                to_array(
                    table.columns[column].kind,
                    rows.clone().map(|(_, row)| &row.cells()[column]),
                )
            })
            .collect();
        let keys = converter.convert_columns(&arrays?)?;
        let positions = keys
            .iter()
            .zip(rows)
            .map(|(key, (position, _))| (key.as_ref().into(), position))
            .collect();
        Ok(Self { columns, converter, positions })
    }

    /// Returns for each row of a batch in the table's columns the position that it matches.
    fn matches(
        &self,
        table: &Table,
        batch: &RecordBatch,
    ) -> Result<Vec<Option<usize>>, ArrowError> {
        let arrays: Result<Vec<ArrayRef>, ArrowError> =
            self.columns.iter().map(|&column| named(table, batch, column)).collect();
        let keys = self.converter.convert_columns(&arrays?)?;
        Ok(keys.iter().map(|key| self.positions.get(key.as_ref()).copied()).collect())
    }
}

fn named(table: &Table, batch: &RecordBatch, column: usize) -> Result<ArrayRef, ArrowError> {
    let name = &table.columns[column].name;
    let array = batch.column_by_name(name);
    array.cloned().ok_or_else(|| ArrowError::SchemaError(format!("column `{name}` is missing")))
}

impl Search {
    /// Prepares looking for the stored rows of `new` and of the parents `complete`, each a row of which only the
    /// parent's columns are set.
    pub(crate) fn new(
        table: &Arc<Table>,
        new: Vec<Row>,
        complete: Vec<Row>,
    ) -> Result<Self, ArrowError> {
        let rows = Index::new(table, table.key.clone(), new.iter().enumerate())?;
        let mut by_partition: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        for (position, row) in new.iter().enumerate() {
            by_partition.entry(partition_of(table, row)).or_default().push(position);
        }
        let mut kinds: HashMap<Vec<usize>, Vec<usize>> = HashMap::new();
        for (position, parent) in complete.iter().enumerate() {
            kinds.entry(set_columns(parent)).or_default().push(position);
        }
        let parents: Result<Vec<Index>, ArrowError> = kinds
            .into_iter()
            .map(|(columns, positions)| {
                Index::new(
                    table,
                    columns,
                    positions.iter().map(|&position| (position, &complete[position])),
                )
            })
            .collect();
        Ok(Self { table: Arc::clone(table), rows, by_partition, new, parents: parents?, complete })
    }

    pub(crate) fn new_rows(&self) -> &[Row] {
        &self.new
    }

    /// Reads what the snapshot holds of it.
    pub(crate) async fn run(&self, log: &Log, snapshot: &Snapshot) -> Result<Vec<Found>, Error> {
        let mut looks = Vec::new();
        for file in snapshot.files.values() {
            let (has_rows, has_parents) = (self.may_hold_rows(file), self.may_hold_parents(file));
            if has_rows || has_parents {
                looks.push(self.look(log, file, has_rows, has_parents));
            }
        }
        futures::stream::iter(looks)
            .buffered(PARALLEL_FILES)
            .try_filter(|found| {
                std::future::ready(!found.same.is_empty() || !found.vanished.is_empty())
            })
            .try_collect()
            .await
    }

    fn may_hold_rows(&self, file: &DataFile) -> bool {
        let keys: Vec<usize> = self
            .table
            .key
            .iter()
            .copied()
            .filter(|key| !self.table.partitions.contains(key))
            .collect();
        self.by_partition.get(&file.partition).is_some_and(|rows| {
            rows.iter()
                .any(|&row| keys.iter().all(|&key| file.may_hold(key, &self.new[row].cells()[key])))
        })
    }

    fn may_hold_parents(&self, file: &DataFile) -> bool {
        self.complete.iter().any(|parent| {
            let in_partition =
                self.table.partitions.iter().zip(&file.partition).all(|(&column, value)| {
                    let name = &self.table.columns[column].name;
                    parent.cells()[column].is_null() || parent.text(name) == Some(value)
                });
            in_partition
                && set_columns(parent)
                    .iter()
                    .all(|&column| file.may_hold(column, &parent.cells()[column]))
        })
    }

    async fn look(
        &self,
        log: &Log,
        file: &Arc<DataFile>,
        has_rows: bool,
        has_parents: bool,
    ) -> Result<Found, Error> {
        let mut columns: BTreeSet<usize> = self.table.key.iter().copied().collect();
        if has_rows {
            columns.extend(deciding_columns(&self.table));
        }
        if has_parents {
            columns.extend(self.parents.iter().flat_map(|parents| &parents.columns));
            columns.extend(self.table.tombstone);
        }
        let columns: Vec<usize> = columns.into_iter().collect();
        let mut found = Found { file: Arc::clone(file), same: Vec::new(), vanished: Vec::new() };
        let mut batches = read(log, file, &columns).await?;
        let mut start = 0;
        while let Some(batch) = batches.try_next().await? {
            self.pick(&batch, start, has_parents, &mut found)
                .map_err(|source| log.file_error("read", &file.path, source.into()))??;
            start += batch.num_rows();
        }
        Ok(found)
    }

    fn pick(
        &self,
        batch: &RecordBatch,
        start: usize,
        has_parents: bool,
        found: &mut Found,
    ) -> Result<Result<(), Error>, ArrowError> {
        let matches = self.rows.matches(&self.table, batch)?;
        let hits: Vec<(usize, usize)> =
            matches.iter().enumerate().filter_map(|(at, new)| new.map(|new| (at, new))).collect();
        let positions: UInt32Array =
            hits.iter().map(|&(at, _)| u32::try_from(at).unwrap_or(0)).collect();
        let stored = match from_batch(&self.table, &take_record_batch(batch, &positions)?) {
            Ok(stored) => stored,
            Err(error) => return Ok(Err(Error::Schema(error))),
        };
        found.same.extend(hits.iter().zip(stored).map(|(&(at, new), row)| (start + at, new, row)));
        if let (true, Some(tombstone)) = (has_parents, self.table.tombstone) {
            let gone = named(&self.table, batch, tombstone)?;
            for parents in &self.parents {
                for (at, parent) in parents.matches(&self.table, batch)?.into_iter().enumerate() {
                    if let (Some(parent), None, true) = (parent, matches[at], gone.is_null(at)) {
                        found.vanished.push((start + at, parent));
                    }
                }
            }
        }
        Ok(Ok(()))
    }
}

/// Returns the values of a row's partition columns.
pub(crate) fn partition_of(table: &Table, row: &Row) -> Vec<String> {
    table
        .partitions
        .iter()
        .map(|&column| row.text(&table.columns[column].name).unwrap_or_default().to_owned())
        .collect()
}

fn set_columns(row: &Row) -> Vec<usize> {
    row.cells()
        .iter()
        .enumerate()
        .filter(|(_, cell)| !cell.is_null())
        .map(|(index, _)| index)
        .collect()
}

/// Reads some columns of a file, in the types and order of the table, partition columns included.
pub(crate) async fn read<'a>(
    log: &'a Log,
    file: &'a DataFile,
    columns: &[usize],
) -> Result<BoxStream<'a, Result<RecordBatch, Error>>, Error> {
    let table = Arc::clone(&log.table);
    let columns = columns.to_vec();
    let failed = |source| log.file_error("read", &file.path, source);
    let reader = FileReader::new(&log.place.store, object_path(&file.path), file.size);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
    let names = columns.iter().map(|&column| table.columns[column].name.as_str());
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    let batches =
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(failed)?;
    let batches = batches.map(move |batch| {
        let batch = batch.and_then(|batch| Ok(conform(&table, &columns, file, &batch)?));
        batch.map_err(|source| log.file_error("read", &file.path, source))
    });
    Ok(batches.boxed())
}

fn conform(
    table: &Table,
    columns: &[usize],
    file: &DataFile,
    batch: &RecordBatch,
) -> Result<RecordBatch, ArrowError> {
    let count = batch.num_rows();
    let mut fields: Vec<Field> = Vec::with_capacity(columns.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for &index in columns {
        let column = &table.columns[index];
        let kind = column.kind.arrow_type();
        let partition = table.partitions.iter().position(|&own| own == index);
        let array = match (partition, batch.column_by_name(&column.name)) {
            (Some(position), _) => {
                let value = file.partition[position].as_str();
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, count)))
            }
            (None, Some(array)) if *array.data_type() == kind => Arc::clone(array),
            (None, Some(array)) => cast(array, &kind)?,
            (None, None) => new_null_array(&kind, count),
        };
        fields.push(Field::new(&column.name, kind, true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
}
