//! The directory behind sign-in: Microsoft Entra's token endpoints and the metadata services of machines and apps.
//!
//! It knows one tenant with two applications: one that belongs to the organization and one that does not. A second
//! tenant hands out tokens too, which the organization does not take. Tokens end by the simulator's clock; statements
//! of clients are compared with the real one, as clients have no other.

mod assertion;
mod grants;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::http::{Method, StatusCode};

use super::answer::{Answer, Request};
use super::random::guid;
use super::time::{SECOND, Time};

/// Azure DevOps, by the id that it has in every tenant.
const RESOURCE: &str = "499b84ac-1321-427f-aa17-267ca6975798";

/// What the directory accepts.
#[derive(Clone, Debug)]
pub struct Identities {
    /// The application's secret; the same with `-expired` behind it is one that has expired.
    pub secret: String,
    /// The certificate that is registered for the application, as PEM.
    pub certificate: Option<String>,
    /// How long access tokens live, by the simulator's clock.
    pub token_lifetime: Duration,
    /// Seconds between two questions for a device code's token.
    pub interval_s: u64,
    /// At this request, the first being 1, all access tokens end before their time.
    pub end_at: Option<u64>,
}

impl Default for Identities {
    /// `simulated-secret`, no certificate, tokens of an hour, a question each second.
    fn default() -> Identities {
        Identities {
            secret: "simulated-secret".to_owned(),
            certificate: None,
            token_lifetime: Duration::from_secs(3600),
            interval_s: 1,
            end_at: None,
        }
    }
}

/// Who a bearer token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    /// Somebody who may read the organization.
    Member,
    /// Somebody whom the organization does not know, by object id.
    Stranger(String),
    /// Nobody: not issued here, ended or revoked.
    Nobody,
}

/// The directory.
pub(super) struct Directory {
    seed: u64,
    accepted: Identities,
    seen: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many tokens and codes there were.
    issued: u64,
    access: HashMap<String, Access>,
    /// Refresh tokens with the application each belongs to; a used one is gone.
    refresh: HashMap<String, String>,
    devices: HashMap<String, Device>,
    codes: HashMap<String, Code>,
    /// What the metadata services hand out until it ends.
    of_machine: Option<String>,
}

struct Access {
    ends: Time,
    is_stranger: bool,
}

/// A device code that somebody may enter.
struct Device {
    user_code: String,
    client: String,
    ends: Time,
    decision: Option<bool>,
    asked_at: Option<Instant>,
}

/// An authorization code that a browser carries.
struct Code {
    client: String,
    redirect: String,
    challenge: String,
}

impl Directory {
    pub(super) fn new(seed: u64, accepted: Identities) -> Directory {
        Directory { seed, accepted, seen: AtomicU64::new(0), state: Mutex::default() }
    }

    /// The tenant that the organization is connected to.
    pub(super) fn tenant(&self) -> String {
        guid(self.seed, 14, 0)
    }

    /// A tenant that has nothing to do with the organization.
    pub(super) fn other_tenant(&self) -> String {
        guid(self.seed, 14, 1)
    }

    /// The application that belongs to the organization, public and confidential at once.
    pub(super) fn client(&self) -> String {
        guid(self.seed, 30, 0)
    }

