//! Writes cells of any Arrow array as JSON.

use std::fmt::Write as _;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use datafusion::common::exec_err;
use datafusion::error::Result;

use chrono::DateTime;

use crate::checks::instant::instant_text;

/// An array made ready: numbers widened, texts plain, times in UTC microseconds.
pub(super) struct Writer {
    nulls: ArrayRef,
    form: Form,
}

enum Form {
    Null,
    Boolean(ArrayRef),
    Integer(ArrayRef),
    Unsigned(ArrayRef),
    Float(ArrayRef),
    /// Numbers whose text is JSON as it stands.
    Decimal(ArrayRef),
    Text(ArrayRef),
    Time(ArrayRef),
    Struct(Vec<(String, Writer)>),
    List(ArrayRef, Box<Writer>),
}

impl Writer {
    /// Prepares `array` for writing.
    pub(super) fn new(array: &ArrayRef) -> Result<Self> {
        let as_type = |to: DataType| cast(array, &to);
        let form = match array.data_type() {
            DataType::Null => Form::Null,
            DataType::Boolean => Form::Boolean(array.clone()),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                Form::Integer(as_type(DataType::Int64)?)
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                Form::Unsigned(as_type(DataType::UInt64)?)
            }
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                Form::Float(as_type(DataType::Float64)?)
            }
            DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..) => Form::Decimal(as_type(DataType::Utf8)?),
            DataType::Timestamp(..) => {
                Form::Time(as_type(DataType::Timestamp(TimeUnit::Microsecond, None))?)
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                let pairs = fields.iter().zip(columns);
                let writers = pairs
                    .map(|(field, column)| Ok((quoted(field.name()), Self::new(column)?)))
                    .collect::<Result<_>>()?;
                Form::Struct(writers)
            }
            DataType::List(_) => {
                let items = Self::new(array.as_list::<i32>().values())?;
                Form::List(array.clone(), Box::new(items))
            }
            DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::ListView(item)
            | DataType::LargeListView(item) => {
                return Self::new(&as_type(DataType::List(item.clone()))?);
            }
            DataType::Dictionary(_, value) => return Self::new(&as_type((**value).clone())?),
            DataType::Map(..) | DataType::Union(..) | DataType::RunEndEncoded(..) => {
                return exec_err!("to_json does not take {}", array.data_type());
            }
            _ => Form::Text(as_type(DataType::Utf8)?),
        };
        Ok(Self { nulls: array.clone(), form })
    }

    /// Appends the JSON of one cell.
    pub(super) fn write(&self, row: usize, out: &mut String) {
        if self.nulls.is_null(row) {
            out.push_str("null");
            return;
        }
        match &self.form {
            Form::Null => out.push_str("null"),
            Form::Boolean(array) => {
                out.push_str(if array.as_boolean().value(row) { "true" } else { "false" });
            }
            Form::Integer(array) => {
                push(out, format_args!("{}", array.as_primitive::<Int64Type>().value(row)));
            }
            Form::Unsigned(array) => {
                push(out, format_args!("{}", array.as_primitive::<UInt64Type>().value(row)));
            }
            Form::Float(array) => {
                let value = array.as_primitive::<Float64Type>().value(row);
                // JSON knows no infinities: serde_json writes them as null.
                out.push_str(&serde_json::json!(value).to_string());
            }
            Form::Decimal(array) => out.push_str(array.as_string::<i32>().value(row)),
            Form::Text(array) => out.push_str(&quoted(array.as_string::<i32>().value(row))),
            Form::Time(array) => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                match DateTime::from_timestamp_micros(micros) {
                    Some(at) => push(out, format_args!("\"{}\"", instant_text(at))),
                    None => out.push_str("null"),
                }
            }
            Form::Struct(fields) => {
                for (index, (name, writer)) in fields.iter().enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    out.push_str(name);
                    out.push(':');
                    writer.write(row, out);
                }
                out.push_str(if fields.is_empty() { "{}" } else { "}" });
            }
            Form::List(array, items) => {
                let offsets = array.as_list::<i32>().value_offsets();
                // Offsets are never negative and ascend.
                let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
                out.push('[');
                for item in from..to {
                    if item > from {
                        out.push(',');
                    }
                    items.write(item, out);
                }
                out.push(']');
            }
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a String does not fail");
}
