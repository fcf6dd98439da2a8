//! Answers the views that several others read, each once, and holds the rows in memory.
//!
//! The query engine puts the plan of a view (and of each `with` part) in every place that names it, so views on views
//! would be planned and answered many times over. Views take no parameters, so one answer serves every check and
//! profile of a run. A view that a single other one reads, or only checks, stays a plan: then the profile and the kind
//! of a check reach into it, and its rows are never held as a whole. One that asks all repositories whatever slice is
//! judged (`slices: none`) is kept too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::catalog::Queries;
use super::error::Error;
use super::held::hold;
use super::parts::plan_with_parts;
use super::query::Query;
use crate::task::outcome;

/// Views that are answered at the same time, beside those that read few rows.
const AT_ONCE: usize = 2;

/// Registers every view that the checks need, directly or through other views: as rows where several views read it.
///
/// # Errors
/// Fails when a view cannot be planned or run, naming its file.
pub async fn materialize(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
) -> Result<(), Error> {
    materialize_about(context, queries, checks, &[], &BTreeMap::new(), &BTreeSet::new()).await
}

/// Does the same as [`materialize`] for all views but those that are kept already.
pub(super) async fn materialize_but(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    kept: &BTreeSet<&str>,
) -> Result<(), Error> {
    materialize_about(context, queries, checks, &[], &BTreeMap::new(), kept).await
}

/// The same for checks and explanations of one resource, for all views but those that are kept already: `only` says by
/// view which of its rows are taken.
pub(super) async fn materialize_about(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    explanations: &[&Query],
    only: &BTreeMap<&str, Expr>,
    kept: &BTreeSet<&str>,
) -> Result<(), Error> {
    let asked: Vec<&Query> = checks.iter().chain(explanations).copied().collect();
    let needed = needed(queries, &asked, kept);
    let needed: Vec<&Query> =
        queries.views().iter().filter(|view| needed.contains(view.id())).collect();
    let readers = |view: &Query| {
        let is_read = |reader: &&&Query| reader.header.reads.iter().any(|read| read == view.id());
        needed.iter().chain(explanations).filter(is_read).count()
    };
    let views = needed.iter().map(|view| Wanted {
        view: (*view).clone(),
        only: only.get(view.id()).cloned(),
        is_held: view.header.is_whole || readers(view) > 1,
    });
    answer(context, views.collect()).await
}

/// Answers the views that ask all repositories, whatever slice is judged, and keeps their rows; returns their ids.
///
/// # Errors
/// Fails when a view cannot be planned or run, naming its file.
pub(crate) async fn materialize_whole<'a>(
    context: &SessionContext,
    queries: &'a Queries,
    checks: &[&Query],
) -> Result<BTreeSet<&'a str>, Error> {
    let needed = needed(queries, checks, &BTreeSet::new());
    let is_whole = |view: &&Query| view.header.is_whole && needed.contains(view.id());
    let whole: Vec<&Query> = queries.views().iter().filter(is_whole).collect();
    let views =
        whole.iter().map(|view| Wanted { view: (*view).clone(), only: None, is_held: true });
    answer(context, views.collect()).await?;
    Ok(whole.into_iter().map(Query::id).collect())
}

/// A view to register.
struct Wanted {
    view: Query,
    /// Which of its rows are taken; none for all.
    only: Option<Expr>,
    /// As rows, not as a plan.
    is_held: bool,
}

impl Wanted {
    async fn register(&self, context: &SessionContext, slots: &Semaphore) -> Result<(), Error> {
        let view = &self.view;
        let plan = plan_with_parts(context, view, None, Some(slots)).await?;
        let mut frame = DataFrame::new(context.state(), plan);
        if let Some(only) = &self.only {
            frame =
                frame.filter(only.clone()).map_err(|source| Error::query(&view.file, source))?;
        }
        let provider: Arc<dyn TableProvider> = if self.is_held {
            Arc::new(hold(context, view, view.id(), frame, Some(slots)).await?)
        } else {
            Arc::new(ViewTable::new(frame.into_unoptimized_plan(), Some(view.text.clone())))
        };
        put(context, view, Some(provider))
    }
}

/// Registers views, each as soon as those that it reads are, at the same time as others: planning takes one core only.
async fn answer(context: &SessionContext, mut views: Vec<Wanted>) -> Result<(), Error> {
    let mut open: BTreeSet<String> = views.iter().map(|one| one.view.id().to_owned()).collect();
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    loop {
        let is_ready =
            |one: &mut Wanted| !one.view.header.reads.iter().any(|read| open.contains(read));
        for one in views.extract_if(.., is_ready) {
            let (context, slots) = (context.clone(), Arc::clone(&slots));
            running.spawn(async move {
                one.register(&context, &slots).await?;
                Ok::<_, Error>(one.view.header.id)
            });
        }
        match running.join_next().await {
            None => return Ok(()),
            Some(done) => {
                let done = outcome(done);
                open.remove(&done?);
            }
        }
    }
}

/// Forgets all views, and with them the rows that are held.
pub(crate) fn forget(
    context: &SessionContext,
    queries: &Queries,
    kept: &BTreeSet<&str>,
) -> Result<(), Error> {
    let mut views = queries.views().iter().filter(|view| !kept.contains(view.id()));
    views.try_for_each(|view| put(context, view, None))
}

fn put(
    context: &SessionContext,
    view: &Query,
    provider: Option<Arc<dyn TableProvider>>,
) -> Result<(), Error> {
    let failed = |source| Error::query(&view.file, source);
    context.deregister_table(view.id()).map_err(failed)?;
    if let Some(provider) = provider {
        context.register_table(view.id(), provider).map_err(failed)?;
    }
    Ok(())
}

/// The ids of all views that the checks read, directly or through other views, but those kept already and what only
/// they read.
fn needed<'a>(
    queries: &'a Queries,
    checks: &[&'a Query],
    kept: &BTreeSet<&str>,
) -> BTreeSet<&'a str> {
    let mut needed: BTreeSet<&str> =
        checks.iter().flat_map(|check| &check.header.reads).map(String::as_str).collect();
    // Views stand behind what they read: backwards, every reader comes before what it reads.
    for view in queries.views().iter().rev() {
        if kept.contains(view.id()) {
            needed.remove(view.id());
        } else if needed.contains(view.id()) {
            needed.extend(view.header.reads.iter().map(String::as_str));
        }
    }
    needed
}
