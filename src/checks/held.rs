//! Answers a query and holds its rows in memory, as a table.

use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::collect_partitioned;
use datafusion::prelude::SessionContext;
use tokio::sync::Semaphore;

use super::error::Error;
use super::query::Query;
use super::sized::sized;

/// Answers `frame`, which is what `query` calls `name`: itself, or one of its parts. Where it reads more than a few rows, it
/// waits for one of the `slots`.
///
/// # Errors
/// Fails when it cannot be planned or run, naming the file of the query.
pub(super) async fn hold(
    context: &SessionContext,
    query: &Query,
    name: &str,
    frame: DataFrame,
    slots: Option<&Semaphore>,
) -> Result<MemTable, Error> {
    let started = Instant::now();
    let failed = |source| Error::query(&query.file, source);
    let (frame, is_small) = sized(frame).map_err(failed)?;
    let plan = frame.create_physical_plan().await.map_err(failed)?;
    let planned = started.elapsed();
    let _slot = match slots.filter(|_| !is_small) {
        // They are never closed.
        Some(slots) => slots.acquire().await.ok(),
        None => None,
    };
    let schema = nullable(&plan.schema());
    let partitions = collect_partitioned(plan, context.task_ctx())
        .await
        .map_err(failed)?
        .into_iter()
        .map(|batches| batches.iter().map(|batch| with_schema(batch, &schema)).collect())
        .collect::<Result<Vec<Vec<_>>, ArrowError>>()
        .map_err(|source| failed(DataFusionError::from(source)))?;
    let rows: usize = partitions.iter().flatten().map(RecordBatch::num_rows).sum();
    tracing::debug!(name, rows, ?planned, elapsed = ?started.elapsed(), "answered");
    MemTable::try_new(schema, partitions).map_err(failed)
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
