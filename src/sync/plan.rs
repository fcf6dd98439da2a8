//! What a sync would read, from which window, without reading it.

use chrono::{DateTime, Utc};

use super::run::Run;
use super::{Error, Input, Options};
use crate::extract::Resource;
use crate::window::{Window, month_start};

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
    /// The least number of requests, details of pull requests apart.
    pub requests: u64,
}

/// Signs in, reads projects and repositories, and returns what a sync would read; nothing is written.
///
/// # Errors
/// Fails when the organization or the lake cannot be read.
pub async fn plan(input: Input, options: &Options) -> Result<Plan, Error> {
    let run = Run::look(input, options).await?;
    let mut items = Vec::new();
    for resource in Resource::ALL.into_iter().filter(|resource| run.wants(*resource)) {
        let now = |scope: String, requests| Planned {
            resource: resource.name(),
            scope,
            window: None,
            requests,
        };
        match resource {
            Resource::Organizations
            | Resource::Projects
            | Resource::Users
            | Resource::Repositories => {
                items.push(now(run.organization().to_owned(), 1));
            }
            Resource::Branches => {
                let readable = run.repositories.iter().filter(|repository| !repository.is_disabled);
                items.extend(readable.map(|repository| now(repository.name.clone(), 1)));
            }
            Resource::BranchPolicies | Resource::Pipelines => {
                items.extend(run.projects.iter().map(|project| now(project.name.clone(), 1)));
            }
            Resource::RetentionSettings => {
                items.extend(run.projects.iter().map(|project| now(project.name.clone(), 2)));
            }
            Resource::PipelineRuns | Resource::PullRequests => {
                for project in &run.projects {
                    let requests = if resource == Resource::PipelineRuns { 3 } else { 6 };
                    items.extend(run.gaps(resource, &project.id).into_iter().map(|gap| {
                        let window = Some(listed(&run, resource, gap));
                        Planned { window, ..now(project.name.clone(), requests) }
                    }));
                }
            }
            // These follow what the others find.
            Resource::Profiles
            | Resource::PipelineRunJobs
            | Resource::PullRequestDetails
            | Resource::Pushes => {}
        }
    }
    Ok(Plan { organization: run.organization().to_owned(), upper: run.upper, items })
}

/// Returns the window that is listed for a gap: closed pull requests are listed again while they may change.
fn listed(run: &Run, resource: Resource, gap: Window) -> Window {
    if resource == Resource::PullRequests && gap.to == run.upper {
        let recheck = run.upper.checked_sub_signed(run.recheck()).unwrap_or(DateTime::UNIX_EPOCH);
        return Window::new(month_start(gap.from.min(recheck)), gap.to);
    }
    gap
}
