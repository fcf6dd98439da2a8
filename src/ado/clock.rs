//! The clock of the service, read from the `Date` headers of its answers.
//!
//! Nothing that is stored depends on the clock of this machine. An answer without the header gets the time of the
//! latest one that had it, moved on by the monotonic clock; before the first such answer there is no time at all.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

#[derive(Debug, Default)]
pub(super) struct ServiceClock {
    known: Mutex<Option<Known>>,
    refused: Mutex<Option<DateTime<Utc>>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    first: DateTime<Utc>,
    latest: DateTime<Utc>,
    at: Instant,
}

impl ServiceClock {
    /// Takes the `Date` of an answer that is data and returns the time of that answer.
    ///
    /// Other answers may come from a proxy on the way, whose clock is not that of the service.
    pub(super) fn read(&self, date: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let Some(date) = date else { return self.now() };
        let mut known = self.lock();
        let first = known.map_or(date, |known| known.first);
        *known = Some(Known { first, latest: date, at: Instant::now() });
        Some(date)
    }

    /// Takes notice of when the service itself gave an answer that is no data.
    pub(super) fn refuse(&self, date: Option<DateTime<Utc>>) {
        if date.is_some() {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = date;
        }
    }

    /// Returns the time of the latest answer of the service that was no data.
    pub(super) fn refused(&self) -> Option<DateTime<Utc>> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time of the service as far as it can be told.
    pub(super) fn now(&self) -> Option<DateTime<Utc>> {
        let known = (*self.lock())?;
        let passed = TimeDelta::from_std(known.at.elapsed()).unwrap_or_default();
        known.latest.checked_add_signed(passed)
    }

    /// Returns the time of the first dated answer.
    pub(super) fn first(&self) -> Option<DateTime<Utc>> {
        self.lock().map(|known| known.first)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a `Date` header.
pub(super) fn date_of(header: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(header).ok().map(|date| date.to_utc())
}
