//! In how many partitions a plan is answered.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider, source_as_provider};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use tokio::sync::RwLock;

use crate::lake;

/// A plan that reads no more rows is answered in one partition: to exchange them between cores, and to plan that, takes
/// longer than it saves.
const FEW_ROWS: u64 = 80_000;

/// Has a frame answered in one partition where the tables that it reads have few rows together; tells whether they have.
pub(super) fn sized(frame: DataFrame) -> Result<(DataFrame, bool), DataFusionError> {
    let (mut state, plan) = frame.into_parts();
    let is_small = rows_read(&plan)?.is_some_and(|rows| rows <= FEW_ROWS);
    if is_small {
        state.config_mut().options_mut().execution.target_partitions = 1;
    }
    Ok((DataFrame::new(state, plan), is_small))
}

/// Returns how many rows the tables have that a plan names, each as often as it is named; none where one does not tell.
fn rows_read(plan: &LogicalPlan) -> Result<Option<u64>, DataFusionError> {
    let mut rows = Some(0);
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(TreeNodeRecursion::Continue) };
        let own = rows_of(source_as_provider(&scan.source)?.as_ref());
        rows = rows.zip(own).map(|(rows, own)| rows + own);
        Ok(if rows.is_some() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(rows)
}

fn rows_of(table: &dyn TableProvider) -> Option<u64> {
    let Some(held) = table.downcast_ref::<MemTable>() else { return lake::rows_of(table) };
    let rows_in = |partition: &Arc<RwLock<Vec<RecordBatch>>>| {
        let batches = partition.try_read().ok()?;
        Some(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>())
    };
    held.batches.iter().map(rows_in).sum()
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
            let (frame, is_small) = sized(context.sql(query).await.unwrap()).unwrap();
            assert_eq!(is_small, partitions == 1, "{query}");
            let plan = frame.create_physical_plan().await.unwrap();
            assert_eq!(plan.output_partitioning().partition_count(), partitions, "{query}");
        }
    }
}
