//! The lake: a folder or bucket of Delta tables, one for each schema.
//!
//! ```text
//! Change ──▶ write ──▶ log (versions, live files, fences) ──▶ read ──▶ Session (SQL on pinned versions)
//!              │                      ▲
//!              └── parts, stored ─────┘   data files: written, looked up
//! ```
//!
//! Tables are created by their first write. Readers see one version of each table for as long as they like; writers
//! commit by a put of a file that must not exist yet, and start over when they come second.

mod aws;
mod cells;
mod change;
mod error;
mod evolve;
mod file;
mod history;
mod incoming;
mod kept;
mod keys;
mod local;
mod log;
mod maintain;
mod partitions;
mod parts;
mod probe;
mod read;
mod reader;
mod reconcile;
mod rows;
mod scan;
pub mod state;
mod store;
mod stored;
mod whole;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use tokio::sync::oneshot;

pub use self::change::{Change, Complete, Written};
pub use self::error::Error;
pub(crate) use self::error::of_file;
pub(crate) use self::maintain::staged;
pub use self::maintain::{Care, Upkeep};
pub use self::partitions::Partition;
pub use self::parts::file_properties;
pub use self::probe::Proof;
pub use self::read::Session;
pub use self::rows::Rows;
pub(crate) use self::scan::{locate, rows_of};

pub(crate) use self::reconcile::ContentHash;
pub(crate) use self::store::{Store, shown};

use self::log::Log;
use crate::schema::{self, Catalog};

/// Memory that the queries of a lake may use, unless told otherwise.
const MEMORY_LIMIT: usize = 3 << 29;

/// Default of `lake.keep-versions`.
const KEEP_VERSIONS: Duration = Duration::from_secs(400 * 86_400);

/// A lake: its address and its tables.
#[derive(Debug)]
pub struct Lake {
    catalog: Arc<Catalog>,
    store: Store,
    logs: BTreeMap<String, Arc<Log>>,
    memory_limit: usize,
    runtime: OnceLock<Arc<RuntimeEnv>>,
}

impl Lake {
    /// Opens a lake at a file path or at the address of an object store; nothing is created or contacted yet.
    ///
    /// # Errors
    /// Fails when the address or an option cannot be used, or a file is in the way.
    pub fn open(
        url: &str,
        options: &BTreeMap<String, String>,
        keep_versions: Duration,
        catalog: Arc<Catalog>,
    ) -> Result<Self, Error> {
        Self::on_store(Store::open(url, options)?, keep_versions, catalog)
    }

    /// Opens a lake on a store of the caller's own; `url` is only said in messages.
    ///
    /// # Errors
    /// Fails when a table's name cannot be part of an address.
    pub fn on(
        root: Arc<dyn object_store::ObjectStore>,
        url: url::Url,
        keep_versions: Duration,
        catalog: Arc<Catalog>,
    ) -> Result<Self, Error> {
        Self::on_store(Store { root, url }, keep_versions, catalog)
    }

    fn on_store(
        store: Store,
        keep_versions: Duration,
        catalog: Arc<Catalog>,
    ) -> Result<Self, Error> {
        let keys = Arc::default();
        let logs = catalog
            .tables()
            .map(|table| {
                let log = Log::new(table, store.place(&table.name)?, &keys, keep_versions);
                Ok((table.name.clone(), Arc::new(log)))
            })
            .collect::<Result<_, Error>>()?;
        let runtime = OnceLock::new();
        Ok(Self { catalog, store, logs, memory_limit: MEMORY_LIMIT, runtime })
    }

    /// Opens an empty lake that lives as long as the value.
    ///
    /// # Errors
    /// Fails when a table's name cannot be part of an address.
    pub fn in_memory(catalog: Arc<Catalog>) -> Result<Self, Error> {
        Self::open("memory:///", &BTreeMap::new(), KEEP_VERSIONS, catalog)
    }

    /// Sets how much memory all queries together may use before they spill to disk, in bytes.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// Returns the tables that the lake may hold.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Returns the address, ending with a slash.
    pub fn url(&self) -> &url::Url {
        &self.store.url
    }

    /// Writes a change as at most one commit; without one where nothing differs from what is stored.
    ///
    /// # Errors
    /// Fails when rows do not fit the table, the table is not one of this adolake, the storage fails, or other runs
    /// keep winning the race. Nothing is changed then.
    pub async fn write(&self, change: Change<'_>) -> Result<Written, Error> {
        let log = self.log(change.table)?;
        write::write(log, change, None).await
    }

    /// Does the same in two steps: data files are written at once, the commit is made when `ready` says so. Where it never
    /// will, because the sender is dropped, there is no commit.
    ///
    /// # Errors
    /// Fails as [`write`](Self::write) does.
    pub async fn write_when(
        &self,
        ready: oneshot::Receiver<()>,
        change: Change<'_>,
    ) -> Result<Written, Error> {
        let log = self.log(change.table)?;
        write::write(log, change, Some(ready)).await
    }

    /// Brings the metadata of all stored tables up to date with their schemas: new columns are added.
    ///
    /// # Errors
    /// Fails when a table is not one of this adolake or the storage fails.
    pub async fn renew_tables(&self) -> Result<(), Error> {
        futures::future::try_join_all(self.logs.values().map(|log| write::renew(log))).await?;
        Ok(())
    }

    /// Returns a folder of the lake that is no table.
    pub(crate) fn folder(&self, name: &str) -> Result<Store, Error> {
        self.store.folder(name)
    }

    fn log(&self, table: &str) -> Result<&Arc<Log>, Error> {
        let missing = || Error::Schema(schema::Error::NoTable { table: table.to_owned() });
        self.logs.get(table).ok_or_else(missing)
    }
}
