//! Work on tasks of its own.

use std::panic::resume_unwind;

use tokio::task::JoinError;

/// Returns what a task came to.
///
/// # Panics
/// When the task did: its panic goes on in whoever waits for it.
pub(crate) fn outcome<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|died| resume_unwind(died.into_panic()))
}
