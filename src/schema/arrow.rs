//! Rows ↔ Arrow batches of a table.

use std::sync::Arc;

use ::arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Date32Builder, Float64Builder, Int32Builder,
    Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder, TimestampMicrosecondBuilder,
};
use ::arrow::compute::cast;
use ::arrow::datatypes::{
    Date32Type, Float64Type, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};

use super::error::Error;
use super::row::{Cell, Row};
use super::table::{Kind, Table};

/// Builds the Arrow batch of some rows, columns as in the table.
///
/// # Errors
/// Fails when a column that must not be null is, naming the row's key.
pub fn to_batch(table: &Arc<Table>, rows: &[Row]) -> Result<RecordBatch, Error> {
    (0..table.columns.len()).try_for_each(|index| demand_values(table, rows, index))?;
    batch(table, table.arrow_schema(), rows)
}

/// Builds the same of rows that are not complete yet: every column may hold nulls.
pub(crate) fn to_partial_batch(table: &Arc<Table>, rows: &[Row]) -> Result<RecordBatch, Error> {
    let all = table.arrow_schema();
    let fields = all.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    batch(table, Arc::new(Schema::new(fields.collect::<Vec<_>>())), rows)
}

fn batch(table: &Table, schema: SchemaRef, rows: &[Row]) -> Result<RecordBatch, Error> {
    let columns = (0..table.columns.len()).map(|index| column(table, rows, index)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|source| Error::Batch { table: table.name.clone(), source })
}

macro_rules! build {
    ($builder:expr, $rows:expr, $index:expr, $pattern:pat => $value:expr) => {{
        let mut builder = $builder;
        for row in $rows {
            match &row.cells()[$index] {
                $pattern => builder.append_value($value),
                _ => builder.append_null(),
            }
        }
        Arc::new(builder.finish()) as ArrayRef
    }};
}

fn demand_values(table: &Table, rows: &[Row], index: usize) -> Result<(), Error> {
    let column = &table.columns[index];
    if !column.is_nullable
        && let Some(row) = rows.iter().find(|row| row.cells()[index].is_null())
    {
        let key: Vec<String> =
            table.key.iter().map(|&key| format!("{:?}", row.cells()[key])).collect();
        let (table, column) = (table.name.clone(), column.name.clone());
        return Err(Error::MissingValue { table, column, row: key.join(", ") });
    }
    Ok(())
}

fn column(table: &Table, rows: &[Row], index: usize) -> ArrayRef {
    let count = rows.len();
    match table.columns[index].kind {
        Kind::Text => {
            let length = |row: &Row| match &row.cells()[index] {
                Cell::Text(text) => text.len(),
                _ => 0,
            };
            let bytes = rows.iter().map(length).sum();
            build!(StringBuilder::with_capacity(count, bytes), rows, index, Cell::Text(v) => v)
        }
        Kind::BigInt => build!(Int64Builder::with_capacity(count), rows, index, Cell::Int(v) => *v),
        Kind::Int => {
            build!(Int32Builder::with_capacity(count), rows, index, Cell::Int(v) => i32::try_from(*v).unwrap_or(i32::MAX))
        }
        Kind::Double => {
            build!(Float64Builder::with_capacity(count), rows, index, Cell::Float(v) => *v)
        }
        Kind::Boolean => {
            build!(BooleanBuilder::with_capacity(count), rows, index, Cell::Bool(v) => *v)
        }
        Kind::Date => build!(Date32Builder::with_capacity(count), rows, index, Cell::Date(v) => *v),
        Kind::Timestamp => {
            let builder = TimestampMicrosecondBuilder::with_capacity(count).with_timezone("UTC");
            build!(builder, rows, index, Cell::Time(v) => *v)
        }
    }
}

/// Reads rows back from a batch; columns are matched by name, those it lacks are null.
///
/// # Errors
/// Fails when a column of the batch cannot be read as the type of the schema.
pub fn from_batch(table: &Arc<Table>, batch: &RecordBatch) -> Result<Vec<Row>, Error> {
    let mut rows = vec![Row::new(table); batch.num_rows()];
    for (index, column) in table.columns.iter().enumerate() {
        let Some(array) = batch.column_by_name(&column.name) else { continue };
        let wrong = || Error::Type {
            table: table.name.clone(),
            column: column.name.clone(),
            found: array.data_type().to_string(),
            expected: column.kind.sql().to_owned(),
        };
        // Scans may hand out views or dictionaries of the same values.
        let array = cast(array, &column.kind.arrow_type()).map_err(|_| wrong())?;
        for (position, row) in rows.iter_mut().enumerate() {
            if !array.is_null(position) {
                row.cells_mut()[index] = cell(column.kind, &array, position);
            }
        }
    }
    Ok(rows)
}

/// Returns the values of an array of a column's type.
pub(crate) fn to_cells(kind: Kind, array: &ArrayRef) -> Vec<Cell> {
    let value = |at: usize| if array.is_null(at) { Cell::Null } else { cell(kind, array, at) };
    (0..array.len()).map(value).collect()
}

fn cell(kind: Kind, array: &ArrayRef, position: usize) -> Cell {
    match kind {
        Kind::Text => Cell::Text(array.as_string::<i32>().value(position).to_owned()),
        Kind::BigInt => Cell::Int(array.as_primitive::<Int64Type>().value(position)),
        Kind::Int => Cell::Int(array.as_primitive::<Int32Type>().value(position).into()),
        Kind::Double => Cell::Float(array.as_primitive::<Float64Type>().value(position)),
        Kind::Boolean => Cell::Bool(array.as_boolean().value(position)),
        Kind::Date => Cell::Date(array.as_primitive::<Date32Type>().value(position)),
        Kind::Timestamp => {
            Cell::Time(array.as_primitive::<TimestampMicrosecondType>().value(position))
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeZone, Utc};

    use super::super::{Catalog, parse_table};
    use super::*;

    #[test]
    fn rows_survive_the_way_there_and_back() {
        let sql = "-- Written by: a test.\nCREATE TABLE kinds (\n a STRING COMMENT 'c',\n b BIGINT COMMENT 'c',\n c INT COMMENT 'c',\n d DOUBLE COMMENT 'c',\n e BOOLEAN COMMENT 'c',\n f DATE COMMENT 'c',\n g TIMESTAMP COMMENT 'c',\n PRIMARY KEY (a)\n)\nCOMMENT 'Kinds.'\nTBLPROPERTIES ('adolake.write' = 'append')\n";
        let table = Arc::new(parse_table("kinds.sql", sql).unwrap());
        let mut row = Row::new(&table);
        row.set("a", "text").set("b", 1_i64 << 40).set("c", -3).set("d", 0.5).set("e", true);
        row.set("f", NaiveDate::from_ymd_opt(2026, 1, 31))
            .set("g", Utc.with_ymd_and_hms(2026, 1, 31, 12, 0, 0).unwrap());
        let rows = vec![row, Row::new(&table)];
        let batch = to_batch(&table, &rows).unwrap();
        assert_eq!(batch.schema(), table.arrow_schema());
        assert_eq!(from_batch(&table, &batch).unwrap(), rows);
    }

    #[test]
    fn a_missing_value_is_named() {
        let catalog = Catalog::embedded().unwrap();
        let table = catalog.require("projects").unwrap();
        let mut row = Row::new(table);
        row.set("organization", "contoso").set("project_id", "p1");
        let error = to_batch(table, &[row]).unwrap_err().to_string();
        assert_eq!(
            error,
            r#"table `projects`: column `name` must not be null (row Text("contoso"), Text("p1"))"#
        );
    }
}