    /// An application of the tenant that the organization does not know.
    pub(super) fn stranger(&self) -> String {
        guid(self.seed, 30, 1)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whose token it is.
    pub(super) fn owner(&self, token: &str, now: Time) -> Bearer {
        match self.lock().access.get(token) {
            Some(access) if access.ends > now && access.is_stranger => {
                Bearer::Stranger(guid(self.seed, 31, 1))
            }
            Some(access) if access.ends > now => Bearer::Member,
            _ => Bearer::Nobody,
        }
    }

    /// Counts a request to the organization, and ends all access tokens at the one where that is asked for.
    pub(super) fn count_request(&self) {
        let number = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        if self.accepted.end_at == Some(number) {
            self.end_access();
        }
    }

    /// Ends all access tokens.
    pub(super) fn end_access(&self) {
        let mut state = self.lock();
        state.access.clear();
        state.of_machine = None;
    }

    /// Ends all refresh tokens, as a changed password does.
    pub(super) fn revoke(&self) {
        self.lock().refresh.clear();
    }

    /// Answers what belongs to the directory; none where it does not.
    pub(super) fn answer(&self, request: &Request, now: Time) -> Option<(&'static str, Answer)> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        Some(match (&request.method, path.as_slice()) {
            (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) => {
                ("sign-in: token", self.token(tenant, request, now))
            }
            (&Method::POST, [tenant, "oauth2", "v2.0", "devicecode"]) => {
                ("sign-in: device code", self.device_code(tenant, request, now))
            }
            (&Method::GET, [tenant, "oauth2", "v2.0", "authorize"]) => {
                ("sign-in: authorize", self.authorize(tenant, request))
            }
            (&Method::GET, ["devicelogin"]) => ("sign-in: page", self.enter(request)),
            (&Method::GET, ["metadata", "identity", "oauth2", "token"]) => {
                ("sign-in: machine", self.of_machine(request, now))
            }
            (&Method::GET, ["msi", "token"]) => ("sign-in: app", self.of_app(request, now)),
            _ => return None,
        })
    }

    /// A new access token.
    fn issue(&self, state: &mut State, now: Time, is_stranger: bool) -> String {
        let token = state.name(self.seed, "access");
        let lifetime = i64::try_from(self.accepted.token_lifetime.as_secs()).unwrap_or(i64::MAX);
        let ends = now.plus(lifetime.saturating_mul(SECOND));
        state.access.insert(token.clone(), Access { ends, is_stranger });
        token
    }

    /// What the metadata service of a machine answers; it hands out the same token until it ends.
    fn of_machine(&self, request: &Request, now: Time) -> Answer {
        let refuse = |text: &str| refusal(StatusCode::BAD_REQUEST, "invalid_request", None, text);
        if request.header("metadata") != Some("true") {
            return refuse("Required metadata header not specified");
        }
        if request.query("api-version").is_none() || request.query("resource") != Some(RESOURCE) {
            return refuse("Required query variable 'resource' is missing or unknown");
        }
        if request.query("client_id").is_some_and(|id| id != self.client()) {
            return refuse("Identity not found");
        }
        let mut state = self.lock();
        let held = state
            .of_machine
            .clone()
            .filter(|token| state.access.get(token).is_some_and(|access| access.ends > now));
        let token = held.unwrap_or_else(|| self.issue(&mut state, now, false));
        state.of_machine = Some(token.clone());
        let left = state.access.get(&token).map_or(0, |access| (access.ends.0 - now.0) / SECOND);
        let (seconds, epoch) = (left.to_string(), self.real_end(left));
        Answer::object(|json| {
            json.str("access_token", &token)
                .str("client_id", &self.client())
                .str("expires_in", &seconds)
                .str("expires_on", &epoch)
                .str("resource", RESOURCE)
                .str("token_type", "Bearer");
        })
    }

    /// What the service beside an app answers.
    fn of_app(&self, request: &Request, now: Time) -> Answer {
        if request.header("x-identity-header") != Some("simulated-header") {
            return refusal(StatusCode::UNAUTHORIZED, "unauthorized", None, "the header is wrong");
        }
        if request.query("resource") != Some(RESOURCE) {
            return refusal(StatusCode::BAD_REQUEST, "invalid_request", None, "unknown resource");
        }
        let mut state = self.lock();
        let token = self.issue(&mut state, now, false);
        let left = i64::try_from(self.accepted.token_lifetime.as_secs()).unwrap_or(i64::MAX);
        let epoch = self.real_end(left);
        Answer::object(|json| {
            json.str("access_token", &token)
                .str("expires_on", &epoch)
                .str("resource", RESOURCE)
                .str("token_type", "Bearer");
        })
    }

    /// The end as seconds since 1970 by the real clock, with which clients compare it.
    fn real_end(&self, left_s: i64) -> String {
        (i64::try_from(real_now()).unwrap_or(0) + left_s).to_string()
    }
}

impl State {
    /// The name of a new token or code.
    fn name(&mut self, seed: u64, kind: &str) -> String {
        self.issued += 1;
        format!("simulated-{kind}-{}", guid(seed, 32, self.issued))
    }
}

/// Seconds since 1970, by the real clock.
fn real_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// An error in the shape of OAuth, with what Microsoft Entra adds.
fn refusal(status: StatusCode, error: &str, code: Option<u32>, text: &str) -> Answer {
    let trace = "Trace ID: 7f3f1a5e-0000-4000-8000-000000000000 Correlation ID: \
                 9d2c1b4a-0000-4000-8000-000000000000 Timestamp: 2026-10-01 08:00:00Z";
    let mut answer = Answer::object(|json| {
        json.str("error", error);
        match code {
            Some(code) => {
                json.str("error_description", &format!("AADSTS{code}: {text} {trace}"));
                json.key("error_codes").array(|json| json.raw(&code.to_string()));
            }
            None => {
                json.str("error_description", text);
            }
        }
    });
    answer.status = status;
    answer
}
