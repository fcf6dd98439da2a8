//! Managed identities: tokens from the metadata service of a machine in Azure, or from that of an app or container.

use futures::future::{BoxFuture, FutureExt as _};
use secrecy::{ExposeSecret as _, SecretString};

use super::door::Door;
use super::error::SignInError;
use super::renewing::Grant;
use super::token::{Lease, RESOURCE, TokenAnswer};
use crate::config::{Environment, env};

/// Where the metadata service of a machine is, the same on all of them.
const METADATA: &str = "http://169.254.169.254";

/// The identity of where we run.
#[derive(Debug)]
pub(super) struct ManagedIdentity {
    door: Door,
    client_id: Option<String>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A virtual machine, scale set or Kubernetes node.
    Machine { address: String },
    /// App Service, Functions, Container Apps.
    App { address: String, header: SecretString },
}

impl ManagedIdentity {
    /// Returns the identity; the environment tells where we run. Nothing is sent yet.
    pub(super) fn new(
        client_id: Option<&str>,
        environment: &Environment,
    ) -> Result<Self, SignInError> {
        let app =
            environment.get(env::IDENTITY_ENDPOINT).zip(environment.get(env::IDENTITY_HEADER));
        let place = match app {
            Some((address, header)) => {
                Place::App { address: address.to_owned(), header: SecretString::from(header) }
            }
            None => {
                let base = environment.get(env::METADATA_HOST).unwrap_or(METADATA);
                let base = base.trim_end_matches('/');
                Place::Machine { address: format!("{base}/metadata/identity/oauth2/token") }
            }
        };
        Ok(Self { door: Door::near()?, client_id: client_id.map(str::to_owned), place })
    }

    async fn lease(&self) -> Result<Lease, SignInError> {
        let mut query = vec![("resource", RESOURCE)];
        query.extend(self.client_id.as_deref().map(|id| ("client_id", id)));
        let answer: TokenAnswer = match &self.place {
            Place::Machine { address } => {
                query.push(("api-version", "2018-02-01"));
                let answer = self.door.get(address, &query, ("Metadata", "true")).await;
                answer.map_err(|error| match error {
                    SignInError::Unreachable { address, .. } => {
                        SignInError::NoMetadataService { address }
                    }
                    other => other,
                })?
            }
            Place::App { address, header } => {
                query.push(("api-version", "2019-08-01"));
                let header = ("X-IDENTITY-HEADER", header.expose_secret());
                self.door.get(address, &query, header).await?
            }
        };
        answer.lease()
    }
}

impl Grant for ManagedIdentity {
    fn kind(&self) -> &'static str {
        "managed-identity"
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Lease, SignInError>> {
        self.lease().boxed()
    }
}
