//! What a write does to stored rows, by write mode.

use adolake::lake::{Change, Error, Lake, Written};
use adolake::schema::Cell;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn new_rows_are_appended_and_equal_ones_make_no_commit() {
    let lake = Lake::in_memory(catalog()).unwrap();
    let rows = || vec![project("p2", "Two"), project("p1", "One")];
    let first = write(&lake, "projects", day(1), rows()).await;
    assert_eq!((first.version, first.inserted, first.updated), (Some(0), 2, 0));
    assert!(first.bytes > 0);
    assert_eq!(write(&lake, "projects", day(2), rows()).await, Written::default());
    let session = lake.session().await.unwrap();
    assert_eq!(session.versions, [("projects".to_owned(), 0)].into());
    insta::assert_snapshot!(ask(&session, "select * from projects order by project_id").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_new_text_of_a_partition_is_written_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    let rows: Vec<Row> = (0..30)
        .map(|number| {
            let mut row = row("raw_answers");
            row.set("resource", "threads").set("object_key", format!("r1!{number:02}"));
            row.set("content_hash", "h").set("url", "https://x/").set("api_version", "7.1");
            row.set("fetched_at", day(1)).set("fetched_month", "2026-01");
            row.set("body_json", number.to_string().repeat(1 << 20));
            row
        })
        .collect();
    let written = write(&lake, "raw_answers", day(1), rows.clone()).await;
    assert_eq!((written.version, written.inserted), (Some(0), 30));
    let of_first = |range: &str| -> Vec<String> {
        let adds = commits(folder.path(), "raw_answers")[0].clone().into_iter();
        let stats = adds.filter_map(|action| Some(action["add"]["stats"].as_str()?.to_owned()));
        let stats = stats.map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
        stats.map(|stats| stats[range]["object_key"].as_str().unwrap().to_owned()).collect()
    };
    // Each holds a stretch of the keys, so that a look for one finds one file.
    let (mut from, mut to) = (of_first("minValues"), of_first("maxValues"));
    from.sort();
    to.sort();
    assert!(from.len() > 1, "{from:?}");
    assert!(from.iter().skip(1).zip(&to).all(|(next, last)| last < next), "{from:?} {to:?}");
    assert_eq!(count(&lake, "select count(distinct object_key) from raw_answers").await, 30);
    assert_eq!(write(&lake, "raw_answers", day(2), rows).await, Written::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_are_stored_as_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    let answer = |number: usize| {
        let mut row = row("raw_answers");
        row.set("resource", "threads").set("object_key", format!("r1!{number}"));
        row.set("content_hash", "h").set("url", "https://x/").set("api_version", "7.1");
        row.set("fetched_at", day(1)).set("fetched_month", "2026-01");
        row.set("body_json", number.to_string().repeat(number * 1_000));
        row
    };
    write(&lake, "raw_answers", day(1), vec![answer(3), answer(1), answer(2)]).await;
    let query = "select object_key, length(body_json) as length from raw_answers \
                 where body_json = repeat(right(object_key, 1), length(body_json)) order by object_key";
    insta::assert_snapshot!(ask(&lake.session().await.unwrap(), query).await, @r"
    +------------+--------+
    | object_key | length |
    +------------+--------+
    | r1!1       | 1000   |
    | r1!2       | 2000   |
    | r1!3       | 3000   |
    +------------+--------+
    ");
    let add = &commits(folder.path(), "raw_answers")[0];
    let path = add.iter().find_map(|action| action["add"]["path"].as_str()).unwrap();
    let file = std::fs::File::open(folder.path().join("raw_answers").join(path)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let field = reader.schema().field_with_name("body_json").unwrap();
    assert_eq!(field.data_type(), &arrow::datatypes::DataType::Utf8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_row_is_replaced_and_its_neighbours_stay() {
    let lake = Lake::in_memory(catalog()).unwrap();
    let many: Vec<_> = (0..100).map(|number| project(&format!("p{number:03}"), "Old")).collect();
    write(&lake, "projects", day(1), many).await;
    let mut changed = project("p042", "New");
    changed.set("first_seen_at", day(9));
    let written = write(
        &lake,
        "projects",
        day(2),
        vec![changed, project("p100", "More"), project("p001", "Old")],
    )
    .await;
    assert_eq!((written.version, written.inserted, written.updated), (Some(1), 1, 1));
    let session = lake.session().await.unwrap();
    let query = "select name, first_seen_at, _synced_at, count(*) as n from projects group by all order by name";
    insta::assert_snapshot!(ask(&session, query).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_complete_answer_lacks_gets_a_tombstone_and_may_come_back() {
    let lake = Lake::in_memory(catalog()).unwrap();
    write_labels(&lake, day(1), 7, &["urgent", "docs"]).await;
    write_labels(&lake, day(1), 8, &["docs"]).await;
    let written = write_labels(&lake, day(2), 7, &["docs"]).await;
    assert_eq!((written.updated, written.tombstoned), (0, 1));
    // Asked again, nothing more is gone.
    assert_eq!(write_labels(&lake, day(3), 7, &["docs"]).await, Written::default());
    let query = "select pull_request_id, name, first_seen_at, removed_at, was_removed_open from pull_request_labels order by 1, 2";
    insta::assert_snapshot!(ask(&lake.session().await.unwrap(), query).await);
    let written = write_labels(&lake, day(4), 7, &["docs", "urgent"]).await;
    assert_eq!((written.inserted, written.updated, written.tombstoned), (0, 1, 0));
    let gone =
        count(&lake, "select count(*) from pull_request_labels where removed_at is not null").await;
    assert_eq!(gone, 0);
    let written = write_labels(&lake, day(5), 7, &[]).await;
    assert_eq!(written.tombstoned, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_columns_survive_nulls() {
    let lake = Lake::in_memory(catalog()).unwrap();
    let mut first = label(1, "urgent", day(1));
    first.set("was_seen_open", true);
    write(&lake, "pull_request_labels", day(1), vec![first]).await;
    let mut second = label(1, "urgent", day(2));
    second.set("was_seen_closed", true);
    let written = write(&lake, "pull_request_labels", day(2), vec![second]).await;
    assert_eq!(written.updated, 1);
    let query =
        "select first_seen_at, was_seen_open, was_seen_closed, _synced_at from pull_request_labels";
    insta::assert_snapshot!(ask(&lake.session().await.unwrap(), query).await);
    assert_eq!(
        write(&lake, "pull_request_labels", day(3), vec![label(1, "urgent", day(3))]).await,
        Written::default()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn insert_never_changes_and_fill_only_fills() {
    let lake = Lake::in_memory(catalog()).unwrap();
    let finish = |result: &str| {
        let mut row = row("pipeline_run_finishes");
        row.set("run_id", 5_i64).set("finished_at", day(1)).set("result", result);
        row.set("first_seen_at", day(1)).set("queued_month", "2026-01");
        row
    };
    write(&lake, "pipeline_run_finishes", day(1), vec![finish("succeeded")]).await;
    let again = write(&lake, "pipeline_run_finishes", day(2), vec![finish("failed")]).await;
    assert_eq!(again, Written::default());
    // Seen again in another month, it is still the same row.
    let mut moved = finish("failed");
    moved.set("queued_month", "2026-02");
    assert_eq!(
        write(&lake, "pipeline_run_finishes", day(3), vec![moved]).await,
        Written::default()
    );

    let evaluation = |status: &str, completed: Option<DateTime<Utc>>| {
        let mut row = row("pull_request_policy_evaluations");
        row.set("evaluation_id", "e1").set("repository_id", "r1").set("pull_request_id", 1_i64);
        row.set("policy_id", 3_i64).set("status", status).set("completed_at", completed);
        row.set("first_seen_at", day(1)).set("created_month", "2026-01");
        for column in row.table().columns.clone() {
            if !column.is_nullable
                && !column.name.starts_with('_')
                && row.get(&column.name).is_null()
            {
                match column.kind {
                    adolake::schema::Kind::Boolean => row.set(&column.name, false),
                    adolake::schema::Kind::BigInt => row.set(&column.name, 0_i64),
                    _ => row.set(
                        &column.name,
                        if column.name == "organization" { "contoso" } else { "x" },
                    ),
                };
            }
        }
        row
    };
    let table = "pull_request_policy_evaluations";
    write(&lake, table, day(1), vec![evaluation("approved", None)]).await;
    let filled = write(&lake, table, day(2), vec![evaluation("queued", Some(day(2)))]).await;
    assert_eq!(filled.updated, 1);
    let query = format!("select status, completed_at from {table}");
    insta::assert_snapshot!(ask(&lake.session().await.unwrap(), &query).await);
    assert_eq!(
        write(&lake, table, day(3), vec![evaluation("rejected", Some(day(3)))]).await,
        Written::default()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder.path().join("lake"));
    let mut nameless = project("p1", "One");
    nameless.set("name", Cell::Null);
    let mut foreign = project("p1", "One");
    foreign.set("organization", "fabrikam");
    let errors = [
        (vec![nameless], "table `projects`: column `name` must not be null (row contoso, p1)"),
        (
            vec![foreign],
            "table `projects` cannot be written: a row is not of organization `contoso`",
        ),
        (
            vec![push(1, "2026-01")],
            "table `projects` cannot be written: a row belongs to table `pushes`",
        ),
    ];
    for (rows, message) in errors {
        let (table, organization, run_id, seen_at) = ("projects", "contoso", "run", day(1));
        let change = Change {
            table,
            organization,
            run_id,
            seen_at,
            rows: rows.into(),
            complete: Vec::new(),
        };
        let error: Error = lake.write(change).await.unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(!error.is_transient());
    }
    assert!(!folder.path().join("lake").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_touch_only_the_partitions_and_files_that_hold_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    for (number, month) in ["2026-01", "2026-02", "2026-03"].into_iter().enumerate() {
        let first = number as i64 * 1000;
        write(&lake, "pushes", day(1), (first..first + 500).map(|id| push(id, month)).collect())
            .await;
        write(
            &lake,
            "pushes",
            day(1),
            (first + 500..first + 1000).map(|id| push(id, month)).collect(),
        )
        .await;
    }
    let mut changed = push(1200, "2026-02");
    changed.set("new_commit", "2");
    let written =
        write(&lake, "pushes", day(2), vec![changed, push(1201, "2026-02"), push(5000, "2026-04")])
            .await;
    assert_eq!((written.inserted, written.updated), (1, 1));
    let last = commits(folder.path(), "pushes").pop().unwrap();
    let removed: Vec<_> =
        last.iter().filter_map(|action| action["remove"]["path"].as_str()).collect();
    let mut added: Vec<_> = last
        .iter()
        .filter_map(|action| {
            Some((
                action["add"]["partitionValues"]["pushed_month"].as_str()?,
                &action["add"]["stats"],
            ))
        })
        .map(|(month, stats)| {
            let stats: serde_json::Value = serde_json::from_str(stats.as_str().unwrap()).unwrap();
            (
                month.to_owned(),
                stats["numRecords"].as_i64().unwrap(),
                stats["minValues"]["push_id"].as_i64().unwrap(),
            )
        })
        .collect();
    added.sort();
    assert_eq!(removed.len(), 1);
    assert!(
        removed[0].starts_with("organization=contoso/pushed_month=2026-02/part-"),
        "{removed:?}"
    );
    assert_eq!(added, [("2026-02".to_owned(), 500, 1000), ("2026-04".to_owned(), 1, 5000)]);
    assert_eq!(count(&lake, "select count(distinct push_id) from pushes").await, 3001);
    assert_eq!(count(&lake, "select count(*) from pushes").await, 3001);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_tables_are_what_every_engine_reads() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    write(&lake, "pushes", day(1), vec![push(1, "2026-01")]).await;
    let first = commits(folder.path(), "pushes").remove(0);
    let action = |name: &str| first.iter().find_map(|action| action.get(name)).unwrap().clone();
    assert_eq!(
        action("protocol"),
        serde_json::json!({ "minReaderVersion": 1, "minWriterVersion": 2 })
    );
    let metadata = action("metaData");
    assert_eq!(metadata["partitionColumns"], serde_json::json!(["organization", "pushed_month"]));
    assert_eq!(
        metadata["configuration"],
        serde_json::json!({
            "adolake.schemaVersion": "1",
            "delta.checkpointInterval": "10",
            "delta.deletedFileRetentionDuration": "interval 400 days",
            "delta.enableExpiredLogCleanup": "false",
            "delta.logRetentionDuration": "interval 400 days",
        })
    );
    let schema: serde_json::Value =
        serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    let names: Vec<_> = schema["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    let catalog = catalog();
    let expected: Vec<_> = catalog
        .require("pushes")
        .unwrap()
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, expected);
    assert_eq!(action("txn")["appId"], "adolake/contoso");
    assert_eq!(action("txn")["version"], 1);
    write(&lake, "pushes", day(1), vec![push(2, "2026-01")]).await;
    let second = commits(folder.path(), "pushes").remove(1);
    assert_eq!(second.iter().find_map(|action| action.get("txn")).unwrap()["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_waits_until_it_may_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path());
    let data_files = || {
        let partition = folder.path().join("projects/organization=contoso");
        std::fs::read_dir(partition).into_iter().flatten().count()
    };
    let (table, organization, run_id, seen_at) = ("projects", "contoso", "run", day(1));
    let change = |id| {
        let (rows, complete) = (vec![project(id, "One")].into(), Vec::new());
        Change { table, organization, run_id, seen_at, rows, complete }
    };
    let (may_be, ready) = tokio::sync::oneshot::channel();
    let written = lake.write_when(ready, change("p1"));
    let seen = async {
        while data_files() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!folder.path().join("projects/_delta_log").exists());
        may_be.send(()).unwrap();
    };
    let (written, ()) = tokio::join!(written, seen);
    assert_eq!(written.unwrap().version, Some(0));

    let (never, ready) = tokio::sync::oneshot::channel();
    drop(never);
    let written = lake.write_when(ready, change("p2")).await.unwrap();
    assert_eq!((written, data_files()), (Written::default(), 1));
    assert_eq!(count(&lake, "select count(*) from projects").await, 1);
}
