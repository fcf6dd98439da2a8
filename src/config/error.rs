//! What can be wrong with the configuration.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::hint::Hint;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of a file.
    File {
        /// The file, as it is named to the user.
        file: Arc<str>,
        /// Line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, unless something is missing altogether.
    pub place: Option<Place>,
    /// What, without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// All problems of a configuration, in the order in which they stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => only.fmt(f),
            all => {
                write!(f, "{} problems in the configuration", all.len())?;
                for problem in all {
                    write!(f, "\n  {problem}")?;
                }
                Ok(())
            }
        }
    }
}

/// Why there is no configuration, or why something it refers to is not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The named file does not exist.
    #[error("there is no config file `{}`", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the config file `{}`", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Values are wrong.
    #[error("{0}")]
    Invalid(Problems),
    /// Nothing is configured that could be read.
    #[error("no organization is configured")]
    NoOrganization {
        /// The file that was read, if any.
        file: Option<PathBuf>,
    },
    /// An environment variable that holds a secret is not set, or empty.
    #[error("the environment variable {} for {purpose} is not set", shown_variable(variable))]
    VariableMissing {
        /// The variable.
        variable: String,
        /// What it is for, e.g. ``the token of organization `contoso` ``.
        purpose: String,
    },
    /// A file that holds a secret cannot be read.
    #[error("cannot read the file `{}` with {purpose}", file.display())]
    SecretFile {
        /// The file.
        file: PathBuf,
        /// What it is for.
        purpose: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that should hold a secret is empty.
    #[error("the file `{}` with {purpose} is empty", file.display())]
    SecretFileEmpty {
        /// The file.
        file: PathBuf,
        /// What it is for.
        purpose: String,
    },
    /// The keyring does not give a secret.
    #[error("cannot read `{name}` with {purpose} from the system keyring: {problem}")]
    Keyring {
        /// Name of the entry.
        name: String,
        /// What it is for.
        purpose: String,
        /// Why not.
        problem: String,
    },
}

impl Error {
    /// Tells whether the same might work later without a change: never, here.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        false
    }
}

/// A token that was pasted where the name of a variable belongs must not be printed.
fn shown_variable(name: &str) -> String {
    if looks_like_a_token(name) { "named in `env`".to_owned() } else { format!("`{name}`") }
}

fn looks_like_a_token(name: &str) -> bool {
    name.len() >= 40 && !name.contains('_')
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Missing { .. } | Self::NoOrganization { file: None } => vec![
                "write an `adolake.toml` (the README shows one), or name yours with `--config FILE`".to_owned(),
                "`adolake demo` needs no config".to_owned(),
            ],
            Self::NoOrganization { file: Some(file) } => vec![format!(
                "add an `[[organization]]` with `name` and `auth` to `{}`",
                file.display()
            )],
            Self::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::InvalidData => {
                vec!["it must be TOML in UTF-8; name another file with `--config FILE`".to_owned()]
            }
            Self::Unreadable { .. } => vec!["see who may read the file, or name another one with `--config FILE`".to_owned()],
            Self::Invalid(_) => vec!["`adolake config schema` lists every key; the README explains them".to_owned()],
            Self::VariableMissing { variable, .. } if looks_like_a_token(variable) => vec![
                "`env` takes the name of a variable, not the secret itself; if a token stands in the file, revoke it"
                    .to_owned(),
            ],
            Self::VariableMissing { variable, .. } if variable == "SYSTEM_ACCESSTOKEN" => vec![
                "a job gets the token only where its step maps it: `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`"
                    .to_owned(),
            ],
            Self::VariableMissing { variable, .. } => {
                vec![format!("set it, for example `export {variable}=…`, or name another variable in the config")]
            }
            Self::SecretFile { .. } | Self::SecretFileEmpty { .. } => {
                vec!["write the secret into the file, readable for you alone, or name another file in the config".to_owned()]
            }
            Self::Keyring { name, .. } => vec![
                format!("put the secret in with `adolake login ORGANIZATION < FILE`, or by hand: service `adolake`, user `{name}`"),
                "without a keyring name a variable or a file: `env = \"…\"` or `file = \"…\"`".to_owned(),
            ],
        }
    }
}
