//! The middleware between the network and the answers: decides what goes wrong with a request, and does it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::Notify;

use super::bucket::{Buckets, Entry, Manners, Told};
use super::line::Line;
use super::mangle::mangled;
use super::pages::{self, Place};
use super::{Fault, Faults, When};

/// By how much an answer is held back.
const TARPIT: Duration = Duration::from_millis(80);
const TOKEN: HeaderName = HeaderName::from_static("x-ms-continuationtoken");
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

/// What goes wrong in a running simulator; it can be changed while it runs.
#[derive(Debug)]
pub(crate) struct Injector {
    arrived: AtomicU64,
    arrival: Notify,
    state: RwLock<Arc<Disturbance>>,
}

/// Faults and how far they have got.
#[derive(Debug)]
pub(crate) struct Disturbance {
    faults: Faults,
    buckets: Buckets,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// How often each address was asked for.
    asked: HashMap<u64, u64>,
    /// Rules of a single request that have been used, by position.
    used: HashSet<usize>,
    /// How often each fault was shown.
    shown: BTreeMap<&'static str, u64>,
}

impl Injector {
    /// Starts to count.
    pub(crate) fn new(faults: Faults) -> Injector {
        let state = RwLock::new(Arc::new(Disturbance::new(faults)));
        Injector { arrived: AtomicU64::new(0), arrival: Notify::new(), state }
    }

    /// Lets other things go wrong from now on.
    pub(crate) fn change(&self, faults: Faults) {
        let new = Arc::new(Disturbance::new(faults));
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// What goes wrong now.
    pub(crate) fn now(&self) -> Arc<Disturbance> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many requests have arrived.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Acquire)
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn wait_for(&self, number: u64) {
        loop {
            let arrival = self.arrival.notified();
            tokio::pin!(arrival);
            arrival.as_mut().enable();
            if self.arrived() >= number {
                return;
            }
            arrival.await;
        }
    }

    fn arrive(&self) -> u64 {
        let number = self.arrived.fetch_add(1, Ordering::AcqRel) + 1;
        self.arrival.notify_waiters();
        number
    }
}

impl Disturbance {
    fn new(faults: Faults) -> Disturbance {
        let buckets = Buckets::new(faults.bucket);
        Disturbance { faults, buckets, progress: Mutex::default() }
    }

    /// How often each fault was shown.
    pub(crate) fn shown(&self) -> BTreeMap<&'static str, u64> {
        self.lock().shown.clone()
    }

    /// How clients behaved.
    pub(crate) fn manners(&self) -> Manners {
        self.buckets.manners()
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_calm(&self) -> bool {
        self.faults.rules.is_empty()
            && self.faults.bucket.is_none()
            && self.faults.page_rows.is_none()
    }

    /// The fault that passes of a request, if any, and which of its forms it takes: the first one where it was asked
    /// for by number.
    fn passing(&self, number: u64, address: u64, uri: &Uri) -> Option<(Fault, u64)> {
        let mut progress = self.lock();
        let mut chosen = None;
        for (at, (fault, when)) in self.faults.rules.iter().enumerate() {
            let is_now = match when {
                When::At(wanted) => {
                    number >= *wanted && applies(*fault, uri) && !progress.used.contains(&at)
                }
                When::Every(nth) => number.is_multiple_of(*nth),
                When::Permille(_) => false,
            };
            if fault.passes() && is_now {
                progress.used.insert(at);
                chosen = Some((*fault, 0));
                break;
            }
        }
        let attempt = progress.asked.entry(address).or_default();
        let turn = *attempt / self.faults.times.max(1);
        *attempt += 1;
        if chosen.is_none() {
            let mut hits =
                self.faults.hits(address).filter(|fault| fault.passes() && applies(*fault, uri));
            let form = self.faults.chance(Fault::SignIn, address) / 1000;
            let hit = hits.nth(usize::try_from(turn).unwrap_or(usize::MAX));
            chosen = hit.map(|fault| (fault, form));
        }
        if let Some((fault, _)) = chosen {
            *progress.shown.entry(fault.name()).or_default() += 1;
        }
        chosen
    }

    /// The properties of an answer that are faults.
    fn standing(&self, number: u64, address: u64, uri: &Uri) -> Vec<Fault> {
        let inside = repository_of(uri);
        let rules = self.faults.rules.iter().filter(|(fault, _)| !fault.passes());
        let is_hit = |fault: Fault, when: When| match (when, fault, inside) {
            (When::Permille(share), Fault::Hidden, Some(repository)) => {
                self.faults.chance(fault, hash(&repository)) % 1000 < share
            }
            (_, Fault::Hidden, None) => false,
            (When::Permille(share), ..) => self.faults.chance(fault, address) % 1000 < share,
            (When::At(wanted), ..) => number == wanted,
            (When::Every(nth), ..) => number.is_multiple_of(nth),
        };
        let hits = rules.filter(|(fault, when)| applies(*fault, uri) && is_hit(*fault, *when));
        hits.map(|(fault, _)| *fault).collect()
    }

    fn count(&self, fault: Fault) {
        *self.lock().shown.entry(fault.name()).or_default() += 1;
    }
}

