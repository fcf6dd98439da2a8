//! The client against a fake service with the manners, good and bad, of Azure DevOps.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use adolake::ado::model::{self, List};
use adolake::ado::{
    Call, Client, Counts, Endpoints, Error, FixedToken, Gate, Meter, Options, Paging, Patience,
};
use adolake::event::{Event, Observer};
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower_http::compression::CompressionLayer;

const DATE: &str = "Fri, 02 Jan 2026 03:04:05 GMT";
const SECRET: &str = "very-secret-token";

/// Answers the n-th request, from 0, by its path and query.
fn serve(answer: impl Fn(usize, &str) -> Response<Body> + Send + Sync + 'static) -> SocketAddr {
    let (count, answer) = (AtomicUsize::new(0), Arc::new(answer));
    let count = Arc::new(count);
    serve_app(axum::Router::new().fallback(move |request: Request| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let address = request.uri().path_and_query().unwrap().as_str().to_owned();
        let response = answer(n, &address);
        async move { response }
    }))
}

fn serve_app(app: axum::Router) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Answers every connection with these bytes in turn, the last one for ever, and closes it.
fn serve_bytes(answers: Vec<String>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        for n in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = answers.get(n).or(answers.last()).unwrap();
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

fn json(body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .header("Content-Type", "application/json; charset=utf-8; api-version=7.1")
        .header("Date", DATE)
        .body(body.into())
        .unwrap()
}

fn with(mut response: Response<Body>, status: u16, headers: &[(&str, &str)]) -> Response<Body> {
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        let name = axum::http::HeaderName::try_from(*name).unwrap();
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn projects(ids: impl IntoIterator<Item = u32>) -> String {
    let rows: Vec<String> =
        ids.into_iter().map(|id| format!(r#"{{"id":"P{id}","name":"n{id}"}}"#)).collect();
    format!(r#"{{"count":{},"value":[{}]}}"#, rows.len(), rows.join(","))
}

#[derive(Default)]
struct Diary(Mutex<Vec<Event>>);

impl Observer for Diary {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

fn client_with(address: SocketAddr, observer: Arc<dyn Observer>) -> Client {
    let base = format!("http://{address}/contoso");
    let patience = Patience {
        attempts: 3,
        throttled_attempts: 4,
        first_wait: Duration::from_millis(10),
        timeout: Duration::from_secs(2),
        ..Patience::default()
    };
    Client::new(Options {
        organization: "contoso".to_owned(),
        endpoints: Endpoints::parse(&base, &base, &base, &base).unwrap(),
        auth: Arc::new(FixedToken::pat(&SecretString::from(SECRET)).unwrap()),
        gate: Gate::new(4, patience),
        patience,
        observer,
    })
    .unwrap()
}

fn client(address: SocketAddr) -> Client {
    client_with(address, Arc::new(adolake::event::Silent))
}

async fn ids(client: &Client, paging: Paging) -> Result<Vec<String>, Error> {
    let answer = client.get_list::<model::Project>(Call::core(&["projects"]), paging).await?;
    Ok(answer.value.into_iter().map(|project| project.id.unwrap()).collect())
}

async fn one(client: &Client) -> Result<model::Project, Error> {
    client.get(Call::core(&["projects", "x"])).await.map(|answer| answer.value)
}

#[tokio::test]
async fn a_call_carries_version_token_and_no_wish_to_be_redirected() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let app = axum::Router::new().fallback({
        let seen = Arc::clone(&seen);
        move |request: Request| {
            let headers = request.headers();
            let header = |name: &str| headers[name].to_str().unwrap().to_owned();
            seen.lock().unwrap().extend([
                request.uri().to_string(),
                header("authorization"),
                header("x-tfs-fedauthredirect"),
                header("accept-encoding"),
            ]);
            async { json(r#"{"id":"A"}"#) }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let answer = client(address)
        .get::<model::Project>(Call::project("Two Words", &["x"]).query("$top", 3).raw())
        .await
        .unwrap();
    assert_eq!(answer.value.id.as_deref(), Some("a"));
    assert_eq!(answer.seen_at.to_rfc3339(), "2026-01-02T03:04:05+00:00");
    assert_eq!(answer.raw.as_deref(), Some(&br#"{"id":"A"}"#[..]));
    assert!(!answer.url.contains(SECRET) && answer.url.starts_with("http://127.0.0.1"));
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], "/contoso/Two%20Words/_apis/x?$top=3&api-version=7.1");
    assert_eq!(seen[1], "Basic OnZlcnktc2VjcmV0LXRva2Vu");
    assert_eq!((seen[2].as_str(), seen[3].as_str()), ("Suppress", "gzip"));
}

/// The rows from `$skip` on, at most `most`.
fn cut(address: &str, rows: std::ops::Range<u32>, most: usize) -> Response<Body> {
    let skip = address.split("$skip=").nth(1).map_or("0", |rest| rest.split('&').next().unwrap());
    json(projects(rows.skip(skip.parse().unwrap()).take(most)))
}

#[tokio::test]
async fn a_list_by_skip_ends_only_where_its_last_row_comes_alone() {
    // $top is clamped to 3; before the third request a row comes, before the fifth two rows go.
    let asked = Arc::new(Mutex::new(Vec::new()));
    let address = serve({
        let asked = Arc::clone(&asked);
        move |n, address| {
            asked.lock().unwrap().push(address.to_owned());
            cut(address, [1, 1, 0, 0, 2, 2].get(n).copied().unwrap_or(2)..9, 3)
        }
    });
    let client = client(address);
    let meter = Arc::new(Meter::default());
    let seen = ids(&client.metered(Arc::clone(&meter)), Paging::Skip { top: 1000 }).await.unwrap();
    for row in 2..9 {
        assert!(seen.contains(&format!("p{row}")), "{seen:?}");
    }
    let asked = asked.lock().unwrap();
    assert!(asked[1].contains("$skip=2&"), "the last row once more: {asked:?}");
    let counts = meter.counts();
    assert_eq!((counts.requests, counts.rows), (asked.len() as u64, seen.len() as u64));
    assert_eq!(client.meter().counts(), Counts::default());
}

#[tokio::test]
async fn a_list_that_never_ends_is_an_error() {
    let address = serve(|_, _| json(projects([1, 2])));
    let stuck = ids(&client(address), Paging::Skip { top: 1000 }).await.unwrap_err();
    assert!(stuck.to_string().contains("nothing that was not on the pages before it"), "{stuck}");
}

#[tokio::test]
async fn a_page_by_token_that_was_given_before_is_asked_for_again() {
    let address = serve(|n, _| match n {
        0 | 1 => with(json(projects([1, 2])), 200, &[("x-ms-continuationtoken", "2")]),
        2 => with(json(projects([3])), 200, &[("x-ms-continuationtoken", "2")]),
        _ => json(projects([3])),
    });
    let seen = ids(&client(address), Paging::Token { top: 2 }).await.unwrap();
    assert_eq!(seen, ["p1", "p2", "p3"]);
}

#[tokio::test]
async fn where_nothing_works_every_call_is_given_up_soon() {
    let asked = Arc::new(AtomicUsize::new(0));
    let address = serve({
        let asked = Arc::clone(&asked);
        move |_, _| {
            asked.fetch_add(1, Ordering::SeqCst);
            with(json("{}"), 500, &[])
        }
    });
    let client = client(address);
    for _ in 0..10 {
        one(&client).await.unwrap_err();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4 * 3 + 6);
}

#[tokio::test]
async fn a_list_by_token_ends_where_the_token_is_absent() {
    let address = serve(|_, address| {
        let token = address.split("continuationToken=").nth(1);
        match token.map(|rest| rest.split('&').next().unwrap()) {
            None => with(json(projects([1])), 200, &[("X-MS-ContinuationToken", "a/b+c")]),
            Some("a%2Fb%2Bc") => with(json(projects([])), 200, &[("x-ms-continuationtoken", "2")]),
            Some("2") => json(projects([2])),
            Some(other) => panic!("{other}"),
        }
    });
    for paging in [Paging::Token { top: 1 }, Paging::Whole, Paging::Either { top: 1 }] {
        assert_eq!(ids(&client(address), paging).await.unwrap(), ["p1", "p2"]);
    }

    let address = serve(|n, _| {
        let page = projects([u32::try_from(n).unwrap()]);
        with(json(page), 200, &[("x-ms-continuationtoken", "same")])
    });
    let error = ids(&client(address), Paging::Token { top: 1 }).await.unwrap_err();
    assert!(error.to_string().contains("the continuation token was given before"), "{error}");
}

#[tokio::test]
async fn a_429_is_waited_for_by_everybody_and_a_good_answer_is_never_sent_again() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let address = serve({
        let times = Arc::clone(&times);
        move |n, _| {
            times.lock().unwrap().push(Instant::now());
            match n {
                0 => with(json("{}"), 429, &[("Retry-After", "1")]),
                1 => with(json(r#"{"id":"a"}"#), 200, &[("Retry-After", "1")]),
                _ => json(r#"{"id":"a"}"#),
            }
        }
    });
    let diary = Arc::new(Diary::default());
    let client = client_with(address, diary.clone());
    one(&client).await.unwrap();
    one(&client.clone()).await.unwrap();
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 3);
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(990), "{:?}", pair[1] - pair[0]);
    }
    let counts = client.meter().counts();
    assert_eq!((counts.requests, counts.retries), (3, 1));
    assert!((1.9..2.1).contains(&counts.throttled_s), "{counts:?}");
    let pauses =
        diary.0.lock().unwrap().iter().filter(|e| matches!(e, Event::Throttled { .. })).count();
    assert_eq!(pauses, 2);
}

#[tokio::test]
async fn endless_throttling_and_endless_failures_end() {
    let address = serve(|_, _| with(json("{}"), 429, &[("Retry-After", "0.01")]));
    let throttled = client(address);
    // Where nobody is let in, each further call asks once.
    for asked in [4, 4, 4, 4, 1, 1] {
        let error = one(&throttled).await.unwrap_err();
        assert!(
            matches!(error, Error::Throttled { attempts, .. } if attempts == asked),
            "{error:?}"
        );
        assert!(error.is_transient());
    }

    let address = serve(|_, _| with(json(r#"{"message":"busy\u0007"}"#), 503, &[]));
    let error = one(&client(address)).await.unwrap_err();
    assert!(
        error.to_string().ends_with("failed with status 503 after 3 attempts: busy"),
        "{error}"
    );
}

#[tokio::test]
async fn one_sign_in_page_is_forgiven_and_two_are_not() {
    let page = || with(json("<html>Sign in</html>"), 200, &[("Content-Type", "text/html")]);
    let moved = || with(json(""), 302, &[("Location", "https://x/_signin?realm=secret")]);
    let expired = || {
        let reason = "TF400813: the token has expired";
        with(json(""), 401, &[("X-TFS-ServiceError", reason)])
    };
    for (n, answer) in
        [0, 1, 2, 3].into_iter().zip([page, || with(json("{}"), 203, &[]), moved, expired])
    {
        let address = serve(move |n, _| if n == 0 { answer() } else { json(r#"{"id":"a"}"#) });
        one(&client(address)).await.unwrap();

        let address = serve(move |_, _| answer());
        let error = one(&client(address)).await.unwrap_err();
        assert!(error.is_signed_out(), "{error:?}");
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains(SECRET) && !text.contains("OnZlcnk") && !text.contains("realm"),
            "{text}"
        );
        if n == 3 {
            assert!(text.contains("TF400813: the token has expired"), "{text}");
        }
    }
}

#[tokio::test]
async fn cut_answers_are_asked_for_again() {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {DATE}\r\nConnection: close\r\n"
    );
    let whole = r#"{"id":"a"}"#;
    let good = format!("{head}Content-Length: {}\r\n\r\n{whole}", whole.len());
    let short = format!("{head}Content-Length: 100\r\n\r\n{whole}");
    let broken = format!("{head}Content-Length: 9\r\n\r\n{}", r#"{"id":{}}"#.replace("{}}", "{} "));
    let address = serve_bytes(vec![short.clone(), broken, good]);
    assert_eq!(one(&client(address)).await.unwrap().id.as_deref(), Some("a"));
    let error = one(&client(serve_bytes(vec![short]))).await.unwrap_err();
    assert!(matches!(error, Error::CutOff { .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_is_said_in_three_ways_where_it_may_be() {
    let nothing = || with(json(""), 204, &[]);
    for (n, answer) in [nothing, || json(""), || json(" null ")].into_iter().enumerate() {
        let address = serve(move |_, _| answer());
        let call = || Call::core(&["builds", "1", "timeline"]);
        let timeline = client(address).get_if_any::<model::Timeline>(call()).await.unwrap();
        assert_eq!(timeline.value, None);
        // Elsewhere only 204 is an answer.
        let error = client(address).get::<model::Timeline>(call()).await.unwrap_err();
        assert_eq!(error.is_unreadable(), n == 0, "{error:?}");
        assert_eq!(matches!(error, Error::CutOff { .. }), n > 0, "{error:?}");
    }
    let open = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {DATE}\r\nConnection: close\r\n\r\n"
    );
    let call = Call::core(&["builds", "1", "timeline"]);
    let cut = client(serve_bytes(vec![open])).get_if_any::<model::Timeline>(call).await;
    assert!(matches!(cut, Err(Error::CutOff { .. })), "{cut:?}");
}

#[tokio::test]
async fn a_token_that_cannot_be_read_is_no_end_of_a_list() {
    let address = serve(|n, address| {
        let token = ["gr\u{fc}n".as_bytes(), b"gr\xfcn", b""][n.min(2)];
        assert_eq!(n > 0, address.contains("continuationToken=gr%C3%BCn"), "{address}");
        let mut page = json(projects([n as u32]));
        let token = axum::http::HeaderValue::from_bytes(token).unwrap();
        page.headers_mut().insert("x-ms-continuationtoken", token);
        page
    });
    let error = ids(&client(address), Paging::Token { top: 1 }).await.unwrap_err();
    assert!(error.to_string().contains("x-ms-continuationtoken"), "{error}");
}

/// Halves the first so many answers, as they go over the line.
fn halved(times: usize) -> impl Fn(Response<Body>) -> BoxFuture<'static, Response<Body>> + Clone {
    let count = Arc::new(AtomicUsize::new(0));
    move |answer| {
        let is_halved = count.fetch_add(1, Ordering::SeqCst) < times;
        let halve = async move {
            let (parts, body) = answer.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let length = if is_halved { body.len() / 2 } else { body.len() };
            Response::from_parts(parts, Body::from(body.slice(..length)))
        };
        Box::pin(halve)
    }
}

#[tokio::test]
async fn compressed_answers_are_read_and_asked_for_again_where_they_are_cut() {
    let packed = |times| {
        let app = axum::Router::new().fallback(|| async { json(projects(0..500)) });
        let app = app.layer(CompressionLayer::new());
        serve_app(app.layer(axum::middleware::map_response(halved(times))))
    };
    for times in [0, 1] {
        let seen = ids(&client(packed(times)), Paging::Whole).await.unwrap();
        assert_eq!((seen.len(), seen[499].as_str()), (500, "p499"));
    }
    let error = ids(&client(packed(9)), Paging::Whole).await.unwrap_err();
    assert!(matches!(error, Error::CutOff { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_unpacks_to_too_much_is_refused() {
    let app = axum::Router::new().fallback(|| async {
        let blank = Bytes::from(vec![b' '; 1 << 20]);
        let blanks = std::iter::repeat_n(blank, 257).map(Ok::<_, std::io::Error>);
        json(Body::from_stream(futures::stream::iter(blanks)))
    });
    let address = serve_app(app.layer(CompressionLayer::new()));
    let error = one(&client(address)).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_without_a_date_takes_the_latest_known_time() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n";
    let (dated, undated) = (format!("{head}Date: {DATE}\r\n\r\n{{}}"), format!("{head}\r\n{{}}"));
    let client = client(serve_bytes(vec![undated.clone(), dated, undated]));
    let call = || Call::core(&["x"]);
    let error = client.get::<model::Project>(call()).await.unwrap_err();
    assert!(matches!(error, Error::Undated { .. }), "{error:?}");
    let first = client.get::<model::Project>(call()).await.unwrap().seen_at;
    let second = client.get::<model::Project>(call()).await.unwrap().seen_at;
    assert_eq!(client.first_answer_at(), Some(first));
    assert!(second >= first && second < first + chrono::Duration::seconds(60));
}

#[tokio::test]
async fn a_version_that_is_not_taken_is_asked_for_in_its_other_form() {
    let address = serve(|_, address| {
        if address.ends_with("-preview.1") {
            return json(r#"{"id":"a"}"#);
        }
        let body = r#"{"message":"under preview","typeKey":"VssInvalidPreviewVersionException"}"#;
        with(json(body), 400, &[])
    });
    let answer = client(address).get::<model::Project>(Call::core(&["x"])).await.unwrap();
    assert_eq!(answer.api_version, "7.1-preview.1");
}

#[tokio::test]
async fn an_older_server_is_asked_for_what_it_knows() {
    let address = serve(|_, address| {
        if address.ends_with("api-version=6.0") {
            return json(r#"{"id":"a"}"#);
        }
        let body = r#"{"message":"The latest REST API version this server supports is 6.0.","typeKey":"VssVersionOutOfRangeException"}"#;
        with(json(body), 400, &[])
    });
    let client = client(address);
    let counted = client.metered(Arc::default());
    let answer = counted.get::<model::Project>(Call::core(&["x"])).await.unwrap();
    assert_eq!((answer.api_version, client.api_version()), ("6.0", "6.0"));
    // What was learnt is kept: the next call asks rightly at once.
    let again = client.metered(Arc::default());
    again.get::<model::Project>(Call::core(&["y"])).await.unwrap();
    assert_eq!((counted.meter().counts().requests, again.meter().counts().requests), (3, 1));
}

#[tokio::test]
async fn refusals_say_what_they_mean() {
    let body = r#"{"message":"TF401019: no repository\nor no permission","typeKey":"GitRepositoryNotFoundException"}"#;
    for (status, unreadable) in [(403, true), (404, true), (400, true)] {
        let address = serve(move |_, _| with(json(body), status, &[]));
        let error = one(&client(address)).await.unwrap_err();
        assert_eq!(error.is_unreadable(), unreadable, "{status}: {error:?}");
        assert!(error.to_string().contains("TF401019: no repositoryor no permission"), "{error}");
    }
    let address = serve(|_, _| with(json("hello"), 200, &[("Content-Type", "text/plain")]));
    assert!(matches!(one(&client(address)).await.unwrap_err(), Error::NotJson { .. }));
    let address = serve(|_, _| with(json("nothing"), 204, &[]));
    let none = client(address).get_if_any::<model::Timeline>(Call::core(&["x"])).await.unwrap();
    assert_eq!(none.value, None);
    assert!(matches!(one(&client(address)).await.unwrap_err(), Error::NotFound { .. }));
}

#[tokio::test]
async fn nobody_there_is_a_network_error_with_a_hint() {
    use adolake::hint::Hint as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = one(&client(address)).await.unwrap_err();
    assert!(matches!(error, Error::Network { .. }) && error.is_transient(), "{error:?}");
    assert!(error.hints()[0].contains("check the address"));
}

#[tokio::test]
async fn a_slow_answer_times_out_and_pages_stop_when_dropped() {
    let address = serve_bytes(vec![format!(
        "HTTP/1.1 200 OK\r\nDate: {DATE}\r\nContent-Length: 5\r\n\r\n{{"
    )]);
    let pages = client(address).pages::<model::Project>(Call::core(&["projects"]), Paging::Whole);
    let first = Box::pin(pages).try_next().await;
    assert!(first.is_err());
}

fn read<T: DeserializeOwned>(name: &str, body: &serde_json::Value) {
    let value: Result<T, _> = serde_json::from_str(&body.to_string());
    if let Err(error) = value {
        panic!("{name}: {error}");
    }
}

fn read_example(name: &str, body: &serde_json::Value) {
    let path = name.to_ascii_lowercase();
    let is = |part: &str| path.contains(part);
    match () {
        () if is("/account/") => read::<List<model::Account>>(name, body),
        () if is("get__projects") => read::<List<model::Project>>(name, body),
        () if is("/graph/getallusers") => read::<List<model::GraphSubject>>(name, body),
        () if is("/graph/") => read::<model::GraphSubject>(name, body),
        () if is("configurations__") => read::<model::Configuration>(name, body),
        () if is("configurations") => read::<List<model::Configuration>>(name, body),
        () if is("/profile/") => read::<model::Profile>(name, body),
        () if is("pullrequestproperties") => read::<model::PullRequestProperties>(name, body),
        () if is("_statuses.json") && is("pullrequest") => {
            read::<List<model::PullRequestStatus>>(name, body);
        }
        () if is("iterationstatuses") => read::<List<model::PullRequestStatus>>(name, body),
        () if is("pullrequeststatuses") => read::<model::PullRequestStatus>(name, body),
        () if is("__iterationid__changes") => read::<model::Changes>(name, body),
        () if is("additionalreviewerid") => read::<model::Reviewer>(name, body),
        () if is("__reviewers") => read::<List<model::Reviewer>>(name, body),
        () if is("__threads") => read::<List<model::Thread>>(name, body),
        () if is("__pullrequests__pullrequestid_") => read::<model::PullRequest>(name, body),
        () if is("pullrequests") => read::<List<model::PullRequest>>(name, body),
        () if is("__pushes__pushid__commits") || is("id__commits.json") => {
            read::<List<model::Commit>>(name, body);
        }
        () if is("__commits__commitid") => read::<model::Commit>(name, body),
        () if is("__pushes__pushid_") => read::<model::Push>(name, body),
        () if is("__pushes") => read::<List<model::Push>>(name, body),
        () if is("__refs") => read::<List<model::Ref>>(name, body),
        () if is("repositories__repositoryid_") => read::<model::Repository>(name, body),
        () if is("repositories") => read::<List<model::Repository>>(name, body),
        () => panic!("no type for {name}"),
    }
}

#[test]
fn every_official_example_is_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/ado-examples");
    let Ok(folders) = std::fs::read_dir(&root) else {
        eprintln!("skipped: {} is not there", root.display());
        return;
    };
    let mut count = 0;
    for folder in folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = format!("/{}", path.strip_prefix(&root).unwrap().display());
            let text = std::fs::read_to_string(&path).unwrap();
            let example: serde_json::Value =
                serde_json::from_str(text.trim_start_matches('\u{FEFF}')).unwrap();
            let body = &example["responses"]["200"]["body"];
            assert!(!body.is_null(), "{name} has no body");
            read_example(&name, body);
            count += 1;
        }
    }
    assert!(count > 30, "{count} examples");
}
