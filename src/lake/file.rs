//! Data files as the log names them: partition, size, and the ranges of their columns.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, SecondsFormat};
use datafusion::common;
use object_store::path::Path;
use parquet::data_type::ByteArray;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value};

use crate::schema::{Cell, Kind, Table};

/// Texts longer than this have no place in the log; the range of such a column is left out.
pub(crate) const LONGEST_TEXT: usize = 64;

/// Columns that get a range: the keys and times that scans filter by stand among the first.
const RANGED_COLUMNS: usize = 32;

/// A live data file of a table.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    /// Path within the table, decoded.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Rows; none where the log does not say.
    pub(crate) rows: Option<u64>,
    /// Values of the partition columns, in the table's order.
    pub(crate) partition: Vec<String>,
    /// What is known of each column, by position in the table.
    pub(crate) ranges: Vec<Range>,
    /// The same as scans want it, once asked for.
    pub(crate) scan_statistics: OnceLock<Arc<common::Statistics>>,
}

/// The smallest and largest value of a column in a file, and how often it is null.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) bounds: Option<(Cell, Cell)>,
    pub(crate) nulls: Option<u64>,
}

impl DataFile {
    /// Reads what the log says about a file.
    pub(crate) fn new(
        table: &Table,
        path: String,
        size: i64,
        partition: &HashMap<String, Option<String>>,
        stats: Option<&str>,
    ) -> Self {
        let partition = table
            .partition_names()
            .iter()
            .map(|name| partition.get(*name).cloned().flatten().unwrap_or_default())
            .collect();
        let stats: Value =
            stats.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let ranges = table
            .columns
            .iter()
            .map(|column| {
                let at = |part: &str| parse(column.kind, &stats[part][&column.name]);
                Range {
                    bounds: at("minValues")
                        .zip(at("maxValues").map(|max| rounded_up(max, column.kind))),
                    nulls: stats["nullCount"][&column.name].as_u64(),
                }
            })
            .collect();
        let rows = stats["numRecords"].as_u64();
        let size = u64::try_from(size).unwrap_or(0);
        Self { path, size, rows, partition, ranges, scan_statistics: OnceLock::new() }
    }

    /// Returns whether a row with this value in the column may be in the file.
    pub(crate) fn may_hold(&self, column: usize, cell: &Cell) -> bool {
        match &self.ranges[column].bounds {
            Some((min, max)) => !(less(cell, min) || less(max, cell)),
            None => true,
        }
    }
}

/// Compares two values of one column; null and values of different kinds are never less.
fn less(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Text(a), Cell::Text(b)) => a < b,
        (Cell::Int(a), Cell::Int(b)) | (Cell::Time(a), Cell::Time(b)) => a < b,
        (Cell::Date(a), Cell::Date(b)) => a < b,
        (Cell::Float(a), Cell::Float(b)) => a < b,
        _ => false,
    }
}

/// Bounds of instants are written to the millisecond, the upper one possibly cut by other writers.
fn rounded_up(max: Cell, kind: Kind) -> Cell {
    match (max, kind) {
        (Cell::Time(micros), Kind::Timestamp) if micros % 1000 == 0 => Cell::Time(micros + 999),
        (other, _) => other,
    }
}

fn parse(kind: Kind, value: &Value) -> Option<Cell> {
    Some(match kind {
        Kind::Text => Cell::Text(value.as_str()?.to_owned()),
        Kind::BigInt | Kind::Int => Cell::Int(value.as_i64()?),
        Kind::Double => Cell::Float(value.as_f64()?),
        Kind::Boolean => return None,
        Kind::Date => NaiveDate::parse_from_str(value.as_str()?, "%Y-%m-%d").ok()?.into(),
        Kind::Timestamp => {
            let text = value.as_str()?.replacen(' ', "T", 1);
            Cell::Time(DateTime::parse_from_rfc3339(&text).ok()?.timestamp_micros())
        }
    })
}

/// Collects what the log says about a file while its rows are written.
#[derive(Debug)]
pub(crate) struct Stats<'a> {
    table: &'a Table,
    rows: u64,
    ranges: Vec<Range>,
    /// By column, whether it holds values whose bounds are not known: then it has no range.
    is_open: Vec<bool>,
}

impl<'a> Stats<'a> {
    pub(crate) fn new(table: &'a Table) -> Self {
        let columns = table.columns.len();
        let (ranges, is_open) = (vec![Range::default(); columns], vec![false; columns]);
        Self { table, rows: 0, ranges, is_open }
    }

