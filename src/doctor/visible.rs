//! What the identity can see now, read with as few calls as tell it, and what it is refused.

use chrono::{DateTime, Utc};
use futures::StreamExt as _;

use super::permission::Permission;
use crate::ado::model::{Build, List, PullRequest};
use crate::ado::{Answer, Call};
use crate::config::{Projects, Settings};
use crate::extract::policies::Known;
use crate::extract::{
    Error, Source, branches, pipelines, policies, projects, repositories, retention,
};
use crate::schema::Row;

/// Projects or repositories asked at once; the gate of the client bounds requests.
const IN_FLIGHT: usize = 16;

/// What was seen, and what was refused.
#[derive(Debug)]
pub struct Visible {
    /// Everything that could not be read.
    pub refused: Vec<Refused>,
    /// What could; none where not even projects and repositories can be listed.
    pub found: Option<Found>,
}

/// Something that could not be read.
#[derive(Debug)]
pub struct Refused {
    /// What it needs.
    pub permission: Permission,
    /// What it is, e.g. `pull requests`.
    pub what: &'static str,
    /// Project, or project and repository; none = the organization.
    pub scope: Option<String>,
    /// Why.
    pub error: Error,
}

/// Rows of what was seen, of the projects that are selected.
#[derive(Debug, Default)]
pub struct Found {
    /// Time of the first answer.
    pub seen_at: DateTime<Utc>,
    /// Names of all projects.
    pub all_projects: Vec<String>,
    /// Id and name of those that are selected.
    pub projects: Vec<(String, String)>,
    /// Rows of `repositories`.
    pub repositories: Vec<Row>,
    /// Rows of `branches`, of repositories in scope.
    pub branches: Vec<Row>,
    /// Ids of repositories in scope whose branches could not be read.
    pub without_branches: Vec<String>,
    /// Rows of `pipelines`.
    pub pipelines: Vec<Row>,
    /// Rows of `branch_policies`: the latest revision of each.
    pub policies: Vec<Row>,
    /// Ids of projects whose policies could not be read.
    pub without_policies: Vec<String>,
    /// Rows of `retention_settings`.
    pub retention: Vec<Row>,
}

impl Visible {
    /// Reads what can be seen; branches only of repositories that `settings` have in scope, none without settings.
    pub async fn read(source: &Source, wanted: &Projects, settings: Option<&Settings>) -> Self {
        let mut refused = Vec::new();
        let refuse = |permission, what, error| Refused { permission, what, scope: None, error };
        let rows = match projects::fetch(source).await {
            Ok(rows) => rows,
            Err(error) => {
                refused.push(refuse(Permission::ProjectAndTeam, "projects", error));
                return Self { refused, found: None };
            }
        };
        let mut found = Found { seen_at: rows.seen_at, ..Found::default() };
        for row in &rows.rows {
            let (Some(id), Some(name)) = (row.text("project_id"), row.text("name")) else {
                continue;
            };
            if !matches!(row.text("state"), None | Some("wellFormed" | "unchanged")) {
                continue;
            }
            found.all_projects.push(name.to_owned());
            if wanted.matches(name) {
                found.projects.push((id.to_owned(), name.to_owned()));
            }
        }
        match repositories::fetch(source).await {
            Ok(rows) => {
                let is_own = |row: &Row| {
                    found.projects.iter().any(|(id, _)| Some(id.as_str()) == row.text("project_id"))
                };
                found.repositories = rows.rows.into_iter().filter(is_own).collect();
            }
            Err(error) => {
                refused.push(refuse(Permission::Code, "repositories", error));
                return Self { refused, found: None };
            }
        }
        let parts: Vec<Part> = futures::stream::iter(found.projects.clone())
            .map(async |(id, name)| project(source, id, name).await)
            .buffered(IN_FLIGHT)
            .collect()
            .await;
        for mut part in parts {
            found.pipelines.append(&mut part.found.pipelines);
            found.policies.append(&mut part.found.policies);
            found.without_policies.append(&mut part.found.without_policies);
            found.retention.append(&mut part.found.retention);
            refused.append(&mut part.refused);
        }
        if let Some(settings) = settings {
            read_branches(source, settings, &mut found, &mut refused).await;
        }
        Self { refused, found: Some(found) }
    }
}

