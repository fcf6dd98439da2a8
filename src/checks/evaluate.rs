//! Runs one check on a session: binds its parameters, sorts its rows, enforces the contract.

use std::time::Instant;

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionContext, ident};

use super::contract::{check_kinds, check_names, check_rows};
use super::error::Error;
use super::finding::Findings;
use super::params::Parameters;
use super::query::Query;
use super::slices::Slice;
use super::unread::{distrust, unread};
use super::views::plan;

/// The order of findings within a check, nulls first.
const ORDER: [&str; 6] =
    ["organization", "project", "repository", "branch", "pull_request_id", "repository_id"];

/// Judges every resource of a check; tables, settings and views must be registered.
///
/// # Errors
/// Fails when the query cannot be planned or run, when a parameter has no value, and when the rows break the
/// contract; each names the file.
pub async fn evaluate(
    context: &SessionContext,
    check: &Query,
    parameters: &Parameters,
) -> Result<Findings, Error> {
    evaluate_rows(context, check, parameters, None).await
}

/// Judges the resources of a slice; its rows must stand in the tables.
pub(crate) async fn evaluate_slice(
    context: &SessionContext,
    check: &Query,
    parameters: &Parameters,
    slice: &Slice,
) -> Result<Findings, Error> {
    evaluate_rows(context, check, parameters, Some(slice.holds_repository())).await
}

async fn evaluate_rows(
    context: &SessionContext,
    check: &Query,
    parameters: &Parameters,
    only: Option<Expr>,
) -> Result<Findings, Error> {
    let started = Instant::now();
    let values = parameters.of(check)?;
    let plan = plan(context, check).await?;
    check_names(check, plan.schema().as_arrow())?;
    let failed = |source| Error::query(&check.file, source);
    let unread = unread(context, check).await?;
    let order = ORDER.map(|column| ident(column).sort(true, true)).to_vec();
    let plan = DataFrame::new(context.state(), plan)
        .with_param_values(values)
        .and_then(|frame| match only {
            Some(only) => frame.filter(only),
            None => Ok(frame),
        })
        .and_then(|frame| distrust(frame, &unread))
        .and_then(|frame| frame.sort(order))
        .map_err(failed)?
        .create_physical_plan()
        .await
        .map_err(failed)?;
    check_kinds(check, &plan.schema())?;
    let batches = collect(plan, context.task_ctx()).await.map_err(failed)?;
    let answered = started.elapsed();
    let findings = check_rows(check, batches)?;
    let rows = findings.counts().total();
    tracing::debug!(check = check.id(), rows, ?answered, elapsed = ?started.elapsed(), "judged");
    Ok(findings)
}
