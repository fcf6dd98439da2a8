//! Rows on their way into the lake, gathered until a commit pays, and the windows that wait for them.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use futures::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::Run;
use super::error::Error;
use super::scope::{Outcome, Scope};
use crate::extract::Resource;
use crate::lake::{Complete, Rows};
use crate::schema::Row;

/// Messages that may wait for the writer.
const WAITING: usize = 256;
/// Rows in them: about what is read while a commit is under way; each reader may hold a unit more while it waits.
const WAITING_ROWS: u32 = 6_000;
/// Bytes that gathered rows may take before they are written: the more, the fewer commits and files.
const MOST_BYTES: usize = 72 << 20;
/// Rows of one table that are written at once at most, about: a commit holds their keys and their order beside them.
const MOST_ROWS: usize = 60_000;
/// Bytes that a complete parent takes, about: the values of three columns, its key while it is looked up, and its part in
/// what a commit needs beside.
const COMPLETE_BYTES: usize = 512;
/// Seconds of the service's time after which gathered rows are written, so that a stop loses little.
const MOST_SECONDS: i64 = 60;

/// Tables that are written at the same time; pull requests, to which they belong, are seen once all of these are.
const CHILDREN: [&str; 10] = [
    "raw_answers",
    "pushes",
    "pull_request_votes",
    "pull_request_iterations",
    "pull_request_commits",
    "pull_request_changes",
    "pull_request_statuses",
    "pull_request_policy_evaluations",
    "pull_request_reviewers",
    "pull_request_labels",
];

/// What was read together: rows of several tables and the parents of which they are all children.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// Number of the window that waits for it; none for what no window stands for.
    pub window: Option<usize>,
    /// Rows by table.
    pub tables: BTreeMap<&'static str, Vec<Row>>,
    /// Complete parents by table.
    pub complete: BTreeMap<&'static str, Vec<Complete>>,
    /// Pull requests whose jobs are to be looked after.
    pub judged: Vec<super::jobs::Judged>,
    /// Time of the answer; of the earliest, where there are several.
    pub seen_at: DateTime<Utc>,
    /// The room that it takes on the way; given back once it is gathered.
    pub room: Option<OwnedSemaphorePermit>,
}

impl Unit {
    /// Returns how many rows it holds.
    pub fn rows(&self) -> usize {
        self.tables.values().map(Vec::len).sum()
    }
}

