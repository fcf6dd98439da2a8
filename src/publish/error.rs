//! What can go wrong while the lake is published.

use datafusion::error::DataFusionError;

use crate::hint::Hint;
use crate::lake;

/// A publish that stops; what was put before stands, and the next publish goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lake, or the usual place within it, cannot be used, read or written.
    #[error(transparent)]
    Lake(#[from] lake::Error),
    /// The same of a place that was given.
    #[error(transparent)]
    Place(lake::Error),
    /// The place would mix with the lake.
    #[error("cannot publish to `{place}`: {problem}")]
    Overlap {
        /// Address without secrets.
        place: String,
        /// How they meet.
        problem: String,
    },
    /// The place holds something that adolake did not publish.
    #[error("cannot publish to `{place}`: it holds `{found}`, which adolake did not publish")]
    Foreign {
        /// Address without secrets.
        place: String,
        /// What was found.
        found: String,
    },
    /// What was published there was published by a newer adolake.
    #[error("cannot publish to `{place}`: a newer adolake published there")]
    Newer {
        /// Address without secrets.
        place: String,
    },
    /// The rows of a partition cannot be put together.
    #[error("cannot read `{table}` to publish it")]
    Rows {
        /// Table or view.
        table: String,
        /// Why.
        source: Box<DataFusionError>,
    },
    /// A file cannot be put together.
    #[error("cannot put the file `{file}` together in the folder of temporary files")]
    File {
        /// Path in the place.
        file: String,
        /// Why.
        source: parquet::errors::ParquetError,
    },
}

impl Error {
    /// Wraps an error of the query engine: of a file that cannot be read, or of the rows.
    pub(crate) fn rows(table: &str) -> impl Fn(DataFusionError) -> Self {
        let table = table.to_owned();
        move |source| match lake::of_file(&source) {
            Some(error) => Self::Lake(error),
            None => Self::Rows { table: table.clone(), source: Box::new(source) },
        }
    }

    /// Returns whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Lake(source) | Self::Place(source) => source.is_transient(),
            Self::Rows { .. } | Self::File { .. } => true,
            Self::Overlap { .. } | Self::Foreign { .. } | Self::Newer { .. } => false,
        }
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Lake(source) => return source.hints(),
            Self::Place(source) => {
                let hints = source.hints().into_iter();
                return hints.map(|hint| hint.replace("`lake.url`", "`--out`")).collect();
            }
            Self::Overlap { .. } => {
                "give `--out` a folder of its own, outside of the lake's tables"
            }
            Self::Foreign { .. } => "give `--out` an empty folder, or move away what is there",
            Self::Newer { .. } => "update adolake to the version that published there",
            Self::Rows { .. } => {
                "see whether the files of the lake are whole (`adolake doctor`), and try again"
            }
            Self::File { .. } => {
                "see whether there is room in the folder of temporary files (`TMPDIR`)"
            }
        };
        vec![hint.to_owned()]
    }
}
