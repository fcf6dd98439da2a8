//! Other engines read the lake: delta-rs, DuckDB and Polars in Python, as `ADOLAKE_PYTHON` names it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use adolake::lake::Lake;
use serde_json::{Value, json};

use crate::support::cmd::Adolake;
use crate::support::{lake as small, world};

/// Reads every table with every engine, and prints `{"engine": {"table": [rows, sum]}}`; the sum is over an integer
/// column. With `where` it reads one partition of one table only, `{"engine": [rows, sum]}`, and sees that all of it cannot
/// be read. Says on stderr which engine is not there.
const READ: &str = include_str!("engines.py");

/// Compares counts and sums of `adolake sql` with those of the other engines, on a store or below a folder.
pub async fn compare(store: &str, url: &str, lake: &Lake) {
    let Some(python) = std::env::var_os("ADOLAKE_PYTHON") else {
        eprintln!("SKIPPED: ADOLAKE_PYTHON is not set");
        return;
    };
    let session = lake.session().await.unwrap();
    let mut expected = serde_json::Map::new();
    let mut columns = serde_json::Map::new();
    for name in session.versions.keys() {
        let table = lake.catalog().require(name).unwrap();
        let is_number = |column: &&adolake::schema::Column| column.kind.sql() == "BIGINT";
        let column = table.columns.iter().find(is_number).map(|column| column.name.clone());
        let sum =
            column.as_ref().map_or("0".to_owned(), |column| format!("coalesce(sum({column}), 0)"));
        let sql = format!("select count(*), {sum} from {name}");
        let answer = world::ask(lake, &sql).await;
        let numbers: Vec<i64> = answer[0].split('|').map(|text| text.parse().unwrap()).collect();
        expected.insert(name.clone(), json!(numbers));
        columns.insert(name.clone(), json!(column));
    }
    let expected = Value::Object(expected);
    let input = json!({ "store": store, "url": url, "columns": columns });
    for (engine, tables) in ask(python, input).await {
        assert_eq!(tables, expected, "{engine}");
    }
}

/// Asks every engine that is there; the answers by its name.
async fn ask(python: OsString, input: Value) -> serde_json::Map<String, Value> {
    let input = input.to_string();
    let read = move || Command::new(python).args(["-c", READ, &input]).output().unwrap();
    let output = tokio::task::spawn_blocking(read).await.unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    eprintln!("{talk}");
    let found: serde_json::Map<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found.contains_key("deltalake"), "{talk}");
    found
}

/// A lake on disk, with verdicts.
async fn on_disk(adolake: &Adolake) -> (PathBuf, Lake) {
    let folder = adolake.path().join("lake");
    let path = folder.clone();
    tokio::task::spawn_blocking(move || small::fill(&path)).await.unwrap();
    let catalog = std::sync::Arc::new(adolake::schema::Catalog::embedded().unwrap());
    let keep = std::time::Duration::from_secs(400 * 86_400);
    let lake = Lake::open(folder.to_str().unwrap(), &Default::default(), keep, catalog).unwrap();
    world::run(&lake, &world::settings(), &world::request()).await;
    (folder, lake)
}

#[tokio::test]
async fn they_count_and_add_up_the_same_on_disk() {
    let adolake = Adolake::new();
    let (folder, lake) = on_disk(&adolake).await;
    compare("", folder.to_str().unwrap(), &lake).await;
}

/// They ask for no file of a partition that a condition rules out: such files are not there.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn they_read_the_files_of_one_partition_only() {
    let Some(python) = std::env::var_os("ADOLAKE_PYTHON") else {
        eprintln!("SKIPPED: ADOLAKE_PYTHON is not set");
        return;
    };
    let simulator =
        adolake::simulator::Simulator::start(adolake::simulator::Options::default()).await.unwrap();
    let place = crate::support::siege::Place::new(&simulator);
    assert!(place.synced(&simulator).await.status.success());
    let lake = place.lake();
    let months = "select created_month, count(*), sum(pull_request_id) from pull_requests group by 1 order by 1";
    let months = world::ask(&lake, months).await;
    assert!(months.len() > 12, "{months:?}");
    let wanted: Vec<&str> = months[months.len() / 2].split('|').collect();
    let folder = format!("created_month={}", wanted[0]);
    let table = place.path("lake/pull_requests");
    for file in world::files(&table, ".parquet") {
        let is_wanted = file.parent().is_some_and(|parent| parent.ends_with(&folder));
        if !is_wanted && !file.components().any(|part| part.as_os_str() == "_delta_log") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let input = json!({
        "store": "", "url": place.path("lake"), "columns": { "pull_requests": "pull_request_id" },
        "where": ["created_month", wanted[0]],
    });
    let numbers: Vec<i64> = wanted[1..].iter().map(|text| text.parse().unwrap()).collect();
    for (engine, found) in ask(python, input).await {
        assert_eq!(found, json!(numbers), "{engine}");
    }
}
