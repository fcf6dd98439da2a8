//! The only place that speaks HTTP to Azure DevOps.
//!
//! A [`Client`] belongs to one organization and one identity. It asks, [classifies](Error) what comes back, tries
//! again what may pass, and gives every answer with the service's own time:
//!
//! ```text
//! Call ──▶ Gate (one per identity) ──▶ TokenSource ──▶ HTTP ──▶ classify ──▶ Answer<T>
//!            ▲ pauses, probes             ▲ renewed           │
//!            └── headers of every answer ─┴── 401 ◀───────────┴──▶ retry with jitter
//! ```
//!
//! - Redirects are not followed; only a 2xx that is not 203 and is JSON counts as data, 204 as no content.
//! - Every answer that is understood only in part is an error that names the address, the object and the field.
//! - Lists come as streams of pages, see [`Client::pages`].

mod answer;
mod auth;
mod body;
mod call;
mod clock;
mod error;
mod gate;
mod meter;
pub mod model;
mod page;
mod retry;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use self::answer::{Failure, classify, continuation, is_blank, is_of_service, read};
use self::body::{receive, unpack};
use self::call::VERSIONS;
use self::clock::{ServiceClock, date_of};
use self::gate::{Verdict, Wait};
use self::retry::RateHeaders;
use crate::event::{Event, Observer};

pub use self::answer::Answer;
pub use self::auth::{
    DeviceCode, FixedToken, Kept, Login, Loopback, SignInError, SignedIn, TokenSource, Vault,
    sign_in,
};
pub use self::call::{Call, Endpoints, PREVIEW, RELEASED, escaped};
pub use self::error::Error;
pub use self::gate::Gate;
pub use self::meter::{Counts, Meter};
pub use self::page::{Listed, Paging, key_of};
pub use self::retry::Patience;

/// Largest answer that is taken, bytes; a page of 1,000 pull requests has about 5 MB.
const BODY_LIMIT: usize = 256 * 1024 * 1024;

/// Calls in a row that are given up before every further one gets a single attempt, until one succeeds.
const HOPELESS: u32 = 4;

/// How often a call may look signed out while the identity is throttled; else it is once.
const STRAINED_TRIES: u32 = 3;

/// What a client is made of.
#[derive(Clone)]
pub struct Options {
    /// Name of the organization, as the lake spells it.
    pub organization: String,
    /// Base addresses.
    pub endpoints: Endpoints,
    /// Where the token comes from.
    pub auth: Arc<dyn TokenSource>,
    /// The gate of the identity; organizations that are read with the same token share it.
    pub gate: Arc<Gate>,
    /// How patient to be.
    pub patience: Patience,
    /// Who is told of pauses and retries.
    pub observer: Arc<dyn Observer>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("organization", &self.organization)
            .field("endpoints", &self.endpoints)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// A client of one organization; clones share connections, gate and clock.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    meter: Arc<Meter>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    http: reqwest::Client,
    clock: ServiceClock,
    /// How many steps below the newest api-version the server is.
    level: AtomicUsize,
    /// Calls in a row that were given up; while there are many, the others are given up sooner.
    given_up: AtomicU32,
    /// The same of calls that were asked to come back later until they did not any more.
    put_off: AtomicU32,
}

/// Data of one attempt, not yet read.
struct Received {
    body: Option<Bytes>,
    seen_at: DateTime<Utc>,
    continuation: Option<String>,
}

/// What has been tried for one call.
#[derive(Default)]
struct Tries {
    failed: u32,
    throttled: u32,
    signed_out: u32,
    has_flipped: bool,
    /// The header that was sent last.
    sent: Option<SecretString>,
}

impl Client {
    /// Returns a client; nothing is sent yet.
    ///
    /// # Errors
    /// Fails when the HTTP client cannot be set up, as without any trusted certificates.
    pub fn new(options: Options) -> Result<Self, Error> {
        let mut http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // Undone once an answer is here, see `body`.
            .no_gzip()
            .timeout(options.patience.timeout)
            .connect_timeout(Duration::from_secs(10).min(options.patience.timeout))
            .pool_idle_timeout(Duration::from_secs(90))
            .user_agent(concat!("adolake/", env!("CARGO_PKG_VERSION")));
        if options.endpoints.is_loopback() {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|source| Error::Setup { source })?;
        let (clock, level, given_up, put_off) = Default::default();
        let shared = Shared { options, http, clock, level, given_up, put_off };
        Ok(Self { shared: Arc::new(shared), meter: Arc::default() })
    }

    /// Returns the same client counting into `meter`.
    #[must_use]
    pub fn metered(&self, meter: Arc<Meter>) -> Self {
        Self { shared: Arc::clone(&self.shared), meter }
    }

    /// Returns where this clone counts.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Returns the name of the organization.
    pub fn organization(&self) -> &str {
        &self.shared.options.organization
    }

