//! Compares three counts of the population: listed by Azure DevOps, landed in the lake, judged by each check.
//!
//! A check that judges pull requests (its id begins with `pull_request_`) must judge every one that landed. What landed
//! must be what was listed, for months wholly inside the period; the open month is compared up to the upper bound of
//! its newest listing. A month that was never counted has no listed number and makes no difference, unless the
//! repository was counted for good in that month: then nothing may stand in the lake that was not listed.
//!
//! What was never listed cannot be counted: a project whose pull requests were asked for in vain is a difference too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::{cast, filter_record_batch, is_not_null};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

use super::error::Error;
use super::finding::{Findings, PULL_REQUEST_ID};
use super::instant::instant_text;
use super::params::{Period, timestamp};
use crate::window::{month_of, next_month};

const POPULATION: &str = include_str!("population.sql");
const UNLISTED: &str = include_str!("unlisted.sql");
const JUDGED: &str = include_str!("judged.sql");
const JUDGED_TABLE: &str = "judged_pull_requests";

/// The counts of one production branch and month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Population {
    /// Organization.
    pub organization: String,
    /// Id of the repository.
    pub repository_id: String,
    /// Short name.
    pub branch: String,
    /// Month of merging, `YYYY-MM`.
    pub closed_month: String,
    /// As Azure DevOps listed them; none = never counted.
    pub listed: Option<i64>,
    /// In the lake and the period.
    pub landed: i64,
    /// By check.
    pub judged: BTreeMap<String, i64>,
}

/// The counts, and where they disagree, as sentences.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) populations: Vec<Population>,
    pub(crate) differences: Vec<String>,
    /// What lies behind the rest of the lake, as sentences.
    pub(crate) warnings: Vec<String>,
}

/// Tells whether a check judges pull requests, each one that was merged.
pub(crate) fn judges_pull_requests(check_id: &str) -> bool {
    check_id.starts_with("pull_request_")
}

/// Counts and compares; nothing where no check of pull requests ran.
pub(crate) async fn compare(
    context: &SessionContext,
    period: &Period,
    findings: &[Findings],
) -> Result<Comparison, Error> {
    let checks: Vec<&Findings> =
        findings.iter().filter(|findings| judges_pull_requests(findings.check_id())).collect();
    let has_view = context.table_exist("merged_pull_requests").unwrap_or(false);
    if checks.is_empty() || !has_view {
        return Ok(Comparison::default());
    }
    let judged = judged(context, &checks).await.map_err(failed())?;
    let to = period.to.min(period.as_of);
    let from = period.start_at.max(period.from);
    let values = vec![
        ("period_from", timestamp(from)),
        ("period_to", timestamp(to)),
        ("first_month", ScalarValue::from(month_of(from))),
        ("last_month", ScalarValue::from(month_of(to))),
    ];
    let frame = context.sql(POPULATION).await.map_err(failed())?;
    let frame = frame.with_param_values(values).map_err(failed())?;
    let mut comparison = Comparison::default();
    for batch in frame.collect().await.map_err(failed())? {
        let columns = Columns::new(&batch).map_err(failed())?;
        for row in 0..batch.num_rows() {
            let key = [0, 1, 2, 3].map(|column| columns.text(column, row));
            let listed = columns.number(6, row);
            let counted_at = columns.time(7, row);
            let (landed, landed_then) = (columns.number(8, row), columns.number(9, row));
            let counts = Counts {
                listed,
                counted_at,
                landed: landed.unwrap_or(0),
                landed_then: landed_then.unwrap_or(0),
                is_final: columns.flag(10, row),
            };
            let judged: BTreeMap<String, i64> = checks
                .iter()
                .map(|check| {
                    let id = check.check_id().to_owned();
                    let count = judged.get(&(id.clone(), key.clone())).copied().unwrap_or(0);
                    (id, count)
                })
                .collect();
            let [organization, repository_id, branch, closed_month] = key;
            let place = format!(
                "{organization}/{}/{} branch `{branch}` in {closed_month}",
                columns.text(4, row),
                columns.text(5, row)
            );
            let found = counts.differences(&closed_month, from, to, &judged);
            comparison.differences.extend(found.into_iter().map(|what| format!("{place}: {what}")));
            let landed = counts.landed;
            comparison.populations.push(Population {
                organization,
                repository_id,
                branch,
                closed_month,
                listed,
                landed,
                judged,
            });
        }
    }
    unlisted(context, from, to, &mut comparison).await.map_err(failed())?;
    Ok(comparison)
}

