//! Pipeline runs: finished ones by finish time, unfinished ones as they are now, deleted ones in a sweep.

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, TryStreamExt as _};

use super::Run;
use super::batch::{Close, Outlet, Unit};
use super::error::Error;
use super::listed::{Listed, RunHash};
use super::retention::{self, Kept};
use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::extract::runs::{self, RunPage, UNFINISHED};
use crate::extract::{self, Resource};
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

/// What the readers of all projects share.
struct Shared<'a> {
    run: &'a Run,
    kept: &'a Kept,
    outlet: &'a Outlet,
    hash: RunHash,
    /// The next sync lists again what did not finish before.
    again: DateTime<Utc>,
}

/// One scope while it is read.
struct Open {
    number: usize,
    units: usize,
    scope: Scope,
}

/// Reads the runs of all projects; returns what was listed, to be taken down once all else is read too.
pub(super) async fn read(run: &Run, outlet: &Outlet) -> Result<Vec<Listed>, Error> {
    if !run.wants(Resource::PipelineRuns) {
        return Ok(Vec::new());
    }
    run.begin(Resource::PipelineRuns);
    run.expect(Resource::PipelineRuns, run.projects.len());
    let kept = &retention::kept(run).await?;
    let hash = RunHash::new(run)?;
    let back = run.lag() + TimeDelta::seconds(OVERLAP_S);
    let again = run.upper.checked_sub_signed(back).unwrap_or(DateTime::UNIX_EPOCH);
    let shared = Shared { run, kept, outlet, hash, again };
    futures::stream::iter(&run.projects)
        .map(async |project| {
            let result = of_project(&shared, project).await;
            run.progress(Resource::PipelineRuns, 0, 1);
            result
        })
        .buffer_unordered(run.input.section.concurrency.max(1))
        .try_collect()
        .await
}

/// Reads the runs of one project; returns what the list of its newest ones named.
async fn of_project(shared: &Shared<'_>, project: &Project) -> Result<Listed, Error> {
    let run = shared.run;
    let list = Listed::of_runs(run, project);
    let read = run.progress_so_far.windows(Resource::PipelineRuns.name(), &project.id);
    let last = read.as_slice().last().map(|window| window.to);
    let is_long = retention::is_gap_too_long(run, project, last, shared.kept);
    for gap in run.gaps(Resource::PipelineRuns, &project.id).into_iter().rev() {
        let mut to = gap.to;
        let mut days = FIRST_DAYS;
        loop {
            let from = TimeDelta::try_days(days).and_then(|days| to.checked_sub_signed(days));
            let window = Window::new(from.unwrap_or(gap.from).max(gap.from), to);
            let rows = of_window(shared, project, window, &list).await?;
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
    sweep(shared, project, is_long).await?;
    Ok(list)
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
async fn of_window(
    shared: &Shared<'_>,
    project: &Project,
    window: Window,
    list: &Listed,
) -> Result<usize, Error> {
    let scope = Scope::new(Resource::PipelineRuns, &project.id, &project.name, window);
    let source = shared.run.metered(&scope.meter);
    let mut open = shared.open(scope);
    let from = window.from.checked_sub_signed(TimeDelta::seconds(OVERLAP_S));
    let asked = Window::new(from.unwrap_or(window.from).max(DateTime::UNIX_EPOCH), window.to);
    let finished = runs::finished(&source, &project.id, asked);
    let is_newest = window.to == shared.run.upper;
    let newest = is_newest.then_some(list);
    let mut outcome = take_all(shared, &mut open, finished, newest).await?;
    if is_newest && outcome == Outcome::Ok {
        for state in UNFINISHED {
            let unfinished = runs::unfinished(&source, &project.id, state);
            outcome = outcome.max(take_all(shared, &mut open, unfinished, newest).await?);
        }
        if outcome == Outcome::Ok {
            list.complete();
        }
    }
    let rows = usize::try_from(open.scope.meter.counts().rows).unwrap_or(usize::MAX);
    shared.close(open, outcome).await;
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
async fn sweep(shared: &Shared<'_>, project: &Project, is_urgent: bool) -> Result<(), Error> {
    let run = shared.run;
    if !is_urgent && !is_sweep_due(run, project) {
        return Ok(());
    }
    let window = Window::new(DateTime::UNIX_EPOCH, run.upper);
    let (id, name) = (swept(project), format!("{} (deleted)", project.name));
    let scope = Scope::new(Resource::PipelineRuns, id, name, window);
    let source = run.metered(&scope.meter);
    let mut open = shared.open(scope);
    let outcome =
        take_all(shared, &mut open, runs::deleted(&source, &project.id, window), None).await?;
    shared.close(open, outcome).await;
    Ok(())
}

impl Shared<'_> {
    fn open(&self, scope: Scope) -> Open {
        Open { number: self.outlet.window(), units: 0, scope }
    }

    async fn close(&self, open: Open, outcome: Outcome) {
        let Open { number: window, units, scope } = open;
        let close = Close { window, units, scope, outcome, counts: Vec::new() };
        self.outlet.close(close).await;
    }
}

/// Hands over the pages of a stream; returns how it ended.
async fn take_all(
    shared: &Shared<'_>,
    open: &mut Open,
    pages: impl futures::Stream<Item = Result<RunPage, extract::Error>>,
    list: Option<&Listed>,
) -> Result<Outcome, Error> {
    let run = shared.run;
    let mut pages = std::pin::pin!(pages);
    loop {
        let mut page = match run.sort_out(pages.try_next().await)? {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(Outcome::Ok),
            Err(outcome) => return Ok(outcome),
        };
        run.progress(Resource::PipelineRuns, page.runs.len(), 0);
        if let Some(list) = list {
            list.leave_out_runs(&shared.hash, &mut page, shared.again);
        }
        if page.runs.is_empty() {
            continue;
        }
        open.units += 1;
        let mut unit = Unit { window: Some(open.number), seen_at: page.seen_at, ..Unit::default() };
        unit.tables.insert("pipeline_run_finishes", page.finishes);
        unit.tables.insert("pipeline_runs", page.runs);
        shared.outlet.hand_over(unit).await;
    }
}
