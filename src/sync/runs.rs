//! Pipeline runs: finished ones by finish time, unfinished ones as they are now, deleted ones in a sweep.

use chrono::{DateTime, TimeDelta};
use futures::{StreamExt as _, TryStreamExt as _};

use super::Run;
use super::error::Error;
use super::retention::{self, Kept};
use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::extract::runs::{self, RunPage, UNFINISHED};
use crate::extract::{self, Resource};
use crate::schema::Row;
use crate::window::Window;

/// How often deleted runs are looked for, days; more often where a project keeps runs for less.
const SWEEP_DAYS: i64 = 7;
/// Length of the newest window of a long gap, days: what is purged first is in it.
const FIRST_DAYS: i64 = 30;
/// Runs that a window should not have many more of.
const GOOD_WINDOW: usize = 20_000;
/// A window with fewer lets the rest of the gap be read at once.
const THIN_WINDOW: usize = 2_000;
/// How far a window asks beyond its lower end: whether the service counts the bounds in is not documented.
const OVERLAP_S: i64 = 1;
/// Rows that are gathered before they are written, of all projects that are read at once.
const MOST_ROWS: usize = 40_000;

/// Reads the runs of all projects.
pub(super) async fn read(run: &Run) -> Result<(), Error> {
    if !run.wants(Resource::PipelineRuns) {
        return Ok(());
    }
    run.begin(Resource::PipelineRuns);
    run.expect(Resource::PipelineRuns, run.projects.len());
    let kept = retention::kept(run).await?;
    futures::stream::iter(&run.projects)
        .map(async |project| {
            let result = of_project(run, project, &kept).await;
            run.progress(Resource::PipelineRuns, 0, 1);
            result
        })
        .buffer_unordered(run.input.section.concurrency.max(1))
        .try_collect::<()>()
        .await?;
    run.end(Resource::PipelineRuns, &["pipeline_runs"]);
    Ok(())
}

async fn of_project(run: &Run, project: &Project, kept: &Kept) -> Result<(), Error> {
    let read = run.progress_so_far.windows(Resource::PipelineRuns.name(), &project.id);
    let last = read.as_slice().last().map(|window| window.to);
    let is_long = retention::is_gap_too_long(run, project, last, kept);
    for gap in run.gaps(Resource::PipelineRuns, &project.id).into_iter().rev() {
        let mut to = gap.to;
        let mut days = FIRST_DAYS;
        loop {
            let from = TimeDelta::try_days(days).and_then(|days| to.checked_sub_signed(days));
            let window = Window::new(from.unwrap_or(gap.from).max(gap.from), to);
            let rows = of_window(run, project, window).await?;
            if window.from <= gap.from {
                break;
            }
            days = match rows {
                0..THIN_WINDOW => i64::MAX,
                THIN_WINDOW..GOOD_WINDOW => days.saturating_mul(2),
                _ => (days / 2).max(1),
            };
            to = window.from;
        }
    }
    sweep(run, project, is_long).await
}

/// Returns the windows that would be read, the newest first, each with the least number of requests.
pub(super) fn planned(run: &Run, project: &Project, kept: &Kept) -> Vec<(Window, u64)> {
    let read = run.progress_so_far.windows(Resource::PipelineRuns.name(), &project.id);
    let last = read.as_slice().last().map(|window| window.to);
    let is_long = retention::is_gap_too_long(run, project, last, kept);
    let gaps = run.gaps(Resource::PipelineRuns, &project.id).into_iter().rev();
    let mut windows: Vec<(Window, u64)> =
        gaps.map(|gap| (gap, if gap.to == run.upper { 3 } else { 1 })).collect();
    if is_long || is_sweep_due(run, project) {
        windows.push((Window::new(DateTime::UNIX_EPOCH, run.upper), 1));
    }
    windows
}

/// Reads one window, with the unfinished runs where it is the newest; returns how many rows it had.
async fn of_window(run: &Run, project: &Project, window: Window) -> Result<usize, Error> {
    let scope = Scope::new(Resource::PipelineRuns, &project.id, &project.name, window);
    let source = run.metered(&scope.meter);
    let from = window.from.checked_sub_signed(TimeDelta::seconds(OVERLAP_S));
    let asked = Window::new(from.unwrap_or(window.from).max(DateTime::UNIX_EPOCH), window.to);
    let mut outcome = write_all(run, runs::finished(&source, &project.id, asked)).await?;
    if window.to == run.upper && outcome == Outcome::Ok {
        for state in UNFINISHED {
            outcome =
                outcome.max(write_all(run, runs::unfinished(&source, &project.id, state)).await?);
        }
    }
    let rows = usize::try_from(scope.meter.counts().rows).unwrap_or(usize::MAX);
    run.record(vec![(scope, outcome)]).await?;
    Ok(rows)
}

/// Returns the scope of looking for deleted runs.
fn swept(project: &Project) -> String {
    format!("{}@deleted", project.id)
}

fn is_sweep_due(run: &Run, project: &Project) -> bool {
    let key = (Resource::PipelineRuns.name().to_owned(), swept(project));
    let age =
        run.progress_so_far.read_at.get(&key).map(|last| run.upper.signed_duration_since(*last));
    run.options.full || age.is_none_or(|age| age >= TimeDelta::days(SWEEP_DAYS))
}

/// Looks for runs that were deleted, and so finds also what was deleted before it was ever read. They can be seen for
/// about a month, whenever they finished.
async fn sweep(run: &Run, project: &Project, is_urgent: bool) -> Result<(), Error> {
    if !is_urgent && !is_sweep_due(run, project) {
        return Ok(());
    }
    let window = Window::new(DateTime::UNIX_EPOCH, run.upper);
    let (id, name) = (swept(project), format!("{} (deleted)", project.name));
    let scope = Scope::new(Resource::PipelineRuns, id, name, window);
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
    let at_once = run.input.section.concurrency.clamp(1, run.projects.len().max(1));
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
        if rows.len() >= MOST_ROWS / at_once || ending.is_some() {
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
