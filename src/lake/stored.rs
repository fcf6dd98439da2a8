//! Stored rows that new rows and complete answers may concern, read at one snapshot from as few files as possible.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, RecordBatch};
use arrow::error::ArrowError;
use futures::{StreamExt, TryStreamExt};

use super::change::ParentsByColumns;
use super::error::Error;
use super::file::DataFile;
use super::incoming::Incoming;
use super::keys::{FileKeys, Index, KeyHasher, named, parent_columns};
use super::log::{Log, Snapshot};
use super::reader::FileReader;
use super::reconcile::deciding_columns;
use crate::schema::{Cell, Row, Table, WriteMode, from_batch};

/// Files that are read at the same time.
const PARALLEL_FILES: usize = 4;

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
    new: Incoming,
    /// Positions of new rows by the partitions in which their key may be stored.
    by_partition: HashMap<Vec<String>, Vec<Range<usize>>>,
    /// The values of the key's columns, in their order; made when a file is met of which no keys are known.
    key_cells: OnceLock<Vec<Vec<Cell>>>,
    hasher: KeyHasher,
    parents: Vec<Parents>,
}

/// Complete parents of an organization that are named by the same columns.
struct Parents {
    /// Columns that name them, the organization's last.
    columns: Vec<usize>,
    organization: Cell,
    /// Made when a file is met that may hold a child.
    index: OnceLock<Index>,
    /// Positions of the complete answers, each with what names the parent, in the order of the columns.
    members: Vec<(usize, Arc<[Cell]>)>,
    /// Members by the partition that they name in full; the others may have children anywhere.
    by_partition: HashMap<Vec<String>, Vec<usize>>,
    anywhere: Vec<usize>,
    /// Columns that name them and their places in that order: those of the partition, with their places in it, and the
    /// others.
    partition: Vec<(usize, usize)>,
    own: Vec<(usize, usize)>,
    /// The columns that caches of files know their keys by, where these name them too.
    known: Option<Vec<usize>>,
    /// Hashes of those keys; made when a file is met that may hold a child.
    hashes: OnceLock<Vec<u64>>,
}

impl Parents {
    fn new(
        table: &Table,
        organization: &str,
        mut columns: Vec<usize>,
        members: Vec<(usize, Arc<[Cell]>)>,
    ) -> Self {
        columns.extend(table.index("organization"));
        let place = |column: usize| columns.iter().position(|own| *own == column);
        let own: Vec<(usize, usize)> = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| !table.partitions.contains(column))
            .map(|(place, &column)| (column, place))
            .collect();
        let partition: Vec<(usize, usize)> = table
            .partitions
            .iter()
            .enumerate()
            .filter_map(|(at, &column)| Some((at, place(column)?)))
            .collect();
        let known = parent_columns(table).filter(|key| {
            own.iter().all(|(column, _)| key.contains(column))
                && key.iter().all(|column| columns.contains(column))
        });
        let known = known.map(<[usize]>::to_vec);
        let names_partition = partition.len() == table.partitions.len();
        let organization = organization.into();
        let mut by_partition: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        let mut anywhere = Vec::new();
        for (at, (_, parent)) in members.iter().enumerate() {
            if names_partition {
                let values =
                    partition.iter().map(|&(_, place)| match value(parent, place, &organization) {
                        Cell::Text(text) => text.clone(),
                        _ => String::new(),
                    });
                by_partition.entry(values.collect()).or_default().push(at);
            } else {
                anywhere.push(at);
            }
        }
        Self {
            columns,
            organization,
            index: OnceLock::new(),
            members,
            by_partition,
            anywhere,
            partition,
            own,
            known,
            hashes: OnceLock::new(),
        }
    }

    /// Returns what stands in a column that names a member, by its place among them.
    fn value(&self, member: usize, place: usize) -> &Cell {
        value(&self.members[member].1, place, &self.organization)
    }

    fn index(&self, table: &Table) -> Result<&Index, ArrowError> {
        once(&self.index, || self.index_by(table, &self.columns))
    }

    /// Makes an index by some of the columns that name them.
    fn index_by(&self, table: &Table, columns: &[usize]) -> Result<Index, ArrowError> {
        let values = |column: usize| {
            let place = self.columns.iter().position(|own| *own == column).unwrap_or(0);
            (0..self.members.len()).map(move |at| self.value(at, place))
        };
        Index::new(table, columns.to_vec(), values)
    }

    /// Returns the hashes of their keys, where caches of files know those.
    fn hashes(&self, table: &Table) -> Result<Option<&[u64]>, ArrowError> {
        let Some(columns) = &self.known else { return Ok(None) };
        let make = || self.index_by(table, columns).map(|index| index.hashes().to_vec());
        once(&self.hashes, make).map(|hashes| Some(hashes.as_slice()))
    }

    fn may_be_in(&self, log: &Log, file: &DataFile) -> Result<bool, ArrowError> {
        let is_candidate = |&at: &usize| {
            self.partition.iter().all(|&(own, place)| match self.value(at, place) {
                Cell::Text(text) => *text == file.partition[own],
                _ => true,
            }) && self
                .own
                .iter()
                .all(|&(column, place)| file.may_hold(column, self.value(at, place)))
        };
        let here = self.by_partition.get(&file.partition).into_iter().flatten();
        let mut candidates = here.chain(&self.anywhere).copied().filter(is_candidate).peekable();
        if candidates.peek().is_none() {
            return Ok(false);
        }
        let hashes = self.hashes(&log.table)?;
        Ok(hashes.is_none_or(|hashes| {
            log.keys.may_hold_parent(&file.path, candidates.map(|at| hashes[at]))
        }))
    }
}

