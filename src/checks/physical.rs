//! Makes physical plans, in as many partitions as what they read is worth.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::{MemTable, TableProvider, source_as_provider};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use tokio::sync::RwLock;

use super::answering::Promised;
use crate::lake;

/// A plan that reads no more rows is answered in one partition: to exchange them between cores, and to plan that, takes
/// longer than it saves.
const FEW_ROWS: u64 = 80_000;

/// Makes the physical plan of an optimized plan, once all rows that are held for it are there: their numbers decide how it
/// is answered. Where the tables that it reads have few rows together, it has one partition; tells whether they have.
pub(super) async fn physical(
    state: &SessionState,
    optimized: &LogicalPlan,
) -> Result<(Arc<dyn ExecutionPlan>, bool), DataFusionError> {
    let mut rows = Some(0);
    for table in tables(optimized)? {
        rows = rows.zip(rows_of(table.as_ref()).await?).map(|(rows, own)| rows + own);
    }
    let is_small = rows.is_some_and(|rows| rows <= FEW_ROWS);
    let mut state = state.clone();
    if is_small {
        state.config_mut().options_mut().execution.target_partitions = 1;
    }
    let plan = state.query_planner().create_physical_plan(optimized, &state).await?;
    Ok((plan, is_small))
}

/// Returns the tables that a plan names, each as often as it is named.
fn tables(plan: &LogicalPlan) -> Result<Vec<Arc<dyn TableProvider>>, DataFusionError> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.push(source_as_provider(&scan.source)?);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Returns how many rows a table has, once they are there; none where it does not tell.
async fn rows_of(table: &dyn TableProvider) -> Result<Option<u64>, DataFusionError> {
    if let Some(promised) = table.downcast_ref::<Promised>() {
        return Ok(held_rows(promised.rows().await?.as_ref()));
    }
    Ok(match table.downcast_ref::<MemTable>() {
        Some(held) => held_rows(held),
        None => lake::rows_of(table),
    })
}

fn held_rows(table: &MemTable) -> Option<u64> {
    let rows_in = |partition: &Arc<RwLock<Vec<RecordBatch>>>| {
        let batches = partition.try_read().ok()?;
        Some(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>())
    };
    table.batches.iter().map(rows_in).sum()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int64Array};
    use datafusion::physical_plan::ExecutionPlanProperties;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    #[tokio::test]
    async fn few_rows_are_answered_in_one_partition() {
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(4));
        for (name, rows) in [("few", 100), ("many", FEW_ROWS as i64 + 1)] {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
            let batch = RecordBatch::try_from_iter([("number", numbers)]).unwrap();
            let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
            context.register_table(name, Arc::new(table)).unwrap();
        }
        for (query, partitions) in [
            ("select number from few group by number", 1),
            ("select number from many group by number", 4),
            ("select number from few where number in (select number from many)", 4),
            ("select value from range(0, 100) group by value", 4),
        ] {
            let optimized = context.sql(query).await.unwrap().into_optimized_plan().unwrap();
            let (plan, is_small) = physical(&context.state(), &optimized).await.unwrap();
            assert_eq!(is_small, partitions == 1, "{query}");
            assert_eq!(plan.output_partitioning().partition_count(), partitions, "{query}");
        }
    }
}
