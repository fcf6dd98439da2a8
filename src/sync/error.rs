//! Why a sync stops. What is only unreadable does not: it is recorded and the rest goes on.

use crate::hint::Hint;
use crate::{extract, lake, schema};

/// A sync that could not go on. What it had committed stays, and the next one continues.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Azure DevOps cannot be read at all, above all because it does not accept the token.
    #[error("cannot read organization `{organization}`")]
    Organization {
        /// Organization.
        organization: String,
        /// Why.
        #[source]
        source: Box<extract::Error>,
    },
    /// The lake cannot be read or written.
    #[error("cannot {doing} {what}")]
    Lake {
        /// `read` or `write`.
        doing: &'static str,
        /// Which table of the lake, or all of it.
        what: String,
        /// Why.
        #[source]
        source: Box<lake::Error>,
    },
    /// The store cannot hold a lake, or that cannot be found out.
    #[error("cannot begin a lake at `{place}`")]
    Store {
        /// Address.
        place: String,
        /// Why.
        #[source]
        source: Box<lake::Error>,
    },
    /// A question to the lake failed.
    #[error("cannot find out from the lake {what}")]
    Query {
        /// What was asked, as a clause.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<datafusion::error::DataFusionError>,
    },
    /// The tables are not those that extraction writes.
    #[error("the schemas lack what a sync writes")]
    Schema {
        /// Why.
        #[source]
        source: schema::Error,
    },
    /// A part of the work ended in a way it should not.
    #[error("a task of the sync broke off")]
    Broken {
        /// Why.
        #[source]
        source: tokio::task::JoinError,
    },
    /// No project is read.
    #[error(
        "organization `{organization}` has no project that is to be read: {visible} visible, none selected"
    )]
    NoProject {
        /// Organization.
        organization: String,
        /// Projects that the identity can see.
        visible: usize,
    },
    /// Somebody asked it to stop.
    #[error(
        "stopped while reading {}; {commits} commits with {rows} rows stand, and the next sync goes on from there",
        reading.replace('_', " ")
    )]
    Stopped {
        /// What was being read, by the name of the resource.
        reading: &'static str,
        /// Commits that were made.
        commits: u64,
        /// Rows in them.
        rows: u64,
    },
}

impl Error {
    /// Returns whether other organizations can be read all the same.
    pub fn is_of_one_organization(&self) -> bool {
        matches!(self, Self::Organization { .. } | Self::NoProject { .. })
    }

    /// Returns whether trying later may help without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Organization { source, .. } => source.is_transient(),
            Self::Lake { source, .. } | Self::Store { source, .. } => source.is_transient(),
            Self::Stopped { .. } => true,
            _ => false,
        }
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoProject { .. } => vec![
                "check `projects` of the organization in the config, and `--project`".into(),
                "check that the token may see the projects (Project and team, Read)".into(),
            ],
            Self::Organization { source, .. } => source.hints(),
            Self::Lake { source, .. } | Self::Store { source, .. } => source.hints(),
            // The causes bring hints of their own.
            Self::Query { .. }
            | Self::Schema { .. }
            | Self::Broken { .. }
            | Self::Stopped { .. } => Vec::new(),
        }
    }
}
