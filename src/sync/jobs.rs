//! Timelines of runs, read only where a `job:` selector of a judged pull request needs them.

use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;
use futures::{StreamExt as _, TryStreamExt as _};

use super::Run;
use super::error::Error;
use super::judge::{JobSelectors, Rules};
use super::settled::Question;
use crate::extract::run_jobs::{self, Jobs};
use crate::extract::{self, Resource};
use crate::schema::Row;

/// A pull request whose jobs matter.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// Target repository.
    pub repository_id: String,
    /// Number.
    pub pull_request_id: i64,
    /// Final source commit; a run on it counts without being of the pull request.
    pub source_commit: Option<String>,
    /// Runs that its policy evaluations name, as far as the lake does not have those yet.
    pub build_ids: Vec<i64>,
}

/// Name and folder by pipeline.
type Names = HashMap<i64, (String, String)>;

/// Says of runs that they are finished and their timeline is missing.
const MISSING: &str = "organization = $organization and lower(repository_type) = 'tfsgit' and finished_at is not null \
                       and (coalesce(jobs_read_at, jobs_gone_at) is null or jobs_read_at < finished_at)";

/// Most pull requests that one question to the lake names.
const QUESTION: usize = 2_000;
/// Runs whose timelines are held in memory at once.
const AT_ONCE: usize = 500;
/// Days after which a run that is missing was purged, whether a sweep saw that or not.
const PURGED_DAYS: i64 = 30;

