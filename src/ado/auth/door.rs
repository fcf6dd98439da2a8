//! HTTP to the services that hand out tokens: forms out, JSON in, and never a word of what is secret in an error.

use std::time::Duration;

use percent_encoding::utf8_percent_encode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::SignInError;
use crate::ado::call::ESCAPED;

/// Attempts at a request that fails by itself.
const ATTEMPTS: u32 = 3;
/// Wait before the second attempt, doubled from then on.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait that is granted to a service that asks for one.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Largest answer that is taken, bytes.
const BODY_LIMIT: usize = 1024 * 1024;
/// Longest message of a service that is passed on, characters.
const MESSAGE: usize = 300;
/// Fields of a form that are no secrets; the values of all others are taken out of messages.
const OPEN_FIELDS: [&str; 6] =
    ["client_id", "scope", "grant_type", "client_assertion_type", "redirect_uri", "resource"];

/// A connection to such a service.
#[derive(Debug, Clone)]
pub(super) struct Door {
    http: reqwest::Client,
}

/// What a service of this kind says no with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: Option<String>,
    error_description: Option<String>,
    error_codes: Vec<u32>,
}

impl Door {
    /// Opens the door to a service on the internet; proxies are passed by where it is on this machine.
    pub(super) fn to(address: &str) -> Result<Self, SignInError> {
        let is_loopback =
            url::Url::parse(address).is_ok_and(|url| crate::ado::call::is_loopback(&url));
        Self::build(is_loopback, Duration::from_secs(10), Duration::from_secs(60))
    }

    /// Opens the door to a service of the machine itself: at once, or not at all.
    pub(super) fn near() -> Result<Self, SignInError> {
        Self::build(true, Duration::from_secs(3), Duration::from_secs(30))
    }

    fn build(has_no_proxy: bool, connect: Duration, whole: Duration) -> Result<Self, SignInError> {
        let mut http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(connect)
            .timeout(whole)
            .user_agent(concat!("adolake/", env!("CARGO_PKG_VERSION")));
        if has_no_proxy {
            http = http.no_proxy();
        }
        Ok(Self { http: http.build().map_err(|source| SignInError::Setup { source })? })
    }

    /// Posts a form.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        address: &str,
        form: &[(&str, &str)],
    ) -> Result<T, SignInError> {
        let encoded: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let encoded = encoded.join("&");
        let secrets: Vec<&str> = form
            .iter()
            .filter(|(name, _)| !OPEN_FIELDS.contains(name))
            .map(|(_, value)| *value)
            .collect();
        self.ask(address, &secrets, || {
            self.http
                .post(address)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(encoded.clone())
        })
        .await
    }

    /// Gets an object; the header is one that the service asks for.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        address: &str,
        query: &[(&str, &str)],
        header: (&'static str, &str),
    ) -> Result<T, SignInError> {
        let mark = if address.contains('?') { '&' } else { '?' };
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let whole = format!("{address}{mark}{}", query.join("&"));
        let mut value =
            HeaderValue::from_str(header.1).map_err(|_| SignInError::NotUnderstood {
                address: address.to_owned(),
                problem: format!("`{}` would hold characters that no header takes", header.0),
            })?;
        value.set_sensitive(true);
        self.ask(address, &[header.1], || self.http.get(&whole).header(header.0, value.clone()))
            .await
    }

    /// Returns the value of a header of the answer to HEAD, whatever its status.
    pub(super) async fn head(
        &self,
        address: &str,
        header: &str,
    ) -> Result<Option<String>, SignInError> {
        let answer = self.send(address, || self.http.head(address)).await?;
        let value = answer.headers().get(header).and_then(|value| value.to_str().ok());
        Ok(value.map(|value| tame(value, &[])))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        address: &str,
        secrets: &[&str],
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<T, SignInError> {
        let mut answer = self.send(address, request).await?;
        let status = answer.status();
        let not_understood = |problem: &str| SignInError::NotUnderstood {
            address: address.to_owned(),
            problem: problem.to_owned(),
        };
        let unreachable = |source: reqwest::Error| SignInError::Unreachable {
            address: address.to_owned(),
            source: source.without_url(),
        };
        let body = crate::ado::body::receive(&mut answer, BODY_LIMIT).await.map_err(unreachable)?;
        let body = body.ok_or_else(|| not_understood("it is too large"))?;
        if status.is_success() {
            // The text of the parser's error may quote a value.
            return serde_json::from_slice(&body)
                .map_err(|_| not_understood("it is not the JSON of a token answer"));
        }
        let Ok(Refusal { error: Some(error), error_description, error_codes }) =
            serde_json::from_slice::<Refusal>(&body)
        else {
            return Err(not_understood(&format!(
                "status {}, and no JSON that says why",
                status.as_u16()
            )));
        };
        let description = error_description.unwrap_or_default();
        let message = message(&description, secrets);
        let error = tame(&error, secrets);
        Err(SignInError::Refused {
            address: address.to_owned(),
            code: error_codes.first().copied().or_else(|| code(&description)),
            message: if message.is_empty() { error.clone() } else { message },
            error,
        })
    }

    /// Sends until there is an answer that is not to pass with time.
    async fn send(
        &self,
        address: &str,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, SignInError> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let error = match request().send().await {
                Ok(answer) if !is_passing(answer.status().as_u16()) => return Ok(answer),
                Ok(answer) => {
                    wait = asked_for(answer.headers()).unwrap_or(wait).min(LONGEST_WAIT);
                    let status = answer.status().as_u16();
                    SignInError::Failing { address: address.to_owned(), status }
                }
                Err(source) => SignInError::Unreachable {
                    address: address.to_owned(),
                    source: source.without_url(),
                },
            };
            if attempt >= ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        unreachable!("the loop ends by itself")
    }
}

/// 410 is what the metadata service of a machine answers while it is updated.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 410 | 429 | 500..=599)
}

fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn escaped(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, ESCAPED)
}

/// Returns the number behind `AADSTS`.
fn code(description: &str) -> Option<u32> {
    let digits = description.split("AADSTS").nth(1)?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Returns the first line of a description without trace ids.
fn message(description: &str, secrets: &[&str]) -> String {
    let line = description.trim().lines().next().unwrap_or_default();
    let line = line.split(" Trace ID:").next().unwrap_or_default();
    tame(line, secrets).trim_end_matches('.').to_owned()
}

/// Makes a text of the service safe: no secret of ours, no control characters, not too long.
pub(super) fn tame(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        text = text.replace(secret, "…");
        text = text.replace(&escaped(secret).to_string(), "…");
    }
    text.trim().chars().filter(|c| !c.is_control()).take(MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_short_and_hold_no_secret() {
        let description = "AADSTS7000215: Invalid client secret hunter2+x (hunter2%2Bx) provided.\u{7} Trace ID: 1 \
                           Correlation ID: 2\r\nTimestamp: 3";
        assert_eq!(code(description), Some(7_000_215));
        assert_eq!(
            message(description, &["hunter2+x"]),
            "AADSTS7000215: Invalid client secret … (…) provided"
        );
        assert_eq!(code("nothing"), None);
        assert_eq!(message(&"x".repeat(999), &[]).len(), MESSAGE);
    }
}
