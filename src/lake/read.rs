//! Sessions: all tables at pinned versions, ready for SQL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::future::try_join_all;
use url::Url;

use super::Lake;
use super::error::Error;
use super::history::{Found, complete_since, version_at};
use super::log::{Log, RECENT, Snapshot};
use super::scan::LakeTable;
use super::store::ENGINE_URL;

/// Tables in the order in which readers fix their versions: what is written last comes first, so that whoever sees a
/// run sees its rows, and whoever sees a parent sees its children. All other tables follow.
const FIRST: [&[&str]; 4] = [
    &["check_runs", "sync_runs", "population_counts"],
    &["pull_requests"],
    &["pipeline_runs"],
    &["organizations", "projects", "repositories"],
];

/// Bytes from the end of a file that are fetched to find its footer: small files are fetched whole.
const FOOTER_BYTES: usize = 512 << 10;

/// All tables of the catalog at pinned versions.
#[derive(Clone)]
pub struct Session {
    /// The context in which the tables are registered under their names.
    pub ctx: SessionContext,
    /// Version read of each table; those that do not exist are missing, and empty in the context.
    pub versions: BTreeMap<String, i64>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("versions", &self.versions).finish_non_exhaustive()
    }
}

impl Lake {
    /// Opens a session on the newest version of every table, parents fixed before their children.
    ///
    /// # Errors
    /// Fails when a table cannot be read, or is not one of this adolake.
    pub async fn session(&self) -> Result<Session, Error> {
        self.open_session(self.pin(|_| true, Duration::ZERO).await?)
    }

    /// Opens a session as [`Lake::session`] does, for one query: of the tables that its text does not name nothing is
    /// asked, and they are missing. What other processes committed within the last seconds may be missing, too: on an
    /// object store every look costs a request. Whoever writes looks again.
    ///
    /// # Errors
    /// As [`Lake::session`].
    pub async fn session_for(&self, query: &str) -> Result<Session, Error> {
        self.open_session(self.pin(|table| query.contains(table), RECENT).await?)
    }

    /// Returns how many commits have changed rows of an organization in a table, 0 where there is no table; none where they
    /// were not counted.
    ///
    /// # Errors
    /// Fails when the log cannot be read.
    pub async fn transaction(&self, table: &str, organization: &str) -> Result<Option<i64>, Error> {
        let log = self.log(table)?;
        let Some(snapshot) = log.within(RECENT).await? else { return Ok(Some(0)) };
        let number = log.fence(&snapshot, &log.rows_id(organization)).await?;
        Ok((number > 0).then_some(number))
    }

    /// Fails where a table is not one of this adolake; whatever else is wrong with one shows when it is used.
    ///
    /// # Errors
    /// Fails with the first table that was written by a newer adolake, cannot be read as its schema says, or is foreign.
    pub async fn check_tables(&self) -> Result<(), Error> {
        let mut absent = Vec::new();
        for (name, look) in self.inspect().await {
            match look {
                Err(
                    error @ (Error::Foreign { .. }
                    | Error::Newer { .. }
                    | Error::Incompatible { .. }
                    | Error::Changed { .. }),
                ) => return Err(error),
                Ok(None) => absent.push(self.log(&name)?),
                _ => {}
            }
        }
        try_join_all(absent.into_iter().map(|log| log.check_vacant())).await?;
        Ok(())
    }

    /// Fails where something foreign stands in the place of a table that a session does not know.
    ///
    /// # Errors
    /// Fails with the first such place, or when the store cannot be read.
    pub async fn check_absent(&self, session: &Session) -> Result<(), Error> {
        let absent = self.logs.iter().filter(|(name, _)| !session.versions.contains_key(*name));
        try_join_all(absent.map(|(_, log)| log.check_vacant())).await?;
        Ok(())
    }

    /// Fails where something foreign stands in the place of a table that does not exist yet.
    ///
    /// # Errors
    /// Fails with the first such place, or when the store cannot be read.
    pub async fn check_vacant(&self, table: &str) -> Result<(), Error> {
        self.log(table)?.check_vacant().await
    }

    /// Fixes the newest version of the tables that are wanted, parents before their children.
    async fn pin(
        &self,
        is_wanted: impl Fn(&str) -> bool,
        age: Duration,
    ) -> Result<Vec<(&Arc<Log>, Option<Arc<Snapshot>>)>, Error> {
        let mut pinned = Vec::with_capacity(self.logs.len());
        for group in FIRST {
            let logs = group.iter().filter(|name| is_wanted(name));
            let logs = logs.filter_map(|name| self.logs.get(*name));
            pinned.extend(try_join_all(logs.map(|log| pin(log, age))).await?);
        }
        let is_rest = |name: &str| !FIRST.iter().any(|group| group.contains(&name));
        let rest = self.logs.iter().filter(|(name, _)| is_rest(name) && is_wanted(name));
        pinned.extend(try_join_all(rest.map(|(_, log)| pin(log, age))).await?);
        Ok(pinned)
    }

    /// Looks at every table by itself: its newest version, none where there is no such table yet, or why it cannot be
    /// read; sorted by name.
    pub async fn inspect(&self) -> Vec<(String, Result<Option<u64>, Error>)> {
        let look = |(name, log): (&String, &Arc<Log>)| {
            let (name, log) = (name.clone(), Arc::clone(log));
            async move {
                let latest = log.latest().await;
                (name, latest.map(|snapshot| snapshot.map(|snapshot| snapshot.version)))
            }
        };
        futures::future::join_all(self.logs.iter().map(look)).await
    }

