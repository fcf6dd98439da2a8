//! The HTTP face: sign-in, the clock in `Date`, counting; the answers themselves come from [`routes`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::{Router, middleware};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use super::answer::{Answer, Request};
use super::directory::{Bearer, Directory};
use super::faults::{Faults, Injector, break_off, inject};
use super::routes;
use super::snapshot::Snapshot;
use super::time::{SECOND, Time};
use super::world::World;

/// How often each route was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// All requests, refused ones too; those to the simulator's own controls are not counted.
    pub total: u64,
    /// By route: `pull requests`, `threads`, `builds`, …
    pub routes: BTreeMap<&'static str, u64>,
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) world: World,
    snapshot: RwLock<Arc<Snapshot>>,
    token: String,
    pub(crate) directory: Directory,
    denied: Vec<String>,
    requests: Mutex<Requests>,
    /// What goes wrong.
    pub(crate) injector: Arc<Injector>,
}

/// Who asks.
enum Asker {
    /// Somebody who may read everything.
    Member,
    /// Somebody whose token is good for this organization only, not for profile and accounts.
    MemberOfOne,
    /// Somebody whose bearer token is good, but whom the organization does not know; by object id.
    Stranger(String),
    /// Somebody with a bearer token that is no good.
    Ended,
    /// Nobody.
    Nobody,
}

impl Shared {
    /// A world at its starting instant.
    pub(crate) fn new(
        world: World,
        token: String,
        denied: Vec<String>,
        directory: Directory,
        faults: Faults,
    ) -> Shared {
        let snapshot = RwLock::new(Arc::new(Snapshot::new(&world, world.start)));
        let (requests, injector) = (Mutex::default(), Arc::new(Injector::new(faults)));
        Shared { world, snapshot, token, denied, directory, requests, injector }
    }

    /// What is visible now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Moves the clock on by ticks.
    pub(crate) fn advance(&self, ticks: i64) {
        let now = self.snapshot().now.plus(ticks);
        let next = Arc::new(Snapshot::new(&self.world, now));
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn counters(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often each route was asked so far.
    pub(crate) fn requests(&self) -> Requests {
        self.counters().clone()
    }

    fn count(&self, route: &'static str) {
        let mut counters = self.counters();
        counters.total += 1;
        *counters.routes.entry(route).or_default() += 1;
    }

    /// Whose token stands in the header: a personal access token, or a bearer token.
    fn asker(&self, headers: &HeaderMap, now: Time) -> Asker {
        let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
        else {
            return Asker::Nobody;
        };
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                if token == self.token {
                    return Asker::Member;
                }
                match self.directory.owner(token, now) {
                    Bearer::Member => Asker::Member,
                    Bearer::Stranger(id) => Asker::Stranger(id),
                    Bearer::Nobody => Asker::Ended,
                }
            }
            Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
                let pair =
                    STANDARD.decode(pair).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                match pair.as_deref().and_then(|pair| pair.split_once(':')) {
                    Some((_, token)) if token == self.token => Asker::Member,
                    Some((_, token)) if token.strip_suffix("-scoped") == Some(&self.token) => {
                        Asker::MemberOfOne
                    }
                    _ => Asker::Nobody,
                }
            }
            _ => Asker::Nobody,
        }
    }

    /// Whether the token is not made for what the request asks: one of [`SCOPES`](super::SCOPES).
    fn lacks_scope(&self, request: &Request) -> bool {
        let mut path = request.path.iter().skip_while(|part| *part != "_apis").skip(1);
        let scope = match path.next().map(|area| area.to_ascii_lowercase()).as_deref() {
            Some("git" | "policy") => "code",
            Some("build" | "pipelines") => "build",
            Some("graph") => "graph",
            Some("projects") => "project",
            Some("profile" | "accounts") => "profile",
            _ => return false,
        };
        self.denied.iter().any(|denied| denied == scope)
    }

    /// What a request without a good token gets.
    fn refuse(&self, request: &Request, asker: &Asker) -> Answer {
        let user = if let Asker::Stranger(id) = asker { id.as_str() } else { "" };
        let message =
            format!("TF400813: The user '{user}' is not authorized to access this resource.");
        let reason = match asker {
            Asker::Stranger(_) | Asker::Ended => message.replace(' ', "+").replace(':', "%3a"),
            _ => "Access+Denied%3a+The+Personal+Access+Token+used+is+invalid+or+has+expired."
                .to_owned(),
        };
        let is_suppressed = request
            .header("x-tfs-fedauthredirect")
            .is_some_and(|value| value.eq_ignore_ascii_case("suppress"));
        let may_redirect = [Method::GET, Method::POST].contains(&request.method) && !is_suppressed;
        let answer = if may_redirect {
            let place =
                format!("{}/_signin?realm=dev.azure.com&protocol=wsfederation", self.world.base);
            Answer::html(StatusCode::FOUND, "<html><body>Object moved</body></html>")
                .with("location", place)
        } else {
            Answer::error(StatusCode::UNAUTHORIZED, "UnauthorizedRequestException", &message)
                .with("www-authenticate", "Basic realm=\"http://127.0.0.1/\"")
        };
        answer.with("x-tfs-serviceerror", reason)
    }

    fn answer(&self, request: &Request, snapshot: &Snapshot) -> Answer {
        let last = request.path.last().map(String::as_str);
        self.directory.count_request();
        let asker = self.asker(&request.headers, snapshot.now);
        let is_deployment = request.path.first().is_some_and(|first| first == "_apis");
        let is_let_in = match asker {
            Asker::Member => true,
            Asker::MemberOfOne => !is_deployment,
            _ => false,
        };
        let (route, answer) = if let Some(found) = self.directory.answer(request, snapshot.now) {
            found
        } else if last == Some("_signin") {
            let page = "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head></html>";
            ("sign-in page", Answer::html(StatusCode::NON_AUTHORITATIVE_INFORMATION, page))
        } else if request.method == Method::HEAD && request.path.len() == 1 {
            let answer = Answer::empty(StatusCode::NOT_FOUND);
            if request.path[0].eq_ignore_ascii_case(&self.world.organization) {
                ("tenant", answer.with("x-vss-resourcetenant", self.directory.tenant()))
            } else {
                ("tenant", answer)
            }
        } else if !is_let_in {
            ("refused token", self.refuse(request, &asker))
        } else if self.lacks_scope(request) {
            let message = "TF400813: The user 'someone' is not authorized to access this resource.";
            let key = "UnauthorizedRequestException";
            ("refused scope", Answer::error(StatusCode::UNAUTHORIZED, key, message))
        } else {
            routes::answer(&self.world, snapshot, request)
        };
        self.count(route);
        answer
    }

    /// The simulator's own controls, outside of Azure DevOps.
    fn control(&self, request: &Request) -> Answer {
        match (&request.method, request.path.get(1).map(String::as_str)) {
            (&Method::POST, Some("clock")) => {
                let body: serde_json::Value =
                    serde_json::from_slice(&request.body).unwrap_or_default();
                let most = Time::LAST.0.saturating_sub(self.snapshot().now.0) / SECOND;
                let Some(seconds) =
                    body["advance_s"].as_i64().filter(|seconds| (0..=most).contains(seconds))
                else {
                    return Answer::bad_request(&format!(
                        "the body must be {{\"advance_s\": N}}, N seconds from 0 to {most}"
                    ));
                };
                self.advance(seconds.saturating_mul(SECOND));
                self.stats()
            }
            (&Method::POST, Some("sign-in")) => {
                let body: serde_json::Value =
                    serde_json::from_slice(&request.body).unwrap_or_default();
                match body["end"].as_str() {
                    Some("access") => self.directory.end_access(),
                    Some("refresh") => self.directory.revoke(),
                    _ => {
                        return Answer::bad_request(
                            "the body must be {\"end\": \"access\"} or {\"end\": \"refresh\"}",
                        );
                    }
                }
                self.stats()
            }
            (&Method::GET, Some("stats" | "clock")) => self.stats(),
            _ => Answer::not_found(
                "NotFound",
                "the controls are POST /_simulator/clock, POST /_simulator/sign-in and GET /_simulator/stats",
            ),
        }
    }

    fn stats(&self) -> Answer {
        let (snapshot, requests) = (self.snapshot(), self.requests());
        Answer::object(|json| {
            json.time("now", snapshot.now)
                .int("requests", i64::try_from(requests.total).unwrap_or(i64::MAX));
            json.key("routes").object(|json| {
                for (route, count) in requests.routes {
                    json.int(route, i64::try_from(count).unwrap_or(i64::MAX));
                }
            });
            let disturbance = self.injector.now();
            let manners = disturbance.manners();
            json.key("faults").object(|json| {
                for (fault, count) in disturbance.shown() {
                    json.int(fault, i64::try_from(count).unwrap_or(i64::MAX));
                }
            });
            json.int("pauses", i64::try_from(manners.pauses).unwrap_or(i64::MAX));
            json.int("sent_during_pauses", i64::try_from(manners.early).unwrap_or(i64::MAX));
            for (name, count) in [
                ("active", snapshot.projects.iter().map(|lists| lists.active.len()).sum::<usize>()),
                ("completed", snapshot.projects.iter().map(|lists| lists.completed.len()).sum()),
                ("abandoned", snapshot.projects.iter().map(|lists| lists.abandoned.len()).sum()),
                ("runs", snapshot.projects.iter().map(|lists| lists.runs.len()).sum()),
            ] {
                json.int(name, i64::try_from(count).unwrap_or(i64::MAX));
            }
        })
    }
}

