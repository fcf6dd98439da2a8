//! Address and options of a lake → the object store that holds it.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use super::aws;
use super::error::{Error, STORES, io_kind};
use super::kept::KeptFiles;
use super::local::SortedFiles;
use super::whole::WholeAnswers;
use crate::config::{RETRY_OPTIONS, parse_duration};

/// The address under which the engines below know the lake, wherever it stands: its paths need no escapes.
pub(crate) const ENGINE_URL: &str = "adolake://lake/";

/// Where a lake stands.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// Only the lake's folder.
    pub(crate) root: Arc<dyn ObjectStore>,
    /// Address of the lake, ending with a slash.
    pub(crate) url: Url,
}

/// Where one table stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Only the lake's folder.
    pub(crate) root: Arc<dyn ObjectStore>,
    /// Only the table's folder.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Address for the engines below, ending with a slash.
    pub(crate) url: Url,
    /// Address for people.
    pub(crate) name: String,
    /// On a disk of this machine.
    pub(crate) is_local: bool,
}

impl Store {
    /// Resolves an address: a file path, or a URL of a kind that object stores have. Nothing is created or contacted.
    pub(crate) fn open(address: &str, options: &BTreeMap<String, String>) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Location { url: without_secrets(address), problem };
        let Some((scheme, _)) = address.split_once("://") else {
            return Self::local(FilePath::new(address), address);
        };
        let mut url = Url::parse(address).map_err(|problem| wrong(problem.to_string()))?;
        if url.fragment().is_some() {
            // No store is told of it: what follows would be lost, and with it what tells two lakes apart.
            return Err(wrong("a `#` in an address is written `%23`".into()));
        }
        if scheme == "file" {
            let path = url.to_file_path().map_err(|()| wrong("it is not a local path".into()))?;
            return Self::local(&path, address);
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        if scheme == "memory" {
            let base =
                Path::from_url_path(url.path()).map_err(|problem| wrong(problem.to_string()))?;
            return Ok(Self { root: Arc::new(PrefixStore::new(InMemory::new(), base)), url });
        }
        let (kind, base) =
            ObjectStoreScheme::parse(&url).map_err(|problem| wrong(problem.to_string()))?;
        let mut options = options.clone();
        let unusable = |problem: String| Error::Option { url: without_secrets(address), problem };
        let retry = retry(&mut options).map_err(unusable)?;
        let refused = |options: &BTreeMap<String, String>, problem: object_store::Error| {
            let problem = problem.to_string();
            match of_option(options, &problem) {
                Some(key) => unusable(format!("option `{key}`: {problem}")),
                None => wrong(problem),
            }
        };
        let root: Arc<dyn ObjectStore> = match kind {
            ObjectStoreScheme::AmazonS3 => {
                let mut builder =
                    AmazonS3Builder::from_env().with_url(url.as_str()).with_retry(retry);
                for (key, value) in &options {
                    builder = builder.with_config(option::<AmazonS3ConfigKey>(key, &wrong)?, value);
                }
                let builder = aws::with_profile(builder);
                Arc::new(builder.build().map_err(|problem| refused(&options, problem))?)
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let mut builder =
                    MicrosoftAzureBuilder::from_env().with_url(url.as_str()).with_retry(retry);
                for (key, value) in &options {
                    builder = builder.with_config(option::<AzureConfigKey>(key, &wrong)?, value);
                }
                Arc::new(builder.build().map_err(|problem| refused(&options, problem))?)
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let mut builder =
                    GoogleCloudStorageBuilder::from_env().with_url(url.as_str()).with_retry(retry);
                for (key, value) in &options {
                    builder = builder.with_config(option::<GoogleConfigKey>(key, &wrong)?, value);
                }
                Arc::new(builder.build().map_err(|problem| refused(&options, problem))?)
            }
            _ => {
                return Err(wrong(format!(
                    "`{scheme}` is not a file path, s3, az, abfss or gs address"
                )));
            }
        };
        // What is kept may be cut as well.
        let root = WholeAnswers::new(KeptFiles::new(PrefixStore::new(root, base)));
        Ok(Self { root: Arc::new(root), url })
    }

