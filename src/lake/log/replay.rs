//! Loading a table: a short log is replayed here, commit by commit; one with a checkpoint is read through delta-rs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use deltalake::kernel::{Action, Metadata, Protocol};
use deltalake::{DeltaTable, DeltaTableError};
use futures::future::try_join_all;

use super::{CHECKPOINT_INTERVAL, EMPTY, Known, Log, Snapshot};
use crate::lake::error::Error;
use crate::lake::evolve::{self, Fit};
use crate::lake::file::DataFile;
use crate::lake::history::Listed;

/// A log without a checkpoint that has fewer commits is replayed here.
const SHORT_LOG: u64 = 2 * CHECKPOINT_INTERVAL;

impl Log {
    pub(super) async fn load(&self, version: Option<u64>) -> Result<Option<Known>, Error> {
        let seen = Instant::now();
        let listed = self.listed().await?;
        if listed.versions.is_empty() {
            return Ok(None);
        }
        // The log is read from the newest checkpoint on that is not of a later version than what is asked for.
        let last = version.unwrap_or(u64::MAX);
        let begin =
            listed.checkpoints.iter().copied().filter(|checkpoint| *checkpoint <= last).max();
        let is_read = |empty: &&u64| **empty <= last && begin.is_none_or(|begin| **empty > begin);
        if let Some(&empty) = listed.empty.iter().find(is_read) {
            return Err(self.damaged_commit(empty, EMPTY));
        }
        if let Some(now) = self.replay(&listed, version).await? {
            return Ok(Some(Known { base: None, now: Arc::new(now), seen }));
        }
        let loaded = self.load_base(version).await?;
        Ok(loaded.map(|(base, now)| Known { base: Some(base), now: Arc::new(now), seen }))
    }

    /// Applies a short log from its beginning on; none where it is not short, or does not begin as a table does.
    async fn replay(
        &self,
        listed: &Listed,
        version: Option<u64>,
    ) -> Result<Option<Snapshot>, Error> {
        let last = version.unwrap_or(listed.versions.len() as u64 - 1);
        let is_whole = (0..).zip(&listed.versions).all(|(expected, &found)| expected == found);
        if !listed.checkpoints.is_empty() || !is_whole || last >= SHORT_LOG {
            return Ok(None);
        }
        let commits = try_join_all((0..=last).map(|version| self.read_commit(version))).await?;
        let Some(commits) = commits.into_iter().collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let Some(mut now) = self.beginning(&commits[0])? else { return Ok(None) };
        for (version, actions) in (0..).zip(&commits) {
            now = self.apply(&now, version, actions)?;
        }
        Ok(Some(now))
    }

    /// Returns the table before its first commit, as that describes it; none where it does not.
    fn beginning(&self, actions: &[Action]) -> Result<Option<Snapshot>, Error> {
        let protocol = actions.iter().find_map(|action| match action {
            Action::Protocol(protocol) => Some(protocol),
            _ => None,
        });
        let metadata = actions.iter().find_map(|action| match action {
            Action::Metadata(metadata) => Some(metadata),
            _ => None,
        });
        let Some((protocol, metadata)) = protocol.zip(metadata) else { return Ok(None) };
        Ok(Some(Snapshot {
            version: 0,
            fit: self.compare(protocol, metadata)?,
            metadata: Arc::new(metadata.clone()),
            files: BTreeMap::new(),
            fences: HashMap::new(),
            timestamp: 0,
        }))
    }

    /// Reads the table through delta-rs.
    pub(super) async fn load_base(
        &self,
        version: Option<u64>,
    ) -> Result<Option<(DeltaTable, Snapshot)>, Error> {
        let mut base = DeltaTable::new(Arc::clone(&self.log_store));
        let loaded = match version {
            Some(version) => base.load_version(version).await,
            None => base.load().await,
        };
        match loaded {
            Ok(()) => {}
            Err(DeltaTableError::NotATable(_)) => return Ok(None),
            Err(error) => return Err(self.damaged(version.unwrap_or(u64::MAX), error).await),
        }
        let state = base.snapshot().map_err(|error| self.unreadable(error))?;
        let (protocol, metadata) = (state.protocol(), state.metadata());
        let fit = self.compare(protocol, metadata)?;
        let mut files = BTreeMap::new();
        for view in state.log_data().iter() {
            if view.deletion_vector_descriptor().is_some() {
                return Err(self.changed("it has deletion vectors"));
            }
            let path = view.path().into_owned();
            let stats = view.stats();
            let file = DataFile::new(
                &self.table,
                path.clone(),
                view.size(),
                &view.partition_values_map(),
                stats.as_deref(),
            );
            files.insert(path, Arc::new(file));
        }
        let version = state.version();
        let metadata = Arc::new(metadata.clone());
        let now = Snapshot { version, metadata, fit, files, fences: HashMap::new(), timestamp: 0 };
        Ok(Some((base, now)))
    }

    pub(super) fn apply(
        &self,
        before: &Snapshot,
        version: u64,
        actions: &[Action],
    ) -> Result<Snapshot, Error> {
        let mut after = Snapshot { version, ..before.clone() };
        let protocol = actions.iter().find_map(|action| match action {
            Action::Protocol(protocol) => Some(protocol.clone()),
            _ => None,
        });
        let protocol = protocol.map_or_else(|| evolve::protocol(&self.table), Ok)?;
        for action in actions {
            match action {
                Action::Metadata(metadata) => {
                    after.fit = self.compare(&protocol, metadata)?;
                    after.metadata = Arc::new(metadata.clone());
                }
                Action::Protocol(protocol) => {
                    self.compare(protocol, &after.metadata)?;
                }
                Action::Add(add) => {
                    if add.deletion_vector.is_some() {
                        return Err(self.changed("it has deletion vectors"));
                    }
                    let (partition, stats) = (&add.partition_values, add.stats.as_deref());
                    let file =
                        DataFile::new(&self.table, add.path.clone(), add.size, partition, stats);
                    after.files.insert(add.path.clone(), Arc::new(file));
                }
                Action::Remove(remove) => {
                    after.files.remove(&remove.path);
                }
                Action::Txn(fence) => {
                    after.fences.insert(fence.app_id.clone(), fence.version);
                }
                Action::CommitInfo(info) => {
                    after.timestamp = info.timestamp.unwrap_or(after.timestamp)
                }
                Action::Cdc(_) | Action::DomainMetadata(_) => {}
            }
        }
        Ok(after)
    }

    fn compare(&self, protocol: &Protocol, metadata: &Metadata) -> Result<Fit, Error> {
        evolve::compare(&self.table, &self.place.name, self.keep_versions, protocol, metadata)
    }
}
