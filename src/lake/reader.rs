//! A data file as the Parquet decoder reads it: small ones whole, large ones in ranges.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// Files up to this size are fetched whole: one request instead of one for each column.
const WHOLE_FILE_BYTES: u64 = 8 << 20;

/// Reads one file of an object store.
pub(crate) struct FileReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    whole: Option<Bytes>,
}

impl FileReader {
    pub(crate) fn new(store: &Arc<dyn ObjectStore>, path: Path, size: u64) -> Self {
        Self { store: Arc::clone(store), path, size, whole: None }
    }

    async fn fetch(&mut self, range: Range<u64>) -> Result<Bytes> {
        let failed = |error: object_store::Error| ParquetError::External(Box::new(error));
        if self.size > WHOLE_FILE_BYTES {
            return self.store.get_range(&self.path, range).await.map_err(failed);
        }
        let whole = match &self.whole {
            Some(whole) => whole,
            None => {
                let answer = self.store.get(&self.path).await.map_err(failed)?;
                self.whole.insert(answer.bytes().await.map_err(failed)?)
            }
        };
        let bounds = usize::try_from(range.start)?..usize::try_from(range.end)?;
        if bounds.end > whole.len() || bounds.start > bounds.end {
            return Err(ParquetError::EOF(format!("{} bytes, {} wanted", whole.len(), bounds.end)));
        }
        Ok(whole.slice(bounds))
    }
}

impl AsyncFileReader for FileReader {
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
