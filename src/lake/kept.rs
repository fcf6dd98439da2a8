//! An object store that fetches what never changes once: commits and checkpoints, which every look at a log reads again,
//! and small files of rows.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::Utc;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, RenameOptions, Result,
};

/// Files that never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// A commit or checkpoint: fetched whole, whatever part is asked for.
    Log,
    /// Rows: kept where they were fetched whole, as readers do with small files.
    Rows,
}

impl Kind {
    /// Finds out what a path is of; none where the file may change.
    fn of(path: &Path) -> Option<Self> {
        let mut parts = path.as_ref().rsplit('/');
        let (name, folder) = (parts.next()?, parts.next()?);
        if folder != "_delta_log" {
            return (name.starts_with("part-") && name.ends_with(".parquet")).then_some(Self::Rows);
        }
        let is_numbered =
            name.len() > 20 && name.bytes().take(20).all(|byte| byte.is_ascii_digit());
        let is_known = name.ends_with(".json") || name.ends_with(".parquet");
        (is_numbered && is_known).then_some(Self::Log)
    }

    /// Files up to this size are kept, bytes.
    const fn most_of_one(self) -> u64 {
        match self {
            Self::Log => 4 << 20,
            Self::Rows => 512 << 10,
        }
    }

    /// Bytes that all files of the kind may take.
    const MOST: u64 = 32 << 20;
}

/// A store on another machine, with files at hand.
#[derive(Debug)]
pub(crate) struct KeptFiles {
    inner: Arc<dyn ObjectStore>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<Path, (ObjectMeta, Bytes)>,
    bytes: HashMap<Kind, u64>,
    /// Files on their way: who wants the same waits for it.
    coming: HashMap<Path, Arc<tokio::sync::Mutex<()>>>,
    /// Files that are too large to be kept: their parts are fetched as they are asked for.
    large: HashSet<Path>,
}

impl Kept {
    fn insert(&mut self, kind: Kind, meta: ObjectMeta, bytes: Bytes) {
        let taken = self.bytes.entry(kind).or_default();
        self.coming.remove(&meta.location);
        if meta.size <= kind.most_of_one() && *taken + meta.size <= Kind::MOST {
            *taken += meta.size;
            if let Some((before, _)) = self.files.insert(meta.location.clone(), (meta, bytes)) {
                *taken -= before.size;
            }
        }
    }

    fn remove(&mut self, path: &Path) {
        if let (Some(kind), Some((meta, _))) = (Kind::of(path), self.files.remove(path)) {
            *self.bytes.entry(kind).or_default() -= meta.size;
        }
    }
}

/// Tells whether the options ask for the file as it is, or for a part of it.
fn is_plain(options: &GetOptions) -> bool {
    options.if_match.is_none()
        && options.if_none_match.is_none()
        && options.if_modified_since.is_none()
        && options.if_unmodified_since.is_none()
        && options.version.is_none()
}

impl KeptFiles {
    pub(crate) fn new(inner: impl ObjectStore) -> Self {
        Self { inner: Arc::new(inner), kept: Arc::default() }
    }

    fn find(&self, path: &Path) -> Option<(ObjectMeta, Bytes)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.files.get(path).cloned()
    }

    fn is_large(&self, path: &Path) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).large.contains(path)
    }

    fn pass_by(&self, path: &Path) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.coming.remove(path);
        kept.large.insert(path.clone());
    }

    fn coming(&self, path: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.coming.entry(path.clone()).or_default())
    }

    fn keep(&self, kind: Kind, meta: ObjectMeta, bytes: Bytes) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, meta, bytes);
    }
}

/// Answers from what is kept as a store would.
fn answer(meta: ObjectMeta, bytes: &Bytes, options: &GetOptions) -> Result<GetResult> {
    let range = match &options.range {
        None => 0..meta.size,
        Some(range) => range
            .as_range(meta.size)
            .map_err(|source| Error::Generic { store: "KeptFiles", source: Box::new(source) })?,
    };
    let part = match (usize::try_from(range.start), usize::try_from(range.end)) {
        (Ok(start), Ok(end)) if !options.head => bytes.slice(start..end),
        _ => Bytes::new(),
    };
    let payload = GetResultPayload::Stream(stream::once(async move { Ok(part) }).boxed());
    Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
}

