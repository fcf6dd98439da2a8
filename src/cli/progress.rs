//! Progress of a sync: events become a changing line per resource on a terminal, plain lines elsewhere; the same
//! events are logged.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output::{Output, Progress as Way, Style, paint};
use crate::event::{Event, Observer};

/// How often a resource that takes long gets a plain line.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often a pause is told at most.
const PAUSE_EVERY: Duration = Duration::from_secs(5);

/// An observer that shows what it is told.
pub struct Progress {
    output: Output,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    resources: HashMap<String, Resource>,
    paused_at: Option<Instant>,
    paused: Duration,
    retries: u64,
}

struct Resource {
    bar: Option<ProgressBar>,
    started: Instant,
    told: Instant,
    rows: u64,
    done: u64,
    total: u64,
}

impl Progress {
    /// Shows progress where `output` wants it.
    #[must_use]
    pub fn new(output: &Output) -> Self {
        Self { output: output.clone(), state: Mutex::new(State::default()) }
    }

    /// Returns how long all requests have been paused at Azure DevOps' wish so far.
    #[must_use]
    pub fn paused(&self) -> Duration {
        self.state().paused
    }

    /// Returns how many requests were sent again so far.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.state().retries
    }

    /// Takes the changing lines off the terminal.
    pub fn clear(&self) {
        for resource in self.state().resources.values() {
            if let Some(bar) = &resource.bar {
                bar.finish_and_clear();
            }
        }
        // Without a terminal there is nothing to take away.
        let _ = self.output.bars().clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn started(&self, state: &mut State, resource: &str) {
        let bar = (self.output.progress() == Way::Live).then(|| {
            let bar = self.output.bars().add(ProgressBar::no_length());
            bar.set_style(style("{spinner} {prefix:22} {msg}"));
            bar.set_prefix(resource.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let now = Instant::now();
        state.resources.insert(
            resource.to_owned(),
            Resource { bar, started: now, told: now, rows: 0, done: 0, total: 0 },
        );
    }

    fn progressed(&self, resource: &mut Resource, name: &str) {
        if let Some(bar) = &resource.bar {
            if resource.total > 0 {
                if bar.length().is_none() {
                    bar.set_style(style("{spinner} {prefix:22} {bar:20} {msg}"));
                }
                bar.set_length(resource.total);
                bar.set_position(resource.done);
            }
            bar.set_message(resource.sentence());
        } else if self.output.progress() == Way::Lines && resource.told.elapsed() >= LINE_EVERY {
            resource.told = Instant::now();
            self.output.say(&format!("{name}: {}", resource.sentence()));
        }
    }

    fn finished(&self, state: &mut State, event: &Event) {
        let Event::ResourceFinished { resource, rows, changed, requests, status, took, .. } = event
        else {
            return;
        };
        if let Some(bar) = state.resources.remove(resource).and_then(|resource| resource.bar) {
            bar.finish_and_clear();
            self.output.bars().remove(&bar);
        }
        if self.output.progress() == Way::None {
            return;
        }
        let colors = self.output.colors_talk();
        let (sign, look) = match status.as_str() {
            "ok" => ("✓", Style::Good),
            "skipped" => ("–", Style::Faint),
            _ => ("!", Style::Warn),
        };
        let worst = if status == "ok" { String::new() } else { format!(", {status}") };
        self.output.say_styled(&format!(
            "{} {resource:24} {:>9} rows, {} changed, {}{worst} {}",
            paint(colors, look, sign),
            grouped(*rows),
            grouped(*changed),
            counted(*requests, "request"),
            paint(colors, Style::Faint, &format!("({})", seconds(*took))),
        ));
    }

    fn throttled(&self, state: &mut State, longer: Duration, left: Duration) {
        state.paused += longer;
        let text = format!("waiting {}, as Azure DevOps asked", seconds(left));
        for bar in state.resources.values().filter_map(|resource| resource.bar.as_ref()) {
            bar.set_message(text.clone());
        }
        let is_due = state.paused_at.is_none_or(|at| at.elapsed() >= PAUSE_EVERY);
        if self.output.progress() == Way::Lines && is_due {
            state.paused_at = Some(Instant::now());
            self.output.say(&text);
        }
    }
}

impl Resource {
    /// Counts, rate and time left.
    fn sentence(&self) -> String {
        let elapsed = self.started.elapsed();
        let mut text = counted(self.rows, "row");
        if self.total > 0 {
            text.push_str(&format!(", {} of {}", grouped(self.done), grouped(self.total)));
        }
        if let Some(rate) = rate(self.rows, elapsed) {
            text.push_str(&format!(", {}/s", grouped(rate)));
        }
        if let Some(left) = time_left(self.done, self.total, elapsed) {
            text.push_str(&format!(", {} left", seconds(left)));
        }
        text
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event) {
        log(event);
        let mut state = self.state();
        match event {
            Event::ResourceStarted { resource, .. } => self.started(&mut state, resource),
            Event::Expected { resource, total } => {
                if let Some(known) = state.resources.get_mut(resource) {
                    known.total = *total;
                    self.progressed(known, resource);
                }
            }
            Event::Progress { resource, rows, done } => {
                if let Some(known) = state.resources.get_mut(resource) {
                    known.rows += rows;
                    known.done += done;
                    self.progressed(known, resource);
                }
            }
            Event::ResourceFinished { .. } => self.finished(&mut state, event),
            Event::Throttled { longer, left } => self.throttled(&mut state, *longer, *left),
            Event::Retried { .. } => state.retries += 1,
            Event::Warning { message } => self.output.warn(message),
            Event::Committed { .. } => {}
        }
    }
}

/// The same events for `--log-level`.
fn log(event: &Event) {
    match event {
        Event::ResourceStarted { organization, resource } => {
            tracing::info!(organization, resource, "reading");
        }
        Event::Expected { resource, total } => tracing::debug!(resource, total, "expecting"),
        Event::Progress { resource, rows, done } => {
            tracing::trace!(resource, rows, done, "read");
        }
        Event::ResourceFinished {
            organization,
            resource,
            rows,
            changed,
            requests,
            status,
            took,
        } => {
            let duration_ms = millis(*took);
            tracing::info!(
                organization,
                resource,
                rows,
                changed,
                requests,
                status,
                duration_ms,
                "finished"
            );
        }
        Event::Throttled { left, .. } => {
            tracing::info!(pause_ms = millis(*left), "paused, as asked");
        }
        Event::Retried { url, attempt, reason } => {
            tracing::info!(url, attempt, reason, "sending again")
        }
        Event::Committed { table, version, rows, bytes, took } => {
            let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            tracing::debug!(table, version, rows, bytes, duration_us, "committed");
        }
        // Told on stderr anyway.
        Event::Warning { message } => tracing::info!(message, "warning"),
    }
}

/// Milliseconds as a number that every form of the log can hold.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("━━╌")
}

fn rate(count: u64, elapsed: Duration) -> Option<u64> {
    let millis = u64::try_from(elapsed.as_millis()).ok()?;
    (millis >= 500).then(|| count.saturating_mul(1_000) / millis)
}

/// Extrapolates, once there is something to go by.
fn time_left(done: u64, total: u64, elapsed: Duration) -> Option<Duration> {
    if done == 0 || done >= total || elapsed < Duration::from_secs(2) {
        return None;
    }
    let per_unit = elapsed.as_secs_f64() / done as f64;
    Duration::try_from_secs_f64(per_unit * (total - done) as f64).ok()
}

/// Writes a number with commas.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number with its noun.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// Writes a span of time for people.
#[must_use]
pub fn seconds(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "request"), "1 request");
    }

    #[test]
    fn spans_are_short() {
        assert_eq!(seconds(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(75)), "75 s");
        assert_eq!(seconds(Duration::from_secs(300)), "5 min");
        assert_eq!(seconds(Duration::from_secs(9_000)), "2 h 30 min");
    }

    #[test]
    fn time_left_needs_something_to_go_by() {
        assert_eq!(time_left(0, 10, Duration::from_secs(5)), None);
        assert_eq!(time_left(5, 10, Duration::from_secs(5)), Some(Duration::from_secs(5)));
        assert_eq!(time_left(10, 10, Duration::from_secs(5)), None);
    }
}
