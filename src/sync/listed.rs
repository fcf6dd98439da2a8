//! What lists of pull requests and runs named, as fingerprints: what they name again unchanged need not be looked up in
//! the lake.
//!
//! A list of pull requests is cut into chunks of neighbours, at numbers that do not depend on what else is listed; of runs
//! each is a chunk for itself, if the next sync will list it again. At its end a sync takes
//! down in `sync_runs.settled` which chunks it has read and written, and the number of the last commit that changed rows of
//! each table. The next sync leaves out the chunks that it meets again, as long as nobody else has changed rows since:
//! then what is stored is what came of that very list.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Run;
use super::error::Error;
use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::extract::Resource;
use crate::extract::pull_requests::PullRequestPage;
use crate::extract::runs::RunPage;
use crate::lake::ContentHash;
use crate::schema::Row;
use crate::window::Window;

/// Tables that hold what a list of pull requests names.
pub(super) const PULL_REQUESTS: [&str; 3] =
    ["pull_requests", "pull_request_reviewers", "pull_request_labels"];
/// Tables that hold what a list of runs names.
pub(super) const RUNS: [&str; 2] = ["pipeline_runs", "pipeline_run_finishes"];
/// Columns that tell when something was seen, not what.
const VOLATILE: [&str; 2] = ["first_seen_at", "vote_while_open_at"];
/// Pull requests of a chunk, about.
const CHUNK: u64 = 32;
/// Chunks beyond which nothing is taken down: the row would cost more than it spares.
const MOST_CHUNKS: usize = 1 << 13;

/// 128 bits of a hash.
type Fingerprint = [u8; 16];

/// What stands in `sync_runs.settled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Number of the last commit that changed rows, by table.
    transactions: BTreeMap<String, i64>,
    /// Fingerprints of the chunks.
    chunks: BTreeSet<String>,
}

/// Hashes pull requests with what hangs on them.
pub(super) struct Hashes([ContentHash; 3]);

/// Hashes runs.
pub(super) struct RunHash(ContentHash);

fn hash_of(run: &Run, table: &str) -> Result<ContentHash, Error> {
    let table = run.input.lake.catalog().require(table);
    let hash = table.map(|table| ContentHash::without(table, &VOLATILE));
    hash.map_err(|source| Error::Schema { source })
}

impl RunHash {
    /// Hashes what lists name, but for when it was seen.
    pub fn new(run: &Run) -> Result<Self, Error> {
        hash_of(run, RUNS[0]).map(Self)
    }
}

/// What the list of one project names.
pub(super) struct Listed {
    project: Project,
    resource: Resource,
    tables: &'static [&'static str],
    /// What the last list named, if that is what is stored.
    known: Option<Record>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    chunks: BTreeSet<String>,
    /// What each was when it was listed first.
    states: HashMap<i64, Fingerprint>,
    /// Whether one was listed twice, and not the same: then it is not known which of both is stored.
    is_ambiguous: bool,
    is_complete: bool,
}

impl Hashes {
    /// Hashes what lists name, but for when it was seen.
    pub fn new(run: &Run) -> Result<Self, Error> {
        let [rows, reviewers, labels] = PULL_REQUESTS.map(|table| hash_of(run, table));
        Ok(Self([rows?, reviewers?, labels?]))
    }

    /// Cuts a page into chunks: the numbers of each, and its fingerprint with those of its pull requests.
    fn chunks(&self, page: &PullRequestPage) -> Vec<(Fingerprint, Vec<(i64, Fingerprint)>)> {
        let number = |row: &Row| row.int("pull_request_id").unwrap_or_default();
        let [of_row, of_reviewer, of_label] = &self.0;
        let mut children: HashMap<i64, Sha256> = HashMap::new();
        for (mark, hash, rows) in
            [(b'r', of_reviewer, &page.reviewers), (b'l', of_label, &page.labels)]
        {
            for row in rows {
                let digest = children.entry(number(row)).or_default();
                digest.update([mark]);
                digest.update(hash.of(row));
            }
        }
        let mut chunks = Vec::new();
        let (mut digest, mut members) = (Sha256::new(), Vec::new());
        for row in &page.pull_requests {
            let id = number(row);
            let mut state = children.remove(&id).unwrap_or_default();
            state.update([b'p']);
            state.update(of_row.of(row));
            let state = cut(state);
            digest.update(state);
            members.push((id, state));
            if ends_chunk(id) {
                chunks.push((cut(std::mem::take(&mut digest)), std::mem::take(&mut members)));
            }
        }
        if !members.is_empty() {
            chunks.push((cut(digest), members));
        }
        chunks
    }
}

fn cut(digest: Sha256) -> Fingerprint {
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&digest.finalize()[..16]);
    fingerprint
}

/// Decides by a number alone whether a chunk ends behind it.
fn ends_chunk(id: i64) -> bool {
    let mixed = id.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32).is_multiple_of(CHUNK)
}

impl Listed {
    /// The list of a project's pull requests; begins with what the last sync took down, if that is what is stored.
    pub fn of_pull_requests(run: &Run, project: &Project) -> Self {
        Self::new(run, project, Resource::PullRequests, &PULL_REQUESTS)
    }

