//! The budget of an identity: a bucket of requests that refills, and what was sent though it was asked not to.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Below this share of the budget, answers tell of it.
const TOLD: f64 = 0.5;
/// Below this share of the budget, answers are held back.
const HELD_BACK: f64 = 0.15;
/// By how much.
const DELAY: Duration = Duration::from_millis(30);

/// How a client behaved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// Answers with `Retry-After`.
    pub pauses: u64,
    /// Requests that came before such a pause was over.
    pub early: u64,
    /// The latest of them, after the answer that had asked for the pause; what is on its way at that moment comes soon.
    pub latest_early: Duration,
    /// The most requests of one identity that came after a refusal and its pause, before one of them was answered.
    pub probes_at_once: u64,
}

/// What becomes of a request.
pub(super) enum Entry {
    /// It is answered, with these headers, after a delay.
    Answered { delay: Option<Duration>, told: Option<Told> },
    /// It is refused; seconds of the pause.
    Refused { retry_after_s: u64 },
}

/// What an answer tells of the budget.
pub(super) struct Told {
    pub(super) limit: u64,
    pub(super) remaining: u64,
    pub(super) reset_s: u64,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    since: Instant,
    until: Instant,
    is_refusal: bool,
}

#[derive(Debug)]
struct Identity {
    left: f64,
    at: Instant,
    pause: Option<Pause>,
    /// Requests that were let in after a pause and have no answer yet; none once one was answered.
    probes: Option<u64>,
}

/// The budgets of all identities, told apart by what they sign in with.
#[derive(Debug)]
pub(super) struct Buckets {
    size: Option<(u64, u64)>,
    identities: Mutex<HashMap<u64, Identity>>,
    manners: Mutex<Manners>,
}

impl Buckets {
    pub(super) fn new(size: Option<(u64, u64)>) -> Buckets {
        Buckets { size, identities: Mutex::default(), manners: Mutex::default() }
    }

    pub(super) fn manners(&self) -> Manners {
        self.lock_manners().clone()
    }

    /// Takes a request in.
    pub(super) fn enter(&self, identity: u64, retry_after_s: u64) -> Entry {
        let now = Instant::now();
        let mut identities = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        let full = self.size.map_or(f64::INFINITY, |(requests, _)| requests as f64);
        let fresh = Identity { left: full, at: now, pause: None, probes: None };
        let own = identities.entry(identity).or_insert(fresh);
        if let Some(Pause { since, until, is_refusal }) = own.pause {
            if now < until {
                let mut manners = self.lock_manners();
                manners.early += 1;
                manners.latest_early = manners.latest_early.max(now - since);
                let left = (until - now).as_secs_f64().ceil() as u64;
                return Entry::Refused { retry_after_s: left };
            }
            own.pause = None;
            own.probes = is_refusal.then_some(0);
        }
        if let Some(probes) = &mut own.probes {
            *probes += 1;
            let mut manners = self.lock_manners();
            manners.probes_at_once = manners.probes_at_once.max(*probes);
        }
        let Some((requests, seconds)) = self.size else {
            return Entry::Answered { delay: None, told: None };
        };
        let rate = requests as f64 / seconds as f64;
        own.left = (own.left + (now - own.at).as_secs_f64() * rate).min(requests as f64);
        own.at = now;
        if own.left < 1.0 {
            let retry_after_s = retry_after_s.max(1);
            drop(identities);
            self.pause(identity, retry_after_s, true);
            return Entry::Refused { retry_after_s };
        }
        own.left -= 1.0;
        let share = own.left / requests as f64;
        let told = (share < TOLD).then(|| Told {
            limit: requests,
            remaining: own.left as u64,
            reset_s: ((requests as f64 - own.left) / rate).ceil() as u64,
        });
        Entry::Answered { delay: (share < HELD_BACK).then_some(DELAY), told }
    }

    /// Takes note of an answer that asks for nothing.
    pub(super) fn answered(&self, identity: u64) {
        let mut identities = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = identities.get_mut(&identity) {
            own.probes = None;
        }
    }

    /// Begins a pause, or makes it longer; after a refusal it is to be ended by a single request.
    pub(super) fn pause(&self, identity: u64, seconds: u64, is_refusal: bool) {
        self.lock_manners().pauses += 1;
        let now = Instant::now();
        let until = now + Duration::from_secs(seconds);
        let mut identities = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Identity { left: f64::INFINITY, at: now, pause: None, probes: None };
        let own = identities.entry(identity).or_insert(fresh);
        let before = own.pause.filter(|before| before.until > now);
        own.pause = Some(Pause {
            since: now,
            until: before.map_or(until, |before| before.until.max(until)),
            is_refusal: is_refusal || before.is_some_and(|before| before.is_refusal),
        });
        own.probes = None;
    }

    fn lock_manners(&self) -> MutexGuard<'_, Manners> {
        self.manners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_refuses_and_counts_who_comes_early() {
        let buckets = Buckets::new(Some((4, 1)));
        let is_answered = || matches!(buckets.enter(1, 1), Entry::Answered { .. });
        assert!((0..4).all(|_| is_answered()));
        assert!(!is_answered());
        assert_eq!(buckets.manners().early, 0);
        assert!(!is_answered());
        assert!(matches!(buckets.enter(2, 1), Entry::Answered { .. }), "another identity");
        let manners = buckets.manners();
        assert_eq!((manners.early, manners.pauses), (1, 1));
    }
}
