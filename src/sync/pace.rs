//! Readers of one past side by side: whoever is far ahead waits for the others, so that what is written together is of
//! the same months, and goes into few files.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Days, Utc};
use tokio::sync::Notify;

/// Days by which a reader may be ahead of the last one.
const AHEAD_DAYS: u64 = 92;

/// Where all readers are; they go from newest to oldest.
#[derive(Debug, Default)]
pub(super) struct Pace {
    places: Mutex<Places>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct Places {
    next: usize,
    at: HashMap<usize, DateTime<Utc>>,
}

/// A reader among others; it leaves them when it is dropped.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pace: &'a Pace,
    number: usize,
}

impl Pace {
    /// Adds a reader that begins at an instant.
    pub(super) fn join(&self, at: DateTime<Utc>) -> Reader<'_> {
        let mut places = self.places();
        let number = places.next;
        places.next += 1;
        places.at.insert(number, at);
        Reader { pace: self, number }
    }

    /// Returns whether a reader is as far ahead as it may be, or less. The last one of all always is.
    fn is_due(&self, number: usize, at: DateTime<Utc>) -> bool {
        let places = self.places();
        let others = places.at.iter().filter(|(other, _)| **other != number);
        let last = others.map(|(_, at)| *at).max();
        last.and_then(|last| last.checked_sub_days(Days::new(AHEAD_DAYS)))
            .is_none_or(|limit| at >= limit)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader<'_> {
    /// Says that what lies before an instant comes next, and waits until it may.
    pub(super) async fn reach(&self, at: DateTime<Utc>) {
        self.pace.places().at.insert(self.number, at);
        self.pace.moved.notify_waiters();
        loop {
            // Whoever moves after this line wakes it up.
            let moved = self.pace.moved.notified();
            if self.pace.is_due(self.number, at) {
                return;
            }
            moved.await;
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.pace.places().at.remove(&self.number);
        self.pace.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(86_400 * day.unsigned_abs())
    }

    #[tokio::test]
    async fn whoever_is_ahead_waits_until_the_last_one_has_moved_or_left() {
        let pace = Pace::default();
        let (fast, slow, third) = (pace.join(day(900)), pace.join(day(900)), pace.join(day(900)));
        assert!(fast.reach(day(810)).now_or_never().is_some());
        let mut ahead = Box::pin(fast.reach(day(600)));
        assert!(ahead.as_mut().now_or_never().is_none());
        // Two are behind it: that one of them moves is not enough.
        assert!(slow.reach(day(650)).now_or_never().is_none());
        assert!(third.reach(day(800)).now_or_never().is_some());
        assert!(ahead.as_mut().now_or_never().is_none());
        drop(third);
        ahead.await;
    }
}
