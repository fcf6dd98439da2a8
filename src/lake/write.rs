//! One change to one table: read what is stored, reconcile, write files, commit under the organization's fence.
//!
//! ```text
//!            ┌────────────────────────── lost the race ──────────────────────────┐
//!            ▼                                                                   │
//! newest snapshot ──▶ stored rows of the touched files ──▶ plan ──▶ new files ──▶ commit of version + 1
//!                                                           │
//!                                                  nothing differs: no commit
//! ```
//!
//! The commit is a put of a file that must not exist yet. Whoever comes second starts over from the new snapshot, so
//! no change is lost and none is made twice; the fence tells other Delta writers the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::error::ArrowError;
use chrono::Utc;
use deltalake::kernel::{Action, Add, CommitInfo, Remove, Transaction};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::cells::take_rows;
use super::change::{Also, Change, Written, parents};
use super::error::Error;
use super::evolve::{self, Fit};
use super::file::{DataFile, object_path, partition_map};
use super::incoming::Incoming;
use super::keys::Keys;
use super::log::{Log, Outcome, RECENT, Snapshot};
use super::parts::PartWriter;
use super::reader::FileReader;
use super::reconcile::{Stamp, replacement};
use super::stored::{Found, Search};
use crate::schema::{Cell, Row, Table, WriteMode, from_batch, to_batch};
use crate::task::apart;

/// How often a write is tried while others keep winning the race.
pub(super) const MAX_ATTEMPTS: u32 = 100;

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Partitions that are written at the same time.
const PARALLEL_PARTITIONS: usize = 4;

/// Bytes of new rows of a partition from which on they are written as files side by side: encoding takes one core per
/// file, and nothing else of the table is left to be done meanwhile.
const SPLIT_BYTES: usize = 12 << 20;

/// Rows that are put in order and encoded at once: at most so many, and of long ones so many bytes, which the caches of a
/// core still hold when they are encoded.
const BATCH_ROWS: usize = 16 << 10;
const BATCH_BYTES: usize = 2 << 20;

/// What happens to stored rows of a partition, and what is added.
#[derive(Default)]
struct PartPlan {
    /// Positions of new rows whose key is not stored.
    inserts: Vec<usize>,
    /// Rows that replace stored ones.
    updates: Vec<Row>,
    /// Files to write anew, and what becomes of their rows by position; all others stay.
    rewrites: Vec<(Arc<DataFile>, BTreeMap<usize, Fate>)>,
}

impl PartPlan {
    /// Returns how many rows will be written, if that is known.
    fn rows(&self) -> Option<u64> {
        // Rows that are gone are written with a tombstone.
        let stay = |(file, fates): &(Arc<DataFile>, BTreeMap<usize, Fate>)| {
            let replaced = fates.values().filter(|fate| matches!(fate, Fate::Replaced)).count();
            Some(file.rows?.saturating_sub(replaced as u64))
        };
        let stay: Option<u64> = self.rewrites.iter().map(stay).sum();
        Some(stay? + (self.inserts.len() + self.updates.len()) as u64)
    }

    /// Returns the same in parts that can be done side by side.
    fn split(self, row_bytes: usize) -> Vec<Self> {
        let parts = (self.inserts.len() * row_bytes / SPLIT_BYTES).min(PARALLEL_PARTITIONS);
        let has_stored = !(self.rewrites.is_empty() && self.updates.is_empty());
        if parts < 2 || has_stored {
            return vec![self];
        }
        let some = self.inserts.chunks(self.inserts.len().div_ceil(parts));
        some.map(|inserts| Self { inserts: inserts.to_vec(), ..Self::default() }).collect()
    }
}

#[derive(Clone, Copy)]
enum Fate {
    Replaced,
    /// Gets a tombstone; position of the complete answer.
    Gone(usize),
}

/// Writes a change; see the module. The commit waits for `ready`, and is not made where that never comes.
pub(crate) async fn write(
    log: &Arc<Log>,
    change: Change<'_>,
    mut ready: Option<oneshot::Receiver<()>>,
) -> Result<Written, Error> {
    let table = &log.table;
    let stamp = Stamp::new(table, change.run_id, change.seen_at);
    let (parents, also) = parents(table, change.complete)?;
    let incoming = Incoming::new(table, change.organization, change.rows, &stamp)?;
    if incoming.len() == 0 && parents.is_empty() {
        return Ok(Written::default());
    }
    let search = Search::new(table, change.organization, incoming, parents)
        .map_err(|source| log.file_error("compare", "", source.into()))?;
    let app_ids = [log.fence_id(change.organization), log.rows_id(change.organization)];
    let seen_at = change.seen_at.into();
    let job = Arc::new(Job { log: Arc::clone(log), search, stamp, also, seen_at });
    let _one_at_a_time = log.lock().await;
    for attempt in 1..=MAX_ATTEMPTS {
        if let Some(written) = job.attempt(&app_ids, &mut ready).await? {
            return Ok(written);
        }
        tokio::time::sleep(pause(attempt)).await;
    }
    Err(Error::Contention { table: table.name.clone(), attempts: MAX_ATTEMPTS })
}

