//! How scopes ended: sorted out, taken down, and written many at a time.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::Run;
use crate::extract::{self, Resource};
use crate::sync::chain;
use crate::sync::error::Error;
use crate::sync::scope::{Outcome, Scope};

/// How long the end of a scope may wait to be written.
const UNWRITTEN_FOR: Duration = Duration::from_secs(2);

impl Run {
    /// Takes down how scopes ended; to be called after their rows are written. It is written soon, many at a time: what a
    /// stop loses of it is read again.
    pub async fn record(&self, scopes: Vec<(Scope, Outcome)>) -> Result<(), Error> {
        for (scope, outcome) in &scopes {
            if let (true, Some(error)) = (outcome.is_incomplete(), outcome.error()) {
                let (resource, name) = (scope.resource.name(), &scope.name);
                self.warn(format!("{resource} of `{name}`: {error}"));
            }
        }
        self.take_down(scopes, (self.started_at, self.now())).await
    }

    /// Returns whether it is taken down how a resource ended in a scope.
    pub fn has_recorded(&self, resource: Resource, id: &str) -> bool {
        let from = (resource, id.to_owned(), DateTime::<Utc>::MIN_UTC);
        let done = self.done();
        let next = done.taken.range(from..).next();
        next.is_some_and(|(own, scope, _)| *own == resource && scope == id)
    }

    /// Takes down how scopes ended, and when the sync began and when that was.
    pub async fn take_down(
        &self,
        scopes: Vec<(Scope, Outcome)>,
        times: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<(), Error> {
        let Some(table) = self.input.lake.catalog().table("sync_runs") else { return Ok(()) };
        let mut rows = Vec::with_capacity(scopes.len());
        for (mut scope, outcome) in scopes {
            // Two windows of one scope may begin at the same instant; the key tells them apart by it.
            let mut done = self.done();
            while !done.taken.insert((scope.resource, scope.id.clone(), scope.window.from)) {
                scope.window.from += TimeDelta::microseconds(1);
            }
            drop(done);
            rows.push(scope.row(table, self.organization(), &self.run_id, times, &outcome));
        }
        let is_due = {
            let mut done = self.done();
            done.rows.extend(rows.iter().cloned());
            done.unwritten.extend(rows);
            let since = *done.unwritten_since.get_or_insert_with(Instant::now);
            since.elapsed() >= UNWRITTEN_FOR
        };
        if is_due { self.write_records().await } else { Ok(()) }
    }

    /// Writes what was taken down and is not written yet.
    pub async fn write_records(&self) -> Result<(), Error> {
        let rows = {
            let mut done = self.done();
            done.unwritten_since = None;
            std::mem::take(&mut done.unwritten)
        };
        self.write("sync_runs", rows, Vec::new(), self.now()).await.map(drop)
    }

    /// Sorts out a result: what may not be read becomes an outcome, a refused token ends the run.
    pub fn sort_out<T>(
        &self,
        result: Result<T, extract::Error>,
    ) -> Result<Result<T, Outcome>, Error> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(error) => {
                let error = self.unless_signed_out(error)?;
                let text = chain(&error);
                Ok(Err(if error.is_absent() {
                    Outcome::Skipped(text)
                } else if error.is_unreadable() {
                    Outcome::Unreadable(text)
                } else {
                    Outcome::Partial(text)
                }))
            }
        }
    }

    /// Passes an error on, unless the token is no longer accepted: then everything else would fail too.
    pub fn unless_signed_out(&self, error: extract::Error) -> Result<extract::Error, Error> {
        if error.is_signed_out() {
            return Err(Error::Organization {
                organization: self.organization().to_owned(),
                source: Box::new(error),
            });
        }
        Ok(error)
    }
}
