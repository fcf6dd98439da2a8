//! Timelines of runs, read only where a `job:` selector of a judged pull request needs them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};

use super::Run;
use super::error::Error;
use super::scope::{Outcome, Scope};
use crate::extract::run_jobs::{self, Jobs};
use crate::extract::{self, Resource};
use crate::schema::Row;
use crate::window::Window;

/// A pull request whose jobs matter.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// Target repository.
    pub repository_id: String,
    /// Number.
    pub pull_request_id: i64,
    /// Final source commit; a run on it counts without being of the pull request.
    pub source_commit: Option<String>,
}

/// Most pull requests that one question to the lake names.
const QUESTION: usize = 2_000;

/// Reads the timelines that are missing for runs of these pull requests, and writes them before their runs.
pub(super) async fn read(run: &Run, judged: &[Judged]) -> Result<(), Error> {
    let wanted: Vec<&Judged> = judged
        .iter()
        .filter(|one| {
            run.judge
                .repositories
                .get(&one.repository_id)
                .is_some_and(|rules| !rules.job_pipelines.is_empty())
        })
        .collect();
    for part in wanted.chunks(QUESTION) {
        let runs = missing(run, part).await?;
        if !runs.is_empty() {
            fetch(run, runs).await?;
        }
    }
    Ok(())
}

/// Returns the rows of finished runs of these pull requests whose timeline is not in the lake.
async fn missing(run: &Run, judged: &[&Judged]) -> Result<Vec<Row>, Error> {
    let numbers: Vec<String> = judged.iter().map(|one| one.pull_request_id.to_string()).collect();
    let commits: Vec<String> = judged
        .iter()
        .filter_map(|one| one.source_commit.as_deref())
        .filter(|commit| commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(|commit| format!("'{commit}'"))
        .collect();
    let mut conditions = vec![format!("pull_request_id in ({})", numbers.join(", "))];
    if !commits.is_empty() {
        conditions.push(format!("source_version in ({})", commits.join(", ")));
    }
    let sql = format!(
        "select * from pipeline_runs where organization = $organization and repository_type = 'TfsGit' \
         and finished_at is not null and deleted_at is null \
         and (coalesce(jobs_read_at, jobs_gone_at) is null or jobs_read_at < finished_at) and ({})",
        conditions.join(" or ")
    );
    let rows = run.query("pipeline_runs", &sql, "whose jobs are missing").await?;
    let globs: Vec<_> = judged
        .iter()
        .filter_map(|one| run.judge.repositories.get(&one.repository_id))
        .flat_map(|rules| &rules.job_pipelines)
        .collect();
    Ok(rows
        .into_iter()
        .filter(|row| {
            let name = row.text("pipeline_name").unwrap_or_default().to_lowercase();
            globs.iter().any(|glob| glob.matches(&name))
        })
        .collect())
}

async fn fetch(run: &Run, runs: Vec<Row>) -> Result<(), Error> {
    let mut scopes: BTreeMap<String, (Scope, BTreeSet<String>)> = BTreeMap::new();
    for row in &runs {
        let project = row.text("project_id").unwrap_or_default();
        scopes.entry(project.to_owned()).or_insert_with(|| {
            let name = run.project_name(project);
            let window = Window::new(run.upper, run.upper);
            (Scope::new(Resource::PipelineRunJobs, project, name, window), BTreeSet::new())
        });
    }
    run.expect(Resource::PipelineRunJobs, runs.len());
    let answers: Vec<(Row, Result<Jobs, extract::Error>)> = futures::stream::iter(runs)
        .map(|row| {
            let project = row.text("project_id").unwrap_or_default().to_owned();
            let meter =
                scopes.get(&project).map(|(scope, _)| scope.meter.clone()).unwrap_or_default();
            let source = run.source.metered(meter);
            async move {
                let month = row.text("queued_month").unwrap_or_default().to_owned();
                let jobs =
                    run_jobs::fetch(&source, &project, row.int("run_id").unwrap_or(0), &month)
                        .await;
                run.progress(Resource::PipelineRunJobs, 1, 1);
                (row, jobs)
            }
        })
        .buffer_unordered(run.in_flight())
        .collect()
        .await;
    let (mut jobs, mut changed, mut seen_at) = (Vec::new(), Vec::new(), None);
    for (mut row, answer) in answers {
        match answer {
            Ok(Jobs::Read(rows, at)) => {
                jobs.extend(rows);
                row.set("jobs_read_at", at);
                seen_at = Some(at);
            }
            Ok(Jobs::Gone(at)) => {
                row.set("jobs_gone_at", at);
                seen_at = Some(at);
            }
            Err(error) => {
                let error = run.unless_signed_out(error)?;
                if let Some((_, errors)) =
                    scopes.get_mut(row.text("project_id").unwrap_or_default())
                {
                    errors.insert(super::chain(&error));
                }
                continue;
            }
        }
        changed.push(row);
    }
    if let Some(seen_at) = seen_at {
        run.write("pipeline_run_jobs", jobs, Vec::new(), seen_at).await?;
        run.write("pipeline_runs", changed, Vec::new(), seen_at).await?;
    }
    let rows = scopes.into_values().map(|(scope, errors)| {
        let outcome = match errors.first() {
            None => Outcome::Ok,
            Some(first) => {
                Outcome::Partial(format!("{} timelines are missing: {first}", errors.len()))
            }
        };
        (scope, outcome)
    });
    run.record_later(rows);
    Ok(())
}

/// Reads the timelines that are missing for all pull requests that are judged: a selector may be new.
pub(super) async fn sweep(run: &Run) -> Result<(), Error> {
    if run.judge.repositories.values().all(|rules| rules.job_pipelines.is_empty()) {
        return Ok(());
    }
    let sql = "select * from pull_requests where organization = $organization and status = 'completed' \
               and closed_at >= $start_at";
    let rows = run.query("pull_requests", sql, "which pull requests are judged").await?;
    let judged: Vec<Judged> =
        rows.iter().filter(|row| run.judge.wants(row)).map(Judged::of).collect();
    read(run, &judged).await
}

impl Judged {
    /// Returns what matters of a pull request's row.
    pub fn of(row: &Row) -> Self {
        Self {
            repository_id: row.text("repository_id").unwrap_or_default().to_owned(),
            pull_request_id: row.int("pull_request_id").unwrap_or(0),
            source_commit: row.text("source_commit").map(str::to_owned),
        }
    }
}

/// Collects a stream of rows, for small answers.
pub(super) async fn all<T, E>(
    stream: impl futures::Stream<Item = Result<T, E>>,
) -> Result<Vec<T>, E> {
    stream.try_collect().await
}
