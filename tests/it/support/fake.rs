//! A small organization whose answers a test changes between syncs, with a clock that only the test moves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use adolake::config::{Config, Environment, Projects};
use adolake::event::{Event, Observer};
use adolake::lake::Lake;
use adolake::schema::{Catalog, Row};
use adolake::sync::{Input, Options, Report, sync};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, TimeDelta, Utc};
use datafusion::arrow::array::{Array as _, AsArray as _};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::canned::{ANNA, BEN, PROJECT, REPOSITORY, at, source};

/// The organization and a lake that it is read into.
pub struct Fake {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    pub lake: Arc<Lake>,
    config: Config,
    warnings: Arc<Warnings>,
}

#[derive(Default)]
struct State {
    now: DateTime<Utc>,
    /// By path below `_apis`, with the project's id before it unless it is the usual one.
    answers: BTreeMap<String, Value>,
    /// Answers given once, before those.
    once: BTreeMap<String, Value>,
    /// As lists show them.
    pulls: BTreeMap<i64, Value>,
    runs: BTreeMap<i64, Value>,
    asked: Vec<String>,
}

#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn observe(&self, event: &Event) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push(message.clone());
        }
    }
}

impl Fake {
    /// Starts an organization with one project, one repository and its branch `main`, on 2026-03-10 at 08:00.
    pub async fn start(settings: &str) -> Self {
        let state =
            Arc::new(Mutex::new(State { now: at("2026-03-10T08:00:00Z"), ..State::default() }));
        let app = axum::Router::new().fallback({
            let state = Arc::clone(&state);
            move |request: Request| {
                let address = request.uri().path_and_query().unwrap().to_string();
                let response = answer(&mut state.lock().unwrap(), &address);
                async move { response }
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let lake = Arc::new(Lake::in_memory(Arc::new(Catalog::embedded().unwrap())).unwrap());
        let fake =
            Self { state, address, lake, config: config(settings), warnings: Arc::default() };
        for (path, value) in [
            ("connectionData", json!({"authenticatedUser": {"id": ANNA}})),
            ("profile/profiles/me", json!({"id": ANNA})),
            ("accounts", json!([])),
            (
                "projects",
                json!([{"id": PROJECT, "name": "shop", "state": "wellFormed", "visibility": "private"}]),
            ),
            ("git/repositories", json!([repository(REPOSITORY, "api")])),
            ("git/deletedrepositories", json!([])),
            ("git/recycleBin/repositories", json!([])),
            ("graph/users", json!([])),
            ("graph/serviceprincipals", json!([])),
            ("policy/configurations", json!([])),
            ("build/definitions", json!([])),
            (
                "build/retention",
                json!({"purgeRuns": {"value": 30}, "purgePullRequestRuns": {"value": 10}}),
            ),
            ("build/settings", json!({"daysToKeepDeletedBuildsBeforeDestroy": 30})),
        ] {
            fake.set(path, value);
        }
        fake.set(
            &format!("git/repositories/{REPOSITORY}/refs"),
            json!([{"name": "refs/heads/main", "objectId": "A1"}]),
        );
        fake.set(&format!("git/repositories/{REPOSITORY}/pushes"), json!([]));
        fake
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Settings from now on.
    pub fn configure(&mut self, settings: &str) {
        self.config = config(settings);
    }

    /// What a path answers: a list, an object, or a status.
    pub fn set(&self, path: &str, value: Value) {
        self.state().answers.insert(path.to_owned(), value);
    }

    /// What a path answers the next time, before it answers as ever.
    pub fn set_once(&self, path: &str, value: Value) {
        self.state().once.insert(path.to_owned(), value);
    }

    /// Moves the clock on.
    pub fn advance(&self, by: TimeDelta) {
        self.state().now += by;
    }

    /// Opens a pull request by Anna, that Ben approved.
    pub fn open(&self, number: i64) {
        let pull = json!({
            "pullRequestId": number, "status": "active", "title": format!("Change {number}"),
            "repository": {"id": REPOSITORY, "name": "api", "project": {"id": PROJECT, "name": "shop"}},
            "createdBy": {"id": ANNA, "uniqueName": "anna@contoso.com", "descriptor": "aad.anna"},
            "creationDate": "2026-01-05T08:00:00Z",
            "sourceRefName": format!("refs/heads/topic-{number}"), "targetRefName": "refs/heads/main",
            "lastMergeSourceCommit": {"commitId": format!("5{number}")},
            "lastMergeCommit": {"commitId": format!("c{number}")},
            "reviewers": [{"id": BEN, "uniqueName": "ben@contoso.com", "vote": 10}],
        });
        self.state().pulls.insert(number, pull);
    }

    /// Changes a pull request.
    pub fn edit(&self, number: i64, change: impl FnOnce(&mut Value)) {
        change(self.state().pulls.get_mut(&number).unwrap());
    }

    /// Completes or abandons it.
    pub fn close(&self, number: i64, status: &str, when: &str) {
        self.edit(number, |pull| {
            pull["status"] = json!(status);
            pull["closedDate"] = json!(when);
        });
    }

    /// Opens and completes it.
    pub fn merged(&self, number: i64, when: &str) {
        self.open(number);
        self.close(number, "completed", when);
    }

    /// Adds or replaces a run of pipeline 5; `more` overrides.
    pub fn run(&self, id: i64, more: Value) {
        let mut run = json!({
            "id": id, "status": "completed", "result": "succeeded", "reason": "pullRequest",
            "queueTime": "2026-03-01T08:00:00Z", "startTime": "2026-03-01T08:01:00Z",
            "definition": {"id": 5, "name": "CodeQL", "path": "\\security"},
            "repository": {"id": REPOSITORY, "type": "TfsGit"}, "sourceBranch": "refs/pull/1/merge",
        });
        for (name, value) in more.as_object().unwrap() {
            run[name] = value.clone();
        }
        self.state().runs.insert(id, run);
    }

    /// Destroys a run.
    pub fn forget_run(&self, id: i64) {
        self.state().runs.remove(&id);
    }

    /// Removes a pull request from every list; asked for by its number it is missing.
    pub fn hide(&self, number: i64) -> Value {
        self.state().pulls.remove(&number).unwrap()
    }

    /// Puts it back.
    pub fn show(&self, pull: Value) {
        self.state().pulls.insert(pull["pullRequestId"].as_i64().unwrap(), pull);
    }

    /// Reads what is new.
    pub async fn sync(&self) -> Report {
        self.sync_with(&Options::default()).await
    }

    pub async fn sync_with(&self, options: &Options) -> Report {
        self.state().asked.clear();
        self.warnings.0.lock().unwrap().clear();
        sync(self.input(), options).await.unwrap()
    }

    /// Reads what is new, and demands that nothing was missing.
    pub async fn sync_whole(&self) -> Report {
        let report = self.sync().await;
        assert!(!report.is_partial(), "{:?}", self.problems(&report));
        report
    }

    pub fn input(&self) -> Input {
        Input {
            source: source(self.address),
            lake: Arc::clone(&self.lake),
            projects: Projects::new(vec!["*".to_owned()]).unwrap(),
            section: self.config.sync.clone(),
            settings: self.config.settings.clone(),
            observer: Arc::clone(&self.warnings) as _,
            stop: CancellationToken::new(),
        }
    }

    /// What was missing.
    pub fn problems(&self, report: &Report) -> Vec<String> {
        let is_bad = |row: &&Row| matches!(row.text("status"), Some("partial" | "unreadable"));
        let told = |row: &Row| format!("{:?} {:?}", row.text("resource"), row.text("error"));
        report.rows.iter().filter(is_bad).map(told).collect()
    }

    /// Requests of the last sync whose address holds a text.
    pub fn asked(&self, part: &str) -> Vec<String> {
        self.state().asked.iter().filter(|address| address.contains(part)).cloned().collect()
    }

    /// Warnings of the last sync.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.0.lock().unwrap().clone()
    }

    /// Rows that a query answers, each as texts joined with spaces; `-` for null.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let session = self.lake.session().await.unwrap();
        let batches = session.ctx.sql(sql).await.unwrap().collect().await.unwrap();
        let mut lines = Vec::new();
        for batch in batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| cast(column, &DataType::Utf8).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let cells = columns.iter().map(|column| match column.is_null(row) {
                    true => "-".to_owned(),
                    false => column.as_string::<i32>().value(row).to_owned(),
                });
                lines.push(cells.collect::<Vec<_>>().join(" "));
            }
        }
        lines
    }