impl fmt::Display for KeptFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for KeptFiles {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let kind =
            Kind::of(location).filter(|kind| payload.content_length() as u64 <= kind.most_of_one());
        let own = payload.clone();
        let put = self.inner.put_opts(location, payload, options).await?;
        if let Some(kind) = kind {
            let mut bytes = BytesMut::with_capacity(own.content_length());
            own.iter().for_each(|part| bytes.extend_from_slice(part));
            let meta = ObjectMeta {
                location: location.clone(),
                last_modified: Utc::now(),
                size: bytes.len() as u64,
                e_tag: put.e_tag.clone(),
                version: put.version.clone(),
            };
            self.keep(kind, meta, bytes.freeze());
        }
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let may_be_kept = is_plain(&options) && !options.head && !self.is_large(location);
        let Some(kind) = Kind::of(location).filter(|_| may_be_kept) else {
            return self.inner.get_opts(location, options).await;
        };
        if let Some((meta, bytes)) = self.find(location) {
            return answer(meta, &bytes, &options);
        }
        let (asked, coming) = match kind {
            Kind::Log => (GetOptions::default(), Some(self.coming(location))),
            Kind::Rows => (options.clone(), None),
        };
        let _first = match &coming {
            Some(coming) => Some(coming.lock().await),
            None => None,
        };
        if let Some((meta, bytes)) = self.find(location) {
            return answer(meta, &bytes, &options);
        }
        if self.is_large(location) {
            return self.inner.get_opts(location, options).await;
        }
        let found = self.inner.get_opts(location, asked).await?;
        if found.meta.size > kind.most_of_one() {
            self.pass_by(location);
            return match (kind, &options.range) {
                (Kind::Log, Some(_)) => self.inner.get_opts(location, options).await,
                _ => Ok(found),
            };
        }
        if found.range != (0..found.meta.size) {
            return Ok(found);
        }
        // A store with a prefix names files as the store below it does.
        let meta = ObjectMeta { location: location.clone(), ..found.meta.clone() };
        let bytes = found.bytes().await?;
        self.keep(kind, meta.clone(), bytes.clone());
        answer(meta, &bytes, &options)
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[std::ops::Range<u64>],
    ) -> Result<Vec<Bytes>> {
        let may_be_kept = match (Kind::of(location), ranges) {
            (Some(_), _) if self.is_large(location) => false,
            (Some(Kind::Log), _) => true,
            // Who looks for the footer of a small file asks for all of it.
            (Some(Kind::Rows), [range]) if range.start == 0 => true,
            (Some(Kind::Rows), _) => self.find(location).is_some(),
            (None, _) => false,
        };
        if !may_be_kept {
            return self.inner.get_ranges(location, ranges).await;
        }
        let mut parts = Vec::with_capacity(ranges.len());
        for range in ranges {
            let options = GetOptions { range: Some(range.clone().into()), ..GetOptions::default() };
            parts.push(self.get_opts(location, options).await?.bytes().await?);
        }
        Ok(parts)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let kept = Arc::clone(&self.kept);
        let deleted = self.inner.delete_stream(locations).inspect(move |path| {
            if let Ok(path) = path {
                kept.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use object_store::prefix::PrefixStore;

    use super::*;

    fn log(name: &str) -> Path {
        Path::from(format!("lake/pushes/_delta_log/{name}"))
    }

    #[test]
    fn some_files_never_change() {
        assert_eq!(Kind::of(&log("00000000000000000007.json")), Some(Kind::Log));
        assert_eq!(Kind::of(&log("00000000000000000007.checkpoint.parquet")), Some(Kind::Log));
        assert_eq!(Kind::of(&log("_last_checkpoint")), None);
        assert_eq!(Kind::of(&Path::from("lake/pushes/00000000000000000007.json")), None);
        assert_eq!(Kind::of(&Path::from("lake/pushes/part-1.parquet")), Some(Kind::Rows));
        assert_eq!(Kind::of(&Path::from("lake/published/pushes/data.parquet")), None);
    }

    #[tokio::test]
    async fn rows_are_kept_where_they_were_fetched_whole() {
        let inner = Arc::new(InMemory::new());
        let store = KeptFiles::new(Arc::clone(&inner));
        let rows = Path::from("lake/pushes/part-1.parquet");
        inner.put(&rows, "0123456789".into()).await.unwrap();
        assert_eq!(store.get_range(&rows, 2..5).await.unwrap(), "234");
        assert!(store.find(&rows).is_none(), "a part tells nothing of the rest");
        assert_eq!(
            store.get_ranges(&rows, std::slice::from_ref(&(0..10))).await.unwrap(),
            ["0123456789"]
        );
        inner.delete(&rows).await.unwrap();
        assert_eq!(store.get_ranges(&rows, &[1..2, 4..6]).await.unwrap(), ["1", "45"]);
    }

    #[tokio::test]
    async fn a_commit_is_fetched_once_and_answers_for_its_parts() {
        let below = Arc::new(InMemory::new());
        let inner = Arc::new(PrefixStore::new(Arc::clone(&below), "data"));
        let store = KeptFiles::new(Arc::clone(&inner));
        let commit = log("00000000000000000000.json");
        assert!(store.get(&commit).await.is_err(), "what is missing may come");
        inner.put(&commit, "0123456789".into()).await.unwrap();
        assert_eq!(store.get_range(&commit, 2..5).await.unwrap(), "234");
        inner.delete(&commit).await.unwrap();
        assert_eq!(store.get(&commit).await.unwrap().bytes().await.unwrap(), "0123456789");
        assert_eq!(store.get_ranges(&commit, &[0..1, 9..10]).await.unwrap(), ["0", "9"]);
        assert!(store.head(&commit).await.is_err(), "whether it is there the store tells");

        let own = log("00000000000000000001.json");
        store.put(&own, "own".into()).await.unwrap();
        inner.delete(&own).await.unwrap();
        assert_eq!(store.get(&own).await.unwrap().bytes().await.unwrap(), "own");
        inner.put(&own, "own".into()).await.unwrap();
        store.delete(&own).await.unwrap();
        assert!(store.get(&own).await.is_err());
    }

    #[tokio::test]
    async fn what_is_large_passes_through() {
        let store = KeptFiles::new(InMemory::new());
        let checkpoint = log("00000000000000000009.checkpoint.parquet");
        let size = usize::try_from(Kind::Log.most_of_one()).unwrap() + 1;
        store.put(&checkpoint, vec![7; size].into()).await.unwrap();
        assert_eq!(store.get(&checkpoint).await.unwrap().bytes().await.unwrap().len(), size);
        assert_eq!(store.get_range(&checkpoint, 0..4).await.unwrap().len(), 4);
        assert!(store.find(&checkpoint).is_none());
        assert!(store.is_large(&checkpoint), "it is not asked for as a whole again");
        let parts = store.get_ranges(&checkpoint, &[0..4, 8..12]).await.unwrap();
        assert_eq!(parts, [vec![7; 4], vec![7; 4]]);
    }
}
