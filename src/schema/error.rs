//! What can be wrong with a table definition, or with rows for it.

use std::path::PathBuf;

use crate::hint::Hint;

/// A schema that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A schema folder or file cannot be read.
    #[error("cannot read schemas at `{}`", path.display())]
    Unreadable {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder of schemas holds no table definition.
    #[error("there is no table definition in `{}`", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// The SQL does not parse.
    #[error("cannot parse table definition `{file}`: {problem}")]
    Syntax {
        /// File name.
        file: String,
        /// The parser's message, with line and column.
        problem: String,
    },
    /// The SQL parses, but holds something a table definition must not, or lacks something it must hold.
    #[error("{file}:{line}: {problem}")]
    Definition {
        /// File name.
        file: String,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// The file name is not the table's.
    #[error("file `{file}` defines table `{table}`")]
    Misnamed {
        /// File name.
        file: String,
        /// Table name.
        table: String,
    },
    /// A table of a folder of schemas is not what this adolake writes.
    #[error("table `{table}` of the schemas does not fit this adolake: {problem}")]
    Differs {
        /// Table name.
        table: String,
        /// What is missing or other.
        problem: String,
    },
    /// The catalog has no such table.
    #[error("there is no table `{table}` in the schemas")]
    NoTable {
        /// Table name.
        table: String,
    },
    /// A required column of a row is null.
    #[error("table `{table}`: column `{column}` must not be null (row {row})")]
    MissingValue {
        /// Table name.
        table: String,
        /// Column name.
        column: String,
        /// The row's key, as text.
        row: String,
    },
    /// Arrow refused the columns.
    #[error("cannot build a batch of table `{table}`")]
    Batch {
        /// Table name.
        table: String,
        /// Why.
        source: arrow::error::ArrowError,
    },
    /// A stored column has a type that the schema does not expect.
    #[error(
        "table `{table}`: column `{column}` is stored as {found}, and the schema says {expected}"
    )]
    Type {
        /// Table name.
        table: String,
        /// Column name.
        column: String,
        /// Arrow type found.
        found: String,
        /// Type of the schema.
        expected: String,
    },
}

impl Error {
    /// Tells whether the same might work later without a change: never, here.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        false
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => vec!["check that the folder exists and can be read".into()],
            Self::Syntax { .. } | Self::Definition { .. } => {
                vec!["compare it with the files of `schemas/` in the source, or leave the folder out".into()]
            }
            Self::Differs { .. } | Self::Empty { .. } => vec![
                "start from the files of `schemas/` in the source; only tables, nullable columns and comments may be new".into(),
            ],
            Self::Misnamed { table, .. } => vec![format!("rename the file to `{table}.sql`")],
            Self::NoTable { .. } => vec!["see `adolake tables` for those that exist".into()],
            Self::MissingValue { .. } | Self::Batch { .. } | Self::Type { .. } => Vec::new(),
        }
    }
}
