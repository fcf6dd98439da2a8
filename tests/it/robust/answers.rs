//! Answers that go wrong, one profile of faults after the other.

use std::time::Duration;

use adolake::simulator::Faults;

use super::{Calm, assert_same};
use crate::support::siege::Place;

/// What a disturbed sync printed and how it ended.
async fn disturbed(calm: &Calm, place: &Place, faults: &str) -> (Option<i32>, String) {
    calm.simulator.disturb(faults.parse().unwrap());
    let output = place.synced(&calm.simulator).await;
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_leaves_no_trace_in_the_lake() {
    let calm = Calm::new().await;
    let profiles =
        ["throttled", "flaky", "signed-out", "restless-pages", "odd-answers", "everything"];
    for (seed, profile) in (1..).zip(profiles) {
        let place = Place::new(&calm.simulator);
        let (code, told) = disturbed(&calm, &place, &format!("{profile},seed={seed}")).await;
        let (shown, manners) = (calm.simulator.faults_shown(), calm.simulator.manners());
        assert_eq!(code, Some(0), "{profile}: {told}\n{shown:?}");
        let faults: Faults = profile.parse().unwrap();
        for (fault, _) in faults.rules {
            // Of a thousand addresses one or two may be missed by the rarest.
            let is_rare = ["hang", "throttle", "pause", "unavailable"].contains(&fault.name());
            assert!(
                is_rare || shown.contains_key(fault.name()),
                "{profile}: {}: {shown:?}",
                fault.name()
            );
        }
        assert!(manners.latest_early < Duration::from_millis(500), "{profile}: {manners:?}");
        assert!(manners.probes_at_once <= 1, "{profile}: {manners:?}");
        calm.simulator.disturb(Faults::default());
        let mut found = place.content().await;
        let mut expected = calm.content.clone();
        if ["odd-answers", "restless-pages", "everything"].contains(&profile) {
            // Word for word, and page by page, the answers are others.
            expected.remove("raw_answers");
            found.remove("raw_answers");
        }
        assert_same!(&expected, &found, "{profile}, seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_at_a_time_never_comes_inside_a_pause() {
    let calm = Calm::new().await;
    let place = Place::new(&calm.simulator);
    calm.simulator.disturb("bucket=400/2,retry-after=1,pause=0.5%,seed=5".parse().unwrap());
    let mut command = place.sync(&calm.simulator);
    let output = command.env("ADOLAKE_SYNC__CONCURRENCY", "1").output().await.unwrap();
    let manners = calm.simulator.manners();
    assert_eq!(output.status.code(), Some(0));
    assert!(manners.pauses > 0, "{manners:?}");
    assert_eq!(
        (manners.early, manners.probes_at_once.min(1)),
        (0, manners.probes_at_once),
        "{manners:?}"
    );
    assert_same!(&calm.content, &place.content().await, "one at a time");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_named_and_filled_in_later() {
    let calm = Calm::new().await;
    for (faults, expected) in [
        ("hidden=30%,seed=2", "is missing or hidden: TF401019"),
        ("missing-mandatory=6%,seed=3", "is not understood: `"),
        ("error=30%,times=1000,only=/threads,seed=4", "failed with status"),
        ("truncate=100%,times=1000,only=/build/builds,seed=4", "is cut off"),
    ] {
        let place = Place::new(&calm.simulator);
        let (code, told) = disturbed(&calm, &place, faults).await;
        assert_eq!(code, Some(4), "{faults}: {told}");
        assert!(told.contains(expected) && told.contains("http://127.0.0.1"), "{faults}: {told}");
        let partial = place.content().await;
        assert!(
            partial["pull_requests"].len() > calm.content["pull_requests"].len() / 3,
            "{faults}: {told}"
        );
        let (code, told) = disturbed(&calm, &place, "").await;
        assert_eq!(code, Some(0), "{faults}: {told}");
        assert_same!(&calm.content, &place.content().await, "{faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_nobody_knows_are_kept_and_absent_fields_do_no_harm() {
    let calm = Calm::new().await;
    let place = Place::new(&calm.simulator);
    let (code, told) =
        disturbed(&calm, &place, "unknown-enums=100%,missing-optional=50%,no-timeline=50%,seed=6")
            .await;
    assert_eq!(code, Some(0), "{told}");
    let content = place.content().await;
    assert!(
        content["pull_requests"].iter().any(|row| row.contains("\"merge_status\":\"pondered\""))
    );
    assert!(content["projects"].iter().any(|row| row.contains("\"visibility\":\"everyone\"")));
    assert!(content["pipeline_runs"].iter().any(|row| row.contains("\"jobs_gone_at\"")));
    for table in ["pull_requests", "pull_request_reviewers", "pipeline_runs", "pushes", "users"] {
        assert_eq!(content[table].len(), calm.content[table].len(), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_answers_nothing_is_given_up_soon() {
    let calm = Calm::new().await;
    let place = Place::new(&calm.simulator);
    let from = calm.simulator.arrived();
    let (code, told) = disturbed(&calm, &place, "error=100%,times=1000").await;
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("failed with status 50"), "{told}");
    let asked = calm.simulator.arrived() - from;
    assert!(asked < 30, "{asked} requests");
}
