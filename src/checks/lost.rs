//! Tables that earlier checks have read and that are not there any more, or were put back to an earlier state: what they
//! held is missing evidence, which their emptiness does not tell.

use std::collections::BTreeMap;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use super::error::Error;

const READ: &str = "select table_versions_json, left(cast(started_at as varchar), 10) from check_runs order by started_at, run_id";

/// Returns what is lost of the tables of which these are the newest versions, as sentences.
pub(super) async fn lost(
    context: &SessionContext,
    versions: &BTreeMap<String, i64>,
) -> Result<Vec<String>, Error> {
    let failed = Error::engine("cannot tell which tables earlier checks have read");
    let read = last_read(context).await.map_err(failed)?;
    let told = |(table, (read, day)): (String, (i64, String))| {
        let what = match versions.get(&table) {
            None => "is gone".to_owned(),
            Some(now) if *now < read => format!("stands at version {now} only"),
            Some(_) => return None,
        };
        Some(format!(
            "table `{table}` {what}: the check of {day} read version {read} of it; put its folder back from a copy, or run \
             `adolake sync --full` to read again what Azure DevOps still has"
        ))
    };
    Ok(read.into_iter().filter_map(told).collect())
}

/// By table, the version that the last check read that read one, and the day of it.
async fn last_read(
    context: &SessionContext,
) -> Result<BTreeMap<String, (i64, String)>, DataFusionError> {
    let mut read = BTreeMap::new();
    for batch in context.sql(READ).await?.collect().await? {
        let columns = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let (versions, days) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
        for (versions, day) in versions.iter().zip(days) {
            let versions: BTreeMap<String, i64> =
                versions.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            let day = day.unwrap_or_default();
            read.extend(versions.into_iter().map(|(table, own)| (table, (own, day.to_owned()))));
        }
    }
    Ok(read)
}
