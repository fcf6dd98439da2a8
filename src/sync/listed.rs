//! What lists of pull requests named, as fingerprints: what they name again unchanged need not be looked up in the lake.
//!
//! A list is cut into chunks of neighbours, at numbers that do not depend on what else is listed. At its end a sync takes
//! down in `sync_runs.listed` which chunks it has read and written, and the number of the last commit that changed rows of
//! each table. The next sync leaves out the chunks that it meets again, as long as nobody else has changed rows since:
//! then what is stored is what came of that very list.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Run;
use super::error::Error;
use super::run::{Project, lake_error};
use super::scope::{Outcome, Scope};
use crate::extract::Resource;
use crate::extract::pull_requests::PullRequestPage;
use crate::lake::ContentHash;
use crate::schema::Row;
use crate::window::Window;

/// Tables that hold what a list names.
const TABLES: [&str; 3] = ["pull_requests", "pull_request_reviewers", "pull_request_labels"];
/// Columns that tell when something was seen, not what.
const VOLATILE: [&str; 2] = ["first_seen_at", "vote_while_open_at"];
/// Pull requests of a chunk, about.
const CHUNK: u64 = 32;
/// Chunks beyond which nothing is taken down: the row would cost more than it spares.
const MOST_CHUNKS: usize = 1 << 13;

/// 128 bits of a hash.
type Fingerprint = [u8; 16];

/// What stands in `sync_runs.listed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Number of the last commit that changed rows, by table.
    transactions: BTreeMap<String, i64>,
    /// Fingerprints of the chunks.
    chunks: BTreeSet<String>,
}

/// The numbers of the commits that change rows of the tables.
pub(super) struct Transactions {
    /// Before anything was listed; none where that is not known.
    before: BTreeMap<&'static str, Option<i64>>,
    hashes: [ContentHash; 3],
}

/// What the list of one project names.
pub(super) struct Listed {
    project: Project,
    /// What the last list named, if that is what is stored.
    known: Option<Record>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    chunks: BTreeSet<String>,
    /// What each pull request was when it was listed first.
    states: HashMap<i64, Fingerprint>,
    /// Whether one was listed twice, and not the same: then it is not known which of both is stored.
    is_ambiguous: bool,
    is_complete: bool,
}

impl Transactions {
    /// Looks up where the tables stand; to be called before anything is listed.
    pub async fn look(run: &Run) -> Result<Self, Error> {
        let mut before = BTreeMap::new();
        let lake = &run.input.lake;
        for table in TABLES {
            let number = lake.transaction(table, run.organization()).await;
            before.insert(table, number.map_err(|source| lake_error("read", table, source))?);
        }
        let hash = |table: &str| {
            let table = lake.catalog().require(table);
            table.map(|table| ContentHash::without(table, &VOLATILE))
        };
        let [rows, reviewers, labels] = TABLES.map(hash);
        let failed = |source| Error::Schema { source };
        let hashes = [rows.map_err(failed)?, reviewers.map_err(failed)?, labels.map_err(failed)?];
        Ok(Self { before, hashes })
    }

    /// Returns where the tables stand now; none where somebody else has changed them in between.
    fn after(&self, run: &Run) -> Option<BTreeMap<String, i64>> {
        let of_table = |(&table, &before): (&&'static str, &Option<i64>)| {
            let after = match run.transactions(table) {
                None => before?,
                Some(own) => own.alone_since(before.unwrap_or(0))?,
            };
            Some((table.to_owned(), after))
        };
        self.before.iter().map(of_table).collect()
    }

    /// Cuts a page into chunks: the numbers of each, and its fingerprint with those of its pull requests.
    fn chunks(&self, page: &PullRequestPage) -> Vec<(Fingerprint, Vec<(i64, Fingerprint)>)> {
        let number = |row: &Row| row.int("pull_request_id").unwrap_or_default();
        let [of_row, of_reviewer, of_label] = &self.hashes;
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
    /// Begins with what the last sync took down, if that is what is stored.
    pub fn new(run: &Run, project: &Project, transactions: &Transactions) -> Self {
        let text = run.progress_so_far.listed.get(&scope_of(project));
        let known = text.and_then(|text| serde_json::from_str::<Record>(text).ok());
        let known = known.filter(|known| {
            let now = transactions.before.iter();
            !run.options.full
                && now.clone().all(|(table, now)| known.transactions.get(*table) == now.as_ref())
        });
        Self { project: project.clone(), known, found: Mutex::default() }
    }

    /// Leaves out of a page the pull requests that are stored as they are listed, but for those that `is_wanted`.
    pub fn leave_out(
        &self,
        transactions: &Transactions,
        page: &mut PullRequestPage,
        is_wanted: impl Fn(&Row) -> bool,
    ) {
        let mut stored = HashSet::new();
        {
            let mut found = self.found();
            for (fingerprint, members) in transactions.chunks(page) {
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
pub(super) async fn record(
    run: &Run,
    transactions: &Transactions,
    lists: Vec<Listed>,
) -> Result<(), Error> {
    // What was read up to another instant than now is no list of its own.
    let after = transactions.after(run).filter(|_| run.options.until.is_none());
    let Some(after) = after else { return Ok(()) };
    let mut ended = Vec::new();
    for list in lists {
        let found = list.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !found.is_complete || found.is_ambiguous || found.chunks.len() > MOST_CHUNKS {
            continue;
        }
        let record = Record { transactions: after.clone(), chunks: found.chunks };
        if list.known.as_ref() == Some(&record) {
            continue;
        }
        let name = format!("{} (as listed)", list.project.name);
        let window = Window::new(run.upper, run.upper);
        let mut scope = Scope::new(Resource::PullRequests, scope_of(&list.project), name, window);
        scope.listed = serde_json::to_string(&record).ok();
        ended.push((scope, Outcome::Ok));
    }
    run.record(ended).await
}