#[derive(Default)]
struct Part {
    found: Found,
    refused: Vec<Refused>,
}

/// Reads what belongs to one project.
async fn project(source: &Source, id: String, name: String) -> Part {
    let mut part = Part::default();
    let mut refuse = |permission, what, error| {
        part.refused.push(Refused { permission, what, scope: Some(name.clone()), error });
    };
    match pipelines::fetch(source, &id).await {
        Ok(rows) => part.found.pipelines = rows.rows,
        Err(error) => refuse(Permission::Build, "pipelines", error),
    }
    match retention::fetch(source, &id).await {
        Ok(rows) => part.found.retention = rows.rows,
        Err(error) => refuse(Permission::Build, "retention settings", error),
    }
    let call = Call::project(&id, &["build", "builds"]).query("$top", 1);
    if let Err(error) = first::<Build>(source, call, "runs").await {
        refuse(Permission::Build, "runs", error);
    }
    match latest_policies(source, &id).await {
        Ok(rows) => part.found.policies = rows,
        Err(error) => {
            refuse(Permission::Code, "policies", error);
            part.found.without_policies.push(id.clone());
        }
    }
    let call = Call::project(&id, &["git", "pullrequests"])
        .query("searchCriteria.status", "all")
        .query("$top", 1);
    if let Err(error) = first::<PullRequest>(source, call, "pull requests").await {
        refuse(Permission::Code, "pull requests", error);
    }
    part
}

/// Asks for the first page of a list.
pub(super) async fn first<T: serde::de::DeserializeOwned + Send + 'static>(
    source: &Source,
    call: Call,
    what: &str,
) -> Result<Answer<Vec<T>>, Error> {
    let answer = source.client().get::<List<T>>(call).await;
    answer
        .map(|answer| answer.map(|list| list.value.unwrap_or_default()))
        .map_err(|source| Error::Fetch { what: what.to_owned(), source })
}

async fn latest_policies(source: &Source, project_id: &str) -> Result<Vec<Row>, Error> {
    let answer = policies::fetch(source, project_id).await?;
    let mut rows = Vec::new();
    for configuration in answer.value.clone() {
        let history = answer.clone().map(|_| vec![configuration]);
        rows.extend(policies::rows(source, project_id, &history, &Known::default())?);
    }
    Ok(rows)
}

async fn read_branches(
    source: &Source,
    settings: &Settings,
    found: &mut Found,
    refused: &mut Vec<Refused>,
) {
    struct Wanted {
        id: String,
        project_id: String,
        name: String,
        default: Option<String>,
    }
    let wanted: Vec<Wanted> = found
        .repositories
        .iter()
        .filter(|row| row.bool("is_disabled") != Some(true))
        .filter_map(|row| {
            let (project, name) = (row.text("project")?, row.text("name")?);
            let is_in_scope = settings.of(source.organization(), project, name).in_scope;
            is_in_scope.then_some(Wanted {
                id: row.text("repository_id")?.to_owned(),
                project_id: row.text("project_id")?.to_owned(),
                name: format!("{project}/{name}"),
                default: row.text("default_branch").map(str::to_owned),
            })
        })
        .collect();
    let answers: Vec<_> = futures::stream::iter(wanted)
        .map(async |one| {
            let default = one.default.as_deref();
            let rows = branches::fetch(source, &one.project_id, &one.id, default).await;
            (one, rows)
        })
        .buffered(IN_FLIGHT)
        .collect()
        .await;
    for (one, answer) in answers {
        match answer {
            Ok(mut rows) => found.branches.append(&mut rows.rows),
            Err(error) => {
                found.without_branches.push(one.id);
                let (permission, what) = (Permission::Code, "branches");
                refused.push(Refused { permission, what, scope: Some(one.name), error });
            }
        }
    }
}
