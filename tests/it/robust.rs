//! What a sync does when things go wrong: in answers, in the process, in the store. Always by really doing it, with
//! seeds, and always compared row by row with a sync that nothing disturbed.

mod answers;
mod kills;
mod storage;

use adolake::simulator::{Options, Simulator};

use crate::support::siege::{Content, Place};

/// A tiny organization, and what an undisturbed sync reads of it.
struct Calm {
    simulator: Simulator,
    content: Content,
    /// Requests of that sync.
    requests: u64,
}

impl Calm {
    async fn new() -> Calm {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let place = Place::new(&simulator);
        let output = place.synced(&simulator).await;
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        Calm { content: place.content().await, requests: simulator.arrived(), simulator }
    }
}

/// Demands that a lake holds the same as an undisturbed one.
macro_rules! assert_same {
    ($expected:expr, $found:expr, $($what:tt)+) => {
        let differences = crate::support::siege::differences($expected, $found);
        assert!(differences.is_empty(), "{}:\n{differences}", format!($($what)+));
    };
}
use assert_same;
