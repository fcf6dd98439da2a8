//! Pull requests: all active ones, the closed ones window by window, and those that fell out of every list.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Months, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;

use super::Run;
use super::batch::{Batch, Close, Message, Unit};
use super::details::{self, Tally};
use super::error::Error;
use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::extract::Resource;
use crate::extract::pull_requests::{self, CLOSED, Landed, Parent, PullRequestPage};
use crate::lake::Complete;
use crate::schema::Row;
use crate::window::{Window, month_start, next_month};

/// Messages that may wait for the writer.
const WAITING: usize = 256;
/// Pull requests that a window of the past should have, about.
const GOOD_WINDOW: usize = 3_000;
/// A window with fewer lets the rest of the past be tried at once.
const THIN_WINDOW: usize = 500;
/// Pages after which trying the rest of the past at once is given up.
const TRIED_PAGES: usize = 4;

/// What the lake has of pull requests that were active at the last sync.
#[derive(Default)]
struct Known {
    /// Number and project.
    active: HashMap<i64, String>,
    /// The vote that was listed while the pull request was active, and the first answer that listed it, by number and
    /// reviewer.
    votes: HashMap<(i64, String), (i64, DateTime<Utc>)>,
    /// How many completed pull requests were counted by branch and month, and whether that is final.
    counts: HashMap<Landed, (i64, bool)>,
}

/// What the readers of all projects share.
struct Shared<'a> {
    run: &'a Run,
    known: Known,
    tally: &'a Tally,
    send: mpsc::Sender<Message>,
    windows: &'a AtomicUsize,
}

/// One window of one project while it is read.
struct Open {
    number: usize,
    units: usize,
    rows: usize,
    landed: HashMap<Landed, HashSet<i64>>,
    listed: HashSet<i64>,
}

/// Reads the pull requests of all projects.
pub(super) async fn read(run: &Run) -> Result<(), Error> {
    if !run.wants(Resource::PullRequests) {
        return Ok(());
    }
    run.begin(Resource::PullRequests);
    let tally = Tally::new(run);
    let windows = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel(WAITING);
    let shared = Shared { run, known: known(run).await?, tally: &tally, send, windows: &windows };
    let readers = async move {
        let result = futures::stream::iter(&run.projects)
            .map(|project| of_project(&shared, project))
            .buffer_unordered(run.input.section.concurrency.max(1))
            .try_collect::<()>()
            .await;
        drop(shared);
        result
    };
    let (read, written) = futures::join!(readers, write(run, receive));
    // The writer's error is the cause where both fail: readers then cannot hand over.
    written?;
    read?;
    run.record(tally.finish()).await?;
    run.end(Resource::PullRequests, &["pull_requests"]);
    Ok(())
}

async fn known(run: &Run) -> Result<Known, Error> {
    let sql =
        "select * from pull_requests where organization = $organization and status = 'active'";
    let rows = run.query("pull_requests", sql, "which pull requests were active").await?;
    let active = rows
        .iter()
        .filter_map(|row| Some((row.int("pull_request_id")?, row.text("project_id")?.to_owned())))
        .collect();
    let sql = "select r.* from pull_request_reviewers r join pull_requests p \
               on p.organization = r.organization and p.pull_request_id = r.pull_request_id \
               where r.organization = $organization and p.status = 'active' and r.vote_while_open is not null";
    let rows = run.query("pull_request_reviewers", sql, "which votes were listed").await?;
    let votes = rows
        .iter()
        .filter_map(|row| {
            let key = (row.int("pull_request_id")?, row.text("reviewer_id")?.to_owned());
            Some((key, (row.int("vote_while_open")?, row.time("vote_while_open_at")?)))
        })
        .collect();
    let sql = "select * from population_counts where organization = $organization";
    let rows = run.query("population_counts", sql, "what was counted").await?;
    let counts = rows
        .iter()
        .filter_map(|row| {
            let landed = Landed {
                repository_id: row.text("repository_id")?.to_owned(),
                ref_name: row.text("ref_name")?.to_owned(),
                closed_month: row.text("closed_month")?.to_owned(),
            };
            Some((landed, (row.int("listed_count")?, row.bool("is_final")?)))
        })
        .collect();
    Ok(Known { active, votes, counts })
}

