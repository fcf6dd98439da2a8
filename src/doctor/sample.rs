//! Samples of what only pull requests and runs tell: names of statuses and of jobs, where the lake has none yet.

use std::collections::{BTreeSet, HashSet};

use datafusion::prelude::SessionContext;
use futures::StreamExt as _;

use super::Input;
use super::ask::ask;
use super::error::Error;
use super::visible::{Found, first};
use crate::ado::Call;
use crate::ado::model::{Build, PullRequest, PullRequestStatus};
use crate::config::{Selector, Solution};
use crate::extract::run_jobs::{self, Jobs};
use crate::extract::{Source, runs};
use crate::glob::Glob;
use crate::schema::Row;
use crate::window::month_of;

/// Projects, or pipelines, that are sampled at most.
const SAMPLED: usize = 20;
/// Latest completed pull requests of a project whose statuses are read.
const PULL_REQUESTS: usize = 10;
/// Requests at once; the gate of the client bounds them further.
const IN_FLIGHT: usize = 8;

/// Genre and name of a status.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatusName {
    /// Genre, where it has one.
    pub genre: Option<String>,
    /// Name.
    pub name: String,
}

/// Reads which statuses the latest completed pull requests of some projects carry; what cannot be read has none.
pub async fn status_names(source: &Source, projects: &[(String, String)]) -> BTreeSet<StatusName> {
    let of_project = async |(id, _): &(String, String)| {
        let call = Call::project(id, &["git", "pullrequests"])
            .query("searchCriteria.status", "completed")
            .query("$top", PULL_REQUESTS);
        let pulls = first::<PullRequest>(source, call, "pull requests").await;
        let mut names = BTreeSet::new();
        for pull in pulls.map(|answer| answer.value).unwrap_or_default() {
            let repository = pull.repository.and_then(|repository| repository.id);
            let (Some(number), Some(repository)) = (pull.pull_request_id, repository) else {
                continue;
            };
            let path = ["pullRequests", &number.to_string(), "statuses"];
            let call = Call::repository(id, &repository, &path);
            let statuses = first::<PullRequestStatus>(source, call, "statuses").await;
            let contexts = statuses.map(|answer| answer.value).unwrap_or_default();
            names.extend(contexts.into_iter().filter_map(|status| {
                let context = status.context?;
                let genre = context.genre.filter(|genre| !genre.is_empty());
                Some(StatusName { genre, name: context.name? })
            }));
        }
        names
    };
    futures::stream::iter(projects.iter().take(SAMPLED))
        .map(of_project)
        .buffered(IN_FLIGHT)
        .fold(BTreeSet::new(), async |mut all, mut names| {
            all.append(&mut names);
            all
        })
        .await
}

/// Returns rows of tables that solutions are compared with and that the lake lacks.
pub(super) async fn missing(
    input: &Input<'_>,
    found: &Found,
    context: &SessionContext,
) -> Result<Vec<(&'static str, Vec<Row>)>, Error> {
    let solutions: Vec<Solution> = solutions(input, found);
    let mut samples = Vec::new();
    let may_be_status =
        |solution: &Solution| matches!(solution.selector, Selector::Any | Selector::Status);
    if solutions.iter().any(may_be_status) {
        let sql = "select distinct organization from pull_request_statuses";
        let known = ask(context, sql, "which statuses there are").await?;
        if !known.lines().any(|line| line.word("organization") == input.organization()) {
            samples.push(("pull_request_statuses", statuses(input, found).await));
        }
    }
    let jobs: Vec<&Solution> =
        solutions.iter().filter(|solution| solution.selector == Selector::Job).collect();
    if !jobs.is_empty() {
        let (runs, records) = jobs_of_latest_runs(input, found, context, &jobs).await?;
        samples.push(("pipeline_runs", runs));
        samples.push(("pipeline_run_jobs", records));
    }
    Ok(samples)
}

/// Returns the solutions of all repositories in scope, each once.
fn solutions(input: &Input<'_>, found: &Found) -> Vec<Solution> {
    let mut solutions: Vec<Solution> = Vec::new();
    let mut seen = HashSet::new();
    for row in &found.repositories {
        let (project, name) = (row.text("project").unwrap_or_default(), row.text("name"));
        let of = input.settings.of(input.organization(), project, name.unwrap_or_default());
        for solution in of.solutions().into_iter().flat_map(|(_, list)| list) {
            if of.in_scope && seen.insert((solution.selector.as_str(), solution.pattern.clone())) {
                solutions.push(solution.clone());
            }
        }
    }
    solutions
}

