//! What can go wrong between us and Azure DevOps, told apart by what it means for the caller.

use std::time::Duration;

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
        matches!(self, Self::SignedOut { .. } | Self::Token { .. })
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
            Self::SignedOut { .. } => {
                "the token looks wrong, expired or revoked, or is meant for another organization: make a new one with \
                 Code (Read), Build (Read), Project and Team (Read), Graph (Read)"
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
