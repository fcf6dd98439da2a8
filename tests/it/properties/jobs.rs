//! Which jobs decide, by the times of their own records (checks.md, section D).

use std::collections::{BTreeMap, BTreeSet};

use adolake::config::Profile;

use super::random::Random;
use super::{Answer, Rows, answer, compare, minute};

const DAY: i64 = 1_440;
/// The solution is `job:ci/*/scan*`: it fits two of the three.
const PATHS: [&str; 3] = ["a/scan", "b/scan2", "a/lint"];

#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Eq, Ord)]
enum Built {
    Final,
    Unsaid,
    Older,
}

/// How the timeline of a run was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Timeline {
    Read,
    Gone,
    Unread,
}

#[derive(Debug)]
struct Run {
    id: i64,
    is_of_pull_request: bool,
    built: Built,
    finished: Option<i64>,
    timeline: Timeline,
    /// By path, each attempt with the time and result of its end.
    records: BTreeMap<&'static str, Vec<Option<(i64, &'static str)>>>,
}

#[derive(Debug)]
struct History {
    merged: i64,
    runs: Vec<Run>,
}

fn history(random: &mut Random, number: i64) -> History {
    let results = [
        "succeeded",
        "succeeded",
        "succeeded",
        "failed",
        "skipped",
        "succeededWithIssues",
        "abandoned",
    ];
    let merged = random.between(20, 150) * DAY;
    let mut runs = Vec::new();
    for index in 0..random.between(0, 3) {
        let finish = random.one(&[None, Some(-300), Some(-100), Some(-50), Some(0), Some(50)]);
        let finished = finish.map(|minutes: i64| merged + minutes);
        let timeline = random.one(&[
            Timeline::Read,
            Timeline::Read,
            Timeline::Read,
            Timeline::Gone,
            Timeline::Unread,
        ]);
        let mut records = BTreeMap::new();
        for path in PATHS.into_iter().filter(|_| timeline == Timeline::Read) {
            let mut at = finished.unwrap_or(merged) - random.between(1, 80);
            let mut attempts = Vec::new();
            for _ in 0..random.between(0, 2) {
                attempts.push(random.percent(85).then(|| (at, random.one(&results))));
                at += random.between(10, 60);
            }
            if !attempts.is_empty() {
                records.insert(path, attempts);
            }
        }
        runs.push(Run {
            id: number * 10 + index,
            is_of_pull_request: random.percent(80),
            built: random.one(&[
                Built::Final,
                Built::Final,
                Built::Final,
                Built::Final,
                Built::Older,
                Built::Unsaid,
            ]),
            finished,
            timeline,
            records,
        });
    }
    History { merged, runs }
}

