//! Upkeep of the tables: small files are joined, the log gets checkpoints, what no kept version needs is removed.
//!
//! ```text
//! list ──▶ compact: rewrite partitions from a pinned version, commit under the fence of each organization
//!              │
//!              ├──▶ checkpoint ──▶ clean the log before the oldest kept version
//!              └──▶ vacuum: files of no kept version, older than anything that may still be under way
//! ```
//!
//! No row changes: a commit only says that the same rows lie in other files. Syncs and another upkeep may run beside it.

mod compact;
mod vacuum;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _, PutPayload};
use serde::Serialize;
use uuid::Uuid;

pub(crate) use self::vacuum::staged;

use super::Lake;
use super::error::Error;
use super::history::{LogFile, LogKind};
use super::log::Log;
use super::store::delete;

/// Nothing that is younger is removed, however little `lake.keep-versions` asks to be kept: a writer may have put a file
/// that it commits later, and a reader may still be at work on the version that it began with.
const SAFE_AGE: TimeDelta = TimeDelta::days(7);
/// So many commits behind the last checkpoint call for another one.
const BEHIND: u64 = 5;

/// How upkeep is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Care {
    /// Only tell what would be done.
    pub is_dry: bool,
    /// The instant from which ages are counted.
    pub now: DateTime<Utc>,
}

/// What was done for a table, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Upkeep {
    /// Table.
    pub table: String,
    /// Live files before.
    pub files: u64,
    /// Small files that were joined.
    pub compacted: u64,
    /// Files that they became.
    pub compacted_to: u64,
    /// Whether a checkpoint was written.
    pub checkpoint: bool,
    /// Files that were removed as no kept version needs them.
    pub expired: u64,
    /// Files that were removed as no version ever had them: of killed or lost commits.
    pub orphans: u64,
    /// Bytes of both.
    pub removed_bytes: u64,
    /// Files of the log that were removed.
    pub log_files: u64,
}

impl Upkeep {
    /// Tells whether there was nothing to do.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.compacted + self.expired + self.orphans + self.log_files == 0 && !self.checkpoint
    }
}

impl Lake {
    /// Returns the instant from which ages are counted: what the store's clock says, or ours where that is earlier.
    ///
    /// # Errors
    /// Fails when the store cannot be written or read.
    pub async fn clock(&self) -> Result<DateTime<Utc>, Error> {
        if self.store.is_local() {
            return Ok(Utc::now());
        }
        let folder = Path::from("_adolake/clock");
        let own = folder.clone().join(Uuid::new_v4().simple().to_string());
        let failed = |doing| move |source| Error::storage(doing, self.place(), source);
        let root = &self.store.root;
        root.put(&own, PutPayload::from_static(b"now")).await.map_err(failed("write"))?;
        let head = root.head(&own).await;
        let now = head.as_ref().map_or_else(|_| Utc::now(), |head| head.last_modified);
        // With what those left that were killed in between.
        let is_left = |object: &ObjectMeta| {
            object.location == own || object.last_modified < now - TimeDelta::hours(1)
        };
        let left: Result<Vec<ObjectMeta>, _> = root.list(Some(&folder)).try_collect().await;
        let mut left = left.map_err(failed("list"))?;
        left.retain(is_left);
        let left = left.into_iter().map(|object| object.location).collect();
        delete(&**root, left).await.map_err(failed("delete"))?;
        Ok(head.map_err(failed("read"))?.last_modified.min(Utc::now()))
    }

    /// Returns the names of the tables, for [`Lake::maintain`].
    pub fn table_names(&self) -> impl Iterator<Item = &str> {
        self.logs.keys().map(String::as_str)
    }

    /// Keeps one table in order; none where there is no such table yet.
    ///
    /// # Errors
    /// Fails when the table cannot be read or written, or is not one of this adolake. What was done before stands.
    pub async fn maintain(&self, table: &str, care: Care) -> Result<Option<Upkeep>, Error> {
        let log = self.log(table)?;
        let Some(base) = log.latest().await? else {
            log.check_vacant().await?;
            return Ok(None);
        };
        let mut upkeep =
            Upkeep { table: table.to_owned(), files: base.files.len() as u64, ..Upkeep::default() };
        compact::compact(self, log, care, &mut upkeep).await?;
        // Listed before the log is read: whatever is put later is younger than all that is removed.
        let listed = list(log).await?;
        upkeep.checkpoint = checkpoint(log, &listed, care).await?;
        vacuum::vacuum(log, self.keep(), &listed, care, &mut upkeep).await?;
        Ok(Some(upkeep))
    }

    /// Returns for how long versions are kept.
    fn keep(&self) -> TimeDelta {
        let keep = self.logs.values().next().map_or(Duration::MAX, |log| log.keep_versions);
        TimeDelta::from_std(keep).unwrap_or(TimeDelta::MAX).max(SAFE_AGE)
    }
}

/// Lists everything in the folder of a table.
async fn list(log: &Log) -> Result<Vec<ObjectMeta>, Error> {
    let failed = |source| Error::storage("list", log.place.name.clone(), source);
    log.place.store.list(None).try_collect().await.map_err(failed)
}

/// Writes a checkpoint where the last one lies too far behind.
async fn checkpoint(log: &Arc<Log>, listed: &[ObjectMeta], care: Care) -> Result<bool, Error> {
    let Some(newest) = log.latest().await? else { return Ok(false) };
    let last = listed.iter().filter_map(|file| LogFile::of(&file.location));
    let last = last.filter(|file| file.kind == LogKind::Checkpoint).map(|file| file.version).max();
    let behind = last.map_or(newest.version + 1, |last| newest.version.saturating_sub(last));
    if behind < BEHIND {
        return Ok(false);
    }
    if !care.is_dry {
        log.write_checkpoint(newest.version).await?;
    }
    Ok(true)
}
