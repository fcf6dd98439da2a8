//! Pipeline runs: by finish time, the unfinished ones, the deleted ones, and single ones.

use chrono::{DateTime, Utc};
use futures::Stream;

use super::error::reading;
use super::pipelines::repository_id;
use super::rows::{Id, Object};
use super::{Error, Maker, Source, lists, parameter};
use crate::ado::model::{Build, Property};
use crate::ado::{Answer, Call, Paging};
use crate::schema::Row;
use crate::window::{Window, month_of};

/// Runs per page.
const PAGE: u32 = 1000;

/// The states of a run that has not finished; each wants a request of its own.
pub const UNFINISHED: [&str; 4] = ["inProgress", "notStarted", "cancelling", "postponed"];

/// The runs of one answer.
#[derive(Debug, Clone)]
pub struct RunPage {
    /// Rows of `pipeline_runs`. A deleted run has `deleted_at` at the time of the answer; who stores it keeps the first.
    pub runs: Vec<Row>,
    /// Rows of `pipeline_run_finishes`, to be written before the runs.
    pub finishes: Vec<Row>,
    /// Time of the answer.
    pub seen_at: DateTime<Utc>,
}

/// Reads the runs of a project that finished in a window, oldest finish first.
pub fn finished(
    source: &Source,
    project_id: &str,
    window: Window,
) -> impl Stream<Item = Result<RunPage, Error>> + Send + 'static {
    let call = by_finish(project_id, window);
    stream(source, project_id, call)
}

/// Reads the runs of a project that finished in a window and were deleted since, as long as they can be seen.
pub fn deleted(
    source: &Source,
    project_id: &str,
    window: Window,
) -> impl Stream<Item = Result<RunPage, Error>> + Send + 'static {
    let call = by_finish(project_id, window).query("deletedFilter", "onlyDeleted");
    stream(source, project_id, call)
}

/// Reads the runs of a project that are in one of the states of [`UNFINISHED`].
pub fn unfinished(
    source: &Source,
    project_id: &str,
    state: &str,
) -> impl Stream<Item = Result<RunPage, Error>> + Send + 'static {
    let call =
        builds(project_id).query("statusFilter", state).query("queryOrder", "queueTimeAscending");
    stream(source, project_id, call)
}

/// Reads one run, also a deleted one.
///
/// # Errors
/// Fails when it cannot be read, which does not show that it is gone, or is not understood.
pub async fn one(source: &Source, project_id: &str, run_id: i64) -> Result<RunPage, Error> {
    let call = Call::project(project_id, &["build", "builds", &run_id.to_string()]);
    let answer = source
        .client()
        .get::<Build>(call)
        .await
        .map_err(reading(format!("run `{run_id}` of project `{project_id}`")))?;
    page(source, project_id, answer.map(|build| vec![build]))
}

fn builds(project_id: &str) -> Call {
    Call::project(project_id, &["build", "builds"])
}

fn by_finish(project_id: &str, window: Window) -> Call {
    builds(project_id)
        .query("statusFilter", "completed")
        .query("queryOrder", "finishTimeAscending")
        .query("minTime", parameter(window.from))
        .query("maxTime", parameter(window.to))
}

fn stream(
    source: &Source,
    project_id: &str,
    call: Call,
) -> impl Stream<Item = Result<RunPage, Error>> + Send + 'static + use<> {
    let what = format!("runs of project `{project_id}`");
    let project_id = project_id.to_owned();
    let rows = move |source: &Source, answer| page(source, &project_id, answer);
    lists::pages(source, what, (call, Paging::Token { top: PAGE }), rows)
}

