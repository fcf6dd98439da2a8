//! Pull requests of a project: all active ones, those closed in a window, and single ones.
//!
//! The list answer is the only one that carries labels; the single answer is the only one that says who closed.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::Stream;

use super::error::reading;
use super::rows::{Id, Object, filled};
use super::{Error, Maker, Source, lists, parameter};
use crate::ado::model::{Label, PullRequest, Repository, Reviewer};
use crate::ado::{Answer, Call, Paging, escaped};
use crate::schema::{Cell, Row};
use crate::window::{Window, month_of};

/// Pull requests per page; the most that Azure DevOps gives.
const PAGE: u32 = 1000;

/// How a pull request can be closed; each wants a request of its own.
pub const CLOSED: [&str; 2] = ["completed", "abandoned"];

/// The pull requests of one answer.
#[derive(Debug, Clone, Default)]
pub struct PullRequestPage {
    /// Rows of `pull_requests`, to be written after the others.
    pub pull_requests: Vec<Row>,
    /// Rows of `pull_request_reviewers`.
    pub reviewers: Vec<Row>,
    /// Rows of `pull_request_labels`; none from a single answer, which does not carry labels.
    pub labels: Vec<Row>,
    /// What the rows are about, one per pull request.
    pub parents: Vec<Parent>,
    /// Time of the answer.
    pub seen_at: DateTime<Utc>,
}

/// A pull request as the parent of its reviewers and labels, all of which the answer listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Target repository.
    pub repository_id: String,
    /// Number.
    pub pull_request_id: i64,
    /// Partition of its rows.
    pub created_month: String,
    /// Whether it was active in this answer.
    pub is_active: bool,
    /// Whether it was completed in this answer; an abandoned one may come back.
    pub is_completed: bool,
    /// Target and month of closing of a completed one, which the population counts.
    pub landed: Option<Landed>,
}

/// Where and when a pull request was completed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Landed {
    /// Target repository.
    pub repository_id: String,
    /// Target, full ref.
    pub ref_name: String,
    /// Month of closing, `YYYY-MM`.
    pub closed_month: String,
}

impl Parent {
    /// Columns that tell the parent's children.
    pub const KEY: &[&str] = &["repository_id", "pull_request_id", "created_month"];

    /// Returns the values of [`Parent::KEY`].
    pub fn key(&self) -> Arc<[Cell]> {
        Self::key_of(&self.repository_id, self.pull_request_id, &self.created_month)
    }

    /// Returns the values of [`Parent::KEY`], in its order.
    pub fn key_of(repository_id: &str, pull_request_id: i64, created_month: &str) -> Arc<[Cell]> {
        Arc::new([repository_id.into(), pull_request_id.into(), created_month.into()])
    }
}

impl PullRequestPage {
    /// Leaves out the pull requests that were closed after an instant, with all that hangs on them.
    pub fn drop_closed_after(&mut self, upper: DateTime<Utc>) {
        let number = |row: &Row| row.int("pull_request_id").unwrap_or_default();
        let is_later = |row: &&Row| row.time("closed_at").is_some_and(|at| at > upper);
        let later: BTreeSet<i64> = self.pull_requests.iter().filter(is_later).map(number).collect();
        if later.is_empty() {
            return;
        }
        for rows in [&mut self.pull_requests, &mut self.reviewers, &mut self.labels] {
            rows.retain(|row| !later.contains(&number(row)));
        }
        self.parents.retain(|parent| !later.contains(&parent.pull_request_id));
    }
}

/// Reads all active pull requests of a project.
pub fn active(
    source: &Source,
    project_id: &str,
) -> impl Stream<Item = Result<PullRequestPage, Error>> + Send + 'static {
    stream(source, project_id, list(project_id, "active"))
}

/// Reads the pull requests of a project that were closed in a window; `status` is one of [`CLOSED`].
pub fn closed(
    source: &Source,
    project_id: &str,
    status: &str,
    window: Window,
) -> impl Stream<Item = Result<PullRequestPage, Error>> + Send + 'static {
    let call = list(project_id, status)
        .query("searchCriteria.queryTimeRangeType", "closed")
        .query("searchCriteria.minTime", parameter(window.from))
        .query("searchCriteria.maxTime", parameter(window.to));
    stream(source, project_id, call)
}

/// Reads one pull request, without labels.
///
/// # Errors
/// Fails when it cannot be read, which does not show that it is gone, or is not understood.
pub async fn one(
    source: &Source,
    project_id: &str,
    pull_request_id: i64,
) -> Result<PullRequestPage, Error> {
    let answer = source
        .client()
        .get::<PullRequest>(single(project_id, pull_request_id))
        .await
        .map_err(reading(format!("pull request `{pull_request_id}`")))?;
    page(source, project_id, answer.map(|pull_request| vec![pull_request]))
}

