//! Misbehaviour that can be asked for: a middleware between the network and the answers.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;

/// Which answers go wrong, by the number of the request (the first is 1). The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Every n-th request is answered with 429.
    pub throttle_every: Option<u64>,
    /// Seconds in `Retry-After` of those answers.
    pub retry_after_s: u64,
    /// This request gets a sign-in page with status 203.
    pub sign_in_at: Option<u64>,
    /// This request gets status 500.
    pub error_at: Option<u64>,
    /// The answer to this request is cut in half, with a fitting length.
    pub truncate_at: Option<u64>,
    /// The connection breaks in the middle of the answer to this request.
    pub reset_at: Option<u64>,
    /// From this request on, the first request for a further page gets the first page again.
    pub repeat_page_at: Option<u64>,
}

/// A fault text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a fault; known are throttle=N, retry-after=SECONDS, sign-in=N, error=N, truncate=N, reset=N, \
     repeat-page=N, separated by commas"
)]
pub struct UnknownFault {
    /// The part that is not understood.
    pub text: String,
}

impl FromStr for Faults {
    type Err = UnknownFault;

    /// Reads `throttle=50,truncate=7`; the empty text is no fault.
    fn from_str(text: &str) -> Result<Faults, UnknownFault> {
        let mut faults = Faults::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let unknown = || UnknownFault { text: part.to_owned() };
            let (name, number) = part.split_once('=').ok_or_else(unknown)?;
            let number: u64 = number.trim().parse().map_err(|_| unknown())?;
            let field = match name.trim() {
                "throttle" => &mut faults.throttle_every,
                "sign-in" => &mut faults.sign_in_at,
                "error" => &mut faults.error_at,
                "truncate" => &mut faults.truncate_at,
                "reset" => &mut faults.reset_at,
                "repeat-page" => &mut faults.repeat_page_at,
                "retry-after" => {
                    faults.retry_after_s = number;
                    continue;
                }
                _ => return Err(unknown()),
            };
            *field = Some(number);
        }
        Ok(faults)
    }
}

/// The faults of a running simulator and how far it has got.
#[derive(Debug)]
pub(crate) struct Injector {
    faults: Faults,
    seen: AtomicU64,
    repeated: AtomicU64,
}

impl Injector {
    /// Starts to count.
    pub(crate) fn new(faults: Faults) -> Injector {
        Injector { faults, seen: AtomicU64::new(0), repeated: AtomicU64::new(0) }
    }
}

/// Lets a request through, or makes its answer go wrong.
pub(crate) async fn inject(
    State(injector): State<Arc<Injector>>,
    mut request: Request,
    next: Next,
) -> Response {
    let faults = &injector.faults;
    if *faults == Faults::default() || request.uri().path().starts_with("/_simulator") {
        return next.run(request).await;
    }
    let number = injector.seen.fetch_add(1, Ordering::Relaxed) + 1;
    let is_now = |at: Option<u64>| at == Some(number);
    if faults.throttle_every.is_some_and(|every| every > 0 && number.is_multiple_of(every)) {
        let mut answer = plain(
            StatusCode::TOO_MANY_REQUESTS,
            "text/plain",
            "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource.",
        );
        let headers = answer.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(faults.retry_after_s));
        headers.insert("x-ratelimit-resource", HeaderValue::from_static("core"));
        headers.insert("x-ratelimit-limit", HeaderValue::from_static("200"));
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
        return answer;
    }
    if is_now(faults.sign_in_at) {
        return plain(
            StatusCode::NON_AUTHORITATIVE_INFORMATION,
            "text/html; charset=utf-8",
            "<html><title>Sign In</title></html>",
        );
    }
    if is_now(faults.error_at) {
        return plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/html",
            "<html>Internal Server Error</html>",
        );
    }
    let is_further = request
        .uri()
        .query()
        .is_some_and(|query| query.contains("ontinuationToken=") || query.contains("skip="));
    if faults.repeat_page_at.is_some_and(|at| number >= at)
        && is_further
        && injector.repeated.fetch_add(1, Ordering::Relaxed) == 0
        && let Some(uri) = first_page(request.uri())
    {
        *request.uri_mut() = uri;
    }
    let answer = next.run(request).await;
    if is_now(faults.truncate_at) {
        return cut(answer, false).await;
    }
    if is_now(faults.reset_at) {
        return cut(answer, true).await;
    }
    answer
}

/// The address without what asks for a further page.
fn first_page(uri: &Uri) -> Option<Uri> {
    let rest: Vec<&str> = uri
        .query()?
        .split('&')
        .filter(|part| {
            let name = part.split('=').next().unwrap_or("").to_ascii_lowercase();
            ![
                "continuationtoken",
                "$skip",
                "%24skip",
                "searchcriteria.$skip",
                "searchcriteria.%24skip",
            ]
            .contains(&name.as_str())
        })
        .collect();
    format!("{}?{}", uri.path(), rest.join("&")).parse().ok()
}

/// Half of the answer: either as if that were all, or with the connection broken off.
async fn cut(answer: Response, breaks: bool) -> Response {
    let (mut parts, body) = answer.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    if !breaks {
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::from(half));
    }
    let broken = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let stream = futures::stream::iter([Ok::<Bytes, std::io::Error>(half), broken]);
    Response::from_parts(parts, Body::from_stream(stream))
}

fn plain(status: StatusCode, content_type: &'static str, body: &'static str) -> Response {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_text() {
        let faults: Faults = "throttle=50, retry-after=2,truncate=7".parse().unwrap();
        assert_eq!(
            (faults.throttle_every, faults.retry_after_s, faults.truncate_at),
            (Some(50), 2, Some(7))
        );
        assert_eq!("".parse(), Ok(Faults::default()));
        assert_eq!("flood=1".parse::<Faults>(), Err(UnknownFault { text: "flood=1".to_owned() }));
    }
}
