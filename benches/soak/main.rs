//! A siege of hours, or of minutes: every profile of faults, kills in a row, pairs at once, all with seeds.
//!
//! ```text
//! cargo bench --bench soak [-- --seeds 1,2,3 --kills 100 --pairs 20 --size tiny --profile flaky]
//! ```
//!
//! After each disturbance the lake is compared row by row with that of an undisturbed sync of the same organization.
//! At the end, requests are counted beside what they should be. It fails when a lake differs.

mod budget;
#[path = "../../tests/it/support/siege.rs"]
mod siege;

use std::time::{Duration, Instant};

use adolake::simulator::{Faults, Options, PROFILES, Simulator, Size};
use anyhow::{Context as _, ensure};
use clap::Parser;

use siege::{Content, Dice, End, Place, differences};

/// Profiles that leave something unread, so that another sync has to fill it in.
const LEAVE_GAPS: [&str; 2] = ["hidden", "broken-answers"];
/// Profiles after which the lake holds other values: they only must end in order.
const OTHER_VALUES: [&str; 1] = ["strange-values"];
/// Profiles after which answers stand in the lake in other words, or cut into other pages.
const OTHER_WORDS: [&str; 3] = ["odd-answers", "restless-pages", "everything"];
const DAY: Duration = Duration::from_secs(86_400);

/// Disturbs syncs and compares what they leave behind.
#[derive(Debug, Parser)]
struct Args {
    /// Seeds of the faults, kills and pairs
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Kills in a row, for every seed
    #[arg(long, default_value_t = 100)]
    kills: u64,
    /// Pairs of syncs at the same time, for every seed
    #[arg(long, default_value_t = 20)]
    pairs: u64,
    /// How large the organization is
    #[arg(long, default_value = "tiny")]
    size: Size,
    /// Only these profiles of faults
    #[arg(long)]
    profile: Vec<String>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What all disturbances have in common.
struct Soak {
    simulator: Simulator,
    calm: Content,
    requests: u64,
    failures: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let options = Options { size: args.size, ..Options::default() };
    let simulator = Simulator::start(options).await?;
    let (place, begun) = (Place::new(&simulator), Instant::now());
    ensure!(place.synced(&simulator).await.status.success(), "the undisturbed sync failed");
    let (requests, took) = (simulator.arrived(), begun.elapsed().as_secs_f64());
    println!("size {}: an undisturbed sync takes {requests} requests, {took:.1} s\n", args.size);
    println!(
        "  {:<16}{:>5}{:>10}{:>9}{:>8}{:>6}  lake",
        "disturbance", "seed", "requests", "faults", "s", "exit"
    );
    let calm = place.content().await;
    let mut soak = Soak { simulator, calm, requests, failures: 0 };
    for seed in &args.seeds {
        for (profile, ..) in PROFILES {
            if args.profile.is_empty() || args.profile.iter().any(|wanted| wanted == profile) {
                soak.profile(profile, *seed).await?;
            }
        }
    }
    for seed in &args.seeds {
        soak.kills(args.kills, *seed).await?;
    }
    for seed in &args.seeds {
        soak.pairs(args.pairs, *seed).await?;
    }
    budget::compare(&soak.simulator).await?;
    ensure!(soak.failures == 0, "{} disturbances left another lake", soak.failures);
    Ok(())
}

impl Soak {
    /// Reads everything while answers go wrong, and once more where something was left out.
    async fn profile(&mut self, profile: &str, seed: u64) -> anyhow::Result<()> {
        let faults: Faults = format!("{profile},seed={seed}").parse()?;
        let place = Place::new(&self.simulator);
        let (from, begun) = (self.simulator.arrived(), Instant::now());
        self.simulator.disturb(faults);
        let output = place.synced(&self.simulator).await;
        let shown: u64 = self.simulator.faults_shown().values().sum();
        let manners = self.simulator.manners();
        self.simulator.disturb(Faults::default());
        let code = output.status.code().context("the sync was killed")?;
        let wanted = if LEAVE_GAPS.contains(&profile) { 4 } else { 0 };
        if wanted == 4 {
            ensure!(place.synced(&self.simulator).await.status.success(), "the second sync failed");
        }
        let mut problems = if OTHER_VALUES.contains(&profile) || profile == "hidden" {
            // Timelines that are gone stay away.
            String::new()
        } else {
            self.differences(&place, OTHER_WORDS.contains(&profile)).await
        };
        if code != wanted {
            problems =
                format!("exit {code}: {}\n{problems}", String::from_utf8_lossy(&output.stderr));
        }
        if manners.probes_at_once > 1 {
            problems
                .push_str(&format!("{} probes at once after a refusal\n", manners.probes_at_once));
        }
        let requests = self.simulator.arrived() - from;
        self.tell(profile, seed, requests, &shown.to_string(), begun, &code.to_string(), &problems);
        Ok(())
    }

