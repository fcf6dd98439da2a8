//! Derives the life of one pull request of the bulk from the seed and its position.

mod evidence;

use super::bulk::{Brief, Outcome};
use super::life::{Life, Strategy, What};
use super::people::PersonId;
use super::random::Random;
use super::texts;
use super::time::{DAY, HOUR, MINUTE, SECOND, Time};
use super::world::World;

/// What is being derived, and what it draws from.
struct Writer<'a> {
    world: &'a World,
    brief: Brief,
    random: Random,
    life: Life,
    /// When it is closed; for one that stays open, when it goes quiet.
    end: Time,
    /// Times of the pushes.
    pushes: Vec<Time>,
}

/// The life of the pull request at `position`, which must not be one of the named examples.
pub(crate) fn life(world: &World, position: u32) -> Life {
    let id = world.number(position);
    let brief = world.bulk.briefs[position as usize];
    let mut random = Random::new(world.seed, 31, u64::from(id));
    let repository = usize::from(brief.repository);
    let own = &world.repositories[repository];
    let author = member(world, &mut random, repository);
    let author = if random.permille(30) { *random.pick(&world.people.robots) } else { author };
    let end = if brief.closed == Time::NEVER { brief.created.plus(20 * DAY) } else { brief.closed };
    let fork = world
        .repositories
        .iter()
        .position(|other| other.parent == Some(repository))
        .filter(|_| random.permille(120));
    let life = Life {
        id,
        repository,
        fork,
        title: texts::title(&mut random),
        description: texts::description(&mut random),
        author,
        source: format!("refs/heads/{}", texts::branch(&mut random, id)),
        target: format!("refs/heads/{}", own.branches[usize::from(brief.target)].name),
        is_draft: random.permille(80),
        strategy: match random.below(10) {
            0..=4 => Some(Strategy::Squash),
            5..=7 => Some(Strategy::NoFastForward),
            8 => Some(Strategy::Rebase),
            _ => Some(Strategy::RebaseMerge),
        },
        changes: Vec::new(),
        not_applicable: Vec::new(),
        events: Vec::new(),
        runs: Vec::new(),
    };
    let mut writer = Writer { world, brief, random, life, end, pushes: Vec::new() };
    writer.push();
    writer.review();
    writer.label();
    writer.run();
    writer.post();
    writer.close();
    let mut life = writer.life;
    life.events.sort_by_key(|(at, _)| *at);
    life
}

/// A member of the team that works on a repository.
fn member(world: &World, random: &mut Random, repository: usize) -> PersonId {
    let authors = &world.people.authors;
    let team = (authors.len() / 3).clamp(5, 24);
    let skewed = (random.unit() * random.unit() * team as f64) as usize;
    authors[(repository * 13 + skewed) % authors.len()]
}