/// Brings the metadata of a stored table up to date with its schema, though no row changes: whoever reads it finds the
/// columns that the schemas tell of.
pub(crate) async fn renew(log: &Log) -> Result<(), Error> {
    let is_behind = |base: &Arc<Snapshot>| base.fit == Fit::Behind;
    if !log.within(RECENT).await?.as_ref().is_some_and(is_behind) {
        return Ok(());
    }
    let _one_at_a_time = log.lock().await;
    for attempt in 1..=MAX_ATTEMPTS {
        let Some(base) = log.latest().await?.filter(is_behind) else { return Ok(()) };
        let actions = table_actions(log, Some(&base), Utc::now().timestamp_millis())?;
        let info = CommitInfo {
            operation: Some("UPDATE SCHEMA".to_owned()),
            is_blind_append: Some(false),
            ..CommitInfo::default()
        };
        match log.commit(Some(&base), info, actions).await? {
            Outcome::Committed(_) => return Ok(()),
            Outcome::Lost => tokio::time::sleep(pause(attempt)).await,
        }
    }
    Err(Error::Contention { table: log.table.name.clone(), attempts: MAX_ATTEMPTS })
}

/// Returns how long to wait before the next attempt: longer each time, never the same for two writers.
pub(super) fn pause(attempt: u32) -> Duration {
    let longest = Duration::from_millis(4 << attempt.min(7)).min(LONGEST_PAUSE);
    let (random, _) = Uuid::new_v4().as_u64_pair();
    longest.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64)
}

struct Job {
    log: Arc<Log>,
    search: Search,
    stamp: Stamp,
    /// By complete answer.
    also: Vec<Also>,
    seen_at: Cell,
}

impl Job {
    /// Does all of it once, at the newest snapshot; none where another commit came in between.
    async fn attempt(
        self: &Arc<Self>,
        app_ids: &[String; 2],
        ready: &mut Option<oneshot::Receiver<()>>,
    ) -> Result<Option<Written>, Error> {
        let (log, table) = (&self.log, &self.log.table);
        // That nothing is to be done may be seen in what was the newest a moment ago.
        let recent = log.within(RECENT).await?;
        let mut plans = self.plan(self.find(recent.as_deref()).await?)?;
        if plans.is_empty() {
            return Ok(Some(Written::default()));
        }
        let base = match &recent {
            Some(_) => log.latest().await?,
            None => None,
        };
        let version = |snapshot: &Option<Arc<Snapshot>>| snapshot.as_ref().map(|own| own.version);
        if version(&base) != version(&recent) {
            plans = self.plan(self.find(base.as_deref()).await?)?;
            if plans.is_empty() {
                return Ok(Some(Written::default()));
            }
        }
        let now_ms = Utc::now().timestamp_millis();
        let mut written = Written::default();
        let mut removes = Vec::new();
        let mut parts = Vec::with_capacity(plans.len());
        let row_bytes = self.search.incoming().row_bytes();
        let plans = plans.into_iter().flat_map(|(partition, plan)| {
            plan.split(row_bytes).into_iter().map(move |part| (partition.clone(), part))
        });
        for (partition, plan) in plans {
            removes
                .extend(plan.rewrites.iter().map(|(file, _)| remove_action(table, file, now_ms)));
            let job = Arc::clone(self);
            // A task each: encoding takes one core per file.
            parts.push(apart(async move { job.write_partition(partition, plan, now_ms).await }));
        }
        let parts: Vec<(Vec<Add>, Written)> =
            futures::stream::iter(parts).buffered(PARALLEL_PARTITIONS).try_collect().await?;
        let mut adds = Vec::new();
        for (added, part) in parts {
            adds.extend(added);
            written.inserted += part.inserted;
            written.updated += part.updated;
            written.tombstoned += part.tombstoned;
        }
        written.bytes = adds.iter().map(|add| u64::try_from(add.size).unwrap_or(0)).sum();
        let info = self.commit_info(&written, removes.is_empty());
        let mut actions = Vec::with_capacity(adds.len() + removes.len() + 4);
        actions.extend(table_actions(log, base.as_deref(), now_ms)?);
        for app_id in app_ids {
            let number = match &base {
                Some(base) => log.fence(base, app_id).await? + 1,
                None => 1,
            };
            written.transaction = Some(number);
            let fence = Transaction::new_with_last_update(app_id, number, Some(now_ms));
            actions.push(Action::Txn(fence));
        }
        actions.extend(removes.into_iter().map(Action::Remove));
        actions.extend(adds.iter().cloned().map(Action::Add));
        if let Some(ready) = ready.take()
            && ready.await.is_err()
        {
            self.discard(&adds).await;
            return Ok(Some(Written::default()));
        }
        match log.commit(base.as_deref(), info, actions).await? {
            Outcome::Committed(version) => {
                written.version = i64::try_from(version).ok();
                Ok(Some(written))
            }
            Outcome::Lost => {
                self.discard(&adds).await;
                Ok(None)
            }
        }
    }

