//! The answers of Azure DevOps as types: tolerant of what is absent, strict about what is there.
//!
//! Every field may be absent or null. Enumerations stay text, since undeclared values occur. Unknown fields are
//! ignored. Dates, numbers, flags and GUIDs are read by the functions of `tolerant`. What a row cannot do without
//! is demanded where rows are made, not here.

mod account;
mod build;
mod git;
mod policy;
mod pull_request;
mod tolerant;

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

pub use self::account::{
    Account, ConnectionData, GraphSubject, Identity, Profile, StorageKey, is_service_descriptor,
};
pub use self::build::{
    Build, BuildSettings, Definition, DefinitionRef, Retention, RetentionSetting, RunRepository,
    Timeline, TimelineAttempt, TimelineRecord,
};
pub use self::git::{
    Change, ChangeItem, Changes, Commit, CommitDiffs, CommitRef, DeletedRepository, IdentityRef,
    Project, Push, Ref, RefUpdate, Repository, Signature,
};
pub use self::policy::{
    BuildContext, Configuration, EvaluatedSettings, Evaluation, PolicyType, Scope, Settings,
};
pub use self::pull_request::{
    CompletionOptions, ForkRef, Iteration, Label, Property, PullRequest, PullRequestProperties,
    PullRequestQuery, PullRequestStatus, PushRef, Reviewer, StatusContext, Thread,
};
pub use self::tolerant::{guid_of, instant_of};

/// The envelope of a list, `{"count": 2, "value": […]}`; a bare list is taken too.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T> {
    /// The rows; none where the envelope has no `value`.
    pub value: Option<Vec<T>>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list in an envelope")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
        let mut value = Vec::new();
        while let Some(row) = rows.next_element()? {
            value.push(row);
        }
        Ok(List { value: Some(value) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (mut value, mut count) = (None, None);
        while let Some(name) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*name {
                "value" => value = fields.next_value()?,
                "count" => count = fields.next_value::<serde_json::Value>()?.as_u64(),
                _ => _ = fields.next_value::<IgnoredAny>()?,
            }
        }
        // An empty list may be left out, as other defaults are; that it is empty has to be said then.
        Ok(List { value: value.or_else(|| (count == Some(0)).then(Vec::new)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_may_be_left_out_where_its_count_says_so() {
        let list = |text: &str| serde_json::from_str::<List<i64>>(text).unwrap().value;
        assert_eq!(list(r#"{"count": 0, "value": null}"#), Some(Vec::new()));
        assert_eq!(list(r#"{"count": 0}"#), Some(Vec::new()));
        assert_eq!(list(r#"{"count": 1, "value": null}"#), None);
        assert_eq!(list(r#"{"message": "no list"}"#), None);
        assert_eq!(list("[1]"), Some(vec![1]));
    }
}
