//! Tables that a check of one's own reads and that no sync has read in full: what they do not show is missing evidence,
//! so nothing passes by them. The built-in checks ask the record of what was read themselves.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::functions::expr_fn::concat;
use datafusion::logical_expr::{Expr, when};
use datafusion::prelude::{SessionContext, ident, lit};

use super::error::Error;
use super::finding::Status;
use super::query::Query;

const UNREAD: &str = include_str!("unread.sql");

/// The reason code of what would pass if tables that were not read were empty.
const REASON_CODE: &str = "TABLE_NOT_READ";

/// Returns the tables that a check reads and that no sync has read in full, by organization; none for built-in checks.
///
/// # Errors
/// Fails when the lake cannot be read.
pub(crate) async fn unread(
    context: &SessionContext,
    check: &Query,
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    if check.sources.is_empty() {
        return Ok(BTreeMap::new());
    }
    ask(context, &check.sources).await.map_err(Error::engine("cannot tell which tables were read"))
}

async fn ask(
    context: &SessionContext,
    tables: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<String>>, DataFusionError> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for batch in context.sql(UNREAD).await?.collect().await? {
        let columns = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let (organizations, names) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
        for (organization, name) in organizations.iter().zip(names) {
            let (Some(organization), Some(name)) = (organization, name) else { continue };
            if tables.contains(name) {
                found.entry(organization.to_owned()).or_default().push(name.to_owned());
            }
        }
    }
    Ok(found)
}

/// Turns what passes in an organization whose tables were not all read into unknown, with the names of those tables.
pub(crate) fn distrust(
    frame: DataFrame,
    unread: &BTreeMap<String, Vec<String>>,
) -> Result<DataFrame, DataFusionError> {
    let mut frame = frame;
    for (organization, tables) in unread {
        let named: Vec<String> = tables.iter().map(|table| format!("`{table}`")).collect();
        let reason = format!("No sync has read {} in full; if it is empty: ", named.join(" and "));
        let passes = ident("organization")
            .eq(lit(organization.as_str()))
            .and(ident("status").eq(lit(Status::Pass.as_str())));
        let becomes = |column: &str, value: Expr| {
            Ok(when(passes.clone(), value).otherwise(ident(column))?.alias(column))
        };
        let columns: Vec<String> =
            frame.schema().fields().iter().map(|field| field.name().clone()).collect();
        let columns: Result<Vec<Expr>, DataFusionError> = columns
            .iter()
            .map(|column| match column.as_str() {
                "status" => becomes("status", lit(Status::Unknown.as_str())),
                "reason_code" => becomes("reason_code", lit(REASON_CODE)),
                "reason" => becomes("reason", concat(vec![lit(reason.as_str()), ident("reason")])),
                other => Ok(ident(other)),
            })
            .collect();
        frame = frame.select(columns?)?;
    }
    Ok(frame)
}
