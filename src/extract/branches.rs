//! Branches of a repository, all of them in each answer.

use super::error::reading;
use super::rows::{Id, Object};
use super::{Error, Rows, Source};
use crate::ado::model::Ref;
use crate::ado::{Call, Paging};

/// Reads all branches; `default_branch` is the short name that the repository gives.
///
/// # Errors
/// Fails when they cannot be read, as those of a disabled repository (404), or the answer is not understood.
pub async fn fetch(
    source: &Source,
    project_id: &str,
    repository_id: &str,
    default_branch: Option<&str>,
) -> Result<Rows, Error> {
    let call = Call::repository(project_id, repository_id, &["refs"]).query("filter", "heads/");
    let answer = source
        .client()
        .get_list::<Ref>(call, Paging::Token { top: 1000 })
        .await
        .map_err(reading(format!("branches of repository `{repository_id}`")))?;
    let table = source.table("branches")?;
    let seen_at = answer.seen_at;
    let mut rows = Vec::with_capacity(answer.value.len());
    for branch in answer.value {
        let id = Id(branch.name.clone());
        let object = Object { address: &answer.url, kind: "ref", id: &id };
        let full = object.need(branch.name, "name")?;
        // The filter is a mere prefix; only what lies under refs/heads/ is a branch.
        let Some(name) = full.strip_prefix("refs/heads/") else { continue };
        let mut row = table.row();
        row.set("repository_id", repository_id)
            .set("name", name)
            .set("commit_id", object.need(branch.object_id, "objectId")?.to_ascii_lowercase())
            .set("is_default", default_branch == Some(name))
            .set("is_locked", branch.is_locked.unwrap_or(false))
            .set("first_seen_at", seen_at);
        rows.push(row);
    }
    Ok(Rows { rows, seen_at })
}
