//! A person who signed in with `adolake login`: the refresh token that was kept gives a new access token each time.

use std::fmt;

use futures::future::{BoxFuture, FutureExt as _};
use secrecy::{ExposeSecret as _, SecretString};

use super::door::Door;
use super::error::SignInError;
use super::renewing::Grant;
use super::tenant::Tenant;
use super::token::{Lease, TokenAnswer, scope};
use super::vault::Vault;

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
        let address = super::address_of(&self.login, self.tenant.id().await?, "token");
        // Some services take a refresh token once only: of several processes one at a time reads, redeems and keeps.
        let vault = self.vault.clone();
        let _turn = blocking(move || Ok(vault.turn())).await?;
        let vault = self.vault.clone();
        let mut refusal = None;
        for refresh in blocking(move || vault.load()).await? {
            match self.redeem(&address, &refresh).await {
                Ok(lease) => return Ok(lease),
                Err(error) if error.wants_login() => refusal = Some(error),
                Err(error) => return Err(error),
            }
        }
        let organization = self.organization.clone();
        Err(match refusal {
            Some(refusal) => SignInError::Revoked { organization, source: Box::new(refusal) },
            None => SignInError::NobodySignedIn { organization },
        })
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
