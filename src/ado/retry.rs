//! Which answers are tried again, and after how long.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;

/// How patient a client is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Attempts at a call that fails by itself: 5xx, resets, timeouts, cut answers.
    pub attempts: u32,
    /// Attempts at a call that is throttled.
    pub throttled_attempts: u32,
    /// Wait before the second attempt, doubled from then on.
    pub first_wait: Duration,
    /// Longest wait of our own between two attempts.
    pub longest_wait: Duration,
    /// Longest pause that the service may ask for; shorter ones are kept in full.
    pub longest_pause: Duration,
    /// Patience with a single attempt; Azure DevOps alone may delay an answer by 30 s.
    pub timeout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 6,
            throttled_attempts: 12,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(300),
            longest_pause: Duration::from_secs(3600),
            timeout: Duration::from_secs(100),
        }
    }
}

impl Patience {
    /// Returns the wait before attempt `failed + 1`: doubled each time, half of it left to chance, capped.
    pub(super) fn backoff(&self, failed: u32) -> Duration {
        let doubled = self.first_wait.saturating_mul(1_u32 << failed.saturating_sub(1).min(20));
        let whole = doubled.min(self.longest_wait);
        whole / 2 + (whole / 2).mul_f64(chance())
    }
}

/// A number from 0 to 1; spreads retries, needs no quality.
fn chance() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 32;
    bits as f64 / f64::from(u32::MAX)
}

/// What an answer says about the identity's budget.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct RateHeaders {
    /// `Retry-After`: send nothing before that.
    pub retry_after: Option<Duration>,
    /// `X-RateLimit-Delay`: by how much this answer was held back.
    pub delay: Option<Duration>,
    /// `X-RateLimit-Remaining` divided by `X-RateLimit-Limit`.
    pub remaining_share: Option<f64>,
    /// `X-RateLimit-Reset`, from now: when the budget is whole again if nothing is sent.
    pub reset: Option<Duration>,
}

impl RateHeaders {
    /// Reads the headers; `now` is the time of the answer, for a `Retry-After` that names a date.
    pub(super) fn read(headers: &HeaderMap, now: Option<DateTime<Utc>>) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let number = |name: &str| text(name)?.parse::<f64>().ok().filter(|n| n.is_finite());
        let seconds = |value: f64| Duration::try_from_secs_f64(value.max(0.0)).ok();
        let retry_after = number("retry-after").and_then(seconds).or_else(|| {
            let date = DateTime::parse_from_rfc2822(text("retry-after")?).ok()?;
            (date.to_utc() - now?).to_std().ok()
        });
        let limit = number("x-ratelimit-limit").filter(|limit| *limit > 0.0);
        Self {
            retry_after,
            delay: number("x-ratelimit-delay").and_then(seconds).filter(|wait| !wait.is_zero()),
            remaining_share: number("x-ratelimit-remaining").zip(limit).map(|(left, of)| left / of),
            reset: number("x-ratelimit-reset").and_then(|epoch| {
                let reset = DateTime::from_timestamp(epoch as i64, 0)?;
                (reset - now?).to_std().ok()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap() {
        let patience = Patience::default();
        for (failed, whole_ms) in [(1, 500), (2, 1_000), (5, 8_000), (30, 300_000)] {
            let wait = patience.backoff(failed);
            assert!(wait >= Duration::from_millis(whole_ms / 2), "{failed}: {wait:?}");
            assert!(wait <= Duration::from_millis(whole_ms), "{failed}: {wait:?}");
        }
    }

    #[test]
    fn headers_are_read_in_any_form() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("Retry-After", "1.5"),
            ("X-RateLimit-Delay", "0.25"),
            ("X-RateLimit-Remaining", "50"),
            ("X-RateLimit-Limit", "200"),
            ("X-RateLimit-Reset", "1767323055"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let rate = RateHeaders::read(&headers, None);
        assert_eq!(rate.retry_after, Some(Duration::from_millis(1500)));
        assert_eq!(rate.delay, Some(Duration::from_millis(250)));
        assert_eq!(rate.remaining_share, Some(0.25));

        let now = DateTime::parse_from_rfc3339("2026-01-02T03:04:05Z").unwrap().to_utc();
        headers.insert("Retry-After", "Fri, 02 Jan 2026 03:04:15 GMT".parse().unwrap());
        let rate = RateHeaders::read(&headers, Some(now));
        assert_eq!(rate.retry_after, Some(Duration::from_secs(10)));
        assert_eq!(rate.reset, Some(Duration::from_secs(10)));
        headers.insert("Retry-After", "soon".parse().unwrap());
        assert_eq!(RateHeaders::read(&headers, Some(now)).retry_after, None);
    }
}
