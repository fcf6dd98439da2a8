//! Answers queries beside each other and holds the rows in memory, as tables that can be planned with before rows are there.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::catalog::{Session, TableProvider};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_plan::{ExecutionPlan, collect_partitioned};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::error::Error;
use super::physical::physical;
use super::query::Query;
use crate::task::outcome;

/// Plans that are answered at the same time, beside those that read few rows.
const PLANS_AT_ONCE: usize = 2;

/// A semaphore for plans that take memory; a clone shares it.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(PLANS_AT_ONCE)))
    }

    /// Answers a plan when it is its turn; one that reads few rows waits for none.
    pub(super) async fn answer(
        &self,
        state: &SessionState,
        plan: Arc<dyn ExecutionPlan>,
        is_small: bool,
    ) -> Result<Vec<Vec<RecordBatch>>, DataFusionError> {
        // The semaphore is never closed.
        let _turn = if is_small { None } else { self.0.acquire().await.ok() };
        collect_partitioned(plan, state.task_ctx()).await
    }
}

/// What is being answered, each on a task of its own; it ends with whoever waits for it.
#[derive(Debug)]
pub(super) struct Answering {
    turns: Turns,
    /// With an error comes the promise that it breaks: readers of a promise that is dropped fail as well, and must not be
    /// told of before the cause.
    tasks: JoinSet<Result<(), (Error, Promise)>>,
}

/// What rows are handed over by.
type Promise = watch::Sender<Option<Arc<MemTable>>>;

impl Answering {
    pub(super) fn new(turns: &Turns) -> Self {
        Self { turns: turns.clone(), tasks: JoinSet::new() }
    }

    /// Begins to answer `frame`, which is what `query` calls `name`: itself, or one of its parts.
    ///
    /// # Errors
    /// Fails when its types do not fit together, naming the file of the query.
    pub(super) fn begin(
        &mut self,
        query: &Query,
        name: &str,
        frame: DataFrame,
    ) -> Result<Promised, Error> {
        let failed = |source| Error::query(&query.file, source);
        let (state, plan) = frame.into_parts();
        let analyzed = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {});
        let plan = analyzed.map_err(failed)?;
        let schema = nullable(plan.schema().as_arrow());
        let (promise, rows) = watch::channel(None);
        let (file, name) = (query.file.clone(), name.to_owned());
        let (turns, asked) = (self.turns.clone(), Arc::clone(&schema));
        self.tasks.spawn(async move {
            match answer(&name, state, plan, asked, &turns).await {
                Ok(rows) => {
                    promise.send_replace(Some(rows));
                    Ok(())
                }
                Err(source) => Err((Error::query(&file, source), promise)),
            }
        });
        Ok(Promised { schema, rows })
    }

    /// Waits until all is answered.
    ///
    /// # Errors
    /// Fails when something cannot be planned or run, naming its file.
    pub(super) async fn all(mut self) -> Result<(), Error> {
        while let Some(done) = self.tasks.join_next().await {
            if let Err((error, _promise)) = outcome(done) {
                return Err(error);
            }
        }
        Ok(())
    }
}

async fn answer(
    name: &str,
    state: SessionState,
    plan: LogicalPlan,
    schema: SchemaRef,
    turns: &Turns,
) -> Result<Arc<MemTable>, DataFusionError> {
    let started = Instant::now();
    let optimized = state.optimizer().optimize(plan, &state, |_, _| {})?;
    let optimizing = started.elapsed();
    let (plan, is_small) = physical(&state, &optimized).await?;
    let planned = started.elapsed();
    let partitions = turns
        .answer(&state, plan, is_small)
        .await?
        .into_iter()
        .map(|batches| batches.iter().map(|batch| with_schema(batch, &schema)).collect())
        .collect::<Result<Vec<Vec<_>>, ArrowError>>()?;
    let rows: usize = partitions.iter().flatten().map(RecordBatch::num_rows).sum();
    tracing::debug!(name, rows, ?optimizing, ?planned, elapsed = ?started.elapsed(), "answered");
    Ok(Arc::new(MemTable::try_new(schema, partitions)?))
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

/// A table whose rows are being answered.
#[derive(Debug, Clone)]
pub(super) struct Promised {
    schema: SchemaRef,
    rows: watch::Receiver<Option<Arc<MemTable>>>,
}

impl Promised {
    /// Waits for the rows.
    ///
    /// # Errors
    /// Fails when nobody answers them any more.
    pub(super) async fn rows(&self) -> Result<Arc<MemTable>, DataFusionError> {
        let answered =
            self.rows.clone().wait_for(Option::is_some).await.ok().and_then(|rows| rows.clone());
        answered.ok_or_else(|| {
            DataFusionError::Execution("rows that a query reads are no longer answered".to_owned())
        })
    }
}

#[async_trait]
impl TableProvider for Promised {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        self.rows().await?.scan(state, projection, filters, limit).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::checks::header::QueryKind;

    const HEADER: &str = "-- title: t\n-- grain: one row\n-- reads: numbers\n\n";

    fn query(id: &str) -> Query {
        let text = format!("-- id: {id}\n{HEADER}select n from numbers");
        Query::parse(QueryKind::View, &format!("{id}.sql"), &text).unwrap()
    }

    async fn begin(
        context: &SessionContext,
        answering: &mut Answering,
        name: &str,
        text: &str,
    ) -> Promised {
        let frame = context.sql(text).await.unwrap();
        let promised = answering.begin(&query(name), name, frame).unwrap();
        context.register_table(name, Arc::new(promised.clone())).unwrap();
        promised
    }

    #[tokio::test]
    async fn what_reads_rows_can_be_planned_before_they_are_there() {
        let (context, mut answering) = (SessionContext::new(), Answering::new(&Turns::new()));
        for (name, text) in [
            ("few", "select value as n from range(0, 3)"),
            ("twice", "select a.n from few as a join few as b on b.n = a.n"),
            ("sum", "select sum(n) as total from twice"),
        ] {
            begin(&context, &mut answering, name, text).await;
        }
        answering.all().await.unwrap();
        let total = context.sql("select total from sum").await.unwrap().to_string().await.unwrap();
        assert!(total.contains("| 3     |"), "{total}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rows_that_never_come_are_told_by_who_should_have_brought_them() {
        let (context, mut answering) = (SessionContext::new(), Answering::new(&Turns::new()));
        let wrong = "select cast(concat('n', value) as bigint) as n from range(0, 3)";
        let promised = begin(&context, &mut answering, "wrong", wrong).await;
        begin(&context, &mut answering, "reader", "select sum(n) as total from wrong").await;
        let waited = tokio::time::timeout(Duration::from_millis(200), promised.rows()).await;
        assert!(waited.is_err(), "nobody is told before the cause is");
        let error = answering.all().await.unwrap_err();
        assert!(error.to_string().contains("wrong.sql"), "{error}");
        assert!(promised.rows().await.is_err());
    }
}
