//! Why nobody could be signed in, told apart by what its reader can do.

use std::path::PathBuf;
use std::time::Duration;

use crate::hint::Hint;

/// A sign-in that failed. Holds no token and no secret: of answers only the code and the cleaned message are kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The sign-in service understands the request and says no.
    #[error("`{address}` refuses: {message}")]
    Refused {
        /// Address that was asked.
        address: String,
        /// `error` of the answer, e.g. `invalid_client`.
        error: String,
        /// The number behind `AADSTS`, where there is one.
        code: Option<u32>,
        /// First line of the service's message.
        message: String,
    },
    /// The sign-in service cannot be reached, again and again.
    #[error("cannot reach `{address}`")]
    Unreachable {
        /// Address that was asked.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The sign-in service fails, again and again.
    #[error("`{address}` failed with status {status}")]
    Failing {
        /// Address that was asked.
        address: String,
        /// Last status.
        status: u16,
    },
    /// An answer that is not understood.
    #[error("the answer of `{address}` is not understood: {problem}")]
    NotUnderstood {
        /// Address that was asked.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The tenant of an organization cannot be found.
    #[error("cannot find the tenant of organization `{organization}`: {problem}")]
    NoTenant {
        /// Organization.
        organization: String,
        /// Why not.
        problem: String,
    },
    /// The metadata service of the machine does not answer.
    #[error("there is no managed identity here: `{address}` does not answer")]
    NoMetadataService {
        /// Address that was asked.
        address: String,
    },
    /// A certificate or its key cannot be used.
    #[error("the certificate cannot be used: {problem}")]
    Certificate {
        /// Why not.
        problem: String,
    },
    /// The token of the other issuer cannot be read.
    #[error("cannot read the token of the other issuer in `{}`", file.display())]
    TokenFile {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file that should hold the token of the other issuer is empty.
    #[error("the file `{}` with the token of the other issuer is empty", file.display())]
    TokenFileEmpty {
        /// The file.
        file: PathBuf,
    },
    /// The Azure CLI is not there.
    #[error("cannot run `az`")]
    NoAzureCli {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The Azure CLI does not give a token.
    #[error("`az account get-access-token` failed: {message}")]
    AzureCli {
        /// First line of what it says.
        message: String,
        /// The tenant that was asked for.
        tenant: Option<String>,
    },
    /// The Azure CLI takes too long.
    #[error("`az account get-access-token` did not end within {} s", patience.as_secs())]
    AzureCliSlow {
        /// How long it was waited for.
        patience: Duration,
    },
    /// Nobody has signed in, or what was kept of it is gone.
    #[error("nobody is signed in to organization `{organization}`")]
    NobodySignedIn {
        /// Organization.
        organization: String,
    },
    /// What was kept of a sign-in is no longer accepted.
    #[error("the sign-in to organization `{organization}` is no longer accepted")]
    Revoked {
        /// Organization.
        organization: String,
        /// The answer.
        #[source]
        source: Box<SignInError>,
    },
    /// The person did not finish in time.
    #[error("nobody signed in within {} minutes", patience.as_secs() / 60)]
    TooLate {
        /// How long it was waited for.
        patience: Duration,
    },
    /// The person said no.
    #[error("the sign-in was declined: {message}")]
    Declined {
        /// What the service says.
        message: String,
    },
    /// The place that the browser comes back to cannot be opened.
    #[error("cannot listen on 127.0.0.1 for the browser to come back")]
    Loopback {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What a sign-in leaves behind cannot be kept or read.
    #[error("{what}: {problem}")]
    Vault {
        /// What was tried, on which file.
        what: String,
        /// Why it failed.
        problem: String,
    },
    /// The token cannot be sent.
    #[error("the token that came back {problem}")]
    Token {
        /// What is wrong with it, without showing it.
        problem: String,
    },
    /// The HTTP client could not be built.
    #[error("cannot set up the HTTP client")]
    Setup {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}

impl SignInError {
    /// Returns whether the same may succeed later without a change.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Failing { .. } | Self::AzureCliSlow { .. })
    }

    /// Returns whether the service wants the person to sign in anew.
    pub(super) fn wants_login(&self) -> bool {
        matches!(self, Self::Refused { error, code, .. }
            if ["invalid_grant", "interaction_required", "consent_required"].contains(&error.as_str())
                // A wrong tenant or application is none that signing in anew would mend.
                && !matches!(code, Some(90_002 | 700_016)))
    }
}

/// What an answer of Microsoft Entra with this number asks for; see
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
fn advice(code: u32) -> Option<&'static str> {
    Some(match code {
        90_002 | 900_023 | 90_013 | 50_059 => {
            "the tenant is wrong: take the directory (tenant) id that stands in Organization settings > Microsoft Entra \
             of the organization, or leave `tenant-id` out with `kind = \"user\"`"
        }
        700_016 | 7_000_229 => {
            "the tenant does not know the application: check `client-id` (the application id, not the object id) and \
             `tenant-id`, which must be that of the organization"
        }
        7_000_215 => {
            "the client secret is wrong: use the secret's value, not its id, or make a new one in the app registration \
             under Certificates & secrets"
        }
        7_000_222 => {
            "the client secret has expired: make a new one in the app registration under Certificates & secrets"
        }
        700_027 | 50_027 | 5_002_710 => {
            "upload the certificate (its public part) to the app registration under Certificates & secrets, and see \
             that key and certificate in the file belong together"
        }
        700_024 => {
            "the clock of this machine or of the token's issuer is off, or the token file is old: set the clock, renew the token"
        }
        70_021 | 700_211 | 700_212 | 700_213 | 700_223 | 700_238 => {
            "the federated credential of the application does not fit the token: compare issuer, subject and audience \
             (`api://AzureADTokenExchange`) letter by letter"
        }
        53_000..=53_011 | 530_003..=530_039 => {
            "a conditional access policy stands in the way: sign in from a network or device that it allows, or have the \
             identity exempted by the administrator"
        }
        50_076 | 50_079 | 50_158 => {
            "another factor is asked for: sign in anew with `adolake login --browser`"
        }
        50_020 | 50_034 => {
            "that account does not belong to the tenant of the organization: sign in with one that does, or have it invited"
        }
        65_001 | 90_094 | 90_095 => {
            "consent is missing: grant the application its Azure DevOps permissions in the app registration under API \
             permissions, or have the administrator do it"
        }
        7_000_218 | 70_002 => {
            "the application is no public client: set \"Allow public client flows\" to Yes in the app registration under \
             Authentication"
        }
        50_011 | 500_113 => {
            "add the redirect address `http://localhost` (Mobile and desktop applications) in the app registration under \
             Authentication"
        }
        500_011 | 650_052 => {
            "the tenant does not know Azure DevOps: use the tenant that the organization is connected to"
        }
        7_000_112 | 50_105 => {
            "the application is disabled, or nobody assigned it: have the administrator enable it"
        }
        _ => return None,
    })
}

impl Hint for SignInError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Refused { code: Some(code), .. } if advice(*code).is_some() => {
                advice(*code).unwrap_or_default().to_owned()
            }
            Self::Refused { code: Some(code), .. } => {
                format!("see https://login.microsoftonline.com/error?code={code}")
            }
            Self::Refused { error, .. } if error == "invalid_request" && self.is_metadata() => {
                "give the machine an identity in the Azure portal under Identity; of several name one with `client-id`"
                    .to_owned()
            }
            Self::Refused { .. } => {
                "check `tenant-id`, `client-id` and the credential in `auth`".to_owned()
            }
            Self::Unreachable { .. } | Self::Failing { .. } => {
                "check the network and the proxy, and `login` in `[organization.endpoints]`, then try again".to_owned()
            }
            Self::NotUnderstood { .. } => {
                "check that `login` in `[organization.endpoints]` names Microsoft Entra itself and not a portal or proxy page"
                    .to_owned()
            }
            Self::NoTenant { .. } => {
                "check the name of the organization, or set `tenant-id` in `auth`".to_owned()
            }
            Self::NoMetadataService { .. } => {
                "managed identities exist only on machines, apps and containers in Azure; elsewhere use \
                 `service-principal`, `workload-identity` or `azure-cli`"
                    .to_owned()
            }
            Self::Certificate { .. } => {
                "the file takes PEM: the certificate (`BEGIN CERTIFICATE`) and its RSA key (`BEGIN PRIVATE KEY`), \
                 without a passphrase; of a .pfx: `openssl pkcs12 -in X.pfx -nodes -out X.pem`"
                    .to_owned()
            }
            Self::TokenFile { .. } | Self::TokenFileEmpty { .. } => {
                "let `token-file` name the file that the platform projects, e.g. $AZURE_FEDERATED_TOKEN_FILE".to_owned()
            }
            Self::NoAzureCli { .. } => {
                "install the Azure CLI and put it on the PATH, or use another `kind`".to_owned()
            }
            Self::AzureCli { tenant, .. } => match tenant {
                Some(tenant) => format!("run `az login --tenant {tenant}`"),
                None => "run `az login`".to_owned(),
            },
            Self::AzureCliSlow { .. } => "see whether `az account get-access-token` works by hand".to_owned(),
            Self::NobodySignedIn { organization } => {
                format!("run `adolake login {organization}`")
            }
            Self::Revoked { organization, source } => {
                let mut hints = vec![format!("run `adolake login {organization}`")];
                if let Self::Refused { code: Some(code), .. } = &**source
                    && let Some(advice) = advice(*code)
                {
                    hints.push(advice.to_owned());
                }
                return hints;
            }
            Self::TooLate { .. } | Self::Declined { .. } => "try again".to_owned(),
            Self::Loopback { .. } => "sign in without `--browser`: by a code on any device".to_owned(),
            Self::Vault { .. } => {
                "see who may read and write there; `adolake logout` and `adolake login` begin anew".to_owned()
            }
            Self::Token { .. } | Self::Setup { .. } => return Vec::new(),
        };
        vec![hint]
    }
}

