//! What a sync would read, from which window, without reading it.

use chrono::{DateTime, Utc};

use super::judge::Rules;
use super::run::{Repository, Run};
use super::{
    Error, Input, Options, counts, details, jobs, pull_requests, pushes, retention, runs, snapshots,
};
use crate::extract::Resource;
use crate::window::Window;

/// Requests for the details of one pull request.
const DETAIL_REQUESTS: u64 = 6;

/// What would be read.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Organization.
    pub organization: String,
    /// Nothing after it would be read.
    pub upper: DateTime<Utc>,
    /// In the order of reading.
    pub items: Vec<Planned>,
}

/// One thing that would be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Resource.
    pub resource: &'static str,
    /// Scope, for people.
    pub scope: String,
    /// Span of time; none for what is read as it is now.
    pub window: Option<Window>,
    /// The least number of requests; none where it depends on what others find.
    pub requests: Option<u64>,
}

/// Signs in, reads projects and repositories, and returns what a sync would read; nothing is written.
///
/// # Errors
/// Fails when the organization or the lake cannot be read.
pub async fn plan(input: Input, options: &Options) -> Result<Plan, Error> {
    let run = Run::look(input, options).await?;
    let mut items = Vec::new();
    for resource in Resource::ALL.into_iter().filter(|resource| run.wants(*resource)) {
        items.extend(of_resource(&run, resource).await?);
    }
    Ok(Plan { organization: run.organization().to_owned(), upper: run.upper, items })
}

async fn of_resource(run: &Run, resource: Resource) -> Result<Vec<Planned>, Error> {
    let item = |scope: &str, window: Option<Window>, requests: Option<u64>| Planned {
        resource: resource.name(),
        scope: scope.to_owned(),
        window,
        requests,
    };
    let now = |scope: &str, requests: u64| item(scope, None, Some(requests));
    let organization = run.organization();
    let by_project = |requests| run.projects.iter().map(move |own| now(&own.name, requests));
    Ok(match resource {
        Resource::Organizations | Resource::Repositories => vec![now(organization, 1)],
        // The list ends with an empty page.
        Resource::Projects => vec![now(organization, 2)],
        Resource::Users => match snapshots::is_users_due(run) {
            true => vec![item(organization, None, None)],
            false => Vec::new(),
        },
        Resource::Branches => {
            let readable = run.repositories.iter().filter(|repository| !repository.is_disabled);
            let path = |repository: &Repository| {
                format!("{}/{}", run.project_name(&repository.project_id), repository.name)
            };
            readable.map(|repository| now(&path(repository), 1)).collect()
        }
        Resource::BranchPolicies | Resource::Pipelines => by_project(1).collect(),
        Resource::RetentionSettings => {
            let due = run.projects.iter().filter(|own| snapshots::is_retention_due(run, own));
            due.map(|project| now(&project.name, 2)).collect()
        }
        Resource::PipelineRuns => {
            let kept = retention::kept(run).await?;
            let of_project = |project| {
                runs::planned(run, project, &kept)
                    .into_iter()
                    .map(|(window, requests)| item(&project.name, Some(window), Some(requests)))
            };
            run.projects.iter().flat_map(of_project).collect()
        }
        Resource::PullRequests => {
            let counts = counts::known(run).await?;
            let of_project = |project| {
                pull_requests::planned(run, project, &counts)
                    .into_iter()
                    .map(|(window, requests)| item(&project.name, Some(window), Some(requests)))
            };
            run.projects.iter().flat_map(of_project).collect()
        }
        Resource::PullRequestDetails => {
            let missing = details::wanted(run).await?.len() as u64;
            vec![
                now("known to be missing", missing * DETAIL_REQUESTS),
                item("new ones", None, None),
            ]
        }
        Resource::PipelineRunJobs => match run.judge.repositories.values().any(Rules::wants_jobs) {
            true => {
                let missing = jobs::count_missing(run).await? as u64;
                vec![now("known to be missing", missing), item("new ones", None, None)]
            }
            false => Vec::new(),
        },
        Resource::Pushes => {
            let branches = pushes::planned(run).await?;
            if branches.is_empty() {
                vec![item("production branches, once they are read", None, None)]
            } else {
                // What was read before ends in an empty page, if there is anything.
                let one = |(name, window): &(String, Window)| item(name, Some(*window), Some(1));
                branches.iter().map(one).collect()
            }
        }
        Resource::Profiles => Vec::new(),
    })
}
