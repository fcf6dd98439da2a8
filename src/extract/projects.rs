//! Projects: all that the identity can see, deleted ones included.

use super::error::reading;
use super::rows::{Id, Object};
use super::{Error, Rows, Source};
use crate::ado::model::Project;
use crate::ado::{Call, Paging};

/// Reads all projects. A deleted one has `deleted_at` at the time of the answer; who stores it keeps the first.
///
/// # Errors
/// Fails when the list cannot be read or is not understood.
pub async fn fetch(source: &Source) -> Result<Rows, Error> {
    let call = Call::core(&["projects"]).query("stateFilter", "all");
    let answer = source
        .client()
        .get_list::<Project>(call, Paging::Either { top: 500 })
        .await
        .map_err(reading(format!("projects of `{}`", source.organization())))?;
    let table = source.table("projects")?;
    let seen_at = answer.seen_at;
    let mut rows = Vec::with_capacity(answer.value.len());
    for project in answer.value {
        let id = Id(project.id.clone());
        let object = Object { address: &answer.url, kind: "project", id: &id };
        let is_deleted = project.state.as_deref() == Some("deleted");
        let mut row = table.row();
        row.set("project_id", object.need(project.id, "id")?)
            .set("name", object.need(project.name, "name")?)
            .set("description", project.description)
            .set("url", project.url)
            .set("visibility", project.visibility)
            .set("state", project.state)
            .set("revision", project.revision)
            .set("last_update_at", project.last_update_time)
            .set("first_seen_at", seen_at)
            .set("deleted_at", is_deleted.then_some(seen_at));
        rows.push(row);
    }
    Ok(Rows { rows, seen_at })
}