impl SignInError {
    fn is_metadata(&self) -> bool {
        matches!(self, Self::Refused { address, .. } if address.contains("/metadata/identity"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_remedy() {
        let hint = |code| {
            let refused = SignInError::Refused {
                address: "https://login.example/t/oauth2/v2.0/token".to_owned(),
                error: "invalid_client".to_owned(),
                code,
                message: "x".to_owned(),
            };
            refused.hints().concat()
        };
        for (code, word) in [
            (90_002, "the tenant is wrong"),
            (700_016, "`client-id`"),
            (7_000_215, "not its id"),
            (7_000_222, "has expired"),
            (700_027, "upload the certificate"),
            (700_213, "federated credential"),
            (53_003, "conditional access"),
            (530_036, "conditional access"),
            (50_076, "--browser"),
            (65_001, "consent"),
            (7_000_218, "public client flows"),
            (123, "error?code=123"),
        ] {
            assert!(hint(Some(code)).contains(word), "{code}: {}", hint(Some(code)));
        }
        assert!(hint(None).contains("`tenant-id`"));
    }

    #[test]
    fn a_wrong_tenant_is_not_mended_by_signing_in() {
        let refused = |error: &str, code| SignInError::Refused {
            address: String::new(),
            error: error.to_owned(),
            code,
            message: String::new(),
        };
        assert!(refused("invalid_grant", Some(700_082)).wants_login());
        assert!(refused("interaction_required", None).wants_login());
        assert!(!refused("invalid_grant", Some(90_002)).wants_login());
        assert!(!refused("invalid_client", Some(7_000_215)).wants_login());
    }
}
