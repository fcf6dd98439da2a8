//! One published file: the rows of a partition in the order of their key, put together on disk before they are sent.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::dataframe::DataFrame;
use futures::TryStreamExt as _;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sha2::{Digest as _, Sha256};

use super::error::Error;

/// Rows of a row group: enough for scans to read at full speed, few enough to skip what a filter rules out.
const ROW_GROUP_ROWS: usize = 128 << 10;
/// A row group is closed once it holds so many bytes, however few its rows are.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// A file that is ready to be sent.
pub(super) struct Built {
    pub(super) file: File,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Returns the schema of a published file: what is asked for without the partition columns, in types every reader knows.
pub(super) fn file_schema(asked: &Schema, partitions: &[String]) -> SchemaRef {
    let own = asked.fields().iter().filter(|field| !partitions.contains(field.name()));
    let fields = own.map(|field| {
        let kind = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            other => other.clone(),
        };
        Field::new(field.name(), kind, field.is_nullable())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Puts a file together from rows that come in order.
pub(super) async fn build(
    table: &str,
    path: &str,
    rows: DataFrame,
    schema: &SchemaRef,
) -> Result<Built, Error> {
    let unread = Error::rows(table);
    let failed = |source: ParquetError| Error::File { file: path.to_owned(), source };
    let file = tempfile::tempfile().map_err(|error| failed(error.into()))?;
    let hashing = Hashing { file: BufWriter::new(file), hash: Sha256::new(), bytes: 0 };
    let mut writer =
        ArrowWriter::try_new(hashing, Arc::clone(schema), Some(properties())).map_err(failed)?;
    let mut count = 0;
    let mut batches = rows.execute_stream().await.map_err(&unread)?;
    while let Some(batch) = batches.try_next().await.map_err(&unread)? {
        count += batch.num_rows() as u64;
        let batch = conform(&batch, schema).map_err(|error| unread(error.into()))?;
        writer.write(&batch).map_err(failed)?;
        if writer.in_progress_size() >= ROW_GROUP_BYTES {
            writer.flush().map_err(failed)?;
        }
    }
    let Hashing { file, hash, bytes } = writer.into_inner().map_err(failed)?;
    let file = file.into_inner().map_err(|error| failed(error.into_error().into()))?;
    let sha256 = hex::encode(hash.finalize());
    Ok(Built { file, rows: count, bytes, sha256 })
}

fn conform(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let columns = schema.fields().iter().map(|field| {
        let index = batch.schema().index_of(field.name())?;
        cast(batch.column(index), field.data_type())
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(concat!("adolake ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

/// Counts and hashes what is written.
struct Hashing {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