/// Reads the timelines that are missing for runs of these pull requests, and writes them before their runs.
pub(super) async fn read(run: &Run, judged: &[Judged]) -> Result<(), Error> {
    let wanted: Vec<&Judged> = judged
        .iter()
        .filter(|one| {
            run.judge.repositories.get(&one.repository_id).is_some_and(|rules| rules.wants_jobs())
        })
        .collect();
    for part in wanted.chunks(QUESTION) {
        let mut runs = missing(run, part).await?;
        while !runs.is_empty() {
            let rest = runs.split_off(runs.len().min(AT_ONCE));
            fetch(run, runs).await?;
            runs = rest;
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
    let numbers = numbers.join(", ");
    let mut conditions = vec![
        format!("pull_request_id in ({numbers})"),
        format!(
            "run_id in (select build_id from pull_request_policy_evaluations \
             where organization = $organization and build_id is not null and pull_request_id in ({numbers}))"
        ),
    ];
    if !commits.is_empty() {
        conditions.push(format!("source_version in ({})", commits.join(", ")));
    }
    let builds: Vec<String> =
        judged.iter().flat_map(|one| &one.build_ids).map(i64::to_string).collect();
    if !builds.is_empty() {
        conditions.push(format!("run_id in ({})", builds.join(", ")));
    }
    let sql =
        format!("select * from pipeline_runs where {MISSING} and ({})", conditions.join(" or "));
    let rows = run.query("pipeline_runs", &sql, "whose jobs are missing").await?;
    let repositories: BTreeSet<&str> =
        judged.iter().map(|one| one.repository_id.as_str()).collect();
    let rules = repositories.into_iter().filter_map(|id| run.judge.repositories.get(id));
    let mut selectors = JobSelectors::of(rules);
    let names = if rows.iter().any(|row| row.text("pipeline_name").is_none()) {
        names_of_today(run).await?
    } else {
        HashMap::new()
    };
    let is_wanted = |row: &Row| {
        let (id, name, folder) = named(row, &names);
        selectors.may_mean(id, name, folder)
    };
    Ok(rows.into_iter().filter(is_wanted).collect())
}

/// Id, name and folder of a run's pipeline: those on the run, else today's.
fn named<'a>(row: &'a Row, today: &'a Names) -> (i64, &'a str, &'a str) {
    let id = row.int("pipeline_id").unwrap_or(0);
    let own = today.get(&id);
    let name = row.text("pipeline_name").or(own.map(|(name, _)| name.as_str()));
    let folder = row.text("pipeline_folder").or(own.map(|(_, folder)| folder.as_str()));
    (id, name.unwrap_or_default(), folder.unwrap_or_default())
}

/// Returns name and folder of each pipeline.
async fn names_of_today(run: &Run) -> Result<Names, Error> {
    let sql = "select pipeline_id, name, folder from pipelines where organization = $organization";
    let rows = run.query("pipelines", sql, "how pipelines are named").await?;
    let text = |row: &Row, column| row.text(column).unwrap_or_default().to_owned();
    let named =
        |row: &Row| Some((row.int("pipeline_id")?, (text(row, "name"), text(row, "folder"))));
    Ok(rows.iter().filter_map(named).collect())
}

async fn fetch(run: &Run, runs: Vec<Row>) -> Result<(), Error> {
    run.expect(Resource::PipelineRunJobs, runs.len());
    let answers: Vec<(Row, Result<Jobs, extract::Error>)> = futures::stream::iter(runs)
        .map(|row| {
            let project = row.text("project_id").unwrap_or_default().to_owned();
            let source = run.source.metered(run.jobs.meter(&project));
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
            Err(error) if error.is_missing() && is_purged(run, &row) => {
                row.set("jobs_gone_at", run.now());
                seen_at = Some(run.now());
            }
            Err(error) => {
                let error = run.unless_signed_out(error)?;
                run.jobs.missing(row.text("project_id").unwrap_or_default(), super::chain(&error));
                continue;
            }
        }
        changed.push(row);
    }
    if let Some(seen_at) = seen_at {
        run.write("pipeline_run_jobs", jobs, Vec::new(), seen_at).await?;
        run.write("pipeline_runs", changed, Vec::new(), seen_at).await?;
    }
    Ok(())
}

/// A purged run answers 404 for good; asking again at every sync would change nothing.
fn is_purged(run: &Run, row: &Row) -> bool {
    let age = row.time("finished_at").map(|at| run.upper.signed_duration_since(at));
    row.time("deleted_at").is_some() || age.is_some_and(|age| age > TimeDelta::days(PURGED_DAYS))
}

/// Reads the timelines that are missing for all pull requests that are judged: a selector may be new.
pub(super) async fn sweep(run: &Run) -> Result<(), Error> {
    if run.is_settled(Question::Jobs) {
        return Ok(());
    }
    let judged = judged(run).await?;
    if judged.is_empty() {
        run.settle(Question::Jobs, None);
    }
    read(run, &judged).await
}

/// Returns how many timelines the lake lacks.
pub(super) async fn count_missing(run: &Run) -> Result<usize, Error> {
    let judged = judged(run).await?;
    let mut count = 0;
    for part in judged.iter().collect::<Vec<_>>().chunks(QUESTION) {
        count += missing(run, part).await?.len();
    }
    Ok(count)
}

/// Returns the pull requests whose jobs decide something and of which a timeline may be missing.
async fn judged(run: &Run) -> Result<Vec<Judged>, Error> {
    let mut judged = Vec::new();
    let pipelines = pipelines(run).await?;
    if pipelines.is_empty() {
        return Ok(judged);
    }
    let ids: Vec<String> = pipelines.iter().map(i64::to_string).collect();
    let runs = format!("{MISSING} and pipeline_id in ({})", ids.join(", "));
    // Only what decides: rows as a whole would not fit where many are judged.
    let sql = format!(
        "select repository_id, pull_request_id, source_commit, target_ref, status, closed_at from pull_requests \
         where organization = $organization and status = 'completed' and closed_at >= $start_at and (\
         pull_request_id in (select pull_request_id from pipeline_runs where {runs}) \
         or source_commit in (select source_version from pipeline_runs where {runs}) \
         or pull_request_id in (select pull_request_id from pull_request_policy_evaluations \
         where organization = $organization and build_id in (select run_id from pipeline_runs where {runs})))"
    );
    run.each("pull_requests", &sql, "which pull requests are judged", |row| {
        let rules = row.text("repository_id").and_then(|id| run.judge.repositories.get(id));
        let is_wanted = rules.is_some_and(Rules::wants_jobs) && run.judge.wants(&row);
        judged.extend(is_wanted.then(|| Judged::of(&row)));
    })
    .await?;
    Ok(judged)
}

/// Returns the ids of pipelines that some `job:` selector may mean, by every name that their runs carry.
async fn pipelines(run: &Run) -> Result<BTreeSet<i64>, Error> {
    let mut selectors = JobSelectors::of(run.judge.repositories.values());
    let mut found = BTreeSet::new();
    if selectors.is_empty() {
        return Ok(found);
    }
    let today = names_of_today(run).await?;
    let sql = "select distinct pipeline_id, pipeline_name, pipeline_folder from pipeline_runs \
               where organization = $organization";
    run.each("pipeline_runs", sql, "which pipelines ran", |row| {
        let (id, name, folder) = named(&row, &today);
        if selectors.may_mean(id, name, folder) {
            found.insert(id);
        }
    })
    .await?;
    Ok(found)
}

impl Judged {
    /// Returns what matters of a pull request's row.
    pub fn of(row: &Row) -> Self {
        Self {
            repository_id: row.text("repository_id").unwrap_or_default().to_owned(),
            pull_request_id: row.int("pull_request_id").unwrap_or(0),
            source_commit: row.text("source_commit").map(str::to_owned),
            build_ids: Vec::new(),
        }
    }
}

/// Collects a stream of rows, for small answers.
pub(super) async fn all<T, E>(
    stream: impl futures::Stream<Item = Result<T, E>>,
) -> Result<Vec<T>, E> {
    stream.try_collect().await
}