async fn write(run: &Run, mut receive: mpsc::Receiver<Message>) -> Result<(), Error> {
    let mut batch = Batch::default();
    while let Some(message) = receive.recv().await {
        batch.take(run, message).await?;
    }
    batch.write(run).await
}

async fn of_project(shared: &Shared<'_>, project: &Project) -> Result<(), Error> {
    let run = shared.run;
    let mut gaps = run.gaps(Resource::PullRequests, &project.id);
    // The newest window first: its evidence is the first to expire. It reaches back far enough to see late labels and
    // votes, and to the start of a month, so that the month can be counted as a whole.
    if let Some(newest) = gaps.pop() {
        let recheck = run.upper.checked_sub_signed(run.recheck()).unwrap_or(DateTime::UNIX_EPOCH);
        let is_first = newest.from == DateTime::UNIX_EPOCH;
        let from = if is_first { recheck } else { newest.from.min(recheck) };
        let window = Window::new(month_start(from), run.upper);
        let rows = of_window(shared, project, window, true).await?;
        if is_first {
            gaps.push(Window::new(DateTime::UNIX_EPOCH, window.from));
            return past(shared, project, gaps, rows).await;
        }
    }
    past(shared, project, gaps, GOOD_WINDOW).await
}

/// Reads gaps of the past, newest first, in windows whose length follows how many pull requests they hold.
async fn past(
    shared: &Shared<'_>,
    project: &Project,
    gaps: Vec<Window>,
    mut rows: usize,
) -> Result<(), Error> {
    let mut months: u32 = 1;
    for gap in gaps.into_iter().rev() {
        let mut to = gap.to;
        while to > gap.from {
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
            rows = of_window(shared, project, window, false).await?;
            let fitting = (months as usize * GOOD_WINDOW).checked_div(rows).unwrap_or(usize::MAX);
            months = u32::try_from(fitting.clamp(1, months as usize * 4)).unwrap_or(1);
            to = window.from;
        }
    }
    Ok(())
}

impl Shared<'_> {
    fn open(&self) -> Open {
        let number = self.windows.fetch_add(1, Ordering::Relaxed);
        Open { number, units: 0, rows: 0, landed: HashMap::new(), listed: HashSet::new() }
    }

    async fn hand_over(&self, message: Message) {
        // The writer is gone only when it failed, and then its error ends the run.
        let _ = self.send.send(message).await;
    }

    async fn close(&self, scope: Scope, open: Open, outcome: Outcome) {
        let counts = match outcome {
            Outcome::Ok => counts(self.run, scope.window, &open.landed, &self.known.counts),
            _ => Vec::new(),
        };
        let close = Close { window: open.number, units: open.units, scope, outcome, counts };
        self.hand_over(Message::Close(Box::new(close))).await;
    }

    fn scope(&self, project: &Project, window: Window) -> Scope {
        self.run.expect(Resource::PullRequests, 1);
        Scope::new(Resource::PullRequests, &project.id, &project.name, window)
    }
}

/// Reads one window, with the active pull requests where it is the newest; returns how many rows it had.
async fn of_window(
    shared: &Shared<'_>,
    project: &Project,
    window: Window,
    is_newest: bool,
) -> Result<usize, Error> {
    let run = shared.run;
    let scope = shared.scope(project, window);
    let source = run.metered(&scope.meter);
    let mut open = shared.open();
    let mut outcome = Outcome::Ok;
    if is_newest {
        let pages = pull_requests::active(&source, &project.id);
        outcome = outcome
            .max(take_pages(shared, &mut open, pages, usize::MAX).await?.unwrap_or(Outcome::Ok));
    }
    for status in CLOSED {
        let pages = pull_requests::closed(&source, &project.id, status, window);
        outcome = outcome
            .max(take_pages(shared, &mut open, pages, usize::MAX).await?.unwrap_or(Outcome::Ok));
    }
    if is_newest && outcome == Outcome::Ok {
        outcome = strays(shared, project, &mut open, &source).await?;
    }
    let rows = open.rows;
    shared.close(scope, open, outcome).await;
    run.progress(Resource::PullRequests, 0, 1);
    Ok(rows)
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
        let pages = pull_requests::closed(&source, &project.id, status, window);
        match take_pages(shared, &mut open, pages, TRIED_PAGES).await? {
            Some(ended) => outcome = outcome.max(ended),
            None => return Ok(None),
        }
    }
    let rows = open.rows;
    shared.close(scope, open, outcome).await;
    shared.run.progress(Resource::PullRequests, 0, 1);
    Ok(Some(rows))
}

