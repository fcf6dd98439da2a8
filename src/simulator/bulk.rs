//! The index of all pull requests: a few integers each, from which everything else is derived when asked for.

use super::life::Life;
use super::random::Random;
use super::time::{DAY, HOUR, MINUTE, SECOND, Time};
use super::world::Repository;

/// How a pull request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Merged.
    Completed,
    /// Given up.
    Abandoned,
    /// Never closed.
    Open,
}

/// What the index holds of one pull request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brief {
    pub(crate) created: Time,
    /// [`Time::NEVER`] for one that stays open.
    pub(crate) closed: Time,
    pub(crate) repository: u16,
    /// Index of the (last) target branch.
    pub(crate) target: u8,
    pub(crate) outcome: Outcome,
    /// Abandoned and opened again in between.
    pub(crate) has_pause: bool,
}

/// The index.
#[derive(Default)]
pub(crate) struct Bulk {
    /// By position: first the named examples, then the bulk in order of creation.
    pub(crate) briefs: Vec<Brief>,
    /// Positions in order of closing; those that stay open are left out.
    pub(crate) by_closed: Vec<u32>,
}

/// Months of history before the start, and of future after it.
pub(crate) const HISTORY_DAYS: i64 = 1095;
const FUTURE_DAYS: i64 = 183;
/// Two pushes to one repository are at least this far apart, so that push ids differ.
const PUSH_SLOT: i64 = SECOND / 16;

impl Bulk {
    /// Lays out `count` pull requests created before `start` and as many after it as follow at that rate.
    pub(crate) fn new(
        seed: u64,
        start: Time,
        count: u64,
        repositories: &[Repository],
        scripted: &[Life],
    ) -> Bulk {
        let mut bulk = Bulk::default();
        bulk.briefs.extend(scripted.iter().map(|life| scripted_brief(life, repositories)));
        let total: f64 = repositories.iter().map(|repository| repository.weight).sum();
        let mut bounds = Vec::new();
        let mut sum = 0.0;
        for repository in repositories {
            sum += repository.weight / total;
            bounds.push(sum);
        }
        for (number, created) in creations(seed, start, count).into_iter().enumerate() {
            let mut random = Random::new(seed, 21, number as u64);
            let drawn = random.unit();
            let mut repository =
                bounds.partition_point(|bound| *bound <= drawn).min(repositories.len() - 1);
            let gone = |index: usize| {
                let own: &Repository = &repositories[index];
                own.deleted.or(own.disabled).is_some_and(|at| at <= created)
            };
            if gone(repository) || repositories[repository].weight <= 0.0 {
                repository = 0;
            }
            bulk.briefs.push(brief(&mut random, created, repository, &repositories[repository]));
        }
        bulk.order(repositories.len());
        bulk
    }

    /// Sorts by closing, and moves closings apart that would fall into one slot.
    fn order(&mut self, repositories: usize) {
        let briefs = &mut self.briefs;
        let mut order: Vec<u32> = (0..u32::try_from(briefs.len()).unwrap_or(u32::MAX))
            .filter(|position| briefs[*position as usize].closed != Time::NEVER)
            .collect();
        order.sort_unstable_by_key(|position| (briefs[*position as usize].closed, *position));
        let mut last = vec![i64::MIN; repositories];
        for position in &order {
            let brief = &mut briefs[*position as usize];
            let slot = &mut last[usize::from(brief.repository)];
            if brief.closed.0.div_euclid(PUSH_SLOT) <= *slot {
                brief.closed = Time((*slot + 1) * PUSH_SLOT + brief.closed.0.rem_euclid(PUSH_SLOT));
            }
            *slot = brief.closed.0.div_euclid(PUSH_SLOT);
        }
        order.sort_unstable_by_key(|position| (briefs[*position as usize].closed, *position));
        self.by_closed = order;
    }
}

/// Number of a push at `at`: it rises with time, and differs between pushes to one repository.
pub(crate) fn push_id(start: Time, at: Time) -> i64 {
    let origin = start.plus(-(HISTORY_DAYS + 60) * DAY);
    ((at.0 - origin.0).div_euclid(PUSH_SLOT)).rem_euclid(i64::from(i32::MAX))
}

fn scripted_brief(life: &Life, repositories: &[Repository]) -> Brief {
    let end = life.end();
    let target = life.at(Time::NEVER).target;
    Brief {
        created: life.created(),
        closed: end.map_or(Time::NEVER, |(at, _)| at),
        repository: u16::try_from(life.repository).unwrap_or(0),
        target: repositories[life.repository]
            .branch(&target)
            .and_then(|index| u8::try_from(index).ok())
            .unwrap_or(0),
        outcome: match end {
            None => Outcome::Open,
            Some((_, true)) => Outcome::Completed,
            Some((_, false)) => Outcome::Abandoned,
        },
        has_pause: !life.pauses().is_empty(),
    }
}

