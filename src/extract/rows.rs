//! From optional fields to the cells of a row, or to an error that names address, object and field.

use std::fmt;

use super::error::Error;

/// An object of an answer, as errors name it.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    /// Address that was asked.
    pub address: &'a str,
    /// What it is, e.g. `pull request`.
    pub kind: &'static str,
    /// What tells it from others of its kind.
    pub id: &'a dyn fmt::Display,
}

impl Object<'_> {
    /// Demands a field.
    pub(super) fn need<T>(&self, value: Option<T>, field: &str) -> Result<T, Error> {
        value.ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// Demands that a number fits an `INT`.
    pub(super) fn small(&self, value: Option<i64>, field: &str) -> Result<Option<i32>, Error> {
        value
            .map(|value| {
                i32::try_from(value)
                    .map_err(|_| self.wrong(field, &format!("is out of range: `{value}`")))
            })
            .transpose()
    }

    /// Returns the error for a field.
    pub(super) fn wrong(&self, field: &str, problem: &str) -> Error {
        Error::NotUnderstood {
            address: self.address.to_owned(),
            object: format!("{} `{}`", self.kind, self.id),
            field: field.to_owned(),
            problem: problem.to_owned(),
        }
    }
}

/// Prints an id that may be missing.
pub(super) struct Id<T>(pub Option<T>);

impl<T: fmt::Display> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(id) => id.fmt(f),
            None => f.write_str("without id"),
        }
    }
}

/// Drops text that says nothing.
pub(super) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