    /// Returns the base addresses.
    pub fn endpoints(&self) -> &Endpoints {
        &self.shared.options.endpoints
    }

    /// Returns the api-version that the service takes, as far as is known: the newest, or what an older server answers.
    pub fn api_version(&self) -> &'static str {
        VERSIONS[self.shared.level.load(Ordering::Relaxed)].0
    }

    /// Returns whether lists of pull requests can be asked for by time; servers before 7.1 answer all that there are.
    pub fn selects_by_time(&self) -> bool {
        self.shared.level.load(Ordering::Relaxed) == 0
    }

    /// Returns the time of the service: that of its latest answer, moved on; none before the first answer.
    pub fn now(&self) -> Option<DateTime<Utc>> {
        self.shared.clock.now()
    }

    /// Returns the time of the first answer.
    pub fn first_answer_at(&self) -> Option<DateTime<Utc>> {
        self.shared.clock.first()
    }

    /// Returns the time of the latest answer of the service itself that was no data, as a refusal.
    pub fn refused_at(&self) -> Option<DateTime<Utc>> {
        self.shared.clock.refused()
    }

    /// Asks for one object.
    ///
    /// # Errors
    /// Fails with the [`Error`] that the answer means, after as many attempts as [`Patience`] allows; no content
    /// counts as missing.
    pub async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        call: Call,
    ) -> Result<Answer<T>, Error> {
        let answer = self.ask(call).await?.present()?;
        self.meter.object();
        Ok(answer)
    }

    /// Asks for one page of a list; counting its rows is left to the caller.
    async fn page<T: DeserializeOwned + Send + 'static>(
        &self,
        call: Call,
    ) -> Result<Answer<T>, Error> {
        self.ask(call).await?.present()
    }

    /// Asks for one object that may be no more; none stands for 204, no content, an empty answer and `null`.
    ///
    /// # Errors
    /// Fails with the [`Error`] that the answer means, after as many attempts as [`Patience`] allows.
    pub async fn get_if_any<T: DeserializeOwned + Send + 'static>(
        &self,
        mut call: Call,
    ) -> Result<Answer<Option<T>>, Error> {
        call.may_be_blank = true;
        let answer = self.ask(call).await?;
        if answer.value.is_some() {
            self.meter.object();
        }
        Ok(answer)
    }

    /// Sends a call as often as it takes.
    async fn ask<T: DeserializeOwned + Send + 'static>(
        &self,
        mut call: Call,
    ) -> Result<Answer<Option<T>>, Error> {
        let mut tries = Tries::default();
        loop {
            let level = self.shared.level.load(Ordering::Relaxed);
            let address = call.address(self.endpoints(), level)?;
            let attempt = async {
                let received = self.attempt(&call, &address, &mut tries.sent).await?;
                let value = match &received.body {
                    Some(body) => Some(read(&address, body).await?),
                    None => None,
                };
                Ok((value, received))
            };
            let attempt = attempt.await;
            match attempt {
                Ok((value, received)) => {
                    self.shared.given_up.store(0, Ordering::Relaxed);
                    self.shared.put_off.store(0, Ordering::Relaxed);
                    return Ok(Answer {
                        value,
                        seen_at: received.seen_at,
                        url: address,
                        api_version: call.version(level),
                        raw: received.body.filter(|_| call.keeps_raw),
                        continuation: received.continuation,
                    });
                }
                Err(Failure::Final(error)) if error.is_too_new() && level + 1 < VERSIONS.len() => {
                    // Of several calls that learn this at once, one steps down.
                    let _ = self.shared.level.compare_exchange(
                        level,
                        level + 1,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                Err(Failure::Final(error)) if error.is_version() && !tries.has_flipped => {
                    tries.has_flipped = true;
                    call.flip_version();
                }
                Err(failure) => self.recover(&address, failure, &mut tries).await?,
            }
        }
    }

    /// Sends once.
    async fn attempt(
        &self,
        call: &Call,
        address: &str,
        sent: &mut Option<SecretString>,
    ) -> Result<Received, Failure> {
        let options = &self.shared.options;
        let network = |source: reqwest::Error| {
            let (address, timeout) = (address.to_owned(), options.patience.timeout);
            Failure::Retry(match source.without_url() {
                source if source.is_connect() => Error::Network { address, source },
                source if source.is_timeout() => Error::TimedOut { address, timeout },
                source if source.is_body() || source.is_decode() => Error::CutOff { address },
                source => Error::Network { address, source },
            })
        };
        let permit = options.gate.enter().await;
        let secret = options.auth.header().await.map_err(Failure::Final)?;
        let mut token = HeaderValue::from_str(secret.expose_secret()).map_err(|_| {
            let problem = "holds characters that no header takes".to_owned();
            Failure::Final(Error::Token { problem })
        })?;
        token.set_sensitive(true);
        *sent = Some(secret);
        let request = match &call.body {
            Some(body) => self
                .shared
                .http
                .post(address)
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone()),
            None => self.shared.http.get(address),
        };
        self.meter.request();
        let begun = Instant::now();
        let mut response = request
            .header(AUTHORIZATION, token)
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "gzip")
            .header("X-TFS-FedAuthRedirect", "Suppress")
            .send()
            .await
            .map_err(network)?;

        let headers = std::mem::take(response.headers_mut());
        let status = response.status().as_u16();
        let method = if call.body.is_some() { "POST" } else { "GET" };
        tracing::debug!(
            method,
            address,
            status,
            took_ms = begun.elapsed().as_millis() as u64,
            "asked"
        );
        let date = headers.get(DATE).and_then(|date| date_of(date.to_str().ok()?));
        let rate = RateHeaders::read(&headers, date);
        let is_refused = status == 429 || (status == 503 && headers.contains_key(RETRY_AFTER));
        let verdict = if is_refused { Verdict::Refused } else { Verdict::Answered };
        if let Some(Wait { longer, left }) = permit.observe(&rate, verdict) {
            self.meter.throttled(longer);
            options.observer.observe(&Event::Throttled { longer, left });
        }
        if let Some(delay) = rate.delay {
            self.meter.throttled(delay);
        }

        let body = receive(&mut response, BODY_LIMIT).await.map_err(network)?;
        drop(permit);
        let body = body.ok_or_else(|| {
            Failure::Final(Error::TooLarge { address: address.to_owned(), limit: BODY_LIMIT })
        })?;
        let body = unpack(address, &headers, body, BODY_LIMIT).await?;
        let clock = &self.shared.clock;
        let is_blank = call.may_be_blank && is_blank(status, &headers, &body);
        let body = if is_blank { Ok(None) } else { classify(address, status, &headers, body) };
        if body.is_err() && is_of_service(&headers) {
            clock.refuse(date);
        }
        let body = body?;
        let seen_at = clock
            .read(date)
            .ok_or_else(|| Failure::Final(Error::Undated { address: address.to_owned() }))?;
        let continuation = continuation(address, &headers).map_err(Failure::Final)?;
        Ok(Received { body, seen_at, continuation })
    }

    /// Waits before a page is asked for again, the n-th time.
    async fn wait_before_retry(&self, times: u32) {
        self.meter.retry();
        tokio::time::sleep(self.shared.options.patience.backoff(times)).await;
    }

    /// Waits until a failed call may be tried again, or gives up.
    async fn recover(
        &self,
        address: &str,
        failure: Failure,
        tries: &mut Tries,
    ) -> Result<(), Error> {
        let patience = &self.shared.options.patience;
        let (reason, wait) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Throttled => {
                tries.throttled += 1;
                let put_off = &self.shared.put_off;
                let is_hopeless = put_off.load(Ordering::Relaxed) >= HOPELESS;
                if is_hopeless || tries.throttled >= patience.throttled_attempts {
                    put_off.fetch_add(1, Ordering::Relaxed);
                    let (address, attempts) = (address.to_owned(), tries.throttled);
                    return Err(Error::Throttled { address, attempts });
                }
                // The gate makes everybody wait, this call included.
                ("asked to come back later".to_owned(), Duration::ZERO)
            }
            Failure::SignedOut(error) => {
                // Throttling is known to be followed by a few answers as to somebody signed out.
                let most = if self.shared.options.gate.is_strained() { STRAINED_TRIES } else { 1 };
                tries.signed_out += 1;
                if tries.signed_out > most {
                    return Err(error);
                }
                let is_new = match &tries.sent {
                    Some(sent) => self.shared.options.auth.renewed(sent).await?,
                    None => false,
                };
                let wait = if is_new { Duration::ZERO } else { patience.backoff(tries.signed_out) };
                ("looks signed out".to_owned(), wait)
            }
            Failure::Retry(error) => {
                tries.failed += 1;
                let given_up = &self.shared.given_up;
                let attempts = match &error {
                    // Where nothing works, trying each thing for long only makes the end come late.
                    _ if given_up.load(Ordering::Relaxed) >= HOPELESS => 1,
                    // Nobody listens, or the name is wrong: that seldom passes while somebody waits.
                    Error::Network { source, .. } if source.is_connect() => {
                        patience.attempts.min(4)
                    }
                    _ => patience.attempts,
                };
                if tries.failed >= attempts {
                    given_up.fetch_add(1, Ordering::Relaxed);
                    return Err(counted(error, tries.failed));
                }
                (error.to_string(), patience.backoff(tries.failed))
            }
        };
        self.meter.retry();
        self.shared.options.observer.observe(&Event::Retried {
            url: address.to_owned(),
            attempt: tries.failed + tries.throttled + tries.signed_out,
            reason,
        });
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

fn counted(error: Error, attempts: u32) -> Error {
    match error {
        Error::Server { address, status, message, .. } => {
            Error::Server { address, status, attempts, message }
        }
        other => other,
    }
}
