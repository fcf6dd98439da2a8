//! The log of one table: which files are live at a version, and how a new version comes about.
//!
//! The first look goes through delta-rs where there is a checkpoint; a short log is replayed here, which costs an object
//! store one request for each commit. From then on each commit, our own or another's, is applied to the snapshot in
//! memory, so that a write costs one look for a newer commit and one conditional put.

mod damage;
mod replay;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::Utc;
use deltalake::kernel::transaction::TransactionError;
use deltalake::kernel::{Action, CommitInfo, Metadata};
use deltalake::logstore::{
    CommitOrBytes, LogStoreRef, StorageConfig, default_logstore, get_actions,
};
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt as _;
use parquet::errors::ParquetError;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::error::{Error, is_of_links};
use super::evolve::Fit;
use super::file::DataFile;
use super::keys::KeyCache;
use super::store::{Place, may_pass};
use crate::schema::Table;

/// After so many commits the log gets a checkpoint.
pub(crate) const CHECKPOINT_INTERVAL: u64 = 10;

/// How old what a query, or a look before a write, knows of a log may be.
pub(crate) const RECENT: Duration = Duration::from_secs(5);

/// How often a commit is put whose answer was lost on its way, and how much longer the pause is each time.
const COMMIT_ATTEMPTS: u32 = 6;
const COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// The name under which a commit carries its own id, to be known again after an unclear answer.
const COMMIT_ID: &str = "adolakeCommit";

/// What is wrong with a commit of no bytes.
const EMPTY: &str = "it is empty, and a commit never is";

/// A table at one version.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) fit: Fit,
    /// Live files by path.
    pub(crate) files: BTreeMap<String, Arc<DataFile>>,
    /// Application transactions seen since the first look.
    fences: HashMap<String, i64>,
    /// `commitInfo.timestamp` of the newest commit seen, milliseconds.
    timestamp: i64,
}

/// The log of a table, and what is known of it.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) table: Arc<Table>,
    pub(crate) place: Place,
    pub(crate) keys: Arc<KeyCache>,
    pub(crate) keep_versions: Duration,
    log_store: LogStoreRef,
    known: Mutex<Option<Known>>,
    writer: Mutex<()>,
}

#[derive(Debug)]
struct Known {
    /// The table as delta-rs last loaded it, a version at or before `now`; none where its log was replayed as a whole.
    base: Option<DeltaTable>,
    now: Arc<Snapshot>,
    /// When it was last seen that there is no newer version.
    seen: Instant,
}

/// What came of an attempt to commit.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The new version.
    Committed(u64),
    /// Somebody else took the version; nothing was changed.
    Lost,
}

impl Snapshot {
    /// Returns the same version with some of its files only.
    pub(crate) fn with_files(&self, files: BTreeMap<String, Arc<DataFile>>) -> Self {
        Self { files, ..self.clone() }
    }
}

/// A file that is live no more, as the log remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Path within the table, decoded.
    pub(crate) path: String,
    /// When it was removed, milliseconds; none where the log does not say.
    pub(crate) at_ms: Option<i64>,
}

impl Log {
    pub(crate) fn new(
        table: &Arc<Table>,
        place: Place,
        keys: &Arc<KeyCache>,
        keep_versions: Duration,
    ) -> Self {
        let log_store = default_logstore(
            Arc::clone(&place.store),
            Arc::clone(&place.root),
            &place.url,
            &StorageConfig::default(),
        );
        let (table, keys) = (Arc::clone(table), Arc::clone(keys));
        Self {
            table,
            place,
            keys,
            keep_versions,
            log_store,
            known: Mutex::default(),
            writer: Mutex::default(),
        }
    }