impl Writer<'_> {
    fn add(&mut self, at: Time, what: What) {
        self.life.events.push((at, what));
    }

    /// A time at a share of the pull request's life.
    fn part(&self, share: f64) -> Time {
        self.brief.created.plus(((self.end.0 - self.brief.created.0) as f64 * share) as i64)
    }

    fn push(&mut self) {
        let count = 1 + [0, 0, 0, 1, 1, 2, 3][self.random.index(7)];
        let (author, repository) = (self.life.author, self.life.repository);
        for number in 0..count {
            let at = if number == 0 {
                self.brief.created
            } else {
                let share = 0.7 * (number as f64 - 0.5 + 0.8 * self.random.unit()) / count as f64;
                self.part(share)
            };
            let stranger = number > 0 && self.random.permille(60);
            let by =
                if stranger { member(self.world, &mut self.random, repository) } else { author };
            let reason = match (number, self.random.below(8)) {
                (0, _) => "create",
                (_, 0) => "forcePush",
                _ => "push",
            };
            let commits = 1 + u8::try_from(self.random.below(4)).unwrap_or(0);
            self.pushes.push(at);
            self.add(at, What::Push { by, author: by, reason, commits });
        }
        self.pushes.sort_unstable();
        if self.life.is_draft {
            let at = self.part(0.15).plus(self.random.between(0, MINUTE));
            self.add(at, What::Publish { by: author });
        }
        for _ in 0..1 + self.random.below(4) {
            let path = texts::path(&mut self.random);
            if !self.life.changes.iter().any(|(other, _, _)| *other == path) {
                let change = match self.random.below(8) {
                    0 => ("add", None),
                    1 => ("delete", None),
                    2 => ("rename", Some(format!("{path}.old"))),
                    _ => ("edit", None),
                };
                self.life.changes.push((path, change.0, change.1));
            }
        }
    }

    /// Somebody of the team who is not the author.
    fn reviewer(&mut self) -> PersonId {
        loop {
            let who = member(self.world, &mut self.random, self.life.repository);
            if who != self.life.author {
                return who;
            }
        }
    }

    fn vote(&mut self, at: Time, who: PersonId, vote: i32) {
        let in_threads = !self.random.permille(6);
        self.add(at, What::Vote { who, vote, in_threads, groups: Vec::new() });
    }

    fn review(&mut self) {
        let last = self.pushes.last().copied().unwrap_or(self.brief.created);
        let span = (self.end.0 - last.0).max(1);
        let after = |share: f64| last.plus((span as f64 * share) as i64);
        let who = self.reviewer();
        let (seen, early) = (0.2 + 0.7 * self.random.unit(), self.random.unit());
        let invited = self.brief.created.plus(self.random.between(SECOND, MINUTE));
        self.add(invited, What::Invite { who, required: self.random.clone().permille(300) });
        if self.brief.outcome != Outcome::Completed && self.random.permille(600) {
            return;
        }
        let resets = self.life.repository.is_multiple_of(2);
        match self.random.below(1000) {
            0..=17 => {}
            18..=29 => {
                let author = self.life.author;
                self.vote(after(seen), author, 10);
            }
            30..=41 => {
                let late = self.end.plus(self.random.between(MINUTE, 3 * DAY));
                self.vote(late, who, 10);
            }
            42..=49 => {
                let robot = *self.random.clone().pick(&self.world.people.robots);
                self.vote(after(seen), robot, 10);
            }
            50..=99 if self.pushes.len() > 1 => {
                let before = Time(
                    self.brief.created.0
                        + ((last.0 - self.brief.created.0) as f64 * (0.3 + 0.6 * early)) as i64,
                );
                self.vote(before, who, 10);
                if resets {
                    let by = self.life.author;
                    let named = self.random.permille(500).then(|| vec![who]);
                    self.add(last.plus(SECOND), What::Reset { who: named, by });
                    if self.random.permille(850) {
                        self.vote(after(seen), who, 10);
                    }
                }
            }
            100..=111 => {
                self.vote(after(seen), who, 10);
                let other = self.reviewer();
                if other != who {
                    self.vote(
                        after(0.9 * early),
                        other,
                        if self.random.clone().permille(500) { -5 } else { -10 },
                    );
                }
            }
            112..=121 => {
                let group = *self.random.clone().pick(&self.world.people.groups);
                self.add(invited, What::Invite { who: group, required: true });
                self.add(
                    after(seen),
                    What::Vote { who, vote: 10, in_threads: true, groups: vec![group] },
                );
            }
            122..=127 => {
                self.vote(after(seen), who, 10);
                self.add(after(0.5 + seen / 2.0), What::Remove { who });
            }
            128..=133 => self.add(after(seen), What::Decline { who }),
            134..=153 => {
                self.vote(after(seen * 0.5), who, -5);
                self.vote(after(seen), who, 10);
            }
            kind => {
                self.vote(after(seen), who, if kind.is_multiple_of(5) { 5 } else { 10 });
                if kind.is_multiple_of(3) {
                    let other = self.reviewer();
                    if other != who {
                        self.vote(after(early * 0.95), other, 10);
                    }
                }
            }
        }
        if self.random.permille(300) {
            let text = texts::title(&mut self.random);
            self.add(after(early), What::Comment { by: who, text });
        }
    }

    fn label(&mut self) {
        let draw = self.random.below(1000);
        let share = 0.1 + 0.5 * self.random.unit();
        let at = self.part(share);
        match draw {
            0..=9 => self.add(at, What::Label { name: "emergency".to_owned(), active: true }),
            10..=12 => {
                self.add(at, What::Label { name: " Emergency".to_owned(), active: true });
                let gone =
                    self.end.plus(self.random.between(-3 * HOUR, 6 * HOUR)).max(at.plus(SECOND));
                self.add(gone, What::Unlabel { name: " Emergency".to_owned() });
            }
            13..=15 => {
                let late = self.end.plus(self.random.between(MINUTE, DAY));
                self.add(late, What::Label { name: "EMERGENCY".to_owned(), active: true });
            }
            16..=90 => {
                let name =
                    (*self.random.pick(&["docs", "backport", "größer", "needs <qa>"])).to_owned();
                self.add(at, What::Label { name, active: true });
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        let by = if self.random.permille(500) { self.life.author } else { self.reviewer() };
        if self.brief.has_pause {
            let (from, to) = (self.part(0.4), self.part(0.5));
            self.add(from, What::Abandon { by });
            self.add(to, What::Reactivate { by });
        }
        let kind = self.random.below(1000);
        match self.brief.outcome {
            Outcome::Open => {}
            Outcome::Abandoned => self.add(self.end, What::Abandon { by }),
            Outcome::Completed => {
                let bypass =
                    (kind < 8).then(|| "prod is down, \"approved\" on the phone".to_owned());
                self.add(
                    self.end,
                    What::Complete { by, bypass, external: (8..11).contains(&kind) },
                );
            }
        }
    }
}
