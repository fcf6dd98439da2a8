//! Pull requests and what hangs on them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::git::{CommitRef, IdentityRef, Repository};
use super::tolerant::{flag, guid, instant, int};
use crate::ado::page::{Listed, key_of};

/// A pull request of a list, or a single one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct PullRequest {
    #[serde(deserialize_with = "int")]
    pub pull_request_id: Option<i64>,
    pub repository: Option<Repository>,
    pub status: Option<String>,
    pub title: Option<String>,
    pub merge_status: Option<String>,
    pub created_by: Option<IdentityRef>,
    pub closed_by: Option<IdentityRef>,
    #[serde(deserialize_with = "instant")]
    pub creation_date: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "instant")]
    pub closed_date: Option<DateTime<Utc>>,
    pub source_ref_name: Option<String>,
    pub target_ref_name: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub is_draft: Option<bool>,
    pub last_merge_source_commit: Option<CommitRef>,
    pub last_merge_target_commit: Option<CommitRef>,
    pub last_merge_commit: Option<CommitRef>,
    pub completion_options: Option<CompletionOptions>,
    pub fork_source: Option<ForkRef>,
    pub reviewers: Option<Vec<Reviewer>>,
    pub labels: Option<Vec<Label>>,
}

impl Listed for PullRequest {
    fn key(&self) -> Option<u64> {
        self.pull_request_id.as_ref().map(key_of)
    }
}

/// How a pull request is to be completed, or was.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct CompletionOptions {
    pub merge_strategy: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub squash_merge: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub bypass_policy: Option<bool>,
    pub bypass_reason: Option<String>,
}

/// Where the source branch of a fork lives.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct ForkRef {
    pub name: Option<String>,
    pub repository: Option<Repository>,
}

/// A reviewer with the vote of the moment.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Reviewer {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    pub display_name: Option<String>,
    pub unique_name: Option<String>,
    pub descriptor: Option<String>,
    #[serde(deserialize_with = "int")]
    pub vote: Option<i64>,
    #[serde(deserialize_with = "flag")]
    pub is_container: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub is_required: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub has_declined: Option<bool>,
    pub voted_for: Option<Vec<IdentityRef>>,
}

impl Listed for Reviewer {
    fn key(&self) -> Option<u64> {
        self.id.as_ref().map(key_of)
    }
}

/// A label.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Label {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub active: Option<bool>,
}

impl Listed for Label {
    fn key(&self) -> Option<u64> {
        self.name.as_ref().map(key_of)
    }
}

/// A thread: comments of people, or an event that the system noted in its properties.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Thread {
    #[serde(deserialize_with = "int")]
    pub id: Option<i64>,
    #[serde(deserialize_with = "instant")]
    pub published_date: Option<DateTime<Utc>>,
    pub properties: Option<BTreeMap<String, Property>>,
    pub identities: Option<BTreeMap<String, IdentityRef>>,
    #[serde(deserialize_with = "flag")]
    pub is_deleted: Option<bool>,
}

impl Listed for Thread {
    fn key(&self) -> Option<u64> {
        self.id.as_ref().map(key_of)
    }
}

/// A value with its type, `{"$type": "System.String", "$value": "10"}`; a bare value is taken too.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "serde_json::Value")]
pub struct Property(serde_json::Value);

impl From<serde_json::Value> for Property {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Object(mut pair) if pair.contains_key("$value") => {
                Self(pair.remove("$value").unwrap_or_default())
            }
            other => Self(other),
        }
    }
}

impl Property {
    /// Returns the value as text; none where it is null or empty.
    pub fn text(&self) -> Option<String> {
        let text = match &self.0 {
            serde_json::Value::Null => return None,
            serde_json::Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Returns a member of an object as text.
    pub fn member(&self, name: &str) -> Option<String> {
        Self(self.0.get(name)?.clone()).text()
    }

    /// Returns the values of a list: a JSON list, also one inside text, or text parted by commas or semicolons.
    pub fn texts(&self) -> Vec<String> {
        let Some(text) = self.text() else { return Vec::new() };
        let plain = |value: &serde_json::Value| Self(value.clone()).text();
        match serde_json::from_str(&text) {
            Ok(serde_json::Value::Array(list)) => list.iter().filter_map(plain).collect(),
            _ => text
                .split([',', ';'])
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect(),
        }
    }
}

/// The property bag of a pull request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct PullRequestProperties {
    pub value: Option<BTreeMap<String, Property>>,
}

/// A push that made an iteration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct PushRef {
    #[serde(deserialize_with = "int")]
    pub push_id: Option<i64>,
    #[serde(deserialize_with = "instant")]
    pub date: Option<DateTime<Utc>>,
    pub pushed_by: Option<IdentityRef>,
}

/// A push to the source branch, or a retarget.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Iteration {
    #[serde(deserialize_with = "int")]
    pub id: Option<i64>,
    #[serde(deserialize_with = "instant")]
    pub created_date: Option<DateTime<Utc>>,
    pub author: Option<IdentityRef>,
    pub push: Option<PushRef>,
    pub source_ref_commit: Option<CommitRef>,
    pub target_ref_commit: Option<CommitRef>,
    pub common_ref_commit: Option<CommitRef>,
    pub reason: Option<String>,
    pub old_target_ref_name: Option<String>,
    pub new_target_ref_name: Option<String>,
}

impl Listed for Iteration {
    fn key(&self) -> Option<u64> {
        self.id.as_ref().map(key_of)
    }
}

/// A status that somebody posted to a pull request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct PullRequestStatus {
    #[serde(deserialize_with = "int")]
    pub id: Option<i64>,
    pub state: Option<String>,
    pub context: Option<StatusContext>,
    pub description: Option<String>,
    pub target_url: Option<String>,
    #[serde(deserialize_with = "instant")]
    pub creation_date: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "instant")]
    pub updated_date: Option<DateTime<Utc>>,
    pub created_by: Option<IdentityRef>,
    #[serde(deserialize_with = "int")]
    pub iteration_id: Option<i64>,
}

impl Listed for PullRequestStatus {
    fn key(&self) -> Option<u64> {
        self.id.as_ref().map(key_of)
    }
}

/// What a status is about.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct StatusContext {
    pub name: Option<String>,
    pub genre: Option<String>,
}

/// Pull requests by commit: one map per query, from commit to pull requests.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct PullRequestQuery {
    pub results: Option<Vec<BTreeMap<String, Option<Vec<PullRequest>>>>>,
}
