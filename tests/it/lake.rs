//! The lake from its door: writes, reads, versions, races, and what stands in the way.

mod damage;
mod places;
pub mod probe;
mod races;
mod reads;
mod upkeep;
mod writes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use adolake::lake::{Change, Complete, Lake, Session, Written};
use adolake::schema::{Catalog, Row};
use arrow::util::pretty::pretty_format_batches;
use chrono::{DateTime, TimeZone, Utc};

const DAY: Duration = Duration::from_secs(86_400);

fn catalog() -> Arc<Catalog> {
    static CATALOG: LazyLock<Arc<Catalog>> =
        LazyLock::new(|| Arc::new(Catalog::embedded().unwrap()));
    Arc::clone(&CATALOG)
}

fn open(folder: &Path) -> Lake {
    Lake::open(folder.to_str().unwrap(), &BTreeMap::new(), 400 * DAY, catalog()).unwrap()
}

/// Noon of a day of January 2026.
fn day(day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, day, 12, 0, 0).unwrap()
}

fn row(table: &str) -> Row {
    Row::new(catalog().require(table).unwrap())
}

fn label(pull_request_id: i64, name: &str, seen_at: DateTime<Utc>) -> Row {
    let mut row = row("pull_request_labels");
    row.set("repository_id", "r1").set("pull_request_id", pull_request_id).set("name", name);
    row.set("active", true).set("first_seen_at", seen_at).set("created_month", "2026-01");
    row
}

fn project(id: &str, name: &str) -> Row {
    let mut row = row("projects");
    row.set("project_id", id).set("name", name).set("first_seen_at", day(1));
    row
}

/// Only numbers, a text and a month: quick to make in numbers.
fn push(push_id: i64, month: &str) -> Row {
    let mut row = row("pushes");
    row.set("repository_id", "r1").set("push_id", push_id).set("ref_name", "refs/heads/main");
    row.set("at", day(1)).set("old_commit", "0").set("new_commit", "1");
    row.set("kind", "update").set("first_seen_at", day(1)).set("pushed_month", month);
    row
}

async fn write(lake: &Lake, table: &str, seen_at: DateTime<Utc>, rows: Vec<Row>) -> Written {
    let complete = Vec::new();
    let (organization, run_id) = ("contoso", "run");
    lake.write(Change { table, organization, run_id, seen_at, rows: rows.into(), complete })
        .await
        .unwrap()
}

async fn write_labels(
    lake: &Lake,
    seen_at: DateTime<Utc>,
    pull_request_id: i64,
    names: &[&str],
) -> Written {
    let rows: Vec<Row> = names.iter().map(|name| label(pull_request_id, name, seen_at)).collect();
    let complete = vec![Complete {
        columns: &["repository_id", "pull_request_id", "created_month"],
        parents: vec![Arc::new(["r1".into(), pull_request_id.into(), "2026-01".into()])],
        also: vec![("was_removed_open", true.into())],
    }];
    let (table, organization, run_id) = ("pull_request_labels", "contoso", "run");
    lake.write(Change { table, organization, run_id, seen_at, rows: rows.into(), complete })
        .await
        .unwrap()
}

async fn ask(session: &Session, query: &str) -> String {
    let batches = session.ctx.sql(query).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

/// Asks for one number.
async fn count(lake: &Lake, query: &str) -> i64 {
    let session = lake.session().await.unwrap();
    let batches = session.ctx.sql(query).await.unwrap().collect().await.unwrap();
    let column =
        arrow::compute::cast(batches[0].column(0), &arrow::datatypes::DataType::Int64).unwrap();
    arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&column).value(0)
}

/// Reads the commits of a table, one JSON value per action.
fn commits(folder: &Path, table: &str) -> Vec<Vec<serde_json::Value>> {
    let log = folder.join(table).join("_delta_log");
    let mut files: Vec<_> = std::fs::read_dir(log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let parse =
        |text: String| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    files.into_iter().map(|file| parse(std::fs::read_to_string(file).unwrap())).collect()
}
