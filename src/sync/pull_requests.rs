//! Pull requests: all active ones, and the closed ones window by window.

mod known;
mod windows;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Months, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::OnceCell;

use self::known::Known;
pub(super) use self::windows::planned;
use self::windows::{asked, everything, reach};
use super::Run;
use super::batch::{Close, Outlet, Unit};
use super::counts::{self, Counted};
use super::error::Error;
use super::listed::{Hashes, Listed};
use super::pace::{Pace, Reader};
use super::run::Project;
use super::scope::{Outcome, Scope};
use super::settled::Question;
use super::{details, strays};
use crate::extract::Resource;
use crate::extract::pull_requests::{self, CLOSED, Landed, Parent, PullRequestPage};
use crate::lake::Complete;
use crate::schema::{Cell, Row};
use crate::window::{Window, month_start, next_month};

/// Pull requests that a window of the past should have, about.
const GOOD_WINDOW: usize = 3_000;
/// A window with fewer lets the rest of the past be tried at once: at that pace the tried pages hold years.
const THIN_WINDOW: usize = 100;
/// Months that a window with more may have, so that projects side by side read the same months.
const LONGEST_MONTHS: usize = 6;
/// Pages after which trying the rest of the past at once is given up.
const TRIED_PAGES: usize = 4;

/// What the readers of all projects share.
pub(super) struct Shared<'a> {
    pub(super) run: &'a Run,
    /// Asked for once a list names something new.
    known: OnceCell<Known>,
    /// Completed pull requests by branch and month.
    counts: HashMap<Landed, Counted>,
    /// Numbers whose details this sync reads: a list may name them once more.
    detailed: Mutex<HashSet<i64>>,
    /// Numbers that some list of this sync named, of the known active ones as soon as these are known.
    pub(super) listed: Mutex<HashSet<i64>>,
    hashes: Hashes,
    /// Whether no details are missing but of what is new or has changed.
    is_detailed: bool,
    /// No window begins before it, and nothing that was handed over was closed before it.
    oldest: &'a Mutex<DateTime<Utc>>,
    outlet: &'a Outlet,
    pace: &'a Pace,
}

/// One window of one project while it is read.
pub(super) struct Open {
    number: usize,
    units: usize,
    rows: usize,
    landed: HashMap<Landed, HashSet<i64>>,
}

/// What was read.
#[derive(Default)]
pub(super) struct Reading {
    /// What was listed, to be taken down once all else is read too.
    pub lists: Vec<Listed>,
    /// Before all windows that were read and all closes of the pull requests that were written; none where none were asked
    /// for.
    oldest: Option<DateTime<Utc>>,
}

/// Reads the pull requests of all projects.
pub(super) async fn read(run: &Run, outlet: &Outlet) -> Result<Reading, Error> {
    if !run.wants(Resource::PullRequests) {
        return Ok(Reading::default());
    }
    run.begin(Resource::PullRequests);
    let oldest = Mutex::new(run.upper);
    let shared = Shared {
        run,
        known: OnceCell::new(),
        counts: counts::known(run).await?,
        detailed: Mutex::default(),
        listed: Mutex::default(),
        hashes: Hashes::new(run)?,
        is_detailed: run.is_settled(Question::Details),
        oldest: &oldest,
        outlet,
        pace: &Pace::default(),
    };
    let lists: Vec<Option<Listed>> = futures::stream::iter(&run.projects)
        .map(|project| of_project(&shared, project))
        .buffer_unordered(run.input.section.concurrency.max(1))
        .try_collect()
        .await?;
    let oldest = *oldest.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Reading { lists: lists.into_iter().flatten().collect(), oldest: Some(oldest) })
}

/// Compares what was read with what stands in the lake.
pub(super) async fn compare(run: &Run, reading: &Reading) -> Result<(), Error> {
    if let Some(oldest) = reading.oldest {
        counts::compare(run, oldest).await?;
        run.end(Resource::PullRequests, &["pull_requests"]);
    }
    Ok(())
}

