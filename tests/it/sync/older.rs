//! Servers of one's own, whose API is narrower than that of the cloud.

use std::sync::Arc;
use std::time::Duration;

use adolake::ado::Options as ClientOptions;
use adolake::event::Silent;
use adolake::simulator::{Options as World, Simulator};
use adolake::sync::{Options, sync};
use tempfile::TempDir;

use super::{ask_by, asked, client_options, config, input, lake, synced};

/// What the lake has of pull requests, whatever server they came from.
const PULL_REQUESTS: [&str; 4] = [
    "select pull_request_id, status, title, target_ref, closed_at, closed_by_unique_name, threads_read_at is null \
     from pull_requests order by 1",
    "select pull_request_id, reviewer_id, vote, is_required, removed_at is null from pull_request_reviewers order by 1, 2",
    "select pull_request_id, name, removed_at is null from pull_request_labels order by 1, 2",
    "select repository_id, ref_name, closed_month, listed_count, is_final from population_counts order by 1, 2, 3",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_before_7_1_gives_the_same_pull_requests_though_it_heeds_no_times() {
    for api_version in ["7.0", "5.0"] {
        compare(World { api_version, ..World::default() }).await;
    }
}

async fn compare(older: World) {
    let cloud = Simulator::start(World::default()).await.unwrap();
    let server = Simulator::start(older).await.unwrap();
    let (config, folders) =
        (config("2026-07-01", ""), (TempDir::new().unwrap(), TempDir::new().unwrap()));
    let (of_cloud, of_server) = (lake(&folders.0), lake(&folders.1));
    for days in [0, 7] {
        for simulator in [&cloud, &server] {
            simulator.advance(Duration::from_secs(days * 86_400));
        }
        synced(&cloud, &config, &of_cloud).await;
        let mut own = input(&server, &config, &of_server, Arc::new(Silent));
        let mut endpoints = own.source.client().endpoints().clone();
        (endpoints.graph, endpoints.profile) = (None, None);
        ask_by(&mut own, ClientOptions { endpoints, ..client_options(&server) });
        let report = sync(own, &Options::default()).await.unwrap();
        let bad = |status: &str| status == "partial" || status == "unreadable";
        assert!(!report.rows.iter().any(|row| row.text("status").is_some_and(bad)));
        for sql in PULL_REQUESTS {
            assert_eq!(asked(&of_server, sql).await, asked(&of_cloud, sql).await, "{sql}");
        }
    }
}