/// Adds the projects whose pull requests are not known for a part of the period, or not as far as the rest of the lake.
async fn unlisted(
    context: &SessionContext,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    comparison: &mut Comparison,
) -> Result<(), DataFusionError> {
    let values = vec![("period_from", timestamp(from)), ("period_to", timestamp(to))];
    let frame = context.sql(UNLISTED).await?.with_param_values(values)?;
    for batch in frame.collect().await? {
        let columns = Columns::new(&batch)?;
        for row in 0..batch.num_rows() {
            let place = format!("{}/{}", columns.text(0, row), columns.text(1, row));
            let newest = columns.time(3, row).map(|newest| newest.min(to));
            match (columns.time(2, row), newest, columns.time(4, row)) {
                (None, ..) => comparison.differences.push(format!(
                    "{place}: no sync has read its pull requests; run `adolake sync`, or take it out of scope"
                )),
                (Some(asked), _, Some(unknown)) => comparison.differences.push(format!(
                    "{place}: its pull requests were asked for up to {}, and are not known from {} on",
                    instant_text(asked),
                    instant_text(unknown)
                )),
                (Some(asked), Some(newest), None) if asked < newest => comparison.warnings.push(format!(
                    "the pull requests of `{place}` were read up to {}, other things up to {}; run `adolake sync`, or take it out of scope",
                    instant_text(asked),
                    instant_text(newest)
                )),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The counts of one row, as they are compared.
struct Counts {
    listed: Option<i64>,
    counted_at: Option<DateTime<Utc>>,
    landed: i64,
    /// Merged up to the upper bound of the listing.
    landed_then: i64,
    /// The repository was counted for good in this month.
    is_final: bool,
}

impl Counts {
    fn differences(
        &self,
        month: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        judged: &BTreeMap<String, i64>,
    ) -> Vec<String> {
        let mut differences = Vec::new();
        let begins = first_of(month);
        let is_inside = begins.is_some_and(|begins| {
            let ends = next_month(begins);
            begins >= from && self.counted_at.map_or(ends, |at| at.min(ends)) <= to
        });
        if is_inside {
            match self.listed {
                Some(listed) if listed != self.landed_then => differences.push(format!(
                    "Azure DevOps listed {listed} merged pull requests, {} stand in the lake",
                    self.landed_then
                )),
                None if self.is_final && self.landed > 0 => differences.push(format!(
                    "Azure DevOps listed no merged pull request, {} stand in the lake",
                    self.landed
                )),
                _ => {}
            }
        }
        for (check, count) in judged.iter().filter(|(_, count)| **count != self.landed) {
            differences.push(format!(
                "{} merged pull requests stand in the lake, `{check}` judged {count}",
                self.landed
            ));
        }
        differences
    }
}

fn first_of(month: &str) -> Option<DateTime<Utc>> {
    let day = format!("{month}-01").parse::<chrono::NaiveDate>().ok()?;
    Some(day.and_time(chrono::NaiveTime::MIN).and_utc())
}

/// Judged pull requests by check and (organization, repository, branch, month).
type Judged = HashMap<(String, [String; 4]), i64>;

async fn judged(context: &SessionContext, checks: &[&Findings]) -> Result<Judged, DataFusionError> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("check_id", DataType::Utf8, false),
        Field::new("organization", DataType::Utf8, true),
        Field::new("repository_id", DataType::Utf8, true),
        Field::new("pull_request_id", DataType::Int64, true),
    ]));
    let mut batches = Vec::new();
    for check in checks {
        for batch in check.batches() {
            let ids = batch.project(&[0, 2, PULL_REQUEST_ID])?;
            let ids = filter_record_batch(&ids, &is_not_null(ids.column(2))?)?;
            let check_id = StringArray::from_iter_values(std::iter::repeat_n(
                check.check_id(),
                ids.num_rows(),
            ));
            let mut columns: Vec<Arc<dyn Array>> = vec![Arc::new(check_id)];
            columns.extend_from_slice(ids.columns());
            batches.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
        }
    }
    context.deregister_table(JUDGED_TABLE)?;
    context.register_table(JUDGED_TABLE, Arc::new(MemTable::try_new(schema, vec![batches])?))?;
    let mut judged = Judged::new();
    let answer = context.sql(JUDGED).await?.collect().await?;
    for batch in answer {
        let columns = Columns::new(&batch)?;
        for row in 0..batch.num_rows() {
            let key = [1, 2, 3, 4].map(|column| columns.text(column, row));
            let count = columns.number(5, row).unwrap_or(0);
            judged.insert((columns.text(0, row), key), count);
        }
    }
    context.deregister_table(JUDGED_TABLE)?;
    Ok(judged)
}

