//! Which windows of a project's closed pull requests are read.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Days, Months, TimeDelta, Utc};

use crate::extract::Resource;
use crate::extract::pull_requests::Landed;
use crate::sync::counts::{self, Counted};
use crate::sync::run::{Project, Run};
use crate::window::{Window, month_start, next_month};

/// Days by which the newest window may reach further back than it must, to spare a window of its own.
const STRETCHED_DAYS: u64 = 62;
/// How far a window asks beyond its lower end: whether the service counts the bounds in is not documented, and it
/// compares with fewer digits than it answers.
const OVERLAP_S: i64 = 1;

/// Returns the windows that would be read, the newest first, each with the least number of requests: every list of one
/// status ends with an empty page.
pub(in crate::sync) fn planned(
    run: &Run,
    project: &Project,
    counts: &HashMap<Landed, Counted>,
) -> Vec<(Window, u64)> {
    if !run.source.client().selects_by_time() {
        return vec![(everything(run), 6)];
    }
    let mut gaps = run.gaps(Resource::PullRequests, &project.id);
    let Some(newest) = gaps.pop() else { return Vec::new() };
    let due = counts::due(run, &project.id, counts);
    let from = reach(run, newest, &due);
    if newest.from < from {
        gaps.push(Window::new(month_start(newest.from), from));
    }
    let mut windows = vec![(Window::new(from, run.upper), 6)];
    windows.extend(gaps.into_iter().rev().map(|gap| (gap, 4)));
    let months = due.into_iter().filter(|month| *month < from);
    windows.extend(months.map(|month| (Window::new(month, next_month(month)), 4)));
    windows
}

/// The one window of servers that answer all pull requests whatever times are asked for: reading a part would cost as
/// much, and count what other windows count.
pub(super) fn everything(run: &Run) -> Window {
    Window::new(DateTime::UNIX_EPOCH, run.upper)
}

/// Returns where the newest window begins.
pub(super) fn reach(run: &Run, newest: Window, due: &BTreeSet<DateTime<Utc>>) -> DateTime<Utc> {
    let recheck = run.upper.checked_sub_signed(run.recheck()).unwrap_or(DateTime::UNIX_EPOCH);
    let mut from = month_start(recheck);
    let earliest = from.checked_sub_days(Days::new(STRETCHED_DAYS)).unwrap_or(from);
    if newest.from >= earliest {
        from = from.min(month_start(newest.from));
    }
    // A month that is to be counted for the last time costs least as a part of it.
    while let Some(before) = from.checked_sub_months(Months::new(1)).filter(|m| due.contains(m)) {
        from = before;
    }
    from.max(DateTime::UNIX_EPOCH)
}

/// Returns the window that is asked for, which overlaps the one before.
pub(super) fn asked(window: Window) -> Window {
    let from = window.from.checked_sub_signed(TimeDelta::seconds(OVERLAP_S));
    Window::new(from.unwrap_or(window.from).max(DateTime::UNIX_EPOCH), window.to)
}
