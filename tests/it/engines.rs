//! Other engines read the lake: delta-rs, DuckDB and Polars in Python, as `ADOLAKE_PYTHON` names it.

use std::process::Command;

use adolake::lake::Lake;
use serde_json::{Value, json};

use crate::support::cmd::Adolake;
use crate::support::{lake as small, world};

/// Reads every table with every engine, and prints `{"engine": {"table": [rows, sum]}}`; the sum is over an integer
/// column. Says on stderr which engine is not there.
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
    let input = json!({ "store": store, "url": url, "columns": columns }).to_string();
    let read = move || Command::new(python).args(["-c", READ, &input]).output().unwrap();
    let output = tokio::task::spawn_blocking(read).await.unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    eprintln!("{talk}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = found.as_object().unwrap();
    assert!(found.contains_key("deltalake"), "{talk}");
    for (engine, tables) in found {
        assert_eq!(tables, &Value::Object(expected.clone()), "{engine}");
    }
}

#[tokio::test]
async fn they_count_and_add_up_the_same_on_disk() {
    let adolake = Adolake::new();
    let folder = adolake.path().join("lake");
    let path = folder.clone();
    tokio::task::spawn_blocking(move || small::fill(&path)).await.unwrap();
    let catalog = std::sync::Arc::new(adolake::schema::Catalog::embedded().unwrap());
    let keep = std::time::Duration::from_secs(400 * 86_400);
    let lake = Lake::open(folder.to_str().unwrap(), &Default::default(), keep, catalog).unwrap();
    world::run(&lake, &world::settings(), &world::request()).await;
    compare("", folder.to_str().unwrap(), &lake).await;
}
