//! A sync under way: what it knows, and the few ways in which its parts read, write, record and tell.

mod record;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::batch;
use super::error::Error;
use super::judge::Judge;
use super::settled::{self, Settled};
use super::standing::Standing;
use super::tally::Tally;
use super::{Input, Options, Report, places, snapshots};
use crate::ado::Meter;
use crate::event::Event;
use crate::extract::{Resource, Source};
use crate::lake::state::Progress;
use crate::lake::{Change, Complete, Rows};
use crate::schema::Row;
use crate::window::Window;

/// A project that is read.
#[derive(Debug, Clone)]
pub(super) struct Project {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// A repository that the identity can see.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    /// Id.
    pub id: String,
    /// Project.
    pub project_id: String,
    /// Name.
    pub name: String,
    /// Short name of the default branch.
    pub default_branch: Option<String>,
    /// Whether its contents answer 404.
    pub is_disabled: bool,
}

/// A sync of one organization under way.
pub(super) struct Run {
    /// What it was handed.
    pub input: Input,
    /// What the caller asked for.
    pub options: Options,
    /// Where rows come from.
    pub source: Source,
    /// Id, in the order of time.
    pub run_id: String,
    /// Nothing after it is read.
    pub upper: DateTime<Utc>,
    /// What earlier syncs finished.
    pub progress_so_far: Progress,
    /// Which details are wanted.
    pub judge: Judge,
    /// Projects that are read.
    pub projects: Vec<Project>,
    /// Repositories of those projects.
    pub repositories: Vec<Repository>,
    /// Whether the list of them could not be read.
    pub lacks_repositories: bool,
    /// How reading details goes.
    pub details: Tally,
    /// How reading timelines goes.
    pub jobs: Tally,
    /// How asking what explains pushes goes.
    pub explanations: Tally,
    started_at: DateTime<Utc>,
    writes: bool,
    settled: Mutex<Settled>,
    done: Mutex<Done>,
    standing: Arc<Standing>,
}

#[derive(Default)]
struct Done {
    rows: Vec<Row>,
    /// Those that are still to be written, and since when.
    unwritten: Vec<Row>,
    unwritten_since: Option<Instant>,
    /// What tells the rows apart.
    taken: BTreeSet<(Resource, String, DateTime<Utc>)>,
    changed: BTreeMap<String, u64>,
    /// How many commits have changed rows of a table; none where that is not known, or where somebody else has committed
    /// since this run began.
    transactions: BTreeMap<String, Option<i64>>,
    started: BTreeMap<&'static str, Instant>,
    expected: BTreeMap<&'static str, u64>,
}

impl Run {
    /// Signs in, fixes the upper bound, and reads what everything else is read within: projects and repositories.
    pub async fn start(
        input: Input,
        options: &Options,
        standing: Arc<Standing>,
    ) -> Result<Self, Error> {
        Self::open(input, options, true, standing).await
    }

    /// As [`Run::start`], but nothing is written.
    pub async fn look(input: Input, options: &Options) -> Result<Self, Error> {
        Self::open(input, options, false, Arc::default()).await
    }

    async fn open(
        input: Input,
        options: &Options,
        writes: bool,
        standing: Arc<Standing>,
    ) -> Result<Self, Error> {
        let organization = input.source.organization().to_owned();
        let progress_so_far = input
            .lake
            .progress(&organization)
            .await
            .map_err(|source| lake_error("read", "sync_runs", source))?;
        let mut done = Done::default();
        if writes {
            let tables = settled::tables();
            let numbers = tables.iter().map(async |table| {
                let number = input.lake.transaction(table, &organization).await;
                number.map_err(|source| lake_error("read", table, source))
            });
            let numbers = futures::future::try_join_all(numbers).await?;
            done.transactions = tables.into_iter().map(str::to_owned).zip(numbers).collect();
        }
        let source = input.source.clone();
        let judge =
            Judge::new(&input.settings, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH, &input.section);
        let mut run = Self {
            options: options.clone(),
            source,
            run_id: Uuid::now_v7().to_string(),
            upper: DateTime::UNIX_EPOCH,
            progress_so_far,
            judge,
            projects: Vec::new(),
            repositories: Vec::new(),
            lacks_repositories: false,
            details: tally(Resource::PullRequestDetails, &[], DateTime::UNIX_EPOCH),
            jobs: tally(Resource::PipelineRunJobs, &[], DateTime::UNIX_EPOCH),
            explanations: tally(Resource::Pushes, &[], DateTime::UNIX_EPOCH),
            started_at: DateTime::UNIX_EPOCH,
            writes,
            settled: Mutex::default(),
            done: Mutex::new(done),
            standing,
            input,
        };
        if let Err(error) = places::sign_in(&mut run).await {
            run.record_unread(&error).await?;
            run.write_records().await?;
            return Err(error);
        }
        for (own, resource) in [
            (&mut run.details, Resource::PullRequestDetails),
            (&mut run.jobs, Resource::PipelineRunJobs),
            (&mut run.explanations, Resource::Pushes),
        ] {
            *own = tally(resource, &run.projects, run.upper);
        }
        if run.lacks_repositories {
            // Which pull requests are judged is then not known, and so neither whether their details are here.
            for project in &run.projects {
                run.details.missing(&project.id, "its repositories could not be listed".to_owned());
            }
        }
        Ok(run)
    }

