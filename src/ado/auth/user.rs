//! A person who signed in with `adolake login`: the refresh token that was kept gives a new access token each time.

use std::fmt;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use secrecy::{ExposeSecret as _, SecretString};

use super::door::Door;
use super::error::SignInError;
use super::renewing::Grant;
use super::tenant::Tenant;
use super::token::{Lease, TokenAnswer, scope};
use super::vault::Vault;

/// How long to wait for another process to keep what it got, three times.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1000)];

/// A person, through an application of the organization's own.
pub(super) struct User {
    organization: String,
    door: Door,
    login: String,
    client_id: String,
    tenant: Tenant,
    vault: Vault,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("organization", &self.organization)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl User {
    /// Returns the source; nothing is read or sent yet.
    pub(super) fn new(
        organization: &str,
        login: &str,
        client_id: &str,
        tenant: Tenant,
        vault: Vault,
    ) -> Result<Self, SignInError> {
        Ok(Self {
            organization: organization.to_owned(),
            door: Door::to(login)?,
            login: login.to_owned(),
            client_id: client_id.to_owned(),
            tenant,
            vault,
        })
    }

    async fn lease(&self) -> Result<Lease, SignInError> {
        // Read anew each time: another process may have got a newer one meanwhile.
        let mut kept = self.kept().await?;
        if kept.is_empty() {
            return Err(SignInError::NobodySignedIn { organization: self.organization.clone() });
        }
        let address = super::address_of(&self.login, self.tenant.id().await?, "token");
        let mut tried: Vec<SecretString> = Vec::new();
        let mut pauses = PAUSES.iter();
        loop {
            let mut refusal = None;
            for refresh in kept {
                match self.redeem(&address, &refresh).await {
                    Ok(lease) => return Ok(lease),
                    Err(error) if error.wants_login() => refusal = Some(error),
                    Err(error) => return Err(error),
                }
                tried.push(refresh);
            }
            // A token that another process used up between our reading and our asking has a follower soon.
            kept = loop {
                let new = |new: &SecretString| {
                    tried.iter().all(|old| old.expose_secret() != new.expose_secret())
                };
                let mut kept = self.kept().await?;
                kept.retain(new);
                match (kept.is_empty(), pauses.next()) {
                    (false, _) => break kept,
                    (true, Some(pause)) => tokio::time::sleep(*pause).await,
                    (true, None) => break kept,
                }
            };
            if let (true, Some(source)) = (kept.is_empty(), refusal) {
                return Err(SignInError::Revoked {
                    organization: self.organization.clone(),
                    source: Box::new(source),
                });
            }
        }
    }

    async fn redeem(&self, address: &str, refresh: &SecretString) -> Result<Lease, SignInError> {
        let scope = format!("{} offline_access", scope());
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("scope", scope.as_str()),
            ("refresh_token", refresh.expose_secret()),
        ];
        let mut answer: TokenAnswer = self.door.post(address, &form).await?;
        if let Some(next) = answer.refresh_token.take() {
            let vault = self.vault.clone();
            let saved = blocking(move || vault.save(&next)).await;
            // This run can go on; the next one will say to sign in anew if the old token is no good any more.
            if let Err(error) = saved {
                tracing::warn!(organization = self.organization, %error, "the renewed sign-in is not kept");
            }
        }
        answer.lease()
    }

    async fn kept(&self) -> Result<Vec<SecretString>, SignInError> {
        let vault = self.vault.clone();
        blocking(move || vault.load()).await
    }
}

impl Grant for User {
    fn kind(&self) -> &'static str {
        "user"
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Lease, SignInError>> {
        self.lease().boxed()
    }
}

/// Keyrings wait, for a bus or for a person; that must not hold up everything else.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SignInError> + Send + 'static,
) -> Result<T, SignInError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(SignInError::Vault {
            what: "cannot use what keeps the sign-in".to_owned(),
            problem: error.to_string(),
        })
    })
}
