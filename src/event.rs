//! What stages tell the outside while they work: they emit, the command line shows and logs.

use std::time::Duration;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A resource of an organization is about to be read; `expected` windows or objects, where known.
    ResourceStarted {
        /// Organization.
        organization: String,
        /// Resource, e.g. `pull_requests`.
        resource: String,
    },
    /// More work of a resource became known: its total so far (pages, pull requests, scopes, as the resource counts).
    Expected {
        /// Resource.
        resource: String,
        /// Units of work in all, as far as known.
        total: u64,
    },
    /// Work of a resource was done: rows that came in, units of work finished, since the last such event.
    Progress {
        /// Resource.
        resource: String,
        /// Rows read.
        rows: u64,
        /// Units of work done, of those announced by `Expected`.
        done: u64,
    },
    /// A resource of an organization has been read in all scopes.
    ResourceFinished {
        /// Organization.
        organization: String,
        /// Resource.
        resource: String,
        /// Rows read.
        rows: u64,
        /// Rows that were written because they are new or changed.
        changed: u64,
        /// Requests sent.
        requests: u64,
        /// `ok`, `partial`, `unreadable` or `skipped`: the worst of its scopes.
        status: String,
        /// From start to end.
        took: Duration,
    },
    /// Azure DevOps asked for a pause; all requests of the identity wait.
    Throttled {
        /// By how long the pause became longer: several answers may ask for the same one.
        longer: Duration,
        /// How long it lasts from now on.
        left: Duration,
    },
    /// A request is going to be sent again.
    Retried {
        /// Address without secrets.
        url: String,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// A commit to a table.
    Committed {
        /// Table.
        table: String,
        /// Version of the table after the commit.
        version: i64,
        /// Rows inserted, updated and marked as gone.
        rows: u64,
        /// Bytes of data files written.
        bytes: u64,
        /// How long reading, comparing and writing took.
        took: Duration,
    },
    /// Something the reader should know, and that does not stop the work.
    Warning {
        /// A sentence without a full stop.
        message: String,
    },
}

/// Somebody who wants to be told.
pub trait Observer: Send + Sync {
    /// Takes notice of an event; must return quickly.
    fn observe(&self, event: &Event);
}

/// An observer that drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _: &Event) {}
}
