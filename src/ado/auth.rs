//! Signing in: tokens, and the header that carries them.
//!
//! A [`TokenSource`] is the only thing the client knows about it; [`sign_in`] makes the one that the configuration asks
//! for. What lives long is a [`FixedToken`], what lives for an hour comes from a grant and is renewed in time:
//!
//! ```text
//! config::Auth ─┬─ pat, pipeline ─────────────────────────────▶ FixedToken ─┐
//!               ├─ service-principal, workload-identity ▶ Application ─┐    ├─▶ Client
//!               ├─ managed-identity ────────▶ ManagedIdentity ─────────┼▶ Renewing
//!               ├─ azure-cli ───────────────▶ AzureCli ────────────────┤
//!               └─ user ──▶ Vault ──────────▶ User ────────────────────┘
//!                             ▲
//! adolake login ──▶ Login ────┘ by a code, or through a Loopback for the browser
//! ```
//!
//! Nothing here prints a token: tokens travel as secrets and headers are marked sensitive before they reach the HTTP
//! client; of what a service answers only codes and cleaned messages are kept.

mod application;
mod azure_cli;
mod browser;
mod certificate;
mod door;
mod error;
mod login;
mod managed_identity;
mod renewing;
mod tenant;
mod token;
mod user;
mod vault;

use std::fmt::Debug;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::{BoxFuture, FutureExt as _};
use secrecy::{ExposeSecret as _, SecretString};

use self::application::{Application, Proof};
use self::azure_cli::AzureCli;
use self::certificate::Certificate;
use self::managed_identity::ManagedIdentity;
use self::renewing::Renewing;
use self::tenant::Tenant;
use self::user::User;
use super::call::{Endpoints, escaped};
use super::error::Error;
use crate::config::{Auth, Credential, Environment, Organization, Secret};

pub use self::browser::Loopback;
pub use self::error::SignInError;
pub use self::login::{DeviceCode, Login, SignedIn};
pub use self::vault::{Kept, Vault};

/// Something that can name the `Authorization` header of the moment.
pub trait TokenSource: Debug + Send + Sync {
    /// Returns the value of the header; a source with short-lived tokens gets a new one here before the old expires.
    fn header(&self) -> BoxFuture<'_, Result<SecretString, Error>>;

    /// Is called after an answer as to somebody signed out, with the header that was sent; returns whether the next
    /// header is another one.
    fn renewed<'a>(&'a self, refused: &'a SecretString) -> BoxFuture<'a, Result<bool, Error>> {
        let _ = refused;
        async { Ok(false) }.boxed()
    }
}

/// A token that does not change: a personal access token, or a bearer token handed over for the length of a run.
#[derive(Debug)]
pub struct FixedToken {
    header: SecretString,
}

impl FixedToken {
    /// Returns the source for a personal access token, sent as Basic with an empty user name.
    ///
    /// # Errors
    /// Fails when the token is empty or holds characters that no token has.
    pub fn pat(token: &SecretString) -> Result<Self, Error> {
        let token = checked(token).map_err(unusable)?;
        let encoded = STANDARD.encode(format!(":{token}"));
        Ok(Self { header: SecretString::from(format!("Basic {encoded}")) })
    }

    /// Returns the source for a bearer token.
    ///
    /// # Errors
    /// Fails when the token is empty or holds characters that no token has.
    pub fn bearer(token: &SecretString) -> Result<Self, Error> {
        let token = checked(token).map_err(unusable)?;
        Ok(Self { header: SecretString::from(format!("Bearer {token}")) })
    }
}

/// Returns the token as it is sent, or what is wrong with it.
fn checked(token: &SecretString) -> Result<&str, &'static str> {
    let token = token.expose_secret().trim();
    if token.is_empty() {
        return Err("is empty");
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds spaces, line ends or characters outside ASCII");
    }
    Ok(token)
}

fn unusable(problem: &str) -> Error {
    Error::Token { problem: problem.to_owned() }
}

/// Returns the source of tokens that the configuration of an organization asks for. Secrets it refers to are read now,
/// so that a missing one shows before anything is sent; tokens that live for an hour are got when first needed.
///
/// # Errors
/// When a secret is not to be had or cannot be used.
pub fn sign_in(
    organization: &Organization,
    endpoints: &Endpoints,
    environment: &Environment,
) -> Result<Arc<dyn TokenSource>, Error> {
    let name = &organization.name;
    let kind = organization.auth.kind();
    let told = |source| Error::SignIn { kind, source: Arc::new(source) };
    let secret = organization.auth.secret(name, environment);
    let secret = secret.map_err(|source| Error::Secret { source: Box::new(source) })?;
    let missing =
        || Error::Token { problem: format!("of organization `{name}` is not configured") };
    let whose = |kept: &Secret| {
        let place = format!("of organization `{name}` ({kept})");
        move |error| match error {
            Error::Token { problem } => Error::Token { problem: format!("{place} {problem}") },
            other => other,
        }
    };
    let login = endpoints.login.as_str();
    let tenant = |configured| Tenant::new(name, configured, endpoints.graph_host());
    Ok(match &organization.auth {
        Auth::Pat(kept) => {
            Arc::new(FixedToken::pat(&secret.ok_or_else(missing)?).map_err(whose(kept))?)
        }
        Auth::Pipeline { env } => {
            let whose = whose(&Secret::Env(env.clone()));
            Arc::new(FixedToken::bearer(&secret.ok_or_else(missing)?).map_err(whose)?)
        }
        Auth::ServicePrincipal { tenant_id, client_id, credential } => {
            let secret = secret.ok_or_else(missing)?;
            let proof = match credential {
                Credential::Secret(_) => Proof::Secret(secret),
                Credential::Certificate(_) => {
                    Proof::Certificate(Box::new(Certificate::parse(&secret).map_err(told)?))
                }
            };
            let application = Application::new(login, tenant_id, client_id, proof);
            Arc::new(Renewing::new(application.map_err(told)?))
        }
        Auth::WorkloadIdentity { tenant_id, client_id, token_file } => {
            let proof = Proof::TokenFile(token_file.clone());
            let application = Application::new(login, tenant_id, client_id, proof);
            Arc::new(Renewing::new(application.map_err(told)?))
        }
        Auth::ManagedIdentity { client_id } => {
            let identity = ManagedIdentity::new(client_id.as_deref(), environment);
            Arc::new(Renewing::new(identity.map_err(told)?))
        }
        Auth::AzureCli => Arc::new(Renewing::new(AzureCli::new(tenant(None)))),
        Auth::User { client_id, tenant_id } => {
            let vault = Vault::new(name, client_id, environment);
            let user = User::new(name, login, client_id, tenant(tenant_id.as_deref()), vault);
            Arc::new(Renewing::new(user.map_err(told)?))
        }
    })
}

/// Returns the address of an endpoint of Microsoft Entra.
fn address_of(login: &str, tenant: &str, endpoint: &str) -> String {
    format!("{}/{}/oauth2/v2.0/{endpoint}", login.trim_end_matches('/'), escaped(tenant))
}

impl TokenSource for FixedToken {
    fn header(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        async { Ok(self.header.clone()) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_trimmed_encoded_and_never_shown() {
        let source = FixedToken::pat(&SecretString::from("s3cret\n")).unwrap();
        assert_eq!(source.header().await.unwrap().expose_secret(), "Basic OnMzY3JldA==");
        assert!(!format!("{source:?}").contains("OnMz"));
        let error = FixedToken::bearer(&SecretString::from("two words")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the token holds spaces, line ends or characters outside ASCII"
        );
        assert!(FixedToken::pat(&SecretString::from(" \n")).is_err());
    }
}