    /// Fixes the bounds of the run once the service has told its time.
    pub fn fix_bounds(&mut self, first_answer: DateTime<Utc>) {
        self.started_at = first_answer;
        self.upper = self.options.until.map_or(first_answer, |until| until.min(first_answer));
        let first_sync = self.progress_so_far.first_sync.unwrap_or(first_answer);
        self.judge = Judge::new(&self.input.settings, first_sync, self.upper, &self.input.section);
    }

    /// Reads everything that was asked for.
    async fn read_all(self: &Arc<Self>) -> Result<(), Error> {
        snapshots::read(self).await?;
        let (mut listed, reading) = batch::write(self, async |outlet| {
            let runs = super::runs::read(self, &outlet);
            let (listed, ()) = futures::try_join!(runs, super::pushes::read(self, &outlet))?;
            let mut ended =
                vec![(Resource::PipelineRuns, "pipeline_runs"), (Resource::Pushes, "pushes")];
            ended.retain(|(resource, _)| self.wants(*resource));
            outlet.end(ended).await;
            Ok((listed, super::pull_requests::read(self, &outlet).await?))
        })
        .await?;
        // None needs another; each mostly asks the lake.
        let compared = super::pull_requests::compare(self, &reading);
        let detailed = async {
            if self.wants(Resource::PullRequestDetails) {
                super::details::sweep(self).await?;
            }
            if self.wants(Resource::PipelineRunJobs) {
                super::jobs::sweep(self).await?;
            }
            super::retention::count_lost(self).await
        };
        let explained = async {
            if self.wants(Resource::Pushes) { super::pushes::explain(self).await } else { Ok(()) }
        };
        futures::try_join!(compared, detailed, explained)?;
        listed.extend(reading.lists);
        let mut ended = self.jobs.finish(true);
        ended.extend(self.explanations.finish(true));
        // That nothing was missing is worth a row too: it was looked for.
        ended.extend(self.details.finish(!self.wants(Resource::PullRequestDetails)));
        self.record(ended).await?;
        super::listed::record(self, listed).await?;
        super::settled::record(self).await
    }

    /// Reads everything, and writes how it ended even where something failed.
    pub async fn complete(self: &Arc<Self>) -> Result<(), Error> {
        let read = self.read_all().await;
        let unread = match &read {
            Err(error) => self.record_unread(error).await,
            Ok(()) => Ok(()),
        };
        let recorded = self.write_records().await;
        read.and(unread).and(recorded)
    }

    /// Returns what was done.
    pub fn report(&self) -> Report {
        let done = self.done();
        Report {
            organization: self.organization().to_owned(),
            run_id: self.run_id.clone(),
            started_at: self.started_at,
            finished_at: self.now(),
            upper: self.upper,
            rows: done.rows.clone(),
            changed: done.changed.clone(),
        }
    }

    /// Returns the organization.
    pub fn organization(&self) -> &str {
        self.source.organization()
    }

    /// Returns the time of the service.
    pub fn now(&self) -> DateTime<Utc> {
        self.source.client().now().unwrap_or(self.started_at).max(self.started_at)
    }

    /// Returns whether a resource was asked for.
    pub fn wants(&self, resource: Resource) -> bool {
        self.options.resources.is_empty() || self.options.resources.contains(&resource)
    }

    /// Returns how many objects may be asked for at once; the gate of the client bounds requests.
    pub fn in_flight(&self) -> usize {
        (self.input.section.concurrency * 2).max(2)
    }

    /// Returns the name of a project by its id.
    pub fn project_name(&self, id: &str) -> String {
        let name = self
            .projects
            .iter()
            .find(|project| project.id == id)
            .map(|project| project.name.clone());
        name.unwrap_or_else(|| id.to_owned())
    }

    /// Returns how far to read again behind what was read.
    pub fn lag(&self) -> TimeDelta {
        TimeDelta::from_std(self.input.section.lag).unwrap_or_default()
    }

    /// Returns how old a closed pull request may be to be listed again.
    pub fn recheck(&self) -> TimeDelta {
        TimeDelta::from_std(self.input.section.recheck).unwrap_or_default()
    }