    /// Finds the stored rows that the new ones meet.
    async fn find(&self, base: Option<&Snapshot>) -> Result<Vec<Found>, Error> {
        match base {
            Some(base) if self.log.table.mode != WriteMode::Append => {
                self.search.run(&self.log, base).await
            }
            Some(_) => Ok(Vec::new()),
            None => {
                self.log.check_vacant().await?;
                Ok(Vec::new())
            }
        }
    }

    /// Decides what becomes of every new and every stored row, by partition.
    fn plan(&self, found: Vec<Found>) -> Result<BTreeMap<Vec<String>, PartPlan>, Error> {
        let incoming = self.search.incoming();
        let mut is_stored = vec![false; incoming.len()];
        let mut plans: BTreeMap<Vec<String>, PartPlan> = BTreeMap::new();
        for Found { file, same, vanished } in found {
            let mut fates: BTreeMap<usize, Fate> =
                vanished.into_iter().map(|(at, parent)| (at, Fate::Gone(parent))).collect();
            let mut updates = Vec::new();
            let rows = incoming.rows_at(same.iter().map(|&(_, new, _)| new))?;
            for ((at, new, stored), row) in same.into_iter().zip(rows) {
                // A key that is stored twice loses its second row.
                let is_twice = std::mem::replace(&mut is_stored[new], true);
                if is_twice {
                    fates.insert(at, Fate::Replaced);
                } else if let Some(row) = replacement(row, &stored, &self.stamp) {
                    fates.insert(at, Fate::Replaced);
                    updates.push(row);
                }
            }
            if !fates.is_empty() {
                let plan = plans.entry(file.partition.clone()).or_default();
                plan.updates.extend(updates);
                plan.rewrites.push((file, fates));
            }
        }
        for (partition, rows) in incoming.partitions() {
            let inserts: Vec<usize> = rows.clone().filter(|&row| !is_stored[row]).collect();
            if !inserts.is_empty() {
                plans.entry(partition.clone()).or_default().inserts = inserts;
            }
        }
        Ok(plans)
    }

