//! Answers the views that several others read, each once, and holds the rows in memory.
//!
//! The query engine puts the plan of a view (and of each `with` part) in every place that names it, so views on views
//! would be planned and answered many times over. Views take no parameters, so one answer serves every check and
//! profile of a run. A view that a single other one reads, or only checks, stays a plan: then the profile and the kind
//! of a check reach into it, and its rows are never held as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
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
    materialize_about(context, queries, checks, &[], &BTreeMap::new()).await
}

/// The same for checks and explanations of one resource: `only` says by view which of its rows are taken.
pub(super) async fn materialize_about(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    explanations: &[&Query],
    only: &BTreeMap<&str, Expr>,
) -> Result<(), Error> {
    let asked: Vec<&Query> = checks.iter().chain(explanations).copied().collect();
    let needed = needed(queries, &asked);
    let needed: Vec<&Query> =
        queries.views().iter().filter(|view| needed.contains(view.id())).collect();
    for view in &needed {
        let failed = |source| Error::query(&view.file, source);
        let is_read = |reader: &&&Query| reader.header.reads.iter().any(|read| read == view.id());
        let mut frame = DataFrame::new(context.state(), plan(context, view).await?);
        if let Some(filter) = only.get(view.id()) {
            frame = frame.filter(filter.clone()).map_err(failed)?;
        }
        if needed.iter().chain(explanations).filter(is_read).count() < 2 {
            let provider = ViewTable::new(frame.into_unoptimized_plan(), Some(view.text.clone()));
            context.deregister_table(view.id()).map_err(failed)?;
            context.register_table(view.id(), Arc::new(provider)).map_err(failed)?;
            continue;
        }
        let plan = frame.create_physical_plan().await.map_err(failed)?;
        let schema = nullable(&plan.schema());
        let partitions = collect_partitioned(plan, context.task_ctx())
            .await
            .map_err(failed)?
            .into_iter()
            .map(|batches| batches.iter().map(|batch| with_schema(batch, &schema)).collect())
            .collect::<Result<Vec<Vec<_>>, ArrowError>>()
            .map_err(|source| failed(DataFusionError::from(source)))?;
        let provider = MemTable::try_new(schema, partitions).map_err(failed)?;
        context.deregister_table(view.id()).map_err(failed)?;
        context.register_table(view.id(), Arc::new(provider)).map_err(failed)?;
    }
    Ok(())
}

/// The ids of all views that the checks read, directly or through other views.
fn needed<'a>(queries: &'a Queries, checks: &[&'a Query]) -> BTreeSet<&'a str> {
    let mut needed: BTreeSet<&str> =
        checks.iter().flat_map(|check| &check.header.reads).map(String::as_str).collect();
    // Views stand behind what they read: backwards, every reader comes before what it reads.
    for view in queries.views().iter().rev() {
        if needed.contains(view.id()) {
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
