//! The commits that a table keeps: which there are, when they were written, and which was the newest at an instant.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deltalake::kernel::Action;
use futures::TryStreamExt;
use object_store::path::Path;

use super::error::Error;
use super::file::object_path;
use super::log::{Log, RECENT, Snapshot};

/// The folder of a log within that of its table.
pub(crate) const LOG: &str = "_delta_log";

/// Digits of a version in the name of a file of the log.
const DIGITS: usize = 20;

/// A file of the log that belongs to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) version: u64,
    pub(crate) kind: LogKind,
}

/// What such a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogKind {
    Commit,
    /// One file of a checkpoint, which may have several.
    Checkpoint,
    /// A checksum, for one.
    Other,
}

impl LogFile {
    /// Reads the name of a file; none for any other.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let mut parts = path.parts();
        let (folder, name) = (parts.next()?, parts.next()?);
        let (digits, rest) = name.as_ref().split_at_checked(DIGITS)?;
        if folder.as_ref() != LOG || parts.next().is_some() {
            return None;
        }
        let kind = match rest {
            ".json" => LogKind::Commit,
            _ if rest.starts_with(".checkpoint.") => LogKind::Checkpoint,
            _ => LogKind::Other,
        };
        Some(Self { version: digits.parse().ok()?, kind })
    }
}

/// What a look at the folder of a log shows.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Versions whose commits are there, oldest first.
    pub(crate) versions: Vec<u64>,
    /// Versions of which there is a checkpoint.
    pub(crate) checkpoints: Vec<u64>,
    /// Commits of no bytes, which no writer puts.
    pub(crate) empty: Vec<u64>,
}

impl Log {
    /// Lists the commits that are kept.
    pub(crate) async fn listed(&self) -> Result<Listed, Error> {
        let mut files = self.place.store.list(Some(&Path::from(LOG)));
        let mut listed = Listed::default();
        loop {
            let file = match files.try_next().await {
                Ok(Some(file)) => file,
                Ok(None) | Err(object_store::Error::NotFound { .. }) => break,
                Err(source) => return Err(Error::storage("read", self.place.name.clone(), source)),
            };
            let Some(LogFile { version, kind }) = LogFile::of(&file.location) else { continue };
            match kind {
                LogKind::Commit => listed.versions.push(version),
                LogKind::Checkpoint => listed.checkpoints.push(version),
                LogKind::Other => {}
            }
            if kind == LogKind::Commit && file.size == 0 {
                listed.empty.push(version);
            }
        }
        listed.versions.sort_unstable();
        Ok(listed)
    }

    /// Returns `commitInfo.timestamp` of a version, milliseconds.
    pub(crate) async fn timestamp(&self, version: u64) -> Result<i64, Error> {
        let actions = self.read_commit(version).await?.unwrap_or_default();
        let timestamp = actions.iter().find_map(|action| match action {
            Action::CommitInfo(info) => info.timestamp,
            _ => None,
        });
        timestamp.ok_or_else(|| {
            self.changed(format!("version {version} does not say when it was written"))
        })
    }

    /// Returns a data file of a snapshot that is not there, if any.
    pub(crate) async fn missing_file(&self, snapshot: &Snapshot) -> Result<Option<String>, Error> {
        let failed = |source| Error::storage("read", self.place.name.clone(), source);
        let mut there = HashSet::new();
        let mut listing = self.place.store.list(None);
        while let Some(file) = listing.try_next().await.map_err(failed)? {
            there.insert(file.location);
        }
        let is_missing = |path: &&String| !there.contains(&object_path(path));
        Ok(snapshot.files.keys().find(is_missing).cloned())
    }

    /// Checks that a new table finds its place empty, but for what a killed first write left behind.
    pub(crate) async fn check_vacant(&self) -> Result<(), Error> {
        let names = self.table.partition_names();
        let is_own = |path: &Path| {
            let parts: Vec<_> = path.parts().collect();
            let Some((file, folders)) = parts.split_last() else { return true };
            let is_part = file.as_ref().starts_with("part-") && file.as_ref().ends_with(".parquet");
            let is_partition = folders.len() == names.len()
                && folders.iter().zip(&names).all(|(folder, name)| {
                    folder.as_ref().strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
                });
            folders.first().is_some_and(|first| first.as_ref() == LOG) || (is_part && is_partition)
        };
        let mut listing = self.place.store.list(None);
        loop {
            match listing.try_next().await {
                Ok(Some(file)) if is_own(&file.location) => {}
                Ok(Some(file)) => {
                    return Err(Error::Foreign {
                        place: self.place.name.clone(),
                        problem: format!("it has no `_delta_log`, and holds `{}`", file.location),
                    });
                }
                Ok(None) | Err(object_store::Error::NotFound { .. }) => return Ok(()),
                Err(source) => {
                    return Err(Error::storage("read", self.place.name.clone(), source));
                }
            }
        }
    }
}

/// What a table was at an instant.
pub(crate) enum Found {
    /// This version.
    Version(u64),
    /// The table did not exist yet, or does not exist.
    Younger {
        /// When its first version was written; none where there is no such table.
        since: Option<DateTime<Utc>>,
    },
    TooOld {
        oldest: DateTime<Utc>,
    },
}

/// Finds the newest version written at or before an instant; commits carry times that never run backwards.
pub(crate) async fn version_at(log: &Arc<Log>, at: DateTime<Utc>) -> Result<Found, Error> {
    let kept = log.listed().await?.versions;
    let Some(&first) = kept.first() else { return Ok(Found::Younger { since: None }) };
    let at = at.timestamp_millis();
    let (mut low, mut high) = (0, kept.len());
    while low < high {
        let middle = low.midpoint(high);
        if log.timestamp(kept[middle]).await? <= at { low = middle + 1 } else { high = middle }
    }
    if low > 0 {
        return Ok(Found::Version(kept[low - 1]));
    }
    let oldest = DateTime::from_timestamp_millis(log.timestamp(first).await?).unwrap_or_default();
    Ok(if first == 0 { Found::Younger { since: Some(oldest) } } else { Found::TooOld { oldest } })
}

/// Tells since when all data files are there, where an older version lacks some: upkeep removes what no kept version
/// needs, and leaves the log a little longer.
pub(crate) async fn complete_since(
    log: &Arc<Log>,
    version: u64,
) -> Result<Option<DateTime<Utc>>, Error> {
    let lacks =
        async |version| Ok::<_, Error>(log.missing_file(&*log.at(version).await?).await?.is_some());
    let newest = log.within(RECENT).await?.map(|newest| newest.version);
    if newest == Some(version) || !lacks(version).await? {
        return Ok(None);
    }
    let kept = log.listed().await?.versions;
    let (mut low, mut high) = (kept.partition_point(|own| *own <= version), kept.len());
    while low < high {
        let middle = low.midpoint(high);
        if lacks(kept[middle]).await? { low = middle + 1 } else { high = middle }
    }
    let Some(&oldest) = kept.get(low) else { return Ok(None) };
    Ok(DateTime::from_timestamp_millis(log.timestamp(oldest).await?))
}
