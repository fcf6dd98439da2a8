//! Pipeline runs: finished ones by finish time, unfinished ones as they are now, deleted ones in a sweep.

use chrono::TimeDelta;
use futures::{StreamExt as _, TryStreamExt as _};

use super::Run;
use super::error::Error;
use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::extract::runs::{self, RunPage, UNFINISHED};
use crate::extract::{self, Resource};
use crate::schema::Row;
use crate::window::Window;

/// How often deleted runs are looked for, days.
const SWEEP_DAYS: i64 = 7;
/// How far back that looks, days; deleted runs can be seen for about a month.
const SWEPT_DAYS: i64 = 62;
/// Rows that are gathered before they are written.
const MOST_ROWS: usize = 20_000;

/// Reads the runs of all projects.
pub(super) async fn read(run: &Run) -> Result<(), Error> {
    if !run.wants(Resource::PipelineRuns) {
        return Ok(());
    }
    run.begin(Resource::PipelineRuns);
    run.expect(Resource::PipelineRuns, run.projects.len());
    futures::stream::iter(&run.projects)
        .map(async |project| {
            let result = of_project(run, project).await;
            run.progress(Resource::PipelineRuns, 0, 1);
            result
        })
        .buffer_unordered(run.input.section.concurrency.max(1))
        .try_collect::<()>()
        .await?;
    run.end(Resource::PipelineRuns, &["pipeline_runs"]);
    Ok(())
}

async fn of_project(run: &Run, project: &Project) -> Result<(), Error> {
    for gap in run.gaps(Resource::PipelineRuns, &project.id) {
        let scope = Scope::new(Resource::PipelineRuns, &project.id, &project.name, gap);
        let source = run.metered(&scope.meter);
        let mut outcome = write_all(run, runs::finished(&source, &project.id, gap)).await?;
        if gap.to == run.upper && outcome == Outcome::Ok {
            for state in UNFINISHED {
                outcome = outcome
                    .max(write_all(run, runs::unfinished(&source, &project.id, state)).await?);
            }
        }
        run.record(vec![(scope, outcome)]).await?;
    }
    sweep(run, project).await
}

/// Looks for runs that were deleted, and so finds also what was deleted before it was ever read.
async fn sweep(run: &Run, project: &Project) -> Result<(), Error> {
    let id = format!("{}@deleted", project.id);
    let last =
        run.progress_so_far.read_at.get(&(Resource::PipelineRuns.name().to_owned(), id.clone()));
    let is_due = last
        .is_none_or(|last| run.upper.signed_duration_since(*last) >= TimeDelta::days(SWEEP_DAYS));
    if !is_due && !run.options.full {
        return Ok(());
    }
    let window = Window::new(run.upper - TimeDelta::days(SWEPT_DAYS), run.upper);
    let scope =
        Scope::new(Resource::PipelineRuns, id, format!("{} (deleted)", project.name), window);
    let source = run.metered(&scope.meter);
    let outcome = write_all(run, runs::deleted(&source, &project.id, window)).await?;
    run.record(vec![(scope, outcome)]).await
}

/// Writes the pages of a stream, finishes before runs.
async fn write_all(
    run: &Run,
    pages: impl futures::Stream<Item = Result<RunPage, extract::Error>>,
) -> Result<Outcome, Error> {
    let mut pages = std::pin::pin!(pages);
    let (mut rows, mut finishes, mut seen_at) = (Vec::new(), Vec::new(), None);
    loop {
        let page = pages.try_next().await;
        let (page, ending) = match run.sort_out(page)? {
            Ok(Some(page)) => (Some(page), None),
            Ok(None) => (None, Some(Outcome::Ok)),
            Err(outcome) => (None, Some(outcome)),
        };
        if let Some(page) = page {
            run.progress(Resource::PipelineRuns, page.runs.len(), 0);
            rows.extend(page.runs);
            finishes.extend(page.finishes);
            seen_at = Some(page.seen_at);
        }
        if rows.len() >= MOST_ROWS || ending.is_some() {
            if let Some(seen_at) = seen_at {
                let take = |rows: &mut Vec<Row>| std::mem::take(rows);
                run.write("pipeline_run_finishes", take(&mut finishes), Vec::new(), seen_at)
                    .await?;
                run.write("pipeline_runs", take(&mut rows), Vec::new(), seen_at).await?;
            }
            if let Some(outcome) = ending {
                return Ok(outcome);
            }
        }
    }
}
