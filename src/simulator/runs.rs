//! Pipelines and their runs.

use super::people::PersonId;
use super::random::Commit;
use super::time::{DAY, HOUR, Time};

/// Index of a pipeline in the world's list.
pub(crate) type DefinitionId = usize;

/// Runs that belong to no pull request have numbers from here on.
pub(crate) const FIRST_FREE_RUN: u32 = 1_500_000_000;
/// At most so many runs belong to one pull request.
pub(crate) const RUNS_PER_PULL: u32 = 64;

/// A pipeline.
pub(crate) struct Definition {
    /// Its number, unique in the organization.
    pub(crate) id: u32,
    /// Index of its project.
    pub(crate) project: usize,
    /// Names it has had, oldest first.
    pub(crate) names: Vec<(Time, String)>,
    /// Folder with backslashes; `\` is the root.
    pub(crate) folder: String,
    /// Index of the repository its code is in; none for one on GitHub.
    pub(crate) repository: Option<usize>,
    /// Stages and their jobs.
    pub(crate) stages: Vec<(String, Vec<String>)>,
    /// When it was made.
    pub(crate) created: Time,
    /// When it was deleted.
    pub(crate) deleted: Option<Time>,
}

impl Definition {
    /// Its name at `now`, with the revision that goes with it.
    pub(crate) fn name(&self, now: Time) -> (&str, i64) {
        let count = self.names.partition_point(|(at, _)| *at <= now).max(1);
        (&self.names[count - 1].1, i64::try_from(count).unwrap_or(1))
    }
}

/// One try of a run; a stage rerun adds another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) start: Time,
    pub(crate) finish: Time,
    pub(crate) result: &'static str,
}

/// A run of a pipeline, past and future.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Its number.
    pub(crate) id: u32,
    /// The pipeline.
    pub(crate) definition: DefinitionId,
    /// The word of the API.
    pub(crate) reason: &'static str,
    /// When it was queued.
    pub(crate) queued: Time,
    /// Its tries, oldest first; empty while it never starts.
    pub(crate) attempts: Vec<Attempt>,
    /// Full source ref.
    pub(crate) branch: String,
    /// What it tested.
    pub(crate) commit: Commit,
    /// Number of the pull request and its iteration, as told in the run's parameters.
    pub(crate) pull: Option<(u32, u8)>,
    /// Index of the repository; none for one on GitHub.
    pub(crate) repository: Option<usize>,
    /// Who asked for it.
    pub(crate) by: PersonId,
    /// Results of single stages, jobs or tasks by name, where they differ from the run's; `absent` leaves one out.
    pub(crate) records: Vec<(String, &'static str)>,
    /// Deleted by hand before retention would.
    pub(crate) deleted: Option<Time>,
}

/// How long a project keeps its runs, in days.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    pub(crate) runs: i64,
    pub(crate) pull_request_runs: i64,
    pub(crate) deleted_runs: i64,
}

/// What of a run is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// In the lists.
    Live,
    /// Only among the deleted ones, since then.
    Deleted(Time),
    /// Answered with 404, or not queued yet.
    Absent,
}

/// The state of a run at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunState {
    pub(crate) status: &'static str,
    pub(crate) result: Option<&'static str>,
    pub(crate) start: Option<Time>,
    pub(crate) finish: Option<Time>,
    pub(crate) attempt: i64,
}

impl Run {
    /// Its state at `now`.
    pub(crate) fn state(&self, now: Time) -> RunState {
        let begun = self.attempts.partition_point(|attempt| attempt.start <= now);
        let start = self.attempts.first().map(|attempt| attempt.start).filter(|_| begun > 0);
        let attempt = i64::try_from(begun.max(1)).unwrap_or(1);
        match self.attempts[..begun].last() {
            None => {
                RunState { status: "notStarted", result: None, start: None, finish: None, attempt }
            }
            Some(last) if last.finish <= now => RunState {
                status: "completed",
                result: Some(last.result),
                start,
                finish: Some(last.finish),
                attempt,
            },
            Some(_) => {
                RunState { status: "inProgress", result: None, start, finish: None, attempt }
            }
        }
    }

    /// What of it is left at `now`.
    pub(crate) fn presence(&self, now: Time, retention: Retention) -> Presence {
        if self.queued > now {
            return Presence::Absent;
        }
        let Some(finish) = self.state(now).finish else {
            return Presence::Live;
        };
        let is_of_pull = self.reason == "pullRequest";
        let days = if is_of_pull { retention.pull_request_runs } else { retention.runs };
        // Retention sweeps once a day, at three in the night.
        let swept = Time((finish.0 + days * DAY).div_euclid(DAY) * DAY + DAY + 3 * HOUR);
        let deleted = self.deleted.map_or(swept, |at| at.min(swept));
        if deleted > now {
            Presence::Live
        } else if deleted.plus(retention.deleted_runs * DAY) > now {
            Presence::Deleted(deleted)
        } else {
            Presence::Absent
        }
    }
}
