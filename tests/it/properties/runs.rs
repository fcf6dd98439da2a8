//! Which run decides, replayed run by run (checks.md, section D).

mod history;

use std::collections::BTreeSet;

use adolake::config::Profile;

use super::random::Random;
use super::{Answer, Rows, answer, compare};
use history::{history, read_projects};

const DAY: i64 = 1_440;
/// The pipeline that the solution names, and another one.
const SCAN: i64 = 7;
const LINT: i64 = 8;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Link {
    Number,
    Evaluation,
    OtherReason,
    Branch,
    OtherPullRequest,
    GitHub,
}

/// Which commit a run built, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Built {
    Final,
    Older,
    Unsaid,
}

#[derive(Debug)]
struct Run {
    id: i64,
    pipeline: i64,
    link: Link,
    commit: Built,
    iteration: Option<i64>,
    /// Each finish and its result, by time; the row shows the last one.
    finishes: Vec<(i64, &'static str)>,
    evaluation: Option<Evaluation>,
}

#[derive(Debug)]
struct Evaluation {
    status: &'static str,
    completed: i64,
    commit: Built,
    is_expired: bool,
    /// Whether it names a build.
    has_build: bool,
}

#[derive(Debug)]
struct History {
    project: Project,
    merged: i64,
    pushes: Vec<i64>,
    is_retargeted: bool,
    is_iterations_read: bool,
    is_evaluations_read: bool,
    runs: Vec<Run>,
    /// An evaluation of the pipeline whose run is not stored.
    unstored: Option<Evaluation>,
}

/// How the runs of a project were read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Project {
    /// Every week.
    Weekly,
    /// For the first time on the 100th day; then every week. Partial success is accepted.
    Late,
    /// Every week, but not in the week before the 77th day.
    Holed,
    Never,
}

const PROJECTS: [(Project, &str, &str); 4] = [
    (Project::Weekly, "p1", "r1"),
    (Project::Late, "p2", "r2"),
    (Project::Holed, "p3", "r3"),
    (Project::Never, "p4", "r4"),
];

/// What one piece of evidence says, in the order in which the first decides.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    Fails(usize),
    Unknown,
    Holds,
    Missing(usize),
    Excused,
}

/// Reasons of failures in the order of the specification.
const ORDER: [&str; 7] = [
    "RUN_FAILED",
    "RUN_CANCELED",
    "RUN_PARTIALLY_SUCCEEDED",
    "RUN_NOT_FINISHED",
    "RUN_AFTER_MERGE",
    "STALE_RUN",
    "NOT_RUN",
];

struct Piece {
    says: Says,
    reason: &'static str,
    flags: BTreeSet<&'static str>,
    is_run: bool,
}

fn missing(reason: &'static str, flags: BTreeSet<&'static str>, is_run: bool) -> Piece {
    let rank = ORDER.iter().position(|own| *own == reason).unwrap();
    Piece { says: Says::Missing(rank), reason, flags, is_run }
}

impl History {
    fn last_iteration_of_code(&self) -> i64 {
        i64::try_from(self.pushes.len()).unwrap()
    }

    /// Final, older or unknown.
    fn built(&self, run: &Run) -> Built {
        let evaluated =
            run.evaluation.as_ref().map_or(Built::Unsaid, |evaluation| evaluation.commit);
        let iteration = run.iteration.filter(|_| self.is_iterations_read);
        let last = self.last_iteration_of_code();
        if run.link == Link::Branch
            || [run.commit, evaluated].contains(&Built::Final)
            || iteration.is_some_and(|own| own >= last)
        {
            Built::Final
        } else if [run.commit, evaluated].contains(&Built::Older) || iteration.is_some() {
            Built::Older
        } else {
            Built::Unsaid
        }
    }

    /// The last finish in time: when, with which result, and whether it finished again.
    fn finish(&self, run: &Run) -> Option<(i64, &'static str, bool)> {
        let in_time = run.finishes.iter().rfind(|(at, _)| *at <= self.merged);
        let is_again = run.finishes.iter().any(|(at, _)| *at > self.merged);
        let approved = run.evaluation.as_ref().filter(|evaluation| {
            evaluation.status == "approved" && evaluation.completed <= self.merged && is_again
        });
        match (in_time, approved) {
            (Some((at, result)), _) => Some((*at, result, is_again)),
            (None, Some(evaluation)) => Some((evaluation.completed, "approved", true)),
            (None, None) => None,
        }
    }

    fn belongs(&self, run: &Run) -> bool {
        run.pipeline == SCAN
            && match run.link {
                Link::Number | Link::Evaluation | Link::OtherReason => true,
                Link::Branch => run.commit == Built::Final && self.finish(run).is_some(),
                Link::OtherPullRequest | Link::GitHub => false,
            }
    }

