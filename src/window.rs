//! Spans of a resource's time: what was read, and what is still to be read.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, Utc};

/// A closed span of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First instant.
    pub from: DateTime<Utc>,
    /// Last instant; never before `from`.
    pub to: DateTime<Utc>,
}

impl Window {
    /// Returns the span between two instants, whichever comes first.
    pub fn new(a: DateTime<Utc>, b: DateTime<Utc>) -> Self {
        Self { from: a.min(b), to: a.max(b) }
    }

    /// Returns whether the instant lies inside, ends included.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at <= self.to
    }

    /// Returns the months (as their first instants) that this span touches, oldest first.
    pub fn months(&self) -> Vec<DateTime<Utc>> {
        let mut months = vec![month_start(self.from)];
        while let Some(next) =
            months.last().map(|last| next_month(*last)).filter(|next| *next <= self.to)
        {
            months.push(next);
        }
        months
    }
}

/// A set of spans, sorted, disjoint and not touching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// Returns the spans, oldest first.
    pub fn as_slice(&self) -> &[Window] {
        &self.0
    }

    /// Adds a span, joining it with those that it overlaps or touches.
    pub fn add(&mut self, window: Window) {
        let mut joined = window;
        self.0.retain(|old| {
            let apart = old.to < joined.from || joined.to < old.from;
            if !apart {
                joined = Window { from: old.from.min(joined.from), to: old.to.max(joined.to) };
            }
            apart
        });
        let position = self.0.partition_point(|old| old.from < joined.from);
        self.0.insert(position, joined);
    }

    /// Returns the parts of `whole` that no span covers, oldest first.
    pub fn gaps(&self, whole: Window) -> Vec<Window> {
        let mut gaps = Vec::new();
        let mut from = whole.from;
        let mut is_done = false;
        for window in self.0.iter().filter(|w| w.to >= whole.from && w.from <= whole.to) {
            if window.from > from {
                gaps.push(Window { from, to: window.from });
            }
            from = from.max(window.to);
            is_done = window.to >= whole.to;
        }
        if !is_done && from <= whole.to {
            gaps.push(Window { from, to: whole.to });
        }
        gaps
    }

    /// Returns the last instant up to which everything since the first span is covered without a hole.
    pub fn position(&self) -> Option<DateTime<Utc>> {
        self.0.first().map(|window| window.to)
    }
}

impl FromIterator<Window> for Windows {
    fn from_iter<I: IntoIterator<Item = Window>>(windows: I) -> Self {
        let mut set = Self::default();
        windows.into_iter().for_each(|window| set.add(window));
        set
    }
}

/// Returns the first instant of the month of `at`, UTC.
pub fn month_start(at: DateTime<Utc>) -> DateTime<Utc> {
    let first =
        NaiveDate::from_ymd_opt(at.year(), at.month(), 1).unwrap_or_else(|| at.date_naive());
    first.and_time(NaiveTime::MIN).and_utc()
}

/// Returns the first instant of the month after that of `at`, UTC.
pub fn next_month(at: DateTime<Utc>) -> DateTime<Utc> {
    month_start(at).checked_add_months(Months::new(1)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Returns the month of an instant as partitions name it, `YYYY-MM`, UTC.
pub fn month_of(at: DateTime<Utc>) -> String {
    format!("{:04}-{:02}", at.year(), at.month())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn window(from: i64, to: i64) -> Window {
        Window::new(at(from), at(to))
    }

    #[test]
    fn adding_joins_what_overlaps_or_touches() {
        let windows: Windows =
            [window(10, 20), window(40, 50), window(20, 30), window(45, 60)].into_iter().collect();
        assert_eq!(windows.as_slice(), [window(10, 30), window(40, 60)]);
    }

    #[test]
    fn gaps_are_what_is_not_covered() {
        let windows: Windows = [window(10, 20), window(30, 40)].into_iter().collect();
        assert_eq!(windows.gaps(window(0, 50)), [window(0, 10), window(20, 30), window(40, 50)]);
        assert_eq!(windows.gaps(window(12, 18)), []);
        assert_eq!(windows.gaps(window(12, 25)), [window(20, 25)]);
        assert_eq!(Windows::default().gaps(window(1, 2)), [window(1, 2)]);
        assert_eq!(windows.gaps(window(20, 30)), [window(20, 30)]);
    }

    #[test]
    fn months_are_named_as_partitions() {
        let november = DateTime::parse_from_rfc3339("2025-11-30T23:59:59Z").unwrap().to_utc();
        let span = Window::new(november, november + chrono::Duration::days(40));
        let names: Vec<String> = span.months().into_iter().map(month_of).collect();
        assert_eq!(names, ["2025-11", "2025-12", "2026-01"]);
    }
}