    /// The same of a project's runs.
    pub fn of_runs(run: &Run, project: &Project) -> Self {
        Self::new(run, project, Resource::PipelineRuns, &RUNS)
    }

    fn new(
        run: &Run,
        project: &Project,
        resource: Resource,
        tables: &'static [&'static str],
    ) -> Self {
        let text = run.settled_text(resource, &scope_of(project));
        let known = text.and_then(|text| serde_json::from_str::<Record>(text).ok());
        let known = known.filter(|known| {
            !run.options.full && Some(&known.transactions) == run.transactions(tables).as_ref()
        });
        Self { project: project.clone(), resource, tables, known, found: Mutex::default() }
    }

    /// Leaves out of a page the runs that are stored as they are listed. Those that did not finish before `again` will be
    /// listed by the next sync too.
    pub fn leave_out_runs(&self, hash: &RunHash, page: &mut RunPage, again: DateTime<Utc>) {
        let number = |row: &Row| row.int("run_id").unwrap_or_default();
        let mut stored = HashSet::new();
        let mut found = self.found();
        for row in &page.runs {
            let mut digest = Sha256::new();
            digest.update(hash.0.of(row));
            let state = cut(digest);
            let chunk = BASE64_STANDARD_NO_PAD.encode(state);
            if self.known.as_ref().is_some_and(|known| known.chunks.contains(&chunk)) {
                stored.insert(number(row));
            }
            if row.time("finished_at").is_none_or(|at| at >= again) {
                found.chunks.insert(chunk);
                let first = *found.states.entry(number(row)).or_insert(state);
                found.is_ambiguous |= first != state;
            }
        }
        drop(found);
        for rows in [&mut page.runs, &mut page.finishes] {
            rows.retain(|row| !stored.contains(&number(row)));
        }
    }

    /// Leaves out of a page the pull requests that are stored as they are listed, but for those that `is_wanted`.
    pub fn leave_out(
        &self,
        hashes: &Hashes,
        page: &mut PullRequestPage,
        is_wanted: impl Fn(&Row) -> bool,
    ) {
        let mut stored = HashSet::new();
        {
            let mut found = self.found();
            for (fingerprint, members) in hashes.chunks(page) {
                let chunk = BASE64_STANDARD_NO_PAD.encode(fingerprint);
                if self.known.as_ref().is_some_and(|known| known.chunks.contains(&chunk)) {
                    stored.extend(members.iter().map(|(id, _)| *id));
                }
                found.chunks.insert(chunk);
                for (id, state) in members {
                    let first = *found.states.entry(id).or_insert(state);
                    found.is_ambiguous |= first != state;
                }
            }
        }
        let number = |row: &Row| row.int("pull_request_id").unwrap_or_default();
        for row in page.pull_requests.iter().filter(|row| is_wanted(row)) {
            stored.remove(&number(row));
        }
        for rows in [&mut page.pull_requests, &mut page.reviewers, &mut page.labels] {
            rows.retain(|row| !stored.contains(&number(row)));
        }
        page.parents.retain(|parent| !stored.contains(&parent.pull_request_id));
    }

    /// Returns whether it names what the last one named, all of it unchanged; to be asked at its end.
    pub fn is_unchanged(&self) -> bool {
        let found = self.found();
        !found.is_ambiguous && self.known.as_ref().is_some_and(|known| known.chunks == found.chunks)
    }

    /// Says that it was read to its end, with all that it should have named.
    pub fn complete(&self) {
        self.found().is_complete = true;
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn scope_of(project: &Project) -> String {
    format!("{}@listed", project.id)
}

/// Takes down what was listed; to be called once all of it is written.
pub(super) async fn record(run: &Run, lists: Vec<Listed>) -> Result<(), Error> {
    // What was read up to another instant than now is no list of its own.
    if run.options.until.is_some() {
        return Ok(());
    }
    let mut ended = Vec::new();
    for list in lists {
        let found = list.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_sure = found.is_complete && !found.is_ambiguous && found.chunks.len() <= MOST_CHUNKS;
        let Some(transactions) = run.transactions(list.tables).filter(|_| is_sure) else {
            continue;
        };
        let record = Record { transactions, chunks: found.chunks };
        if list.known.as_ref() == Some(&record) {
            continue;
        }
        let name = format!("{} (as listed)", list.project.name);
        let window = Window::new(run.upper, run.upper);
        let mut scope = Scope::new(list.resource, scope_of(&list.project), name, window);
        scope.settled = serde_json::to_string(&record).ok();
        ended.push((scope, Outcome::Ok));
    }
    run.record(ended).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_about_thirty_two_pull_requests_whatever_their_numbers() {
        for (first, step) in [(0_i64, 1_usize), (1, 7), (1_000_000, 64), (5_000_000_000, 1)] {
            let ends = (first..).step_by(step).take(32_000).filter(|id| ends_chunk(*id)).count();
            assert!((700..1_400).contains(&ends), "{ends} ends from {first} in steps of {step}");
        }
    }
}
