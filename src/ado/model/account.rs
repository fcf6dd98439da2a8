//! Accounts, profiles, users and who is signed in.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::tolerant::{guid, instant, int, name};
use crate::ado::page::{Listed, key_of};

/// The signed-in identity as the profile service knows it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Profile {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    pub display_name: Option<String>,
    pub email_address: Option<String>,
    pub public_alias: Option<String>,
    #[serde(deserialize_with = "int")]
    pub core_revision: Option<i64>,
    #[serde(deserialize_with = "instant")]
    pub time_stamp: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "int")]
    pub revision: Option<i64>,
}

/// An organization that an identity belongs to.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Account {
    #[serde(deserialize_with = "guid")]
    pub account_id: Option<String>,
    pub account_name: Option<String>,
    pub account_uri: Option<String>,
    pub account_status: Option<String>,
}

impl Listed for Account {
    fn key(&self) -> Option<u64> {
        self.account_id.as_ref().or(self.account_name.as_ref()).map(key_of)
    }
}

/// Who is signed in, as the organization itself says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct ConnectionData {
    pub authenticated_user: Option<Identity>,
    pub authorized_user: Option<Identity>,
    #[serde(deserialize_with = "guid")]
    pub instance_id: Option<String>,
}

/// An identity of the connection data.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Identity {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    pub provider_display_name: Option<String>,
    pub custom_display_name: Option<String>,
    pub subject_descriptor: Option<String>,
}

/// A user or service principal of the Graph.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct GraphSubject {
    pub descriptor: Option<String>,
    pub subject_kind: Option<String>,
    pub meta_type: Option<String>,
    #[serde(deserialize_with = "name")]
    pub domain: Option<String>,
    #[serde(deserialize_with = "name")]
    pub principal_name: Option<String>,
    pub mail_address: Option<String>,
    pub origin: Option<String>,
    #[serde(deserialize_with = "name")]
    pub origin_id: Option<String>,
    pub display_name: Option<String>,
}

impl Listed for GraphSubject {
    fn key(&self) -> Option<u64> {
        self.descriptor.as_ref().map(key_of)
    }
}

/// The storage key of a descriptor, which is the identity id used everywhere else.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct StorageKey {
    #[serde(deserialize_with = "guid")]
    pub value: Option<String>,
}

/// Returns whether a descriptor belongs to a build service, another service identity or a service principal.
pub fn is_service_descriptor(descriptor: &str) -> bool {
    ["svc.", "s2s.", "acs.", "aadsp."].iter().any(|prefix| descriptor.starts_with(prefix))
}