/// Reads the pull requests of one project; returns what its newest list named, if it was read.
async fn of_project(shared: &Shared<'_>, project: &Project) -> Result<Option<Listed>, Error> {
    let run = shared.run;
    let list = Listed::of_pull_requests(run, project);
    let reader = shared.pace.join(run.upper);
    if !run.source.client().selects_by_time() {
        let (_, is_read) = of_window(shared, project, everything(run), Some(&list)).await?;
        if is_read {
            strays::read(shared, project, &list).await?;
        }
        return Ok(Some(list));
    }
    let mut gaps = run.gaps(Resource::PullRequests, &project.id);
    let Some(newest) = gaps.pop() else { return Ok(None) };
    let due = counts::due(run, &project.id, &shared.counts);
    // The newest window first: its evidence is the first to expire. It reaches back far enough to see late labels and
    // votes, and to the start of a month, so that the month can be counted as a whole.
    let from = reach(run, newest, &due);
    let window = Window::new(from, run.upper);
    let (mut rows, is_read) = of_window(shared, project, window, Some(&list)).await?;
    if newest.from < from {
        gaps.push(Window::new(month_start(newest.from), from));
    } else {
        rows = GOOD_WINDOW;
    }
    past(shared, project, &reader, gaps, rows).await?;
    for month in due.into_iter().filter(|month| *month < from) {
        let window = Window::new(month, next_month(month));
        of_window(shared, project, window, None).await?;
    }
    if is_read {
        strays::read(shared, project, &list).await?;
    }
    Ok(Some(list))
}

/// Reads gaps of the past, newest first, in windows whose length follows how many pull requests they hold.
async fn past(
    shared: &Shared<'_>,
    project: &Project,
    reader: &Reader<'_>,
    gaps: Vec<Window>,
    mut rows: usize,
) -> Result<(), Error> {
    let mut months: u32 = 1;
    for gap in gaps.into_iter().rev() {
        let mut to = gap.to;
        while to > gap.from {
            reader.reach(to).await;
            if rows < THIN_WINDOW {
                let rest = Window::new(gap.from, to);
                if let Some(_done) = all_at_once(shared, project, rest).await? {
                    break;
                }
            }
            let from = month_start(to)
                .checked_sub_months(Months::new(months.saturating_sub(1)))
                .unwrap_or(gap.from);
            // A window that ends where a month begins reaches back one month more.
            let from = if from >= to {
                from.checked_sub_months(Months::new(1)).unwrap_or(gap.from)
            } else {
                from
            };
            let window = Window::new(from.max(gap.from), to);
            (rows, _) = of_window(shared, project, window, None).await?;
            let fitting = (months as usize * GOOD_WINDOW).checked_div(rows).unwrap_or(usize::MAX);
            let most = if rows < THIN_WINDOW { usize::MAX } else { LONGEST_MONTHS };
            months = u32::try_from(fitting.clamp(1, months as usize * 4).min(most)).unwrap_or(1);
            to = window.from;
        }
    }
    Ok(())
}

impl Shared<'_> {
    /// Returns what the lake has of pull requests that were active.
    pub(super) async fn known(&self) -> Result<&Known, Error> {
        self.known.get_or_try_init(|| Known::of(self.run, &self.counts)).await
    }

    /// Returns whether a pull request meets its details for the first time in this sync.
    fn is_first(&self, row: &Row) -> bool {
        let mut detailed = self.detailed.lock().unwrap_or_else(PoisonError::into_inner);
        row.int("pull_request_id").is_some_and(|number| detailed.insert(number))
    }

    /// Takes notice of an instant that counts reach back to.
    fn reaches(&self, at: DateTime<Utc>) {
        let mut oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        *oldest = at.min(*oldest);
    }

    pub(super) fn open(&self) -> Open {
        let number = self.outlet.window();
        Open { number, units: 0, rows: 0, landed: HashMap::new() }
    }

    pub(super) async fn close(
        &self,
        project: &Project,
        scope: Scope,
        open: Open,
        outcome: Outcome,
    ) {
        let counts = match outcome {
            Outcome::Ok => {
                counts::rows(self.run, &project.id, scope.window, &open.landed, &self.counts)
            }
            _ => Vec::new(),
        };
        let close = Close { window: open.number, units: open.units, scope, outcome, counts };
        self.outlet.close(close).await;
    }

    fn scope(&self, project: &Project, window: Window) -> Scope {
        self.run.expect(Resource::PullRequests, 1);
        self.reaches(window.from);
        Scope::new(Resource::PullRequests, &project.id, &project.name, window)
    }
}

