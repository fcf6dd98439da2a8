//! The one gate that all requests of an identity pass: how many at once, and when none at all.
//!
//! Azure DevOps meters identities, not connections: what one answer says about the budget holds for every clone of
//! the client and every host. The gate therefore
//! - pauses everybody when any answer, a good one too, carries `Retry-After`;
//! - after a refusal (429) lets one request through as a probe, and the others only once that one has succeeded;
//! - halves the number of requests in flight when answers are refused or held back, and adds one again after a while
//!   of good answers, unless less than 0.3 of the budget is left;
//! - sends one request at a time while nothing of the budget is left, until it is said to be whole again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::retry::{Patience, RateHeaders};

/// Below this share of the budget nothing is added.
const SCARCE: f64 = 0.3;
/// How long an identity that was throttled counts as strained.
const STRAINED: Duration = Duration::from_secs(60);
/// Answers of one burst halve the number in flight once, not once each.
const BURST: Duration = Duration::from_secs(1);

/// See the module; shared by all clients that send the same identity's token.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    changed: Notify,
    patience: Patience,
}

#[derive(Debug)]
struct State {
    most: usize,
    limit: usize,
    in_flight: usize,
    pause: Pause,
    refusals: u32,
    good_answers: usize,
    last_shrink: Option<Instant>,
    /// When an answer was last refused, held back, or asked for a pause.
    throttled_at: Option<Instant>,
    /// Until when nothing is added.
    frugal_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Pause {
    None,
    /// Asked for on a good answer: everybody goes on afterwards.
    Rest(Instant),
    /// Refused: one probe afterwards.
    Blocked {
        until: Instant,
        is_probing: bool,
    },
}

/// What an answer meant for the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// An answer, of whatever status.
    Answered,
    /// 429, or another refusal with `Retry-After`.
    Refused,
}

enum Entry {
    Granted { is_probe: bool },
    WaitUntil(Instant),
    Wait,
}

impl Gate {
    /// Returns a gate that lets `most` requests through at once.
    pub fn new(most: usize, patience: Patience) -> Arc<Self> {
        let most = most.max(1);
        let state = State {
            most,
            limit: most,
            in_flight: 0,
            pause: Pause::None,
            refusals: 0,
            good_answers: 0,
            last_shrink: None,
            throttled_at: None,
            frugal_until: None,
        };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new(), patience })
    }

    /// Returns how many requests may be in flight now.
    pub fn limit(&self) -> usize {
        self.lock().limit
    }

    /// Returns whether the identity was throttled within the last minute: then answers of other kinds are less sure.
    pub(super) fn is_strained(&self) -> bool {
        self.lock().throttled_at.is_some_and(|at| at.elapsed() < STRAINED)
    }

    /// Waits for a place; it is given back when the permit is dropped.
    pub(super) async fn enter(self: &Arc<Self>) -> Permit {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let entry = self.lock().try_enter(Instant::now());
            match entry {
                Entry::Granted { is_probe } => {
                    return Permit { gate: Arc::clone(self), is_probe };
                }
                Entry::WaitUntil(until) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(until) => {}
                        () = changed => {}
                    }
                }
                Entry::Wait => changed.await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn try_enter(&mut self, now: Instant) -> Entry {
        let mut is_probe = false;
        match &mut self.pause {
            Pause::Rest(until) | Pause::Blocked { until, .. } if *until > now => {
                return Entry::WaitUntil(*until);
            }
            Pause::Blocked { is_probing: true, .. } => return Entry::Wait,
            Pause::Blocked { is_probing, .. } => {
                *is_probing = true;
                is_probe = true;
            }
            Pause::Rest(_) => self.pause = Pause::None,
            Pause::None => {}
        }
        // A probe may pass even while slow requests of before the block still fill the limit.
        if !is_probe && self.in_flight >= self.limit {
            return Entry::Wait;
        }
        self.in_flight += 1;
        Entry::Granted { is_probe }
    }

    fn shrink(&mut self, now: Instant) {
        self.good_answers = 0;
        if self.last_shrink.is_none_or(|last| now.duration_since(last) >= BURST) {
            self.limit = (self.limit / 2).max(1);
            self.last_shrink = Some(now);
        }
    }

    fn spend_nothing(&mut self, until: Instant) {
        self.good_answers = 0;
        self.limit = 1;
        self.frugal_until = Some(until);
    }

    fn grow(&mut self, rate: &RateHeaders, now: Instant) {
        let is_scarce = rate.remaining_share.is_some_and(|share| share < SCARCE)
            || self.frugal_until.is_some_and(|until| now < until);
        if is_scarce || self.limit >= self.most {
            self.good_answers = 0;
            return;
        }
        self.good_answers += 1;
        if self.good_answers >= 4 * self.limit {
            self.good_answers = 0;
            self.limit += 1;
        }
    }
}

