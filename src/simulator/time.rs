//! Points in time as Azure DevOps writes them: UTC with up to seven fractional digits.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// Ticks of 100 ns in one second.
pub(crate) const SECOND: i64 = 10_000_000;
/// Ticks in one minute.
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// Ticks in one hour.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// Ticks in one day.
pub(crate) const DAY: i64 = 24 * HOUR;

/// An instant in ticks of 100 ns since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time(pub(crate) i64);

impl Time {
    /// Later than everything that ever happens here.
    pub(crate) const NEVER: Time = Time(i64::MAX);

    /// The last second that times in answers can tell.
    pub(crate) const LAST: Time = Time(253_402_300_799 * SECOND);

    /// Returns this instant moved by `ticks`.
    pub(crate) const fn plus(self, ticks: i64) -> Time {
        Time(self.0.saturating_add(ticks))
    }

    /// Returns the instant of `chrono`'s value.
    pub(crate) fn of(at: DateTime<Utc>) -> Time {
        Time(at.timestamp() * SECOND + i64::from(at.timestamp_subsec_nanos() / 100))
    }

    /// Returns `chrono`'s value of this instant.
    pub(crate) fn to_utc(self) -> DateTime<Utc> {
        let nanos = u32::try_from(self.0.rem_euclid(SECOND) * 100).unwrap_or(0);
        DateTime::from_timestamp(self.0.div_euclid(SECOND), nanos).unwrap_or_default()
    }

    /// Reads a time as clients send it: RFC 3339, without an offset (UTC), or a bare day.
    pub(crate) fn parse(text: &str) -> Option<Time> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(Time::of(at.with_timezone(&Utc)));
        }
        if let Ok(at) = text.parse::<NaiveDateTime>() {
            return Some(Time::of(at.and_utc()));
        }
        let day = text.parse::<NaiveDate>().ok()?;
        Some(Time::of(day.and_hms_opt(0, 0, 0)?.and_utc()))
    }

    /// Days since 1970-01-01.
    pub(crate) const fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// Whether the day is a Saturday or a Sunday.
    pub(crate) const fn is_weekend(self) -> bool {
        // 1970-01-01 was a Thursday: day 0 is 3 when Monday is 0.
        (self.day() + 3).rem_euclid(7) >= 5
    }

    /// Appends the text form to `out`; trailing zeros of the fraction are left out as .NET does.
    pub(crate) fn write(self, out: &mut String) {
        let (year, month, day) = civil(self.day());
        let rest = self.0.rem_euclid(DAY);
        digits(out, year, 4);
        out.push('-');
        digits(out, month, 2);
        out.push('-');
        digits(out, day, 2);
        out.push('T');
        digits(out, rest / HOUR, 2);
        out.push(':');
        digits(out, rest / MINUTE % 60, 2);
        out.push(':');
        digits(out, rest / SECOND % 60, 2);
        let fraction = rest % SECOND;
        if fraction > 0 {
            out.push('.');
            let start = out.len();
            digits(out, fraction, 7);
            while out.len() > start && out.ends_with('0') {
                out.pop();
            }
        }
        out.push('Z');
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(28);
        self.write(&mut text);
        f.write_str(&text)
    }
}

/// Appends `value` with leading zeros up to `width` digits.
fn digits(out: &mut String, value: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = value / 10_i64.pow(place) % 10;
        out.push(char::from(b'0' + u8::try_from(digit.rem_euclid(10)).unwrap_or(0)));
    }
}

/// Year, month and day of a day number (Gregorian calendar; Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_agree_with_chrono() {
        for text in
            ["2026-10-01T08:00:00Z", "2024-02-29T23:59:59.0413914Z", "1999-12-31T00:00:01.5Z"]
        {
            let at = Time::parse(text).unwrap();
            assert_eq!(at.to_string(), text);
            assert_eq!(Time::of(at.to_utc()), at);
        }
        assert_eq!(Time::parse("2026-10-03"), Time::parse("2026-10-03T00:00:00"));
        assert!(Time::parse("2026-10-03").unwrap().is_weekend());
        assert!(Time::parse("soon").is_none());
    }
}
