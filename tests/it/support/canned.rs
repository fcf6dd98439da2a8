//! Canned answers of Azure DevOps, and looking at the rows that come of them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use adolake::ado::{Client, Endpoints, FixedToken, Gate, Options, Patience};
use adolake::event::Silent;
use adolake::extract::Source;
use adolake::schema::{Catalog, Row};
use adolake::window::Window;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

const DATE: &str = "Fri, 02 Jan 2026 03:04:05 GMT";
pub const PROJECT: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub const REPOSITORY: &str = "bbbbbbbb-0000-0000-0000-000000000001";
pub const ANNA: &str = "cccccccc-0000-0000-0000-000000000001";
pub const BEN: &str = "cccccccc-0000-0000-0000-000000000002";

/// A service that answers paths below the organization, and notes what it was asked.
pub struct Canned {
    pub source: Source,
    pub asked: Arc<Mutex<Vec<String>>>,
}

/// Answers are looked up by path; a path with `$skip=N` appended wins; lists that are paged by `$skip` begin there.
pub async fn canned(answers: Value) -> Canned {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let answers: HashMap<String, Value> = serde_json::from_value(answers).unwrap();
    let app = axum::Router::new().fallback({
        let asked = Arc::clone(&asked);
        move |request: Request| {
            let address = request.uri().path_and_query().unwrap().to_string();
            asked.lock().unwrap().push(address.clone());
            let response = answer(&answers, &address);
            async move { response }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Canned { source: source(address), asked }
}

fn answer(answers: &HashMap<String, Value>, address: &str) -> Response {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let path = path.trim_start_matches("/contoso/").trim_start_matches("_apis/");
    let path = path.trim_start_matches(&format!("{PROJECT}/_apis/"));
    let skip = query.split('&').find_map(|pair| pair.strip_prefix("$skip=")).unwrap_or("0");
    let paged = answers.get(&format!("{path}$skip={skip}"));
    let left_out = if paged.is_some() { 0 } else { skip.parse().unwrap() };
    let headers = [("Content-Type", "application/json"), ("Date", DATE)];
    match paged.or_else(|| answers.get(path)) {
        None => (axum::http::StatusCode::NOT_FOUND, headers, r#"{"message":"TF401019"}"#)
            .into_response(),
        Some(Value::Number(status)) => {
            let status = u16::try_from(status.as_u64().unwrap()).unwrap();
            (axum::http::StatusCode::from_u16(status).unwrap(), headers, "").into_response()
        }
        Some(Value::Array(rows)) => {
            let rows = &rows[rows.len().min(left_out)..];
            (headers, json!({"count": rows.len(), "value": rows}).to_string()).into_response()
        }
        Some(body) => (headers, body.to_string()).into_response(),
    }
}

pub fn source(address: SocketAddr) -> Source {
    let base = format!("http://{address}/contoso");
    let patience = Patience {
        attempts: 2,
        first_wait: std::time::Duration::from_millis(1),
        ..Patience::default()
    };
    let client = Client::new(Options {
        organization: "contoso".to_owned(),
        endpoints: Endpoints::parse(&base, &base, &base, &base).unwrap(),
        auth: Arc::new(FixedToken::pat(&SecretString::from("x")).unwrap()),
        gate: Gate::new(4, patience),
        patience,
        observer: Arc::new(Silent),
    })
    .unwrap();
    Source::new(client, Arc::new(Catalog::embedded().unwrap()))
}

pub fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

pub fn seen_at() -> DateTime<Utc> {
    at("2026-01-02T03:04:05Z")
}

pub fn january() -> Window {
    Window::new(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"))
}

/// Prints what is set in a row, in the order of its columns.
pub fn cells(row: &Row) -> String {
    let columns = row.table().columns.iter().zip(row.cells());
    let set: Vec<String> = columns
        .filter(|(_, cell)| !cell.is_null())
        .map(|(column, _)| {
            let name = column.name.as_str();
            let value = row
                .text(name)
                .map(str::to_owned)
                .or_else(|| row.int(name).map(|value| value.to_string()))
                .or_else(|| row.bool(name).map(|value| value.to_string()))
                .or_else(|| {
                    row.time(name).map(|time| time.format("%m-%dT%H:%M:%S%.f").to_string())
                });
            format!("{name}={}", value.unwrap_or_default())
        })
        .collect();
    set.join(" ")
}

/// Demands that every row could be written: no column that must not be null is null, but those of the writer.
pub fn assert_whole(rows: &[Row]) {
    for row in rows {
        for (column, cell) in row.table().columns.iter().zip(row.cells()) {
            let is_set = column.is_nullable || column.name.starts_with('_') || !cell.is_null();
            assert!(is_set, "{}.{} of {}", row.table().name, column.name, cells(row));
        }
    }
}