    /// Waits until no other task of this process writes the table.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().await
    }

    /// Returns the newest version, or none where there is no table.
    pub(crate) async fn latest(&self) -> Result<Option<Arc<Snapshot>>, Error> {
        self.within(Duration::ZERO).await
    }

    /// Returns the newest version, or one that was the newest not longer ago than `age`.
    pub(crate) async fn within(&self, age: Duration) -> Result<Option<Arc<Snapshot>>, Error> {
        let mut known = self.known.lock().await;
        let Some(known) = known.as_mut() else {
            *known = self.load(None).await?;
            return Ok(known.as_ref().map(|known| Arc::clone(&known.now)));
        };
        let now = Instant::now();
        if now.duration_since(known.seen) > age {
            let mut next = known.now.version + 1;
            while let Some(actions) = self.read_commit(next).await? {
                known.now = Arc::new(self.apply(&known.now, next, &actions)?);
                next += 1;
            }
            known.seen = now;
        }
        Ok(Some(Arc::clone(&known.now)))
    }

    /// Returns an older version.
    pub(crate) async fn at(&self, version: u64) -> Result<Arc<Snapshot>, Error> {
        if let Some(known) = self.known.lock().await.as_ref()
            && known.now.version == version
        {
            return Ok(Arc::clone(&known.now));
        }
        let gone = || Error::VersionGone {
            table: self.table.name.clone(),
            version: i64::try_from(version).unwrap_or(i64::MAX),
        };
        match self.load(Some(version)).await {
            Ok(Some(known)) if known.now.version == version => Ok(known.now),
            // That the store does not answer says nothing about the version.
            Err(error) if error.is_transient() => Err(error),
            Ok(_) | Err(Error::Log { .. }) => Err(gone()),
            Err(error) => Err(error),
        }
    }

    /// Reads the newest version anew, with the files that older versions held as far back as the log remembers them.
    pub(crate) async fn with_removed(
        &self,
    ) -> Result<Option<(Arc<Snapshot>, Vec<Removed>)>, Error> {
        let Some((base, now)) = self.load_base(None).await? else { return Ok(None) };
        let state = base.snapshot().map_err(|error| self.unreadable(error))?;
        let removed = state.all_tombstones(&*self.log_store).map_ok(|tombstone| Removed {
            path: tombstone.path().into_owned(),
            at_ms: tombstone.deletion_timestamp(),
        });
        let removed = removed.try_collect().await.map_err(|error| self.unreadable(error))?;
        Ok(Some((Arc::new(now), removed)))
    }

    /// Returns the name under which commits for an organization take turns.
    pub(crate) fn fence_id(&self, organization: &str) -> String {
        match self.table.index("organization") {
            Some(_) => format!("adolake/{organization}"),
            None => "adolake".to_owned(),
        }
    }

    /// Returns the name under which commits that change rows of an organization are counted; upkeep changes none.
    pub(crate) fn rows_id(&self, organization: &str) -> String {
        format!("{}/rows", self.fence_id(organization))
    }

    /// Reads a commit; none where there is no such version yet.
    pub(crate) async fn read_commit(&self, version: u64) -> Result<Option<Vec<Action>>, Error> {
        match self.log_store.read_commit_entry(version).await {
            Ok(Some(bytes)) => match get_actions(version, &bytes) {
                Ok(actions) if actions.is_empty() => Err(self.damaged_commit(version, EMPTY)),
                Ok(actions) => Ok(Some(actions)),
                Err(DeltaTableError::InvalidJsonLog { json_err, .. }) if json_err.is_data() => {
                    Err(self.changed(format!("version {version} says what it may not: {json_err}")))
                }
                Err(error) => Err(self.damaged_commit(version, error.to_string())),
            },
            Ok(None) => Ok(None),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    /// Returns the value of a fence at the snapshot; 0 where it was never set.
    pub(crate) async fn fence(&self, snapshot: &Snapshot, app_id: &str) -> Result<i64, Error> {
        if let Some(version) = snapshot.fences.get(app_id) {
            return Ok(*version);
        }
        // No commit after the base set it, so the base knows; without a base, none set it.
        let known = self.known.lock().await;
        let Some(base) = known.as_ref().and_then(|known| known.base.as_ref()) else {
            return Ok(0);
        };
        let state = base.snapshot().map_err(|error| self.unreadable(error))?;
        let version = state.transaction_version(&self.log_store, app_id).await;
        version.map(|version| version.unwrap_or(0)).map_err(|error| self.unreadable(error))
    }

    /// Tries to make `actions` the version after `base`; the first version where there is none.
    pub(crate) async fn commit(
        &self,
        base: Option<&Snapshot>,
        mut info: CommitInfo,
        mut actions: Vec<Action>,
    ) -> Result<Outcome, Error> {
        let version = base.map_or(0, |base| base.version + 1);
        let id = Uuid::new_v4().to_string();
        // Readers find versions by this time: it must not run backwards.
        let last = match base {
            Some(base) if base.timestamp == 0 => self.timestamp(base.version).await.unwrap_or(0),
            Some(base) => base.timestamp,
            None => 0,
        };
        let now = Utc::now().timestamp_millis().max(last);
        info.timestamp = Some(now);
        info.read_version = base.map(|base| base.version);
        info.engine_info = Some(concat!("adolake/", env!("CARGO_PKG_VERSION")).to_owned());
        info.info.insert(COMMIT_ID.to_owned(), id.clone().into());
        actions.insert(0, Action::CommitInfo(info));
        let lines: Result<Vec<String>, _> = actions.iter().map(serde_json::to_string).collect();
        let lines = lines.map_err(|error| self.unreadable(error.into()))?;
        let entry = Bytes::from(lines.join("\n"));
        if self.put_commit(version, entry, &id).await? == Put::Lost {
            return Ok(Outcome::Lost);
        }
        self.advance(version, &actions).await;
        Ok(Outcome::Committed(version))
    }

    /// Puts a commit in its place; where the answer is lost, looks whether it landed, and tries again if not. The store's
    /// client does not do so by itself, as it cannot know whose commit it finds there.
    async fn put_commit(&self, version: u64, entry: Bytes, id: &str) -> Result<Put, Error> {
        for attempt in 1.. {
            let put = CommitOrBytes::LogBytes(entry.clone());
            let put = self.log_store.write_commit_entry(version, put, Uuid::new_v4()).await;
            let Err(error) = put else { break };
            let may_pass = matches!(&error, TransactionError::ObjectStore { source } if may_pass(source))
                && attempt < COMMIT_ATTEMPTS;
            match (self.read_commit(version).await, error) {
                (Ok(Some(actions)), _) if is_ours(&actions, id) => break,
                (Ok(Some(_)), _) | (_, TransactionError::VersionAlreadyExists(_)) => {
                    return Ok(Put::Lost);
                }
                (Ok(None), _) if may_pass => {
                    tokio::time::sleep(COMMIT_PAUSE * attempt).await;
                }
                (_, TransactionError::ObjectStore { source }) => {
                    return Err(if self.place.is_local && is_of_links(&source) {
                        Error::NoHardLinks { place: self.place.name.clone(), source }
                    } else {
                        Error::storage("write", self.place.name.clone(), source)
                    });
                }
                (_, other) => return Err(self.unreadable(other.into())),
            }
        }
        Ok(Put::Won)
    }

    /// Takes note of an own commit; what fails here costs the next call a fresh look, and nothing else.
    async fn advance(&self, version: u64, actions: &[Action]) {
        let mut known = self.known.lock().await;
        let applied = match known.as_mut() {
            Some(known) if known.now.version + 1 == version => {
                self.apply(&known.now, version, actions).map(|now| {
                    known.now = Arc::new(now);
                    known.seen = Instant::now();
                })
            }
            // Another task has seen the commit already.
            Some(known) if known.now.version >= version => Ok(()),
            _ => self.load(None).await.map(|loaded| *known = loaded),
        };
        if applied.is_err() {
            *known = None;
        }
        if (version + 1).is_multiple_of(CHECKPOINT_INTERVAL)
            && let Some(known) = known.as_mut()
            && let Err(error) = self.checkpoint(known, version).await
        {
            tracing::warn!(table = self.table.name, version, %error, "no checkpoint was written");
        }
    }

    /// Writes a checkpoint of a version.
    pub(crate) async fn write_checkpoint(&self, version: u64) -> Result<(), Error> {
        let mut table = DeltaTable::new(Arc::clone(&self.log_store));
        if let Err(error) = table.load_version(version).await {
            return Err(self.damaged(version, error).await);
        }
        let written = deltalake::checkpoints::create_checkpoint(&table, None).await;
        written.map_err(|error| self.unreadable(error))
    }

    async fn checkpoint(&self, known: &mut Known, version: u64) -> Result<(), DeltaTableError> {
        let base = known.base.get_or_insert_with(|| DeltaTable::new(Arc::clone(&self.log_store)));
        match base.version() {
            None => base.load_version(version).await?,
            Some(before) if before < version => base.update_incremental(Some(version)).await?,
            Some(_) => {}
        }
        deltalake::checkpoints::create_checkpoint(base, None).await
    }

    /// Names what went wrong with a data file, unwrapping failures of the storage below it.
    pub(crate) fn file_error(
        &self,
        doing: &'static str,
        file: &str,
        source: ParquetError,
    ) -> Error {
        let (table, file) = (self.table.name.clone(), file.to_owned());
        match source {
            ParquetError::External(source) => match source.downcast::<object_store::Error>() {
                Ok(source) => Error::storage(doing, format!("{}{file}", self.place.name), *source),
                Err(source) => {
                    Error::File { doing, table, file, source: ParquetError::External(source) }
                }
            },
            source => Error::File { doing, table, file, source },
        }
    }

    fn unreadable(&self, error: DeltaTableError) -> Error {
        Error::log(&self.table.name, &self.place.name, error)
    }

    pub(crate) fn changed(&self, problem: impl Into<String>) -> Error {
        Error::Changed { table: self.table.name.clone(), problem: problem.into() }
    }
}

/// What came of putting a commit in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Put {
    Won,
    Lost,
}

fn is_ours(actions: &[Action], id: &str) -> bool {
    actions.iter().any(|action| match action {
        Action::CommitInfo(info) => info.info.get(COMMIT_ID).is_some_and(|found| found == id),
        _ => false,
    })
}
