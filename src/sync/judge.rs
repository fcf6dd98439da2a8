//! Which pull requests a check would judge now, and which of their details are still to be read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Detail, RepositorySettings, Settings};
use crate::extract::pull_request_details::Parts;
use crate::extract::short_name;
use crate::glob::Glob;
use crate::schema::Row;

/// Days after the close at which threads and statuses are read again; the last time is at the end of `sync.recheck`.
const RECHECK_DAYS: [i64; 2] = [1, 7];

/// What holds for one repository, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Project, for addresses.
    pub project_id: String,
    in_scope: bool,
    production: Vec<Glob>,
    /// Patterns of its `job:` selectors, lower case.
    jobs: Vec<String>,
    wants_paths: bool,
    is_readable: bool,
}

impl Rules {
    /// Returns the rules of a repository; `is_readable` is false where its contents answer 404.
    pub fn new(project_id: &str, settings: &RepositorySettings, is_readable: bool) -> Self {
        let globs =
            |patterns: Vec<&str>| patterns.into_iter().filter_map(|p| Glob::new(p).ok()).collect();
        let solutions = || settings.solutions().into_iter().flat_map(|(_, list)| list);
        let jobs = solutions().filter(|solution| solution.selector == crate::config::Selector::Job);
        Self {
            project_id: project_id.to_owned(),
            in_scope: settings.in_scope,
            production: globs(settings.production_branches.iter().map(String::as_str).collect()),
            jobs: jobs.map(|job| job.pattern.clone()).collect(),
            wants_paths: solutions().any(|solution| solution.paths.is_some()),
            is_readable,
        }
    }

    /// Returns whether jobs decide anything here.
    pub fn wants_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Returns whether its contents can be read.
    pub fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Returns whether a branch, by its short name, is a production branch of a repository in scope.
    pub fn is_production(&self, branch: &str) -> bool {
        self.in_scope && self.production.iter().any(|glob| glob.matches(branch))
    }
}

/// The `job:` selectors of some repositories, and which pipelines they may mean.
pub(super) struct JobSelectors<'a> {
    patterns: BTreeSet<&'a str>,
    known: HashMap<(i64, String, String), bool>,
}

impl<'a> JobSelectors<'a> {
    /// Returns those of repositories with these rules.
    pub fn of(rules: impl IntoIterator<Item = &'a Rules>) -> Self {
        let patterns = rules.into_iter().flat_map(|rules| &rules.jobs).map(String::as_str);
        Self { patterns: patterns.collect(), known: HashMap::new() }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Returns whether one of them may mean a job of this pipeline; `folder` has backslashes.
    pub fn may_mean(&mut self, id: i64, name: &str, folder: &str) -> bool {
        let key = (id, name.to_owned(), folder.to_owned());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let folder = folder.replace('\\', "/");
        let path = format!("{}/{name}", folder.trim_matches('/'));
        let names = [name, path.trim_start_matches('/'), &id.to_string()].map(str::to_lowercase);
        let fits = |pattern: &&str| names.iter().any(|name| may_be_inside(pattern, name));
        let is_meant = self.patterns.iter().any(fits);
        self.known.insert(key, is_meant);
        is_meant
    }
}

/// Returns whether a pattern on `pipeline/stage/job` may fit something below `pipeline`.
fn may_be_inside(pattern: &str, pipeline: &str) -> bool {
    let count = pipeline.split('/').count();
    let parts: Vec<&str> = pattern.split('/').take(count).collect();
    // Two stars may stand for any number of parts.
    parts.iter().any(|part| part.contains("**"))
        || (parts.len() == count
            && Glob::new(&parts.join("/")).is_ok_and(|glob| glob.matches(pipeline)))
}

/// What the lake knows of a closed pull request's details.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    /// Parts that were read.
    pub parts: Parts,
    /// The earliest of their times.
    pub first: DateTime<Utc>,
    /// The earlier of the times of threads and statuses.
    pub rechecked: DateTime<Utc>,
}

/// Decides which details to read.
#[derive(Debug)]
pub(super) struct Judge {
    /// By repository id.
    pub repositories: HashMap<String, Rules>,
    detail: Detail,
    recheck: TimeDelta,
    /// Merges before it are not judged.
    pub start_at: DateTime<Utc>,
    upper: DateTime<Utc>,
}

