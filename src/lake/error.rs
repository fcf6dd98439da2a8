//! What can go wrong in the lake.

use std::io::ErrorKind;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;

use crate::hint::Hint;
use crate::schema;

/// A lake that cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the lake, or an option for it, cannot be used.
    #[error("cannot use lake address `{url}`: {problem}")]
    Location {
        /// Address as configured, without secrets.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The value of one of `lake.options` cannot be used, whatever the environment is.
    #[error("cannot use lake address `{url}`: {problem}")]
    Option {
        /// The address, without secrets.
        url: String,
        /// Which option, and why not.
        problem: String,
    },
    /// The lake, or a folder above it, is a file.
    #[error("the lake cannot be at `{}`: it is not a folder", path.display())]
    NotAFolder {
        /// The file in the way.
        path: PathBuf,
    },
    /// The storage refuses to write.
    #[error("cannot write to `{place}`")]
    NotWritable {
        /// Table or address.
        place: String,
        /// Why.
        source: object_store::Error,
    },
    /// The storage refuses to delete.
    #[error("cannot delete in `{place}`")]
    NotDeletable {
        /// Table or address.
        place: String,
        /// Why.
        source: object_store::Error,
    },
    /// The storage refuses the signed-in identity.
    #[error("no access to `{place}`")]
    NoAccess {
        /// Table or address.
        place: String,
        /// Why.
        source: object_store::Error,
    },
    /// The storage refuses requests of another time than its own.
    #[error("no access to `{place}`: the clock of this machine is not that of the storage")]
    ClockSkew {
        /// Table or address.
        place: String,
        /// Why.
        source: object_store::Error,
    },
    /// The container or bucket of the lake does not exist.
    #[error("cannot {doing} `{place}`: there is no such container or bucket")]
    NoContainer {
        /// What was tried, e.g. `read`.
        doing: &'static str,
        /// Table or address.
        place: String,
        /// Why.
        source: object_store::Error,
    },
    /// The storage failed.
    #[error("cannot {doing} `{place}`")]
    Storage {
        /// What was tried, e.g. `read`.
        doing: &'static str,
        /// Table, file or address.
        place: String,
        /// Why.
        source: object_store::Error,
    },
    /// Commits to the store would not be safe.
    #[error("`{place}` cannot hold a lake: {problem}")]
    Unfit {
        /// Address.
        place: String,
        /// What the store does.
        problem: String,
    },
    /// The local file system has no hard links, with which a commit is put in its place.
    #[error("`{place}` cannot hold a lake: its file system has no hard links, which commits need")]
    NoHardLinks {
        /// Folder.
        place: String,
        /// What the file system says.
        source: object_store::Error,
    },
    /// Something that is not a table of adolake stands where a table belongs.
    #[error("`{place}` is not a table of adolake: {problem}")]
    Foreign {
        /// Address of the table.
        place: String,
        /// What was found.
        problem: String,
    },
    /// The table was written by a newer adolake.
    #[error("table `{table}` was written by a newer adolake: {problem}")]
    Newer {
        /// Table.
        table: String,
        /// Higher schema version or unknown column.
        problem: String,
    },
    /// A stored column cannot be read as the schema says.
    #[error("table `{table}`: {problem}")]
    Incompatible {
        /// Table.
        table: String,
        /// Which column, what is stored, what is expected.
        problem: String,
    },
    /// Another tool changed the table into something adolake does not write.
    #[error("table `{table}` was changed by another tool: {problem}")]
    Changed {
        /// Table.
        table: String,
        /// What adolake cannot follow.
        problem: String,
    },
    /// Rows do not fit the schema, or a folder of schemas is wrong.
    #[error(transparent)]
    Schema(schema::Error),
    /// A caller asked for something that its table cannot do.
    #[error("table `{table}` cannot be written: {problem}")]
    Misuse {
        /// Table.
        table: String,
        /// What is wrong with the rows.
        problem: String,
    },
    /// The log of a table cannot be read.
    #[error("cannot read the log of table `{table}`")]
    Log {
        /// Table.
        table: String,
        /// Why.
        source: Box<DeltaTableError>,
    },
    /// A file of a log is damaged or missing.
    #[error("cannot read the log of table `{table}`: `{file}` is damaged: {problem}")]
    Damaged {
        /// Table.
        table: String,
        /// Path within the table.
        file: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A data file cannot be read or written.
    #[error("cannot {doing} data file `{file}` of table `{table}`")]
    File {
        /// What was tried.
        doing: &'static str,
        /// Table.
        table: String,
        /// Path within the table.
        file: String,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// Other runs kept committing to the table in between.
    #[error(
        "gave up writing to table `{table}` after {attempts} attempts: other runs keep writing to it"
    )]
    Contention {
        /// Table.
        table: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// A query came upon a file that it could not read.
    #[error("cannot read a file of the lake: {problem}")]
    Unreadable {
        /// What the reader says, with the name of the file where it knows it.
        problem: String,
        /// Whether the store failed, so that it may work later.
        may_pass: bool,
    },
    /// The past that was asked for is gone.
    #[error("the lake does not reach back to {at}: the oldest state kept is of {oldest}")]
    TooOld {
        /// The instant asked for.
        at: DateTime<Utc>,
        /// The oldest instant that every table can answer for.
        oldest: DateTime<Utc>,
    },
    /// A stored version of a table is gone.
    #[error("version {version} of table `{table}` is gone")]
    VersionGone {
        /// Table.
        table: String,
        /// Version.
        version: i64,
    },
    /// A query on the lake failed.
    #[error("cannot {doing}")]
    Query {
        /// What was tried.
        doing: String,
        /// Why.
        source: Box<DataFusionError>,
    },
}

impl Error {
    /// Names what the storage refused, telling apart what the user can mend.
    pub(crate) fn storage(
        doing: &'static str,
        place: impl Into<String>,
        source: object_store::Error,
    ) -> Self {
        let place = place.into();
        let text = chain(&source);
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["ContainerNotFound", "NoSuchBucket", "ResourceNotFound"]) {
            return Self::NoContainer { doing, place, source };
        }
        if says(&["RequestTimeTooSkewed", "Request date header too old"]) {
            return Self::ClockSkew { place, source };
        }
        if let Some((_, problem)) = SETTINGS.iter().find(|(words, _)| says(words)) {
            return Self::Location { url: place, problem: format!("{problem} ({source})") };
        }
        // The token of a service principal or a federated one is asked for elsewhere.
        let is_of_token =
            says(&["token request"]) && says(&["status code: 400", "status code: 401"]);
        let is_of_credentials = is_of_token || says(&CREDENTIALS);
        let refused = |place: String, source| match doing {
            "write" if !is_of_credentials => Self::NotWritable { place, source },
            "delete" if !is_of_credentials => Self::NotDeletable { place, source },
            _ => Self::NoAccess { place, source },
        };
        // Of listings and of many deletions at once the store's refusal is known by its text only.
        let is_refusal =
            says(&["status code: 401", "status code: 403", "(code: 403)", "(code: AccessDenied)"]);
        let is_refusal = is_refusal
            || is_of_credentials
            || matches!(
                source,
                object_store::Error::PermissionDenied { .. }
                    | object_store::Error::Unauthenticated { .. }
            );
        if is_refusal {
            return refused(place, source);
        }
        match io_kind(&source) {
            Some(ErrorKind::ReadOnlyFilesystem) if doing != "read" => refused(place, source),
            // A local folder that nobody can make, such as one below `/proc`.
            Some(ErrorKind::NotFound) if doing == "write" => refused(place, source),
            Some(ErrorKind::InvalidFilename) => {
                Self::Location { url: place, problem: source.to_string() }
            }
            Some(ErrorKind::PermissionDenied) => refused(place, source),
            Some(ErrorKind::NotADirectory) => Self::NotAFolder { path: place.into() },
            _ => Self::Storage { doing, place, source },
        }
    }

    /// Names what went wrong in the log, unwrapping failures of the storage below it.
    pub(crate) fn log(table: &str, place: &str, source: DeltaTableError) -> Self {
        match source {
            DeltaTableError::ObjectStore { source } => Self::storage("read", place, source),
            source => Self::Log { table: table.to_owned(), source: Box::new(source) },
        }
    }

    /// Returns whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Contention { .. } => true,
            Self::Unreadable { may_pass, .. } => *may_pass,
            Self::Log { source, .. } => is_of_store(source),
            Self::Storage { source, .. } => !matches!(
                source,
                object_store::Error::NotFound { .. }
                    | object_store::Error::InvalidPath { .. }
                    | object_store::Error::NotSupported { .. }
                    | object_store::Error::NotImplemented { .. }
                    | object_store::Error::UnknownConfigurationKey { .. }
            ),
            Self::Location { .. }
            | Self::Option { .. }
            | Self::NotAFolder { .. }
            | Self::NotWritable { .. }
            | Self::NotDeletable { .. }
            | Self::Damaged { .. }
            | Self::NoAccess { .. }
            | Self::ClockSkew { .. }
            | Self::NoContainer { .. }
            | Self::Unfit { .. }
            | Self::NoHardLinks { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Incompatible { .. }
            | Self::Changed { .. }
            | Self::Schema(_)
            | Self::Misuse { .. }
            | Self::File { .. }
            | Self::TooOld { .. }
            | Self::VersionGone { .. }
            | Self::Query { .. } => false,
        }
    }
}

