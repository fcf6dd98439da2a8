//! Finds the view at fault where a query failed that reads it: the plan of a view stands in the plans of its readers, and
//! what fails there names them.

use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;

use super::catalog::Queries;
use super::error::Error;
use super::materialize::needed;
use super::query::Query;
use super::views::register_views;

/// How long somebody may be kept waiting for a better error.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns the error of the view that fails by itself, the first of those that the checks read, directly or through other
/// views; else the one given. Built-in views are not suspected.
pub(super) async fn blame(
    context: &SessionContext,
    queries: &Queries,
    checks: &[&Query],
    error: Error,
) -> Error {
    if queries.is_embedded() || !matches!(error, Error::Query { .. }) {
        return error;
    }
    let found = tokio::time::timeout(PATIENCE, failing(context, queries, checks)).await;
    found.ok().flatten().unwrap_or(error)
}

async fn failing(context: &SessionContext, queries: &Queries, checks: &[&Query]) -> Option<Error> {
    register_views(context, queries).await.ok()?;
    let read = needed(queries, checks, &Default::default());
    for view in queries.views().iter().filter(|view| read.contains(view.id())) {
        if let Err(source) = answer(context, view.id()).await {
            return Some(Error::query(&view.file, source));
        }
    }
    None
}

/// Answers a view without keeping its rows.
async fn answer(context: &SessionContext, view: &str) -> Result<(), DataFusionError> {
    let mut rows = context.table(view).await?.execute_stream().await?;
    while rows.try_next().await?.is_some() {}
    Ok(())
}
