//! Proof that a store can hold a lake: it reads, lists, writes and deletes, and of racing puts of a new object one wins.
//!
//! A commit to a table is a put of an object that must not exist yet. A store that ignores the condition, or that
//! keeps it only while nobody races, loses commits in silence; so the race is run for real, under a prefix of its own,
//! which is removed afterwards.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Lake;
use super::error::{Error, is_of_links};
use super::store::{delete, shown};

/// Everything that probes write lies below it.
const FOLDER: &str = "_adolake/probe";
/// Objects that are fought for, one after the other.
const KEYS: usize = 20;
/// Writers that fight for each.
const WRITERS: usize = 16;
/// How often a race without a known winner is run again: a put that was repeated on its way is told that it lost.
const UNCLEAR: usize = 5;
/// What a killed probe left behind is removed by a later one after so many hours.
const STALE_HOURS: i64 = 1;

/// What a probe showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Objects that were fought for.
    pub keys: usize,
    /// Writers that fought for each.
    pub writers: usize,
    /// How long everything took.
    pub took: Duration,
}

impl Lake {
    /// Proves that the store reads, lists, writes and deletes, and that of writers who put the same new object at once
    /// exactly one wins. Whatever was written is removed again, also after a failure.
    ///
    /// # Errors
    /// Fails with [`Error::Unfit`] or [`Error::NoHardLinks`] when commits would not be safe, else as the storage fails.
    pub async fn probe(&self) -> Result<Proof, Error> {
        let begun = Instant::now();
        let probe = Probe::new(self);
        let proven = probe.prove().await;
        let removed = probe.remove().await;
        proven?;
        removed?;
        Ok(Proof { keys: KEYS, writers: WRITERS, took: begun.elapsed() })
    }

    /// Probes a store that holds no table yet; does nothing once there are some.
    ///
    /// # Errors
    /// As [`Lake::probe`]; nothing stays written then.
    pub async fn probe_if_new(&self) -> Result<(), Error> {
        for folder in self.folders(None).await? {
            // Others may have folders of such a name where the place is shared.
            let is_named = folder.filename().is_some_and(|name| self.catalog.table(name).is_some());
            if is_named
                && self
                    .folders(Some(&folder))
                    .await?
                    .iter()
                    .any(|inside| inside.filename() == Some("_delta_log"))
            {
                return Ok(());
            }
        }
        self.probe().await.map(drop)
    }

    async fn folders(&self, within: Option<&Path>) -> Result<Vec<Path>, Error> {
        match self.store.root.list_with_delimiter(within).await {
            Ok(listing) => Ok(listing.common_prefixes),
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(source) => Err(Error::storage("list", self.place(), source)),
        }
    }

    /// Returns the address for people: a path, or an address without secrets.
    #[must_use]
    pub fn place(&self) -> String {
        shown(&self.store.url)
    }
}

/// One probe under way.
struct Probe {
    root: Arc<dyn ObjectStore>,
    place: String,
    is_local: bool,
    folder: Path,
    /// Folders that a local probe may have to make, the innermost first.
    made: Vec<PathBuf>,
}

impl Probe {
    fn new(lake: &Lake) -> Self {
        let id = Uuid::new_v4().simple().to_string();
        let folder = Path::from(format!("{FOLDER}/{id}"));
        let is_local = lake.store.is_local();
        let mut made = Vec::new();
        if let (true, Ok(lake_folder)) = (is_local, lake.store.url.to_file_path()) {
            let inside = [format!("{FOLDER}/{id}"), FOLDER.to_owned(), "_adolake".to_owned()];
            made.extend(inside.iter().map(|name| lake_folder.join(name)));
            let above = lake_folder.ancestors().take_while(|folder| !folder.exists());
            made.extend(above.map(std::path::Path::to_owned));
        }
        Self { root: Arc::clone(&lake.store.root), place: lake.place(), is_local, folder, made }
    }

    async fn prove(&self) -> Result<(), Error> {
        self.remove_stale().await;
        let written = self.folder.clone().join("written");
        let bytes = Bytes::from_static(b"adolake was here");
        let put = self.root.put(&written, PutPayload::from_bytes(bytes.clone())).await;
        put.map_err(|source| self.failed("write", source))?;
        if self.read(&written).await? != bytes {
            return Err(self.unfit("an object does not hold what was just written to it"));
        }
        let listed = self.listed().await?;
        if !listed.contains(&written) {
            return Err(self.unfit("an object that was just written is not listed"));
        }
        match self.put_again(&written, Bytes::from_static(b"twice")).await? {
            Put::Lost => {}
            Put::Won => {
                return Err(self.unfit(
                    "it overwrites an object that a put asked not to exist: it has no conditional puts",
                ));
            }
        }
        for key in 0..KEYS {
            self.race(key).await?;
        }
        Ok(())
    }

