//! Why an examination cannot go on.

use crate::hint::Hint;
use crate::{checks, lake};

/// An examination that broke off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The lake cannot be read.
    #[error("cannot read the lake")]
    Lake {
        /// Why.
        #[source]
        source: Box<lake::Error>,
    },
    /// The views of the checks cannot be set up.
    #[error("cannot set up the views of the checks")]
    Views {
        /// Why.
        #[source]
        source: Box<checks::Error>,
    },
    /// A question to the lake failed.
    #[error("cannot find out {what}")]
    Query {
        /// What was asked, as a clause.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<datafusion::error::DataFusionError>,
    },
}

impl Error {
    /// Returns whether trying later may help without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Lake { source } if source.is_transient())
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Lake { source } => source.hints(),
            Self::Views { source } => source.hints(),
            Self::Query { .. } => Vec::new(),
        }
    }
}