    /// Fails where the log of a table names a checkpoint that is not there.
    ///
    /// # Errors
    /// Fails with the first such table, or when the store cannot be read.
    pub async fn check_checkpoint(&self, table: &str) -> Result<(), Error> {
        self.log(table)?.check_checkpoint().await
    }

    /// Opens a session on stored versions; tables that are not named are empty.
    ///
    /// # Errors
    /// Fails when a version is gone, or a table cannot be read.
    pub async fn session_at(&self, versions: &BTreeMap<String, i64>) -> Result<Session, Error> {
        let pinned = self.logs.iter().map(|(name, log)| async move {
            let snapshot = match versions.get(name) {
                Some(&version) => {
                    let gone = |_| Error::VersionGone { table: name.clone(), version };
                    Some(log.at(u64::try_from(version).map_err(gone)?).await?)
                }
                None => None,
            };
            Ok::<_, Error>((log, snapshot))
        });
        self.open_session(try_join_all(pinned).await?)
    }

    /// Finds the version of each table that was the newest at an instant; tables younger than it are missing.
    ///
    /// # Errors
    /// Fails when the instant lies before what a table keeps, naming the oldest instant that all can answer for, or before
    /// the first table.
    pub async fn versions_at(&self, at: DateTime<Utc>) -> Result<BTreeMap<String, i64>, Error> {
        let found = try_join_all(self.logs.values().map(|log| version_at(log, at))).await?;
        let oldest = found.iter().filter_map(|found| match found {
            Found::TooOld { oldest } => Some(*oldest),
            Found::Version(_) | Found::Younger { .. } => None,
        });
        if let Some(oldest) = oldest.max() {
            return Err(Error::TooOld { at, oldest });
        }
        let births = found.iter().map(|found| match found {
            Found::Younger { since } => *since,
            Found::Version(_) | Found::TooOld { .. } => Some(DateTime::UNIX_EPOCH),
        });
        if let Some(oldest) = births.flatten().min().filter(|oldest| *oldest > at) {
            return Err(Error::TooOld { at, oldest });
        }
        let since = self.logs.values().zip(&found).map(async |(log, found)| match found {
            Found::Version(version) => complete_since(log, *version).await,
            Found::TooOld { .. } | Found::Younger { .. } => Ok(None),
        });
        if let Some(oldest) = try_join_all(since).await?.into_iter().flatten().max() {
            return Err(Error::TooOld { at, oldest });
        }
        let versions = self.logs.keys().zip(found).filter_map(|(name, found)| match found {
            Found::Version(version) => Some((name.clone(), i64::try_from(version).ok()?)),
            Found::TooOld { .. } | Found::Younger { .. } => None,
        });
        Ok(versions.collect())
    }

    /// Looks for a data file of stored versions that is not there any more; returns its table and path.
    ///
    /// # Errors
    /// Fails when a version is gone, or a table cannot be read.
    pub async fn missing_file(
        &self,
        versions: &BTreeMap<String, i64>,
    ) -> Result<Option<(String, String)>, Error> {
        for (name, &version) in versions {
            let Some(log) = self.logs.get(name) else { continue };
            let gone = |_| Error::VersionGone { table: name.clone(), version };
            let snapshot = log.at(u64::try_from(version).map_err(gone)?).await?;
            if let Some(path) = log.missing_file(&snapshot).await? {
                return Ok(Some((name.clone(), path)));
            }
        }
        Ok(None)
    }

    pub(super) fn open_session(
        &self,
        pinned: Vec<(&Arc<Log>, Option<Arc<Snapshot>>)>,
    ) -> Result<Session, Error> {
        let failed = |source| Error::Query {
            doing: "open a session on the lake".into(),
            source: Box::new(source),
        };
        let mut config = SessionConfig::new()
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(true);
        let options = config.options_mut();
        // Results keep the types that the query names, whatever the default of the engine's next version.
        options.sql_parser.map_string_types_to_utf8view = false;
        options.execution.time_zone = Some("UTC".into());
        options.execution.parquet.pushdown_filters = true;
        options.execution.parquet.metadata_size_hint = Some(FOOTER_BYTES);
        options.execution.parquet.reorder_filters = true;
        let ctx = SessionContext::new_with_config_rt(config, self.runtime().map_err(failed)?);
        let mut versions = BTreeMap::new();
        for (log, snapshot) in pinned {
            let name = log.table.name.as_str();
            if let Some(version) =
                snapshot.as_ref().and_then(|snapshot| i64::try_from(snapshot.version).ok())
            {
                versions.insert(name.to_owned(), version);
            }
            ctx.register_table(name, Arc::new(LakeTable::new(log, snapshot))).map_err(failed)?;
        }
        Ok(Session { ctx, versions })
    }

    /// Returns what all sessions share: memory, spill files, the footers of files once read.
    fn runtime(&self) -> Result<Arc<RuntimeEnv>, DataFusionError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(Arc::clone(runtime));
        }
        let runtime =
            RuntimeEnvBuilder::new().with_memory_limit(self.memory_limit, 1.0).build_arc()?;
        let url =
            Url::parse(ENGINE_URL).map_err(|error| DataFusionError::External(Box::new(error)))?;
        runtime.register_object_store(&url, Arc::clone(&self.store.root));
        Ok(Arc::clone(self.runtime.get_or_init(|| runtime)))
    }
}

async fn pin(log: &Arc<Log>, age: Duration) -> Result<(&Arc<Log>, Option<Arc<Snapshot>>), Error> {
    Ok((log, log.within(age).await?))
}
