//! Syncs that are killed, stopped, or run beside each other.

use std::process::Command;
use std::time::Duration;

use super::{Calm, assert_same};
use crate::support::siege::{Dice, End, Place};

/// Kills in a row.
const KILLS: usize = 20;
/// Pairs of syncs at the same time.
const PAIRS: u64 = 5;
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_in_a_row_lose_nothing() {
    let calm = Calm::new().await;
    let (place, mut dice) = (Place::new(&calm.simulator), Dice::new(11));
    let mut kills = 0;
    for _ in 0..KILLS {
        // Each run gets about as far as the rest takes in twenty: killed runs leave something for the next one.
        let requests = dice.between(1, calm.requests / 8);
        let delay = Duration::from_millis(dice.between(0, 60));
        kills += usize::from(place.killed(&calm.simulator, requests, delay).await == End::Killed);
    }
    assert!(kills > KILLS / 2, "{kills} of {KILLS} runs were killed");
    let output = place.synced(&calm.simulator).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_same!(&calm.content, &place.content().await, "{kills} kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_pairs_at_once_end_as_single_syncs() {
    let calm = Calm::new().await;
    let simulator = &calm.simulator;
    let (single, pair, mut dice) = (Place::new(simulator), Place::new(simulator), Dice::new(12));
    for round in 0..PAIRS {
        let output = single.synced(simulator).await;
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let from = simulator.arrived();
        let later = dice.between(0, 120);
        let (first, second) = tokio::join!(pair.synced(simulator), async {
            simulator.wait_for(from + later).await;
            pair.synced(simulator).await
        });
        for output in [first, second] {
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "round {round}: {told}");
        }
        assert_same!(&single.content().await, &pair.content().await, "round {round}");
        simulator.advance(DAY);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_sync_in_order_and_the_next_goes_on() {
    let calm = Calm::new().await;
    let (place, mut dice) = (Place::new(&calm.simulator), Dice::new(13));
    for (signal, code) in [("INT", 130), ("TERM", 143), ("TERM", 143), ("INT", 130)] {
        let from = calm.simulator.arrived();
        let child = place.sync(&calm.simulator).spawn().unwrap();
        calm.simulator.wait_for(from + dice.between(20, calm.requests / 6)).await;
        let id = child.id().unwrap().to_string();
        let sent =
            Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status().unwrap();
        assert!(sent.success());
        let output = child.wait_with_output().await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains("stopping after the commit in hand"), "{told}");
        assert!(told.contains("stopped while reading"), "{told}");
        assert!(told.contains("the next sync goes on from there"), "{told}");
    }
    assert_eq!(place.synced(&calm.simulator).await.status.code(), Some(0));
    assert_same!(&calm.content, &place.content().await, "after signals");
}
