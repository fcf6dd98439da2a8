//! The place on this machine to which a browser comes back after signing in (RFC 8252), with PKCE (RFC 7636).

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Html;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::door::tame;
use super::error::SignInError;
use super::token::any_secret;
use crate::ado::call::escaped;

/// An open place.
pub struct Loopback {
    address: String,
    redirect: String,
    state: String,
    verifier: SecretString,
    listener: TcpListener,
}

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loopback").field("redirect", &self.redirect).finish_non_exhaustive()
    }
}

/// What the browser brings.
#[derive(Deserialize)]
struct Brought {
    state: Option<String>,
    #[serde(default, deserialize_with = "any_secret")]
    code: Option<SecretString>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Loopback {
    /// Listens on a free port; `address` is where the person signs in.
    pub(super) async fn open(
        address: &str,
        client_id: &str,
        scope: &str,
    ) -> Result<Self, SignInError> {
        let failed = |source| SignInError::Loopback { source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        // Microsoft Entra lets the port differ for `localhost`, and for no address of numbers.
        let redirect = format!("http://localhost:{port}");
        let (state, verifier) = (random()?, SecretString::from(random()?));
        let hash = digest::digest(&digest::SHA256, verifier.expose_secret().as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(hash);
        let query: Vec<String> = [
            ("client_id", client_id),
            ("response_type", "code"),
            ("response_mode", "query"),
            ("redirect_uri", &redirect),
            ("scope", scope),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("prompt", "select_account"),
        ]
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
        let address = format!("{address}?{}", query.join("&"));
        Ok(Self { address, redirect, state, verifier, listener })
    }

    /// Returns the page at which the person signs in; it holds no secret.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn redirect(&self) -> &str {
        &self.redirect
    }

    pub(super) fn verifier(&self) -> &SecretString {
        &self.verifier
    }

    /// Waits for the browser. Whoever comes without our `state` is sent away and changes nothing.
    pub(super) async fn code(self) -> Result<SecretString, SignInError> {
        let (send, receive) = oneshot::channel();
        let send = Arc::new(Mutex::new(Some(send)));
        let state = self.state;
        let app = Router::new().fallback(move |Query(brought): Query<Brought>| {
            let (state, send) = (state.clone(), Arc::clone(&send));
            async move {
                let Some(outcome) = outcome(brought, &state) else {
                    return (StatusCode::BAD_REQUEST, page("Nothing to see here."));
                };
                let text = match &outcome {
                    Ok(_) => "You are signed in. This window can be closed.",
                    Err(_) => {
                        "You are not signed in; the terminal says why. This window can be closed."
                    }
                };
                let send = send.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(send) = send {
                    // Whoever waited may have given up meanwhile.
                    let _ = send.send(outcome);
                }
                (StatusCode::OK, page(text))
            }
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let server = axum::serve(self.listener, app).with_graceful_shutdown(until);
        let task = tokio::spawn(async move { server.await });
        let outcome = receive.await;
        // The browser gets its page before the place is closed.
        drop(stop);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), task).await;
        outcome.unwrap_or_else(|_| {
            Err(SignInError::Declined { message: "the browser did not come back".to_owned() })
        })
    }
}

/// Returns what was brought; none where it is not the answer to our question.
fn outcome(brought: Brought, state: &str) -> Option<Result<SecretString, SignInError>> {
    if brought.state.as_deref() != Some(state) {
        return None;
    }
    match (brought.code, brought.error) {
        (Some(code), None) => Some(Ok(code)),
        (_, Some(error)) => {
            let message = brought.error_description.unwrap_or(error);
            let line = message.lines().next().unwrap_or_default();
            Some(Err(SignInError::Declined { message: tame(line, &[]) }))
        }
        (None, None) => None,
    }
}

fn page(text: &str) -> Html<String> {
    Html(format!("<!doctype html><meta charset=\"utf-8\"><title>adolake</title><p>{text}</p>"))
}

/// 256 bits that nobody can guess, as 43 characters.
fn random() -> Result<String, SignInError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SignInError::Vault {
        what: "cannot begin a sign-in".to_owned(),
        problem: "the system gives no random numbers".to_owned(),
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_our_question_counts() {
        let brought = |state: &str, code: Option<&str>, error: Option<&str>| Brought {
            state: Some(state.to_owned()),
            code: code.map(SecretString::from),
            error: error.map(str::to_owned),
            error_description: None,
        };
        assert!(outcome(brought("other", Some("c"), None), "ours").is_none());
        assert!(outcome(brought("ours", None, None), "ours").is_none());
        assert!(outcome(brought("ours", Some("c"), None), "ours").unwrap().is_ok());
        let declined = outcome(brought("ours", None, Some("access_denied")), "ours").unwrap();
        assert!(declined.unwrap_err().to_string().contains("access_denied"));
    }
}