    fn local(path: &FilePath, address: &str) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Location { url: address.to_owned(), problem };
        if path.as_os_str().is_empty() {
            return Err(wrong("it is empty".into()));
        }
        let path = resolve(path).map_err(|problem| wrong(problem.to_string()))?;
        if let Some(file) =
            path.ancestors().find(|above| above.exists()).filter(|above| !above.is_dir())
        {
            return Err(Error::NotAFolder { path: file.to_owned() });
        }
        let url = Url::from_directory_path(&path)
            .map_err(|()| wrong("it is not an absolute path".into()))?;
        let base = Path::from_url_path(url.path()).map_err(|problem| wrong(problem.to_string()))?;
        Ok(Self { root: Arc::new(PrefixStore::new(SortedFiles::default(), base)), url })
    }

    /// Tells whether it is on a disk of this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.url.scheme() == "file"
    }

    /// Returns a folder in it.
    pub(crate) fn folder(&self, name: &str) -> Result<Self, Error> {
        let url = self.url.join(&format!("{name}/")).map_err(|problem| Error::Location {
            url: without_secrets(self.url.as_str()),
            problem: format!("`{name}` cannot be part of it: {problem}"),
        })?;
        Ok(Self { root: Arc::new(PrefixStore::new(Arc::clone(&self.root), name)), url })
    }

    /// Returns where the table of that name stands.
    pub(crate) fn place(&self, table: &str) -> Result<Place, Error> {
        let wrong = |problem: url::ParseError| Error::Location {
            url: without_secrets(self.url.as_str()),
            problem: format!("`{table}` cannot be part of it: {problem}"),
        };
        let folder = self.url.join(&format!("{table}/")).map_err(wrong)?;
        let name = shown(&folder);
        let url = Url::parse(&format!("{ENGINE_URL}{table}/")).map_err(wrong)?;
        let store = Arc::new(PrefixStore::new(Arc::clone(&self.root), table));
        Ok(Place { root: Arc::clone(&self.root), store, url, name, is_local: self.is_local() })
    }
}

/// Takes the options out that say how often and for how long a request is repeated; the object store's own have no
/// names for them.
fn retry(options: &mut BTreeMap<String, String>) -> Result<RetryConfig, String> {
    let mut retry = RetryConfig::default();
    let is_own = |key: &str| RETRY_OPTIONS.contains(&&*key.to_ascii_lowercase());
    for (key, value) in options.extract_if(.., |key, _| is_own(key)) {
        let problem = |wanted: &str| format!("option `{key}` must be {wanted}, not `{value}`");
        if key.eq_ignore_ascii_case("max_retries") {
            retry.max_retries = value.parse().map_err(|_| problem("a number"))?;
        } else {
            let timeout = parse_duration(&value);
            retry.retry_timeout = timeout.ok_or_else(|| problem("a span of time such as `3m`"))?;
        }
    }
    Ok(retry)
}

/// How often objects are deleted until the store has answered.
const DELETE_ATTEMPTS: u32 = 4;
const DELETE_PAUSE: Duration = Duration::from_millis(100);

/// Deletes objects in their order up to the first that cannot be, and passes over those that are gone already. What gets
/// no answer is tried again: clients do not repeat the request that deletes many at once.
pub(crate) async fn delete(store: &dyn ObjectStore, paths: Vec<Path>) -> object_store::Result<()> {
    for attempt in 1.. {
        let all = futures::stream::iter(paths.clone().into_iter().map(Ok)).boxed();
        let mut deleted = store.delete_stream(all);
        let mut failure = None;
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        match failure {
            None => break,
            Some(error) if attempt == DELETE_ATTEMPTS || !may_pass(&error) => return Err(error),
            Some(_) => tokio::time::sleep(DELETE_PAUSE * attempt).await,
        }
    }
    Ok(())
}

/// Tells whether a request failed on its way or in the store, so that another may succeed; what the store or the disk
/// refuses stays refused.
pub(super) fn may_pass(error: &object_store::Error) -> bool {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof,
    };
    match io_kind(error) {
        Some(kind) => [
            BrokenPipe,
            ConnectionAborted,
            ConnectionRefused,
            ConnectionReset,
            TimedOut,
            UnexpectedEof,
        ]
        .contains(&kind),
        None => {
            let text = error.to_string();
            matches!(
                error,
                object_store::Error::Generic { store, .. } if STORES.contains(store)
            ) && !text.contains("status code: 4")
                && !text.contains("(code: 4")
                && !text.contains("(code: AccessDenied)")
        }
    }
}