/// What stores say of credentials that are wrong or have ended, whatever was asked of them.
const CREDENTIALS: [&str; 7] = [
    "ExpiredToken",
    "InvalidToken",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthenticationFailed",
    "AuthorizationFailure",
    "Signature not valid in the specified time frame",
];

const CERTIFICATE: &str =
    "this machine does not know the authority that issued the certificate of the store";

/// What stores and their clients say where an option is wrong or missing, and what is meant.
const SETTINGS: [(&[&str], &str); 4] = [
    (
        &["URL scheme is not allowed"],
        "an endpoint without TLS has to be allowed: set `azure_allow_http` or `aws_allow_http` to \"true\"",
    ),
    (&["federated token file"], "the file of the federated token cannot be read"),
    (&["invalid peer certificate"], CERTIFICATE),
    (
        &["AuthorizationHeaderMalformed", "PermanentRedirect", "redirect without LOCATION"],
        "the bucket is in another region: set `aws_region`",
    ),
];

/// Object stores, by the names that their errors give: what they could not answer they may answer later.
pub(super) const STORES: [&str; 3] = ["S3", "MicrosoftAzure", "GCS"];

/// Finds out whether a query failed because it could not read a file, which is no fault of the query.
pub(crate) fn of_file(error: &DataFusionError) -> Option<Error> {
    let root = error.find_root();
    let is_of_file = match root {
        DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) => true,
        // Pages that cannot be unpacked or decoded.
        DataFusionError::ArrowError(error, _) => matches!(**error, ArrowError::ParquetError(_)),
        _ => false,
    };
    // Readers of files evaluate filters too, and say what those fail with as an error of the file.
    if !is_of_file || root.to_string().contains("Error evaluating filter predicate") {
        return None;
    }
    let mut may_pass = false;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(root);
    while let Some(error) = next {
        may_pass |= error.downcast_ref::<object_store::Error>().is_some_and(|error| {
            matches!(error, object_store::Error::Generic { store, .. } if STORES.contains(store))
        });
        next = error.source();
    }
    let text = root.strip_backtrace();
    // Of footers the reader keeps the text only.
    may_pass |= STORES.iter().any(|store| text.contains(&format!("Generic {store} error")));
    let mut problem = text.as_str();
    while let Some((_, rest)) = problem.split_once("Parquet error: ") {
        problem = rest;
    }
    Some(Error::Unreadable { problem: problem.to_owned(), may_pass })
}

