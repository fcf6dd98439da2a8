//! A small organization in a lake, for tests of check runs: one repository, four merged pull requests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adolake::checks::{self, CheckRun, Queries, Request};
use adolake::config::{Profile, Settings};
use adolake::lake::{Change, Lake};
use adolake::schema::{Catalog, Row};
use chrono::{DateTime, Utc};

use super::cases;
use super::cmd::Adolake;

/// Rows of a table: its name, its columns, and one line of values per row, between bars.
type Rows = (&'static str, &'static str, &'static [&'static str]);

const ROWS: &[Rows] = &[
    (
        "repositories",
        "repository_id|project_id|project|name|web_url|default_branch|first_seen_at",
        &["r1|p1|payments|api|https://ado/contoso/payments/_git/api|main|2025-06-01"],
    ),
    (
        "branches",
        "repository_id|name|commit_id|is_default|first_seen_at",
        &["r1|main|x|true|2025-06-01"],
    ),
    (
        "branch_policies",
        "policy_id|revision|scope_index|project_id|type_id|type_name|is_enabled|is_blocking|is_deleted|repository_id|ref_name|match_kind|minimum_approver_count|creator_vote_counts|reset_on_source_push|block_last_pusher_vote|valid_from|is_valid_from_proven|first_seen_at|settings_json",
        &[
            "1|1|0|p1|fa4e907d-c16b-4a4c-9dfa-4906e5d171dd|Minimum number of reviewers|true|true|false|r1|refs/heads/main|Exact|1|false|true|true|2025-01-01|true|2025-06-01|{}",
        ],
    ),
    (
        "pull_requests",
        "created_month|repository_id|pull_request_id|project_id|title|status|author_id|author_unique_name|author_descriptor|source_ref|target_ref|source_commit|created_at|closed_at|completion_thread_at|threads_read_at|iterations_read_at|first_seen_at",
        &[
            "2026-03|r1|1|p1|Add limits|completed|ann|ann@contoso.com|aad.ann|refs/heads/a|refs/heads/main|c1|2026-03-01|2026-03-02T12:00:00Z|2026-03-02T12:00:00Z|2026-06-01|2026-06-01|2026-03-01",
            "2026-03|r1|2|p1|=HYPERLINK(\"http://evil\",\"x\") \u{1b}[31mred\u{202e}|completed|ann|ann@contoso.com|aad.ann|refs/heads/b|refs/heads/main|c2|2026-03-01|2026-03-03T12:00:00Z|2026-03-03T12:00:00Z|2026-06-01|2026-06-01|2026-03-01",
            "2026-03|r1|3|p1|Hotfix|completed|ann|ann@contoso.com|aad.ann|refs/heads/c|refs/heads/main|c3|2026-03-01|2026-03-04T12:00:00Z|2026-03-04T12:00:00Z|2026-06-01|2026-06-01|2026-03-01",
            "2026-04|r1|4|p1|Not read yet|completed|ann|ann@contoso.com|aad.ann|refs/heads/d|refs/heads/main|c4|2026-04-01|2026-04-05T12:00:00Z|||2026-06-01|2026-04-01",
        ],
    ),
    (
        "pull_request_reviewers",
        "created_month|repository_id|pull_request_id|reviewer_id|unique_name|vote|first_seen_at",
        &[
            "2026-03|r1|1|ben|ben@contoso.com|10|2026-03-01",
            "2026-03|r1|2|ann|ann@contoso.com|10|2026-03-01",
        ],
    ),
    (
        "pull_request_votes",
        "created_month|repository_id|pull_request_id|thread_id|voter_id|kind|vote|at|voter_unique_name|voter_descriptor",
        &[
            "2026-03|r1|1|10|ben|vote|10|2026-03-02T10:00:00Z|ben@contoso.com|aad.ben",
            "2026-03|r1|2|11|ann|vote|10|2026-03-03T10:00:00Z|ann@contoso.com|aad.ann",
        ],
    ),
    (
        "pull_request_iterations",
        "created_month|repository_id|pull_request_id|iteration_id|at|pushed_by_id|pushed_by_unique_name|reason",
        &[
            "2026-03|r1|1|1|2026-03-02T09:00:00Z|ann|ann@contoso.com|create",
            "2026-03|r1|2|1|2026-03-02T09:00:00Z|ann|ann@contoso.com|create",
            "2026-03|r1|3|1|2026-03-02T09:00:00Z|ann|ann@contoso.com|create",
        ],
    ),
    (
        "pull_request_labels",
        "created_month|repository_id|pull_request_id|name|active|first_seen_at|was_seen_open",
        &["2026-03|r1|3|emergency|true|2026-03-01|true"],
    ),
    (
        "population_counts",
        "repository_id|ref_name|closed_month|listed_count|counted_at|is_final",
        &[
            "r1|refs/heads/main|2026-03|3|2026-06-01|true",
            "r1|refs/heads/main|2026-04|1|2026-06-01|true",
            "r1|refs/heads/feature|2026-04|9|2026-06-01|true",
        ],
    ),
    (
        "sync_runs",
        "run_month|run_id|resource|scope|window_from|window_to|started_at|finished_at|status",
        &[
            "2026-06|s1|branch_policies|p1|2026-06-01|2026-06-01|2026-06-01|2026-06-01T08:00:00Z|ok",
            "2026-06|s1|branches|r1|2026-06-01|2026-06-01|2026-06-01|2026-06-01T08:00:00Z|ok",
            "2026-06|s1|repositories|p1|2026-06-01|2026-06-01|2026-06-01|2026-06-01T08:00:00Z|ok",
            "2026-06|s1|pull_requests|p1|1970-01-01|2026-06-01|2026-06-01|2026-06-01T08:00:00Z|ok",
        ],
    ),
];

