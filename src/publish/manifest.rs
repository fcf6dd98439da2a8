//! What was published last, kept beside the files: which versions, and of each file where its rows came from.

use std::collections::BTreeMap;

use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::place::Place;

/// Its name in the place. Engines pass over names that begin with an underscore.
pub(super) const NAME: &str = "_published.json";
/// The layout of what is published that this adolake writes.
pub(super) const FORMAT: u32 = 1;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Layout of the place.
    pub(super) format: u32,
    /// Versions of the tables that the files show, those of tables without a row included.
    pub(super) versions: BTreeMap<String, i64>,
    /// Files by their path in the place.
    pub(super) files: BTreeMap<String, Entry>,
}

/// A published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Hash of what the rows come from: live files of the lake, columns, order.
    pub(super) source: String,
    /// Hash of the file.
    pub(super) sha256: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// What the store calls this content; another one tells that somebody else wrote the file.
    pub(super) e_tag: Option<String>,
}

impl Manifest {
    /// Reads what was published last; none where nothing was.
    pub(super) async fn load(place: &Place) -> Result<Option<Self>, Error> {
        let failed = |source| place.failed("read", place.name_of(NAME), source);
        let bytes = match place.store.get(&Path::from(NAME)).await {
            Ok(found) => found.bytes().await.map_err(failed)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let foreign = || Error::Foreign { place: place.name.clone(), found: NAME.to_owned() };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| foreign())?;
        match value["format"].as_u64() {
            Some(format) if format > u64::from(FORMAT) => {
                Err(Error::Newer { place: place.name.clone() })
            }
            Some(_) => serde_json::from_value(value).map(Some).map_err(|_| foreign()),
            None => Err(foreign()),
        }
    }

    /// Puts it in the place of the last one.
    pub(super) async fn store(&self, place: &Place) -> Result<(), Error> {
        let failed = |source| place.failed("write", place.name_of(NAME), source);
        // Maps of texts and numbers always have a JSON form.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        let payload = PutPayload::from(text.into_bytes());
        place.store.put(&Path::from(NAME), payload).await.map_err(failed)?;
        Ok(())
    }
}