/// Tells whether the log could not be read because the store failed. The reader of the log keeps that cause to itself,
/// in a type without a name; its text is all that is left.
pub(super) fn is_of_store(error: &DeltaTableError) -> bool {
    matches!(error, DeltaTableError::KernelError(error)
        if error.to_string().contains("Error interacting with object store"))
}

/// Returns an error with all its causes in one text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Tells whether a new file could not be put in its place on a local disk because that has no hard links.
pub(super) fn is_of_links(error: &object_store::Error) -> bool {
    use ErrorKind::{CrossesDevices, PermissionDenied, Unsupported};
    // A file is put in its place by a link, and made and written before that.
    matches!(io_kind(error), Some(Unsupported | PermissionDenied | CrossesDevices))
        && !error.to_string().contains("Unable to create")
}

/// Finds the operating system's word for a failure.
pub(super) fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        let hint: String = match self {
            Self::Location { problem, .. } if problem.contains(CERTIFICATE) => {
                "name a file with its certificate in `SSL_CERT_FILE`, or install it".into()
            }
            Self::Location { .. } | Self::Option { .. } => {
                "set `lake.url` to a folder, or to s3://…, az://…, abfss://… or gs://…, and `lake.options` to what that store needs".into()
            }
            Self::NotAFolder { path } => {
                format!("set `lake.url` to another folder, or move `{}` away", path.display())
            }
            Self::NotWritable { .. } => {
                "give the identity that runs adolake the right to write there, or set `lake.url` to another place".into()
            }
            Self::NotDeletable { .. } => {
                "give the identity that runs adolake the right to delete there".into()
            }
            Self::NoAccess { .. } => {
                "check the credentials of the storage (`lake.options`) and their right to read there".into()
            }
            Self::ClockSkew { .. } => {
                "set the clock of this machine, e.g. by NTP: a few minutes off are too many".into()
            }
            Self::NoContainer { .. } => {
                "create it, or correct `lake.url`: adolake makes folders, but no containers or buckets".into()
            }
            Self::Unfit { .. } => {
                "set `lake.url` to a store whose conditional puts (`If-None-Match: *`) are atomic, such as Azure Blob Storage or Amazon S3, or to a local folder".into()
            }
            Self::NoHardLinks { .. } => {
                "set `lake.url` to a folder on a file system with hard links, such as ext4, xfs, APFS or NTFS, or to an object store".into()
            }
            Self::Foreign { .. } => {
                "move it away, or set `lake.url` to a place that adolake has for itself".into()
            }
            Self::Newer { .. } => "update adolake to the version that wrote it, or give the `--schemas` that it was written with".into(),
            Self::Incompatible { table, .. } => format!(
                "if the schema is your own (`--schemas`), let it say what is stored; else restore the folder of `{table}` from a copy, or move it away: `adolake sync --full` reads again what Azure DevOps still has, and nothing else"
            ),
            Self::Damaged { remedy, .. } => remedy.clone(),
            Self::Changed { .. } => {
                "let only adolake write its tables; read them elsewhere, or copy them with `adolake publish`".into()
            }
            Self::Schema(source) => return source.hints(),
            Self::Log { .. }
            | Self::File { .. }
            | Self::Unreadable { may_pass: false, .. }
            | Self::Storage { source: object_store::Error::NotFound { .. }, .. } => {
                "if files of the lake were deleted or changed by hand, restore them; else try again".into()
            }
            Self::Unreadable { .. } | Self::Storage { .. } => {
                "check that the storage can be reached, and try again".into()
            }
            Self::Contention { .. } => "let the other runs finish, and try again".into(),
            Self::TooOld { oldest, .. } => {
                format!("ask for {} or later; `lake.keep-versions` sets how far back the lake reaches", oldest.to_rfc3339())
            }
            Self::VersionGone { .. } => {
                "`lake.keep-versions` sets how far back the lake reaches".into()
            }
            Self::Misuse { .. } | Self::Query { .. } => return Vec::new(),
        };
        vec![hint]
    }
}

