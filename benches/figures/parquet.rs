//! What the settings of data files cost and bring: bytes, and the time of scans, beside those of other settings.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adolake::lake::{Lake, file_properties};
use adolake::schema::Table;
use anyhow::Context as _;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

use crate::place::Place;
use crate::{line, title};

/// Rows whose order is kept while the order of a file is taken apart: none of two neighbours stay so.
const STRIDE: usize = 7_919;

/// The rows of one file, sorted by key.
struct Part {
    rows: RecordBatch,
    key: Vec<String>,
}

/// How files are written.
struct Choice {
    name: &'static str,
    change: fn(WriterPropertiesBuilder) -> WriterPropertiesBuilder,
    is_sorted: bool,
    /// Whether small columns are left as they are.
    spares_small: bool,
    /// Whether all columns get a dictionary, or none does.
    dictionaries: Option<bool>,
}

/// What files of a choice come to.
#[derive(Default)]
struct Cost {
    bytes: usize,
    write: Duration,
    scan: Duration,
    keys: Duration,
}

/// Writes all rows of the lake anew, a file for each partition, in several ways, and reads them.
///
/// # Errors
/// When the lake cannot be read.
pub async fn measure(place: &Place, times: usize) -> anyhow::Result<()> {
    title("settings of data files, one file for each partition, in memory");
    let lake = place.lake()?;
    let parts = parts(&lake).await?;
    let rows: usize = parts.iter().map(|part| part.rows.num_rows()).sum();
    let pull_requests = place.size.pull_requests() as f64;
    line("rewritten", &format!("{} files, {rows} rows", parts.len()));
    let mut chosen: Option<Cost> = None;
    for choice in choices() {
        let cost = cost(&parts, &choice, times)?;
        let first = chosen.as_ref().unwrap_or(&cost);
        let ratio = |own: Duration, first: Duration| own.as_secs_f64() / first.as_secs_f64();
        line(
            choice.name,
            &format!(
                "{:>7.1} bytes per pull request ({:.2}), write {:>6.3} s ({:.2}), scan {:>6.3} s ({:.2}), keys {:>6.3} s ({:.2})",
                cost.bytes as f64 / pull_requests,
                cost.bytes as f64 / first.bytes as f64,
                cost.write.as_secs_f64(),
                ratio(cost.write, first.write),
                cost.scan.as_secs_f64(),
                ratio(cost.scan, first.scan),
                cost.keys.as_secs_f64(),
                ratio(cost.keys, first.keys),
            ),
        );
        chosen.get_or_insert(cost);
    }
    Ok(())
}

fn choices() -> Vec<Choice> {
    let made = |name, change| Choice {
        name,
        change,
        is_sorted: true,
        spares_small: true,
        dictionaries: None,
    };
    vec![
        made("the choice", |own| own),
        Choice { is_sorted: false, ..made("not sorted", |own| own) },
        Choice { spares_small: false, ..made("small columns compressed", |own| own) },
        made("zstd 3", |own| own.set_compression(zstd(3))),
        made("zstd 9", |own| own.set_compression(zstd(9))),
        made("snappy", |own| own.set_compression(Compression::SNAPPY)),
        made("uncompressed", |own| own.set_compression(Compression::UNCOMPRESSED)),
        Choice { dictionaries: Some(false), ..made("no dictionaries", |own| own) },
        Choice { dictionaries: Some(true), ..made("dictionaries of all columns", |own| own) },
        made("page statistics and offsets", |own| {
            own.set_statistics_enabled(EnabledStatistics::Page).set_offset_index_disabled(false)
        }),
        made("row groups of 8,192 rows", |own| own.set_max_row_group_row_count(Some(8_192))),
        made("row groups of 1,048,576 rows", |own| own.set_max_row_group_row_count(Some(1 << 20))),
        made("data pages of version 2", |own| own.set_writer_version(WriterVersion::PARQUET_2_0)),
    ]
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default())
}

