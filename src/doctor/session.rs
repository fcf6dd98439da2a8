//! A session in which what is visible now stands in the place of what was last synced, under the views of the checks.

use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use super::error::Error;
use super::visible::Found;
use super::{Input, sample};
use crate::checks::{Queries, Repository, register, resolve};
use crate::config::Settings;
use crate::lake::Lake;
use crate::schema::{Row, to_batch};

/// The session, and what is worth knowing of it.
pub(super) struct Session {
    /// Where questions go.
    pub context: SessionContext,
    /// Whether statuses are those of the latest pull requests only, as the lake has none yet.
    pub has_sampled_statuses: bool,
}

/// Opens the session; the repositories that the lake knows stand in `known_repositories`.
pub(super) async fn open(input: &Input<'_>, found: &Found) -> Result<Session, Error> {
    let lake_error = |source| Error::Lake { source: Box::new(source) };
    let empty;
    let lake = match input.lake {
        Some(lake) => lake,
        None => {
            empty = Lake::in_memory(Arc::clone(input.catalog)).map_err(lake_error)?;
            &empty
        }
    };
    let context = lake.session().await.map_err(lake_error)?.ctx;
    let known = context.table_provider("repositories").await.map_err(failed)?;
    context.register_table("known_repositories", known).map_err(failed)?;
    replace(input, &context, "repositories", &found.repositories)?;
    replace(input, &context, "branches", &found.branches)?;
    replace(input, &context, "pipelines", &found.pipelines)?;
    replace(input, &context, "branch_policies", &found.policies)?;
    let samples = sample::missing(input, found, &context).await?;
    let has_sampled_statuses = samples.iter().any(|(table, _)| *table == "pull_request_statuses");
    for (table, rows) in samples {
        add(input, &context, table, &rows).await?;
    }
    let repositories: Vec<Repository> =
        found.repositories.iter().filter_map(|row| repository(input, row)).collect();
    let views = |source| Error::Views { source: Box::new(source) };
    let settings = without_evidence(input.settings);
    let rows =
        resolve(&settings, input.catalog, &repositories, "", found.seen_at).map_err(views)?;
    let queries = Queries::embedded().map_err(views)?;
    register(&context, input.catalog, &queries, &rows).await.map_err(views)?;
    Ok(Session { context, has_sampled_statuses })
}

/// A file of evidence that cannot be read is told elsewhere, and must not end the examination.
fn without_evidence(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    for exception in &mut settings.exceptions {
        exception.evidence_file = None;
    }
    settings
}

fn repository(input: &Input<'_>, row: &Row) -> Option<Repository> {
    Some(Repository {
        organization: input.organization().to_owned(),
        project_id: row.text("project_id")?.to_owned(),
        project: row.text("project")?.to_owned(),
        repository_id: row.text("repository_id")?.to_owned(),
        repository: row.text("name")?.to_owned(),
    })
}

fn failed(source: DataFusionError) -> Error {
    Error::Query { what: "what is in the lake", source: Box::new(source) }
}

fn provider(input: &Input<'_>, table: &str, rows: &[Row]) -> Result<MemTable, Error> {
    let schema = |source: crate::schema::Error| failed(DataFusionError::External(Box::new(source)));
    let table = input.catalog.require(table).map_err(schema)?;
    let mut rows = rows.to_vec();
    for row in &mut rows {
        // The lake fills these when it writes; in memory they only must not be null.
        row.set("_run_id", "").set("_synced_at", input.now()).set("_hash", "");
    }
    let batch = to_batch(table, &rows).map_err(schema)?;
    MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(failed)
}

/// Puts rows in the place of a table.
fn replace(
    input: &Input<'_>,
    context: &SessionContext,
    table: &str,
    rows: &[Row],
) -> Result<(), Error> {
    let provider = provider(input, table, rows)?;
    context.deregister_table(table).map_err(failed)?;
    context.register_table(table, Arc::new(provider)).map_err(failed)?;
    Ok(())
}

/// Adds rows to a table.
async fn add(
    input: &Input<'_>,
    context: &SessionContext,
    table: &str,
    rows: &[Row],
) -> Result<(), Error> {
    let more = context.read_table(Arc::new(provider(input, table, rows)?)).map_err(failed)?;
    let both = context.table(table).await.map_err(failed)?.union(more).map_err(failed)?;
    context.deregister_table(table).map_err(failed)?;
    context.register_table(table, both.into_view()).map_err(failed)?;
    Ok(())
}