async fn statuses(input: &Input<'_>, found: &Found) -> Vec<Row> {
    let Some(table) = input.catalog.table("pull_request_statuses") else { return Vec::new() };
    let names = status_names(&input.source, &found.projects).await;
    (0_i64..)
        .zip(names)
        .map(|(index, status)| {
            let mut row = Row::new(table);
            row.set("organization", input.organization())
                .set("repository_id", "")
                .set("pull_request_id", 0_i64)
                .set("status_id", index)
                .set("genre", status.genre)
                .set("name", status.name)
                .set("state", "notSet")
                .set("created_at", found.seen_at)
                .set("first_seen_at", found.seen_at)
                .set("created_month", month_of(found.seen_at));
            row
        })
        .collect()
}

/// Reads the jobs of the latest run of each pipeline that a job solution may mean and whose jobs the lake lacks.
async fn jobs_of_latest_runs(
    input: &Input<'_>,
    found: &Found,
    context: &SessionContext,
    solutions: &[&Solution],
) -> Result<(Vec<Row>, Vec<Row>), Error> {
    let sql = "select distinct runs.organization, runs.project_id, runs.pipeline_id from pipeline_runs as runs \
               join pipeline_run_jobs as jobs on jobs.organization = runs.organization and jobs.run_id = runs.run_id";
    let known = ask(context, sql, "which jobs there are").await?;
    let known: HashSet<(String, String)> = known
        .lines()
        .filter(|line| line.word("organization") == input.organization())
        .map(|line| (line.word("project_id"), line.word("pipeline_id")))
        .collect();
    let globs: Vec<Glob> =
        solutions.iter().flat_map(|solution| pipeline_globs(&solution.pattern)).collect();
    let wanted: Vec<(String, i64)> = found
        .pipelines
        .iter()
        .filter(|row| globs.iter().any(|glob| fits(glob, row)))
        .filter_map(|row| Some((row.text("project_id")?.to_owned(), row.int("pipeline_id")?)))
        .filter(|(project, pipeline)| !known.contains(&(project.clone(), pipeline.to_string())))
        .take(SAMPLED)
        .collect();
    let latest = async |(project, pipeline): (String, i64)| {
        let call = Call::project(&project, &["build", "builds"])
            .query("definitions", pipeline)
            .query("statusFilter", "completed")
            .query("queryOrder", "finishTimeDescending")
            .query("$top", 1);
        let builds = first::<Build>(&input.source, call, "runs").await.ok()?;
        let id = builds.value.first()?.id?;
        let run = runs::one(&input.source, &project, id).await.ok()?.runs.into_iter().next()?;
        let month = run.text("queued_month")?.to_owned();
        match run_jobs::fetch(&input.source, &project, id, &month).await.ok()? {
            Jobs::Read(records, _) => Some((run, records)),
            Jobs::Gone(_) => None,
        }
    };
    let samples: Vec<Option<(Row, Vec<Row>)>> =
        futures::stream::iter(wanted).map(latest).buffered(IN_FLIGHT).collect().await;
    let (mut runs, mut records) = (Vec::new(), Vec::new());
    for (run, jobs) in samples.into_iter().flatten() {
        runs.push(run);
        records.extend(jobs);
    }
    Ok((runs, records))
}

/// Returns what of a job's pattern may name pipelines: what stands before stage and job, and before a task.
fn pipeline_globs(pattern: &str) -> Vec<Glob> {
    let mut globs = Vec::new();
    let mut rest = pattern;
    for cut in 0..4 {
        let is_part = cut >= 2 || pattern.contains("**");
        if is_part && let Ok(glob) = Glob::new(rest) {
            globs.push(glob);
        }
        let Some((before, _)) = rest.rsplit_once('/') else { break };
        rest = before;
    }
    globs
}

fn fits(glob: &Glob, pipeline: &Row) -> bool {
    let name = pipeline.text("name").unwrap_or_default().to_lowercase();
    let folder = pipeline.text("folder").unwrap_or_default().to_lowercase().replace('\\', "/");
    let path = format!("{}/{name}", folder.trim_matches('/'));
    let id = pipeline.int("pipeline_id").map(|id| id.to_string()).unwrap_or_default();
    glob.matches(&name) || glob.matches(path.trim_start_matches('/')) || glob.matches(&id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_of_a_job_is_what_stands_before_stage_and_job() {
        let fits = |pattern: &str, name: &str| {
            pipeline_globs(pattern).iter().any(|glob| glob.matches(name))
        };
        assert!(fits("ci/analyze/codeql", "ci"));
        assert!(fits("security/ci/analyze/codeql", "security/ci"));
        assert!(fits("ci/**", "ci") && fits("**", "anything"));
        assert!(!fits("ci/analyze/codeql", "ci/analyze"));
    }
}
