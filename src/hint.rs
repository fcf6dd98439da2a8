//! What a user can do about an error.

/// An error that knows what its reader can do next.
///
/// Hints are sentences in the imperative without a full stop; the command line prints each as `hint: …` below the
/// error and its causes.
pub trait Hint: std::error::Error {
    /// Returns what to try, the most promising first; empty when nothing is known to help.
    fn hints(&self) -> Vec<String>;
}