/// What goes from readers to the writer.
#[derive(Debug)]
pub(super) enum Message {
    /// Rows.
    Unit(Box<Unit>),
    /// All units of a window were sent.
    Close(Box<Close>),
    /// All of some resources was sent: it is written now, and told.
    End(Vec<(Resource, &'static str)>),
}

/// Where the readers of a sync hand over.
#[derive(Debug)]
pub(super) struct Outlet {
    send: mpsc::Sender<Message>,
    /// Room for rows that wait for the writer.
    room: Arc<Semaphore>,
    windows: AtomicUsize,
}

impl Outlet {
    /// Returns a number for a window.
    pub fn window(&self) -> usize {
        self.windows.fetch_add(1, Ordering::Relaxed)
    }

    /// Hands a unit over, once there is room.
    pub async fn hand_over(&self, mut unit: Unit) {
        let rows = u32::try_from(unit.rows()).unwrap_or(u32::MAX).min(WAITING_ROWS);
        // It is never closed.
        unit.room = Arc::clone(&self.room).acquire_many_owned(rows).await.ok();
        self.send(Message::Unit(Box::new(unit))).await;
    }

    /// Says that all units of a window were handed over.
    pub async fn close(&self, close: Close) {
        self.send(Message::Close(Box::new(close))).await;
    }

    /// Says that all of some resources was handed over, each with the table that tells what changed.
    pub async fn end(&self, resources: Vec<(Resource, &'static str)>) {
        self.send(Message::End(resources)).await;
    }

    async fn send(&self, message: Message) {
        // The writer is gone only when it failed, and then its error ends the run.
        let _ = self.send.send(message).await;
    }
}

/// The end of a window: its rows in `sync_runs` and beside it follow the last of its units.
#[derive(Debug)]
pub(super) struct Close {
    /// Number of the window.
    pub window: usize,
    /// Units that were sent for it.
    pub units: usize,
    /// What was read.
    pub scope: Scope,
    /// How it ended.
    pub outcome: Outcome,
    /// Rows of `population_counts`.
    pub counts: Vec<Row>,
}

/// Gathers and writes.
#[derive(Default)]
pub(super) struct Batch {
    tables: BTreeMap<&'static str, Rows>,
    complete: BTreeMap<&'static str, Vec<Complete>>,
    /// Parents in them.
    parents: usize,
    judged: Vec<super::jobs::Judged>,
    first_seen: Option<DateTime<Utc>>,
    last_seen: Option<DateTime<Utc>>,
    arrived: HashMap<usize, usize>,
    closing: Vec<Close>,
}

impl Batch {
    /// Takes a message; writes when enough has gathered.
    pub async fn take(&mut self, run: &Run, message: Message) -> Result<(), Error> {
        match message {
            Message::Unit(unit) => self.add(run.organization(), *unit)?,
            Message::Close(close) => self.closing.push(*close),
            Message::End(resources) => {
                self.write(run).await?;
                resources.into_iter().for_each(|(resource, table)| run.end(resource, &[table]));
            }
        }
        let waited = self
            .first_seen
            .zip(self.last_seen)
            .map_or(0, |(first, last)| (last - first).num_seconds());
        let rows: usize = self.tables.values().map(Rows::size).sum();
        let bytes = rows + self.parents * COMPLETE_BYTES;
        let most = self.tables.values().map(Rows::len).max().unwrap_or(0);
        if bytes >= MOST_BYTES || most >= MOST_ROWS || waited >= MOST_SECONDS {
            self.write(run).await?;
        }
        Ok(())
    }

    fn add(&mut self, organization: &str, unit: Unit) -> Result<(), Error> {
        if let Some(window) = unit.window {
            *self.arrived.entry(window).or_default() += 1;
        }
        for (table, rows) in unit.tables {
            let gathered = self.tables.entry(table).or_default();
            gathered.extend(organization, rows).map_err(|source| Error::Schema { source })?;
        }
        for (table, complete) in unit.complete {
            self.parents += complete.iter().map(|one| one.parents.len()).sum::<usize>();
            self.complete.entry(table).or_default().extend(complete);
        }
        self.judged.extend(unit.judged);
        self.first_seen =
            Some(self.first_seen.map_or(unit.seen_at, |first| first.min(unit.seen_at)));
        self.last_seen = Some(self.last_seen.map_or(unit.seen_at, |last| last.max(unit.seen_at)));
        Ok(())
    }

    /// Writes all that has gathered, then the windows that need nothing more.
    pub async fn write(&mut self, run: &Run) -> Result<(), Error> {
        let judged = std::mem::take(&mut self.judged);
        let (windows, counts) = self.close();
        let seen_at = self.last_seen.unwrap_or_default();
        let mut take = |table| {
            let rows = self.tables.remove(table).unwrap_or_default();
            (rows, self.complete.remove(table).unwrap_or_default())
        };
        let mut write = |table| {
            let (rows, complete) = take(table);
            run.write(table, rows, complete, seen_at)
        };
        let children = futures::future::try_join_all(CHILDREN.into_iter().map(&mut write));
        let (finishes, runs) = (write("pipeline_run_finishes"), write("pipeline_runs"));
        let (rows, complete) = take("pull_requests");
        let (runs_are_in, with_runs) = oneshot::channel();
        let (all_is_in, with_all) = oneshot::channel();
        // Nobody waits for timelines: a sweep finds those that a stop left out.
        let runs = async {
            finishes.await?;
            runs.await?;
            let _ = runs_are_in.send(());
            super::jobs::read(run, &judged).await
        };
        let parents = async {
            children.await?;
            if with_runs.await.is_ok() {
                let _ = all_is_in.send(());
            }
            run.write("population_counts", counts, Vec::new(), run.now()).await
        };
        let pull_requests = run.write_when(with_all, "pull_requests", rows, complete, seen_at);
        futures::try_join!(runs, parents, pull_requests)?;
        (self.first_seen, self.last_seen, self.parents) = (None, None, 0);
        run.record(windows).await
    }

    /// Takes the windows of which all units have come, and what they count.
    fn close(&mut self) -> (Vec<(Scope, Outcome)>, Vec<Row>) {
        let is_done =
            |close: &Close| self.arrived.get(&close.window).copied().unwrap_or(0) >= close.units;
        let (done, waiting) =
            std::mem::take(&mut self.closing).into_iter().partition::<Vec<_>, _>(is_done);
        self.closing = waiting;
        let mut counts = Vec::new();
        let windows = done.into_iter().map(|close| {
            counts.extend(close.counts);
            (close.scope, close.outcome)
        });
        (windows.collect(), counts)
    }
}

/// Lets readers hand over, and writes what they do: on a task of its own, so that packing rows keeps no answer waiting.
/// Where readers fail, all that they handed over before is written; where writing fails, they end.
pub(super) async fn write<T>(
    run: &Arc<Run>,
    readers: impl AsyncFnOnce(Outlet) -> Result<T, Error>,
) -> Result<T, Error> {
    let (send, mut receive) = mpsc::channel(WAITING);
    let room = Arc::new(Semaphore::new(WAITING_ROWS as usize));
    let readers = pin!(readers(Outlet { send, room, windows: AtomicUsize::new(0) }));
    let run = Arc::clone(run);
    let writer = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut batch = Batch::default();
        while let Some(message) = receive.recv().await {
            batch.take(&run, message).await?;
        }
        batch.write(&run).await
    }));
    let ended =
        |written: Result<_, JoinError>| written.map_err(|source| Error::Broken { source })?;
    match select(readers, writer).await {
        Either::Left((read, writer)) => ended(writer.await).and(read),
        Either::Right((written, readers)) => {
            ended(written)?;
            readers.await
        }
    }
}