    /// Lets all writers put one new object at once.
    async fn race(&self, key: usize) -> Result<(), Error> {
        for attempt in 0..UNCLEAR {
            let object = self.folder.clone().join(format!("race-{key}-{attempt}"));
            let barrier = Arc::new(Barrier::new(WRITERS));
            let mut writers = JoinSet::new();
            for writer in 0..WRITERS {
                let (root, object) = (Arc::clone(&self.root), object.clone());
                let barrier = Arc::clone(&barrier);
                writers.spawn(async move {
                    barrier.wait().await;
                    (writer, put_new(&*root, &object, writing(key, writer)).await)
                });
            }
            let mut winners = Vec::new();
            let mut failure = None;
            for (writer, put) in writers.join_all().await {
                match self.judge(put) {
                    Ok(Put::Won) => winners.push(writer),
                    Ok(Put::Lost) => {}
                    Err(error) => failure = Some(error),
                }
            }
            if winners.len() > 1 {
                return Err(self.unfit(&format!(
                    "of {WRITERS} writers that put the same new object at once, {} were told that they had won: \
                     commits would be lost",
                    winners.len()
                )));
            }
            if let Some(error) = failure {
                // Who got no answer may have won.
                if error.is_transient() && attempt + 1 < UNCLEAR {
                    continue;
                }
                return Err(error);
            }
            if let [winner] = winners[..] {
                return if self.read(&object).await? == writing(key, winner) {
                    Ok(())
                } else {
                    Err(self.unfit(
                        "after a race of writers an object holds other bytes than those of the one that won",
                    ))
                };
            }
        }
        Err(self.unfit(&format!(
            "of {WRITERS} writers that put the same new object at once, none was told that it had won"
        )))
    }

    /// Puts an object that is there already once more, as often as it takes to get an answer.
    async fn put_again(&self, object: &Path, bytes: Bytes) -> Result<Put, Error> {
        let mut attempt = 1;
        loop {
            match self.judge(put_new(&*self.root, object, bytes.clone()).await) {
                Err(error) if error.is_transient() && attempt < UNCLEAR => attempt += 1,
                other => return other,
            }
        }
    }

    /// Tells what came of a conditional put, once plain ones are known to work.
    fn judge(&self, put: object_store::Result<()>) -> Result<Put, Error> {
        let source = match put {
            Ok(()) => return Ok(Put::Won),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => return Ok(Put::Lost),
            Err(source) => source,
        };
        let is_unknown = matches!(
            source,
            object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }
        ) || source.to_string().contains("NotImplemented");
        if self.is_local {
            if is_of_links(&source) {
                return Err(Error::NoHardLinks { place: self.place.clone(), source });
            }
        } else if is_unknown {
            return Err(self.unfit("it has no conditional puts"));
        }
        Err(self.failed("write", source))
    }

    async fn read(&self, object: &Path) -> Result<Bytes, Error> {
        let failed = |source| self.failed("read", source);
        self.root.get(object).await.map_err(failed)?.bytes().await.map_err(failed)
    }

    async fn listed(&self) -> Result<Vec<Path>, Error> {
        let objects = self.root.list(Some(&self.folder)).map_ok(|object| object.location);
        objects.try_collect().await.map_err(|source| self.failed("list", source))
    }

    /// Removes everything that this probe wrote.
    async fn remove(&self) -> Result<(), Error> {
        // A store that did not take the first object has nothing to be removed, and may not even list.
        let objects = self.listed().await?;
        delete(&*self.root, objects).await.map_err(|source| self.failed("delete", source))?;
        let left = self.listed().await?;
        for folder in &self.made {
            // Only empty folders go; what is not empty belongs to somebody else.
            if std::fs::remove_dir(folder).is_err() && folder.exists() {
                break;
            }
        }
        match left.len() {
            0 => Ok(()),
            count => {
                Err(self.unfit(&format!("{count} objects that were deleted are still listed")))
            }
        }
    }

    /// Removes what a killed probe left behind; that it cannot is no finding of this one.
    async fn remove_stale(&self) {
        let folder = Path::from(FOLDER);
        let before = Utc::now() - TimeDelta::hours(STALE_HOURS);
        let stale: Vec<Path> = self
            .root
            .list(Some(&folder))
            .try_filter(|object| futures::future::ready(object.last_modified < before))
            .map_ok(|object| object.location)
            .try_collect()
            .await
            .unwrap_or_default();
        let _ = delete(&*self.root, stale).await;
    }

    fn failed(&self, doing: &'static str, source: object_store::Error) -> Error {
        Error::storage(doing, self.place.clone(), source)
    }

    fn unfit(&self, problem: &str) -> Error {
        Error::Unfit { place: self.place.clone(), problem: problem.to_owned() }
    }
}

/// What a writer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Put {
    Won,
    Lost,
}

async fn put_new(root: &dyn ObjectStore, object: &Path, bytes: Bytes) -> object_store::Result<()> {
    let options = PutOptions::from(PutMode::Create);
    root.put_opts(object, PutPayload::from_bytes(bytes), options).await.map(drop)
}

/// What a writer writes: told apart by its end, as long as a small commit.
fn writing(key: usize, writer: usize) -> Bytes {
    Bytes::from(format!("{}{key}-{writer}", "adolake ".repeat(128)))
}
