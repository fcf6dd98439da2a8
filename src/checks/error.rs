//! What can go wrong between a query file and its verdicts.

use std::path::PathBuf;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use crate::hint::{Hint, nearest};

/// A failure of the check stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The comment header of a query file is not as it should be.
    #[error("{file}:{line}: {problem}")]
    Header {
        /// The query file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A query file breaks a rule for queries.
    #[error("{place}: {problem}")]
    Rule {
        /// The query file, with the line where it is known.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A query cannot be parsed, planned or run.
    #[error("{place}: {message}")]
    Query {
        /// The query file, with the line where it is known.
        place: String,
        /// What the query engine says, in one line.
        message: String,
        /// The name that was probably meant.
        meant: Option<String>,
        /// The query engine's own error; not told as a cause, as the message says the same.
        engine: Box<DataFusionError>,
    },
    /// Views that read each other in a circle.
    #[error("views read each other in a circle: {}", ids.join(" -> "))]
    Circle {
        /// The views on the circle, the first one repeated at the end.
        ids: Vec<String>,
    },
    /// A folder or file of queries cannot be read.
    #[error("cannot read queries from `{path}`")]
    Folder {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A folder of queries holds none.
    #[error("`{path}` holds no `*.sql`, and neither `checks/*.sql` nor `views/*.sql`")]
    NoQueries {
        /// The folder.
        path: PathBuf,
    },
    /// A check that was asked for does not exist.
    #[error("there is no check `{id}`")]
    NoCheck {
        /// What was asked for.
        id: String,
        /// The checks that exist.
        known: Vec<String>,
    },
    /// A parameter has no value, or one that does not fit its type.
    #[error("parameter `{name}`: {problem}")]
    Param {
        /// Name without the `$`.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A parameter was given that no check declares.
    #[error("no check that runs declares a parameter `{name}`")]
    NoParam {
        /// What was given.
        name: String,
        /// What can be given.
        known: Vec<String>,
    },
    /// A text that names nothing that can be explained.
    #[error("`{text}` names no pull request and no branch")]
    NoResourceName {
        /// What was asked for.
        text: String,
    },
    /// What is to be explained is not in the lake.
    #[error("there is no {what} `{text}` in the lake")]
    NoResource {
        /// What is missing: `repository`, `pull request` or `branch`.
        what: &'static str,
        /// What was asked for.
        text: String,
        /// The nearest ones that are there.
        near: Vec<String>,
    },
    /// What is to be explained may be one of several.
    #[error("`{text}` may be {}", found.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(" or "))]
    ManyResources {
        /// What was asked for.
        text: String,
        /// What it may be.
        found: Vec<String>,
    },
    /// The rows of a check break the contract of checks.
    #[error("{place}: {problem}")]
    Contract {
        /// The query file, with the line where it is known.
        place: String,
        /// What is wrong, naming the column or resource.
        problem: String,
    },
    /// The evidence file of a registered exception cannot be read.
    #[error("cannot read the evidence file `{path}` of exception `{pattern}`")]
    Evidence {
        /// `match` of the exception.
        pattern: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no such check run.
    #[error("there is no check run `{name}`")]
    NoRun {
        /// What was asked for.
        name: String,
        /// The latest runs, each with when and how.
        latest: Vec<String>,
    },
    /// The beginning of an id fits more than one check run.
    #[error("`{name}` fits {count} check runs")]
    AmbiguousRun {
        /// What was asked for.
        name: String,
        /// How many fit.
        count: usize,
        /// The latest of them.
        runs: Vec<String>,
    },
    /// Something that a stored check run was made of is gone.
    #[error("check run `{run_id}` cannot be recomputed: {reason}")]
    NotRecomputable {
        /// The run.
        run_id: String,
        /// What is gone.
        reason: String,
        /// What can be done.
        hint: &'static str,
    },
    /// The settings of a stored check run are not understood.
    #[error("the settings of check run `{run_id}` cannot be used: {problem}")]
    StoredSettings {
        /// The run.
        run_id: String,
        /// What is wrong.
        problem: String,
    },
    /// The query engine failed outside any query file.
    #[error("{doing}")]
    Engine {
        /// What was being tried.
        doing: String,
        /// Why.
        #[source]
        source: Box<DataFusionError>,
    },
    /// The lake holds no table yet.
    #[error("there is nothing to check yet: the lake is empty")]
    EmptyLake,
    /// The period ends before it begins.
    #[error("the period ends at {to}, before it begins at {from}")]
    Period {
        /// Its lower bound.
        from: String,
        /// Its upper bound.
        to: String,
    },
    /// The lake cannot be read or written.
    #[error("cannot {doing}")]
    Lake {
        /// What was being tried.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<crate::lake::Error>,
    },
    /// The catalog of tables does not fit.
    #[error("the table catalog does not fit")]
    Schema(#[source] crate::schema::Error),
}

impl Error {
    /// Tells whether trying again later may help; nothing here is of that kind but the reading of tables.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        if let Self::Lake { source, .. } = self {
            return source.is_transient();
        }
        let (Self::Query { engine, .. } | Self::Engine { source: engine, .. }) = self else {
            return false;
        };
        matches!(engine.find_root(), DataFusionError::ObjectStore(_) | DataFusionError::IoError(_))
    }

    /// Tells whether a query itself is what is wrong, not what it reads.
    pub(crate) fn is_about_query(&self) -> bool {
        match self {
            Self::Header { .. }
            | Self::Rule { .. }
            | Self::Contract { .. }
            | Self::Param { .. } => true,
            Self::Query { engine, .. } => matches!(
                engine.find_root(),
                DataFusionError::Plan(_)
                    | DataFusionError::SchemaError(..)
                    | DataFusionError::SQL(..)
                    | DataFusionError::NotImplemented(_)
            ),
            _ => false,
        }
    }

    /// Wraps an error of the query engine, with the line that its diagnostic or its parser names.
    pub(crate) fn query(file: &str, source: DataFusionError) -> Self {
        if let Some(error) = Self::of_file(&source) {
            return error;
        }
        let (message, meant) = told(&source);
        let place = match line_of(&source) {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        };
        Self::Query { place, message, meant, engine: Box::new(source) }
    }

    /// The same for a text that could not be parsed; where it ends too early, its last line is named.
    pub(crate) fn query_text(file: &str, text: &str, source: DataFusionError) -> Self {
        let ends_early = line_of(&source).is_none();
        let error = Self::query(file, source);
        match error {
            Self::Query { place, message, meant, engine } if ends_early => {
                let place = format!("{place}:{}", text.lines().count());
                Self::Query { place, message, meant, engine }
            }
            other => other,
        }
    }

    pub(crate) fn lake(doing: &'static str) -> impl FnOnce(crate::lake::Error) -> Self {
        move |source| Self::Lake { doing, source: Box::new(source) }
    }

    pub(crate) fn engine(doing: impl Into<String>) -> impl FnOnce(DataFusionError) -> Self {
        let doing = doing.into();
        move |source| {
            Self::of_file(&source)
                .unwrap_or_else(|| Self::Engine { doing, source: Box::new(source) })
        }
    }

    /// Returns the error of a file of the lake that could not be read, if it is one.
    fn of_file(source: &DataFusionError) -> Option<Self> {
        let source = Box::new(crate::lake::of_file(source)?);
        Some(Self::Lake { doing: "read what a check needs", source })
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Header { .. } => vec![
                "a query opens with `-- key: value` lines; copy the header of a file in `queries/`"
                    .to_owned(),
            ],
            Self::Rule { .. } | Self::Contract { .. } => {
                vec!["README.md says what a query must return and may read".to_owned()]
            }
            Self::Query { meant: Some(meant), .. } => vec![format!("did you mean `{meant}`?")],
            Self::Query { .. } => vec![
                "`adolake tables` lists tables and columns, `adolake sql` tries a query".to_owned(),
            ],
            Self::NoParam { known, .. } if known.is_empty() => {
                vec!["a check declares what it takes in the `params` of its header".to_owned()]
            }
            Self::NoParam { known, .. } => vec![format!("known are {}", known.join(", "))],
            Self::Circle { .. } => vec!["take one of the views out of the other's `from`".to_owned()],
            Self::Folder { source, .. } if source.kind() == std::io::ErrorKind::InvalidData => {
                vec!["a query is a text in UTF-8; move other files out of the folder".to_owned()]
            }
            Self::Folder { .. } | Self::NoQueries { .. } => vec![
                "`--queries` takes a folder with further checks as `*.sql`, and views as `views/*.sql`"
                    .to_owned(),
            ],
            Self::NoCheck { id, known } => {
                let near = nearest(id, known.iter().map(String::as_str));
                let mut hints: Vec<String> =
                    near.map(|other| format!("did you mean `{other}`?")).into_iter().collect();
                hints.push(format!("checks are {}", known.join(", ")));
                hints
            }
            Self::NoResourceName { .. } => vec![
                "write `org/project/repo!123`, `org/project/repo@main`, or the web address of a pull request"
                    .to_owned(),
            ],
            Self::NoResource { near, .. } => {
                let near: Vec<String> = near.iter().map(|one| format!("`{one}`")).collect();
                let meant = match near.as_slice() {
                    [] => None,
                    [one] => Some(format!("did you mean {one}?")),
                    many => Some(format!("the nearest are {}", many.join(", "))),
                };
                let fresh = "`adolake sync` reads what is new; only configured organizations are explained";
                meant.into_iter().chain([fresh.to_owned()]).collect()
            }
            Self::ManyResources { .. } => {
                vec!["name it in full, as `org/project/repo!123`".to_owned()]
            }
            Self::Param { name, .. } => vec![format!("give it with `--set {name}=VALUE`")],
            Self::Evidence { .. } => {
                vec!["correct `evidence` of the exception, or give an address".to_owned()]
            }
            Self::EmptyLake => vec!["`adolake sync` fills it, `adolake demo` makes one to try".to_owned()],
            Self::Period { .. } => vec!["see `checks.start-date`, `--since` and `--until`".to_owned()],
            Self::NoRun { latest, .. } if latest.is_empty() => {
                vec!["no check run is stored yet: `adolake check` stores one".to_owned()]
            }
            Self::NoRun { latest, .. } => vec![
                format!("the latest are {}", latest.join("; ")),
                "`latest` stands for the first of them; the beginning of an id is enough".to_owned(),
            ],
            Self::AmbiguousRun { runs, .. } => vec![
                format!("among them {}", runs.join("; ")),
                "write more of the id".to_owned(),
            ],
            Self::NotRecomputable { hint, .. } => vec![(*hint).to_owned()],
            Self::StoredSettings { .. } => {
                vec!["use the version of adolake that made the run, or a newer one".to_owned()]
            }
            Self::Lake { source, .. } => source.hints(),
            Self::Engine { .. } | Self::Schema(_) => Vec::new(),
        }
    }
}

/// What the innermost error says, on one line and without the engine's prefixes, and the name probably meant.
fn told(error: &DataFusionError) -> (String, Option<String>) {
    match error.find_root() {
        DataFusionError::SchemaError(error, _)
            if let SchemaError::FieldNotFound { field, valid_fields } = &**error =>
        {
            let names = valid_fields.iter().map(|column| column.name.as_str());
            let meant = nearest(&field.name, names).map(str::to_owned);
            (format!("there is no column `{}`", field.flat_name()), meant)
        }
        DataFusionError::SQL(error, _)
            if let ParserError::ParserError(text) | ParserError::TokenizerError(text) =
                &**error =>
        {
            (one_line(text), None)
        }
        root => {
            let text = one_line(&root.strip_backtrace());
            let prefixes = ["Error during planning: ", "Schema error: ", "Execution error: "];
            let text = prefixes.iter().fold(text.as_str(), |text, p| text.trim_start_matches(p));
            match text.split_once(" Did you mean '") {
                Some((problem, meant)) => {
                    let meant = meant.trim_end_matches(['?', '\'']).to_owned();
                    (problem.trim_end_matches('.').to_owned(), Some(meant))
                }
                None => (text.trim_end_matches('.').to_owned(), None),
            }
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line that the diagnostic names, else the one in the parser's `at Line: 3, Column: 5`.
fn line_of(error: &DataFusionError) -> Option<u64> {
    if let Some(span) = error.diagnostic().and_then(|diagnostic| diagnostic.span) {
        return Some(span.start.line);
    }
    let text = error.find_root().to_string();
    let (_, after) = text.split_once("Line: ")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
