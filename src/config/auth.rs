//! Ways to sign in, and references to secrets: the configuration holds names of secrets, never secrets.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::env::Environment;
use super::error::Error;
use super::keyring::Keyring;

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In an environment variable of this name.
    Env(String),
    /// In a file; the path is absolute or relative to the working folder.
    File(PathBuf),
    /// In the system's keyring under this name.
    Keyring(String),
}

impl Secret {
    /// Fetches the secret; `purpose` is said in errors, e.g. ``the token of organization `contoso` ``.
    ///
    /// # Errors
    /// When the variable is not set, the file cannot be read, or the keyring has no such entry.
    pub fn resolve(&self, environment: &Environment, purpose: &str) -> Result<SecretString, Error> {
        match self {
            Self::Env(variable) => environment
                .get(variable)
                .map(str::trim)
                .filter(|value| !value.is_empty())
                .map(SecretString::from)
                .ok_or_else(|| Error::VariableMissing {
                    variable: variable.clone(),
                    purpose: purpose.to_owned(),
                }),
            Self::File(file) => {
                let text = fs::read_to_string(file).map_err(|source| Error::SecretFile {
                    file: file.clone(),
                    purpose: purpose.to_owned(),
                    source,
                })?;
                match text.trim() {
                    "" => Err(Error::SecretFileEmpty {
                        file: file.clone(),
                        purpose: purpose.to_owned(),
                    }),
                    secret => Ok(SecretString::from(secret)),
                }
            }
            Self::Keyring(name) => {
                let failed = |problem: String| Error::Keyring {
                    name: name.clone(),
                    purpose: purpose.to_owned(),
                    problem,
                };
                let secret = Keyring::of(environment).get(name);
                let secret = secret.map_err(|error| failed(error.to_string()))?;
                let secret = secret.ok_or_else(|| failed("there is no such entry".to_owned()))?;
                match secret.expose_secret().trim() {
                    "" => Err(failed("the entry is empty".to_owned())),
                    secret => Ok(SecretString::from(secret)),
                }
            }
        }
    }
}

/// Shows the reference as TOML: `env = "ADO_PAT"`.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(variable) => write!(f, "env = {}", super::show::quoted(variable)),
            Self::File(file) => {
                write!(f, "file = {}", super::show::quoted(&file.to_string_lossy()))
            }
            Self::Keyring(name) => write!(f, "keyring = {}", super::show::quoted(name)),
        }
    }
}

/// How adolake signs in to an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A personal access token.
    Pat(Secret),
    /// An application with a secret or a certificate of its own.
    ServicePrincipal {
        /// Directory (tenant).
        tenant_id: String,
        /// Application (client).
        client_id: String,
        /// What it proves itself with.
        credential: Credential,
    },
    /// A person, through `adolake login`.
    User {
        /// Application (client) of your own that may act for its user.
        client_id: String,
        /// Directory (tenant); none = found from the organization.
        tenant_id: Option<String>,
    },
    /// The identity of the machine in Azure.
    ManagedIdentity {
        /// Application (client) of a user-assigned identity.
        client_id: Option<String>,
    },
    /// A token of another issuer, as in Kubernetes or GitHub Actions.
    WorkloadIdentity {
        /// Directory (tenant).
        tenant_id: String,
        /// Application (client).
        client_id: String,
        /// File with the token of the other issuer.
        token_file: PathBuf,
    },
    /// Whoever is signed in with `az login`.
    AzureCli,
    /// The job of an Azure pipeline.
    Pipeline {
        /// Variable that holds `$(System.AccessToken)`.
        env: String,
    },
}

/// What a service principal proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A client secret.
    Secret(Secret),
    /// A certificate with its private key.
    Certificate(Secret),
}

impl Auth {
    /// Kinds, as they are written in the configuration.
    pub const KINDS: [&str; 7] = [
        "pat",
        "service-principal",
        "user",
        "managed-identity",
        "workload-identity",
        "azure-cli",
        "pipeline",
    ];

    /// Returns the kind, as it is written in the configuration.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pat(_) => "pat",
            Self::ServicePrincipal { .. } => "service-principal",
            Self::User { .. } => "user",
            Self::ManagedIdentity { .. } => "managed-identity",
            Self::WorkloadIdentity { .. } => "workload-identity",
            Self::AzureCli => "azure-cli",
            Self::Pipeline { .. } => "pipeline",
        }
    }

    /// Fetches the secret that the configuration refers to: a token, a client secret, or a certificate with its key;
    /// none where the kind needs none, or keeps it elsewhere.
    ///
    /// # Errors
    /// When the secret is not to be had.
    pub fn secret(
        &self,
        organization: &str,
        environment: &Environment,
    ) -> Result<Option<SecretString>, Error> {
        let resolve = |secret: &Secret, what: &str| {
            secret.resolve(environment, &format!("the {what} of organization `{organization}`"))
        };
        Ok(match self {
            Self::Pat(secret) => Some(resolve(secret, "token")?),
            Self::ServicePrincipal { credential, .. } => Some(match credential {
                Credential::Secret(secret) => resolve(secret, "client secret")?,
                Credential::Certificate(secret) => resolve(secret, "certificate")?,
            }),
            Self::Pipeline { env } => Some(resolve(&Secret::Env(env.clone()), "token")?),
            Self::User { .. }
            | Self::ManagedIdentity { .. }
            | Self::WorkloadIdentity { .. }
            | Self::AzureCli => None,
        })
    }
}
