//! What earlier runs did, read back from `sync_runs`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::Lake;
use super::error::Error;
use super::reader::FileReader;
use crate::schema::{Row, from_batch};
use crate::window::{Window, Windows};

const TABLE: &str = "sync_runs";

/// What the syncs of an organization have finished.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Resource and scope → the union of the windows that were read in full.
    pub windows: BTreeMap<(String, String), Windows>,
    /// Resource and scope → start of the last sync that read it in full.
    pub read_at: BTreeMap<(String, String), DateTime<Utc>>,
    /// Resource and scope → its newest `settled`.
    pub settled: BTreeMap<(String, String), String>,
    /// Start of the first sync of any organization, from which checks count where no start date is set; none before it.
    pub first_sync: Option<DateTime<Utc>>,
    /// The syncs, newest first.
    pub runs: Vec<Run>,
}

/// One sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Id.
    pub run_id: String,
    /// `Date` of its first answer.
    pub started_at: DateTime<Utc>,
    /// `Date` of its last answer that is on record.
    pub finished_at: DateTime<Utc>,
    /// Whether every window of it was read in full.
    pub is_complete: bool,
}

impl Progress {
    /// Returns the finished windows of a resource in a scope.
    pub fn windows(&self, resource: &str, scope: &str) -> Windows {
        self.windows.get(&(resource.to_owned(), scope.to_owned())).cloned().unwrap_or_default()
    }

    fn begin(&mut self, row: &Row) {
        if let (Some("ok" | "partial"), Some(at)) = (row.text("status"), row.time("started_at")) {
            self.first_sync = Some(self.first_sync.map_or(at, |first| first.min(at)));
        }
    }

    fn add(&mut self, row: &Row, runs: &mut BTreeMap<String, Run>) {
        let times = (row.time("window_from"), row.time("window_to"));
        let (Some(from), Some(to)) = times else { return };
        let (Some(started_at), Some(finished_at)) =
            (row.time("started_at"), row.time("finished_at"))
        else {
            return;
        };
        let text = |column| row.text(column).unwrap_or_default().to_owned();
        let is_ok = row.text("status") == Some("ok");
        if is_ok {
            let key = (text("resource"), text("scope"));
            self.windows.entry(key.clone()).or_default().add(Window::new(from, to));
            let read_at = self.read_at.entry(key.clone()).or_insert(started_at);
            if *read_at <= started_at
                && let Some(settled) = row.text("settled")
            {
                self.settled.insert(key, settled.to_owned());
            }
            *read_at = started_at.max(*read_at);
        }
        let run_id = text("run_id");
        let run = runs.entry(run_id.clone()).or_insert(Run {
            run_id,
            started_at,
            finished_at,
            is_complete: true,
        });
        run.started_at = run.started_at.min(started_at);
        run.finished_at = run.finished_at.max(finished_at);
        run.is_complete &= is_ok || row.text("status") == Some("skipped");
    }
}

impl Lake {
    /// Reads what the syncs of an organization have finished.
    ///
    /// # Errors
    /// Fails when `sync_runs` cannot be read.
    pub async fn progress(&self, organization: &str) -> Result<Progress, Error> {
        let log = self.log(TABLE)?;
        let mut progress = Progress::default();
        let mut runs = BTreeMap::new();
        let Some(snapshot) = log.latest().await? else { return Ok(progress) };
        let columns = [
            "run_id",
            "resource",
            "scope",
            "window_from",
            "window_to",
            "status",
            "started_at",
            "finished_at",
            "settled",
        ];
        let positions = |names: &[&str]| -> Vec<usize> {
            names.iter().filter_map(|name| log.table.index(name)).collect()
        };
        let (columns, times) = (positions(&columns), positions(&["status", "started_at"]));
        let owner = log.table.partition_names().iter().position(|name| *name == "organization");
        for file in snapshot.files.values() {
            let is_own = owner.is_none_or(|owner| file.partition[owner] == organization);
            let columns = if is_own { &columns } else { &times };
            let mut batches = FileReader::new(log, file).batches(columns, None).await?;
            while let Some(batch) = batches.try_next().await? {
                let rows = from_batch(&log.table, &batch).map_err(Error::Schema)?;
                rows.iter().for_each(|row| progress.begin(row));
                if is_own {
                    rows.iter().for_each(|row| progress.add(row, &mut runs));
                }
            }
        }
        progress.runs = runs.into_values().collect();
        progress.runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
        Ok(progress)
    }
}
