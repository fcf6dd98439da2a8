//! Lists that come in pages: each becomes rows on a task of its own, while the next one is on its way.

use futures::{Stream, TryStreamExt as _};

use super::error::reading;
use super::{Error, Source};
use crate::ado::{Answer, Call, Listed, Paging};
use crate::task::apart;

/// Pages under way: one that is asked for, one that becomes rows.
const PAGES: usize = 2;

/// Reads a list; `what` names it in errors, `page` makes the rows of an answer.
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
    source
        .client()
        .pages::<T>(call, paging)
        .map_err(move |error| reading(what.as_str())(error))
        .map_ok(move |answer| {
            let (source, page) = (source.clone(), page.clone());
            apart(async move { page(&source, answer) })
        })
        .try_buffered(PAGES)
}
