//! Cells → Arrow arrays and DataFusion scalars; rows of a batch by position.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;

use crate::schema::{Cell, Kind};

/// Builds the array of one column.
pub(crate) fn to_array<'a>(
    kind: Kind,
    cells: impl Iterator<Item = &'a Cell>,
) -> Result<ArrayRef, ArrowError> {
    Ok(match kind {
        Kind::Text => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
            Cell::Text(text) => Some(text.as_str()),
            _ => None,
        }))),
        Kind::BigInt => Arc::new(Int64Array::from_iter(cells.map(|cell| match cell {
            Cell::Int(value) => Some(*value),
            _ => None,
        }))),
        _ => {
            let scalars: Vec<ScalarValue> = cells.map(|cell| to_scalar(kind, cell)).collect();
            if scalars.is_empty() {
                return Ok(arrow::array::new_empty_array(&kind.arrow_type()));
            }
            ScalarValue::iter_to_array(scalars)
                .map_err(|error| ArrowError::ExternalError(Box::new(error)))?
        }
    })
}

/// Returns a cell as a scalar of its column's type; a cell of another kind is null.
pub(crate) fn to_scalar(kind: Kind, cell: &Cell) -> ScalarValue {
    match (kind, cell) {
        (Kind::Text, Cell::Text(text)) => ScalarValue::Utf8(Some(text.clone())),
        (Kind::Text, _) => ScalarValue::Utf8(None),
        (Kind::BigInt, Cell::Int(value)) => ScalarValue::Int64(Some(*value)),
        (Kind::BigInt, _) => ScalarValue::Int64(None),
        (Kind::Int, Cell::Int(value)) => ScalarValue::Int32(i32::try_from(*value).ok()),
        (Kind::Int, _) => ScalarValue::Int32(None),
        (Kind::Double, Cell::Float(value)) => ScalarValue::Float64(Some(*value)),
        (Kind::Double, _) => ScalarValue::Float64(None),
        (Kind::Boolean, Cell::Bool(value)) => ScalarValue::Boolean(Some(*value)),
        (Kind::Boolean, _) => ScalarValue::Boolean(None),
        (Kind::Date, Cell::Date(days)) => ScalarValue::Date32(Some(*days)),
        (Kind::Date, _) => ScalarValue::Date32(None),
        (Kind::Timestamp, cell) => {
            let micros = if let Cell::Time(micros) = cell { Some(*micros) } else { None };
            ScalarValue::TimestampMicrosecond(micros, Some("UTC".into()))
        }
    }
}

/// Returns how many bytes the texts of an array take, of a slice its own.
pub(crate) fn text_bytes(texts: &StringArray) -> usize {
    match texts.value_offsets() {
        [first, .., last] => usize::try_from(last - first).unwrap_or_default(),
        _ => 0,
    }
}

/// Returns the rows of a batch at some positions.
pub(crate) fn take_rows(
    batch: &RecordBatch,
    positions: impl IntoIterator<Item = usize>,
) -> Result<RecordBatch, ArrowError> {
    let positions: UInt32Array =
        positions.into_iter().map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect();
    take_record_batch(batch, &positions)
}
