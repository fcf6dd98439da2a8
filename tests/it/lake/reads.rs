//! Sessions: pinned versions, the past, pruning, other engines.

use std::process::Command;

use adolake::lake::Error;

use super::*;

/// What the lake does can be done in tasks of their own.
#[tokio::test(flavor = "multi_thread")]
async fn futures_may_move_between_threads() {
    let lake = Arc::new(Lake::in_memory(catalog()).unwrap());
    let task = tokio::spawn(async move {
        write(&lake, "projects", day(1), vec![project("p1", "One")]).await;
        let versions = lake.versions_at(Utc::now()).await.unwrap();
        lake.session_at(&versions).await.unwrap();
        lake.progress("contoso").await.unwrap();
        lake.session().await.unwrap().versions == versions
    });
    assert!(task.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_do_not_exist_are_empty() {
    let lake = Lake::in_memory(catalog()).unwrap();
    let session = lake.session().await.unwrap();
    assert!(session.versions.is_empty());
    for table in catalog().tables() {
        let name = &table.name;
        let result = session.ctx.sql(&format!("select * from {name}")).await.unwrap();
        let columns: Vec<_> =
            result.schema().fields().iter().map(|field| field.name().clone()).collect();
        let expected: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
        assert_eq!(columns, expected);
        assert_eq!(result.count().await.unwrap(), 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_stays_at_its_versions() {
    let lake = Lake::in_memory(catalog()).unwrap();
    write(&lake, "projects", day(1), vec![project("p1", "One")]).await;
    let before = lake.session().await.unwrap();
    write(&lake, "projects", day(2), vec![project("p1", "Uno"), project("p2", "Due")]).await;
    let now = lake.session().await.unwrap();
    let query = "select project_id, name from projects order by 1";
    assert!(ask(&before, query).await.contains("One"));
    assert!(ask(&now, query).await.contains("Uno"));
    let again = lake.session_at(&before.versions).await.unwrap();
    assert_eq!(ask(&again, query).await, ask(&before, query).await);
    let gone = lake.session_at(&[("projects".to_owned(), 9)].into()).await.unwrap_err();
    assert_eq!(gone.to_string(), "version 9 of table `projects` is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_found_by_the_times_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    let mut times = vec![Utc::now()];
    for number in 0..5 {
        tokio::time::sleep(Duration::from_millis(3)).await;
        write(&lake, "projects", day(1), vec![project(&format!("p{number}"), "One")]).await;
        times.push(Utc::now());
    }
    let before = lake.versions_at(times[0]).await.unwrap_err();
    assert!(matches!(before, Error::TooOld { oldest, .. } if oldest > times[0]), "{before}");
    for (number, time) in times.into_iter().enumerate().skip(1) {
        let versions = lake.versions_at(time).await.unwrap();
        assert_eq!(versions, [("projects".to_owned(), number as i64 - 1)].into());
    }
    // A log whose beginning was cleaned away does not answer for the time before.
    let oldest = folder.path().join("projects/_delta_log/00000000000000000000.json");
    std::fs::remove_file(oldest).unwrap();
    let error = lake.versions_at(day(1)).await.unwrap_err();
    assert!(matches!(error, Error::TooOld { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_prune_partitions_and_files_and_push_filters_down() {
    let lake = Lake::in_memory(catalog()).unwrap();
    for (number, month) in ["2026-01", "2026-02", "2026-03"].into_iter().enumerate() {
        let first = number as i64 * 1000;
        write(&lake, "pushes", day(1), (first..first + 100).map(|id| push(id, month)).collect())
            .await;
    }
    let session = lake.session().await.unwrap();
    let files = async |filter: &str| {
        let plan =
            ask(&session, &format!("explain select ref_name from pushes where {filter}")).await;
        (plan.matches(".parquet").count(), plan)
    };
    let (by_month, plan) = files("pushed_month = '2026-02'").await;
    assert_eq!(by_month, 1, "{plan}");
    let (by_organization, plan) = files("organization = 'fabrikam'").await;
    assert_eq!(by_organization, 0, "{plan}");
    let (by_range, plan) = files("push_id between 2000 and 2010").await;
    assert_eq!(by_range, 1, "{plan}");
    assert!(plan.contains("projection=[ref_name]") && plan.contains("predicate=push_id"), "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");
    assert_eq!(
        count(
            &lake,
            "select count(*) from pushes where pushed_month > '2026-01' and push_id < 2005"
        )
        .await,
        105
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    for number in 0..23 {
        write(&lake, "projects", day(1), vec![project(&format!("p{number:02}"), "One")]).await;
    }
    let log = folder.path().join("projects/_delta_log");
    for version in [9, 19] {
        assert!(log.join(format!("{version:020}.checkpoint.parquet")).exists());
    }
    let fresh = open(folder.path());
    assert_eq!(count(&fresh, "select count(*) from projects").await, 23);
    let written =
        write(&fresh, "projects", day(2), vec![project("p00", "Two"), project("p22", "One")]).await;
    assert_eq!((written.version, written.updated), (Some(23), 1));
    let fences: Vec<_> = commits(folder.path(), "projects")
        .last()
        .unwrap()
        .iter()
        .filter_map(|action| action["txn"]["version"].as_i64())
        .collect();
    // Of all commits, and of those that change rows.
    assert_eq!(fences, [24, 24]);
    // The first lake sees what the other one did.
    assert_eq!(count(&lake, "select count(*) from projects where name = 'Two'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_engine_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder.path().join("läke #1"));
    let rows = (0..300).map(|id| push(id, if id < 200 { "2026-01" } else { "2026-02" })).collect();
    write(&lake, "pushes", day(1), rows).await;
    let mut changed = push(7, "2026-01");
    changed.set("new_commit", "ff");
    write(&lake, "pushes", day(2), vec![changed]).await;
    for number in 0..12 {
        write(&lake, "pushes", day(3), vec![push(1000 + number, "2026-02")]).await;
    }
    let script = "import sys\ntry:\n    import deltalake\nexcept ImportError:\n    print('skipped')\n    sys.exit()\n\
        t = deltalake.DeltaTable(sys.argv[1])\na = t.to_pyarrow_table()\n\
        print(a.num_rows, t.version(), t.protocol().min_reader_version, t.protocol().min_writer_version, \
        a.filter(__import__('pyarrow.compute').compute.field('push_id') == 7)['new_commit'][0], a.schema.field('at').type)";
    let path = folder.path().join("läke #1/pushes");
    let Ok(output) = Command::new("python3").args(["-c", script]).arg(path).output() else {
        eprintln!("skipped: no python3");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    if text.trim() == "skipped" {
        eprintln!("skipped: no Python package `deltalake`");
        return;
    }
    let problem = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.trim(), "312 13 1 2 ff timestamp[us, tz=UTC]", "{problem}");
}
