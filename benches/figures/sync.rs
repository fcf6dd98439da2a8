//! How fast an organization is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::place::{Place, TOKEN};
use crate::process::{Ran, processor_time, run};
use crate::{Wanted, figure, line, title};

/// What a sync did.
struct Synced {
    ran: Ran,
    requests: f64,
}

impl Synced {
    fn rate(&self) -> f64 {
        self.requests / self.ran.seconds
    }

    fn print(&self, name: &str) {
        let (requests, seconds) = (self.requests, self.ran.seconds);
        line(
            name,
            &format!("{requests} requests in {seconds:.2} s, {:.0} per second", self.rate()),
        );
    }
}

/// Reads the organization into the lake and its addresses with a bare client, in turns, and once more without a change.
///
/// # Errors
/// When the simulator or a sync fails.
pub async fn measure(place: &Place, times: usize) -> anyhow::Result<()> {
    title("sync, the simulator in a process of its own");
    ensure!(!place.has_lake(), "there is a lake in `{}` already", place.folder.display());
    let simulator = place.simulate().await?;
    // Which addresses a first sync asks for is told by one that is not measured.
    let addresses = Arc::new(addresses(place)?);
    let work_of = |process: &str| processor_time(process).unwrap_or(f64::NAN);
    let served = || work_of(&simulator.0.id().to_string());
    let (mut firsts, mut bare) = (Vec::new(), 0.0_f64);
    for round in 0..times {
        // To remove its files would keep the file system busy while the next ones are written.
        let lake = place.folder.join("lake");
        std::fs::rename(&lake, lake.with_extension(round.to_string()))?;
        let begun = served();
        let first = sync(place)?;
        first.print("first sync");
        print_work(first.ran.work.unwrap_or(f64::NAN), served() - begun);
        firsts.push(first);
        let begun = (work_of("self"), served());
        bare = bare.max(bare_rate(place, &addresses).await?);
        print_work(work_of("self") - begun.0, served() - begun.1);
    }
    let best = firsts.iter().max_by(|a, b| a.rate().total_cmp(&b.rate()));
    let first = best.context("nothing was measured")?;
    let second = sync(place)?;
    second.print("second sync, nothing new");
    drop(simulator);
    figure("rate of the first sync : bare client", first.rate() / bare, "", Wanted::AtLeast(0.5));
    figure(
        "requests of the second : first sync",
        second.requests / first.requests,
        "",
        Wanted::AtMost(0.05),
    );
    figure(
        "time of the second : first sync",
        second.ran.seconds / first.ran.seconds,
        "",
        Wanted::AtMost(0.05),
    );
    if let Some(peak) = firsts.iter().filter_map(|first| first.ran.peak).reduce(f64::max) {
        figure("peak memory of the first sync", peak, " MiB", Wanted::AtMost(1024.0));
    }
    Ok(())
}

/// Prints how much processors worked on both sides.
fn print_work(client: f64, simulator: f64) {
    let told = format!("{client:.1} s, the simulator {simulator:.1} s");
    line("  its work on all processors", &told);
}

/// Reads the organization into the lake.
///
/// # Errors
/// When the simulator or the sync fails.
pub async fn fill(place: &Place) -> anyhow::Result<()> {
    let _simulator = place.simulate().await?;
    sync(place)?.print("the lake was filled");
    Ok(())
}

fn sync(place: &Place) -> anyhow::Result<Synced> {
    let ran = run(&mut place.command(&["--quiet", "sync", "--format", "json"]), &place.folder)?;
    let report: serde_json::Value = serde_json::from_str(&ran.stdout)?;
    let requests =
        report["run"]["requests"].as_f64().context("the sync does not tell its requests")?;
    Ok(Synced { ran, requests })
}

/// Fetches the addresses as fast as an HTTP client can; answers per second.
async fn bare_rate(place: &Place, urls: &Arc<Vec<String>>) -> anyhow::Result<f64> {
    let concurrency = place.config(None)?.sync.concurrency;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..concurrency {
        let (urls, client, next) = (Arc::clone(urls), client.clone(), Arc::clone(&next));
        workers.spawn(async move {
            while let Some(url) = urls.get(next.fetch_add(1, Ordering::Relaxed)) {
                let answer = client.get(url).basic_auth("", Some(TOKEN)).send().await?;
                answer.bytes().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = workers.join_next().await {
        done??;
    }
    let (requests, seconds) = (urls.len() as f64, started.elapsed().as_secs_f64());
    let rate = requests / seconds;
    line(
        "bare client, same addresses",
        &format!("{requests} requests in {seconds:.2} s, {rate:.0} per second"),
    );
    Ok(rate)
}

/// The addresses that a first sync gets, in the order in which it asks for them.
fn addresses(place: &Place) -> anyhow::Result<Vec<String>> {
    let (_, events) = place.logged_sync()?;
    let gets = events.iter().filter(|event| event["fields"]["method"] == "GET");
    let urls: Vec<String> =
        gets.filter_map(|event| event["fields"]["address"].as_str().map(str::to_owned)).collect();
    ensure!(!urls.is_empty(), "the log names no address");
    Ok(urls)
}
