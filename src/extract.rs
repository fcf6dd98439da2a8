//! From the answers of Azure DevOps to rows of the lake's tables: one file per resource.
//!
//! A function here asks through a [`Source`], reads strictly what the tables need, and gives rows with the time of the
//! answer. It knows nothing of the lake, of windows already read or of settings: what to ask for is told by the
//! caller. What is missing or hidden comes back as an error whose [`Error::is_unreadable`] is true, so that it can be
//! recorded instead of stopping the work; an answer that is not understood is an error for good.

pub mod branches;
mod detail_rows;
mod error;
mod lists;
pub mod organizations;
pub mod pipelines;
pub mod policies;
pub mod projects;
pub mod pull_request_details;
pub mod pull_requests;
pub mod pushes;
mod raw;
pub mod repositories;
pub mod retention;
mod rows;
pub mod run_jobs;
pub mod runs;
mod threads;
pub mod users;

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::ado::{Client, Meter};
use crate::schema::{Catalog, Row};

pub use self::error::Error;

/// Where rows come from: a client and the tables that they are for.
#[derive(Debug, Clone)]
pub struct Source {
    client: Client,
    catalog: Arc<Catalog>,
}

/// Rows of one table, and when the service gave them.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The rows; the organization is set, the columns that begin with `_` are not.
    pub rows: Vec<Row>,
    /// Time of the answer, of the first one where there were several.
    pub seen_at: DateTime<Utc>,
}

impl Source {
    /// Returns a source that asks through `client`.
    pub fn new(client: Client, catalog: Arc<Catalog>) -> Self {
        Self { client, catalog }
    }

    /// Returns the same source counting into `meter`.
    #[must_use]
    pub fn metered(&self, meter: Arc<Meter>) -> Self {
        Self { client: self.client.metered(meter), catalog: Arc::clone(&self.catalog) }
    }

    /// Returns the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the name of the organization.
    pub fn organization(&self) -> &str {
        self.client.organization()
    }

    /// Returns what makes rows of a table.
    fn table(&self, name: &str) -> Result<Maker, Error> {
        let table = self.catalog.require(name).map_err(|source| Error::Schema { source })?;
        let mut blank = Row::new(table);
        blank.set("organization", self.organization());
        Ok(Maker { blank })
    }
}

/// Makes rows of one table with the organization set.
#[derive(Debug, Clone)]
struct Maker {
    blank: Row,
}

impl Maker {
    fn row(&self) -> Row {
        self.blank.clone()
    }
}

/// What Azure DevOps can be read of; the names stand in `sync_runs.resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "named as the resources are")]
pub enum Resource {
    Organizations,
    Profiles,
    Projects,
    Users,
    Repositories,
    Branches,
    BranchPolicies,
    Pipelines,
    RetentionSettings,
    PipelineRuns,
    PipelineRunJobs,
    PullRequests,
    PullRequestDetails,
    Pushes,
}

impl Resource {
    /// All resources, in the order in which they depend on each other.
    pub const ALL: [Self; 14] = [
        Self::Organizations,
        Self::Profiles,
        Self::Projects,
        Self::Users,
        Self::Repositories,
        Self::Branches,
        Self::BranchPolicies,
        Self::Pipelines,
        Self::RetentionSettings,
        Self::PipelineRuns,
        Self::PipelineRunJobs,
        Self::PullRequests,
        Self::PullRequestDetails,
        Self::Pushes,
    ];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Organizations => "organizations",
            Self::Profiles => "profiles",
            Self::Projects => "projects",
            Self::Users => "users",
            Self::Repositories => "repositories",
            Self::Branches => "branches",
            Self::BranchPolicies => "branch_policies",
            Self::Pipelines => "pipelines",
            Self::RetentionSettings => "retention_settings",
            Self::PipelineRuns => "pipeline_runs",
            Self::PipelineRunJobs => "pipeline_run_jobs",
            Self::PullRequests => "pull_requests",
            Self::PullRequestDetails => "pull_request_details",
            Self::Pushes => "pushes",
        }
    }

    /// Returns the resource of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.name() == name)
    }
}

/// Returns an instant as a query parameter.
fn parameter(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Returns the short name of a full ref under `refs/heads/`; other refs as they are.
pub fn short_name(full_ref: &str) -> &str {
    full_ref.strip_prefix("refs/heads/").unwrap_or(full_ref)
}
