//! Details of one pull request: who closed it, votes, iterations, statuses, policy evaluations, commits and paths.
//!
//! All parts are asked for at once; the gate of the client bounds what is in flight. A part that cannot be read or is
//! not understood leaves its `*_read_at` null and is reported, it does not stop the others.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;

use super::detail_rows::{change_row, commit_row, evaluation_row, iteration_row, status_row};
use super::error::reading;
use super::pull_requests::{PullRequestPage, single};
use super::rows::Object;
use super::{Error, Maker, Source, pull_requests, raw, threads};
use crate::ado::model::{
    Changes, Commit, Evaluation, Iteration, PullRequest, PullRequestStatus, Thread,
};
use crate::ado::{self, Answer, Call, Listed, Paging};
use crate::schema::{Cell, Row};

/// A pull request whose details are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Project.
    pub project_id: String,
    /// Target repository.
    pub repository_id: String,
    /// Number.
    pub pull_request_id: i64,
    /// Partition of its rows.
    pub created_month: String,
}

/// Which parts to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// The single answer: who closed it, fork, bypass.
    pub single: bool,
    /// Votes, resets and completion.
    pub threads: bool,
    /// Pushes and retargets.
    pub iterations: bool,
    /// Posted statuses.
    pub statuses: bool,
    /// Policy evaluations.
    pub evaluations: bool,
    /// Source commits.
    pub commits: bool,
    /// Changed paths of the last iteration; reads iterations too.
    pub changes: bool,
}

impl Parts {
    /// Everything but the changed paths, which only a `paths` setting wants.
    pub const ALL: Self = Self {
        single: true,
        threads: true,
        iterations: true,
        statuses: true,
        evaluations: true,
        commits: true,
        changes: false,
    };

    /// What may change after the close.
    pub const RECHECK: Self = Self {
        single: false,
        threads: true,
        iterations: false,
        statuses: true,
        evaluations: false,
        commits: false,
        changes: false,
    };
}

