//! A store on another machine whose answers are whole: no part is shorter than asked for, and a list that breaks off goes on.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, ListResult, MultipartUpload,
    OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, coalesce_ranges,
};

/// How often a list is asked for until it has come to its end.
const LIST_ATTEMPTS: u32 = 4;
const LIST_PAUSE: Duration = Duration::from_millis(100);

/// Fails where the store below answers with less than was asked for, as it does of a file that is cut: readers know its
/// length from the log, and cut their parts out of the answer without a look.
#[derive(Debug)]
pub(crate) struct WholeAnswers<S>(Arc<S>);

/// A file that is shorter than it was when it was written.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` is cut off: it should hold {end} bytes or more")]
struct CutOff {
    file: String,
    end: u64,
}

impl<S: ObjectStore> WholeAnswers<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self(Arc::new(inner))
    }

    fn listed(
        &self,
        prefix: Option<&Path>,
        offset: Option<Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (Arc::clone(&self.0), prefix.cloned());
        let ask = move |last: Option<&Path>| match last {
            Some(last) => store.list_with_offset(prefix.as_ref(), last),
            None => store.list(prefix.as_ref()),
        };
        going_on(ask, offset)
    }
}

fn cut_off(file: &Path, end: u64) -> Error {
    Error::Generic { store: "lake", source: Box::new(CutOff { file: file.to_string(), end }) }
}

/// Tells of a part that begins where the file has ended already as of one that ends there.
fn refused(file: &Path, end: u64, error: Error) -> Error {
    if error.to_string().contains("status code: 416") { cut_off(file, end) } else { error }
}

/// Tells whether an answer was lost on its way, which clients do not ask for again where it is a list.
fn is_broken_off(error: &Error) -> bool {
    error.to_string().contains("response body")
}

/// A list that goes on behind the last object that came; `ask` lists what stands behind one.
fn going_on(
    ask: impl Fn(Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> + Send + 'static,
    offset: Option<Path>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    struct Open {
        rest: BoxStream<'static, Result<ObjectMeta>>,
        last: Option<Path>,
        attempt: u32,
    }
    let open = Open { rest: ask(offset.as_ref()), last: offset, attempt: 1 };
    stream::unfold((open, ask), |(mut open, ask)| async move {
        loop {
            let next = open.rest.next().await?;
            match &next {
                Err(error) if open.attempt < LIST_ATTEMPTS && is_broken_off(error) => {
                    tokio::time::sleep(LIST_PAUSE * open.attempt).await;
                    open.attempt += 1;
                    open.rest = ask(open.last.as_ref());
                    continue;
                }
                Ok(object) => {
                    // Behind the last one goes on only what comes in order.
                    if open.last.as_ref().is_some_and(|last| object.location < *last) {
                        open.attempt = LIST_ATTEMPTS;
                    }
                    open.last = Some(object.location.clone());
                }
                Err(_) => {}
            }
            return Some((next, (open, ask)));
        }
    })
    .boxed()
}

impl<S: ObjectStore> fmt::Display for WholeAnswers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore> ObjectStore for WholeAnswers<S> {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.0.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let Some(GetRange::Bounded(asked)) = options.range.clone() else {
            return self.0.get_opts(location, options).await;
        };
        let found = self.0.get_opts(location, options).await;
        let found = found.map_err(|error| refused(location, asked.end, error))?;
        if found.range == asked { Ok(found) } else { Err(cut_off(location, asked.end)) }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        // Each of the requests that it joins them to is looked at above.
        let fetch = |range| self.get_range(location, range);
        coalesce_ranges(ranges, fetch, OBJECT_STORE_COALESCE_DEFAULT).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, Some(offset.clone()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut attempt = 1;
        loop {
            match self.0.list_with_delimiter(prefix).await {
                Err(error) if attempt < LIST_ATTEMPTS && is_broken_off(&error) => {
                    tokio::time::sleep(LIST_PAUSE * attempt).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::TryStreamExt as _;
    use object_store::memory::InMemory;

    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.into() }
    }

    #[tokio::test]
    async fn a_file_that_was_cut_answers_with_an_error() {
        let store = WholeAnswers::new(InMemory::new());
        let file = Path::from("users/part-1.parquet");
        store.put(&file, "0123456789".into()).await.unwrap();
        assert_eq!(store.get_range(&file, 2..5).await.unwrap(), "234");
        assert_eq!(store.get_ranges(&file, &[0..1, 4..10]).await.unwrap(), ["0", "456789"]);
        let whole = store.get(&file).await.unwrap().bytes().await.unwrap();
        assert_eq!(whole, "0123456789");
        let tail = GetOptions { range: Some(GetRange::Suffix(20)), ..GetOptions::default() };
        assert_eq!(store.get_opts(&file, tail).await.unwrap().range, 0..10);
        for error in [
            store.get_range(&file, 5..12).await.unwrap_err(),
            store.get_ranges(&file, &[0..1, 5..12]).await.unwrap_err(),
            store.get_ranges(&file, &[0..1, 12..14]).await.unwrap_err(),
            refused(&file, 12, generic("Server returned non-2xx status code: 416: InvalidRange")),
        ] {
            let told = error.to_string();
            assert!(told.contains("`users/part-1.parquet` is cut off"), "{told}");
        }
    }

    /// Lists the objects behind one, two at a time, and breaks off as often as `breaks` says.
    fn breaking_off(
        breaks: u32,
        is_ordered: bool,
    ) -> impl Fn(Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> + Send + 'static {
        let left = AtomicU32::new(breaks);
        move |last| {
            let names = NAMES.into_iter().map(Path::from);
            let behind = names.filter(|name| last.is_none_or(|last| name > last));
            let mut listed: Vec<_> = behind.map(|location| Ok(object(location))).collect();
            let taken =
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            if taken.is_ok() {
                listed.truncate(2);
                if !is_ordered {
                    listed.reverse();
                }
                listed.push(Err(generic("Error getting list response body: connection reset")));
            }
            stream::iter(listed).boxed()
        }
    }

    fn object(location: Path) -> ObjectMeta {
        let last_modified = chrono::DateTime::UNIX_EPOCH;
        ObjectMeta { location, last_modified, size: 1, e_tag: None, version: None }
    }

    const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

    #[tokio::test]
    async fn a_list_that_breaks_off_goes_on_behind_what_came() {
        for (breaks, is_ordered, is_listed) in
            [(0, true, true), (2, true, true), (4, true, false), (1, false, false)]
        {
            let list = going_on(breaking_off(breaks, is_ordered), None);
            let listed: Result<Vec<ObjectMeta>> = list.try_collect().await;
            match listed {
                Ok(listed) => {
                    let names: Vec<&str> =
                        listed.iter().map(|object| object.location.as_ref()).collect();
                    assert_eq!(names, NAMES);
                    assert!(is_listed);
                }
                Err(error) => assert!(!is_listed, "{error}"),
            }
        }
    }
}
