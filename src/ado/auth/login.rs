//! A person signs in: by a code on any device, or in the browser of this one.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::browser::Loopback;
use super::door::{Door, tame};
use super::error::SignInError;
use super::tenant::Tenant;
use super::token::{TokenAnswer, scope, secret};
use super::vault::{Kept, Vault};
use crate::ado::Endpoints;
use crate::config::{Auth, Environment, Organization};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The way in for the user of an organization.
pub struct Login {
    door: Door,
    login: String,
    client_id: String,
    tenant: Tenant,
    vault: Vault,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// What came of it: an access token for now, and what can be kept.
pub struct SignedIn {
    /// Access token.
    pub access_token: SecretString,
    refresh_token: SecretString,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").finish_non_exhaustive()
    }
}

/// What a person has to do to sign in by a code.
#[derive(Debug)]
pub struct DeviceCode {
    /// Page to open, on any device.
    pub address: String,
    /// What to enter there.
    pub user_code: String,
    device_code: SecretString,
    ends_at: Instant,
    interval: Duration,
}

#[derive(Deserialize)]
struct DeviceAnswer {
    #[serde(deserialize_with = "secret")]
    device_code: SecretString,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    expires_in: Option<u64>,
    interval: Option<u64>,
}

impl Login {
    /// Returns the way in; none where the organization is not signed in to by a person.
    ///
    /// # Errors
    /// When an address cannot be used.
    pub fn of(
        organization: &Organization,
        endpoints: &Endpoints,
        environment: &Environment,
    ) -> Result<Option<Self>, SignInError> {
        let Auth::User { client_id, tenant_id } = &organization.auth else { return Ok(None) };
        let name = &organization.name;
        Ok(Some(Self {
            door: Door::to(endpoints.login.as_str())?,
            login: endpoints.login.to_string(),
            client_id: client_id.clone(),
            tenant: Tenant::new(name, tenant_id.as_deref(), endpoints.graph_host()),
            vault: Vault::new(name, client_id, environment),
        }))
    }

    /// Asks for a code.
    ///
    /// # Errors
    /// When the service refuses, above all because it does not know tenant or application.
    pub async fn device_code(&self) -> Result<DeviceCode, SignInError> {
        let address = super::address_of(&self.login, self.tenant.id().await?, "devicecode");
        let scope = format!("{} offline_access", scope());
        let form = [("client_id", self.client_id.as_str()), ("scope", scope.as_str())];
        let answer: DeviceAnswer = self.door.post(&address, &form).await?;
        let lives = answer.expires_in.map_or(PATIENCE, Duration::from_secs).min(PATIENCE);
        Ok(DeviceCode {
            address: tame(&answer.verification_uri, &[]),
            user_code: tame(&answer.user_code, &[]),
            device_code: answer.device_code,
            ends_at: Instant::now() + lives,
            interval: Duration::from_secs(answer.interval.unwrap_or(5)),
        })
    }

    /// Waits until the person has entered the code.
    ///
    /// # Errors
    /// When the person declines or takes too long, or the service refuses.
    pub async fn wait(&self, code: DeviceCode) -> Result<SignedIn, SignInError> {
        let address = super::address_of(&self.login, self.tenant.id().await?, "token");
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", self.client_id.as_str()),
            ("device_code", code.device_code.expose_secret()),
        ];
        let mut interval = code.interval;
        loop {
            tokio::time::sleep(interval).await;
            let error = match self.door.post::<TokenAnswer>(&address, &form).await {
                Ok(answer) => return signed_in(answer, &address),
                Err(error) => error,
            };
            interval = next_interval(error, interval)?;
            if Instant::now() + interval >= code.ends_at {
                return Err(SignInError::TooLate { patience: PATIENCE });
            }
        }
    }

    /// Opens a place on this machine for the browser to come back to.
    ///
    /// # Errors
    /// When no port can be had, or the tenant cannot be found.
    pub async fn browser(&self) -> Result<Loopback, SignInError> {
        let address = super::address_of(&self.login, self.tenant.id().await?, "authorize");
        let scope = format!("{} offline_access", scope());
        Loopback::open(&address, &self.client_id, &scope).await
    }

    /// Waits until the browser comes back, and exchanges what it brings.
    ///
    /// # Errors
    /// When the person declines or takes too long, or the service refuses.
    pub async fn come_back(&self, loopback: Loopback) -> Result<SignedIn, SignInError> {
        let address = super::address_of(&self.login, self.tenant.id().await?, "token");
        let (redirect, verifier) = (loopback.redirect().to_owned(), loopback.verifier().clone());
        let waited = tokio::time::timeout(PATIENCE, loopback.code()).await;
        let code = waited.map_err(|_| SignInError::TooLate { patience: PATIENCE })??;
        let scope = format!("{} offline_access", scope());
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", self.client_id.as_str()),
            ("scope", scope.as_str()),
            ("code", code.expose_secret()),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", verifier.expose_secret()),
        ];
        signed_in(self.door.post(&address, &form).await?, &address)
    }

    /// Keeps the sign-in for later runs.
    ///
    /// # Errors
    /// When neither keyring nor file takes it.
    pub fn keep(&self, signed_in: &SignedIn) -> Result<Kept, SignInError> {
        self.vault.save(&signed_in.refresh_token)
    }

    /// Forgets the sign-in; returns whether there was one.
    ///
    /// # Errors
    /// When what keeps it cannot be removed.
    pub fn forget(&self) -> Result<bool, SignInError> {
        self.vault.remove()
    }
}

fn signed_in(mut answer: TokenAnswer, address: &str) -> Result<SignedIn, SignInError> {
    let refresh_token = answer.refresh_token.take().ok_or_else(|| SignInError::NotUnderstood {
        address: address.to_owned(),
        problem: "it holds no refresh token".to_owned(),
    })?;
    Ok(SignedIn { access_token: answer.lease()?.token, refresh_token })
}

/// Returns after how long the service may be asked again, or what it means for good.
fn next_interval(error: SignInError, interval: Duration) -> Result<Duration, SignInError> {
    let SignInError::Refused { error: word, message, .. } = &error else {
        // A connection that fails for a moment is no reason to make the person begin anew.
        return if error.is_transient() {
            Ok(interval.max(Duration::from_secs(5)))
        } else {
            Err(error)
        };
    };
    match word.as_str() {
        "authorization_pending" => Ok(interval),
        "slow_down" => Ok(interval + Duration::from_secs(5)),
        "expired_token" | "code_expired" => Err(SignInError::TooLate { patience: PATIENCE }),
        "authorization_declined" | "access_denied" => {
            Err(SignInError::Declined { message: message.clone() })
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_sets_the_pace() {
        let pace = |word: &str| {
            let refused = SignInError::Refused {
                address: String::new(),
                error: word.to_owned(),
                code: None,
                message: "m".to_owned(),
            };
            next_interval(refused, Duration::from_secs(5)).map(|interval| interval.as_secs())
        };
        assert_eq!(pace("authorization_pending").unwrap(), 5);
        assert_eq!(pace("slow_down").unwrap(), 10);
        assert!(matches!(pace("expired_token"), Err(SignInError::TooLate { .. })));
        assert!(matches!(pace("authorization_declined"), Err(SignInError::Declined { .. })));
        assert!(matches!(pace("invalid_client"), Err(SignInError::Refused { .. })));
        let down = SignInError::Failing { address: String::new(), status: 503 };
        assert_eq!(next_interval(down, Duration::from_secs(1)).unwrap().as_secs(), 5);
    }
}
