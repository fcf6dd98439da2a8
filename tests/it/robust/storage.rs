//! Stores that are full, read-only, or fail for a while.

use std::fmt;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use adolake::extract::Resource;
use adolake::lake::Lake;
use adolake::schema::Catalog;
use adolake::sync::{Error, Options};
use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as StorePath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::process::Command;

use super::{Calm, assert_same};
use crate::support::siege::{Place, content};

/// Whoever is nobody on every system.
const NOBODY: u32 = 65_534;

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a sync that may write files up to a size only, in blocks of 512 bytes: beyond it writes fail, as on a full disk.
async fn limited(calm: &Calm, place: &Place, blocks: usize) -> Output {
    let plain = place.sync(&calm.simulator);
    let plain = plain.as_std();
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(plain.get_program());
    dressed(command, plain, place).output().await.unwrap()
}

/// Gives a command what another one has: arguments, environment and folder.
fn dressed(mut command: Command, like: &std::process::Command, place: &Place) -> Command {
    command.args(like.get_args()).env_clear().current_dir(place.path("."));
    for (name, value) in like.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_a_sync_and_the_next_goes_on() {
    let calm = Calm::new().await;
    let place = Place::new(&calm.simulator);
    for blocks in [0, 1, 8, 16, 40] {
        let output = limited(&calm, &place, blocks).await;
        assert_eq!(output.status.code(), Some(3), "{blocks} blocks: {}", told(&output));
        assert!(told(&output).contains("cannot write"), "{blocks} blocks: {}", told(&output));
        place.content().await;
    }
    let output = place.synced(&calm.simulator).await;
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_same!(&calm.content, &place.content().await, "after a full disk");
}

/// Gives a folder and all in it to somebody, or takes the right to write there.
fn permit(folder: &Path, mode: u32) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            permit(&path, mode);
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs a sync as somebody whom permissions bind, which they do not bind root.
async fn as_nobody(calm: &Calm, place: &Place) -> Output {
    let mut plain = place.sync(&calm.simulator);
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
        return plain.output().await.unwrap();
    }
    // The build folder may be below a home that is closed to others.
    let program = place.path("adolake");
    if !program.exists() {
        fs::copy(plain.as_std().get_program(), &program).unwrap();
    }
    let mut command = dressed(Command::new(program), plain.as_std(), place);
    command.uid(NOBODY).gid(NOBODY).output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_cannot_be_written_is_named_and_left_as_it_is() {
    let calm = Calm::new().await;
    let place = Place::new(&calm.simulator);
    fs::set_permissions(place.path("."), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(place.path("lake")).unwrap();
    permit(&place.path("lake"), 0o555);
    let output = as_nobody(&calm, &place).await;
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("the right to write there"), "{}", told(&output));
    // The store fails for a while in the middle of a sync.
    permit(&place.path("lake"), 0o777);
    let from = calm.simulator.arrived();
    let (output, ()) = tokio::join!(as_nobody(&calm, &place), async {
        calm.simulator.wait_for(from + calm.requests / 3).await;
        permit(&place.path("lake"), 0o555);
    });
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    permit(&place.path("lake"), 0o777);
    let output = as_nobody(&calm, &place).await;
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_same!(&calm.content, &place.content().await, "after a read-only lake");
}

/// A store in which everything from some write on fails for a while.
#[derive(Debug)]
struct Failing {
    inner: InMemory,
    /// Writes until it fails.
    left: AtomicI64,
    /// Reads and writes that fail then.
    lasts: i64,
    /// Whether the first that fails is done all the same, and only its answer lost.
    is_unclear: bool,
    failed: AtomicUsize,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that fails for a while")
    }
}

impl Failing {
    fn failure() -> object_store::Error {
        object_store::Error::Generic { store: "test", source: "the store is not there".into() }
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(
        &self,
        location: &StorePath,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if (1 - self.lasts..=0).contains(&left) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            if self.is_unclear && left == 0 {
                self.inner.put_opts(location, payload, options).await?;
            }
            return Err(Self::failure());
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &StorePath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &StorePath, options: GetOptions) -> Result<GetResult> {
        // A write begins it.
        if (1 - self.lasts..0).contains(&self.left.load(Ordering::SeqCst)) {
            self.left.fetch_sub(1, Ordering::SeqCst);
            return Err(Self::failure());
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<StorePath>>,
    ) -> BoxStream<'static, Result<StorePath>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&StorePath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&StorePath>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &StorePath,
        to: &StorePath,
        options: CopyOptions,
    ) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Opens a lake on a store.
fn on(store: Arc<dyn ObjectStore>, catalog: &Arc<Catalog>) -> Lake {
    let url = url::Url::parse("memory:///").unwrap();
    let keep = std::time::Duration::from_secs(400 * 86_400);
    Lake::on(store, url, keep, Arc::clone(catalog)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_at_any_write_loses_nothing() {
    let simulator = crate::sync::world().await;
    let config = crate::sync::config("2026-06-01", "");
    let catalog = Arc::new(Catalog::embedded().unwrap());
    let calm = Arc::new(Lake::in_memory(Arc::clone(&catalog)).unwrap());
    crate::sync::synced(&simulator, &config, &calm).await;
    let expected = content(&calm).await;
    for (at, is_unclear) in [(1, false), (9, true), (23, false), (40, true), (58, true)] {
        let store = Arc::new(Failing {
            inner: InMemory::new(),
            left: AtomicI64::new(i64::MAX),
            lasts: 3,
            is_unclear,
            failed: AtomicUsize::default(),
        });
        let lake = Arc::new(on(store.clone(), &catalog));
        // A store is tried before it first holds a lake; what fails here is to be the sync.
        let few = Options { resources: vec![Resource::Organizations], ..Options::default() };
        let input =
            crate::sync::input(&simulator, &config, &lake, Arc::new(adolake::event::Silent));
        adolake::sync::sync(input, &few).await.unwrap();
        store.left.store(at, Ordering::SeqCst);
        let mut failures = 0;
        loop {
            let input =
                crate::sync::input(&simulator, &config, &lake, Arc::new(adolake::event::Silent));
            match adolake::sync::sync(input, &Options::default()).await {
                Ok(report) => break assert!(!report.is_partial(), "{:?}", report.rows),
                Err(error @ Error::Lake { .. }) => assert!(error.is_transient(), "{error:?}"),
                Err(error) => panic!("{error:?}"),
            }
            failures += 1;
            assert!(failures < 10, "write {at}");
        }
        assert!(store.failed.load(Ordering::SeqCst) > 0, "write {at}");
        assert_same!(&expected, &content(&lake).await, "write {at}");
    }
}