/// Whether a fault can show at an address.
fn applies(fault: Fault, uri: &Uri) -> bool {
    match fault {
        Fault::RepeatPage => pages::place(uri) != Place::First,
        Fault::Shift | Fault::Insert | Fault::Shrink => matches!(pages::place(uri), Place::Skip(_)),
        Fault::RepeatToken => pages::place(uri) == Place::Token,
        Fault::EmptyPage => {
            pages::is_paged(uri)
                && !pages::token(uri).is_some_and(|token| token.ends_with("~empty"))
        }
        Fault::NoTimeline => uri.path().ends_with("/timeline"),
        _ => true,
    }
}

/// The repository inside of which an address is.
fn repository_of(uri: &Uri) -> Option<&str> {
    let (_, rest) = uri.path().split_once("/git/repositories/")?;
    rest.split_once('/').map(|(repository, _)| repository)
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Lets a request through, or makes its answer go wrong.
pub(crate) async fn inject(
    State(injector): State<Arc<Injector>>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.uri().path().starts_with("/_simulator") {
        return next.run(request).await;
    }
    let number = injector.arrive();
    let injector = injector.now();
    if injector.is_calm() {
        return next.run(request).await;
    }
    let faults = &injector.faults;
    let identity = hash(&request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes));
    let (delay, told) = match injector.buckets.enter(identity, faults.retry_after_s) {
        Entry::Refused { retry_after_s } => return refused(retry_after_s),
        Entry::Answered { delay, told } => (delay, told),
    };
    let uri = request.uri().clone();
    if !uri.path().contains(&faults.only) {
        injector.buckets.answered(identity);
        return next.run(request).await;
    }
    let address = hash(&(request.method().as_str(), uri.path(), uri.query()));
    let (fault, form) = injector.passing(number, address, &uri).unzip();
    let line =
        request.extensions().get::<ConnectInfo<Line>>().map(|ConnectInfo(line)| line.clone());
    let form = form.unwrap_or_default();
    if let Some(answer) = instead(&injector, fault, identity, line.as_ref(), form).await {
        return answer;
    }
    let standing = injector.standing(number, address, &uri);
    if let Some(answer) = hidden(&injector, &standing) {
        injector.buckets.answered(identity);
        return answer;
    }
    *request.uri_mut() = rewritten(&uri, fault, faults.page_rows);
    let mut answer = next.run(request).await;
    for fault in standing {
        answer = changed(&injector, answer, fault).await;
    }
    let held_back = if fault == Some(Fault::Tarpit) { Some(TARPIT) } else { delay };
    if let Some(delay) = held_back {
        tokio::time::sleep(delay).await;
        number_header(answer.headers_mut(), "x-ratelimit-delay", delay.as_secs_f64());
    }
    if let Some(told) = told {
        tell(answer.headers_mut(), &told);
    }
    if fault == Some(Fault::Pause) {
        injector.buckets.pause(identity, faults.retry_after_s, false);
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(faults.retry_after_s));
    } else {
        injector.buckets.answered(identity);
    }
    afterwards(answer, fault, &uri).await
}