/// The cells of a small answer, texts in whatever form the engine chose.
struct Columns(RecordBatch);

impl Columns {
    fn new(batch: &RecordBatch) -> Result<Self, DataFusionError> {
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let to = match field.data_type() {
                DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
                other => other.clone(),
            };
            columns.push(cast(column, &to)?);
            fields.push(Field::new(field.name(), to, true));
        }
        Ok(Self(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?))
    }

    fn text(&self, column: usize, row: usize) -> String {
        let texts = self.0.column(column).as_string_opt::<i32>();
        texts
            .filter(|texts| !texts.is_null(row))
            .map_or_else(String::new, |t| t.value(row).to_owned())
    }

    fn number(&self, column: usize, row: usize) -> Option<i64> {
        let numbers = self.0.column(column).as_primitive_opt::<Int64Type>()?;
        (!numbers.is_null(row)).then(|| numbers.value(row))
    }

    fn time(&self, column: usize, row: usize) -> Option<DateTime<Utc>> {
        let times = self.0.column(column).as_primitive_opt::<TimestampMicrosecondType>()?;
        (!times.is_null(row)).then(|| DateTime::from_timestamp_micros(times.value(row))).flatten()
    }

    fn flag(&self, column: usize, row: usize) -> bool {
        let flags = self.0.column(column).as_boolean_opt();
        flags.is_some_and(|flags| !flags.is_null(row) && flags.value(row))
    }
}

fn failed() -> impl FnOnce(DataFusionError) -> Error {
    Error::engine("cannot count the population")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn told(counts: &Counts, judged: i64) -> usize {
        let judged = BTreeMap::from([("pull_request_approved".to_owned(), judged)]);
        let (from, to) = (at("2026-01-01T00:00:00Z"), at("2026-07-01T00:00:00Z"));
        counts.differences("2026-03", from, to, &judged).len()
    }

    #[test]
    fn counts_are_compared_as_far_as_they_can_be() {
        let counted_at = Some(at("2026-05-01T00:00:00Z"));
        let same =
            Counts { listed: Some(3), counted_at, landed: 3, landed_then: 3, is_final: true };
        assert_eq!(told(&same, 3), 0);
        assert_eq!(told(&same, 2), 1);
        let lost = Counts { landed: 2, landed_then: 2, ..same };
        assert_eq!(told(&lost, 2), 1);
        let uncounted = Counts { listed: None, counted_at: None, is_final: false, ..lost };
        assert_eq!(told(&uncounted, 2), 0);
        let surplus = Counts { is_final: true, ..uncounted };
        assert_eq!(told(&surplus, 2), 1);
        // Merged after the newest listing of the open month.
        let open = Counts {
            listed: Some(3),
            counted_at: Some(at("2026-03-10T00:00:00Z")),
            landed: 5,
            landed_then: 3,
            is_final: false,
        };
        assert_eq!(told(&open, 5), 0);
    }
}