    /// The only row that a query answers.
    pub async fn row(&self, sql: &str) -> String {
        let rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows[0].clone()
    }
}

/// A repository of the usual project.
pub fn repository(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "project": {"id": PROJECT, "name": "shop"}, "defaultBranch": "refs/heads/main"})
}

fn config(settings: &str) -> Config {
    let text = match settings.contains("start-date") {
        true => settings.to_owned(),
        false => format!("[checks]\nstart-date = 2026-01-01\n{settings}"),
    };
    Config::parse(Path::new("/adolake.toml"), &text, &Environment::from_iter([("A", "b")])).unwrap()
}

fn answer(state: &mut State, address: &str) -> Response {
    state.asked.push(address.to_owned());
    let mut headers = HeaderMap::new();
    let date = state.now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    headers.insert("Date", date.parse().unwrap());
    headers.insert("Content-Type", "application/json".parse().unwrap());
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let path = path.trim_start_matches("/contoso/").trim_start_matches("_apis/");
    let path = path.trim_start_matches(&format!("{PROJECT}/_apis/")).replace("/_apis/", "/");
    let status = |code: u16, headers: HeaderMap| {
        let body = r#"{"message":"TF401019: missing or hidden","typeKey":"X"}"#;
        (StatusCode::from_u16(code).unwrap(), headers, body).into_response()
    };
    match found(state, &path, &query) {
        None => status(404, headers),
        Some(Value::Number(code)) => {
            status(u16::try_from(code.as_u64().unwrap()).unwrap(), headers)
        }
        Some(Value::Array(rows)) => {
            let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
            let page: Vec<Value> = rows
                .into_iter()
                .skip(number("$skip").unwrap_or(0))
                .take(number("$top").unwrap_or(usize::MAX))
                .collect();
            (headers, json!({"count": page.len(), "value": page}).to_string()).into_response()
        }
        Some(body) => (headers, body.to_string()).into_response(),
    }
}

