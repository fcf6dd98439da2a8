//! Pipelines, runs, timelines and how long they are kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::git::IdentityRef;
use super::pull_request::Property;
use super::tolerant::{flag, guid, instant, int};
use crate::ado::page::{Listed, key_of};

/// A build definition, which is a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Definition {
    #[serde(deserialize_with = "int")]
    pub id: Option<i64>,
    pub name: Option<String>,
    pub path: Option<String>,
    #[serde(deserialize_with = "int")]
    pub revision: Option<i64>,
    pub repository: Option<RunRepository>,
}

impl Listed for Definition {
    fn key(&self) -> Option<u64> {
        self.id.as_ref().map(key_of)
    }
}

/// The pipeline of a run, named as when the answer was made.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct DefinitionRef {
    #[serde(deserialize_with = "int")]
    pub id: Option<i64>,
    pub name: Option<String>,
    pub path: Option<String>,
}

/// The repository that a run builds; only that of Azure Repos has a GUID.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct RunRepository {
    pub id: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

impl RunRepository {
    /// Returns whether it is a repository of Azure Repos.
    pub fn is_azure_repos(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case("TfsGit"))
    }
}

/// A run of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Build {
    #[serde(deserialize_with = "int")]
    pub id: Option<i64>,
    pub build_number: Option<String>,
    pub status: Option<String>,
    pub result: Option<String>,
    #[serde(deserialize_with = "instant")]
    pub queue_time: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "instant")]
    pub start_time: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "instant")]
    pub finish_time: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    pub source_branch: Option<String>,
    #[serde(deserialize_with = "guid")]
    pub source_version: Option<String>,
    pub definition: Option<DefinitionRef>,
    pub repository: Option<RunRepository>,
    pub requested_for: Option<IdentityRef>,
    /// JSON as text; [`Build::parameters`] reads it.
    pub parameters: Option<String>,
    pub trigger_info: Option<BTreeMap<String, Property>>,
    #[serde(deserialize_with = "flag")]
    pub deleted: Option<bool>,
    #[serde(deserialize_with = "instant")]
    pub deleted_date: Option<DateTime<Utc>>,
    pub url: Option<String>,
    #[serde(rename = "_links")]
    pub links: Option<BTreeMap<String, Property>>,
}

impl Build {
    /// Returns the address for people, else that of the API.
    pub fn address(&self) -> Option<String> {
        let web = self.links.as_ref().and_then(|links| links.get("web")?.member("href"));
        web.or_else(|| self.url.clone())
    }

    /// Returns the queue-time parameters; users write them too, so what is no JSON object counts as none.
    pub fn parameters(&self) -> BTreeMap<String, Property> {
        let text = self.parameters.as_deref().unwrap_or_default();
        serde_json::from_str(text).unwrap_or_default()
    }
}

impl Listed for Build {
    fn key(&self) -> Option<u64> {
        self.id.as_ref().map(key_of)
    }
}

/// The stages, jobs and tasks of a run.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Timeline {
    pub records: Option<Vec<TimelineRecord>>,
}

/// A stage, phase, job, task or checkpoint of a run.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct TimelineRecord {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    #[serde(deserialize_with = "guid")]
    pub parent_id: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub name: Option<String>,
    pub identifier: Option<String>,
    pub state: Option<String>,
    pub result: Option<String>,
    #[serde(deserialize_with = "instant")]
    pub start_time: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "instant")]
    pub finish_time: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "int")]
    pub attempt: Option<i64>,
    pub previous_attempts: Option<Vec<TimelineAttempt>>,
}

/// Where an earlier attempt of a record stands.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct TimelineAttempt {
    #[serde(deserialize_with = "int")]
    pub attempt: Option<i64>,
    #[serde(deserialize_with = "guid")]
    pub timeline_id: Option<String>,
}

/// How long a project keeps its runs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Retention {
    pub purge_runs: Option<RetentionSetting>,
    pub purge_pull_request_runs: Option<RetentionSetting>,
}

/// A number of days.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct RetentionSetting {
    #[serde(deserialize_with = "int")]
    pub value: Option<i64>,
}

/// The build settings of a project.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct BuildSettings {
    #[serde(deserialize_with = "int")]
    pub days_to_keep_deleted_builds_before_destroy: Option<i64>,
}
