//! Lakes on real object stores, which `tests/servers.sh` starts; where one is not there its tests say so and stop.

mod access;

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Duration;

use adolake::lake::Care;
use adolake::simulator::{Options, Simulator};
use uuid::Uuid;

use crate::engines;
use crate::support::proxy::{Asked, Proxy};
use crate::support::siege::{Content, Dice, End, Place, differences};

/// The key that Azurite and every emulator before it has.
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// Kills in a row.
const KILLS: usize = 6;
/// Requests to the store that may go wrong: one in so many.
const ONE_IN: u64 = 9;
/// Requests to the store that a sync may take while little has changed.
const MOST_REQUESTS: u64 = 500;
/// Requests of a table without changes.
const MOST_UNCHANGED: u64 = 4;
/// Requests of a table with changes.
const MOST_CHANGED: u64 = 40;
const DAY: Duration = Duration::from_secs(86_400);

/// A store to test against.
struct Store {
    address: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Azurite,
    /// Over TLS; it takes tokens.
    AzuriteTls,
    Moto,
    S3rver,
}

impl Kind {
    fn variable(self) -> &'static str {
        match self {
            Self::Azurite => "ADOLAKE_AZURITE",
            Self::AzuriteTls => "ADOLAKE_AZURITE_TLS",
            Self::Moto => "ADOLAKE_MOTO",
            Self::S3rver => "ADOLAKE_S3RVER",
        }
    }
}

impl Store {
    /// Finds the store; none where it was not started.
    fn find(kind: Kind) -> Option<Self> {
        let address = std::env::var(kind.variable()).ok();
        if address.is_none() {
            eprintln!("SKIPPED: {} is not set: tests/servers.sh starts it", kind.variable());
        }
        address.map(|address| Self { address, kind })
    }

    /// The same store, as a proxy before it shows it.
    fn behind(&self, proxy: &Proxy) -> Self {
        Self { address: proxy.url.clone(), kind: self.kind }
    }

    /// A new address, with signs in it that addresses have to escape.
    fn url(&self) -> String {
        let is_azure = matches!(self.kind, Kind::Azurite | Kind::AzuriteTls);
        let scheme = if is_azure { "az" } else { "s3" };
        format!("{scheme}://lake/{}/a b ü", Uuid::new_v4().simple())
    }

