//! Applications: a service principal with a secret or a certificate, or a workload with the token of another issuer.

use std::fmt;
use std::path::{Path, PathBuf};

use futures::future::{BoxFuture, FutureExt as _};
use secrecy::{ExposeSecret as _, SecretString};

use super::certificate::Certificate;
use super::door::Door;
use super::error::SignInError;
use super::renewing::Grant;
use super::token::{Lease, TokenAnswer, scope};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What an application proves itself with.
#[derive(Debug)]
pub(super) enum Proof {
    /// A client secret.
    Secret(SecretString),
    /// A certificate with its key: a fresh statement is signed for each request.
    Certificate(Box<Certificate>),
    /// The file with a token of another issuer; read anew each time, as its keeper rewrites it.
    TokenFile(PathBuf),
}

/// An application that signs in as itself.
pub(super) struct Application {
    door: Door,
    address: String,
    client_id: String,
    proof: Proof,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("address", &self.address)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl Application {
    /// Returns the application; nothing is sent yet.
    pub(super) fn new(
        login: &str,
        tenant: &str,
        client_id: &str,
        proof: Proof,
    ) -> Result<Self, SignInError> {
        Ok(Self {
            door: Door::to(login)?,
            address: super::address_of(login, tenant, "token"),
            client_id: client_id.to_owned(),
            proof,
        })
    }

    async fn lease(&self) -> Result<Lease, SignInError> {
        let scope = scope();
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("scope", scope.as_str()),
        ];
        let proof = match &self.proof {
            Proof::Secret(secret) => secret.clone(),
            Proof::Certificate(certificate) => {
                SecretString::from(certificate.assertion(&self.client_id, &self.address)?)
            }
            Proof::TokenFile(file) => read(file).await?,
        };
        match &self.proof {
            Proof::Secret(_) => form.push(("client_secret", proof.expose_secret())),
            _ => form.extend([
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", proof.expose_secret()),
            ]),
        }
        self.door.post::<TokenAnswer>(&self.address, &form).await?.lease()
    }
}

impl Grant for Application {
    fn kind(&self) -> &'static str {
        match self.proof {
            Proof::TokenFile(_) => "workload-identity",
            Proof::Secret(_) | Proof::Certificate(_) => "service-principal",
        }
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Lease, SignInError>> {
        self.lease().boxed()
    }
}

async fn read(file: &Path) -> Result<SecretString, SignInError> {
    let text = tokio::fs::read_to_string(file)
        .await
        .map_err(|source| SignInError::TokenFile { file: file.to_owned(), source })?;
    match text.trim() {
        "" => Err(SignInError::TokenFileEmpty { file: file.to_owned() }),
        token => Ok(SecretString::from(token)),
    }
}