    /// What the runs say.
    fn by_runs(&self, profile: Profile) -> Option<Piece> {
        let is_strict = profile == Profile::Strict;
        let is_own = |run: &Run| matches!(run.link, Link::Number | Link::Evaluation);
        let all: Vec<&Run> = self.runs.iter().filter(|run| self.belongs(run)).collect();
        let accepted: Vec<&Run> =
            all.iter().filter(|run| !is_strict || is_own(run)).copied().collect();
        if accepted.is_empty() {
            let flags = BTreeSet::from(["NON_PR_RUN"]);
            return (!all.is_empty()).then(|| missing("NOT_RUN", flags, true));
        }
        let pool = |built: Built| -> Vec<&Run> {
            accepted.iter().filter(|run| self.built(run) == built).copied().collect()
        };
        let built = [Built::Final, Built::Unsaid, Built::Older]
            .into_iter()
            .find(|built| !pool(*built).is_empty())?;
        let pool = pool(built);
        let chosen =
            pool.iter().max_by_key(|run| (self.finish(run).map(|finish| finish.0), run.id))?;
        let mut flags = BTreeSet::new();
        if !is_own(chosen) {
            flags.insert("NON_PR_RUN");
        }
        if chosen.link == Link::Branch {
            flags.insert("LINKED_BY_BRANCH");
        }
        if built == Built::Older {
            return Some(missing("STALE_RUN", flags, true));
        }
        let Some((_, result, is_again)) = self.finish(chosen) else {
            let is_unfinished = pool.iter().any(|run| run.finishes.is_empty());
            let reason = if is_unfinished { "RUN_NOT_FINISHED" } else { "RUN_AFTER_MERGE" };
            return Some(missing(reason, flags, true));
        };
        if pool.iter().filter(|run| self.finish(run).is_some()).count() > 1 {
            flags.insert("RERUN");
        }
        if is_again {
            flags.insert("RERUN_AFTER_MERGE");
        }
        if built == Built::Unsaid && !is_strict {
            flags.insert("COMMIT_UNPROVEN");
        }
        let failure = match result {
            "failed" => Some("RUN_FAILED"),
            "canceled" => Some("RUN_CANCELED"),
            "partiallySucceeded" if self.project != Project::Late => {
                Some("RUN_PARTIALLY_SUCCEEDED")
            }
            _ => None,
        };
        let (says, reason) = match failure {
            Some(reason) => (Says::Fails(ORDER.iter().position(|own| *own == reason)?), reason),
            None if built == Built::Unsaid && is_strict => (Says::Unknown, "COMMIT_UNPROVEN"),
            None if result == "approved" => (Says::Holds, "EVALUATION_APPROVED"),
            None => (Says::Holds, "RUN_SUCCEEDED"),
        };
        Some(Piece { says, reason, flags, is_run: true })
    }

    /// What the evaluation without a stored run says.
    fn by_evaluation(&self) -> Option<Piece> {
        let evaluation = self.unstored.as_ref()?;
        let (none, is_run) = (BTreeSet::new(), false);
        Some(match evaluation {
            Evaluation { status: "notApplicable", .. } => {
                Piece { says: Says::Excused, reason: "POLICY_NOT_APPLICABLE", flags: none, is_run }
            }
            Evaluation { is_expired: true, .. } => missing("STALE_RUN", none, is_run),
            Evaluation { status, .. } if *status != "approved" => missing("NOT_RUN", none, is_run),
            Evaluation { commit: Built::Older, .. } => missing("STALE_RUN", none, is_run),
            Evaluation { commit: Built::Final, has_build: true, completed, .. }
                if *completed <= self.merged =>
            {
                let flags = BTreeSet::from(["RUN_EXPIRED"]);
                Piece { says: Says::Holds, reason: "EVALUATION_APPROVED", flags, is_run }
            }
            Evaluation { .. } => return None,
        })
    }

    fn pushed(&self) -> i64 {
        if self.is_iterations_read { self.pushes[self.pushes.len() - 1] } else { self.pushes[0] }
    }

    fn is_runs_read(&self) -> bool {
        match self.project {
            Project::Weekly | Project::Late => true,
            Project::Holed => self.merged <= 70 * DAY || self.pushed() >= 77 * DAY - 60,
            Project::Never => false,
        }
    }

    /// Whether runs may have been purged before they were read: the project that was read late keeps those of pull
    /// requests 20 days, others 5.
    fn is_expired(&self, profile: Profile) -> bool {
        let kept = if profile == Profile::Strict { 20 } else { 5 };
        match self.project {
            Project::Late if self.pushed() <= 100 * DAY => self.pushed() < (100 - kept) * DAY,
            // From then on it is read every week, which is too seldom for those.
            Project::Late => {
                let read =
                    (100 + ((self.pushed() - 100 * DAY) + 7 * DAY - 1) / (7 * DAY) * 7) * DAY;
                self.pushed() < read - kept * DAY
            }
            _ => false,
        }
    }

    fn verdict(&self, profile: Profile) -> Answer {
        let mut pieces: Vec<Piece> = self.by_runs(profile).into_iter().collect();
        pieces.extend(self.by_evaluation());
        let held: BTreeSet<&str> = pieces
            .iter()
            .filter(|piece| piece.says == Says::Holds)
            .flat_map(|piece| piece.flags.iter().copied())
            .collect();
        pieces.sort_by(|one, other| one.says.cmp(&other.says));
        let first = pieces.first();
        let none = BTreeSet::new();
        match first {
            // That a run is gone is known only where runs were read.
            Some(piece) if piece.says == Says::Holds && (piece.is_run || self.is_runs_read()) => {
                answer("pass", piece.reason, &held)
            }
            _ if !self.is_runs_read() || !self.is_evaluations_read => {
                answer("unknown", "EVIDENCE_UNREADABLE", &none)
            }
            Some(Piece { says: Says::Unknown, reason, flags, .. }) => {
                answer("unknown", reason, flags)
            }
            Some(Piece { says: Says::Excused, reason, .. }) => {
                answer("not_applicable", reason, &none)
            }
            Some(piece) => answer("fail", piece.reason, &piece.flags),
            None if self.is_expired(profile) => answer("unknown", "EVIDENCE_EXPIRED", &none),
            None => answer("fail", "NOT_RUN", &none),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_runs_are_judged_as_a_plain_selection_does() {
    let mut random = Random::new();
    let histories: Vec<History> = (1..=1_500).map(|number| history(&mut random, number)).collect();
    let mut rows = Rows::new();
    read_projects(&mut rows);
    for (number, history) in (1..).zip(&histories) {
        history.write(number, &mut rows);
    }
    let answers = rows.ask("pull_request_sast_passed").await;
    compare(&answers, &histories, History::verdict);
}
