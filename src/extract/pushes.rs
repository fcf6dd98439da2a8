//! Pushes to production branches, and what explains them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::Stream;

use super::error::reading;
use super::rows::{Id, Object};
use super::{Error, Source, lists, parameter};
use crate::ado::model::{CommitDiffs, PullRequestQuery, Push, RefUpdate};
use crate::ado::{Answer, Call, Paging};
use crate::schema::Row;
use crate::window::{Window, month_of};

/// Pushes per page.
const PAGE: u32 = 1000;
/// Commits per question for pull requests.
pub const QUESTION: usize = 100;

/// The pushes of one answer.
#[derive(Debug, Clone)]
pub struct PushPage {
    /// Rows of `pushes`, of the branch that was asked for; `is_force` and `pull_request_ids` are null.
    pub pushes: Vec<Row>,
    /// Time of the answer.
    pub seen_at: DateTime<Utc>,
}

/// Reads the pushes to a branch in a window; `ref_name` is the full ref.
pub fn fetch(
    source: &Source,
    project_id: &str,
    repository_id: &str,
    ref_name: &str,
    window: Window,
) -> impl Stream<Item = Result<PushPage, Error>> + Send + 'static {
    let call = Call::repository(project_id, repository_id, &["pushes"])
        .query("searchCriteria.refName", ref_name)
        .query("searchCriteria.includeRefUpdates", true)
        .query("searchCriteria.fromDate", parameter(window.from))
        .query("searchCriteria.toDate", parameter(window.to));
    let what = format!("pushes to `{ref_name}` of repository `{repository_id}`");
    let (repository_id, ref_name) = (repository_id.to_owned(), ref_name.to_owned());
    let rows = move |source: &Source, answer| page(source, &repository_id, &ref_name, answer);
    lists::pages(source, what, (call, Paging::Skip { top: PAGE }), rows)
}

fn page(
    source: &Source,
    repository_id: &str,
    ref_name: &str,
    answer: Answer<Vec<Push>>,
) -> Result<PushPage, Error> {
    let table = source.table("pushes")?;
    let seen_at = answer.seen_at;
    let mut pushes = Vec::new();
    for push in answer.value {
        let id = Id(push.push_id);
        let object = Object { address: &answer.url, kind: "push", id: &id };
        let at = object.need(push.date, "date")?;
        let by = push.pushed_by.unwrap_or_default();
        let updates = object.need(push.ref_updates, "refUpdates")?;
        for update in updates.into_iter().filter(|own| own.name.as_deref() == Some(ref_name)) {
            let mut row = table.row();
            row.set("repository_id", repository_id)
                .set("push_id", object.need(push.push_id, "pushId")?)
                .set("ref_name", ref_name)
                .set("pushed_by_id", by.id.as_deref())
                .set("pushed_by_unique_name", by.unique_name.as_deref())
                .set("at", at)
                .set("kind", kind(&object, &update)?)
                .set("old_commit", update.old_object_id)
                .set("new_commit", update.new_object_id)
                .set("first_seen_at", seen_at)
                .set("pushed_month", month_of(at));
            pushes.push(row);
        }
    }
    Ok(PushPage { pushes, seen_at })
}

fn kind(object: &Object<'_>, update: &RefUpdate) -> Result<&'static str, Error> {
    let is_zero = |commit: &String| commit.bytes().all(|byte| byte == b'0');
    let new = object.need(update.new_object_id.as_ref(), "refUpdates.newObjectId")?;
    Ok(match update.old_object_id.as_ref() {
        _ if is_zero(new) => "delete",
        None => "create",
        Some(old) if is_zero(old) => "create",
        Some(_) => "update",
    })
}

/// Asks which completed pull requests brought commits; each of `commits` is in the answer.
///
/// A pull request that is still open explains nothing: its commits may be here by a direct push.
///
/// # Errors
/// Fails when the question is not answered or the answer is not understood.
pub async fn explained(
    source: &Source,
    project_id: &str,
    repository_id: &str,
    commits: &[String],
) -> Result<BTreeMap<String, BTreeSet<i64>>, Error> {
    let mut explained: BTreeMap<String, BTreeSet<i64>> =
        commits.iter().map(|commit| (commit.clone(), BTreeSet::new())).collect();
    for part in commits.chunks(QUESTION) {
        for kind in ["lastMergeCommit", "commit"] {
            let body = serde_json::json!({"queries": [{"type": kind, "items": part}]});
            let call = Call::repository(project_id, repository_id, &["pullrequestquery"]);
            let answer = source
                .client()
                .get::<PullRequestQuery>(call.asking(&body))
                .await
                .map_err(reading(format!("pull requests by commit of `{repository_id}`")))?;
            let object =
                Object { address: &answer.url, kind: "pull request query", id: &repository_id };
            let results = object.need(answer.value.results, "results")?;
            for (commit, pull_requests) in results.into_iter().flatten() {
                let Some(numbers) = explained.get_mut(&commit.to_ascii_lowercase()) else {
                    continue;
                };
                for pull_request in pull_requests.into_iter().flatten() {
                    let number = object.need(pull_request.pull_request_id, "pullRequestId")?;
                    let is_completed =
                        pull_request.status.is_none_or(|status| status == "completed");
                    if is_completed {
                        numbers.insert(number);
                    }
                }
            }
        }
    }
    Ok(explained)
}

/// Returns the numbers as the column `pull_request_ids` holds them.
pub fn joined(numbers: &BTreeSet<i64>) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    numbers.join(",")
}

/// Asks whether a push was forced: whether the old commit is no ancestor of the new one; none where the service no
/// longer has one of them.
///
/// # Errors
/// Fails when the question is not answered or the answer is not understood.
pub async fn is_force(
    source: &Source,
    project_id: &str,
    repository_id: &str,
    old_commit: &str,
    new_commit: &str,
) -> Result<Option<bool>, Error> {
    let call = Call::repository(project_id, repository_id, &["diffs", "commits"])
        .query("baseVersion", old_commit)
        .query("baseVersionType", "commit")
        .query("targetVersion", new_commit)
        .query("targetVersionType", "commit")
        .query("$top", 1);
    match source.client().get::<CommitDiffs>(call).await {
        Ok(answer) => Ok(forced(&answer.value, old_commit)),
        Err(error) => {
            let error = reading(format!("how `{new_commit}` follows `{old_commit}`"))(error);
            if error.is_missing() { Ok(None) } else { Err(error) }
        }
    }
}

fn forced(diffs: &CommitDiffs, old_commit: &str) -> Option<bool> {
    match (&diffs.common_commit, diffs.behind_count) {
        (Some(common), _) => Some(!common.eq_ignore_ascii_case(old_commit)),
        (None, Some(behind)) => Some(behind > 0),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_forced_where_the_old_commit_is_left_behind() {
        let diffs = |json: serde_json::Value| serde_json::from_value::<CommitDiffs>(json).unwrap();
        assert_eq!(forced(&diffs(serde_json::json!({"commonCommit": "A"})), "a"), Some(false));
        assert_eq!(forced(&diffs(serde_json::json!({"commonCommit": "b"})), "a"), Some(true));
        assert_eq!(forced(&diffs(serde_json::json!({"behindCount": 2})), "a"), Some(true));
        assert_eq!(forced(&diffs(serde_json::json!({})), "a"), None);
    }
}