/// Finds the option whose value a store's client cannot use.
fn of_option<'a>(options: &'a BTreeMap<String, String>, problem: &str) -> Option<&'a String> {
    let is_told = |value: &&String| !value.is_empty() && problem.contains(&format!("\"{value}\""));
    options.iter().find(|(_, value)| is_told(value)).map(|(key, _)| key)
}

fn option<K: FromStr>(key: &str, wrong: &impl Fn(String) -> Error) -> Result<K, Error> {
    key.to_ascii_lowercase()
        .parse()
        .map_err(|_| wrong(format!("unknown option `{key}` in `lake.options`")))
}

/// Makes a path absolute, with the links of its existing part resolved.
fn resolve(path: &FilePath) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    for above in path.ancestors() {
        if let Ok(real) = above.canonicalize() {
            let rest = path.strip_prefix(above).unwrap_or(FilePath::new(""));
            return Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) });
        }
    }
    Ok(path)
}

/// Returns an address for people: a path, or an address without secrets.
pub(crate) fn shown(url: &Url) -> String {
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" => path.display().to_string(),
        _ => without_secrets(url.as_str()),
    }
}

/// Cuts user, password and query off an address.
pub(super) fn without_secrets(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) if url.password().is_some() || url.query().is_some() => {
            // A scheme that cannot have a password has none to hide.
            let _ = url.set_password(None);
            url.set_query(None);
            url.to_string()
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_options() {
        let open = |options: &[(&str, &str)]| {
            let options = options.iter().map(|(key, value)| ((*key).into(), (*value).into()));
            Store::open("s3://bucket/lake", &options.collect()).map_err(|error| error.to_string())
        };
        let credentials =
            [("aws_region", "x"), ("aws_access_key_id", "x"), ("aws_secret_access_key", "x")];
        let with = |more: &[(&'static str, &'static str)]| open(&[&credentials, more].concat());
        with(&[("max_retries", "3"), ("Retry_Timeout", "30s"), ("timeout", "10s")]).unwrap();
        let told = with(&[("max_retries", "many")]).unwrap_err();
        assert!(told.ends_with("option `max_retries` must be a number, not `many`"), "{told}");
        let told = with(&[("retry_timeout", "30")]).unwrap_err();
        assert!(told.contains("option `retry_timeout` must be a span of time"), "{told}");
    }

    #[test]
    fn paths_become_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let lake = folder.path().join("my lake ü#1");
        let store = Store::open(lake.to_str().unwrap(), &BTreeMap::new()).unwrap();
        assert!(store.url.as_str().ends_with("/my%20lake%20%C3%BC%231/"), "{}", store.url);
        assert!(store.place("pushes").unwrap().name.ends_with("my lake ü#1/pushes/"));
        let relative = Store::open("./lake", &BTreeMap::new()).unwrap();
        assert!(relative.url.path().ends_with("/lake/"), "{}", relative.url);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for path in [file.clone(), file.join("lake")] {
            let error = Store::open(path.to_str().unwrap(), &BTreeMap::new()).unwrap_err();
            assert!(matches!(error, Error::NotAFolder { .. }), "{error}");
        }
    }

    #[test]
    fn unknown_schemes_and_options_are_errors() {
        let none = BTreeMap::new();
        assert!(matches!(Store::open("ftp://x/y", &none), Err(Error::Location { .. })));
        let options = BTreeMap::from([("colour".to_owned(), "blue".to_owned())]);
        let error = Store::open("s3://bucket/lake", &options).unwrap_err().to_string();
        assert!(error.contains("unknown option `colour`"), "{error}");
        for address in ["s3://bucket/team#1", "file:///tmp/team#1"] {
            let error = Store::open(address, &none).unwrap_err().to_string();
            assert!(error.contains("`%23`"), "{error}");
        }
    }
}