/// The answer that comes instead of the real one, if one does.
async fn instead(
    injector: &Disturbance,
    fault: Option<Fault>,
    identity: u64,
    line: Option<&Line>,
    form: u64,
) -> Option<Response> {
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    let answer = match fault? {
        Fault::Throttle => {
            injector.buckets.pause(identity, injector.faults.retry_after_s, true);
            return Some(refused(injector.faults.retry_after_s));
        }
        Fault::Unavailable => {
            injector.buckets.pause(identity, injector.faults.retry_after_s, true);
            let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, "Service Unavailable");
            let seconds = HeaderValue::from(injector.faults.retry_after_s);
            answer.headers_mut().insert(header::RETRY_AFTER, seconds);
            return Some(answer);
        }
        Fault::Error if form % 2 == 1 => {
            plain(StatusCode::BAD_GATEWAY, HTML, "<html>502 Bad Gateway</html>")
        }
        Fault::Error => plain(failed, HTML, "<html>Internal Server Error</html>"),
        Fault::TextError => plain(
            failed,
            TEXT,
            "TF246017: Team Foundation Server could not connect to the database.",
        ),
        Fault::WrappedError => {
            plain(failed, JSON, r#"{"count":1,"value":{"Message":"An error has occurred."}}"#)
        }
        Fault::SignIn => match form % 3 {
            0 => plain(
                StatusCode::NON_AUTHORITATIVE_INFORMATION,
                HTML,
                "<html><title>Sign In</title></html>",
            ),
            1 => plain(StatusCode::OK, HTML, "<html><title>Sign In</title></html>"),
            _ => {
                let mut answer = plain(StatusCode::FOUND, HTML, "<html>Object moved</html>");
                let place = HeaderValue::from_static(
                    "https://spsprodweu1.vssps.visualstudio.com/_signin?realm=x",
                );
                answer.headers_mut().insert(header::LOCATION, place);
                answer
            }
        },
        Fault::Unauthorized => plain(StatusCode::UNAUTHORIZED, TEXT, ""),
        Fault::Drop => match line {
            Some(line) => {
                line.cut();
                plain(failed, TEXT, "")
            }
            None => plain(failed, TEXT, "the connection cannot be broken"),
        },
        Fault::Hang => std::future::pending().await,
        _ => return None,
    };
    injector.buckets.answered(identity);
    Some(answer)
}

/// The answer about something that is hidden.
fn hidden(injector: &Disturbance, standing: &[Fault]) -> Option<Response> {
    let fault =
        *standing.iter().find(|fault| matches!(fault, Fault::Hidden | Fault::NoTimeline))?;
    injector.count(fault);
    Some(if fault == Fault::NoTimeline {
        plain(StatusCode::NO_CONTENT, "", "")
    } else {
        let body = r#"{"$id":"1","innerException":null,"message":"TF401019: The Git repository does not exist or you do not have permissions for the operation you are attempting.","typeKey":"GitRepositoryNotFoundException","errorCode":0,"eventId":3000}"#;
        plain(StatusCode::NOT_FOUND, JSON, body)
    })
}

/// The address that is answered.
fn rewritten(uri: &Uri, fault: Option<Fault>, page_rows: Option<u64>) -> Uri {
    let mut own = pages::with_known_token(uri).unwrap_or_else(|| uri.clone());
    if let Some(most) = page_rows {
        own = pages::of_size(&own, most).unwrap_or(own);
    }
    let skip = |change: &dyn Fn(u64) -> u64| match pages::place(&own) {
        Place::Skip(rows) => pages::at(&own, change(rows)),
        _ => None,
    };
    let moved = match fault {
        Some(Fault::RepeatPage) => pages::first(&own),
        Some(Fault::Shift) => skip(&|rows| rows + 2),
        Some(Fault::Insert) => skip(&|rows| rows.saturating_sub(2)),
        _ => None,
    };
    moved.unwrap_or(own)
}