/// What was read of one pull request.
#[derive(Debug, Default)]
pub struct Details {
    /// Rows by table, for each table of which everything was listed, also where that is nothing.
    pub tables: BTreeMap<&'static str, Vec<Row>>,
    /// Rows of `raw_answers`.
    pub raw: Vec<Row>,
    /// The pull request and its reviewers as the single answer has them, without labels.
    pub single: Option<PullRequestPage>,
    /// Columns of the pull request's row that the details fill.
    pub update: Vec<(&'static str, Cell)>,
    /// Parts that could not be read or are not understood, by name, and why.
    pub missing: Vec<(&'static str, Error)>,
    /// Time of the earliest answer; none where nothing could be read.
    pub seen_at: Option<DateTime<Utc>>,
}

impl Details {
    /// Fills the columns of the pull request's row.
    pub fn apply(&self, row: &mut Row) {
        for (column, cell) in &self.update {
            row.set(column, cell.clone());
        }
    }

    /// Takes what was read of a part, as a whole or not at all.
    fn part<T>(
        &mut self,
        part: Part,
        read: Result<Option<T>, Error>,
        take: impl FnOnce(&mut Self, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut own = Self::default();
        let taken = read.and_then(|read| read.map_or(Ok(()), |read| take(&mut own, read)));
        match taken {
            Ok(()) => self.add(own),
            Err(error) if error.is_signed_out() => return Err(error),
            Err(error) => self.missing.push((part.name, error)),
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.tables.extend(other.tables);
        self.raw.extend(other.raw);
        self.single = other.single.or(self.single.take());
        self.update.extend(other.update);
        if let Some(at) = other.seen_at {
            self.saw(at);
        }
    }

    fn saw(&mut self, at: DateTime<Utc>) {
        self.seen_at = Some(self.seen_at.map_or(at, |before| before.min(at)));
    }

    /// Takes an answer: its time, its raw text, and the column that says when the part was read.
    fn took<T>(&mut self, what: &Asked<'_>, part: Part, answer: &Answer<T>) -> Result<(), Error> {
        self.saw(answer.seen_at);
        self.update.push((part.column, answer.seen_at.into()));
        self.raw.extend(raw::row(what.source, part.name, &what.key(), answer)?);
        Ok(())
    }
}

/// A part as raw answers, rows and errors name it.
#[derive(Debug, Clone, Copy)]
struct Part {
    name: &'static str,
    column: &'static str,
    table: &'static str,
}

const SINGLE: Part =
    Part { name: "pull_requests", column: "details_read_at", table: "pull_requests" };
const THREADS: Part =
    Part { name: "threads", column: "threads_read_at", table: "pull_request_votes" };
const ITERATIONS: Part =
    Part { name: "iterations", column: "iterations_read_at", table: "pull_request_iterations" };
const STATUSES: Part =
    Part { name: "statuses", column: "statuses_read_at", table: "pull_request_statuses" };
const EVALUATIONS: Part = Part {
    name: "evaluations",
    column: "evaluations_read_at",
    table: "pull_request_policy_evaluations",
};
const COMMITS: Part =
    Part { name: "commits", column: "commits_read_at", table: "pull_request_commits" };
const CHANGES: Part =
    Part { name: "changes", column: "changes_read_at", table: "pull_request_changes" };

/// Paths per page of changes; the most that Azure DevOps gives.
const CHANGES_PAGE: i64 = 2000;

/// Where the parts are asked for.
struct Asked<'a> {
    source: &'a Source,
    target: &'a Target,
}

impl Asked<'_> {
    fn key(&self) -> String {
        format!("{}!{}", self.target.repository_id, self.target.pull_request_id)
    }

    fn call(&self, segments: &[&str]) -> Call {
        let number = self.target.pull_request_id.to_string();
        let mut all = vec!["pullRequests", number.as_str()];
        all.extend_from_slice(segments);
        Call::repository(&self.target.project_id, &self.target.repository_id, &all).raw()
    }

    /// Makes rows with the columns of the pull request set.
    fn maker(&self, table: &str) -> Result<Maker, Error> {
        let mut maker = self.source.table(table)?;
        maker
            .blank
            .set("repository_id", self.target.repository_id.as_str())
            .set("pull_request_id", self.target.pull_request_id)
            .set("created_month", self.target.created_month.as_str());
        Ok(maker)
    }

    fn reading(&self, part: Part) -> impl FnOnce(ado::Error) -> Error {
        reading(format!("{} of pull request `{}`", part.name, self.target.pull_request_id))
    }

    /// Reads all pages of a list, keeping each for itself.
    async fn list<T: Listed>(
        &self,
        wanted: bool,
        part: Part,
        call: Call,
        paging: Paging,
    ) -> Result<Option<Vec<Answer<Vec<T>>>>, Error> {
        if !wanted {
            return Ok(None);
        }
        let pages = self.source.client().pages::<T>(call, paging).try_collect().await;
        pages.map(Some).map_err(self.reading(part))
    }

    async fn changes(&self, iteration: i64) -> Result<Vec<Answer<Changes>>, Error> {
        let call =
            self.call(&["iterations", &iteration.to_string(), "changes"]).query("$compareTo", 0);
        let (mut pages, mut skip, mut top) = (Vec::new(), 0, CHANGES_PAGE);
        loop {
            let call = call.clone().query("$top", top).query("$skip", skip);
            let page: Answer<Changes> =
                self.source.client().get(call).await.map_err(self.reading(CHANGES))?;
            let next = page.value.next_skip.unwrap_or(0);
            let next_top = page.value.next_top.unwrap_or(0);
            let address = page.url.clone();
            pages.push(page);
            if next == 0 {
                return Ok(pages);
            }
            if next <= skip {
                let problem = format!("`nextSkip` goes from {skip} to {next}");
                return Err(self.reading(CHANGES)(ado::Error::Endless { address, problem }));
            }
            (skip, top) = (next, if next_top > 0 { next_top } else { CHANGES_PAGE });
        }
    }
}

/// Reads the parts of a pull request's details.
///
/// # Errors
/// Fails when the token is not accepted.
pub async fn fetch(source: &Source, target: &Target, parts: Parts) -> Result<Details, Error> {
    let asked = Asked { source, target };
    let (single, threads, iterations, statuses, evaluations, commits) = futures::join!(
        read_single(&asked, parts.single),
        asked.list::<Thread>(parts.threads, THREADS, asked.call(&["threads"]), Paging::Whole),
        read_iterations(&asked, parts),
        asked.list::<PullRequestStatus>(
            parts.statuses,
            STATUSES,
            asked.call(&["statuses"]),
            Paging::Whole
        ),
        asked.list::<Evaluation>(
            parts.evaluations,
            EVALUATIONS,
            evaluations_call(target),
            Paging::Skip { top: 1000 }
        ),
        asked.list::<Commit>(
            parts.commits,
            COMMITS,
            asked.call(&["commits"]),
            Paging::Token { top: 500 }
        ),
    );
    let mut details = Details::default();
    let mut bypassed = BTreeSet::new();
    details.part(SINGLE, single, |details, answer| {
        details.took(&asked, SINGLE, &answer)?;
        let page =
            pull_requests::page(source, &target.project_id, answer.map(|single| vec![single]))?;
        take_single(details, page, &mut bypassed);
        Ok(())
    })?;
    details.part(THREADS, threads, |details, pages| {
        take_threads(&asked, details, pages, &mut bypassed)
    })?;
    take_list(&asked, &mut details, ITERATIONS, iterations.0, |maker, object, item, _| {
        iteration_row(maker, object, item)
    })?;
    take_list(&asked, &mut details, STATUSES, statuses, status_row)?;
    take_list(&asked, &mut details, EVALUATIONS, evaluations, evaluation_row)?;
    take_list(&asked, &mut details, COMMITS, commits, |maker, object, item, _| {
        commit_row(maker, object, item)
    })?;
    details.part(CHANGES, iterations.1, |details, pages| take_changes(&asked, details, pages))?;
    // "No" needs both answers; a single "yes" is enough.
    let is_read = |column| details.update.iter().any(|(set, _)| *set == column);
    let is_bypass = bypassed.contains(&true);
    if is_bypass || (is_read(SINGLE.column) && is_read(THREADS.column)) {
        details.update.push(("bypass_policy", is_bypass.into()));
    }
    let update = std::mem::take(&mut details.update);
    if let Some(row) = details.single.as_mut().and_then(|page| page.pull_requests.first_mut()) {
        update.iter().for_each(|(column, cell)| {
            row.set(column, cell.clone());
        });
    }
    details.update = update;
    Ok(details)
}

async fn read_single(
    asked: &Asked<'_>,
    wanted: bool,
) -> Result<Option<Answer<PullRequest>>, Error> {
    if !wanted {
        return Ok(None);
    }
    let call = single(&asked.target.project_id, asked.target.pull_request_id).raw();
    asked.source.client().get(call).await.map(Some).map_err(asked.reading(SINGLE))
}

type Listing<T> = Result<Option<Vec<Answer<Vec<T>>>>, Error>;

/// Reads the iterations and, where wanted, the paths that the last one changes.
async fn read_iterations(
    asked: &Asked<'_>,
    parts: Parts,
) -> (Listing<Iteration>, Result<Option<Vec<Answer<Changes>>>, Error>) {
    let is_wanted = parts.iterations || parts.changes;
    let call = asked.call(&["iterations"]);
    let iterations = asked.list::<Iteration>(is_wanted, ITERATIONS, call, Paging::Whole).await;
    let last = match &iterations {
        Ok(Some(pages)) if parts.changes => {
            pages.iter().flat_map(|page| &page.value).filter_map(|iteration| iteration.id).max()
        }
        _ => None,
    };
    let changes = match last {
        Some(last) => asked.changes(last).await.map(Some),
        None => Ok(None),
    };
    (iterations, changes)
}

fn evaluations_call(target: &Target) -> Call {
    let artifact = format!(
        "vstfs:///CodeReview/CodeReviewId/{}/{}",
        target.project_id, target.pull_request_id
    );
    Call::project(&target.project_id, &["policy", "evaluations"])
        .query("artifactId", artifact)
        .query("includeNotApplicable", true)
        .preview()
        .raw()
}

fn take_single(details: &mut Details, page: PullRequestPage, bypassed: &mut BTreeSet<bool>) {
    const FROM_SINGLE: [&str; 8] = [
        "closed_by_id",
        "closed_by_unique_name",
        "closed_by_descriptor",
        "closed_by_name",
        "author_descriptor",
        "merge_strategy",
        "bypass_reason",
        "fork_repository_id",
    ];
    if let Some(row) = page.pull_requests.first() {
        bypassed.insert(row.bool("bypass_policy") == Some(true));
        for column in FROM_SINGLE {
            let cell = row.get(column).clone();
            if !cell.is_null() {
                details.update.push((column, cell));
            }
        }
    }
    details.single = Some(page);
}

fn take_threads(
    asked: &Asked<'_>,
    details: &mut Details,
    pages: Vec<Answer<Vec<Thread>>>,
    bypassed: &mut BTreeSet<bool>,
) -> Result<(), Error> {
    let maker = asked.maker(THREADS.table)?;
    let mut votes = Vec::new();
    let mut completed_at = None;
    for answer in pages {
        details.took(asked, THREADS, &answer)?;
        let story = threads::read(&maker, &answer.url, &answer.value)?;
        votes.extend(story.votes);
        completed_at = completed_at.max(story.completed_at);
        bypassed.insert(story.is_bypass);
    }
    if completed_at.is_some() {
        details.update.push(("completion_thread_at", completed_at.into()));
    }
    details.tables.insert(THREADS.table, votes);
    Ok(())
}

fn take_list<T>(
    asked: &Asked<'_>,
    details: &mut Details,
    part: Part,
    listing: Listing<T>,
    row: impl Fn(&Maker, &Object<'_>, T, DateTime<Utc>) -> Result<Row, Error>,
) -> Result<(), Error> {
    details.part(part, listing, |details, pages| {
        let maker = asked.maker(part.table)?;
        let key = asked.key();
        let mut rows = Vec::new();
        for answer in pages {
            details.took(asked, part, &answer)?;
            let object = Object { address: &answer.url, kind: part.name, id: &key };
            for item in answer.value {
                rows.push(row(&maker, &object, item, answer.seen_at)?);
            }
        }
        details.tables.insert(part.table, rows);
        Ok(())
    })
}

fn take_changes(
    asked: &Asked<'_>,
    details: &mut Details,
    pages: Vec<Answer<Changes>>,
) -> Result<(), Error> {
    let maker = asked.maker(CHANGES.table)?;
    let key = asked.key();
    let mut rows = Vec::new();
    for answer in pages {
        details.took(asked, CHANGES, &answer)?;
        let object = Object { address: &answer.url, kind: CHANGES.name, id: &key };
        let entries = object.need(answer.value.change_entries, "changeEntries")?;
        for change in entries {
            rows.push(change_row(&maker, &object, change)?);
        }
    }
    details.tables.insert(CHANGES.table, rows);
    Ok(())
}
