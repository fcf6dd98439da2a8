//! Finds out which file of a log is damaged, once the log cannot be read.

use std::collections::BTreeMap;

use bytes::Bytes;
use deltalake::DeltaTableError;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Log;
use crate::lake::error::{Error, is_of_store};

const RESTORE: &str = "restore it from a copy; without it what it wrote is not known";
const FORGET: &str = "remove it: readers then look for checkpoints themselves";
const DROP: &str =
    "remove it and `_last_checkpoint`: all commits are there, so that nothing is lost";

impl Log {
    /// Names the damaged file where the log could not be read for another reason than that the store failed.
    pub(super) async fn damaged(&self, error: DeltaTableError) -> Error {
        let is_own = !matches!(error, DeltaTableError::ObjectStore { .. }) && !is_of_store(&error);
        let found = if is_own { self.find_damage().await } else { None };
        found.unwrap_or_else(|| self.unreadable(error))
    }

    /// An error that says which file of the log is damaged.
    pub(super) fn damage(&self, file: &str, problem: impl Into<String>, remedy: &str) -> Error {
        Error::Damaged {
            table: self.table.name.clone(),
            file: format!("_delta_log/{file}"),
            problem: problem.into(),
            remedy: remedy.to_owned(),
        }
    }

    /// The same of a commit.
    pub(super) fn damaged_commit(&self, version: u64, problem: impl Into<String>) -> Error {
        self.damage(&format!("{version:020}.json"), problem, RESTORE)
    }

    async fn find_damage(&self) -> Option<Error> {
        let folder = Path::from("_delta_log");
        let files: Vec<ObjectMeta> =
            self.place.store.list(Some(&folder)).try_collect().await.ok()?;
        let numbered = |end: &str| -> BTreeMap<u64, &ObjectMeta> {
            let version = |file: &ObjectMeta| {
                file.location
                    .filename()?
                    .strip_suffix(end)
                    .filter(|text| text.len() == 20)?
                    .parse()
                    .ok()
            };
            files.iter().filter_map(|file| Some((version(file)?, file))).collect()
        };
        let (commits, checkpoints) = (numbered(".json"), numbered(".checkpoint.parquet"));
        let newest = *commits.keys().next_back()?;
        let is_whole = commits.len() as u64 == newest + 1;
        if let Some(named) = self.last_checkpoint().await
            && !checkpoints.contains_key(&named)
        {
            let problem = format!("it names a checkpoint of version {named}, which is not there");
            return Some(self.damage("_last_checkpoint", problem, FORGET));
        }
        if let Some((version, file)) = checkpoints.last_key_value()
            && let Err(problem) = self.decode(file).await
        {
            let remedy = if is_whole { DROP } else { RESTORE };
            return Some(self.damage(
                &format!("{version:020}.checkpoint.parquet"),
                problem,
                remedy,
            ));
        }
        let first = checkpoints.last_key_value().map_or(0, |(version, _)| version + 1);
        for version in first..=newest {
            match self.read_commit(version).await {
                Ok(Some(_)) => {}
                Ok(None) => return Some(self.damaged_commit(version, "it is missing")),
                Err(error) => return Some(error),
            }
        }
        None
    }

    /// The version that `_last_checkpoint` names.
    async fn last_checkpoint(&self) -> Option<u64> {
        let hint = Path::from("_delta_log/_last_checkpoint");
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