fn brief(random: &mut Random, created: Time, index: usize, repository: &Repository) -> Brief {
    let kind = random.below(1000);
    let outcome = match kind {
        0..=819 => Outcome::Completed,
        820..=994 => Outcome::Abandoned,
        _ => Outcome::Open,
    };
    // Most are closed within a day or two, a few take months.
    let spread = random.unit();
    let mut hours = 0.4 * (1.0 - spread).powf(-1.05)
        + 2.0 * random.unit()
        + if spread > 0.4 { 14.0 } else { 0.0 };
    if outcome == Outcome::Abandoned {
        hours = hours * 6.0 + 5.0;
    }
    let ticks = (hours.min(24.0 * 200.0) * HOUR as f64) as i64;
    let mut closed = created.plus(ticks + random.between(0, MINUTE));
    let of_day = closed.0.rem_euclid(DAY);
    if !(7 * HOUR..=19 * HOUR).contains(&of_day) {
        closed = Time(closed.0 - of_day + if of_day < 7 * HOUR { 0 } else { DAY } + 8 * HOUR)
            .plus(random.between(0, 9 * HOUR));
    }
    if closed.is_weekend() && !random.permille(60) {
        closed = closed.plus(2 * DAY);
    }
    let gone = repository.deleted.or(repository.disabled).is_some_and(|at| at <= closed);
    let outcome = if gone { Outcome::Open } else { outcome };
    let target = target(random, repository, created, closed, kind < 600);
    let has_pause =
        outcome != Outcome::Open && random.permille(12) && closed.0 - created.0 > 6 * HOUR;
    Brief {
        created,
        closed: if outcome == Outcome::Open { Time::NEVER } else { closed },
        repository: u16::try_from(index).unwrap_or(0),
        target,
        outcome,
        has_pause,
    }
}

/// Chooses the target: production branches are the default branch and `release/*`.
fn target(
    random: &mut Random,
    repository: &Repository,
    created: Time,
    closed: Time,
    is_production: bool,
) -> u8 {
    let default = repository.default.unwrap_or(0);
    let wants_release = is_production && random.permille(100);
    let draw = random.next();
    let fits: Vec<usize> = repository
        .branches
        .iter()
        .enumerate()
        .filter(|(index, branch)| {
            let is_there = branch.created < created && branch.deleted.is_none_or(|at| at > closed);
            let is_release = branch.name.starts_with("release/");
            is_there && *index != default && is_release == is_production
        })
        .map(|(index, _)| index)
        .collect();
    let chosen = if (is_production && !wants_release) || fits.is_empty() {
        default
    } else {
        fits[usize::try_from(draw % fits.len() as u64).unwrap_or(0)]
    };
    u8::try_from(chosen).unwrap_or(0)
}

/// The instants at which pull requests are opened, in order: busy weekdays, quiet weekends and holidays, slow growth.
fn creations(seed: u64, start: Time, count: u64) -> Vec<Time> {
    let first = start.day() - HISTORY_DAYS;
    let days = HISTORY_DAYS + FUTURE_DAYS;
    let start_share = (start.0.rem_euclid(DAY)) as f64 / DAY as f64;
    let weight = |offset: i64| {
        let at = Time((first + offset) * DAY);
        let of_year = (first + offset) % 365;
        let mut random = Random::new(seed, 22, at.day().unsigned_abs());
        let calm = if at.is_weekend() { 0.06 } else { 1.0 };
        let holiday = if !(5..=358).contains(&of_year) { 0.25 } else { 1.0 };
        let growth = 0.7 + 0.6 * offset as f64 / HISTORY_DAYS as f64;
        calm * holiday * growth * (0.8 + 0.4 * random.unit())
    };
    let weights: Vec<f64> = (0..days).map(weight).collect();
    let today = usize::try_from(HISTORY_DAYS).unwrap_or(0);
    let before: f64 = weights[..today].iter().sum::<f64>() + weights[today] * worked(start_share);
    let scale = count as f64 / before;
    let mut all = Vec::new();
    let mut carried = 0.0;
    for (offset, weight) in weights.iter().enumerate() {
        let wanted = weight * scale + carried;
        let number = wanted.floor();
        carried = wanted - number;
        let day = Time((first + i64::try_from(offset).unwrap_or(0)) * DAY);
        let mut random = Random::new(seed, 23, offset as u64);
        for place in 0..number as u64 {
            let share = (place as f64 + random.unit()) / number;
            all.push(day.plus((hour_of(share) * DAY as f64) as i64));
        }
    }
    all
}

/// Share of a day's work that is done at a share of the day.
fn worked(share: f64) -> f64 {
    HOURS.windows(2).find(|pair| share <= pair[1].0).map_or(1.0, |pair| {
        pair[0].1 + (pair[1].1 - pair[0].1) * (share - pair[0].0) / (pair[1].0 - pair[0].0)
    })
}

/// The share of the day at which a share of the day's work is done.
fn hour_of(share: f64) -> f64 {
    HOURS.windows(2).find(|pair| share <= pair[1].1).map_or(0.999, |pair| {
        pair[0].0 + (pair[1].0 - pair[0].0) * (share - pair[0].1) / (pair[1].1 - pair[0].1)
    })
}

/// Share of the day and share of the work done by then.
const HOURS: [(f64, f64); 6] =
    [(0.0, 0.0), (0.29, 0.03), (0.38, 0.15), (0.75, 0.93), (0.85, 0.98), (1.0, 1.0)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_opened_before_the_start_as_asked_for() {
        let start = Time::parse("2026-10-01T08:00:00Z").unwrap();
        for count in [200, 5_000] {
            let all = creations(1, start, count);
            let before = all.partition_point(|at| *at < start) as u64;
            assert!(before.abs_diff(count) <= count / 100, "{before} for {count}");
            assert!(all.is_sorted());
            assert!(all.len() as u64 > count + count / 10);
        }
    }
}
