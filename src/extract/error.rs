//! What can go wrong while a resource is extracted.

use crate::ado;
use crate::hint::Hint;
use crate::schema;

/// A resource that could not be extracted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Azure DevOps did not give it.
    #[error("cannot read {what}")]
    Fetch {
        /// Resource and scope, e.g. ``pull requests of project `web` ``.
        what: String,
        /// Why.
        #[source]
        source: ado::Error,
    },
    /// An object lacks what its row cannot do without, or has a value that the column cannot hold.
    #[error("the answer of `{address}` is not understood: `{field}` of {object} {problem}")]
    NotUnderstood {
        /// Address that was asked.
        address: String,
        /// Which object of the answer.
        object: String,
        /// Which field of it.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The tables lack one that the extraction fills.
    #[error("cannot make rows")]
    Schema {
        /// Which.
        #[source]
        source: schema::Error,
    },
}

impl Error {
    /// Returns whether the same extraction may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.is_transient())
    }

    /// Returns whether the scope is missing or hidden: to be recorded, and the work to go on.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.is_unreadable())
    }

    /// Returns whether the service has no such API at all, as Azure DevOps Server has no Graph.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.is_absent())
    }

    /// Returns whether the service says that there is no such thing (404). Forbidden things answer so too, so this alone
    /// never shows a deletion.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Fetch { source: ado::Error::NotFound { .. }, .. })
    }

    /// Returns whether the token is not accepted: the run cannot go on.
    pub fn is_signed_out(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.is_signed_out())
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Fetch { source, .. } => source.hints(),
            Self::NotUnderstood { .. } => vec![
                "report this with the address and the field: adolake does not skip what it does not understand"
                    .to_owned(),
            ],
            Self::Schema { .. } => vec!["use the schemas that this adolake was built with".to_owned()],
        }
    }
}

/// Returns what wraps an error of the client with what was being read.
pub(super) fn reading(what: impl Into<String>) -> impl FnOnce(ado::Error) -> Error {
    move |source| Error::Fetch { what: what.into(), source }
}