/// Returns a row of a table; texts by column, the rest plain defaults.
pub fn row(catalog: &Catalog, table: &str, texts: &[(&str, &str)]) -> Row {
    let texts: BTreeMap<String, String> =
        texts.iter().map(|(column, text)| ((*column).to_owned(), (*text).to_owned())).collect();
    cases::row(catalog.require(table).unwrap(), &texts).unwrap()
}

/// Writes rows of one table into a lake.
pub async fn write(lake: &Lake, rows: Vec<Row>) {
    let table = rows[0].table().name.clone();
    let change = Change {
        table: &table,
        organization: "contoso",
        run_id: "s1",
        seen_at: at("2026-06-01"),
        rows: rows.into(),
        complete: Vec::new(),
    };
    lake.write(change).await.unwrap();
}

/// Records what a sync asked for: a window of a resource, and how it ended.
pub async fn record(lake: &Lake, resource: &str, scope: &str, window: [&str; 2], status: &str) {
    let [from, to] = window;
    let cells = [
        ("run_month", "2026-06"),
        ("run_id", to),
        ("resource", resource),
        ("scope", scope),
        ("window_from", from),
        ("window_to", to),
        ("started_at", to),
        ("finished_at", to),
        ("status", status),
    ];
    write(lake, vec![row(lake.catalog(), "sync_runs", &cells)]).await;
}

/// Writes the organization into a lake.
pub async fn fill(lake: &Lake) {
    for (table, columns, lines) in ROWS {
        let columns: Vec<&str> = columns.split('|').collect();
        let rows = lines
            .iter()
            .map(|line| {
                let cells: Vec<(&str, &str)> =
                    columns.iter().copied().zip(line.split('|')).collect();
                assert_eq!(cells.len(), columns.len(), "{table}: {line}");
                row(lake.catalog(), table, &cells)
            })
            .collect();
        write(lake, rows).await;
    }
}

/// A lake in memory with the organization.
pub async fn lake() -> Lake {
    let lake = Lake::in_memory(Arc::new(Catalog::embedded().unwrap())).unwrap();
    fill(&lake).await;
    lake
}

/// A folder with a config, and a lake of the organization beside it.
pub async fn installed() -> Adolake {
    let adolake = Adolake::with_config(
        "[lake]\nurl = \"./lake\"\n\n[[organization]]\nname = \"contoso\"\nauth = { kind = \"pat\", env = \"ADO_PAT\" }\n\n[checks]\nstart-date = 2026-01-01\n",
    );
    fill(&open(&adolake)).await;
    adolake
}

/// Opens the lake of a folder.
pub fn open(adolake: &Adolake) -> Lake {
    let catalog = Arc::new(Catalog::embedded().unwrap());
    let url = url::Url::from_directory_path(adolake.path().join("lake")).unwrap();
    let keep = std::time::Duration::from_secs(400 * 86_400);
    Lake::open(url.as_str(), &BTreeMap::new(), keep, catalog).unwrap()
}

/// Settings with a start date, all else built in.
pub fn settings() -> Settings {
    Settings { start_date: Some("2026-01-01".parse().unwrap()), ..Settings::default() }
}

pub fn at(text: &str) -> DateTime<Utc> {
    cases::instant(text).unwrap()
}

fn noon() -> DateTime<Utc> {
    at("2026-06-02T12:00:00Z")
}

/// A request for all checks, stored.
pub fn request<'a>() -> Request<'a> {
    Request {
        checks: &[],
        organizations: &[],
        profile: Profile::Standard,
        as_of: None,
        since: None,
        until: None,
        given: &[],
        is_stored: true,
        version: "0.0.0",
        clock: &noon,
    }
}

/// Runs the embedded checks.
pub async fn run(lake: &Lake, settings: &Settings, request: &Request<'_>) -> CheckRun {
    checks::run(lake, &Queries::embedded().unwrap(), settings, request).await.unwrap()
}

/// Answers a query on a lake as lines of cells between bars.
pub async fn ask(lake: &Lake, sql: &str) -> Vec<String> {
    let session = lake.session().await.unwrap();
    let batches = session.ctx.sql(sql).await.unwrap().collect().await.unwrap();
    let mut lines = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch
                .columns()
                .iter()
                .map(|column| arrow::util::display::array_value_to_string(column, row).unwrap())
                .collect();
            lines.push(cells.join("|"));
        }
    }
    lines
}

/// A vote that turns the approval of pull request 1 into a rejection.
pub async fn reject(lake: &Lake) {
    let vote = [
        ("created_month", "2026-03"),
        ("repository_id", "r1"),
        ("pull_request_id", "1"),
        ("thread_id", "12"),
        ("voter_id", "ben"),
        ("kind", "vote"),
        ("vote", "-10"),
        ("at", "2026-03-02T11:00:00Z"),
        ("voter_unique_name", "ben@contoso.com"),
        ("voter_descriptor", "aad.ben"),
    ];
    write(lake, vec![row(lake.catalog(), "pull_request_votes", &vote)]).await;
}

/// Files below a folder whose name ends so, sorted; nothing is asked of those that are still being put.
pub fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
