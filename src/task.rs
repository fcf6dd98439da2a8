//! Work on tasks of its own.

use std::panic::resume_unwind;

use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

/// Does work that takes a core for a while on a task of its own, so that what stands beside it goes on; it ends with
/// whoever waits for it.
pub(crate) async fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    outcome(AbortOnDropHandle::new(tokio::spawn(work)).await)
}

/// Returns what a task came to.
///
/// # Panics
/// When the task did: its panic goes on in whoever waits for it.
pub(crate) fn outcome<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|died| resume_unwind(died.into_panic()))
}
