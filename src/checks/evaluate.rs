//! Runs one check on a session: binds its parameters, sorts its rows, enforces the contract.

use std::time::Instant;

use datafusion::common::ParamValues;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{SessionContext, ident};

use super::answering::{Answering, Turns};
use super::contract::{check_kinds, check_names, check_rows};
use super::error::Error;
use super::finding::Findings;
use super::params::Parameters;
use super::parts::plan_with_parts;
use super::physical::physical;
use super::query::Query;
use super::slices::Slice;
use super::unread::{distrust, unread};

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
    evaluate_slice(context, check, parameters, None, &Turns::new()).await
}

/// Judges the resources of a slice, whose rows must stand in the tables, or all.
pub(crate) async fn evaluate_slice(
    context: &SessionContext,
    check: &Query,
    parameters: &Parameters,
    slice: Option<&Slice>,
    turns: &Turns,
) -> Result<Findings, Error> {
    let started = Instant::now();
    let values = ParamValues::from(parameters.of(check)?);
    let mut answering = Answering::new(turns);
    let plan = plan_with_parts(context, check, Some(&values), &mut answering).await?;
    check_names(check, plan.schema().as_arrow())?;
    let failed = |source| Error::query(&check.file, source);
    let unread = unread(context, check).await?;
    let order = ORDER.map(|column| ident(column).sort(true, true)).to_vec();
    let frame = DataFrame::new(context.state(), plan)
        .with_param_values(values)
        .and_then(|frame| match slice {
            Some(slice) => frame.filter(slice.holds_repository()),
            None => Ok(frame),
        })
        .and_then(|frame| distrust(frame, &unread))
        .and_then(|frame| frame.sort(order))
        .map_err(failed)?;
    let (state, plan) = frame.into_parts();
    let planning = async {
        let optimized = state.optimize(&plan).map_err(failed)?;
        // It holds the rows of parts.
        drop(plan);
        physical(&state, &optimized).await.map_err(failed)
    };
    let ((), (plan, is_small)) = tokio::try_join!(answering.all(), planning)?;
    check_kinds(check, &plan.schema())?;
    let planned = started.elapsed();
    let batches = turns.answer(&state, plan, is_small).await.map_err(failed)?;
    let batches = batches.into_iter().flatten().collect();
    let answered = started.elapsed();
    let findings = check_rows(check, batches).await?;
    let rows = findings.counts().total();
    tracing::debug!(check = check.id(), rows, ?planned, ?answered, elapsed = ?started.elapsed(), "judged");
    Ok(findings)
}
