//! A small lake: one repository and three pull requests, two of them with titles meant to do harm.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adolake::lake::{Change, Lake};
use adolake::schema::{Catalog, Row};
use chrono::{DateTime, TimeZone as _, Utc};

/// Writes it to a folder.
pub fn fill(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(write_tables(folder));
}

/// Adds a project to the lake in a folder, a commit each, as often as told.
pub fn add_projects(folder: &Path, count: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let catalog = Arc::new(Catalog::embedded().unwrap());
    let keep = Duration::from_secs(400 * 86_400);
    let (url, none) = (folder.to_str().unwrap(), BTreeMap::new());
    let lake = Lake::open(url, &none, keep, Arc::clone(&catalog)).unwrap();
    let noon = Utc.with_ymd_and_hms(2026, 1, 5, 12, 0, 0).unwrap();
    for number in 0..count {
        let mut project = Row::new(catalog.require("projects").unwrap());
        project.set("project_id", format!("p{number}")).set("name", "payments");
        project.set("first_seen_at", noon);
        runtime.block_on(write(&lake, "projects", noon, vec![project]));
    }
}

async fn write_tables(folder: &Path) {
    let catalog = Arc::new(Catalog::embedded().unwrap());
    let keep = Duration::from_secs(400 * 86_400);
    let lake =
        Lake::open(folder.to_str().unwrap(), &BTreeMap::new(), keep, Arc::clone(&catalog)).unwrap();
    let new = |table: &str| Row::new(catalog.require(table).unwrap());
    let noon = Utc.with_ymd_and_hms(2026, 1, 5, 12, 0, 0).unwrap();
    let mut repository = new("repositories");
    repository.set("repository_id", "r1").set("project_id", "p1").set("project", "payments");
    repository.set("name", "api").set("is_fork", false).set("is_disabled", false);
    repository.set("is_in_maintenance", false).set("first_seen_at", noon);
    write(&lake, "repositories", noon, vec![repository]).await;
    let titles =
        ["Add invoices", "=HYPERLINK(\"http://evil\")", "\u{1b}[2Jcleared\u{7}\nnext line"];
    let rows = titles.iter().zip(1_i64..).map(|(title, id)| {
        let mut row = new("pull_requests");
        row.set("repository_id", "r1").set("pull_request_id", id).set("project_id", "p1");
        row.set("title", *title).set("status", "completed").set("is_draft", false);
        row.set("source_ref", "refs/heads/topic").set("target_ref", "refs/heads/main");
        row.set("created_at", noon).set("first_seen_at", noon).set("created_month", "2026-01");
        row
    });
    write(&lake, "pull_requests", noon, rows.collect()).await;
}

async fn write(lake: &Lake, table: &str, seen_at: DateTime<Utc>, rows: Vec<Row>) {
    let (organization, run_id, complete) = ("contoso", "run", Vec::new());
    lake.write(Change { table, organization, run_id, seen_at, rows: rows.into(), complete })
        .await
        .unwrap();
}