/// The service with its faults in front.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let (clock, injector) = (Arc::clone(&shared), Arc::clone(&shared.injector));
    // Answers that are made up on the way carry the same time as all others.
    let dated = move |mut answer: Response| {
        let headers = answer.headers_mut();
        if !headers.contains_key(header::DATE)
            && let Ok(date) = HeaderValue::from_str(&date(clock.snapshot().now))
        {
            headers.insert(header::DATE, date);
        }
        std::future::ready(answer)
    };
    Router::new()
        .fallback(handle)
        .with_state(shared)
        .layer(middleware::from_fn_with_state(injector, inject))
        // The service compresses for whoever takes it, so what a broken line leaves is half of a compressed text.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(middleware::map_response(break_off))
        .layer(middleware::map_response(dated))
}

/// The clock as a header shows it.
fn date(now: Time) -> String {
    now.to_utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request::new(method, uri.path(), uri.query().unwrap_or(""), headers, body);
    let snapshot = shared.snapshot();
    let answer = if request.path.first().is_some_and(|first| first == "_simulator") {
        shared.control(&request)
    } else {
        shared.answer(&request, &snapshot)
    };
    respond(answer, snapshot.now)
}

/// Puts the answer into HTTP, with the simulated clock in `Date`.
fn respond(answer: Answer, now: Time) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    set(header::DATE, &date(now));
    if !answer.content_type.is_empty() {
        set(header::CONTENT_TYPE, answer.content_type);
    }
    set(HeaderName::from_static("x-vss-e2eid"), "6f0d2c1e-0000-4000-8000-000000000000");
    set(HeaderName::from_static("x-tfs-processid"), "1f3b0a52-0000-4000-8000-000000000000");
    for (name, value) in &answer.headers {
        set(HeaderName::from_static(name), value);
    }
    response
}