fn found(state: &mut State, path: &str, query: &BTreeMap<String, String>) -> Option<Value> {
    if let Some(value) = state.once.remove(path) {
        return Some(value);
    }
    if let Some(value) = state.answers.get(path) {
        return Some(value.clone());
    }
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["git", "pullrequests"] => Some(Value::Array(pulls(state, query))),
        ["git", "pullrequests", number] => {
            let mut pull = state.pulls.get(&number.parse::<i64>().ok()?)?.clone();
            pull.as_object_mut()?.remove("labels");
            if pull["status"] != "active" {
                pull["closedBy"] = json!({"id": BEN, "uniqueName": "ben@contoso.com"});
            }
            Some(pull)
        }
        ["git", "repositories", _, "pullRequests", number, "labels"] => {
            let pull = state.pulls.get(&number.parse::<i64>().ok()?)?;
            Some(pull.get("labels").cloned().unwrap_or(json!([])))
        }
        ["git", "repositories", _, "pullRequests", number, "iterations"] => Some(json!([
            {"id": 1, "createdDate": "2026-01-05T08:00:00Z", "author": {"id": ANNA},
             "reason": "push", "sourceRefCommit": {"commitId": format!("5{number}")}}])),
        ["git", "repositories", _, "pullRequests", _, "threads" | "statuses" | "commits"]
        | ["policy", "evaluations"] => {
            // Of one pull request: the test may give an answer for its number.
            let number = match query.get("artifactId") {
                Some(artifact) => artifact.rsplit('/').next()?,
                None => parts[4],
            };
            let part = parts.last()?;
            Some(state.answers.get(&format!("{number}/{part}")).cloned().unwrap_or(json!([])))
        }
        ["build", "builds"] => Some(Value::Array(runs(state, query))),
        _ => None,
    }
}

fn instant(value: &Value) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(value.as_str()?).unwrap().to_utc())
}

fn is_between(value: &Value, query: &BTreeMap<String, String>, prefix: &str) -> bool {
    let bound = |name: &str| query.get(&format!("{prefix}{name}")).map(|text| at(text));
    let at = instant(value);
    bound("minTime").is_none_or(|from| at.is_some_and(|at| at >= from))
        && bound("maxTime").is_none_or(|to| at.is_some_and(|at| at <= to))
}

fn pulls(state: &State, query: &BTreeMap<String, String>) -> Vec<Value> {
    let status = query.get("searchCriteria.status").map_or("active", String::as_str);
    let mut found: Vec<Value> = state
        .pulls
        .values()
        .filter(|pull| {
            pull["status"] == status && is_between(&pull["closedDate"], query, "searchCriteria.")
        })
        .cloned()
        .collect();
    found.reverse();
    found
}

fn runs(state: &State, query: &BTreeMap<String, String>) -> Vec<Value> {
    let only_deleted = query.get("deletedFilter").is_some_and(|filter| filter == "onlyDeleted");
    let is_wanted = |run: &&Value| {
        Some(run["status"].as_str().unwrap()) == query.get("statusFilter").map(String::as_str)
            && (run["deleted"] == true) == only_deleted
            && is_between(&run["finishTime"], query, "")
    };
    let mut found: Vec<Value> = state.runs.values().filter(is_wanted).cloned().collect();
    found.sort_by_key(|run| instant(&run["finishTime"]));
    found
}
