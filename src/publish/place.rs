//! Where the lake is published to: what is there, what comes and what goes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart};

use super::error::Error;
use super::manifest;
use crate::config::store_takes;
use crate::lake::{self, Lake, Store};

/// The place where none is given: a folder of the lake that no table has.
const USUAL: &str = "published";
/// Files up to this size are put by one request.
const ONE_PUT: u64 = 8 << 20;
/// Parts of larger files, and how many are under way at once.
const PART: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;

/// No file that is being put on a local disk stands still for so long.
const STAGED_FOR: Duration = Duration::from_secs(3600);

/// A folder or prefix that is published to.
#[derive(Debug)]
pub struct Place {
    /// Only the place.
    pub(super) store: Arc<dyn ObjectStore>,
    /// Address without secrets.
    pub name: String,
    /// Whether its address was given.
    is_given: bool,
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) bytes: u64,
    pub(super) e_tag: Option<String>,
}

impl Place {
    /// Finds the place at an address; without one the folder `published` in the lake.
    ///
    /// # Errors
    /// Fails when the address or an option cannot be used, or the place and the lake's tables would mix.
    pub fn open(
        lake: &Lake,
        address: Option<&str>,
        options: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let store = match address {
            Some(address) => {
                Store::open(address, &fitting(lake, address, options)).map_err(Error::Place)?
            }
            None => lake.folder(USUAL)?,
        };
        let name = lake::shown(&store.url);
        let place = Self { store: store.root, name, is_given: address.is_some() };
        if let Some(problem) = overlap(lake, &store.url) {
            return Err(Error::Overlap { place: place.name, problem });
        }
        Ok(place)
    }

    /// Returns the address of a file.
    pub(super) fn name_of(&self, file: &str) -> String {
        format!("{}{file}", self.name)
    }

    /// An error of the store.
    pub(super) fn failed(
        &self,
        doing: &'static str,
        at: String,
        source: object_store::Error,
    ) -> Error {
        let error = lake::Error::storage(doing, at, source);
        if self.is_given { Error::Place(error) } else { Error::Lake(error) }
    }

    /// Lists what is there, by path.
    pub(super) async fn list(&self) -> Result<BTreeMap<String, Listed>, Error> {
        let objects = self.store.list(None).map_ok(|object| {
            let listed = Listed { bytes: object.size, e_tag: object.e_tag.map(|tag| plain(&tag)) };
            (object.location.to_string(), listed)
        });
        match objects.try_collect().await {
            Ok(listed) => Ok(listed),
            Err(object_store::Error::NotFound { .. }) => Ok(BTreeMap::new()),
            Err(source) => Err(self.failed("list", self.name.clone(), source)),
        }
    }

    /// Puts a file in its place, whole or not at all; returns what the store calls the content.
    pub(super) async fn put(
        &self,
        path: &str,
        file: &mut File,
        bytes: u64,
    ) -> Result<Option<String>, Error> {
        let failed = |source| self.failed("write", self.name_of(path), source);
        let unread =
            |error: std::io::Error| Error::File { file: path.to_owned(), source: error.into() };
        let location = location(path);
        file.seek(SeekFrom::Start(0)).map_err(unread)?;
        let put = if bytes <= ONE_PUT {
            let mut whole = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
            file.read_to_end(&mut whole).map_err(unread)?;
            self.store.put(&location, PutPayload::from(whole)).await.map_err(failed)?
        } else {
            let upload = self.store.put_multipart(&location).await.map_err(failed)?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
            let mut part = vec![0; PART];
            loop {
                let count = match file.read(&mut part) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) => {
                        // What was sent is of no use any more; a store drops it by itself where this fails.
                        let _ = upload.abort().await;
                        return Err(unread(error));
                    }
                };
                upload.wait_for_capacity(PARTS_AT_ONCE).await.map_err(failed)?;
                upload.write(&part[..count]);
            }
            upload.finish().await.map_err(failed)?
        };
        Ok(put.e_tag.map(|tag| plain(&tag)))
    }

    /// Removes files; those that are gone already are no error.
    pub(super) async fn remove(&self, paths: &[String]) -> Result<(), Error> {
        let paths: Vec<_> = paths.iter().map(|path| Ok(location(path))).collect();
        let mut removed = self.store.delete_stream(futures::stream::iter(paths).boxed());
        while let Some(result) = removed.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(self.failed("write", self.name.clone(), source)),
            }
        }
        Ok(())
    }

    /// Removes what kills left on a local disk of files that were being put: listings pass over it, but engines that take
    /// every file of a folder do not.
    pub(super) fn remove_staged(&self) {
        for file in lake::staged(&self.name, SystemTime::now() - STAGED_FOR) {
            // The next publish tries again.
            let _ = std::fs::remove_file(file);
        }
    }

    /// Fails where there is something that was not published.
    pub(super) fn check_own(&self, listed: &BTreeMap<String, Listed>) -> Result<(), Error> {
        match listed.keys().find(|path| *path != manifest::NAME) {
            Some(found) => Err(Error::Foreign { place: self.name.clone(), found: found.clone() }),
            None => Ok(()),
        }
    }
}

/// The options of the lake go to a store of its own kind, those beside a folder to the store that takes them; another kind
/// takes its credentials from the environment.
fn fitting(
    lake: &Lake,
    address: &str,
    options: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let kind = |scheme: &str| match scheme {
        "s3" | "s3a" => 1,
        "az" | "azure" | "abfs" | "abfss" => 2,
        "gs" => 3,
        _ => 0,
    };
    let scheme = address.split_once("://").map_or("file", |(scheme, _)| scheme);
    let (own, other) = (kind(lake.url().scheme()), kind(scheme));
    if own != 0 && own != other {
        return BTreeMap::new();
    }
    let taken = options.iter().filter(|(key, _)| store_takes(scheme, key));
    taken.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tells how a place and the lake's tables would mix; none where they do not.
fn overlap(lake: &Lake, place: &url::Url) -> Option<String> {
    let (lake_url, place) = (lake.url().as_str(), place.as_str());
    if lake_url.starts_with(place) {
        return Some("the lake is there".into());
    }
    let first = place.strip_prefix(lake_url)?.split('/').next().unwrap_or_default();
    if lake.catalog().table(first).is_some() || first == "_adolake" {
        return Some(format!("`{first}` of the lake is there"));
    }
    None
}

/// Percent signs in folders are theirs.
pub(super) fn location(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

/// Stores name one content with quotes in one answer, and without them in another.
fn plain(tag: &str) -> String {
    tag.trim_start_matches("W/").trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::Catalog;

    #[test]
    fn a_store_gets_the_options_that_it_takes() {
        let options = ["aws_region", "azure_storage_account_name", "max_retries"];
        let options = BTreeMap::from(options.map(|key| (key.to_owned(), "x".to_owned())));
        let lake = Lake::in_memory(Arc::new(Catalog::embedded().unwrap())).unwrap();
        for (address, expected) in [
            ("az://container/path", &["azure_storage_account_name", "max_retries"][..]),
            ("s3://bucket/path", &["aws_region", "max_retries"]),
            ("folder", &["aws_region", "azure_storage_account_name", "max_retries"]),
        ] {
            let fitting = fitting(&lake, address, &options);
            assert_eq!(fitting.keys().collect::<Vec<_>>(), expected, "{address}");
        }
    }
}
