//! What can go wrong between us and Azure DevOps, told apart by what it means for the caller.

use std::sync::Arc;
use std::time::Duration;

use super::auth::SignInError;
use crate::config;
use crate::hint::Hint;

/// A failed call; addresses are without secrets, answers are never quoted beyond the service's own message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The HTTP client could not be built.
    #[error("cannot set up the HTTP client")]
    Setup {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A configured address is none.
    #[error("`{address}` is no usable address: {problem}")]
    Address {
        /// As configured.
        address: String,
        /// Why not.
        problem: String,
    },
    /// The token cannot be sent.
    #[error("the token {problem}")]
    Token {
        /// What is wrong with it, without showing it.
        problem: String,
    },
    /// A secret that the configuration names is not to be had.
    #[error(transparent)]
    Secret {
        /// Which, and why.
        source: Box<config::Error>,
    },
    /// There is no token, as signing in failed.
    #[error("cannot sign in with `kind = \"{kind}\"`")]
    SignIn {
        /// Kind of sign-in, as in the configuration.
        kind: &'static str,
        /// Why.
        #[source]
        source: Arc<SignInError>,
    },
    /// A host that Azure DevOps Server does not have, and that no configuration names.
    #[error("there is no host for `{path}`: Azure DevOps Server has no such API")]
    NoHost {
        /// Path that was to be asked.
        path: String,
    },
    /// The token is not accepted: 401, a redirect to the sign-in page, or the sign-in page itself.
    #[error("`{address}` answers as to somebody who is not signed in: {reason}")]
    SignedOut {
        /// Address that was asked.
        address: String,
        /// `X-TFS-ServiceError`, else what the answer looked like.
        reason: String,
    },
    /// 403: the identity may not read this.
    #[error("`{address}` may not be read: {message}")]
    Forbidden {
        /// Address that was asked.
        address: String,
        /// The service's message.
        message: String,
    },
    /// 404: missing or hidden, which Azure DevOps does not tell apart.
    #[error("`{address}` is missing or hidden: {message}")]
    NotFound {
        /// Address that was asked.
        address: String,
        /// The service's message.
        message: String,
    },
    /// 400: a request that the service does not take.
    #[error("`{address}` was refused: {message}")]
    BadRequest {
        /// Address that was asked.
        address: String,
        /// `typeKey` of the answer, empty when absent.
        type_key: String,
        /// The service's message.
        message: String,
    },
    /// 429 again and again.
    #[error("`{address}` kept asking for a pause, {attempts} times")]
    Throttled {
        /// Address that was asked.
        address: String,
        /// How often it was asked.
        attempts: u32,
    },
    /// 5xx again and again.
    #[error("`{address}` failed with status {status} after {attempts} attempts: {message}")]
    Server {
        /// Address that was asked.
        address: String,
        /// Last status.
        status: u16,
        /// How often it was asked.
        attempts: u32,
        /// The service's message.
        message: String,
    },
    /// A status that no rule covers.
    #[error("`{address}` answered with status {status}: {message}")]
    Unexpected {
        /// Address that was asked.
        address: String,
        /// Status.
        status: u16,
        /// The service's message.
        message: String,
    },
    /// No answer in time, again and again.
    #[error("`{address}` did not answer within {} s", timeout.as_secs())]
    TimedOut {
        /// Address that was asked.
        address: String,
        /// Patience with a single attempt.
        timeout: Duration,
    },
    /// The connection could not be made or broke, again and again.
    #[error("cannot reach `{address}`")]
    Network {
        /// Address that was asked.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The answer ended too early, again and again.
    #[error("the answer of `{address}` is cut off")]
    CutOff {
        /// Address that was asked.
        address: String,
    },
    /// The answer is larger than we take.
    #[error("the answer of `{address}` is larger than {limit} bytes")]
    TooLarge {
        /// Address that was asked.
        address: String,
        /// Bytes taken at most.
        limit: usize,
    },
    /// A success that is not JSON.
    #[error("`{address}` answered with `{content_type}` instead of JSON")]
    NotJson {
        /// Address that was asked.
        address: String,
        /// `Content-Type`, or what stands for it.
        content_type: String,
    },
    /// An answer that is not understood.
    #[error("the answer of `{address}` is not understood: `{field}` of {object}: {problem}")]
    Malformed {
        /// Address that was asked.
        address: String,
        /// Which object of the answer.
        object: String,
        /// Which field of it.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Paging does not get on.
    #[error("the pages of `{address}` do not end: {problem}")]
    Endless {
        /// Address of the page.
        address: String,
        /// What was repeated.
        problem: String,
    },
    /// An answer without a `Date` header, and none before it had one.
    #[error("the answer of `{address}` has no `Date` header, and none before it had one")]
    Undated {
        /// Address that was asked.
        address: String,
    },
}

impl Error {
    /// Returns whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        if let Self::SignIn { source, .. } = self {
            return source.is_transient();
        }
        matches!(
            self,
            Self::Throttled { .. }
                | Self::Server { .. }
                | Self::TimedOut { .. }
                | Self::Network { .. }
                | Self::CutOff { .. }
        )
    }

    /// Returns whether the object is missing or hidden: to be recorded, and the work to go on.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Forbidden { .. } | Self::NotFound { .. })
    }

    /// Returns whether the token is not accepted: the run cannot go on.
    pub fn is_signed_out(&self) -> bool {
        matches!(
            self,
            Self::SignedOut { .. } | Self::Token { .. } | Self::Secret { .. } | Self::SignIn { .. }
        )
    }

    /// Returns whether the service has no such API at all.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::NoHost { .. })
    }

    /// Returns whether the server is older than the api-version of the request.
    pub(crate) fn is_too_new(&self) -> bool {
        matches!(self, Self::BadRequest { type_key, .. } if type_key.starts_with("VssVersionOutOfRange"))
    }

    /// Returns whether the service does not take the api-version of the request.
    pub(crate) fn is_version(&self) -> bool {
        matches!(self, Self::BadRequest { type_key, message, .. }
            if type_key.starts_with("VssInvalidPreviewVersion")
                || type_key.starts_with("VssVersion")
                || message.contains("-preview"))
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Token { .. } => "set the token anew; surrounding spaces and line ends do no harm",
            Self::SignIn { source, .. } => return source.hints(),
            Self::Secret { source } => return source.hints(),
            Self::SignedOut { reason, .. } => return vec![signed_out(reason)],
            Self::Forbidden { message, .. } if is_conditional_access(message) => {
                return vec![signed_out(message)];
            }
            Self::NoHost { .. } => {
                "set `graph` and `profile` in `[organization.endpoints]` if it is a proxy of the cloud"
            }
            // The lists of an organization: without them nothing says what there is.
            Self::NotFound { address, .. } if address.contains("/_apis/projects?") => {
                "see that `name` of `[[organization]]` and `core` of `[organization.endpoints]` are those of the organization, \
                 and that the identity belongs to it"
            }
            Self::Forbidden { .. } | Self::NotFound { .. } => {
                "ask for read permission there, or exclude it in `projects`; `adolake doctor` lists what can be read"
            }
            Self::Throttled { .. } => {
                "try later, or lower `sync.concurrency`; what was read so far is kept"
            }
            Self::Server { .. } | Self::CutOff { .. } => "try later; what was read so far is kept",
            Self::TimedOut { .. } | Self::Network { .. } => {
                "check the address in `[organization.endpoints]`, the network and the proxy, then try again"
            }
            Self::Address { .. } => {
                "give a base address such as `https://dev.azure.com/contoso` in `[organization.endpoints]`"
            }
            Self::NotJson { .. } => {
                "check that `[organization.endpoints]` names Azure DevOps itself and not a portal or proxy page"
            }
            Self::Undated { .. } => "let the proxy pass the `Date` header on",
            Self::Malformed { .. } | Self::Endless { .. } | Self::BadRequest { .. } => {
                "report this with the address and the field: adolake does not skip what it does not understand"
            }
            Self::Setup { .. } | Self::Unexpected { .. } | Self::TooLarge { .. } => {
                return Vec::new();
            }
        };
        vec![hint.to_owned()]
    }
}

