//! What a sync asks the lake.

use std::time::Instant;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;

use super::Run;
use super::error::Error;
use crate::lake;
use crate::schema::{Row, from_batch};

impl Run {
    /// Asks the lake; `$organization`, `$start_at` and `$upper` are bound. The rows are of `table`, other columns null.
    pub async fn query(
        &self,
        table: &str,
        sql: &str,
        what: &'static str,
    ) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        self.each(table, sql, what, |row| rows.push(row)).await?;
        Ok(rows)
    }

    /// Asks the lake as [`Run::query`] does and hands over row by row: what a table holds may be more than fits.
    pub async fn each(
        &self,
        table: &str,
        sql: &str,
        what: &'static str,
        mut take: impl FnMut(Row),
    ) -> Result<(), Error> {
        let table =
            self.input.lake.catalog().require(table).map_err(|source| Error::Schema { source })?;
        let take = |batch: &RecordBatch| {
            let rows = from_batch(table, batch).map_err(|source| Error::Schema { source })?;
            rows.into_iter().for_each(&mut take);
            Ok(())
        };
        self.each_batch(sql, what, take).await
    }

    /// Asks the lake for anything.
    pub async fn each_batch(
        &self,
        sql: &str,
        what: &'static str,
        mut take: impl FnMut(&RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let begun = Instant::now();
        let session = self.input.lake.session_for(sql).await.map_err(unreadable)?;
        let told = match self.ask(&session.ctx, sql, &mut take).await {
            Ok(taken) => taken,
            Err(source) => Err(match lake::of_file(&source) {
                Some(source) => {
                    let source = Box::new(lake::locate(source, &session.ctx).await);
                    let doing = "find out from the lake";
                    Error::Lake { doing, what: what.to_owned(), source }
                }
                None => Error::Query { what, source: Box::new(source) },
            }),
        };
        tracing::debug!(what, took_ms = begun.elapsed().as_millis() as u64, "the lake was asked");
        told
    }

    /// Asks and hands the rows over, up to the first that `take` does not take.
    async fn ask(
        &self,
        context: &SessionContext,
        sql: &str,
        take: &mut impl FnMut(&RecordBatch) -> Result<(), Error>,
    ) -> Result<Result<(), Error>, DataFusionError> {
        let instant = |at: DateTime<Utc>| {
            ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), Some("UTC".into()))
        };
        let mut values = vec![("organization", ScalarValue::from(self.organization()))];
        for (name, value) in
            [("start_at", instant(self.judge.start_at)), ("upper", instant(self.upper))]
        {
            if sql.contains(&format!("${name}")) {
                values.push((name, value));
            }
        }
        let frame = context.sql(sql).await?.with_param_values(values)?;
        let mut batches = frame.execute_stream().await?;
        while let Some(batch) = batches.try_next().await? {
            if let Err(error) = take(&batch) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

/// Writes an instant as SQL, in the type of the columns, so that files can be told by it.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    let micros = at.timestamp_micros();
    format!("arrow_cast({micros}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

fn unreadable(source: lake::Error) -> Error {
    Error::Lake { doing: "read", what: "the lake".to_owned(), source: Box::new(source) }
}
