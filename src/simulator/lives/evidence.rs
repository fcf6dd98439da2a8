//! Runs and statuses of a pull request of the bulk: mostly green, some failed, repeated, late or missing.

use super::Writer;
use crate::simulator::bulk::Outcome;
use crate::simulator::life::What;
use crate::simulator::random::{Commit, Random};
use crate::simulator::runs::{Attempt, RUNS_PER_PULL, Run};
use crate::simulator::time::{HOUR, MINUTE, SECOND, Time};

impl Writer<'_> {
    pub(super) fn run(&mut self) {
        let world = self.world;
        let own = &world.repositories[self.life.repository];
        let mut number = 0;
        let last = self.pushes.len();
        for (place, definition) in own.validation.iter().enumerate() {
            let mut random = Random::new(world.seed, 32 + place as u64, u64::from(self.life.id));
            let kind = random.below(1000);
            for (index, at) in self.pushes.clone().into_iter().enumerate() {
                let iteration = u8::try_from(index + 1).unwrap_or(1);
                let is_last = index + 1 == last;
                if kind < 14 || (is_last && last > 1 && (108..116).contains(&kind)) {
                    continue;
                }
                let until = if is_last { self.end } else { self.pushes[index + 1] };
                let mut attempt = attempt(&mut random, at, until);
                if is_last {
                    attempt.result = match kind {
                        14..=89 => "failed",
                        90..=95 => "partiallySucceeded",
                        96..=99 => "canceled",
                        _ => "succeeded",
                    };
                    if (100..108).contains(&kind) {
                        attempt.finish = self.end.plus(random.between(SECOND, HOUR));
                    }
                }
                let mut attempts = vec![attempt];
                if is_last && (116..122).contains(&kind) {
                    attempts.push(again(&mut random, attempt, until));
                }
                self.add_run(&mut number, *definition, "pullRequest", iteration, attempts);
                if is_last && (30..90).contains(&kind) {
                    let mut second = again(&mut random, attempt, until);
                    second.result = "succeeded";
                    self.add_run(&mut number, *definition, "pullRequest", iteration, vec![second]);
                }
            }
            if kind < 10 {
                let start = self.end.plus(HOUR);
                let late = Attempt { start, finish: start.plus(5 * MINUTE), result: "succeeded" };
                self.add_run(
                    &mut number,
                    *definition,
                    "manual",
                    u8::try_from(last).unwrap_or(1),
                    vec![late],
                );
            }
        }
        if let Some(definition) = own.ci.filter(|_| self.brief.outcome == Outcome::Completed) {
            let attempt = attempt(&mut self.random, self.end, self.end.plus(2 * HOUR));
            self.life.runs.push(Run {
                id: self.life.id * RUNS_PER_PULL + RUNS_PER_PULL - 1,
                definition,
                reason: "individualCI",
                queued: self.end.plus(3 * SECOND),
                attempts: vec![attempt],
                branch: self.life.target.clone(),
                commit: Commit::Landed(self.life.id),
                pull: None,
                repository: Some(self.life.repository),
                by: self.life.author,
                records: Vec::new(),
                deleted: None,
            });
        }
    }

    fn add_run(
        &mut self,
        number: &mut u32,
        definition: usize,
        reason: &'static str,
        iteration: u8,
        attempts: Vec<Attempt>,
    ) {
        let queued = attempts.first().map_or(self.end, |attempt| attempt.start).plus(-7 * SECOND);
        let id = self.life.id;
        self.life.runs.push(Run {
            id: id * RUNS_PER_PULL + *number,
            definition,
            reason,
            queued,
            attempts,
            branch: format!("refs/pull/{id}/merge"),
            commit: Commit::Merge(id, iteration),
            pull: Some((id, iteration)),
            repository: Some(self.life.repository),
            by: self.life.author,
            records: Vec::new(),
            deleted: None,
        });
        *number = (*number + 1).min(RUNS_PER_PULL - 2);
    }

    pub(super) fn post(&mut self) {
        let world = self.world;
        let by = world.projects[world.repositories[self.life.repository].project].build_service;
        for (index, at) in self.pushes.clone().into_iter().enumerate() {
            let is_last = index + 1 == self.pushes.len();
            let number = u8::try_from(index + 1).unwrap_or(1);
            let mut iteration = Some(number);
            let mut posted = at.plus(self.random.between(30 * SECOND, 4 * MINUTE));
            let mut state = "succeeded";
            if is_last {
                match self.random.below(1000) {
                    0..=14 => continue,
                    15..=29 => state = "failed",
                    30..=33 => state = "notSet",
                    34..=37 => state = "error",
                    38..=45 => posted = self.end.plus(self.random.between(MINUTE, HOUR)),
                    46..=55 => iteration = None,
                    _ => posted = posted.min(self.end),
                }
            }
            let (genre, name) = (Some("snyk".to_owned()), "open-source".to_owned());
            self.add(
                posted.plus(-20 * SECOND),
                What::Status {
                    genre: genre.clone(),
                    name: name.clone(),
                    state: "pending",
                    iteration,
                    by,
                },
            );
            self.add(posted, What::Status { genre, name, state, iteration, by });
        }
        if self.random.permille(100) {
            let at = self.pushes.last().map_or(self.end, |at| at.plus(5 * MINUTE));
            self.add(
                at,
                What::Status {
                    genre: None,
                    name: "codecoverage".to_owned(),
                    state: "succeeded",
                    iteration: None,
                    by,
                },
            );
        }
    }
}

/// A try of a run that starts after `from` and usually ends before `until`.
fn attempt(random: &mut Random, from: Time, until: Time) -> Attempt {
    let room = (until.0 - from.0).max(MINUTE);
    let start = from.plus(random.between(10 * SECOND, 90 * SECOND).min(room / 6));
    let length = random.between(2 * MINUTE, 35 * MINUTE).min(room / 3);
    Attempt { start, finish: start.plus(length), result: "succeeded" }
}

/// Another try after `first`.
fn again(random: &mut Random, first: Attempt, until: Time) -> Attempt {
    let room = (until.0 - first.finish.0).max(MINUTE);
    let start = first.finish.plus(random.between(SECOND, room / 3));
    Attempt { start, finish: start.plus(room / 4), result: "succeeded" }
}