    /// Kills syncs of one lake in a row, then reads to the end.
    async fn kills(&mut self, count: u64, seed: u64) -> anyhow::Result<()> {
        let (place, mut dice) = (Place::new(&self.simulator), Dice::new(seed));
        let (from, begun) = (self.simulator.arrived(), Instant::now());
        let mut killed = 0;
        for _ in 0..count {
            let requests = dice.between(1, (self.requests * 3 / count).max(120));
            let delay = Duration::from_millis(dice.between(0, 80));
            let end = place.killed(&self.simulator, requests, delay).await;
            killed += u64::from(end == End::Killed);
        }
        let output = place.synced(&self.simulator).await;
        let code = output.status.code().context("the last sync was killed")?;
        let problems = self.differences(&place, false).await;
        let requests = self.simulator.arrived() - from;
        let name = format!("{killed} kills");
        self.tell(&name, seed, requests, "", begun, &code.to_string(), &problems);
        Ok(())
    }

    /// Runs two syncs of one lake at the same time, day by day, beside single ones of another lake.
    async fn pairs(&mut self, count: u64, seed: u64) -> anyhow::Result<()> {
        let (single, pair) = (Place::new(&self.simulator), Place::new(&self.simulator));
        let (from, begun, mut dice) = (self.simulator.arrived(), Instant::now(), Dice::new(seed));
        let mut problems = String::new();
        for round in 0..count {
            ensure!(single.synced(&self.simulator).await.status.success(), "a single sync failed");
            let (arrived, later) = (self.simulator.arrived(), dice.between(0, 150));
            let (first, second) = tokio::join!(pair.synced(&self.simulator), async {
                self.simulator.wait_for(arrived + later).await;
                pair.synced(&self.simulator).await
            });
            let found = differences(&single.content().await, &pair.content().await);
            if !found.is_empty() || !first.status.success() || !second.status.success() {
                problems.push_str(&format!(
                    "pair {round}: {} and {}\n{found}",
                    first.status, second.status
                ));
            }
            self.simulator.advance(DAY);
        }
        let requests = self.simulator.arrived() - from;
        self.tell(&format!("{count} pairs"), seed, requests, "", begun, "", &problems);
        // The organization has lived on: later comparisons need what it is now.
        let place = Place::new(&self.simulator);
        ensure!(
            place.synced(&self.simulator).await.status.success(),
            "the undisturbed sync failed"
        );
        self.calm = place.content().await;
        Ok(())
    }

    async fn differences(&self, place: &Place, has_other_words: bool) -> String {
        let (mut expected, mut found) = (self.calm.clone(), place.content().await);
        if has_other_words {
            expected.remove("raw_answers");
            found.remove("raw_answers");
        }
        differences(&expected, &found)
    }

    #[expect(clippy::too_many_arguments, reason = "a line of a table")]
    fn tell(
        &mut self,
        name: &str,
        seed: u64,
        requests: u64,
        faults: &str,
        begun: Instant,
        code: &str,
        problems: &str,
    ) {
        let (mark, verdict) =
            if problems.is_empty() { ('✓', "the same") } else { ('✗', "ANOTHER") };
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{mark} {name:<16}{seed:>5}{requests:>10}{faults:>9}{seconds:>8.1}{code:>6}  {verdict}"
        );
        if !problems.is_empty() {
            self.failures += 1;
            println!("{problems}");
        }
    }
}
