//! Repositories: all that the identity can see, hidden and disabled ones included, and those that were deleted.

use chrono::{DateTime, Utc};

use super::error::reading;
use super::rows::{Id, Object, filled};
use super::{Error, Rows, Source, short_name};
use crate::ado::model::{DeletedRepository, Repository};
use crate::ado::{Call, Paging};

/// Reads all repositories of the organization in one answer.
///
/// # Errors
/// Fails when the list cannot be read or is not understood.
pub async fn fetch(source: &Source) -> Result<Rows, Error> {
    let call = Call::core(&["git", "repositories"]).query("includeHidden", true);
    let answer = source
        .client()
        .get_list::<Repository>(call, Paging::Whole)
        .await
        .map_err(reading(format!("repositories of `{}`", source.organization())))?;
    let table = source.table("repositories")?;
    let seen_at = answer.seen_at;
    let mut rows = Vec::with_capacity(answer.value.len());
    for repository in answer.value {
        let id = Id(repository.id.clone());
        let object = Object { address: &answer.url, kind: "repository", id: &id };
        let project = object.need(repository.project, "project")?;
        let default_branch = filled(repository.default_branch);
        let parent = repository.parent_repository.and_then(|parent| parent.id);
        let mut row = table.row();
        row.set("repository_id", object.need(repository.id, "id")?)
            .set("project_id", object.need(project.id, "project.id")?)
            .set("project", object.need(project.name, "project.name")?)
            .set("name", object.need(repository.name, "name")?)
            .set("url", repository.url)
            .set("web_url", repository.web_url)
            .set("default_branch", default_branch.as_deref().map(short_name))
            .set("visibility", project.visibility.filter(|visibility| visibility != "unchanged"))
            .set("is_fork", repository.is_fork.unwrap_or(parent.is_some()))
            .set("parent_repository_id", parent)
            .set("is_disabled", repository.is_disabled.unwrap_or(false))
            .set("is_in_maintenance", repository.is_in_maintenance.unwrap_or(false))
            .set("size_bytes", repository.size)
            .set("first_seen_at", seen_at);
        rows.push(row);
    }
    Ok(Rows { rows, seen_at })
}

/// Repositories of a project that were shown to be deleted.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// Their ids.
    pub repository_ids: Vec<String>,
    /// Time of the first answer.
    pub seen_at: DateTime<Utc>,
}

/// Reads which repositories of a project were deleted, finally or into the recycle bin.
///
/// What one of the two lists shows holds even if the other one may not be read.
///
/// # Errors
/// Fails when neither list may be read, or one cannot be read for another reason or is not understood.
pub async fn deleted(source: &Source, project_id: &str) -> Result<Deleted, Error> {
    let mut repository_ids = Vec::new();
    let (mut seen_at, mut unreadable) = (None, None);
    for path in [&["git", "deletedrepositories"][..], &["git", "recycleBin", "repositories"]] {
        let answer = source
            .client()
            .get_list::<DeletedRepository>(Call::project(project_id, path), Paging::Whole)
            .await
            .map_err(reading(format!("deleted repositories of project `{project_id}`")));
        let answer = match answer {
            Err(error) if error.is_unreadable() => {
                unreadable = Some(error);
                continue;
            }
            answer => answer?,
        };
        for repository in answer.value {
            let id = Id(repository.name);
            let object = Object { address: &answer.url, kind: "deleted repository", id: &id };
            repository_ids.push(object.need(repository.id, "id")?);
        }
        seen_at = seen_at.or(Some(answer.seen_at));
    }
    repository_ids.sort();
    repository_ids.dedup();
    match (seen_at, unreadable) {
        (None, Some(error)) => Err(error),
        (seen_at, _) => Ok(Deleted { repository_ids, seen_at: seen_at.unwrap_or_default() }),
    }
}