    /// Takes in rows; columns are matched by name. The bounds of texts come from what is written.
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for (index, column) in self.table.columns.iter().enumerate() {
            let Some(array) = batch.column_by_name(&column.name) else { continue };
            let range = &mut self.ranges[index];
            range.nulls = Some(range.nulls.unwrap_or(0) + array.null_count() as u64);
            if array.null_count() < array.len() && column.kind != Kind::Text {
                self.widen(index, bounds(column.kind, array));
            }
        }
    }

    /// Takes in the bounds of the texts in written row groups: to write them, all were compared.
    pub(crate) fn add_written(&mut self, groups: &[RowGroupMetaData]) {
        for column in groups.iter().flat_map(RowGroupMetaData::columns) {
            let index = self.table.index(column.column_descr().name());
            let Some(index) = index.filter(|own| self.table.columns[*own].kind == Kind::Text)
            else {
                continue;
            };
            let nulls = column.statistics().and_then(Statistics::null_count_opt);
            if nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(column.num_values())) {
                continue;
            }
            let exact = match column.statistics() {
                Some(Statistics::ByteArray(own)) if own.min_is_exact() && own.max_is_exact() => {
                    own.min_opt().zip(own.max_opt())
                }
                _ => None,
            };
            let text = |bytes: &ByteArray| Some(Cell::from(bytes.as_utf8().ok()?));
            self.widen(index, exact.and_then(|(min, max)| text(min).zip(text(max))));
        }
    }

    /// Widens the range of a column; none where values have no known bounds.
    fn widen(&mut self, index: usize, bounds: Option<(Cell, Cell)>) {
        if index >= RANGED_COLUMNS {
            return;
        }
        let range = &mut self.ranges[index];
        let Some((min, max)) = bounds.filter(|_| !self.is_open[index]) else {
            (self.is_open[index], range.bounds) = (true, None);
            return;
        };
        range.bounds = Some(match range.bounds.take() {
            Some((old_min, old_max)) => (
                if less(&min, &old_min) { min } else { old_min },
                if less(&old_max, &max) { max } else { old_max },
            ),
            None => (min, max),
        });
    }

    /// Returns the statistics as the log holds them.
    pub(crate) fn to_json(&self) -> String {
        let (mut min_values, mut max_values, mut nulls) = (Map::new(), Map::new(), Map::new());
        for (column, range) in self.table.columns.iter().zip(&self.ranges) {
            if let Some(count) = range.nulls {
                nulls.insert(column.name.clone(), count.into());
            }
            if let Some((min, max)) = &range.bounds
                && let Some((min, max)) = to_value(min, false).zip(to_value(max, true))
            {
                min_values.insert(column.name.clone(), min);
                max_values.insert(column.name.clone(), max);
            }
        }
        serde_json::json!({
            "numRecords": self.rows, "minValues": min_values, "maxValues": max_values, "nullCount": nulls,
        })
        .to_string()
    }
}

fn bounds(kind: Kind, array: &ArrayRef) -> Option<(Cell, Cell)> {
    Some(match kind {
        Kind::BigInt => {
            let array = array.as_primitive_opt::<Int64Type>()?;
            (compute::min(array)?.into(), compute::max(array)?.into())
        }
        Kind::Int => {
            let array = array.as_primitive_opt::<Int32Type>()?;
            (compute::min(array)?.into(), compute::max(array)?.into())
        }
        Kind::Double => {
            let array = array.as_primitive_opt::<Float64Type>()?;
            let (min, max) = (compute::min(array)?, compute::max(array)?);
            (min.is_finite() && max.is_finite()).then_some((min.into(), max.into()))?
        }
        Kind::Text | Kind::Boolean => return None,
        Kind::Date => {
            let array = array.as_primitive_opt::<Date32Type>()?;
            (Cell::Date(compute::min(array)?), Cell::Date(compute::max(array)?))
        }
        Kind::Timestamp => {
            let array = array.as_primitive_opt::<TimestampMicrosecondType>()?;
            (Cell::Time(compute::min(array)?), Cell::Time(compute::max(array)?))
        }
    })
}

fn to_value(cell: &Cell, is_upper: bool) -> Option<Value> {
    match cell {
        Cell::Text(text) => (text.len() <= LONGEST_TEXT).then(|| text.as_str().into()),
        Cell::Int(value) => Some((*value).into()),
        Cell::Float(value) => Some((*value).into()),
        Cell::Date(_) | Cell::Bool(_) | Cell::Null => {
            let Cell::Date(days) = cell else { return None };
            let date = NaiveDate::default()
                .checked_add_signed(chrono::Duration::days(i64::from(*days)))?;
            Some(date.format("%Y-%m-%d").to_string().into())
        }
        Cell::Time(micros) => {
            let millis =
                micros.div_euclid(1000) + i64::from(is_upper && micros.rem_euclid(1000) > 0);
            let time = DateTime::from_timestamp_millis(millis)?;
            Some(time.to_rfc3339_opts(SecondsFormat::Millis, true).into())
        }
    }
}