fn page(source: &Source, project_id: &str, answer: Answer<Vec<Build>>) -> Result<RunPage, Error> {
    let (runs, finishes) = (source.table("pipeline_runs")?, source.table("pipeline_run_finishes")?);
    let seen_at = answer.seen_at;
    let mut page = RunPage { runs: Vec::new(), finishes: Vec::new(), seen_at };
    for build in answer.value {
        let id = Id(build.id);
        let object = Object { address: &answer.url, kind: "run", id: &id };
        let names_pipeline = build.definition.as_ref().is_some_and(|own| own.id.is_some());
        if build.deleted == Some(true) && !names_pipeline {
            // Of a run that is deleted little may be left; what was stored of it before stays.
            continue;
        }
        page.finishes.extend(finish_row(&finishes, &object, &build, seen_at)?);
        page.runs.push(run_row(&runs, &object, project_id, build, seen_at)?);
    }
    Ok(page)
}

fn queued_at(object: &Object<'_>, build: &Build) -> Result<DateTime<Utc>, Error> {
    object.need(build.queue_time.or(build.start_time).or(build.finish_time), "queueTime")
}

fn finish_row(
    table: &Maker,
    object: &Object<'_>,
    build: &Build,
    seen_at: DateTime<Utc>,
) -> Result<Option<Row>, Error> {
    if build.status.as_deref() != Some("completed") {
        return Ok(None);
    }
    let Some(finished_at) = build.finish_time else { return Ok(None) };
    let mut row = table.row();
    row.set("run_id", object.need(build.id, "id")?)
        .set("finished_at", finished_at)
        .set("result", build.result.as_deref())
        .set("first_seen_at", seen_at)
        .set("queued_month", month_of(queued_at(object, build)?));
    Ok(Some(row))
}

fn run_row(
    table: &Maker,
    object: &Object<'_>,
    project_id: &str,
    build: Build,
    seen_at: DateTime<Utc>,
) -> Result<Row, Error> {
    let queued_at = queued_at(object, &build)?;
    let link = link(&build);
    let url = build.address();
    let repository = build.repository.unwrap_or_default();
    let definition = build.definition.unwrap_or_default();
    let requested_for = build.requested_for.unwrap_or_default();
    let is_deleted = build.deleted == Some(true);
    let mut row = table.row();
    row.set("run_id", object.need(build.id, "id")?)
        .set("project_id", project_id)
        .set("pipeline_id", object.need(definition.id, "definition.id")?)
        .set("pipeline_name", definition.name)
        .set("pipeline_folder", definition.path)
        .set("repository_id", repository_id(&repository))
        .set("repository_type", repository.kind)
        .set("build_number", build.build_number)
        .set("reason", build.reason)
        .set("status", build.status)
        .set("result", build.result)
        .set("source_branch", build.source_branch)
        .set("source_version", build.source_version)
        .set("pull_request_id", link.pull_request_id)
        .set("pull_request_iteration", link.iteration)
        .set("pull_request_source_branch", link.source_branch)
        .set("pull_request_source_commit", link.source_commit)
        .set("queued_at", queued_at)
        .set("started_at", build.start_time)
        .set("finished_at", build.finish_time)
        .set("requested_for", requested_for.unique_name.or(requested_for.display_name))
        .set("url", url)
        .set("first_seen_at", seen_at)
        .set("deleted_at", is_deleted.then_some(seen_at))
        .set("queued_month", month_of(queued_at));
    Ok(row)
}

/// What ties a run to a pull request of Azure Repos.
#[derive(Debug, Default, PartialEq)]
struct Link {
    pull_request_id: Option<i64>,
    iteration: Option<i32>,
    source_branch: Option<String>,
    source_commit: Option<String>,
}

/// Reads the link from the branch, the parameters and the trigger, in this order. Runs of other hosts have none: their
/// numbers are of another house and overlap with ours.
fn link(build: &Build) -> Link {
    if !build.repository.as_ref().is_some_and(|repository| repository.is_azure_repos()) {
        return Link::default();
    }
    let parameters = build.parameters();
    let text =
        |name: &str| parameters.get(&format!("system.pullRequest.{name}")).and_then(Property::text);
    // Whoever queues a run may write parameters, so what is no number counts as none.
    let number = |text: Option<String>| text?.parse::<i64>().ok().filter(|number| *number > 0);
    let trigger = |name: &str| build.trigger_info.as_ref()?.get(name)?.text();
    Link {
        pull_request_id: build
            .source_branch
            .as_deref()
            .and_then(merge_ref_number)
            .or_else(|| number(text("pullRequestId")))
            .or_else(|| number(trigger("pr.number"))),
        iteration: number(text("pullRequestIteration")).and_then(|number| number.try_into().ok()),
        source_branch: text("sourceBranch").or_else(|| trigger("pr.sourceBranch")),
        source_commit: text("sourceCommitId")
            .or_else(|| trigger("pr.sourceSha"))
            .map(|commit| commit.to_ascii_lowercase()),
    }
}

