//! Incremental extraction: what Azure DevOps says now becomes rows of the lake.
//!
//! ```text
//! snapshots (projects, repositories, users, policies, …) ─┐
//! runs by finish time ──┐                                 ├──▶ Batch ──▶ lake (children first) ──▶ sync_runs
//! pull requests: pages ─┴─▶ judge ─▶ details, jobs ───────┘
//! ```
//!
//! The upper bound of a sync is the time of its first answer. A window counts as read when its row in `sync_runs`
//! stands behind its rows; a sync that breaks off anywhere costs a re-read, never a row. Which details are read follows
//! the settings and what the lake lacks, not a position.

mod ask;
mod batch;
mod counts;
mod details;
mod error;
mod jobs;
mod judge;
mod listed;
mod pace;
mod places;
mod plan;
mod policies;
mod pull_requests;
mod pushes;
mod retention;
mod run;
mod runs;
mod scope;
mod settled;
mod snapshots;
mod standing;
mod strays;
mod tally;
mod unread;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::config::{Projects, Settings};
use crate::event::Observer;
use crate::extract::{Resource, Source};
use crate::lake::Lake;
use crate::schema::Row;

pub use self::error::Error;
pub use self::plan::{Plan, Planned, plan};
use self::run::Run;
use self::standing::Standing;

/// What one organization's sync is handed.
#[derive(Clone)]
pub struct Input {
    /// Where rows come from.
    pub source: Source,
    /// Where they go.
    pub lake: Arc<Lake>,
    /// Which projects.
    pub projects: Projects,
    /// How to read.
    pub section: crate::config::Sync,
    /// What checks would judge.
    pub settings: Settings,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// Stops the sync after the commit in hand.
    pub stop: CancellationToken,
}

/// What the caller may narrow or widen.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Read every window again and sweep for deletions.
    pub full: bool,
    /// Only these resources; empty = all.
    pub resources: Vec<Resource>,
    /// Only these projects, by name without case; empty = all that the configuration selects.
    pub projects: Vec<String>,
    /// Read up to this instant instead of now.
    pub until: Option<DateTime<Utc>>,
}

/// What a sync of one organization did.
#[derive(Debug, Clone)]
pub struct Report {
    /// Organization.
    pub organization: String,
    /// Id of the run.
    pub run_id: String,
    /// `Date` of the first answer.
    pub started_at: DateTime<Utc>,
    /// `Date` of the last answer.
    pub finished_at: DateTime<Utc>,
    /// Up to where was read: `Date` of the first answer, or what was asked for where that is earlier.
    pub upper: DateTime<Utc>,
    /// Rows of `sync_runs`, in the order in which they were written.
    pub rows: Vec<Row>,
    /// Rows written per table: new, changed or marked as gone.
    pub changed: std::collections::BTreeMap<String, u64>,
}

impl Report {
    /// Returns whether something could not be read.
    pub fn is_partial(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.text("status"), Some("partial" | "unreadable")))
    }

    /// Returns the requests of all scopes.
    pub fn requests(&self) -> i64 {
        self.rows.iter().filter_map(|row| row.int("requests")).sum()
    }
}

/// Reads what is new of one organization into the lake.
///
/// # Errors
/// Fails when the organization cannot be read at all, the lake cannot be read or written, or it was told to stop. What
/// was committed stays; the next sync goes on from there.
pub async fn sync(input: Input, options: &Options) -> Result<Report, Error> {
    let stop = input.stop.clone();
    let standing = Arc::new(Standing::default());
    let work = async {
        let lake = &input.lake;
        // A store that loses commits is refused before anything is written to it.
        lake.probe_if_new().await.map_err(|source| {
            let (place, source) = (lake.place(), Box::new(source));
            Error::Store { place, source }
        })?;
        // So are tables that cannot be written as the schemas say.
        let failed = |source| Error::Lake {
            doing: "write",
            what: "the lake".to_owned(),
            source: Box::new(source),
        };
        lake.check_tables().await.map_err(failed)?;
        lake.renew_tables().await.map_err(failed)?;
        let run = Arc::new(Run::start(input, options, Arc::clone(&standing)).await?);
        run.complete().await?;
        Ok(run.report())
    };
    tokio::select! {
        result = work => result,
        () = stop.cancelled() => Err(standing.stopped().await),
    }
}

/// Returns an error with all its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
