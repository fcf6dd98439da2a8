//! How far a sync has got, for whoever stops it: commits under way, commits that stand, and what is being read.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::error::Error;
use crate::extract::Resource;

/// See the module; shared by a sync and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Standing {
    under_way: TaskTracker,
    commits: AtomicU64,
    rows: AtomicU64,
    reading: Mutex<Option<Resource>>,
}

impl Standing {
    /// Lets a commit run to its end, also when the sync around it is dropped.
    pub fn commit<T: Send + 'static>(
        &self,
        commit: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.under_way.spawn(commit)
    }

    /// Takes note of a commit that stands.
    pub fn committed(&self, rows: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Takes note of what is being read.
    pub fn reads(&self, resource: Resource) {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(resource);
    }

    /// Waits for the commits under way and tells where the sync stopped.
    pub async fn stopped(&self) -> Error {
        self.under_way.close();
        self.under_way.wait().await;
        let reading = *self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        Error::Stopped {
            reading: reading.map_or("who is signed in", Resource::name),
            commits: self.commits.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
        }
    }
}