/// Changes what an answer says or how it says it.
async fn changed(injector: &Disturbance, answer: Response, fault: Fault) -> Response {
    if answer.status() != StatusCode::OK {
        return answer;
    }
    let (parts, body) = read(answer).await;
    let new = match fault {
        Fault::Bom => Some(Bytes::from([b"\xEF\xBB\xBF", body.as_ref()].concat())),
        _ => mangled(&body, fault).filter(|new| *new != body),
    };
    if new.is_some() {
        injector.count(fault);
    }
    Response::from_parts(parts, Body::from(new.unwrap_or(body)))
}

/// Marks an answer of which half is sent only.
#[derive(Clone, Copy)]
struct BrokenOff(Fault);

/// Sends half of a marked answer, as it goes over the line.
pub(crate) async fn break_off(answer: Response) -> Response {
    let Some(BrokenOff(fault)) = answer.extensions().get().copied() else { return answer };
    let (mut parts, body) = read(answer).await;
    let mut sent = vec![Ok(body.slice(..body.len() / 2))];
    if fault == Fault::Reset {
        sent.push(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
    } else {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Response::from_parts(parts, Body::from_stream(futures::stream::iter(sent)))
}

/// What goes wrong once the answer is there.
async fn afterwards(answer: Response, fault: Option<Fault>, uri: &Uri) -> Response {
    match fault {
        Some(Fault::Truncate) => {
            let (parts, body) = read(answer).await;
            Response::from_parts(parts, Body::from(body.slice(..body.len() / 2)))
        }
        Some(fault @ (Fault::Short | Fault::Reset)) => {
            let mut answer = answer;
            answer.extensions_mut().insert(BrokenOff(fault));
            answer
        }
        Some(Fault::Shrink) => without_rows(answer, None).await,
        Some(Fault::EmptyPage) if answer.headers().contains_key(TOKEN) => {
            let token = pages::empty_token(&pages::token(uri).unwrap_or_default());
            without_rows(answer, Some(&token)).await
        }
        Some(Fault::RepeatToken) => {
            let mut answer = answer;
            if let Some(token) = pages::token(uri).and_then(|token| token.parse().ok()) {
                answer.headers_mut().insert(TOKEN, token);
            }
            answer
        }
        _ => answer,
    }
}

/// The same answer without rows; of what is no list, the answer as it is.
async fn without_rows(answer: Response, token: Option<&str>) -> Response {
    let (mut parts, body) = read(answer).await;
    if !body.starts_with(b"{\"count\":") {
        return Response::from_parts(parts, Body::from(body));
    }
    parts.headers.remove(TOKEN);
    if let Some(token) = token.and_then(|token| token.parse().ok()) {
        parts.headers.insert(TOKEN, token);
    }
    Response::from_parts(parts, Body::from(r#"{"count":0,"value":[]}"#))
}

async fn read(answer: Response) -> (axum::http::response::Parts, Bytes) {
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    (parts, to_bytes(body, usize::MAX).await.unwrap_or_default())
}

fn refused(retry_after_s: u64) -> Response {
    let mut answer = plain(
        StatusCode::TOO_MANY_REQUESTS,
        TEXT,
        "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource.",
    );
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
    tell(answer.headers_mut(), &Told { limit: 200, remaining: 0, reset_s: retry_after_s });
    answer
}

fn tell(headers: &mut HeaderMap, told: &Told) {
    headers.insert("x-ratelimit-resource", HeaderValue::from_static("core"));
    headers.insert("x-ratelimit-limit", HeaderValue::from(told.limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(told.remaining));
    // The service gives an instant; with the clock of the answer, so does this.
    let now = headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let now = now.and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
    if let Some(reset) = now.and_then(|now| u64::try_from(now.timestamp()).ok()) {
        headers.insert("x-ratelimit-reset", HeaderValue::from(reset + told.reset_s));
    }
}

fn number_header(headers: &mut HeaderMap, name: &'static str, value: f64) {
    if let Ok(value) = HeaderValue::from_str(&format!("{value:.3}")) {
        headers.insert(name, value);
    }
}

fn plain(status: StatusCode, content_type: &'static str, body: &'static str) -> Response {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    if !content_type.is_empty() {
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    answer
}