/// Returns what stands in a column that names a parent, by its place among them: that of the organization is the last.
fn value<'a>(parent: &'a [Cell], place: usize, organization: &'a Cell) -> &'a Cell {
    parent.get(place).unwrap_or(organization)
}

/// Returns what a cell holds; makes it where that is the first time.
fn once<T, E>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}

impl Search {
    /// Prepares looking for the stored rows of `new` and of complete parents.
    pub(crate) fn new(
        table: &Arc<Table>,
        organization: &str,
        new: Incoming,
        complete: ParentsByColumns,
    ) -> Result<Self, ArrowError> {
        let mut by_partition: HashMap<Vec<String>, Vec<Range<usize>>> = HashMap::new();
        for (partition, range) in new.partitions() {
            let searched = searched_partition(table, partition);
            by_partition.entry(searched).or_default().push(range.clone());
        }
        let parents = complete
            .into_iter()
            .map(|(columns, members)| Parents::new(table, organization, columns, members))
            .collect();
        let (table, hasher) = (Arc::clone(table), KeyHasher::new(table)?);
        let key_cells = OnceLock::new();
        Ok(Self { table, new, by_partition, key_cells, hasher, parents })
    }

    pub(crate) fn incoming(&self) -> &Incoming {
        &self.new
    }

    /// Reads what the snapshot holds of it.
    pub(crate) async fn run(&self, log: &Log, snapshot: &Snapshot) -> Result<Vec<Found>, Error> {
        let failed = |source: ArrowError| log.file_error("compare", "", source.into());
        let mut looks = Vec::new();
        for file in snapshot.files.values() {
            let has_rows = self.may_hold_rows(log, file)?;
            let mut has_parents = false;
            for parents in &self.parents {
                has_parents = has_parents || parents.may_be_in(log, file).map_err(failed)?;
            }
            if has_rows || has_parents {
                looks.push(self.look(log, file, has_parents));
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

    fn may_hold_rows(&self, log: &Log, file: &DataFile) -> Result<bool, Error> {
        let partition = searched_partition(&self.table, &file.partition);
        let Some(ranges) = self.by_partition.get(&partition) else { return Ok(false) };
        let rows = || ranges.iter().flat_map(Clone::clone);
        let hashes = self.new.index().hashes();
        if !log.keys.may_hold_row(&file.path, rows().map(|row| hashes[row])) {
            return Ok(false);
        }
        let cells = once(&self.key_cells, || {
            self.table.key.iter().map(|&column| self.new.cells(column)).collect()
        })?;
        let keys: Vec<(usize, &Vec<Cell>)> = self
            .table
            .key
            .iter()
            .copied()
            .zip(cells)
            .filter(|(key, _)| !self.table.partitions.contains(key))
            .collect();
        let may_be = |row| keys.iter().all(|(key, cells)| file.may_hold(*key, &cells[row]));
        Ok(rows().any(may_be))
    }

    async fn look(
        &self,
        log: &Log,
        file: &Arc<DataFile>,
        has_parents: bool,
    ) -> Result<Found, Error> {
        let failed = |source: ArrowError| log.file_error("read", &file.path, source.into());
        let mut columns = self.table.key.clone();
        if has_parents {
            columns.extend(self.parents.iter().flat_map(|parents| &parents.columns));
            columns.extend(self.table.tombstone);
        }
        columns.sort_unstable();
        columns.dedup();
        let reader = FileReader::new(log, file);
        let (mut keys, mut hits, mut vanished) = (FileKeys::default(), Vec::new(), Vec::new());
        let mut batches = reader.batches(&columns, None).await?;
        let mut start = 0;
        while let Some(batch) = batches.try_next().await? {
            self.hasher.add(&self.table, &batch, None, &mut keys).map_err(failed)?;
            let matches = self.new.index().matches(&self.table, &batch).map_err(failed)?;
            if has_parents {
                vanished.extend(self.vanished(&batch, start, &matches).map_err(failed)?);
            }
            let matches = matches.into_iter().enumerate();
            hits.extend(matches.filter_map(|(at, new)| Some((start + at, new?))));
            start += batch.num_rows();
        }
        log.keys.insert(&file.path, keys);
        let same = self.deciding_rows(&reader, hits).await?;
        Ok(Found { file: Arc::clone(file), same, vanished })
    }

    /// Reads what decides about the rows at some positions of a file.
    async fn deciding_rows(
        &self,
        reader: &FileReader<'_>,
        hits: Vec<(usize, usize)>,
    ) -> Result<Vec<(usize, usize, Row)>, Error> {
        let columns = deciding_columns(&self.table);
        let mut rows = Vec::with_capacity(hits.len());
        if columns.is_empty() {
            rows.resize(hits.len(), Row::new(&self.table));
        } else if !hits.is_empty() {
            let positions: Vec<usize> = hits.iter().map(|&(at, _)| at).collect();
            let mut batches = reader.batches(&columns, Some(&positions)).await?;
            while let Some(batch) = batches.try_next().await? {
                rows.extend(from_batch(&self.table, &batch).map_err(Error::Schema)?);
            }
        }
        Ok(hits.into_iter().zip(rows).map(|((at, new), row)| (at, new, row)).collect())
    }

    /// Finds live rows of complete parents that no new row matches.
    fn vanished(
        &self,
        batch: &RecordBatch,
        start: usize,
        matches: &[Option<usize>],
    ) -> Result<Vec<(usize, usize)>, ArrowError> {
        let mut vanished = Vec::new();
        let Some(tombstone) = self.table.tombstone else { return Ok(vanished) };
        let gone = named(&self.table, batch, tombstone)?;
        for parents in &self.parents {
            let matches_parent = parents.index(&self.table)?.matches(&self.table, batch)?;
            for (at, parent) in matches_parent.into_iter().enumerate() {
                if let (Some(parent), None, true) = (parent, matches[at], gone.is_null(at)) {
                    vanished.push((start + at, parents.members[parent].0));
                }
            }
        }
        Ok(vanished)
    }
}

/// Returns where a key may be stored: its own partition, but for tables whose rows never change. There the month is
/// that of the first sight, and a row seen again in a later one is still the same.
fn searched_partition(table: &Table, partition: &[String]) -> Vec<String> {
    if table.mode != WriteMode::Insert {
        return partition.to_vec();
    }
    let names = table.partition_names().into_iter().zip(partition);
    names.filter(|(name, _)| *name == "organization").map(|(_, value)| value.clone()).collect()
}
