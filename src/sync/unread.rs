//! What goes on record where an organization cannot be read any further: checks must not take what an earlier sync read
//! for what is so today.

use chrono::{DateTime, Utc};

use super::Run;
use super::error::Error;
use super::scope::{Outcome, Scope};
use crate::extract::Resource;
use crate::window::Window;

impl Run {
    /// Takes down, of everything that earlier syncs read and this one has not come to, that it could not be read.
    ///
    /// Nothing is taken down where the service never told its time, as when nobody answers, nor of a first sync.
    pub(super) async fn record_unread(&self, error: &Error) -> Result<(), Error> {
        let Error::Organization { source, .. } = error else { return Ok(()) };
        let client = self.source.client();
        let at = match client.now().or(client.refused_at()) {
            Some(at) if self.options.projects.is_empty() => at,
            _ => return Ok(()),
        };
        let outcome = Outcome::Unreadable(super::chain(source.as_ref()));
        let mut unread = Vec::new();
        for ((resource, id), read_at) in &self.progress_so_far.read_at {
            let Some(resource) = Resource::named(resource).filter(|own| self.wants(*own)) else {
                continue;
            };
            if !self.has_recorded(resource, id) {
                let window = Window::new(*read_at.min(&at), at);
                unread.push((Scope::new(resource, id, id, window), outcome.clone()));
            }
        }
        self.take_down(unread, self.times(at)).await
    }

    fn times(&self, at: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.source.client().first_answer_at().unwrap_or(at).min(at), at)
    }
}
