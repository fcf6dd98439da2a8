//! What whoever watches a sync is told.

use std::time::Instant;

use super::Run;
use crate::event::Event;
use crate::extract::Resource;
use crate::schema::Row;

impl Run {
    /// Tells that a resource begins.
    pub fn begin(&self, resource: Resource) {
        self.standing.reads(resource);
        self.done().started.insert(resource.name(), Instant::now());
        let (organization, resource) = (self.organization().to_owned(), resource.name().to_owned());
        self.tell(&Event::ResourceStarted { organization, resource });
    }

    /// Tells that more work of a resource is known.
    pub fn expect(&self, resource: Resource, more: usize) {
        let total = {
            let mut done = self.done();
            let total = done.expected.entry(resource.name()).or_default();
            *total += more as u64;
            *total
        };
        self.tell(&Event::Expected { resource: resource.name().to_owned(), total });
    }

    /// Tells that work of a resource was done.
    pub fn progress(&self, resource: Resource, rows: usize, done: usize) {
        let resource = resource.name().to_owned();
        self.tell(&Event::Progress { resource, rows: rows as u64, done: done as u64 });
    }

    /// Tells that a resource has been read, and what came of it.
    pub fn end(&self, resource: Resource, tables: &[&str]) {
        let event = {
            let done = self.done();
            let of = |row: &&Row| row.text("resource") == Some(resource.name());
            let sum = |column: &str| {
                let sum: i64 = done.rows.iter().filter(of).filter_map(|row| row.int(column)).sum();
                u64::try_from(sum).unwrap_or(0)
            };
            let worst = ["unreadable", "partial", "ok", "skipped"].into_iter().find(|status| {
                done.rows.iter().filter(of).any(|row| row.text("status") == Some(status))
            });
            Event::ResourceFinished {
                organization: self.organization().to_owned(),
                resource: resource.name().to_owned(),
                rows: sum("rows"),
                changed: tables.iter().filter_map(|table| done.changed.get(*table)).sum(),
                requests: sum("requests"),
                status: worst.unwrap_or("ok").to_owned(),
                took: done.started.get(resource.name()).map(Instant::elapsed).unwrap_or_default(),
            }
        };
        self.tell(&event);
    }

    /// Tells something that does not stop the work.
    pub fn warn(&self, message: String) {
        self.tell(&Event::Warning { message });
    }

    pub(super) fn tell(&self, event: &Event) {
        self.input.observer.observe(event);
    }
}
