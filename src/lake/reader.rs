//! A data file as the Parquet decoder reads it: small ones whole, large ones in ranges.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tokio::sync::OnceCell;

use super::error::Error;
use super::file::{DataFile, object_path};
use super::log::Log;
use crate::schema::Table;

/// Files up to this size are fetched whole: one request instead of one for each column.
const WHOLE_FILE_BYTES: u64 = 8 << 20;

/// Rows decoded at a time.
const BATCH_ROWS: usize = 8192;

/// Reads the rows of one file, as often as asked.
pub(crate) struct FileReader<'a> {
    log: &'a Log,
    file: &'a DataFile,
    ranges: RangeReader,
    metadata: OnceCell<ArrowReaderMetadata>,
}

impl<'a> FileReader<'a> {
    pub(crate) fn new(log: &'a Log, file: &'a DataFile) -> Self {
        let ranges = RangeReader {
            store: Arc::clone(&log.place.store),
            path: object_path(&file.path),
            size: file.size,
            whole: Arc::default(),
        };
        Self { log, file, ranges, metadata: OnceCell::new() }
    }

    /// Reads some columns in the types and order of the table, partition columns included; only the rows at the
    /// given positions, which rise, or all.
    pub(crate) async fn batches(
        &self,
        columns: &[usize],
        positions: Option<&[usize]>,
    ) -> std::result::Result<BoxStream<'a, std::result::Result<RecordBatch, Error>>, Error> {
        let (log, file) = (self.log, self.file);
        let failed = |source| log.file_error("read", &file.path, source);
        let mut ranges = self.ranges.clone();
        let load = ArrowReaderMetadata::load_async(&mut ranges, ArrowReaderOptions::new());
        let metadata = self.metadata.get_or_try_init(|| load).await.map_err(failed)?.clone();
        let mut builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(self.ranges.clone(), metadata);
        if let Some(positions) = positions {
            let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
            let chosen = positions.iter().map(|&at| at..at + 1);
            builder =
                builder.with_row_selection(RowSelection::from_consecutive_ranges(chosen, rows));
        }
        let table = Arc::clone(&log.table);
        let columns = columns.to_vec();
        let names = columns.iter().map(|&column| table.columns[column].name.as_str());
        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
        let batches =
            builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(failed)?;
        let batches = batches.map(move |batch| {
            let batch = batch.and_then(|batch| Ok(conform(&table, &columns, file, &batch)?));
            batch.map_err(|source| log.file_error("read", &file.path, source))
        });
        Ok(batches.boxed())
    }
}

/// Fetches parts of one file of an object store.
#[derive(Clone)]
struct RangeReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    whole: Arc<OnceCell<Bytes>>,
}

impl RangeReader {
    async fn fetch(&self, range: Range<u64>) -> Result<Bytes> {
        let failed = |error: object_store::Error| ParquetError::External(Box::new(error));
        if self.size > WHOLE_FILE_BYTES {
            return self.store.get_range(&self.path, range).await.map_err(failed);
        }
        let fetch = async || self.store.get(&self.path).await?.bytes().await;
        let whole = self.whole.get_or_try_init(fetch).await.map_err(failed)?;
        let bounds = usize::try_from(range.start)?..usize::try_from(range.end)?;
        if bounds.end > whole.len() || bounds.start > bounds.end {
            return Err(ParquetError::EOF(format!("{} bytes, {} wanted", whole.len(), bounds.end)));
        }
        Ok(whole.slice(bounds))
    }
}

impl AsyncFileReader for RangeReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.fetch(range).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            if self.size > WHOLE_FILE_BYTES {
                let bytes = self.store.get_ranges(&self.path, &ranges).await;
                return bytes.map_err(|error| ParquetError::External(Box::new(error)));
            }
            let mut parts = Vec::with_capacity(ranges.len());
            for range in ranges {
                parts.push(self.fetch(range).await?);
            }
            Ok(parts)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

fn conform(
    table: &Table,
    columns: &[usize],
    file: &DataFile,
    batch: &RecordBatch,
) -> Result<RecordBatch, ArrowError> {
    let count = batch.num_rows();
    let mut fields: Vec<Field> = Vec::with_capacity(columns.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for &index in columns {
        let column = &table.columns[index];
        let kind = column.kind.arrow_type();
        let partition = table.partitions.iter().position(|&own| own == index);
        let array = match (partition, batch.column_by_name(&column.name)) {
            (Some(position), _) => {
                let value = file.partition[position].as_str();
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, count)))
            }
            (None, Some(array)) if *array.data_type() == kind => Arc::clone(array),
            (None, Some(array)) => cast(array, &kind)?,
            (None, None) => new_null_array(&kind, count),
        };
        fields.push(Field::new(&column.name, kind, true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
}