/// Reads the rows of the lake, partition by partition.
async fn parts(lake: &Lake) -> anyhow::Result<Vec<Part>> {
    let session = lake.session().await?;
    let partitions = lake.partitions(&session).await?;
    let mut parts = Vec::new();
    for name in session.versions.keys() {
        let table = lake.catalog().require(name)?;
        let named = |at: &usize| table.columns[*at].name.clone();
        let own: Vec<String> = table.partitions.iter().map(named).collect();
        let key: Vec<String> = table.key.iter().map(named).filter(|c| !own.contains(c)).collect();
        let others = table.columns.iter().map(|column| &column.name).filter(|c| !own.contains(c));
        let others = others.cloned().collect::<Vec<_>>().join(", ");
        for partition in partitions.get(name).into_iter().flatten() {
            let equals = partition.values.iter();
            let equals = equals
                .map(|(column, value)| format!(" and {column} = '{}'", value.replace('\'', "''")));
            let wanted = equals.fold("true".to_owned(), |text, next| text + &next);
            let order = if key.is_empty() {
                String::new()
            } else {
                format!(" order by {}", key.join(", "))
            };
            let sql = format!("select {others} from {name} where {wanted}{order}");
            let batches = session.ctx.sql(&sql).await?.collect().await?;
            let Some(first) = batches.first() else { continue };
            let rows = arrow::compute::concat_batches(&first.schema(), &batches)?;
            parts.push(Part { rows: in_types_of(table, &rows)?, key: key.clone() });
        }
    }
    Ok(parts)
}

/// Gives answers of the query engine the types of the table, as which they are written.
fn in_types_of(table: &Table, rows: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let own = table.arrow_schema();
    let columns = rows.schema_ref().fields().iter().zip(rows.columns()).map(|(field, column)| {
        let to = own.field_with_name(field.name())?;
        Ok((to.clone().with_nullable(true), cast(column, to.data_type())?))
    });
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) =
        columns.collect::<anyhow::Result<Vec<_>>>()?.into_iter().unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn cost(parts: &[Part], choice: &Choice, times: usize) -> anyhow::Result<Cost> {
    let mut best: Option<Cost> = None;
    for _ in 0..times {
        let mut cost = Cost::default();
        for part in parts {
            let rows = if choice.is_sorted { part.rows.clone() } else { disordered(&part.rows)? };
            let begun = Instant::now();
            let mut own = file_properties(&rows, choice.spares_small);
            for field in rows.schema_ref().fields().iter() {
                if let Some(has_dictionary) = choice.dictionaries {
                    let path = ColumnPath::from(field.name().as_str());
                    own = own.set_column_dictionary_enabled(path, has_dictionary);
                }
            }
            let properties = (choice.change)(own).build();
            let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties))?;
            writer.write(&rows)?;
            let bytes = Bytes::from(writer.into_inner()?);
            cost.write += begun.elapsed();
            cost.bytes += bytes.len();
            let begun = Instant::now();
            read(&bytes, None)?;
            cost.scan += begun.elapsed();
            let begun = Instant::now();
            read(&bytes, Some(&part.key))?;
            cost.keys += begun.elapsed();
        }
        best = Some(match best {
            Some(best) => Cost {
                bytes: cost.bytes,
                write: best.write.min(cost.write),
                scan: best.scan.min(cost.scan),
                keys: best.keys.min(cost.keys),
            },
            None => cost,
        });
    }
    best.context("nothing was measured")
}

/// Reads all rows of a file, all columns or some.
fn read(bytes: &Bytes, columns: Option<&[String]>) -> anyhow::Result<()> {
    let options = ArrowReaderOptions::new();
    let mut reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options)?;
    if let Some(columns) = columns {
        let names = columns.iter().map(String::as_str);
        let mask = ProjectionMask::columns(reader.parquet_schema(), names);
        reader = reader.with_projection(mask);
    }
    for batch in reader.with_batch_size(8_192).build()? {
        std::hint::black_box(batch?);
    }
    Ok(())
}

/// Takes rows out of order.
fn disordered(rows: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let count = rows.num_rows();
    let mut order: Vec<u32> = (0..u32::try_from(count)?).collect();
    order.sort_by_key(|&at| (at as usize).wrapping_mul(STRIDE) % count.max(1));
    let order = arrow::array::UInt32Array::from(order);
    Ok(arrow::compute::take_record_batch(rows, &order)?)
}