/// What an answer did to the pause of everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// By how long it became longer.
    pub(super) longer: Duration,
    /// How long it lasts from now on.
    pub(super) left: Duration,
}

/// A place in flight.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    is_probe: bool,
}

impl Permit {
    /// Takes notice of an answer's headers; tells of the pause of everybody where it became longer.
    pub(super) fn observe(&self, rate: &RateHeaders, verdict: Verdict) -> Option<Wait> {
        let now = Instant::now();
        let patience = &self.gate.patience;
        let mut state = self.gate.lock();
        let before = match state.pause {
            Pause::Rest(until) | Pause::Blocked { until, .. } => until.max(now),
            Pause::None => now,
        };
        let is_blocked = matches!(state.pause, Pause::Blocked { .. });
        let limit_before = state.limit;
        match verdict {
            Verdict::Refused => {
                if self.is_probe || !is_blocked {
                    state.refusals += 1;
                }
                // Who says "at once" again and again does not mean it.
                let is_usable = |wait: &Duration| !wait.is_zero() || state.refusals <= 1;
                let wait = rate.retry_after.filter(is_usable);
                let wait = wait.unwrap_or_else(|| patience.backoff(state.refusals));
                let until = before.max(now + wait.min(patience.longest_pause));
                // A request of before the block says nothing about a probe that is under way.
                let is_probing = !self.is_probe
                    && matches!(state.pause, Pause::Blocked { is_probing: true, .. });
                state.pause = Pause::Blocked { until, is_probing };
                state.throttled_at = Some(now);
                state.shrink(now);
            }
            Verdict::Answered => {
                if self.is_probe {
                    state.refusals = 0;
                    // Meanwhile another request may have been refused, which began before.
                    state.pause = match state.pause {
                        Pause::Blocked { until, .. } if until > now => {
                            Pause::Blocked { until, is_probing: false }
                        }
                        _ => Pause::None,
                    };
                }
                let asked_wait = rate.retry_after.filter(|wait| !wait.is_zero());
                if let Some(wait) = asked_wait {
                    let until = before.max(now + wait.min(patience.longest_pause));
                    state.pause = match state.pause {
                        Pause::Blocked { is_probing, .. } => Pause::Blocked { until, is_probing },
                        Pause::None | Pause::Rest(_) => Pause::Rest(until),
                    };
                }
                if rate.remaining_share.is_some_and(|share| share <= 0.0) {
                    let reset = rate.reset.unwrap_or_default();
                    state.throttled_at = Some(now);
                    state.spend_nothing(now + reset.min(patience.longest_wait));
                } else if asked_wait.is_some() || rate.delay.is_some() {
                    state.throttled_at = Some(now);
                    state.shrink(now);
                } else {
                    state.grow(rate, now);
                }
            }
        }
        let after = match state.pause {
            Pause::Rest(until) | Pause::Blocked { until, .. } => until.max(before),
            Pause::None => before,
        };
        let is_wider = state.limit > limit_before;
        drop(state);
        if self.is_probe || after > before {
            self.gate.changed.notify_waiters();
        } else if is_wider {
            self.gate.changed.notify_one();
        }
        (after > before).then(|| Wait { longer: after - before, left: after - now })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.in_flight -= 1;
        if self.is_probe
            && let Pause::Blocked { is_probing, .. } = &mut state.pause
        {
            // The probe got no answer: somebody else has to try.
            *is_probing = false;
            drop(state);
            self.gate.changed.notify_waiters();
        } else {
            drop(state);
            self.gate.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn asked(ms: u32) -> RateHeaders {
        RateHeaders { retry_after: Some(MS * ms), ..RateHeaders::default() }
    }

    #[tokio::test]
    async fn retry_after_on_a_good_answer_pauses_everybody() {
        let gate = Gate::new(8, Patience::default());
        let first = gate.enter().await;
        let start = Instant::now();
        let wait = first.observe(&asked(80), Verdict::Answered).unwrap();
        assert_eq!(wait, Wait { longer: MS * 80, left: MS * 80 });
        assert_eq!(first.observe(&asked(20), Verdict::Answered), None, "shorter than what holds");
        let wait = first.observe(&asked(100), Verdict::Answered).unwrap();
        assert!(wait.left == MS * 100 && wait.longer < MS * 100, "{wait:?}");
        let _places = (gate.enter().await, gate.enter().await);
        assert!(start.elapsed() >= 80 * MS);
    }

    #[tokio::test]
    async fn after_a_refusal_one_probe_goes_first() {
        let gate = Gate::new(4, Patience::default());
        let refused = gate.enter().await;
        refused.observe(&asked(20), Verdict::Refused);
        drop(refused);
        let probe = gate.enter().await;
        let second = tokio::time::timeout(60 * MS, gate.enter()).await;
        assert!(second.is_err(), "nobody passes while the probe is under way");
        drop(probe);
        let probe = gate.enter().await;
        probe.observe(&RateHeaders::default(), Verdict::Answered);
        let _second = gate.enter().await;
    }

    #[tokio::test]
    async fn a_late_refusal_lets_no_second_probe_through() {
        let gate = Gate::new(4, Patience::default());
        let (slow, refused) = (gate.enter().await, gate.enter().await);
        refused.observe(&asked(10), Verdict::Refused);
        drop(refused);
        let probe = gate.enter().await;
        slow.observe(&asked(10), Verdict::Refused);
        drop(slow);
        let second = tokio::time::timeout(60 * MS, gate.enter()).await;
        assert!(second.is_err(), "the first probe is still under way");
        probe.observe(&RateHeaders::default(), Verdict::Answered);
        let _second = gate.enter().await;
    }

    #[tokio::test]
    async fn a_probe_that_succeeds_ends_no_pause_that_began_meanwhile() {
        let gate = Gate::new(4, Patience::default());
        let (slow, refused) = (gate.enter().await, gate.enter().await);
        refused.observe(&asked(5), Verdict::Refused);
        drop(refused);
        let probe = gate.enter().await;
        let start = Instant::now();
        slow.observe(&asked(80), Verdict::Refused);
        probe.observe(&RateHeaders::default(), Verdict::Answered);
        drop((slow, probe));
        let _next = gate.enter().await;
        assert!(start.elapsed() >= 80 * MS);
    }

    #[tokio::test]
    async fn a_pause_is_kept_in_full_even_if_it_is_longer_than_any_wait_of_our_own() {
        let patience = Patience { longest_wait: MS, ..Patience::default() };
        let gate = Gate::new(4, patience);
        let first = gate.enter().await;
        let start = Instant::now();
        first.observe(&asked(60), Verdict::Refused);
        drop(first);
        let _probe = gate.enter().await;
        assert!(start.elapsed() >= 60 * MS);
        assert!(gate.is_strained());
    }

    #[tokio::test]
    async fn held_back_answers_halve_what_is_in_flight_and_good_ones_bring_it_back() {
        let gate = Gate::new(8, Patience::default());
        let delayed = RateHeaders { delay: Some(MS), ..RateHeaders::default() };
        let permit = gate.enter().await;
        permit.observe(&delayed, Verdict::Answered);
        permit.observe(&delayed, Verdict::Answered);
        assert_eq!(gate.limit(), 4, "one burst, one step");
        let scarce = RateHeaders { remaining_share: Some(0.2), ..RateHeaders::default() };
        for _ in 0..100 {
            permit.observe(&scarce, Verdict::Answered);
        }
        assert_eq!(gate.limit(), 4);
        for _ in 0..500 {
            permit.observe(&RateHeaders::default(), Verdict::Answered);
        }
        assert_eq!(gate.limit(), 8);
        let spent = RateHeaders {
            remaining_share: Some(0.0),
            reset: Some(Duration::from_secs(60)),
            ..RateHeaders::default()
        };
        permit.observe(&spent, Verdict::Answered);
        for _ in 0..100 {
            permit.observe(&RateHeaders::default(), Verdict::Answered);
        }
        assert_eq!(gate.limit(), 1, "until the budget is whole again");
    }

    #[tokio::test]
    async fn a_place_given_back_goes_to_a_waiter() {
        let gate = Gate::new(1, Patience::default());
        let first = gate.enter().await;
        let waiter = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { drop(gate.enter().await) }
        });
        tokio::task::yield_now().await;
        drop(first);
        waiter.await.unwrap();
    }
}