/// Returns the folder of a partition as other engines name it, ending with a slash; empty without partition columns.
pub(crate) fn partition_folder(table: &Table, partition: &[String]) -> String {
    let mut folder = String::new();
    for (name, value) in table.partition_names().iter().zip(partition) {
        folder.push_str(name);
        folder.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                folder.push(char::from(byte));
            } else {
                folder.push_str(&format!("%{byte:02X}"));
            }
        }
        folder.push('/');
    }
    folder
}

/// Returns the path of a file as the object store wants it, its percent signs kept.
pub(crate) fn object_path(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

/// Returns partition values by column name, as the log holds them.
pub(crate) fn partition_map(
    table: &Table,
    partition: &[String],
) -> HashMap<String, Option<String>> {
    let names = table.partition_names().into_iter().map(str::to_owned);
    names.zip(partition.iter().cloned().map(Some)).collect()
}

#[cfg(test)]
mod tests {
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::schema::{Catalog, Row, to_batch};

    /// Writes rows, each list as a row group.
    fn written<'t>(table: &'t Arc<Table>, groups: [&[Row]; 2]) -> Stats<'t> {
        let mut stats = Stats::new(table);
        let mut writer = ArrowWriter::try_new(Vec::new(), table.arrow_schema(), None).unwrap();
        for rows in groups {
            let batch = to_batch(table, rows).unwrap();
            writer.write(&batch).unwrap();
            writer.flush().unwrap();
            stats.add(&batch);
        }
        stats.add_written(writer.flushed_row_groups());
        stats
    }

    #[test]
    fn ranges_survive_the_log() {
        let catalog = Catalog::embedded().unwrap();
        let table = catalog.require("retention_settings").unwrap();
        let at = DateTime::from_timestamp_micros(1_767_225_600_123_456).unwrap();
        let rows: Vec<Row> = (0..3)
            .map(|number| {
                let mut row = Row::new(table);
                row.set("organization", "contoso").set("project_id", format!("p{number}"));
                row.set("first_seen_at", at + chrono::Duration::microseconds(number));
                row.set("purge_runs_days", number)
                    .set("_run_id", "r")
                    .set("_synced_at", at)
                    .set("_hash", "h");
                row
            })
            .collect();
        let stats = written(table, [&rows[..2], &rows[2..]]);
        let partition = HashMap::from([("organization".to_owned(), Some("contoso".to_owned()))]);
        let file = DataFile::new(table, "f".into(), 7, &partition, Some(&stats.to_json()));
        assert_eq!((file.rows, file.partition.clone()), (Some(3), vec!["contoso".to_owned()]));
        let project = table.index("project_id").unwrap();
        assert!(file.may_hold(project, &"p1".into()) && !file.may_hold(project, &"p3".into()));
        let seen = table.index("first_seen_at").unwrap();
        assert!(rows.iter().all(|row| file.may_hold(seen, row.get("first_seen_at"))));
        assert!(!file.may_hold(seen, &(at + chrono::Duration::seconds(1)).into()));
        let null =
            table.columns.iter().position(|c| c.is_nullable && !c.name.starts_with("purge_runs"));
        assert_eq!(null.map(|index| file.ranges[index].nulls), Some(Some(3)));
    }

    #[test]
    fn long_texts_among_short_ones_leave_no_range() {
        let catalog = Catalog::embedded().unwrap();
        let table = catalog.require("projects").unwrap();
        let row = |name: &str| {
            let mut row = Row::new(table);
            let at = DateTime::from_timestamp(0, 0);
            row.set("organization", "contoso").set("project_id", "p").set("name", name);
            row.set("first_seen_at", at).set("_run_id", "r").set("_synced_at", at);
            row.set("_hash", "h");
            row
        };
        let (long, short) = (row(&"a".repeat(LONGEST_TEXT + 1)), row("m"));
        let name = table.index("name").unwrap();
        for order in [[&long, &short], [&short, &long], [&short, &short]] {
            let stats = written(table, order.map(std::slice::from_ref));
            let (partition, stats) = (HashMap::new(), stats.to_json());
            let file = DataFile::new(table, "f".into(), 7, &partition, Some(&stats));
            let is_short = order.iter().all(|row| **row == short);
            assert_eq!(file.may_hold(name, &"b".into()), !is_short, "{stats}");
        }
    }

    #[test]
    fn partition_folders_are_escaped() {
        let catalog = Catalog::embedded().unwrap();
        let table = catalog.require("pushes").unwrap();
        let partition = ["my org/ü".to_owned(), "2026-01".to_owned()];
        assert_eq!(
            partition_folder(table, &partition),
            "organization=my%20org%2F%C3%BC/pushed_month=2026-01/"
        );
    }
}
