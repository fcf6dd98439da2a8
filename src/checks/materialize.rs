//! Answers the views that several others read, each once, and holds the rows in memory.
//!
//! The query engine puts the plan of a view (and of each `with` part) in every place that names it, so views on views
//! would be planned and answered many times over. Views take no parameters, so one answer serves every check and
//! profile of a run. A view that a single other one reads, or only checks, stays a plan: then the profile and the kind
//! of a check reach into it, and its rows are never held as a whole. One that asks all repositories whatever slice is
//! judged (`slices: none`) is kept too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::collect_partitioned;
use datafusion::prelude::SessionContext;

use super::catalog::Queries;
use super::error::Error;
use super::query::Query;
use super::views::plan;

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
    for view in &needed {
        let failed = |source| Error::query(&view.file, source);
        let is_read = |reader: &&&Query| reader.header.reads.iter().any(|read| read == view.id());
        let mut frame = DataFrame::new(context.state(), plan(context, view).await?);
        if let Some(filter) = only.get(view.id()) {
            frame = frame.filter(filter.clone()).map_err(failed)?;
        }
        let readers = needed.iter().chain(explanations).filter(is_read).count();
        let provider: Arc<dyn TableProvider> = if view.header.is_whole || readers > 1 {
            Arc::new(rows(context, view, frame).await?)
        } else {
            Arc::new(ViewTable::new(frame.into_unoptimized_plan(), Some(view.text.clone())))
        };
        put(context, view, Some(provider))?;
    }
    Ok(())
}

/// Answers the views that ask all repositories, whatever slice is judged, and keeps their rows; returns their ids.
pub(crate) async fn materialize_whole<'a>(
    context: &SessionContext,
    queries: &'a Queries,
    checks: &[&Query],
) -> Result<BTreeSet<&'a str>, Error> {
    let needed = needed(queries, checks, &BTreeSet::new());
    let is_whole = |view: &&Query| view.header.is_whole && needed.contains(view.id());
    let whole: Vec<&Query> = queries.views().iter().filter(is_whole).collect();
    for view in &whole {
        let frame = DataFrame::new(context.state(), plan(context, view).await?);
        let provider = Arc::new(rows(context, view, frame).await?);
        put(context, view, Some(provider))?;
    }
    Ok(whole.into_iter().map(Query::id).collect())
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

/// Answers a view.
async fn rows(context: &SessionContext, view: &Query, frame: DataFrame) -> Result<MemTable, Error> {
    let started = Instant::now();
    let failed = |source| Error::query(&view.file, source);
    let plan = frame.create_physical_plan().await.map_err(failed)?;
    let schema = nullable(&plan.schema());
    let partitions = collect_partitioned(plan, context.task_ctx())
        .await
        .map_err(failed)?
        .into_iter()
        .map(|batches| batches.iter().map(|batch| with_schema(batch, &schema)).collect())
        .collect::<Result<Vec<Vec<_>>, ArrowError>>()
        .map_err(|source| failed(DataFusionError::from(source)))?;
    let rows: usize = partitions.iter().flatten().map(RecordBatch::num_rows).sum();
    tracing::debug!(view = view.id(), rows, elapsed = ?started.elapsed(), "answered");
    MemTable::try_new(schema, partitions).map_err(failed)
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

/// The same fields, all of which may be null: the engine's batches do not always keep what its plan says about nulls.
fn nullable(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(Schema::new(fields))
}

fn with_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())
}