/// Hands over the pages of a list; returns how it ended, or none where it has more than `most` pages.
async fn take_pages(
    shared: &Shared<'_>,
    open: &mut Open,
    pages: impl futures::Stream<Item = Result<PullRequestPage, crate::extract::Error>>,
    most: usize,
) -> Result<Option<Outcome>, Error> {
    let mut pages = std::pin::pin!(pages);
    let mut count = 0;
    loop {
        match shared.run.sort_out(pages.try_next().await)? {
            Ok(Some(page)) => take_page(shared, open, page).await?,
            Ok(None) => return Ok(Some(Outcome::Ok)),
            Err(outcome) => return Ok(Some(outcome)),
        }
        count += 1;
        if count >= most {
            return Ok(None);
        }
    }
}

impl Known {
    /// Adds to the rows what only the lake knows: since when a vote has been listed, and when a pull request that is
    /// closed by now was last listed as active. Neither changes from sync to sync while nothing happens.
    fn complete(&self, run: &Run, page: &mut PullRequestPage) {
        for row in &mut page.reviewers {
            let Some(vote) = row.int("vote_while_open") else { continue };
            let number = row.int("pull_request_id").unwrap_or(0);
            let key = (number, row.text("reviewer_id").unwrap_or_default().to_owned());
            if let Some((_, at)) = self.votes.get(&key).filter(|(known, _)| *known == vote) {
                row.set("vote_while_open_at", *at);
            }
        }
        for row in &mut page.pull_requests {
            if row.text("status") == Some("active") {
                continue;
            }
            let project = row.int("pull_request_id").and_then(|number| self.active.get(&number));
            let last = project.and_then(|project| {
                let key = (Resource::PullRequests.name().to_owned(), project.clone());
                run.progress_so_far.read_at.get(&key).copied()
            });
            row.set("last_seen_open_at", last);
        }
    }
}

/// Hands over one page: what needs no details at once, the others each with theirs.
async fn take_page(
    shared: &Shared<'_>,
    open: &mut Open,
    mut page: PullRequestPage,
) -> Result<(), Error> {
    let run = shared.run;
    shared.known.complete(run, &mut page);
    run.progress(Resource::PullRequests, page.pull_requests.len(), 0);
    open.rows += page.pull_requests.len();
    for parent in &page.parents {
        open.listed.insert(parent.pull_request_id);
        if let Some(landed) = &parent.landed {
            open.landed.entry(landed.clone()).or_default().insert(parent.pull_request_id);
        }
    }
    let (mut plain, mut wanted) = (Vec::new(), Vec::new());
    for row in page.pull_requests {
        match run.wants(Resource::PullRequestDetails).then(|| run.judge.parts(&row)).flatten() {
            Some(parts) => wanted.push((row, parts)),
            None => plain.push(row),
        }
    }
    let detailed: HashSet<i64> =
        wanted.iter().filter_map(|(row, _)| row.int("pull_request_id")).collect();
    let mut unit = Unit { window: Some(open.number), seen_at: page.seen_at, ..Unit::default() };
    unit.tables.insert("pull_request_reviewers", page.reviewers);
    unit.tables.insert("pull_request_labels", page.labels);
    unit.tables.insert("pull_requests", plain);
    complete(&mut unit, &page.parents, page.seen_at);
    open.units += 1 + detailed.len();
    shared.hand_over(Message::Unit(Box::new(unit))).await;
    run.expect(Resource::PullRequestDetails, wanted.len());
    let mut units = futures::stream::iter(wanted)
        .map(|(row, parts)| details::read(run, shared.tally, row, parts))
        .buffer_unordered(run.in_flight());
    while let Some(mut unit) = units.try_next().await? {
        unit.window = Some(open.number);
        unit.seen_at = unit.seen_at.max(page.seen_at);
        run.progress(Resource::PullRequestDetails, 1, 1);
        shared.hand_over(Message::Unit(Box::new(unit))).await;
    }
    Ok(())
}

