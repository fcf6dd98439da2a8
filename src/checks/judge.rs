//! Answers checks: those that are sliced for some repositories at a time, all others for all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};

use super::answering::Turns;
use super::blame::blame;
use super::catalog::Queries;
use super::error::Error;
use super::evaluate::evaluate_slice;
use super::finding::Findings;
use super::materialize::{begin, forget, materialize_whole};
use super::params::Parameters;
use super::query::Query;
use super::slices::{Slice, Whole, slices};
use super::views::register_views;
use crate::task::apart;

/// Completed pull requests that are judged together: each further slice costs a plan and a scan of its own, and this many
/// take about two thirds of what a session may take.
const AT_A_TIME: i64 = 100_000;

/// Checks that are judged at the same time.
const CHECKS_AT_ONCE: usize = 2;

/// Rows that operators hand on together. A join puts the batches of one side together, and what it hands on then names the
/// buffers of all of them, however few rows need them: the longer the chain of joins and the more batches there are, the more
/// time and memory go into lists of buffers; with the engine's usual 8,192 rows that is most of a large slice's.
const BATCH_ROWS: usize = 32 << 10;

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
    take: impl FnMut(Findings),
) -> Result<(), Error> {
    match judge_all(context, queries, checks, parameters, at_a_time, take).await {
        Err(error) => Err(blame(context, queries, checks, error).await),
        judged => judged,
    }
}

async fn judge_all(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    parameters: &Parameters,
    at_a_time: Option<i64>,
    mut take: impl FnMut(Findings),
) -> Result<(), Error> {
    let state = context.state_ref();
    let larger = state.read().config().clone().with_batch_size(BATCH_ROWS);
    *state.write().config_mut() = larger;
    let (sliced, whole): (Vec<&Query>, Vec<&Query>) =
        checks.iter().partition(|check| check.header.is_sliced);
    let slices = if sliced.is_empty() {
        Vec::new()
    } else {
        slices(context, at_a_time.unwrap_or(AT_A_TIME)).await?
    };
    let mut kept = BTreeSet::new();
    let judgement = Judgement { context, queries, parameters, turns: Turns::new() };
    if slices.len() < 2 {
        return judgement.all(checks, &kept, None, &mut take).await;
    }
    judgement.all(&whole, &kept, None, &mut take).await?;
    forget(context, queries, &kept)?;
    let tables = Whole::new(context).await?;
    kept = materialize_whole(context, queries, &sliced).await?;
    let judged = async {
        for slice in &slices {
            forget(context, queries, &kept)?;
            tables.hold(context, Some(slice))?;
            judgement.all(&sliced, &kept, Some(slice), &mut take).await?;
        }
        Ok(())
    };
    let judged = judged.await;
    // Whoever asks next asks all of them again.
    tables.hold(context, None)?;
    register_views(context, queries).await?;
    judged
}

/// What it takes to judge.
struct Judgement<'a> {
    context: &'a SessionContext,
    queries: &'a Queries,
    parameters: &'a Parameters,
    turns: Turns,
}

impl Judgement<'_> {
    /// Answers the views that checks read, but those that are kept, and hands over the findings in the order of the checks,
    /// while the next ones are judged.
    async fn all(
        &self,
        checks: &[&Query],
        kept: &BTreeSet<&str>,
        slice: Option<&Slice>,
        take: &mut impl FnMut(Findings),
    ) -> Result<(), Error> {
        let views = begin(self.context, self.queries, checks, kept, &self.turns).await?;
        let evaluated = checks.iter().map(|check| {
            let (context, check) = (self.context.clone(), (*check).clone());
            let (parameters, slice) = (self.parameters.clone(), slice.cloned());
            let turns = self.turns.clone();
            // A task each: planning, and demanding what each row must keep, take one core only.
            apart(async move {
                evaluate_slice(&context, &check, &parameters, slice.as_ref(), &turns).await
            })
        });
        let mut evaluated = futures::stream::iter(evaluated).buffered(CHECKS_AT_ONCE);
        let taking = async {
            while let Some(findings) = evaluated.try_next().await? {
                take(findings);
            }
            Ok(())
        };
        // Checks are planned while the rows of views are on their way.
        tokio::try_join!(views.all(), taking).map(|((), ())| ())
    }
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
