//! Projects, repositories, branches, commits and pushes.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::tolerant::{flag, guid, instant, int};
use crate::ado::page::{Listed, key_of};

/// A person or service as other objects name it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct IdentityRef {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    pub display_name: Option<String>,
    pub unique_name: Option<String>,
    pub descriptor: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub is_container: Option<bool>,
}

/// A project; inside other objects a stub of it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Project {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub url: Option<String>,
    pub state: Option<String>,
    pub visibility: Option<String>,
    #[serde(deserialize_with = "int")]
    pub revision: Option<i64>,
    #[serde(deserialize_with = "instant")]
    pub last_update_time: Option<DateTime<Utc>>,
}

impl Listed for Project {
    fn key(&self) -> Option<u64> {
        self.id.as_ref().map(key_of)
    }
}

/// A repository; inside other objects a stub of it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Repository {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    pub name: Option<String>,
    pub url: Option<String>,
    pub web_url: Option<String>,
    pub project: Option<Project>,
    pub default_branch: Option<String>,
    #[serde(deserialize_with = "int")]
    pub size: Option<i64>,
    #[serde(deserialize_with = "flag")]
    pub is_fork: Option<bool>,
    pub parent_repository: Option<Box<Repository>>,
    #[serde(deserialize_with = "flag")]
    pub is_disabled: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub is_in_maintenance: Option<bool>,
}

impl Listed for Repository {
    fn key(&self) -> Option<u64> {
        self.id.as_ref().map(key_of)
    }
}

/// A repository that was deleted, also one in the recycle bin.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct DeletedRepository {
    #[serde(deserialize_with = "guid")]
    pub id: Option<String>,
    pub name: Option<String>,
    pub project: Option<Project>,
    #[serde(deserialize_with = "instant")]
    pub created_date: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "instant")]
    pub deleted_date: Option<DateTime<Utc>>,
}

impl Listed for DeletedRepository {
    fn key(&self) -> Option<u64> {
        self.id.as_ref().map(key_of)
    }
}

/// A branch or tag.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Ref {
    pub name: Option<String>,
    pub object_id: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub is_locked: Option<bool>,
}

impl Listed for Ref {
    fn key(&self) -> Option<u64> {
        self.name.as_ref().map(key_of)
    }
}

/// Name, mail and date of a commit, as git has them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Signature {
    pub name: Option<String>,
    pub email: Option<String>,
    #[serde(deserialize_with = "instant")]
    pub date: Option<DateTime<Utc>>,
}

/// A commit that another object points at.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct CommitRef {
    #[serde(deserialize_with = "guid")]
    pub commit_id: Option<String>,
}

/// A commit with who made it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Commit {
    #[serde(deserialize_with = "guid")]
    pub commit_id: Option<String>,
    pub author: Option<Signature>,
    pub committer: Option<Signature>,
}

impl Listed for Commit {
    fn key(&self) -> Option<u64> {
        self.commit_id.as_ref().map(key_of)
    }
}

/// A push with the refs that it moved.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Push {
    #[serde(deserialize_with = "int")]
    pub push_id: Option<i64>,
    #[serde(deserialize_with = "instant")]
    pub date: Option<DateTime<Utc>>,
    pub pushed_by: Option<IdentityRef>,
    pub ref_updates: Option<Vec<RefUpdate>>,
}

impl Listed for Push {
    fn key(&self) -> Option<u64> {
        self.push_id.as_ref().map(key_of)
    }
}

/// A ref before and after a push.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct RefUpdate {
    pub name: Option<String>,
    #[serde(deserialize_with = "guid")]
    pub old_object_id: Option<String>,
    #[serde(deserialize_with = "guid")]
    pub new_object_id: Option<String>,
}

/// How two commits stand to each other.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct CommitDiffs {
    #[serde(deserialize_with = "guid")]
    pub common_commit: Option<String>,
    #[serde(deserialize_with = "guid")]
    pub base_commit: Option<String>,
    #[serde(deserialize_with = "guid")]
    pub target_commit: Option<String>,
    #[serde(deserialize_with = "int")]
    pub ahead_count: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub behind_count: Option<i64>,
}

/// One page of the paths that an iteration changes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Changes {
    pub change_entries: Option<Vec<Change>>,
    #[serde(deserialize_with = "int")]
    pub next_skip: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub next_top: Option<i64>,
}

/// A changed path.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct Change {
    pub change_type: Option<String>,
    pub item: Option<ChangeItem>,
    pub original_path: Option<String>,
    pub source_server_item: Option<String>,
}

/// The file of a change.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "fields are those of the API")]
pub struct ChangeItem {
    pub path: Option<String>,
}
