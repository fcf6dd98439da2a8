//! What Azure DevOps deletes before it is read: how long each project keeps its runs, and how many were lost.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::Run;
use super::error::Error;
use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::extract::Resource;
use crate::window::Window;

/// Days for which runs of pull requests are kept where the settings are not known.
const PULL_REQUEST_RUNS_DAYS: i64 = 10;
/// The same for other runs.
const RUNS_DAYS: i64 = 30;

/// The shortest time for which a project keeps runs, days, by project.
pub(super) type Kept = HashMap<String, i64>;

/// Returns how long each project keeps its runs, by the settings that were read last.
pub(super) async fn kept(run: &Run) -> Result<Kept, Error> {
    let sql = "select * from retention_settings where organization = $organization order by first_seen_at";
    let rows = run.query("retention_settings", sql, "how long runs are kept").await?;
    let days = |row: &crate::schema::Row| {
        let of_pull_requests = row.int("purge_pull_request_runs_days");
        let of_others = row.int("purge_runs_days").unwrap_or(RUNS_DAYS);
        of_pull_requests.unwrap_or(PULL_REQUEST_RUNS_DAYS).min(of_others)
    };
    let of_project =
        |row: &crate::schema::Row| Some((row.text("project_id")?.to_owned(), days(row)));
    Ok(rows.iter().filter_map(of_project).collect())
}

/// Returns whether runs may have been deleted since the last sync that nobody read; warns if so. `last` is the upper
/// bound up to which the project's runs were read before; none before the first sync, which can lose nothing.
pub(super) fn is_gap_too_long(
    run: &Run,
    project: &Project,
    last: Option<DateTime<Utc>>,
    kept: &Kept,
) -> bool {
    let days = kept.get(&project.id).copied().unwrap_or(PULL_REQUEST_RUNS_DAYS);
    let Some(gap) = last.map(|last| run.upper.signed_duration_since(last)) else { return false };
    if TimeDelta::try_days(days).is_none_or(|kept| gap <= kept) {
        return false;
    }
    let (gap, name) = (gap.num_days(), &project.name);
    run.warn(format!(
        "runs of `{name}` were last read {gap} days ago and are kept for {days}: some may be gone unread; sync more often, or \
         keep them longer (Project settings, Pipelines, Settings, Days to keep pull request runs)"
    ));
    true
}

/// Counts the runs that were lost: policy evaluations that this sync was the first to read name them, and they are
/// neither listed nor among the deleted ones that can still be seen.
pub(super) async fn count_lost(run: &Run) -> Result<(), Error> {
    let evaluations = "pull_request_policy_evaluations";
    if !run.wants(Resource::PipelineRuns)
        || !run.wants(Resource::PullRequestDetails)
        || !run.has_changed(evaluations)
    {
        return Ok(());
    }
    // The run id is made by this process; nothing in it needs quoting.
    let sql = format!(
        "select e.* from pull_request_policy_evaluations e left anti join pipeline_runs r \
         on r.organization = e.organization and r.run_id = e.build_id \
         where e.organization = $organization and e.build_id is not null and e._run_id = '{}'",
        run.run_id
    );
    let mut lost: BTreeMap<String, std::collections::BTreeSet<i64>> = BTreeMap::new();
    run.each(evaluations, &sql, "which runs are gone", |row| {
        let rules = row.text("repository_id").and_then(|id| run.judge.repositories.get(id));
        if let Some((rules, build)) = rules.zip(row.int("build_id")) {
            lost.entry(rules.project_id.clone()).or_default().insert(build);
        }
    })
    .await?;
    let mut rows = Vec::new();
    for (project, builds) in lost {
        let name = run.project_name(&project);
        let count = builds.len();
        let text = format!(
            "of the runs that policy evaluations name, Azure DevOps deleted {count} before they were read"
        );
        run.warn(format!("pipeline_runs of `{name}`: {text}"));
        let window = Window::new(run.upper, run.upper);
        let scope = Scope::new(
            Resource::PipelineRuns,
            format!("{project}@lost"),
            format!("{name} (lost)"),
            window,
        );
        rows.push((scope, Outcome::Skipped(text)));
    }
    run.record(rows).await
}
