//! Lists that come in pages: each becomes rows on a task of its own, while the next one is on its way.

use async_stream::stream;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::error::reading;
use super::{Error, Source};
use crate::ado::{Answer, Call, Listed, Paging};
use crate::task::outcome;

/// Reads a list; `what` names it in errors, `page` makes the rows of an answer.
///
/// Requests are made on a task of their own: one that has its place among those in flight goes on also while whoever
/// reads the list waits for places for others.
pub(super) fn pages<T, P, F>(
    source: &Source,
    what: String,
    (call, paging): (Call, Paging),
    page: F,
) -> impl Stream<Item = Result<P, Error>> + Send + 'static + use<T, P, F>
where
    T: Listed,
    P: Send + 'static,
    F: Fn(&Source, Answer<Vec<T>>) -> Result<P, Error> + Clone + Send + 'static,
{
    let source = source.clone();
    stream! {
        let (send, mut receive) = mpsc::channel(1);
        let answers = source.client().pages::<T>(call, paging);
        let asking = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut answers = std::pin::pin!(answers);
            // The next page is asked for once this one is taken.
            while let Ok(room) = send.reserve().await
                && let Some(answer) = answers.next().await
            {
                room.send(answer.map(|answer| {
                    let (source, page) = (source.clone(), page.clone());
                    AbortOnDropHandle::new(tokio::spawn(async move { page(&source, answer) }))
                }));
            }
        }));
        while let Some(rows) = receive.recv().await {
            match rows {
                Ok(rows) => yield outcome(rows.await),
                Err(error) => yield Err(reading(what.as_str())(error)),
            }
        }
        // A list whose task has died is not at its end.
        outcome(asking.await);
    }
}
