//! One thing that is read as a whole, and its row in `sync_runs`.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::ado::Meter;
use crate::extract::Resource;
use crate::schema::{Row, Table};
use crate::window::{Window, month_of};

/// A resource in a scope over a window.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// What is read.
    pub resource: Resource,
    /// Id of the scope, as `sync_runs.scope` has it.
    pub id: String,
    /// The same for people.
    pub name: String,
    /// What span of time.
    pub window: Window,
    /// Counts what it costs.
    pub meter: Arc<Meter>,
    /// What need not be looked up again, where that is taken down.
    pub settled: Option<String>,
}

/// How reading a scope ended, from best to worst.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// All of it was read and stands in the lake.
    Ok,
    /// It was left out on purpose.
    Skipped(String),
    /// Some of it is missing.
    Partial(String),
    /// None of it may be read.
    Unreadable(String),
}

impl Outcome {
    /// Returns the word of `sync_runs.status`.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped(_) => "skipped",
            Self::Partial(_) => "partial",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Returns what went wrong.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Skipped(error) | Self::Partial(error) | Self::Unreadable(error) => Some(error),
        }
    }

    /// Returns whether evidence is missing because of it.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Partial(_) | Self::Unreadable(_))
    }
}

impl Scope {
    /// Returns a scope with a meter of its own.
    pub fn new(
        resource: Resource,
        id: impl Into<String>,
        name: impl Into<String>,
        window: Window,
    ) -> Self {
        let (id, name) = (id.into(), name.into());
        Self { resource, id, name, window, meter: Arc::default(), settled: None }
    }

    /// Returns the row that tells how it ended; `started_at` is the first answer of the sync, `now` the latest.
    pub fn row(
        &self,
        table: &Arc<Table>,
        organization: &str,
        run_id: &str,
        (started_at, now): (DateTime<Utc>, DateTime<Utc>),
        outcome: &Outcome,
    ) -> Row {
        let counts = self.meter.counts();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut row = Row::new(table);
        row.set("organization", organization)
            .set("run_month", month_of(started_at))
            .set("run_id", run_id)
            .set("resource", self.resource.name())
            .set("scope", self.id.as_str())
            .set("scope_name", self.name.as_str())
            .set("window_from", self.window.from)
            .set("window_to", self.window.to)
            .set("status", outcome.status())
            .set("requests", number(counts.requests))
            .set("pages", number(counts.pages))
            .set("rows", number(counts.rows))
            .set("retries", number(counts.retries))
            .set("throttled_s", counts.throttled_s)
            .set("error", outcome.error())
            .set("settled", self.settled.as_deref())
            .set("started_at", started_at)
            .set("finished_at", now.max(started_at));
        row
    }
}