/// Says that all reviewers and labels of these pull requests are in the unit.
fn complete(unit: &mut Unit, parents: &[Parent], seen_at: DateTime<Utc>) {
    for parent in parents {
        let removed = ("removed_at", seen_at.into());
        let reviewers = Complete { key: parent.key(), also: vec![removed.clone()] };
        unit.complete.entry("pull_request_reviewers").or_default().push(reviewers);
        let labels = Complete {
            key: parent.key(),
            also: vec![removed, ("was_removed_open", parent.is_active.into())],
        };
        unit.complete.entry("pull_request_labels").or_default().push(labels);
    }
}

/// Asks by number for pull requests that were active and that no list names any more.
async fn strays(
    shared: &Shared<'_>,
    project: &Project,
    open: &mut Open,
    source: &crate::extract::Source,
) -> Result<Outcome, Error> {
    let run = shared.run;
    let missing: Vec<i64> = shared
        .known
        .active
        .iter()
        .filter(|(id, owner)| **owner == project.id && !open.listed.contains(*id))
        .map(|(id, _)| *id)
        .collect();
    let mut outcome = Outcome::Ok;
    for id in missing {
        match pull_requests::one(source, &project.id, id).await {
            Ok(page) => {
                // The single answer carries no labels: those in the lake stay as they are.
                let mut unit =
                    Unit { window: Some(open.number), seen_at: page.seen_at, ..Unit::default() };
                unit.tables.insert("pull_requests", page.pull_requests);
                unit.tables.insert("pull_request_reviewers", page.reviewers);
                open.units += 1;
                shared.hand_over(Message::Unit(Box::new(unit))).await;
            }
            // Missing or hidden: not shown to be deleted, so the row stays as it was.
            Err(error) if error.is_unreadable() => {}
            Err(error) => {
                outcome = outcome.max(run.sort_out::<()>(Err(error))?.err().unwrap_or(Outcome::Ok))
            }
        }
    }
    Ok(outcome)
}

/// Counts the completed pull requests of the months that a window holds in full, up to the upper bound; gives rows for
/// counts that differ from the known ones.
fn counts(
    run: &Run,
    window: Window,
    landed: &HashMap<Landed, HashSet<i64>>,
    known: &HashMap<Landed, (i64, bool)>,
) -> Vec<Row> {
    let Some(table) = run.input.lake.catalog().table("population_counts") else {
        return Vec::new();
    };
    let whole: BTreeMap<String, DateTime<Utc>> = window
        .months()
        .into_iter()
        .filter(|month| {
            *month >= window.from && (next_month(*month) <= window.to || window.to == run.upper)
        })
        .map(|month| (crate::window::month_of(month), next_month(month)))
        .collect();
    let mut rows = Vec::new();
    let sorted: BTreeMap<&Landed, &HashSet<i64>> = landed.iter().collect();
    for (key, numbers) in sorted {
        let Some(end) = whole.get(&key.closed_month) else { continue };
        let is_final = end.checked_add_signed(run.recheck()).is_some_and(|from| run.upper >= from);
        let count = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        // A bound that moves on alone changes nothing: what was counted up to the old one still holds.
        if known.get(key) == Some(&(count, is_final)) {
            continue;
        }
        let mut row = Row::new(table);
        row.set("organization", run.organization())
            .set("repository_id", key.repository_id.as_str())
            .set("ref_name", key.ref_name.as_str())
            .set("closed_month", key.closed_month.as_str())
            .set("listed_count", count)
            .set("counted_at", run.upper)
            .set("is_final", is_final);
        rows.push(row);
    }
    rows
}
