//! Stores that cannot hold a lake: they are told apart, refused before anything is written, and left as they were.

use std::collections::BTreeSet;
use std::fmt;
use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use adolake::hint::Hint;
use adolake::lake::Error;
use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path as Location;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use url::Url;

use super::*;

/// How a store misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Not at all.
    Good,
    /// A put of what must not exist overwrites it.
    IgnoresConditions,
    /// It looks whether the object exists, and puts it a moment later.
    LosesRaces,
    /// It says that it does not know such puts.
    HasNoConditions,
    /// It answers as a file system without hard links.
    HasNoLinks,
    /// Nothing may be written.
    ReadOnly,
    /// Everyone who puts is told that somebody else was first.
    NobodyWins,
    /// Nothing may be deleted.
    KeepsEverything,
    /// Every first request of a kind arrives, and its answer is lost on the way.
    LosesAnswers,
}

/// How a client tells that a connection broke off.
fn broken_off() -> object_store::Error {
    let source = Box::new(std::io::Error::from(ErrorKind::ConnectionReset));
    object_store::Error::Generic { store: "S3", source }
}

/// A store in memory with a manner.
#[derive(Debug)]
pub struct Store {
    pub inner: InMemory,
    pub manner: Manner,
    /// Objects, whichever attempt, of which the answer to a put was lost.
    lost_puts: Mutex<BTreeSet<String>>,
    has_lost_delete: AtomicBool,
}

impl Store {
    pub fn new(manner: Manner) -> Arc<Self> {
        let (lost_puts, has_lost_delete) = Default::default();
        Arc::new(Self { inner: InMemory::new(), manner, lost_puts, has_lost_delete })
    }

    pub fn lake(self: &Arc<Self>, url: &str) -> Lake {
        let root = Arc::clone(self) as Arc<dyn ObjectStore>;
        Lake::on(root, Url::parse(url).unwrap(), 400 * DAY, catalog()).unwrap()
    }

    pub async fn objects(&self) -> Vec<String> {
        let objects: Vec<ObjectMeta> = self.inner.list(None).try_collect().await.unwrap();
        objects.into_iter().map(|object| object.location.to_string()).collect()
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.manner)
    }
}

fn denied(location: &Location) -> object_store::Error {
    let (path, source) = (location.to_string(), "not allowed".into());
    object_store::Error::PermissionDenied { path, source }
}

