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

use super::answering::{Answering, Turns};
use super::catalog::Queries;
use super::error::Error;
use super::parts::plan_with_parts;
use super::query::Query;

/// Registers every view that the checks need, directly or through other views: as rows where several views read it.
///
/// # Errors
/// Fails when a view cannot be planned or run, naming its file.
pub async fn materialize(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
) -> Result<(), Error> {
    begin(context, queries, checks, &BTreeSet::new(), &Turns::new()).await?.all().await
}

/// Begins to do the same for all views but those that are kept already: they can be planned with, and are answered in turn.
pub(super) async fn begin(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    kept: &BTreeSet<&str>,
    turns: &Turns,
) -> Result<Answering, Error> {
    begin_about(context, queries, checks, &[], &BTreeMap::new(), kept, turns).await
}

/// Does the same as [`materialize`] for checks and explanations of one resource, for all views but those that are kept
/// already: `only` says by view which of its rows are taken.
pub(super) async fn materialize_about(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    explanations: &[&Query],
    only: &BTreeMap<&str, Expr>,
    kept: &BTreeSet<&str>,
) -> Result<(), Error> {
    let turns = Turns::new();
    begin_about(context, queries, checks, explanations, only, kept, &turns).await?.all().await
}

async fn begin_about(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    explanations: &[&Query],
    only: &BTreeMap<&str, Expr>,
    kept: &BTreeSet<&str>,
    turns: &Turns,
) -> Result<Answering, Error> {
    let asked: Vec<&Query> = checks.iter().chain(explanations).copied().collect();
    let needed = needed(queries, &asked, kept);
    let needed: Vec<&Query> =
        queries.views().iter().filter(|view| needed.contains(view.id())).collect();
    let readers = |view: &Query| {
        let is_read = |reader: &&&Query| reader.header.reads.iter().any(|read| read == view.id());
        needed.iter().chain(explanations).filter(is_read).count()
    };
    let mut answering = Answering::new(turns);
    for view in &needed {
        let is_held = view.header.is_whole || readers(view) > 1;
        register(context, view, only.get(view.id()), is_held, &mut answering).await?;
    }
    Ok(answering)
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
    let mut answering = Answering::new(&Turns::new());
    for view in &whole {
        register(context, view, None, true, &mut answering).await?;
    }
    answering.all().await?;
    Ok(whole.into_iter().map(Query::id).collect())
}

/// Registers a view: as the rows that it is begun to be answered with, or as a plan. What it reads must be registered.
async fn register(
    context: &SessionContext,
    view: &Query,
    only: Option<&Expr>,
    is_held: bool,
    answering: &mut Answering,
) -> Result<(), Error> {
    let plan = plan_with_parts(context, view, None, answering).await?;
    let mut frame = DataFrame::new(context.state(), plan);
    if let Some(only) = only {
        frame = frame.filter(only.clone()).map_err(|source| Error::query(&view.file, source))?;
    }
    let provider: Arc<dyn TableProvider> = if is_held {
        Arc::new(answering.begin(view, view.id(), frame)?)
    } else {
        Arc::new(ViewTable::new(frame.into_unoptimized_plan(), Some(view.text.clone())))
    };
    put(context, view, Some(provider))
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
pub(super) fn needed<'a>(
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