/// Reads one window, with the active pull requests where it is the newest, which has a list; returns how many rows it had,
/// and whether it was read in full.
async fn of_window(
    shared: &Shared<'_>,
    project: &Project,
    window: Window,
    newest: Option<&Listed>,
) -> Result<(usize, bool), Error> {
    let run = shared.run;
    let scope = shared.scope(project, window);
    let source = run.metered(&scope.meter);
    let mut open = shared.open();
    let mut outcome = Outcome::Ok;
    if newest.is_some() {
        let pages = pull_requests::active(&source, &project.id);
        let ended = take_pages(shared, &mut open, pages, newest, usize::MAX).await?;
        outcome = outcome.max(ended.unwrap_or(Outcome::Ok));
    }
    let [one, other] =
        CLOSED.map(|status| pull_requests::closed(&source, &project.id, status, asked(window)));
    let closed = futures::stream::select(one, other);
    let ended = take_pages(shared, &mut open, closed, newest, usize::MAX).await?;
    outcome = outcome.max(ended.unwrap_or(Outcome::Ok));
    let (rows, is_read) = (open.rows, outcome == Outcome::Ok);
    shared.close(project, scope, open, outcome).await;
    run.progress(Resource::PullRequests, 0, 1);
    Ok((rows, is_read))
}

/// Tries to read all the rest of the past in a few pages; returns none where there is more.
async fn all_at_once(
    shared: &Shared<'_>,
    project: &Project,
    window: Window,
) -> Result<Option<usize>, Error> {
    let scope = shared.scope(project, window);
    let source = shared.run.metered(&scope.meter);
    let mut open = shared.open();
    let mut outcome = Outcome::Ok;
    for status in CLOSED {
        let pages = pull_requests::closed(&source, &project.id, status, asked(window));
        match take_pages(shared, &mut open, pages, None, TRIED_PAGES).await? {
            Some(ended) => outcome = outcome.max(ended),
            None => return Ok(None),
        }
    }
    let rows = open.rows;
    shared.close(project, scope, open, outcome).await;
    shared.run.progress(Resource::PullRequests, 0, 1);
    Ok(Some(rows))
}

/// Hands over the pages of a list, or of several at once; returns how it ended, or none where it has more than `most` pages.
async fn take_pages(
    shared: &Shared<'_>,
    open: &mut Open,
    pages: impl futures::Stream<Item = Result<PullRequestPage, crate::extract::Error>>,
    list: Option<&Listed>,
    most: usize,
) -> Result<Option<Outcome>, Error> {
    let mut pages = std::pin::pin!(pages);
    let mut ended = Outcome::Ok;
    let (mut next, mut count) = (pages.try_next().await, 0);
    loop {
        let page = match shared.run.sort_out(next)? {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(Some(ended)),
            Err(outcome) => {
                // Another list may go on.
                ended = ended.max(outcome);
                next = pages.try_next().await;
                continue;
            }
        };
        count += 1;
        let take = take_page(shared, open, page, list, true);
        if count >= most {
            take.await?;
            return Ok(None);
        }
        // The service makes the next page ready while this one is taken.
        let taken;
        (next, taken) = futures::join!(pages.try_next(), take);
        taken?;
    }
}

