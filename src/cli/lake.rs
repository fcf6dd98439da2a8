//! Opens the lake of the configuration, for all commands that read it.

use chrono::Utc;
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::resolve::resolve_table_references;

use super::Context;
use super::failure::Failure;
use crate::checks::{self, Queries, SettingsRows, register, repositories, resolve};
use crate::config::{Config, exposed};
use crate::lake::{Lake, Session};
use crate::schema::{Catalog, Row, from_batch};

/// Which views a session needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Views {
    /// All.
    All,
    /// None, as only tables are asked.
    None,
}

impl Views {
    /// Finds out what statements need; views and functions are only known to a session that has them.
    pub(super) fn of(statements: &[Statement], catalog: &Catalog) -> Self {
        let only_tables = statements.iter().all(|statement| {
            let asks_for_tables =
                resolve_table_references(statement, true).is_ok_and(|(names, _)| {
                    names.iter().all(|name| catalog.table(name.table()).is_some())
                });
            let text = statement.to_string().to_lowercase();
            asks_for_tables
                && !["show", "to_json", "glob_match", "path_match"]
                    .iter()
                    .any(|word| text.contains(word))
        });
        if only_tables { Self::None } else { Self::All }
    }
}

/// Opens the lake that is configured; nothing is read yet.
///
/// # Errors
/// When a secret is not to be had, or the address cannot be used.
pub(super) fn open(config: &Config, context: &Context) -> anyhow::Result<Lake> {
    let options = exposed(&config.lake.resolve_options(context.environment())?);
    let catalog = context.catalog()?;
    Ok(Lake::open(config.lake.url.as_str(), &options, config.lake.keep_versions, catalog)?)
}

/// Opens a session on the newest state of the lake, with the views.
///
/// # Errors
/// When there is no lake, or it cannot be read.
pub(super) async fn session(context: &Context, views: Views) -> anyhow::Result<Session> {
    let config = context.config()?;
    let lake = open(&config, context)?;
    let session = lake.session().await?;
    if session.versions.is_empty() {
        return Err(missing(&config).into());
    }
    lake.check_absent(&session).await?;
    if views == Views::All {
        let catalog = lake.catalog();
        let settings = settings(&config, &session, catalog).await?;
        register(&session.ctx, catalog, &Queries::embedded()?, &settings).await?;
    }
    Ok(session)
}

/// The error for a lake without tables.
pub(super) fn missing(config: &Config) -> Failure {
    let place = match config.lake.folder() {
        Some(folder) => folder.display().to_string().trim_end_matches('/').to_owned(),
        None => config.lake.url.to_string(),
    };
    let failure = Failure::user(format!("there is no lake at `{place}` yet"));
    match &config.file {
        Some(_) => failure.hint("`adolake sync` fills it"),
        None => failure
            .hint("there is no config file here: write an `adolake.toml`, or name yours with `--config FILE`")
            .hint("`adolake demo` makes a lake to try"),
    }
}

/// Says of a lake without tables where it should be, and what to do; of all other errors what they say.
pub(super) fn told(error: checks::Error, config: &Config) -> anyhow::Error {
    match error {
        checks::Error::EmptyLake => missing(config).into(),
        other => other.into(),
    }
}

/// The settings in force: those of the config file; without one those of the latest check run.
async fn settings(
    config: &Config,
    session: &Session,
    catalog: &Catalog,
) -> anyhow::Result<SettingsRows> {
    if config.file.is_none()
        && let Some(run) = latest_run(&session.ctx).await?
    {
        return stored(session, catalog, &run).await;
    }
    let repositories = repositories(&session.ctx, catalog).await?;
    Ok(resolve(&config.settings, catalog, &repositories, "", Utc::now())?)
}

async fn latest_run(ctx: &SessionContext) -> anyhow::Result<Option<String>> {
    let sql = "select run_id from check_runs order by started_at desc, run_id desc limit 1";
    let batches = ctx.sql(sql).await?.collect().await?;
    let run = batches
        .iter()
        .filter(|batch| batch.num_rows() > 0)
        .map(|batch| arrow::util::display::array_value_to_string(batch.column(0), 0))
        .next();
    Ok(run.transpose()?)
}

/// The settings that a check run used.
async fn stored(session: &Session, catalog: &Catalog, run: &str) -> anyhow::Result<SettingsRows> {
    let read = async |table: &str| {
        let sql = format!("select * from {table} where run_id = $run");
        rows(&session.ctx, catalog, table, &sql, &[("run", run)]).await
    };
    Ok(SettingsRows {
        repository_settings: read("repository_settings").await?,
        production_branches: read("production_branches").await?,
        solutions: read("solutions").await?,
        exceptions: read("exceptions").await?,
    })
}

async fn rows(
    ctx: &SessionContext,
    catalog: &Catalog,
    table: &str,
    sql: &str,
    params: &[(&str, &str)],
) -> anyhow::Result<Vec<Row>> {
    let table = catalog.require(table)?;
    let frame = ctx.sql(sql).await?;
    let frame = if params.is_empty() {
        frame
    } else {
        let values: Vec<(&str, ScalarValue)> =
            params.iter().map(|(name, value)| (*name, ScalarValue::from(*value))).collect();
        frame.with_param_values(values)?
    };
    let mut rows = Vec::new();
    for batch in frame.collect().await? {
        rows.extend(from_batch(table, &batch)?);
    }
    Ok(rows)
}