impl Judge {
    /// Returns a judge over a sync's upper bound.
    pub fn new(
        settings: &Settings,
        first_sync: DateTime<Utc>,
        upper: DateTime<Utc>,
        section: &crate::config::Sync,
    ) -> Self {
        Self {
            repositories: HashMap::new(),
            detail: section.detail,
            recheck: TimeDelta::from_std(section.recheck).unwrap_or(TimeDelta::MAX),
            start_at: settings.start_at(first_sync),
            upper,
        }
    }

    /// Returns whether details of a pull request, given as its row, are wanted at all.
    pub fn wants(&self, row: &Row) -> bool {
        let Some(rules) = row.text("repository_id").and_then(|id| self.repositories.get(id)) else {
            return false;
        };
        let Some(closed_at) = row.time("closed_at").filter(|at| *at <= self.upper) else {
            return false;
        };
        let is_completed = row.text("status") == Some("completed");
        let branch = row.text("target_ref").map(short_name).unwrap_or_default();
        let is_wanted = match self.detail {
            Detail::All => row.text("status") != Some("active"),
            Detail::Production => is_completed && rules.is_production(branch),
            Detail::Judged => {
                is_completed && closed_at >= self.start_at && rules.is_production(branch)
            }
        };
        is_wanted && rules.is_readable
    }

    /// Returns the parts of a pull request's details that are to be read now, by what was read before; none where nothing
    /// is.
    pub fn parts(&self, row: &Row, read: Option<&Read>) -> Option<Parts> {
        if !self.wants(row) {
            return None;
        }
        let rules = self.repositories.get(row.text("repository_id")?)?;
        let closed_at = row.time("closed_at")?;
        // An abandoned one may come back and be completed; of evaluations the first answer after the close is kept, and
        // that must be the last close.
        let evaluations = row.text("status") == Some("completed");
        let all = Parts { changes: rules.wants_paths, evaluations, ..Parts::ALL };
        let Some(read) = read else { return Some(all) };
        // Details read before the close, of an abandoned pull request that came back, say nothing of the merge.
        if read.first < closed_at {
            return Some(all);
        }
        let is_due = self.is_due(closed_at, read.rechecked);
        let parts = Parts {
            // That policies were not bypassed is only known where both were read together.
            single: !read.parts.single || !read.parts.threads,
            threads: !read.parts.threads || is_due,
            iterations: !read.parts.iterations,
            statuses: !read.parts.statuses || is_due,
            evaluations: all.evaluations && !read.parts.evaluations,
            commits: !read.parts.commits,
            changes: all.changes && !read.parts.changes,
        };
        let any = parts.single || parts.threads || parts.iterations || parts.statuses;
        (any || parts.evaluations || parts.commits || parts.changes).then_some(parts)
    }

    fn is_due(&self, closed_at: DateTime<Utc>, read_at: DateTime<Utc>) -> bool {
        self.rechecks(closed_at).any(|due| read_at < due && due <= self.upper)
    }

    /// Returns when threads and statuses of a pull request are read again after its close.
    fn rechecks(&self, closed_at: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let days = RECHECK_DAYS.into_iter().map(TimeDelta::days);
        let days = days.filter(|after| *after < self.recheck).chain([self.recheck]);
        days.filter_map(move |after| closed_at.checked_add_signed(after))
    }

    /// Returns when something of a pull request is to be read again for the first time after this sync.
    pub fn next_recheck(&self, closed_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.rechecks(closed_at).filter(|due| *due > self.upper).min()
    }

    /// Tells what decides which details are wanted, as text: as long as it stays, so does the decision.
    pub fn fingerprint(&self) -> String {
        let repositories: BTreeMap<&String, &Rules> = self.repositories.iter().collect();
        format!("{:?} {:?} {:?} {repositories:?}", self.detail, self.recheck, self.start_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_selectors_find_their_pipeline_by_name_folder_or_id() {
        for (pattern, is_inside) in [
            ("codeql/analyze/csharp", true),
            ("codeql*/**", true),
            ("security/codeql/analyze/csharp", true),
            ("*/codeql/*/*", true),
            ("12/analyze/csharp", true),
            ("**/csharp", true),
            ("codeql", true),
            ("quality/codeql/analyze/csharp", false),
            ("13/analyze/csharp", false),
            ("other/codeql/csharp", false),
        ] {
            let names = ["codeql", "security/codeql", "12"];
            let found = names.iter().any(|name| may_be_inside(pattern, name));
            assert_eq!(found, is_inside, "{pattern}");
        }
    }
}
