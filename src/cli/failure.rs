//! How errors are shown, and which exit code each gives: the one place that knows the errors of all stages.

use std::error::Error as StdError;
use std::fmt;

use super::exit::Exit;
use super::output::{Output, clean};
use crate::hint::Hint;
use crate::{ado, checks, config, doctor, extract, lake, publish, schema, sync};

/// An error that a command itself finds, with what its reader can do.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    hints: Vec<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Failure {
    /// An error that the user can fix; lower case, without a full stop.
    pub fn user(message: impl Into<String>) -> Self {
        Self { exit: Exit::USER, message: message.into(), hints: Vec::new(), source: None }
    }

    /// A failure outside of adolake.
    pub fn outside(message: impl Into<String>) -> Self {
        Self { exit: Exit::OUTSIDE, message: message.into(), hints: Vec::new(), source: None }
    }

    /// Adds what can be done about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds why it came to this.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

impl Hint for Failure {
    fn hints(&self) -> Vec<String> {
        self.hints.clone()
    }
}

/// What the errors of a stage say about themselves.
struct Known {
    hints: Vec<String>,
    exit: Exit,
}

/// Asks an error of a known stage; a stage's error that may pass with time is an outside failure, any other is for the
/// user to fix.
fn known(error: &(dyn StdError + 'static)) -> Option<Known> {
    macro_rules! stages {
        ($($stage:ty),* $(,)?) => {
            $(if let Some(error) = error.downcast_ref::<$stage>() {
                let exit = if error.is_transient() { Exit::OUTSIDE } else { Exit::USER };
                return Some(Known { hints: error.hints(), exit });
            })*
        };
    }
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(Known { hints: failure.hints(), exit: failure.exit });
    }
    stages!(
        config::Error,
        schema::Error,
        ado::Error,
        ado::SignInError,
        lake::Error,
        extract::Error,
        checks::Error,
        sync::Error,
        doctor::Error,
        publish::Error
    );
    None
}

/// Returns the exit code of an error: that of the first known error in the chain of causes.
#[must_use]
pub fn exit_of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(known).map_or(Exit::OUTSIDE, |known| known.exit)
}

/// Tells an error with its causes and hints on stderr.
pub fn tell(error: &anyhow::Error, output: &Output) {
    for (label, text) in lines(error) {
        output.label(label, &text);
    }
}

/// Returns the lines that tell an error: `error: …`, `caused by: …`, `hint: …`.
#[must_use]
pub fn lines(error: &anyhow::Error) -> Vec<(Label, String)> {
    let mut lines: Vec<(Label, String)> = Vec::new();
    let mut hints: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Many errors repeat their cause in their own text.
        if !lines.iter().any(|(_, told)| told.contains(&text)) {
            let label = if lines.is_empty() { Label::Error } else { Label::Cause };
            lines.push((label, text));
        }
        for hint in known(cause).map(|known| known.hints).unwrap_or_default() {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
    }
    lines.extend(hints.into_iter().map(|hint| (Label::Hint, hint)));
    lines
        .into_iter()
        .map(|(label, text)| (label, clean(text.trim_end(), true).into_owned()))
        .collect()
}

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// What failed.
    Error,
    /// Why.
    Cause,
    /// What to do.
    Hint,
    /// What the reader should know, though it goes on.
    Warning,
}

impl Label {
    /// Returns the word at the head of the line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Cause => "caused by",
            Self::Hint => "hint",
            Self::Warning => "warning",
        }
    }
}
