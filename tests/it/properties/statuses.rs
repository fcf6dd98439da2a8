//! Which status decides, one genre and name after the other (checks.md, section D).

use std::collections::{BTreeMap, BTreeSet};

use adolake::config::Profile;

use super::random::Random;
use super::{Answer, Rows, answer, compare, minute};

const MERGED: i64 = 10_000;

#[derive(Debug)]
struct Status {
    name: &'static str,
    state: &'static str,
    created: i64,
    iteration: Option<i64>,
    is_removed_before_merge: bool,
}

#[derive(Debug)]
struct History {
    /// When code was pushed.
    pushes: Vec<i64>,
    is_retargeted: bool,
    statuses: Vec<Status>,
    is_policy_not_applicable: bool,
    are_read: [bool; 3],
}

fn history(random: &mut Random) -> History {
    let mut pushes: BTreeSet<i64> = BTreeSet::new();
    for _ in 0..random.between(1, 3) {
        pushes.insert(random.between(10, 9_000));
    }
    let count = i64::try_from(pushes.len()).unwrap();
    let is_retargeted = random.percent(10);
    let iterations = count + i64::from(is_retargeted);
    let states =
        ["succeeded", "succeeded", "failed", "error", "pending", "notSet", "notApplicable"];
    let mut times = BTreeSet::new();
    for _ in 0..random.between(0, 4) {
        times.insert(random.between(20, 10_500));
    }
    if random.percent(10) {
        times.insert(MERGED);
    }
    let statuses = times
        .into_iter()
        .map(|created| Status {
            name: random.one(&["snyk/os", "snyk/os", "snyk/iac", "Snyk/OS", "sonar/os"]),
            state: random.one(&states),
            created,
            iteration: random.percent(60).then(|| random.between(1, iterations)),
            is_removed_before_merge: random.percent(5),
        })
        .collect();
    History {
        pushes: pushes.into_iter().collect(),
        is_retargeted,
        statuses,
        is_policy_not_applicable: random.percent(20),
        are_read: [random.percent(95), random.percent(95), random.percent(95)],
    }
}

impl History {
    /// What the statuses of one genre and name say: the order in which it decides, the reason.
    fn said(&self, statuses: &[&Status]) -> (usize, &'static str) {
        let [is_iterations_read, ..] = self.are_read;
        let last = i64::try_from(self.pushes.len()).unwrap() + i64::from(self.is_retargeted);
        let last_push = self.pushes[self.pushes.len() - 1];
        let in_time: Vec<&&Status> =
            statuses.iter().filter(|status| status.created <= MERGED).collect();
        let last_final = in_time.iter().rfind(|status| {
            is_iterations_read
                && match status.iteration {
                    Some(iteration) => iteration == last,
                    None => status.created > last_push,
                }
        });
        match last_final.map(|status| status.state) {
            Some("failed" | "error") => (0, "STATUS_FAILED"),
            Some("pending" | "notSet") => (1, "STATUS_PENDING"),
            Some("succeeded") => (2, "STATUS_SUCCEEDED"),
            Some(_) => (3, "STATUS_NOT_APPLICABLE"),
            None if in_time.len() < statuses.len() => (4, "STATUS_AFTER_MERGE"),
            None => (5, "STALE_STATUS"),
        }
    }

    fn verdict(&self, _: Profile) -> Answer {
        let mut named: BTreeMap<&str, Vec<&Status>> = BTreeMap::new();
        for status in &self.statuses {
            // The solution is `status:snyk/*`.
            if status.name.to_lowercase().starts_with("snyk/") && !status.is_removed_before_merge {
                named.entry(status.name).or_default().push(status);
            }
        }
        let none = BTreeSet::new();
        let first = named.values().map(|statuses| self.said(statuses)).min();
        match first {
            Some((_, reason @ "STATUS_SUCCEEDED")) => answer("pass", reason, &none),
            _ if self.are_read != [true; 3] => answer("unknown", "EVIDENCE_UNREADABLE", &none),
            Some((_, reason @ "STATUS_NOT_APPLICABLE")) => answer("not_applicable", reason, &none),
            Some((_, reason)) => answer("fail", reason, &none),
            None if self.is_policy_not_applicable => {
                answer("not_applicable", "POLICY_NOT_APPLICABLE", &none)
            }
            None => answer("fail", "NOT_RUN", &none),
        }
    }

    fn write(&self, number: i64, rows: &mut Rows) {
        let number = number.to_string();
        let read_at = minute(MERGED + 1);
        let read = self.are_read.map(|is_read| if is_read { read_at.as_str() } else { "" });
        let of = [("repository_id", "r1"), ("pull_request_id", number.as_str())];
        let own = [
            ("project_id", "p1"),
            ("title", "Random"),
            ("status", "completed"),
            ("source_ref", "refs/heads/topic"),
            ("target_ref", "refs/heads/main"),
            ("source_commit", "c"),
            ("created_at", &minute(self.pushes[0])),
            ("closed_at", &minute(MERGED)),
            ("iterations_read_at", read[0]),
            ("statuses_read_at", read[1]),
            ("evaluations_read_at", read[2]),
        ];
        rows.add("pull_requests", &[&of[..], &own[..]].concat());
        let retarget = self.is_retargeted.then_some((9_500, "retarget"));
        let iterations = self.pushes.iter().map(|at| (*at, "push")).chain(retarget);
        for (iteration, (at, reason)) in (1..).zip(iterations) {
            let iteration: i64 = iteration;
            let own = [
                ("iteration_id", &*iteration.to_string()),
                ("at", &*minute(at)),
                ("reason", reason),
            ];
            rows.add("pull_request_iterations", &[&of[..], &own[..]].concat());
        }
        for (id, status) in self.statuses.iter().enumerate() {
            let (genre, name) = status.name.split_once('/').unwrap();
            let removed_at = minute(MERGED - 1);
            let own = [
                ("status_id", &*id.to_string()),
                ("genre", genre),
                ("name", name),
                ("state", status.state),
                ("created_at", &minute(status.created)),
                ("iteration_id", &status.iteration.map_or_else(String::new, |own| own.to_string())),
                ("removed_at", if status.is_removed_before_merge { &removed_at } else { "" }),
            ];
            rows.add("pull_request_statuses", &[&of[..], &own[..]].concat());
        }
        if self.is_policy_not_applicable {
            let id = format!("e{number}");
            let own = [
                ("evaluation_id", id.as_str()),
                ("status_genre", "snyk"),
                ("status_name", "os"),
                ("status", "notApplicable"),
            ];
            rows.add("pull_request_policy_evaluations", &[&of[..], &own[..]].concat());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_statuses_are_judged_as_a_plain_selection_does() {
    let mut random = Random::new();
    let histories: Vec<History> = (0..1_500).map(|_| history(&mut random)).collect();
    let mut rows = Rows::new();
    rows.repository("r1", "p1");
    let solution = [
        ("repository_id", "r1"),
        ("kind", "dependency_checks"),
        ("solution", "status:snyk/*"),
        ("selector", "status"),
        ("pattern", "snyk/*"),
        ("is_glob", "true"),
    ];
    rows.add("solutions_in_force", &solution);
    for (number, history) in (1..).zip(&histories) {
        history.write(number, &mut rows);
    }
    let answers = rows.ask("pull_request_dependency_check_passed").await;
    compare(&answers, &histories, History::verdict);
}
