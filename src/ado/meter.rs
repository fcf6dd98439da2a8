//! Counts what an extraction costs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of one extraction, added to by every clone of a client that carries it.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    pages: AtomicU64,
    rows: AtomicU64,
    retries: AtomicU64,
    throttled_us: AtomicU64,
}

/// What a [`Meter`] showed at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Requests sent, repeated ones included.
    pub requests: u64,
    /// Pages that held rows.
    pub pages: u64,
    /// Rows of lists, and objects asked for one by one.
    pub rows: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Time spent waiting because Azure DevOps asked for it, seconds.
    pub throttled_s: f64,
}

impl Meter {
    /// Returns the counters.
    pub fn counts(&self) -> Counts {
        Counts {
            requests: self.requests.load(Ordering::Relaxed),
            pages: self.pages.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            throttled_s: Duration::from_micros(self.throttled_us.load(Ordering::Relaxed))
                .as_secs_f64(),
        }
    }

    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn page(&self, rows: usize) {
        if rows > 0 {
            self.pages.fetch_add(1, Ordering::Relaxed);
            self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn object(&self) {
        self.rows.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn throttled(&self, wait: Duration) {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.throttled_us.fetch_add(micros, Ordering::Relaxed);
    }
}
