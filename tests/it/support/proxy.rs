//! A proxy before an object store that counts requests and lets some of them go wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// What goes wrong with one request in so many.
const FAULTS: [Fault; 6] = [
    Fault::Throttled,
    Fault::Busy,
    Fault::Late,
    Fault::CutBefore,
    Fault::CutAfter,
    Fault::CutWithin,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// 429, not passed on.
    Throttled,
    /// 503, not passed on.
    Busy,
    /// Passed on, answered late.
    Late,
    /// The connection breaks before it is passed on.
    CutBefore,
    /// It is passed on, and the connection breaks before its answer.
    CutAfter,
    /// It is passed on, and the connection breaks in its answer.
    CutWithin,
}

/// A request that arrived.
#[derive(Debug)]
pub struct Asked {
    /// Method.
    pub method: String,
    /// Path and query, without escapes.
    pub address: String,
}

/// A proxy under way.
pub struct Proxy {
    /// Address, without a slash at its end.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    target: String,
    client: reqwest::Client,
    asked: Mutex<Vec<Asked>>,
    arrived: AtomicU64,
    /// One in so many goes wrong; 0 = none.
    every: AtomicU64,
    faults: AtomicU64,
}

impl Proxy {
    /// Starts one before the server of an address, which keeps its path.
    pub async fn start(target: &str) -> Self {
        let scheme_end = target.find("://").unwrap() + 3;
        let (origin, path) = match target[scheme_end..].find('/') {
            Some(at) => target.split_at(scheme_end + at),
            None => (target, ""),
        };
        let shared = Arc::new(Shared {
            target: origin.to_owned(),
            client: reqwest::Client::new(),
            asked: Mutex::default(),
            arrived: AtomicU64::default(),
            every: AtomicU64::default(),
            faults: AtomicU64::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(pass).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    /// Lets one request in so many go wrong from now on; 0 = none.
    pub fn disturb(&self, every: u64) {
        self.shared.every.store(every, Ordering::SeqCst);
    }

    /// Returns how many went wrong.
    pub fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::SeqCst)
    }

    /// Returns the requests that arrived since this was asked last.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock().unwrap())
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let address = parts.uri.to_string();
    let address = percent_encoding::percent_decode_str(&address).decode_utf8_lossy().into_owned();
    shared.asked.lock().unwrap().push(Asked { method: parts.method.to_string(), address });
    let number = shared.arrived.fetch_add(1, Ordering::SeqCst);
    let every = shared.every.load(Ordering::SeqCst);
    let fault = (every > 0 && number % every == every - 1).then(|| {
        let fault = shared.faults.fetch_add(1, Ordering::SeqCst);
        FAULTS[usize::try_from(fault).unwrap() % FAULTS.len()]
    });
    match fault {
        Some(Fault::Throttled) => {
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response();
        }
        Some(Fault::Busy) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Fault::CutBefore) => break_off(),
        Some(Fault::Late) => tokio::time::sleep(Duration::from_millis(300)).await,
        Some(Fault::CutAfter | Fault::CutWithin) | None => {}
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut headers = parts.headers;
    headers.remove(header::CONNECTION);
    let sent = shared
        .client
        .request(parts.method, format!("{}{path}", shared.target))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = sent else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(bytes) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    if fault == Some(Fault::CutAfter) {
        break_off();
    }
    let body = match fault {
        Some(Fault::CutWithin) if bytes.len() > 1 => {
            let parts = [Ok(bytes.slice(..bytes.len() / 2)), Err(std::io::Error::other("cut"))];
            Body::from_stream(futures::stream::iter(parts))
        }
        _ => Body::from(bytes),
    };
    let mut response = (status, body).into_response();
    for (name, value) in headers.iter().filter(|(name, _)| **name != header::TRANSFER_ENCODING) {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// Ends the task that serves the connection, and with it the connection.
fn break_off() -> ! {
    std::panic::resume_unwind(Box::new("the connection breaks"))
}
