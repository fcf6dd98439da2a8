//! Pipelines of a project: its build definitions.

use super::error::reading;
use super::rows::{Id, Object};
use super::{Error, Rows, Source};
use crate::ado::model::{Definition, RunRepository, guid_of};
use crate::ado::{Call, Paging};

/// Reads all pipelines of a project.
///
/// # Errors
/// Fails when they cannot be read or the answer is not understood.
pub async fn fetch(source: &Source, project_id: &str) -> Result<Rows, Error> {
    let call =
        Call::project(project_id, &["build", "definitions"]).query("includeAllProperties", true);
    let answer = source
        .client()
        .get_list::<Definition>(call, Paging::Token { top: 10_000 })
        .await
        .map_err(reading(format!("pipelines of project `{project_id}`")))?;
    let table = source.table("pipelines")?;
    let seen_at = answer.seen_at;
    let mut rows = Vec::with_capacity(answer.value.len());
    for definition in answer.value {
        let id = Id(definition.id);
        let object = Object { address: &answer.url, kind: "pipeline", id: &id };
        let repository = definition.repository.unwrap_or_default();
        let mut row = table.row();
        row.set("project_id", project_id)
            .set("pipeline_id", object.need(definition.id, "id")?)
            .set("name", object.need(definition.name, "name")?)
            .set("folder", definition.path.unwrap_or_else(|| "\\".to_owned()))
            .set("revision", definition.revision)
            .set("repository_id", repository_id(&repository))
            .set("repository_type", repository.kind)
            .set("first_seen_at", seen_at);
        rows.push(row);
    }
    Ok(Rows { rows, seen_at })
}

/// Asks whether a pipeline answers by its id, to show that one which the list lacks was deleted.
///
/// # Errors
/// Fails when it cannot be read; [`Error::is_missing`] shows the deletion, if a complete list lacks it too.
pub async fn one(source: &Source, project_id: &str, pipeline_id: i64) -> Result<(), Error> {
    let path = ["build", "definitions", &pipeline_id.to_string()];
    let answer = source.client().get::<Definition>(Call::project(project_id, &path)).await;
    answer.map(drop).map_err(reading(format!("pipeline `{pipeline_id}`")))
}

/// Returns the id of a repository: a GUID in lower case for Azure Repos, as it is for other hosts.
pub(super) fn repository_id(repository: &RunRepository) -> Option<String> {
    let id = repository.id.as_deref()?;
    if repository.is_azure_repos() { guid_of(id) } else { Some(id.to_owned()) }
}
