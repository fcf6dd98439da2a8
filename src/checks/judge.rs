//! Answers checks: those that are sliced for some repositories at a time, all others for all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;

use super::catalog::Queries;
use super::error::Error;
use super::evaluate::{evaluate, evaluate_slice};
use super::finding::Findings;
use super::materialize::{forget, materialize, materialize_but, materialize_whole};
use super::params::Parameters;
use super::query::Query;
use super::slices::{Whole, slices};
use super::views::register_views;

/// Completed pull requests that are judged together: each further slice costs a plan and a scan of its own, and this many
/// take about two thirds of what a session may take.
const AT_A_TIME: i64 = 100_000;

/// Judges every resource of the checks; tables and settings must be registered. Hands over the findings of each check in
/// order, those of a sliced check in several parts where there are more completed pull requests than `at_a_time`, or,
/// where that is not given, than fit into memory together.
///
/// # Errors
/// Fails when a view or check cannot be planned or run, when a parameter has no value, and when rows break the contract;
/// each names the file.
pub async fn judge(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    parameters: &Parameters,
    at_a_time: Option<i64>,
    mut take: impl FnMut(Findings),
) -> Result<(), Error> {
    let (sliced, whole): (Vec<&Query>, Vec<&Query>) =
        checks.iter().partition(|check| check.header.is_sliced);
    let slices = if sliced.is_empty() {
        Vec::new()
    } else {
        slices(context, at_a_time.unwrap_or(AT_A_TIME)).await?
    };
    if slices.len() < 2 {
        materialize(context, queries, checks).await?;
        for check in checks {
            take(evaluate(context, check, parameters).await?);
        }
        return Ok(());
    }
    materialize(context, queries, &whole).await?;
    for check in whole {
        take(evaluate(context, check, parameters).await?);
    }
    forget(context, queries, &BTreeSet::new())?;
    let tables = Whole::new(context).await?;
    let kept = materialize_whole(context, queries, &sliced).await?;
    let judged = async {
        for slice in &slices {
            forget(context, queries, &kept)?;
            tables.hold(context, Some(slice))?;
            materialize_but(context, queries, &sliced, &kept).await?;
            for check in &sliced {
                take(evaluate_slice(context, check, parameters, slice).await?);
            }
        }
        Ok(())
    };
    let judged = judged.await;
    // Whoever asks next asks all of them again.
    tables.hold(context, None)?;
    register_views(context, queries).await?;
    judged
}

/// The same, the findings of each check as one; sorted by the ids of the checks.
pub(super) async fn findings_of(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    parameters: &Parameters,
) -> Result<Vec<Findings>, Error> {
    let mut found: BTreeMap<String, Findings> = BTreeMap::new();
    let take = |findings: Findings| match found.get_mut(findings.check_id()) {
        Some(earlier) => earlier.append(findings),
        None => drop(found.insert(findings.check_id().to_owned(), findings)),
    };
    judge(context, queries, checks, parameters, None, take).await?;
    Ok(found.into_values().collect())
}