impl History {
    /// The attempts of the jobs that the solution fits.
    fn jobs<'a>(&self, run: &'a Run) -> impl Iterator<Item = &'a Vec<Option<(i64, &'static str)>>> {
        run.records.iter().filter(|(path, _)| path.contains("scan")).map(|(_, attempts)| attempts)
    }

    /// The last attempt of a job that ended in time.
    fn counted(&self, attempts: &[Option<(i64, &'static str)>]) -> Option<(i64, &'static str)> {
        attempts.iter().flatten().rfind(|(at, _)| *at <= self.merged).copied()
    }

    /// When what the run proves ended, in time.
    fn ended(&self, run: &Run) -> Option<i64> {
        if self.jobs(run).next().is_none() {
            return run.finished.filter(|at| *at <= self.merged);
        }
        self.jobs(run).filter_map(|attempts| self.counted(attempts)).map(|(at, _)| at).max()
    }

    fn verdict(&self, profile: Profile) -> Answer {
        let is_strict = profile == Profile::Strict;
        let accepted: Vec<&Run> =
            self.runs.iter().filter(|run| run.is_of_pull_request || !is_strict).collect();
        let mut flags = BTreeSet::new();
        let Some(built) = accepted.iter().map(|run| run.built).min() else {
            if !self.runs.is_empty() {
                flags.insert("NON_PR_RUN");
            }
            return answer("fail", "NOT_RUN", &flags);
        };
        let pool = accepted.into_iter().filter(|run| run.built == built);
        // The last run that finished in time; one that goes on is as old as what it has proven so far.
        let finished = |run: &Run| run.finished.filter(|at| *at <= self.merged);
        let order = |run: &&Run| (finished(run).or(self.ended(run)), self.ended(run), run.id);
        let chosen = pool.max_by_key(order).unwrap();
        if !chosen.is_of_pull_request {
            flags.insert("NON_PR_RUN");
        }
        if built == Built::Older {
            return answer("fail", "STALE_RUN", &flags);
        }
        if built == Built::Unsaid && !is_strict && self.ended(chosen).is_some() {
            flags.insert("COMMIT_UNPROVEN");
        }
        let (status, reason) = self.of_run(chosen, built == Built::Unsaid && is_strict);
        answer(status, reason, &flags)
    }

    fn of_run(&self, run: &Run, is_unproven: bool) -> (&'static str, &'static str) {
        if self.jobs(run).next().is_none() {
            return match (run.finished, run.timeline) {
                (None, _) => ("fail", "RUN_NOT_FINISHED"),
                (Some(at), _) if at > self.merged => ("fail", "RUN_AFTER_MERGE"),
                (_, Timeline::Read) => ("fail", "JOB_NOT_FOUND"),
                (_, Timeline::Gone) => ("unknown", "EVIDENCE_EXPIRED"),
                (_, Timeline::Unread) => ("unknown", "EVIDENCE_UNREADABLE"),
            };
        }
        let counted: Vec<_> =
            self.jobs(run).map(|attempts| (attempts, self.counted(attempts))).collect();
        let any = |results: &[&str]| {
            counted.iter().any(|(_, end)| end.is_some_and(|(_, result)| results.contains(&result)))
        };
        let uncounted: Vec<_> = counted.iter().filter(|(_, end)| end.is_none()).collect();
        let reason = if any(&["failed", "abandoned"]) {
            "JOB_FAILED"
        } else if any(&["skipped"]) {
            "JOB_SKIPPED"
        } else if any(&["succeededWithIssues"]) {
            "JOB_WITH_ISSUES"
        } else if uncounted.iter().any(|(attempts, _)| attempts.iter().any(Option::is_none)) {
            "RUN_NOT_FINISHED"
        } else if !uncounted.is_empty() {
            "RUN_AFTER_MERGE"
        } else if is_unproven {
            return ("unknown", "COMMIT_UNPROVEN");
        } else {
            return ("pass", "JOB_SUCCEEDED");
        };
        ("fail", reason)
    }

    fn write(&self, number: i64, rows: &mut Rows) {
        let commit = |built: Built| match built {
            Built::Final => format!("c{number}-2"),
            Built::Older => format!("c{number}-1"),
            Built::Unsaid => String::new(),
        };
        let number = number.to_string();
        let read_at = minute(self.merged + 5 * DAY);
        let pull_request = [
            ("repository_id", "r1"),
            ("project_id", "p1"),
            ("pull_request_id", number.as_str()),
            ("title", "Random"),
            ("status", "completed"),
            ("source_ref", "refs/heads/topic"),
            ("target_ref", "refs/heads/main"),
            ("source_commit", &commit(Built::Final)),
            ("created_at", &minute(self.merged - 2_000)),
            ("closed_at", &minute(self.merged)),
            ("iterations_read_at", &read_at),
            ("evaluations_read_at", &read_at),
        ];
        rows.add("pull_requests", &pull_request);
        for run in &self.runs {
            let id = run.id.to_string();
            let when =
                |timeline: Timeline| if run.timeline == timeline { read_at.as_str() } else { "" };
            let own = [
                ("run_id", id.as_str()),
                ("project_id", "p1"),
                ("pipeline_id", "7"),
                ("pipeline_name", "ci"),
                ("pipeline_folder", "\\"),
                ("repository_id", "r1"),
                ("repository_type", "TfsGit"),
                ("reason", if run.is_of_pull_request { "pullRequest" } else { "manual" }),
                ("result", "failed"),
                ("finished_at", &run.finished.map_or_else(String::new, minute)),
                ("pull_request_id", &number),
                ("pull_request_source_commit", &commit(run.built)),
                ("jobs_read_at", when(Timeline::Read)),
                ("jobs_gone_at", when(Timeline::Gone)),
            ];
            rows.add("pipeline_runs", &own);
            for (path, attempts) in &run.records {
                for (attempt, end) in (1..).zip(attempts) {
                    let attempt: i64 = attempt;
                    let own = [
                        ("run_id", id.as_str()),
                        ("record_id", path),
                        ("attempt", &attempt.to_string()),
                        ("path", path),
                        ("kind", "Job"),
                        ("state", if end.is_some() { "completed" } else { "inProgress" }),
                        ("result", end.map_or("", |(_, result)| result)),
                        ("finished_at", &end.map_or_else(String::new, |(at, _)| minute(at))),
                    ];
                    rows.add("pipeline_run_jobs", &own);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_jobs_are_judged_as_a_plain_selection_does() {
    let mut random = Random::new();
    let histories: Vec<History> = (1..=1_500).map(|number| history(&mut random, number)).collect();
    let mut rows = Rows::new();
    rows.repository("r1", "p1");
    let solution = [
        ("repository_id", "r1"),
        ("kind", "sast"),
        ("solution", "job:ci/*/scan*"),
        ("selector", "job"),
        ("pattern", "ci/*/scan*"),
        ("is_glob", "true"),
    ];
    rows.add("solutions_in_force", &solution);
    let pipeline = [("project_id", "p1"), ("pipeline_id", "7"), ("name", "ci"), ("folder", "\\")];
    rows.add("pipelines", &pipeline);
    // Read every week, and so before anything is purged.
    for week in 0..40 {
        let to = minute((week + 1) * 7 * DAY);
        let window = [
            ("resource", "pipeline_runs"),
            ("scope", "p1"),
            ("window_from", &*minute(week * 7 * DAY)),
            ("window_to", &to),
            ("status", "ok"),
            ("started_at", &to),
            ("finished_at", &to),
        ];
        rows.add("sync_runs", &window);
    }
    for (number, history) in (1..).zip(&histories) {
        history.write(number, &mut rows);
    }
    let answers = rows.ask("pull_request_sast_passed").await;
    compare(&answers, &histories, History::verdict);
}
