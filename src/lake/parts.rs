//! Rows → Parquet files of one partition.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use deltalake::kernel::Add;
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use super::error::Error;
use super::file::{Stats, object_path, partition_folder, partition_map};
use super::log::Log;
use crate::schema::Table;

/// A file is closed once it holds about so many bytes.
const FILE_BYTES: usize = 64 << 20;

/// Rows of a row group: the unit that a scan skips or hands to a core.
const ROW_GROUP_ROWS: usize = 64 << 10;

/// Writes the rows of one partition into as few files as their size allows.
pub(crate) struct PartWriter<'a> {
    log: &'a Log,
    partition: Vec<String>,
    schema: SchemaRef,
    open: Option<(ArrowWriter<Vec<u8>>, Stats<'a>)>,
    done: Vec<Add>,
    now_ms: i64,
}

impl<'a> PartWriter<'a> {
    pub(crate) fn new(log: &'a Log, partition: Vec<String>, now_ms: i64) -> Self {
        Self {
            log,
            partition,
            schema: file_schema(&log.table),
            open: None,
            done: Vec::new(),
            now_ms,
        }
    }

    /// Takes in rows of the partition; columns are matched by name, partition columns dropped.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let log = self.log;
        let failed = |source| log.file_error("write", &self.partition.join("/"), source);
        let positions: Result<Vec<usize>, _> = self
            .schema
            .fields()
            .iter()
            .map(|field| batch.schema().index_of(field.name()))
            .collect();
        let batch = positions
            .and_then(|positions| batch.project(&positions))
            .and_then(|batch| {
                RecordBatch::try_new(Arc::clone(&self.schema), batch.columns().to_vec())
            })
            .map_err(|source| failed(source.into()))?;
        let (writer, stats) = match &mut self.open {
            Some(open) => open,
            closed => {
                let writer =
                    ArrowWriter::try_new(Vec::new(), Arc::clone(&self.schema), Some(properties()));
                closed.insert((writer.map_err(failed)?, Stats::new(&log.table)))
            }
        };
        writer.write(&batch).map_err(failed)?;
        stats.add(&batch);
        let size = writer.bytes_written() + writer.in_progress_size();
        if size >= FILE_BYTES { self.close().await } else { Ok(()) }
    }

    async fn close(&mut self) -> Result<(), Error> {
        let Some((writer, stats)) = self.open.take() else { return Ok(()) };
        let folder = partition_folder(&self.log.table, &self.partition);
        let path = format!("{folder}part-{}.zstd.parquet", Uuid::now_v7());
        let bytes =
            writer.into_inner().map_err(|source| self.log.file_error("write", &path, source))?;
        self.done.push(Add {
            path: path.clone(),
            partition_values: partition_map(&self.log.table, &self.partition),
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            modification_time: self.now_ms,
            data_change: true,
            stats: Some(stats.to_json()),
            ..Add::default()
        });
        let put = self.log.place.store.put(&object_path(&path), bytes.into()).await;
        put.map_err(|source| Error::storage("write", self.log.place.name.clone(), source))?;
        Ok(())
    }

    /// Closes the last file and returns what goes into the log.
    pub(crate) async fn finish(mut self) -> Result<Vec<Add>, Error> {
        self.close().await?;
        Ok(self.done)
    }
}

/// Returns the Arrow schema of a data file: the table's without the partition columns.
fn file_schema(table: &Table) -> SchemaRef {
    let all = table.arrow_schema();
    let own =
        all.fields().iter().enumerate().filter(|(index, _)| !table.partitions.contains(index));
    Arc::new(Schema::new(own.map(|(_, field)| Arc::clone(field)).collect::<Vec<_>>()))
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(concat!("adolake ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}
