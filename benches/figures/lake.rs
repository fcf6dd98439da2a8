//! What writing into the lake costs a sync.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::place::Place;
use crate::{Wanted, figure, line, title};

/// Pull requests that change between two syncs, about.
const CHANGED: u64 = 100;
/// Days over which the pull requests of a simulated organization are spread.
const DAYS: u64 = 36 * 30;
/// How often pull requests are changed and read.
const ROUNDS: usize = 5;

/// What the commits of a sync came to.
struct Commits {
    /// Time during which at least one was under way.
    seconds: f64,
    rows: u64,
    bytes: u64,
}

/// Measures the commits of a first sync, and of syncs after some pull requests have changed.
///
/// # Errors
/// When the simulator or a sync fails.
pub async fn measure(place: &Place) -> anyhow::Result<()> {
    title("commits, the simulator in a process of its own");
    let _simulator = place.simulate().await?;
    let (ran, events) = place.logged_sync()?;
    let first = commits(&events)?;
    print("first sync", ran.seconds, &first);
    let step = CHANGED * DAYS * 86_400 / place.size.pull_requests();
    let mut best: Option<f64> = None;
    for _ in 0..ROUNDS {
        place.advance(step).await?;
        let (ran, events) = place.logged_sync()?;
        let changed = commits(&events)?;
        print(&format!("sync after about {CHANGED} pull requests"), ran.seconds, &changed);
        best = Some(best.map_or(changed.seconds, |best| best.min(changed.seconds)));
    }
    figure(
        "commits : wall time of the first sync",
        first.seconds / ran.seconds,
        "",
        Wanted::AtMost(0.15),
    );
    if let Some(best) = best {
        figure("commits of a sync with some changes", best, " s", Wanted::AtMost(1.0));
    }
    Ok(())
}

fn print(name: &str, seconds: f64, commits: &Commits) {
    let (within, rows, kib) = (commits.seconds, commits.rows, commits.bytes / 1024);
    line(
        name,
        &format!(
            "{seconds:.2} s, of these {within:.2} s commits of {rows} rows, {kib} KiB written"
        ),
    );
}

/// Adds up the commits that a log tells; those at the same time count once.
fn commits(events: &[Value]) -> anyhow::Result<Commits> {
    let mut spans = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    for event in events.iter().filter(|event| event["fields"]["message"] == "committed") {
        let number =
            |name: &str| event["fields"][name].as_u64().context("a commit without figures");
        let end: DateTime<Utc> =
            event["timestamp"].as_str().context("an event without time")?.parse()?;
        let end = end.timestamp_micros();
        let took = i64::try_from(number("duration_us")?)?;
        spans.push((end - took, end));
        rows += number("rows")?;
        bytes += number("bytes")?;
    }
    spans.sort_unstable();
    let (mut micros, mut until) = (0, i64::MIN);
    for (begin, end) in spans {
        micros += (end - begin.max(until)).max(0);
        until = until.max(end);
    }
    Ok(Commits { seconds: micros as f64 / 1e6, rows, bytes })
}