#[cfg(test)]
mod tests {
    use parquet::errors::ParquetError;

    use super::*;

    #[test]
    fn what_a_store_refuses_is_told_apart_from_what_may_pass() {
        let told = |doing: &'static str, text: &str| {
            let source = object_store::Error::Generic { store: "S3", source: text.into() };
            let error = Error::storage(doing, "s3://bucket/lake/", source);
            (
                format!("{error:?}").split([' ', '(']).next().unwrap().to_owned(),
                error.is_transient(),
            )
        };
        for (doing, text, kind) in [
            (
                "delete",
                "Bulk delete request failed for path a: Forbidden (code: 403)",
                "NotDeletable",
            ),
            (
                "delete",
                "DeleteObjects request failed for key a: no (code: AccessDenied)",
                "NotDeletable",
            ),
            ("write", "Server returned non-2xx status code: 403 Forbidden: no", "NotWritable"),
            ("read", "Server returned non-2xx status code: 403 Forbidden: no", "NoAccess"),
            ("write", "status code: 403 Forbidden: <Code>AuthenticationFailed</Code>", "NoAccess"),
            ("write", "status code: 400 Bad Request: <Code>ExpiredToken</Code>", "NoAccess"),
            ("read", "builder error: URL scheme is not allowed", "Location"),
            ("read", "status code: 400: <Code>AuthorizationHeaderMalformed</Code>", "Location"),
        ] {
            assert_eq!(told(doing, text), (kind.to_owned(), false), "{doing}: {text}");
        }
        assert_eq!(told("delete", "connection reset"), ("Storage".to_owned(), true));
    }

    #[test]
    fn a_store_that_does_not_answer_a_query_may_answer_later() {
        let footer = |store: &str| {
            let text =
                format!("Failed to fetch metadata for file a: Generic {store} error: timed out");
            DataFusionError::ParquetError(Box::new(ParquetError::General(text)))
        };
        let may_pass = |error: &DataFusionError| of_file(error).map(|error| error.is_transient());
        for store in STORES {
            assert_eq!(may_pass(&footer(store)), Some(true), "{store}");
        }
        assert_eq!(may_pass(&footer("LocalFileSystem")), Some(false));
        assert_eq!(may_pass(&DataFusionError::Plan("no such column".to_owned())), None);
        let text = "Error evaluating filter predicate: ArrowError(CastError(\"no number\"), None)";
        let of_filter = ParquetError::External(ArrowError::ComputeError(text.to_owned()).into());
        assert_eq!(may_pass(&DataFusionError::ParquetError(Box::new(of_filter))), None);
    }
}