    async fn write_partition(
        &self,
        partition: Vec<String>,
        plan: PartPlan,
        now_ms: i64,
    ) -> Result<(Vec<Add>, Written), Error> {
        let table = &self.log.table;
        let expected = plan.rows();
        let mut writer = PartWriter::new(&self.log, partition, expected, now_ms)?;
        let mut rows = plan.updates;
        let updated = rows.len();
        for (file, fates) in &plan.rewrites {
            self.rewrite(file, fates, &mut writer, &mut rows).await?;
        }
        let written = Written {
            inserted: plan.inserts.len() as u64,
            updated: updated as u64,
            tombstoned: (rows.len() - updated) as u64,
            ..Written::default()
        };
        let incoming = self.search.incoming();
        if rows.is_empty() {
            // The usual case: new rows alone, already in order.
            let rows = (BATCH_BYTES / incoming.row_bytes().max(1)).clamp(1, BATCH_ROWS);
            for some in plan.inserts.chunks(rows) {
                let hashes: Vec<u64> =
                    some.iter().map(|&at| incoming.index().hashes()[at]).collect();
                let batch = incoming.to_encode_at(some.iter().copied())?;
                writer.write(&batch, Some(&hashes)).await?;
            }
        } else {
            let inserts = incoming.batch_at(plan.inserts)?;
            let changed = to_batch(table, &rows).map_err(Error::Schema)?;
            let batch = sorted(table, &[inserts, changed])
                .map_err(|source| self.log.file_error("write", "", source.into()))?;
            for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
                let rows = BATCH_ROWS.min(batch.num_rows() - start);
                writer.write(&batch.slice(start, rows), None).await?;
            }
        }
        Ok((writer.finish().await?, written))
    }

    /// Copies the rows of a file that stay; those that are gone are marked and added to `rows`.
    async fn rewrite(
        &self,
        file: &DataFile,
        fates: &BTreeMap<usize, Fate>,
        writer: &mut PartWriter<'_>,
        rows: &mut Vec<Row>,
    ) -> Result<(), Error> {
        let (log, table) = (&self.log, &self.log.table);
        let failed = |source: ArrowError| log.file_error("read", &file.path, source.into());
        let columns: Vec<usize> = (0..table.columns.len()).collect();
        let mut batches = FileReader::new(log, file).batches(&columns, None).await?;
        let mut start = 0;
        while let Some(batch) = batches.try_next().await? {
            let fates: Vec<(usize, Fate)> = fates
                .range(start..start + batch.num_rows())
                .map(|(&at, &fate)| (at - start, fate))
                .collect();
            start += batch.num_rows();
            if fates.is_empty() {
                writer.write(&batch, None).await?;
                continue;
            }
            let mut stays = vec![true; batch.num_rows()];
            fates.iter().for_each(|&(at, _)| stays[at] = false);
            let kept = filter_record_batch(&batch, &BooleanArray::from(stays)).map_err(failed)?;
            writer.write(&kept, None).await?;
            let gone: Vec<(usize, usize)> =
                fates
                    .iter()
                    .filter_map(|&(at, fate)| {
                        if let Fate::Gone(parent) = fate { Some((at, parent)) } else { None }
                    })
                    .collect();
            rows.extend(self.tombstones(&batch, &gone).map_err(failed)??);
        }
        Ok(())
    }

    fn tombstones(
        &self,
        batch: &RecordBatch,
        gone: &[(usize, usize)],
    ) -> Result<Result<Vec<Row>, Error>, ArrowError> {
        let table = &self.log.table;
        let gone_rows = take_rows(batch, gone.iter().map(|&(at, _)| at))?;
        let mut rows = match from_batch(table, &gone_rows) {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(Error::Schema(error))),
        };
        for (row, &(_, parent)) in rows.iter_mut().zip(gone) {
            if let Some(tombstone) = table.tombstone {
                row.cells_mut()[tombstone] = self.seen_at.clone();
            }
            for (column, value) in &self.also[parent] {
                row.set(column, value.clone());
            }
            self.stamp.apply(row);
        }
        Ok(Ok(rows))
    }

    fn commit_info(&self, written: &Written, is_append: bool) -> CommitInfo {
        let mode = self.log.table.mode;
        let parameters = HashMap::from([
            ("mode".to_owned(), json!(if is_append { "Append" } else { "Overwrite" })),
            ("adolake.write".to_owned(), json!(mode.to_string())),
        ]);
        let metrics = json!({
            "numOutputRows": written.rows(),
            "numTargetRowsInserted": written.inserted,
            "numTargetRowsUpdated": written.updated + written.tombstoned,
            "numOutputBytes": written.bytes,
        });
        CommitInfo {
            operation: Some(if is_append { "WRITE" } else { "MERGE" }.to_owned()),
            operation_parameters: Some(parameters),
            is_blind_append: Some(mode == WriteMode::Append),
            info: HashMap::from([("operationMetrics".to_owned(), metrics)]),
            ..CommitInfo::default()
        }
    }

    /// Removes the files of a commit that did not come about; what stays behind costs space only.
    async fn discard(&self, adds: &[Add]) {
        for add in adds {
            if let Err(error) = self.log.place.store.delete(&object_path(&add.path)).await {
                tracing::debug!(table = self.log.table.name, file = add.path, %error, "a file stays behind");
            }
        }
    }
}

/// Returns what creates a table, or brings its metadata up to date.
fn table_actions(log: &Log, base: Option<&Snapshot>, now_ms: i64) -> Result<Vec<Action>, Error> {
    let (table, stored) = (&log.table, base.map(|base| base.metadata.as_ref()));
    let metadata =
        || evolve::metadata(table, log.keep_versions, stored, now_ms).map(Action::Metadata);
    Ok(match base {
        None => vec![Action::Protocol(evolve::protocol(table)?), metadata()?],
        Some(base) if base.fit == Fit::Behind => vec![metadata()?],
        Some(_) => Vec::new(),
    })
}

/// Returns the rows of batches, sorted by key.
fn sorted(table: &Arc<Table>, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let batch = concat_batches(&table.arrow_schema(), batches)?;
    let keys = Keys::new(table, table.key.clone())?.of_batch(table, &batch)?;
    take_rows(&batch, keys.order())
}

pub(super) fn remove_action(table: &Table, file: &DataFile, now_ms: i64) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change: true,
        deletion_timestamp: Some(now_ms),
        extended_file_metadata: Some(true),
        partition_values: Some(partition_map(table, &file.partition)),
        size: i64::try_from(file.size).ok(),
        ..Remove::default()
    }
}
