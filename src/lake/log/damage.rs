//! Finds out which file of a log is damaged, once the log cannot be read.

use std::collections::BTreeSet;

use bytes::Bytes;
use deltalake::DeltaTableError;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Log;
use crate::lake::error::{Error, is_of_store};
use crate::lake::history::{LOG, LogFile, LogKind};

const RESTORE: &str = "restore it from a copy; without it what it wrote is not known";
const FORGET: &str = "remove it: readers then look for checkpoints themselves";
const DROP: &str =
    "remove it and `_last_checkpoint`: all commits are there, so that nothing is lost";

impl Log {
    /// Names the damaged file where the log could not be read up to a version for another reason than that the store
    /// failed.
    pub(super) async fn damaged(&self, last: u64, error: DeltaTableError) -> Error {
        let is_own = !matches!(error, DeltaTableError::ObjectStore { .. }) && !is_of_store(&error);
        let found = if is_own { self.find_damage(last).await } else { None };
        found.unwrap_or_else(|| self.unreadable(error))
    }

    /// An error that says which file of the log is damaged.
    pub(super) fn damage(&self, file: &str, problem: impl Into<String>, remedy: &str) -> Error {
        Error::Damaged {
            table: self.table.name.clone(),
            file: format!("{LOG}/{file}"),
            problem: problem.into(),
            remedy: remedy.to_owned(),
        }
    }

    /// The same of a commit.
    pub(super) fn damaged_commit(&self, version: u64, problem: impl Into<String>) -> Error {
        self.damage(&format!("{version:020}.json"), problem, RESTORE)
    }

    async fn find_damage(&self, last: u64) -> Option<Error> {
        // Before the listing: a checkpoint that is written meanwhile is there before it is named.
        let named = self.last_checkpoint().await;
        let files: Vec<ObjectMeta> =
            self.place.store.list(Some(&Path::from(LOG))).try_collect().await.ok()?;
        let of = |kind: LogKind| {
            let read =
                move |file: &ObjectMeta| LogFile::of(&file.location).filter(|own| own.kind == kind);
            files.iter().filter_map(move |file| Some((read(file)?.version, file)))
        };
        let commits: BTreeSet<u64> = of(LogKind::Commit).map(|(version, _)| version).collect();
        let newest = *commits.last()?;
        if let Some(named) = named
            && of(LogKind::Checkpoint).all(|(version, _)| version != named)
        {
            return Some(self.misnamed(named));
        }
        let begun = of(LogKind::Checkpoint).map(|(version, _)| version).filter(|own| *own <= last);
        let begun = begun.max();
        let is_whole = commits.len() as u64 == newest + 1;
        for (_, file) in of(LogKind::Checkpoint).filter(|(version, _)| Some(*version) == begun) {
            if let Err(problem) = self.decode(file).await {
                let remedy = if is_whole { DROP } else { RESTORE };
                return Some(self.damage(file.location.filename()?, problem, remedy));
            }
        }
        for version in begun.map_or(0, |version| version + 1)..=newest.min(last) {
            match self.read_commit(version).await {
                Ok(Some(_)) => {}
                Ok(None) => return Some(self.damaged_commit(version, "it is missing")),
                Err(error) => return Some(error),
            }
        }
        None
    }

    /// Fails where `_last_checkpoint` names a checkpoint that is not there: this reader does without, others do not.
    pub(crate) async fn check_checkpoint(&self) -> Result<(), Error> {
        let Some(version) = self.last_checkpoint().await else { return Ok(()) };
        let is_there = self.listed().await?.checkpoints.contains(&version);
        if is_there { Ok(()) } else { Err(self.misnamed(version)) }
    }

    fn misnamed(&self, version: u64) -> Error {
        let problem = format!("it names a checkpoint of version {version}, which is not there");
        self.damage("_last_checkpoint", problem, FORGET)
    }

    /// The version that `_last_checkpoint` names.
    async fn last_checkpoint(&self) -> Option<u64> {
        let hint = Path::from(format!("{LOG}/_last_checkpoint"));
        let bytes = self.place.store.get(&hint).await.ok()?.bytes().await.ok()?;
        serde_json::from_slice::<serde_json::Value>(&bytes).ok()?["version"].as_u64()
    }

    /// Decodes a checkpoint as a whole.
    async fn decode(&self, file: &ObjectMeta) -> Result<(), String> {
        let fetched = async { self.place.store.get(&file.location).await?.bytes().await };
        // What the store does not give away now is no damage.
        let Ok(bytes): Result<Bytes, _> = fetched.await else { return Ok(()) };
        let rows = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(|error| error.to_string())?;
        rows.into_iter().try_for_each(|batch| batch.map(drop).map_err(|error| error.to_string()))
    }
}