/// Reads the labels of a pull request whose row came from a single answer; adds them to the page of that answer.
///
/// # Errors
/// Fails when they cannot be read or the answer is not understood.
pub async fn add_labels(
    source: &Source,
    project_id: &str,
    page: &mut PullRequestPage,
) -> Result<(), Error> {
    let table = source.table("pull_request_labels")?;
    for parent in page.parents.clone() {
        let number = parent.pull_request_id.to_string();
        let path = ["pullRequests", number.as_str(), "labels"];
        let call = Call::repository(project_id, &parent.repository_id, &path);
        let answer = source
            .client()
            .get_list::<Label>(call, Paging::Whole)
            .await
            .map_err(reading(format!("labels of pull request `{number}`")))?;
        let object = Object { address: &answer.url, kind: "pull request", id: &number };
        for label in answer.value {
            page.labels.push(label_row(&table, &object, &parent, label, answer.seen_at)?);
        }
    }
    Ok(())
}

pub(super) fn single(project_id: &str, pull_request_id: i64) -> Call {
    Call::project(project_id, &["git", "pullrequests", &pull_request_id.to_string()])
}

fn list(project_id: &str, status: &str) -> Call {
    Call::project(project_id, &["git", "pullrequests"]).query("searchCriteria.status", status)
}

fn stream(
    source: &Source,
    project_id: &str,
    call: Call,
) -> impl Stream<Item = Result<PullRequestPage, Error>> + Send + 'static + use<> {
    let what = format!("pull requests of project `{project_id}`");
    let project_id = project_id.to_owned();
    let rows = move |source: &Source, answer| page(source, &project_id, answer);
    lists::pages(source, what, (call, Paging::Skip { top: PAGE }), rows)
}

/// Makes the rows of an answer.
pub(super) fn page(
    source: &Source,
    project_id: &str,
    answer: Answer<Vec<PullRequest>>,
) -> Result<PullRequestPage, Error> {
    let table = source.table("pull_requests")?;
    let reviewers = source.table("pull_request_reviewers")?;
    let labels = source.table("pull_request_labels")?;
    let seen_at = answer.seen_at;
    let mut page = PullRequestPage { seen_at, ..PullRequestPage::default() };
    for mut pull_request in answer.value {
        let id = Id(pull_request.pull_request_id);
        let object = Object { address: &answer.url, kind: "pull request", id: &id };
        let own_reviewers = pull_request.reviewers.take().unwrap_or_default();
        let own_labels = pull_request.labels.take().unwrap_or_default();
        let row = pull_request_row(source, &table, &object, project_id, pull_request, seen_at)?;
        let parent = parent(&row);
        for reviewer in own_reviewers {
            page.reviewers.push(reviewer_row(&reviewers, &object, &parent, reviewer, seen_at)?);
        }
        for label in own_labels {
            page.labels.push(label_row(&labels, &object, &parent, label, seen_at)?);
        }
        page.parents.push(parent);
        page.pull_requests.push(row);
    }
    Ok(page)
}

fn parent(row: &Row) -> Parent {
    let text = |column: &str| row.text(column).unwrap_or_default().to_owned();
    let closed_at = row.time("closed_at").filter(|_| row.text("status") == Some("completed"));
    Parent {
        repository_id: text("repository_id"),
        pull_request_id: row.int("pull_request_id").unwrap_or_default(),
        created_month: text("created_month"),
        is_active: row.text("status") == Some("active"),
        is_completed: row.text("status") == Some("completed"),
        landed: closed_at.map(|at| Landed {
            repository_id: text("repository_id"),
            ref_name: text("target_ref"),
            closed_month: month_of(at),
        }),
    }
}