/// Returns the `N` of `refs/pull/N/merge`.
fn merge_ref_number(branch: &str) -> Option<i64> {
    let digits = branch.strip_prefix("refs/pull/")?.strip_suffix("/merge")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(build: serde_json::Value) -> Link {
        link(&serde_json::from_value(build).unwrap())
    }

    #[test]
    fn a_run_is_linked_by_branch_then_parameters_then_trigger() {
        let parameters = r#"{"system.pullRequest.pullRequestId":"8","system.pullRequest.pullRequestIteration":"2",
            "system.pullRequest.sourceBranch":"refs/heads/x","system.pullRequest.sourceCommitId":"ABC"}"#;
        let all = linked(serde_json::json!({
            "repository": {"type": "TfsGit"}, "sourceBranch": "refs/pull/7/merge",
            "parameters": parameters, "triggerInfo": {"pr.number": "9"}
        }));
        assert_eq!((all.pull_request_id, all.iteration), (Some(7), Some(2)));
        assert_eq!(all.source_branch.as_deref(), Some("refs/heads/x"));
        assert_eq!(all.source_commit.as_deref(), Some("abc"));
        let by_parameters = linked(serde_json::json!({
            "repository": {"type": "TfsGit"}, "sourceBranch": "refs/heads/x", "parameters": parameters
        }));
        assert_eq!(by_parameters.pull_request_id, Some(8));
        let by_trigger = linked(serde_json::json!({
            "repository": {"type": "tfsgit"}, "parameters": "not json", "triggerInfo": {"pr.number": "9"}
        }));
        assert_eq!(by_trigger.pull_request_id, Some(9));
    }

    #[test]
    fn the_commit_of_a_run_may_stand_in_the_trigger_alone() {
        let run = linked(serde_json::json!({
            "repository": {"type": "TfsGit"}, "sourceBranch": "refs/pull/7/merge",
            "triggerInfo": {"pr.number": "7", "pr.sourceSha": "ABC", "pr.sourceBranch": "refs/heads/x"}
        }));
        assert_eq!(run.source_commit.as_deref(), Some("abc"));
        assert_eq!(run.source_branch.as_deref(), Some("refs/heads/x"));
    }

    #[test]
    fn parameters_that_a_person_wrote_make_no_run_unreadable() {
        let odd = linked(serde_json::json!({
            "repository": {"type": "TfsGit"},
            "parameters": r#"{"system.pullRequest.pullRequestIteration":"99999999999","system.pullRequest.pullRequestId":"x"}"#
        }));
        assert_eq!(odd, Link::default());
    }

    #[test]
    fn a_run_of_another_host_is_linked_to_nothing() {
        let github = serde_json::json!({
            "repository": {"type": "GitHub"}, "sourceBranch": "refs/pull/7/merge",
            "parameters": r#"{"system.pullRequest.pullRequestId":"8"}"#, "triggerInfo": {"pr.number": "7"}
        });
        assert_eq!(linked(github), Link::default());
    }

    #[test]
    fn only_whole_merge_refs_count() {
        assert_eq!(merge_ref_number("refs/pull/42/merge"), Some(42));
        for other in
            ["refs/pull//merge", "refs/pull/4x/merge", "refs/pull/4/head", "refs/pull/-4/merge"]
        {
            assert_eq!(merge_ref_number(other), None, "{other}");
        }
    }
}
