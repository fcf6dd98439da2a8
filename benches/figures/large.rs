//! A lake of a million merged pull requests, written as rows: to read so many would take too long for a figure.

use std::sync::Arc;
use std::time::Instant;

use adolake::lake::{Change, Lake};
use adolake::schema::{Row, Table, from_batch};
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{ArrayRef, RecordBatch, new_null_array};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

use crate::line;
use crate::place::Place;

/// How many pull requests were merged.
const PULL_REQUESTS: i64 = 1_000_000;
/// Pull requests whose rows are written together: about a month of them.
const CHUNK: i64 = 27_778;
/// One of them.
pub const PULL_REQUEST: &str = "contoso/Project 1/service-7!500000";
const ORGANIZATION: &str = "contoso";
const SYNCED_AT: &str = "2027-01-01T00:00:00Z";
const ROWS: &str = include_str!("large.sql");

const CONFIG: &str = r#"[lake]
url = "./lake"
[[organization]]
name = "contoso"
auth = { kind = "pat", env = "ADO_PAT" }
[checks]
start-date = 2024-01-01
[defaults]
production-branches = ["main", "release/*"]
sast = ["CodeQL"]
integration-tests = ["*/integration-*"]
dependency-checks = ["status:snyk/*"]
"#;

/// A part of the file of rows.
struct Part {
    /// once, each or table.
    kind: &'static str,
    name: &'static str,
    select: &'static str,
}

impl Part {
    /// Tells whether the rows are those of a chunk of pull requests.
    fn is_chunked(&self) -> bool {
        ["from pr\n", "from pr ", "from runs", "from reviewing"]
            .iter()
            .any(|from| self.select.contains(from))
    }
}

/// Writes config and lake.
///
/// # Errors
/// When the folder cannot be written.
pub async fn fill(place: &Place) -> anyhow::Result<()> {
    let started = Instant::now();
    std::fs::write(place.config_file(), CONFIG)?;
    let (lake, context) = (place.lake()?, SessionContext::new());
    let parts = parts();
    for part in parts.iter().filter(|part| part.kind == "once") {
        keep(&context, part, 0, 0).await?;
    }
    let mut count = 0;
    for part in parts.iter().filter(|part| part.kind == "table" && !part.is_chunked()) {
        count += write(&context, &lake, part).await?;
    }
    let mut first = 1;
    while first <= PULL_REQUESTS {
        let last = PULL_REQUESTS.min(first + CHUNK - 1);
        for part in parts.iter().filter(|part| part.kind == "each") {
            keep(&context, part, first, last).await?;
        }
        for part in parts.iter().filter(|part| part.kind == "table" && part.is_chunked()) {
            count += write(&context, &lake, part).await?;
        }
        first = last + 1;
    }
    let seconds = started.elapsed().as_secs_f64();
    line("the lake was written", &format!("{count} rows in {seconds:.0} s"));
    Ok(())
}

/// The period in which all of them were merged, up to the sync that read them.
///
/// # Errors
/// Never: the days are real ones.
pub fn period() -> anyhow::Result<(DateTime<Utc>, DateTime<Utc>)> {
    let at = |text: &str| Ok::<_, chrono::ParseError>(DateTime::parse_from_rfc3339(text)?.to_utc());
    Ok((at("2024-01-01T00:00:00Z")?, at(SYNCED_AT)?))
}

fn parts() -> Vec<Part> {
    let part = |text: &'static str| {
        let (head, select) = text.split_once('\n')?;
        let (kind, name) = head.split_once(": ")?;
        Some(Part { kind, name, select })
    };
    ROWS.split("\n-- ").filter_map(part).collect()
}

/// Answers a part and keeps its rows as a table of the session.
async fn keep(context: &SessionContext, part: &Part, first: i64, last: i64) -> anyhow::Result<()> {
    let select =
        part.select.replace("$first", &first.to_string()).replace("$last", &last.to_string());
    let rows = context.sql(&select).await.with_context(|| part.name)?.collect().await?;
    let schema = rows.first().context("no rows")?.schema();
    context.deregister_table(part.name)?;
    context.register_table(part.name, Arc::new(MemTable::try_new(schema, vec![rows])?))?;
    Ok(())
}

async fn write(context: &SessionContext, lake: &Lake, part: &Part) -> anyhow::Result<usize> {
    let table = lake.catalog().require(part.name)?;
    let batches = context.sql(part.select).await.with_context(|| part.name)?.collect().await?;
    let schema = batches.first().context("no rows")?.schema();
    let rows = rows(table, &concat_batches(&schema, &batches)?)?;
    let count = rows.len();
    let (_, seen_at) = period()?;
    let change = Change {
        table: part.name,
        organization: ORGANIZATION,
        run_id: "figures",
        seen_at,
        rows: rows.into(),
        complete: Vec::new(),
    };
    lake.write(change).await.with_context(|| format!("cannot write `{}`", part.name))?;
    Ok(count)
}

/// Rows of a table from columns by name; those that are not there are null.
fn rows(table: &Arc<Table>, batch: &RecordBatch) -> anyhow::Result<Vec<Row>> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for column in &table.columns {
        let kind = column.kind.arrow_type();
        columns.push(match batch.column_by_name(&column.name) {
            Some(values) => cast(values, &kind)?,
            None => new_null_array(&kind, batch.num_rows()),
        });
        fields.push(Field::new(&column.name, kind, true));
    }
    Ok(from_batch(table, &RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)?)
}