fn pull_request_row(
    source: &Source,
    table: &Maker,
    object: &Object<'_>,
    project_id: &str,
    pull_request: PullRequest,
    seen_at: DateTime<Utc>,
) -> Result<Row, Error> {
    let number = object.need(pull_request.pull_request_id, "pullRequestId")?;
    let created_at = object.need(pull_request.creation_date, "creationDate")?;
    let repository = object.need(pull_request.repository, "repository")?;
    let author = pull_request.created_by.unwrap_or_default();
    let closer = pull_request.closed_by.unwrap_or_default();
    let options = pull_request.completion_options.unwrap_or_default();
    // Whatever a reactivated one still says of its end: it is open.
    let is_active = pull_request.status.as_deref() == Some("active");
    let closed_at = pull_request.closed_date.filter(|_| !is_active);
    let is_squash = options.squash_merge == Some(true);
    let commit = |commit: Option<crate::ado::model::CommitRef>| commit.and_then(|c| c.commit_id);
    let fork = pull_request.fork_source.and_then(|fork| fork.repository);
    let web_url = web_url(source, project_id, &repository, number);
    let mut row = table.row();
    row.set("repository_id", object.need(repository.id, "repository.id")?)
        .set("pull_request_id", number)
        .set("project_id", project_id)
        .set("title", pull_request.title.unwrap_or_default())
        .set("status", object.need(pull_request.status, "status")?)
        .set("merge_status", pull_request.merge_status)
        .set("author_id", author.id)
        .set("author_unique_name", filled(author.unique_name))
        .set("author_descriptor", filled(author.descriptor))
        .set("author_name", author.display_name)
        .set("closed_by_id", closer.id)
        .set("closed_by_unique_name", filled(closer.unique_name))
        .set("closed_by_descriptor", filled(closer.descriptor))
        .set("closed_by_name", closer.display_name)
        .set("source_ref", object.need(pull_request.source_ref_name, "sourceRefName")?)
        .set("target_ref", object.need(pull_request.target_ref_name, "targetRefName")?)
        .set("source_commit", commit(pull_request.last_merge_source_commit))
        .set("target_commit", commit(pull_request.last_merge_target_commit))
        .set("merge_commit", commit(pull_request.last_merge_commit))
        .set("created_at", created_at)
        .set("closed_at", closed_at)
        .set("is_draft", pull_request.is_draft.unwrap_or(false))
        .set(
            "merge_strategy",
            options.merge_strategy.or_else(|| is_squash.then(|| "squash".to_owned())),
        )
        // Absent is not "no": the completion thread may know better.
        .set("bypass_policy", options.bypass_policy.filter(|bypassed| *bypassed))
        .set("bypass_reason", filled(options.bypass_reason))
        .set("fork_repository_id", fork.and_then(|repository| repository.id))
        .set("web_url", web_url)
        .set("first_seen_at", seen_at)
        .set("created_month", month_of(created_at));
    Ok(row)
}

/// Returns the address for people: below the repository's own if the answer has it, else below that of the API.
fn web_url(source: &Source, project_id: &str, repository: &Repository, number: i64) -> String {
    if let Some(web) = repository.web_url.as_deref().filter(|web| web.starts_with("http")) {
        return format!("{}/pullrequest/{number}", web.trim_end_matches('/'));
    }
    let core = source.client().endpoints().core.as_str().trim_end_matches('/');
    let project = repository.project.as_ref().and_then(|project| project.name.as_deref());
    let name = repository.name.as_deref().or(repository.id.as_deref()).unwrap_or_default();
    let (project, name) = (escaped(project.unwrap_or(project_id)), escaped(name));
    format!("{core}/{project}/_git/{name}/pullrequest/{number}")
}

fn child(table: &Maker, parent: &Parent) -> Row {
    let mut row = table.row();
    row.set("repository_id", parent.repository_id.as_str())
        .set("pull_request_id", parent.pull_request_id)
        .set("created_month", parent.created_month.as_str());
    row
}

fn reviewer_row(
    table: &Maker,
    object: &Object<'_>,
    parent: &Parent,
    reviewer: Reviewer,
    seen_at: DateTime<Utc>,
) -> Result<Row, Error> {
    let vote = object.small(reviewer.vote, "reviewers.vote")?.unwrap_or(0);
    let groups: Vec<String> =
        reviewer.voted_for.unwrap_or_default().into_iter().filter_map(|group| group.id).collect();
    let (descriptor, unique_name) = (filled(reviewer.descriptor), reviewer.unique_name);
    // Some answers name a person without the id; the same names then stand for the person in the vote events.
    let id = reviewer.id.or_else(|| descriptor.clone()).or_else(|| filled(unique_name.clone()));
    let mut row = child(table, parent);
    row.set("reviewer_id", object.need(id, "reviewers.id")?)
        .set("display_name", reviewer.display_name)
        .set("unique_name", unique_name)
        .set("descriptor", descriptor)
        .set("vote", vote)
        .set("is_group", reviewer.is_container.unwrap_or(false))
        .set("voted_for", filled(Some(groups.join(","))))
        .set("is_required", reviewer.is_required.unwrap_or(false))
        .set("has_declined", reviewer.has_declined.unwrap_or(false))
        .set("first_seen_at", seen_at)
        .set("vote_while_open", parent.is_active.then_some(vote))
        .set("vote_while_open_at", parent.is_active.then_some(seen_at));
    Ok(row)
}

fn label_row(
    table: &Maker,
    object: &Object<'_>,
    parent: &Parent,
    label: Label,
    seen_at: DateTime<Utc>,
) -> Result<Row, Error> {
    let mut row = child(table, parent);
    row.set("name", object.need(label.name, "labels.name")?)
        .set("label_id", label.id)
        .set("active", label.active.unwrap_or(true))
        .set("first_seen_at", seen_at)
        .set("was_seen_open", parent.is_active.then_some(true))
        .set("was_seen_closed", parent.is_completed.then_some(true))
        .set("was_removed_open", parent.is_active.then_some(false));
    Ok(row)
}