    fn options(&self) -> BTreeMap<String, String> {
        let options: &[(&str, &str)] = match self.kind {
            Kind::Azurite => &[
                ("azure_storage_account_name", "devstoreaccount1"),
                ("azure_storage_account_key", AZURITE_KEY),
                ("azure_storage_endpoint", &self.address),
                ("azure_allow_http", "true"),
            ],
            // Its certificate was made a moment ago, for nobody else; the endpoint of tokens has none.
            Kind::AzuriteTls => &[
                ("azure_storage_account_name", "devstoreaccount1"),
                ("azure_storage_endpoint", &self.address),
                ("allow_invalid_certificates", "true"),
                ("azure_allow_http", "true"),
            ],
            Kind::Moto | Kind::S3rver => &[
                ("aws_access_key_id", "S3RVER"),
                ("aws_secret_access_key", "S3RVER"),
                ("aws_endpoint", &self.address),
                ("aws_region", "us-east-1"),
                ("aws_allow_http", "true"),
            ],
        };
        options.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn place(&self, simulator: &Simulator, url: &str) -> Place {
        Place::on(simulator, url, self.options())
    }
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn assert_clean(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", told(output));
}

#[track_caller]
fn assert_same(expected: &Content, found: &Content, what: &str) {
    let differences = differences(expected, found);
    assert!(differences.is_empty(), "{what}:\n{differences}");
}

/// What a sync on disk reads of an organization.
async fn calm(simulator: &Simulator) -> (Content, u64) {
    let place = Place::new(simulator);
    let from = simulator.arrived();
    assert_clean(&place.synced(simulator).await);
    (place.content().await, simulator.arrived() - from)
}

/// How often what was asked of each table: lists, commits, checkpoints, files of rows, by method.
type Counts = BTreeMap<String, BTreeMap<String, u64>>;

fn sum(counts: &Counts) -> u64 {
    counts.values().flat_map(BTreeMap::values).sum()
}

/// Sorts requests by the table of the lake in `folder`.
fn by_table(asked: &[Asked], folder: &str) -> Counts {
    let mut counts = Counts::new();
    for Asked { method, address } in asked {
        let path = address.split(folder).nth(1).unwrap_or_default().trim_start_matches('/');
        let table = path.split(['/', '&']).next().unwrap_or_default();
        let kind = match path {
            _ if address.contains("comp=list") || address.contains("list-type=2") => "list",
            _ if path.contains("_last_checkpoint") => "last checkpoint",
            _ if path.contains(".checkpoint.") => "checkpoint",
            _ if path.contains("_delta_log/") => "commit",
            _ => "rows",
        };
        let counts = counts.entry(table.to_owned()).or_default();
        *counts.entry(format!("{method} {kind}")).or_default() += 1;
    }
    counts
}

/// Goes the whole way on a store: sync, again, check, publish, upkeep, and other engines.
async fn whole_way(kind: Kind) {
    let Some(store) = Store::find(kind) else { return };
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let on_disk = Place::new(&simulator);
    assert_clean(&on_disk.synced(&simulator).await);
    let expected = on_disk.content().await;
    let proxy = Proxy::start(&store.address).await;
    // Polars escapes addresses twice: what all engines are to read has a plain one.
    let url = store.url().replace("/a b ü", "");
    let place = store.behind(&proxy).place(&simulator, &url);
    let folder = url.rsplit('/').next().unwrap();
    let count = |what: &str| {
        let counts = by_table(&proxy.asked(), folder);
        println!("{kind:?}: {what}: {} requests", sum(&counts));
        for (table, counts) in &counts {
            let sum: u64 = counts.values().sum();
            println!("  {table}: {sum} {counts:?}");
        }
        counts
    };
    assert_clean(&place.synced(&simulator).await);
    count("first sync");
    assert_same(&expected, &place.content().await, "first sync");
    proxy.asked();
    assert_clean(&place.synced(&simulator).await);
    let unchanged = count("sync without changes");
    assert!(sum(&unchanged) < MOST_REQUESTS, "{unchanged:?}");
    for (table, counts) in &unchanged {
        let is_written = counts.keys().any(|what| what.starts_with("PUT"));
        assert!(!is_written || table == "sync_runs", "{table}: {counts:?}");
        let sum: u64 = counts.values().sum();
        assert!(is_written || sum <= MOST_UNCHANGED, "{table}: {counts:?}");
    }
    assert_same(&expected, &place.content().await, "second sync");
    simulator.advance(DAY);
    proxy.asked();
    assert_clean(&place.synced(&simulator).await);
    let next = count("sync of the next day");
    assert!(sum(&next) < MOST_REQUESTS, "{next:?}");
    for (table, counts) in &next {
        assert!(counts.values().sum::<u64>() < MOST_CHANGED, "{table}: {counts:?}");
    }
    assert_clean(&on_disk.synced(&simulator).await);
    assert_same(&on_disk.content().await, &place.content().await, "the next day");

    proxy.asked();
    let output = place.command(&simulator, &["check", "--fail-on", "never"]).output().await;
    assert_clean(&output.unwrap());
    count("check");
    let before = place.content().await;
    let publish = ["publish", "--format", "json"];
    proxy.asked();
    assert_clean(&place.command(&simulator, &publish).output().await.unwrap());
    count("publish");
    assert_clean(&place.command(&simulator, &["maintain"]).output().await.unwrap());
    count("maintain");
    let output = place.command(&simulator, &["maintain"]).output().await.unwrap();
    assert_clean(&output);
    assert!(told(&output).contains("nothing: "), "{}", told(&output));
    count("maintain, nothing to do");
    assert_same(&before, &place.content().await, "upkeep");
    proxy.asked();
    let output = place.command(&simulator, &["publish"]).output().await.unwrap();
    assert!(told(&output).contains("nothing has changed"), "{}", told(&output));
    count("publish, nothing changed");
    assert_clean(&place.synced(&simulator).await);
    engines::compare(&store.address, &url, &place.lake()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_holds_a_lake() {
    whole_way(Kind::Azurite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_holds_a_lake() {
    whole_way(Kind::Moto).await;
}

/// Kills syncs, runs pairs of them and upkeep at once, lets the store fail; nothing is lost.
async fn siege(kind: Kind) {
    let Some(store) = Store::find(kind) else { return };
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let (expected, requests) = calm(&simulator).await;

    let killed = store.place(&simulator, &store.url());
    let mut dice = Dice::new(21);
    let mut kills = 0;
    for _ in 0..KILLS {
        let requests = dice.between(20, requests / 3);
        let delay = Duration::from_millis(dice.between(0, 60));
        kills += usize::from(killed.killed(&simulator, requests, delay).await == End::Killed);
    }
    assert!(kills > KILLS / 2, "{kills} of {KILLS} runs were killed");
    assert_clean(&killed.synced(&simulator).await);
    assert_same(&expected, &killed.content().await, "kills");

    let pair = store.place(&simulator, &store.url());
    let from = simulator.arrived();
    let (one, other, upkeep) = tokio::join!(
        pair.synced(&simulator),
        async {
            simulator.wait_for(from + 40).await;
            pair.synced(&simulator).await
        },
        async {
            simulator.wait_for(from + requests).await;
            for table in ["pushes", "pull_requests", "sync_runs"] {
                let care = Care { is_dry: false, now: chrono::Utc::now() };
                pair.lake().maintain(table, care).await.unwrap();
            }
        }
    );
    assert_clean(&one);
    assert_clean(&other);
    let () = upkeep;
    assert_same(&expected, &pair.content().await, "two syncs beside upkeep");

    let proxy = Proxy::start(&store.address).await;
    let disturbed = store.behind(&proxy).place(&simulator, &store.url());
    proxy.disturb(ONE_IN);
    assert_clean(&disturbed.synced(&simulator).await);
    assert_clean(&disturbed.command(&simulator, &["maintain"]).output().await.unwrap());
    assert_clean(&disturbed.command(&simulator, &["publish"]).output().await.unwrap());
    proxy.disturb(0);
    assert!(proxy.faults() > 50, "{} faults", proxy.faults());
    println!("{kind:?}: {} of {} requests went wrong", proxy.faults(), proxy.asked().len());
    assert_same(&expected, &disturbed.content().await, "a store that fails");
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_loses_nothing_under_siege() {
    siege(Kind::Azurite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_loses_nothing_under_siege() {
    siege(Kind::Moto).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_loses_commits_is_refused_by_doctor_and_by_the_first_sync() {
    let Some(store) = Store::find(Kind::S3rver) else { return };
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let place = store.place(&simulator, "s3://lake/refused");
    let output = place.synced(&simulator).await;
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("it has no conditional puts"), "{}", told(&output));
    let output = place.command(&simulator, &["doctor"]).output().await.unwrap();
    assert!(told(&output).contains("it has no conditional puts"), "{}", told(&output));
    let written = place.lake().inspect().await;
    assert!(written.iter().all(|(_, look)| matches!(look, Ok(None))), "{written:?}");
}