fn is_conditional_access(reason: &str) -> bool {
    reason.contains("VS403463") || reason.to_lowercase().contains("conditional access")
}

/// What a token has to be made with.
const SCOPES: &str = "Code (Read), Build (Read), Project and Team (Read), Graph (Read)";

/// What can be done about somebody who is not of the organization.
const OUTSIDER: &str = "the identity does not belong to the organization: add it in Organization settings > Users with access level \
    Basic (of a service principal the enterprise application, in the organization's own tenant); for a person see \
    that `tenant-id` is that of the organization";

/// Returns what can be done about a token that is not accepted, by what the service says of it.
fn signed_out(reason: &str) -> String {
    // An empty name means that the token itself is not known; a name that its owner is, and may not ask for this: as the
    // organization is closed to him, or this part of it to his token.
    let names_somebody = reason.contains("TF400813") && !reason.contains("user ''");
    if is_conditional_access(reason) {
        "a conditional access policy of the organization's tenant stands in the way: run from a network that it allows, \
         or have the identity exempted by the administrator"
            .to_owned()
    } else if names_somebody {
        format!(
            "where other things of the organization can be read, the token lacks a scope: make one with {SCOPES}, \
             `adolake doctor` tells which is missing; else {OUTSIDER}"
        )
    } else if reason.contains("TF401444") {
        OUTSIDER.to_owned()
    } else if reason.contains("Personal Access Token") {
        format!(
            "the personal access token has expired, was revoked, or is of another organization: make a new one with {SCOPES}"
        )
    } else {
        format!(
            "the token looks wrong, expired or revoked, or is meant for another organization: make a new one with {SCOPES}; \
             without a personal access token see that `tenant-id` is that of the organization"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_says_decides_what_can_be_done() {
        for (reason, word) in [
            (
                "VS403463: The conditional access policy defined by your administrator has failed.",
                "conditional access",
            ),
            (
                "TF401444: Please sign-in at least once as a\\b in a web browser",
                "Organization settings > Users",
            ),
            (
                "TF400813: The user '8b5c' is not authorized to access this resource.",
                "Organization settings > Users",
            ),
            (
                "TF400813: The user '8b5c' is not authorized to access this resource.",
                "the token lacks a scope",
            ),
            ("TF400813: The user '' is not authorized to access this resource.", "looks wrong"),
            ("Access Denied: The Personal Access Token used has expired.", "make a new one"),
        ] {
            assert!(signed_out(reason).contains(word), "{reason}");
        }
    }
}
