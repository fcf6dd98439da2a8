//! How work that many objects of a project share goes: one row of `sync_runs` for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::ado::Meter;
use crate::extract::Resource;
use crate::window::Window;

/// Scopes by project, added to by everybody who works on one of its objects.
pub(super) struct Tally {
    scopes: BTreeMap<String, Mutex<Entry>>,
    /// What is said of objects that lack something, e.g. `pull requests lack details`.
    what: &'static str,
}

struct Entry {
    scope: Scope,
    missing: usize,
    /// The first of the reasons: one is enough for people, the count tells the size.
    example: Option<String>,
}

impl Tally {
    /// Returns an empty tally for these projects.
    pub fn new(
        resource: Resource,
        projects: &[Project],
        upper: DateTime<Utc>,
        what: &'static str,
    ) -> Self {
        let window = Window::new(upper, upper);
        let entry = |project: &Project| {
            let scope = Scope::new(resource, &project.id, &project.name, window);
            Mutex::new(Entry { scope, missing: 0, example: None })
        };
        let scopes = projects.iter().map(|project| (project.id.clone(), entry(project))).collect();
        Self { scopes, what }
    }

    /// Returns what counts for a project.
    pub fn meter(&self, project: &str) -> Arc<Meter> {
        self.entry(project).map(|entry| Arc::clone(&entry.scope.meter)).unwrap_or_default()
    }

    /// Notes that an object of a project lacks something.
    pub fn missing(&self, project: &str, why: String) {
        if let Some(mut entry) = self.entry(project) {
            entry.missing += 1;
            entry.example.get_or_insert(why);
        }
    }

    /// Returns the scopes and how they ended; without idle ones if `is_busy_only`.
    pub fn finish(&self, is_busy_only: bool) -> Vec<(Scope, Outcome)> {
        let entries = self.scopes.keys().filter_map(|project| self.entry(project));
        let ended = entries
            .filter(|entry| !is_busy_only || entry.scope.meter.counts().requests > 0)
            .map(|entry| {
                let outcome = match &entry.example {
                    None => Outcome::Ok,
                    Some(example) => {
                        Outcome::Partial(format!("{} {}: {example}", entry.missing, self.what))
                    }
                };
                (entry.scope.clone(), outcome)
            });
        ended.collect()
    }

    fn entry(&self, project: &str) -> Option<MutexGuard<'_, Entry>> {
        let entry = self.scopes.get(project)?;
        Some(entry.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