    /// Returns the parts of a scope's whole past that are still to be read, the newest last and reaching back by the
    /// lag.
    pub fn gaps(&self, resource: Resource, scope: &str) -> Vec<Window> {
        let whole = Window::new(DateTime::UNIX_EPOCH, self.upper);
        if self.options.full {
            return vec![whole];
        }
        let mut gaps = self.progress_so_far.windows(resource.name(), scope).gaps(whole);
        if gaps.is_empty() {
            gaps.push(Window::new(self.upper, self.upper));
        }
        for gap in &mut gaps {
            gap.from = gap
                .from
                .checked_sub_signed(self.lag())
                .unwrap_or_default()
                .max(DateTime::UNIX_EPOCH);
        }
        gaps
    }

    /// Writes rows of a table; does nothing without any.
    pub async fn write(
        &self,
        table: &str,
        rows: impl Into<Rows>,
        complete: Vec<Complete>,
        seen_at: DateTime<Utc>,
    ) -> Result<u64, Error> {
        self.write_of(self.organization(), table, rows, complete, seen_at).await
    }

    /// Writes rows of a table that belong to an organization.
    pub async fn write_of(
        &self,
        organization: &str,
        table: &str,
        rows: impl Into<Rows>,
        complete: Vec<Complete>,
        seen_at: DateTime<Utc>,
    ) -> Result<u64, Error> {
        self.commit(organization, table, rows.into(), complete, seen_at, None).await
    }

    /// Writes rows of a table that nobody is to see before `ready` says so; see [`Lake::write_when`](crate::lake::Lake::write_when).
    pub async fn write_when(
        &self,
        ready: oneshot::Receiver<()>,
        table: &str,
        rows: Rows,
        complete: Vec<Complete>,
        seen_at: DateTime<Utc>,
    ) -> Result<u64, Error> {
        self.commit(self.organization(), table, rows, complete, seen_at, Some(ready)).await
    }

    async fn commit(
        &self,
        organization: &str,
        table: &str,
        rows: Rows,
        complete: Vec<Complete>,
        seen_at: DateTime<Utc>,
        ready: Option<oneshot::Receiver<()>>,
    ) -> Result<u64, Error> {
        if !self.writes || (rows.is_empty() && complete.is_empty()) {
            return Ok(0);
        }
        let begun = Instant::now();
        let lake = Arc::clone(&self.input.lake);
        let (name, run_id) = (table.to_owned(), self.run_id.clone());
        let is_own = organization == self.organization();
        let organization = organization.to_owned();
        let commit = async move {
            let (table, organization, run_id) = (&*name, &*organization, &*run_id);
            let change = Change { table, organization, run_id, seen_at, rows, complete };
            match ready {
                Some(ready) => lake.write_when(ready, change).await,
                None => lake.write(change).await,
            }
        };
        let written = self
            .standing
            .commit(commit)
            .await
            .map_err(|source| Error::Broken { source })?
            .map_err(|source| lake_error("write", table, source))?;
        if let Some(number) = written.transaction.filter(|_| is_own) {
            let mut done = self.done();
            let known = done.transactions.entry(table.to_owned()).or_default();
            *known = (number == known.unwrap_or(0) + 1).then_some(number);
        }
        if let Some(version) = written.version {
            let (table, rows, bytes) = (table.to_owned(), written.rows(), written.bytes);
            self.standing.committed(rows);
            *self.done().changed.entry(table.clone()).or_default() += rows;
            self.tell(&Event::Committed { table, version, rows, bytes, took: begun.elapsed() });
        }
        Ok(written.rows())
    }

    /// Returns whether this run has written rows of a table.
    pub fn has_changed(&self, table: &str) -> bool {
        self.done().changed.contains_key(table)
    }

    /// Returns how many commits have changed rows of tables by now; none where that is not known of one, or where somebody
    /// else has committed since this run began.
    pub fn transactions(&self, tables: &[&str]) -> Option<BTreeMap<String, i64>> {
        let done = self.done();
        let number = |table: &&str| {
            let number = done.transactions.get(*table).copied().flatten()?;
            Some(((*table).to_owned(), number))
        };
        tables.iter().map(number).collect()
    }

    /// The answers of this run that hold.
    pub fn settled(&self) -> MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a source that counts for a scope.
    pub fn metered(&self, meter: &Arc<Meter>) -> Source {
        self.source.metered(Arc::clone(meter))
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tally(resource: Resource, projects: &[Project], upper: DateTime<Utc>) -> Tally {
    let what = match resource {
        Resource::PipelineRunJobs => "timelines are missing",
        Resource::Pushes => "repositories have unexplained pushes",
        _ => "pull requests lack details",
    };
    Tally::new(resource, projects, upper, what)
}

/// Returns the error of a lake that cannot be read or written.
pub(super) fn lake_error(doing: &'static str, table: &str, source: crate::lake::Error) -> Error {
    Error::Lake { doing, what: format!("table `{table}` of the lake"), source: Box::new(source) }
}