fn taken(location: &Location) -> object_store::Error {
    let (path, source) = (location.to_string(), "taken".into());
    object_store::Error::AlreadyExists { path, source }
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(
        &self,
        location: &Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let overwrite = PutOptions::from(PutMode::Overwrite);
        let is_new = options.mode == PutMode::Create;
        match self.manner {
            Manner::ReadOnly => Err(denied(location)),
            Manner::IgnoresConditions => self.inner.put_opts(location, payload, overwrite).await,
            Manner::LosesRaces if is_new => {
                if self.inner.head(location).await.is_ok() {
                    return Err(taken(location));
                }
                tokio::task::yield_now().await;
                self.inner.put_opts(location, payload, overwrite).await
            }
            Manner::NobodyWins if is_new => {
                self.inner.put_opts(location, payload, overwrite).await?;
                Err(taken(location))
            }
            Manner::HasNoConditions if is_new => {
                let (operation, implementer) = ("put if absent".to_owned(), self.to_string());
                Err(object_store::Error::NotImplemented { operation, implementer })
            }
            Manner::LosesAnswers if is_new => {
                let put = self.inner.put_opts(location, payload, options).await;
                // In a race that is the answer to the winner; the next attempt has an object of its own.
                let name = location.as_ref();
                let race = name.rsplit_once('-').filter(|_| name.contains("/race-"));
                let object = race.map_or(name, |(race, _)| race).to_owned();
                let is_first = self.lost_puts.lock().unwrap().insert(object);
                if is_first { Err(broken_off()) } else { put }
            }
            Manner::HasNoLinks if is_new => {
                let source = Box::new(std::io::Error::from(ErrorKind::Unsupported));
                Err(object_store::Error::Generic { store: "LocalFileSystem", source })
            }
            _ => self.inner.put_opts(location, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Location,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(
        &self,
        location: &Location,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Location>>,
    ) -> BoxStream<'static, object_store::Result<Location>> {
        if self.manner == Manner::KeepsEverything {
            return locations.map(|location| Err(denied(&location?))).boxed();
        }
        if self.manner == Manner::LosesAnswers && !self.has_lost_delete.swap(true, Relaxed) {
            return self.inner.delete_stream(locations).take(1).map(|_| Err(broken_off())).boxed();
        }
        self.inner.delete_stream(locations)
    }

    fn list(
        &self,
        prefix: Option<&Location>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(
        &self,
        prefix: Option<&Location>,
    ) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Location,
        to: &Location,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

async fn refused(manner: Manner) -> Error {
    let store = Store::new(manner);
    let error = store.lake("s3://bucket/lake/").probe().await.unwrap_err();
    assert!(!error.hints().is_empty() && !error.is_transient(), "{error}");
    if manner != Manner::KeepsEverything {
        assert_eq!(store.objects().await, [""; 0], "{manner:?}");
    }
    error
}

#[tokio::test]
async fn a_good_store_is_proven_and_left_empty() {
    let store = Store::new(Manner::Good);
    let proof = store.lake("s3://bucket/lake/").probe().await.unwrap();
    assert_eq!((proof.keys, proof.writers), (20, 16));
    assert_eq!(store.objects().await, [""; 0]);
}

#[tokio::test]
async fn a_store_that_ignores_the_condition_is_refused() {
    let error = refused(Manner::IgnoresConditions).await;
    assert!(matches!(error, Error::Unfit { .. }), "{error:?}");
    insta::assert_snapshot!(error, @"`s3://bucket/lake/` cannot hold a lake: it overwrites an object that a put asked not to exist: it has no conditional puts");
}

#[tokio::test]
async fn a_store_that_keeps_the_condition_only_in_sequence_is_refused() {
    let error = refused(Manner::LosesRaces).await;
    assert!(matches!(error, Error::Unfit { .. }), "{error:?}");
    insta::assert_snapshot!(error, @"`s3://bucket/lake/` cannot hold a lake: of 16 writers that put the same new object at once, 16 were told that they had won: commits would be lost");
}

#[tokio::test]
async fn stores_without_conditional_puts_are_refused() {
    let error = refused(Manner::HasNoConditions).await;
    assert!(error.to_string().ends_with("it has no conditional puts"), "{error}");
    let error = refused(Manner::NobodyWins).await;
    assert!(error.to_string().ends_with("none was told that it had won"), "{error}");
}

#[tokio::test]
async fn what_may_not_be_written_or_deleted_is_told_as_such() {
    let error = refused(Manner::ReadOnly).await;
    assert!(matches!(error, Error::NotWritable { .. }), "{error:?}");
    let error = refused(Manner::KeepsEverything).await;
    assert!(matches!(error, Error::NotDeletable { .. }), "{error:?}");
}

#[tokio::test]
async fn lost_answers_say_nothing_against_a_store() {
    let store = Store::new(Manner::LosesAnswers);
    let proof = store.lake("s3://bucket/lake/").probe().await.unwrap();
    assert_eq!(store.lost_puts.lock().unwrap().len(), proof.keys + 1);
    assert!(store.has_lost_delete.load(Relaxed));
    assert_eq!(store.objects().await, [""; 0]);
}

#[tokio::test]
async fn a_file_system_without_hard_links_is_refused_with_that_reason() {
    let folder = tempfile::tempdir().unwrap();
    let url = Url::from_directory_path(folder.path().join("lake")).unwrap();
    let store = Store::new(Manner::HasNoLinks);
    let error = store.lake(url.as_str()).probe().await.unwrap_err();
    assert!(matches!(error, Error::NoHardLinks { .. }), "{error:?}");
    assert!(error.to_string().ends_with("its file system has no hard links, which commits need"));
    assert_eq!(store.objects().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_proven_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/lake");
    open(&deep).probe().await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("mine.txt"), "mine").unwrap();
    open(&deep).probe().await.unwrap();
    assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_written_fails_the_probe() {
    let error = open(Path::new("/sys/adolake")).probe().await.unwrap_err();
    assert!(matches!(error, Error::NotWritable { .. }), "{error:?}");
}

#[tokio::test]
async fn only_a_store_without_tables_is_probed_of_itself() {
    let store = Store::new(Manner::IgnoresConditions);
    let lake = store.lake("s3://bucket/lake/");
    assert!(lake.probe_if_new().await.is_err());
    let commit = Location::from("projects/_delta_log/00000000000000000000.json");
    store.inner.put(&commit, PutPayload::from_static(b"{}")).await.unwrap();
    lake.probe_if_new().await.unwrap();
}

#[tokio::test]
async fn folders_of_others_with_the_name_of_a_table_are_no_tables() {
    let store = Store::new(Manner::IgnoresConditions);
    let other = Location::from("users/anna.csv");
    store.inner.put(&other, PutPayload::from_static(b"x")).await.unwrap();
    assert!(store.lake("s3://bucket/lake/").probe_if_new().await.is_err());
}

#[tokio::test]
async fn a_new_lake_on_a_disk_without_hard_links_is_refused_for_that_reason() {
    let disk = Store::new(Manner::HasNoLinks);
    let error = disk.lake("file:///nowhere/lake/").probe_if_new().await.unwrap_err();
    assert!(matches!(error, Error::NoHardLinks { .. }), "{error}");
    assert!(disk.objects().await.is_empty());
}

#[tokio::test]
async fn what_a_killed_probe_left_is_no_obstacle() {
    let store = Store::new(Manner::Good);
    let left = Location::from("_adolake/probe/0123/race-1-0");
    store.inner.put(&left, PutPayload::from_static(b"x")).await.unwrap();
    store.lake("s3://bucket/lake/").probe().await.unwrap();
    // It is young: its probe may still run.
    assert_eq!(store.objects().await, ["_adolake/probe/0123/race-1-0"]);
}
