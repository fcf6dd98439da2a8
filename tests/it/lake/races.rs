//! Several writers at once: nothing lost, nothing doubled.

use futures::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_race_lose_nothing_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    const WRITERS: i64 = 4;
    const ROUNDS: i64 = 6;
    let writers = (0..WRITERS).map(|writer| {
        let path = folder.path().to_owned();
        tokio::spawn(async move {
            // Each has its own lake, as processes have.
            let lake = open(&path);
            for round in 0..ROUNDS {
                let own = 100 + writer * ROUNDS + round;
                // One row that all of them write, one of its own.
                let mut shared = push(round, "2026-01");
                shared.set("new_commit", format!("{writer}"));
                write(&lake, "pushes", day(1), vec![shared, push(own, "2026-01")]).await;
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let lake = open(folder.path());
    assert_eq!(count(&lake, "select count(*) from pushes").await, ROUNDS + WRITERS * ROUNDS);
    assert_eq!(
        count(&lake, "select count(distinct push_id) from pushes").await,
        ROUNDS + WRITERS * ROUNDS
    );
    // Every commit carries the next value of the fence.
    let fences: Vec<i64> = commits(folder.path(), "pushes")
        .iter()
        .map(|commit| commit.iter().find_map(|action| action["txn"]["version"].as_i64()).unwrap())
        .collect();
    assert_eq!(fences, (1..=WRITERS * ROUNDS).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_that_race_all_arrive_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = |writer: i64, round: i64| {
        let mut row = row("sync_runs");
        row.set("run_id", format!("{writer}-{round}")).set("resource", "pushes").set("scope", "s");
        row.set("window_from", day(1)).set("window_to", day(2)).set("status", "ok");
        for column in ["requests", "pages", "rows", "retries"] {
            row.set(column, 1_i64);
        }
        row.set("throttled_s", 0.0)
            .set("started_at", day(2))
            .set("finished_at", day(2))
            .set("run_month", "2026-01");
        row
    };
    let writers = (0..4).map(|writer| {
        let path = folder.path().to_owned();
        tokio::spawn(async move {
            let lake = open(&path);
            for round in 0..5 {
                write(&lake, "sync_runs", day(2), vec![run(writer, round)]).await;
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let lake = open(folder.path());
    assert_eq!(count(&lake, "select count(*) from sync_runs").await, 20);
    assert_eq!(count(&lake, "select count(distinct run_id) from sync_runs").await, 20);
    let progress = lake.progress("contoso").await.unwrap();
    assert_eq!(progress.runs.len(), 20);
    assert_eq!(progress.windows("pushes", "s").as_slice().len(), 1);
    assert_eq!(progress.first_sync, Some(day(2)));
}
