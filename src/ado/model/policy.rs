//! Policy configurations and how they judged a pull request.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::tolerant::{flag, guid, guids, instant, int};
use crate::ado::page::{Listed, key_of};

/// A revision of a policy configuration; of its settings those in `S` are read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Configuration<S = serde_json::Value>
where
    S: Default,
{
    #[serde(deserialize_with = "int")]
    pub id: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub revision: Option<i64>,
    #[serde(rename = "type")]
    pub kind: Option<PolicyType>,
    #[serde(deserialize_with = "flag")]
    pub is_enabled: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub is_blocking: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub is_deleted: Option<bool>,
    #[serde(deserialize_with = "instant")]
    pub created_date: Option<DateTime<Utc>>,
    /// Of whole ones, as answered, [`Configuration::known_settings`] reads what is known.
    pub settings: Option<S>,
}

impl Configuration {
    /// Returns the settings that adolake judges by.
    ///
    /// # Errors
    /// Fails where a setting has another type than it should.
    pub fn known_settings(&self) -> Result<Settings, serde_json::Error> {
        match &self.settings {
            None | Some(serde_json::Value::Null) => Ok(Settings::default()),
            Some(settings) => Settings::deserialize(settings),
        }
    }
}

impl Listed for Configuration {
    fn key(&self) -> Option<u64> {
        // Lists hold one revision per configuration, histories several.
        self.id.map(|id| key_of(&(id, self.revision)))
    }
}

/// The kind of a policy.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct PolicyType {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    pub display_name: Option<String>,
}

/// The settings of all kinds of policies that adolake judges by.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Settings {
    pub scope: Option<Vec<Scope>>,
    #[serde(deserialize_with = "int")]
    pub minimum_approver_count: Option<i64>,
    #[serde(deserialize_with = "flag")]
    pub creator_vote_counts: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub allow_downvotes: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub reset_on_source_push: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub reset_rejections_on_source_push: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub require_vote_on_last_iteration: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub require_vote_on_each_iteration: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub block_last_pusher_vote: Option<bool>,
    #[serde(deserialize_with = "guids")]
    pub required_reviewer_ids: Option<Vec<String>>,
    #[serde(deserialize_with = "int")]
    pub build_definition_id: Option<i64>,
    pub status_name: Option<String>,
    pub status_genre: Option<String>,
    pub filename_patterns: Option<Vec<String>>,
}

/// Where a policy applies.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Scope {
    #[serde(deserialize_with = "guid")]
    pub repository_id: Option<String>,
    pub ref_name: Option<String>,
    pub match_kind: Option<String>,
}

/// How a policy judged a pull request, the latest state.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Evaluation {
    #[serde(deserialize_with = "guid")]
    pub evaluation_id: Option<String>,
    pub status: Option<String>,
    #[serde(deserialize_with = "instant")]
    pub started_date: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "instant")]
    pub completed_date: Option<DateTime<Utc>>,
    pub configuration: Option<Configuration<EvaluatedSettings>>,
    pub context: Option<BuildContext>,
}

impl Listed for Evaluation {
    fn key(&self) -> Option<u64> {
        self.evaluation_id.as_ref().map(key_of)
    }
}

/// The settings that say what a policy wants to see in a pull request: those that matter in an evaluation.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct EvaluatedSettings {
    #[serde(deserialize_with = "int")]
    pub build_definition_id: Option<i64>,
    pub status_name: Option<String>,
    pub status_genre: Option<String>,
}

/// What an evaluation of a build policy says about the build.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct BuildContext {
    #[serde(deserialize_with = "int")]
    pub build_id: Option<i64>,
    #[serde(deserialize_with = "guid")]
    pub last_merge_source_commit_id: Option<String>,
    #[serde(deserialize_with = "guid")]
    pub last_merge_commit_id: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub is_expired: Option<bool>,
}