/// Hands over one page: what needs no details at once, the others each with theirs.
pub(super) async fn take_page(
    shared: &Shared<'_>,
    open: &mut Open,
    mut page: PullRequestPage,
    list: Option<&Listed>,
    has_labels: bool,
) -> Result<(), Error> {
    let run = shared.run;
    // The service compares bounds loosely; what was closed later waits until its runs are read too.
    page.drop_closed_after(run.upper);
    run.progress(Resource::PullRequests, page.pull_requests.len(), 0);
    open.rows += page.pull_requests.len();
    for parent in &page.parents {
        let is_relevant = |known: &Known| known.active.contains_key(&parent.pull_request_id);
        if shared.known.get().is_none_or(is_relevant) {
            let mut listed = shared.listed.lock().unwrap_or_else(PoisonError::into_inner);
            listed.insert(parent.pull_request_id);
        }
        if let Some(landed) = &parent.landed {
            open.landed.entry(landed.clone()).or_default().insert(parent.pull_request_id);
        }
    }
    if let Some(list) = list {
        // What lacks details is read with them here, not only where they are swept up.
        let known = if shared.is_detailed { None } else { Some(shared.known().await?) };
        list.leave_out(&shared.hashes, &mut page, |row| {
            known.is_some_and(|known| known.parts(run, row).is_some())
        });
    }
    if page.pull_requests.is_empty() {
        return Ok(());
    }
    let known = shared.known().await?;
    known.complete(run, &mut page);
    let (mut plain, mut wanted) = (Vec::new(), Vec::new());
    for row in page.pull_requests {
        if let Some(closed_at) = row.time("closed_at") {
            shared.reaches(closed_at);
        }
        match known.parts(run, &row) {
            Some(parts) if shared.is_first(&row) => wanted.push((row, parts)),
            _ => plain.push(row),
        }
    }
    let mut unit = Unit { window: Some(open.number), seen_at: page.seen_at, ..Unit::default() };
    unit.tables.insert("pull_request_reviewers", page.reviewers);
    unit.tables.insert("pull_request_labels", page.labels);
    unit.tables.insert("pull_requests", plain);
    complete(&mut unit, &page.parents, page.seen_at, has_labels);
    open.units += 1 + wanted.len();
    shared.outlet.hand_over(unit).await;
    run.expect(Resource::PullRequestDetails, wanted.len());
    let mut units = futures::stream::iter(wanted)
        .map(|(row, parts)| details::read(run, row, parts))
        .buffer_unordered(run.in_flight());
    while let Some(mut unit) = units.try_next().await? {
        unit.window = Some(open.number);
        unit.seen_at = unit.seen_at.max(page.seen_at);
        run.progress(Resource::PullRequestDetails, 1, 1);
        shared.outlet.hand_over(unit).await;
    }
    Ok(())
}

/// Says that all reviewers, and all labels if there are any in the answer, of these pull requests are in the unit.
fn complete(unit: &mut Unit, parents: &[Parent], seen_at: DateTime<Utc>, has_labels: bool) {
    let removed = ("removed_at", Cell::from(seen_at));
    for is_completed in [true, false] {
        let own = parents.iter().filter(|parent| parent.is_completed == is_completed);
        let parents: Vec<_> = own.map(Parent::key).collect();
        if parents.is_empty() {
            continue;
        }
        let (columns, also) = (Parent::KEY, vec![removed.clone()]);
        let reviewers = Complete { columns, parents: parents.clone(), also };
        unit.complete.entry("pull_request_reviewers").or_default().push(reviewers);
        if has_labels {
            // An abandoned one is not merged either: what is gone by then was gone before the merge.
            let also = vec![removed.clone(), ("was_removed_open", (!is_completed).into())];
            let labels = Complete { columns, parents, also };
            unit.complete.entry("pull_request_labels").or_default().push(labels);
        }
    }
}
