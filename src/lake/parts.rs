//! Rows → Parquet files of one partition.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayAccessor, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use datafusion::common::HashSet;
use deltalake::kernel::Add;
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use uuid::Uuid;

use super::cells::text_bytes;
use super::error::Error;
use super::file::{LONGEST_TEXT, Stats, object_path, partition_folder, partition_map};
use super::keys::{FileKeys, KeyHasher};
use super::log::Log;
use crate::schema::Table;

/// A file is closed once it holds about so many bytes.
const FILE_BYTES: usize = 64 << 20;

/// A column of so few bytes is not worth compressing: setting the codec up takes longer than it saves in reading.
const SMALL_COLUMN: usize = 4 << 10;

/// Values of a column that are looked at to find out whether they repeat.
const SAMPLE: usize = 128;

/// Rows of a row group: the unit that a scan skips or hands to a core.
const ROW_GROUP_ROWS: usize = 64 << 10;

/// Writes the rows of one partition into as few files as their size allows.
pub(crate) struct PartWriter<'a> {
    log: &'a Log,
    partition: Vec<String>,
    /// How many there will be, if that is known.
    rows: Option<u64>,
    schema: SchemaRef,
    hasher: KeyHasher,
    open: Option<Open<'a>>,
    done: Vec<Add>,
    now_ms: i64,
}

/// A file that still takes rows.
struct Open<'a> {
    writer: ArrowWriter<Vec<u8>>,
    stats: Stats<'a>,
    keys: FileKeys,
}

impl<'a> PartWriter<'a> {
    /// Starts on a partition; `rows` says how many will come, if that is known.
    pub(crate) fn new(
        log: &'a Log,
        partition: Vec<String>,
        rows: Option<u64>,
        now_ms: i64,
    ) -> Result<Self, Error> {
        let table = &log.table;
        let hasher =
            KeyHasher::new(table).map_err(|source| log.file_error("write", "", source.into()))?;
        let (schema, open, done) = (file_schema(table), None, Vec::new());
        Ok(Self { log, partition, rows, schema, hasher, open, done, now_ms })
    }

    /// Takes in rows of the partition, with all columns of the table; `hashes` are those of their keys, where these are
    /// known.
    pub(crate) async fn write(
        &mut self,
        batch: &RecordBatch,
        hashes: Option<&[u64]>,
    ) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.encode(batch, hashes).map_err(|source| {
            self.log.file_error(
                "write",
                &partition_folder(&self.log.table, &self.partition),
                source,
            )
        })?;
        let is_full = self.open.as_ref().is_some_and(|open| {
            open.writer.bytes_written() + open.writer.in_progress_size() >= FILE_BYTES
        });
        if is_full { self.close().await } else { Ok(()) }
    }

    fn encode(&mut self, batch: &RecordBatch, hashes: Option<&[u64]>) -> Result<(), ParquetError> {
        let table = &self.log.table;
        let is_all = self.rows == Some(batch.num_rows() as u64);
        let open = match &mut self.open {
            Some(open) => open,
            closed => {
                let schema = Arc::clone(&self.schema);
                let properties = file_properties(batch, is_all).build();
                let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
                closed.insert(Open { writer, stats: Stats::new(table), keys: FileKeys::default() })
            }
        };
        self.hasher.add(table, batch, hashes, &mut open.keys)?;
        let columns: Result<Vec<usize>, ArrowError> = self
            .schema
            .fields()
            .iter()
            .map(|field| batch.schema().index_of(field.name()))
            .collect();
        // Texts may come as views; they are written as all others.
        let batch = batch.project(&columns?)?;
        open.writer.write(&batch)?;
        open.stats.add(&batch);
        Ok(())
    }

    async fn close(&mut self) -> Result<(), Error> {
        let Some(Open { mut writer, mut stats, keys }) = self.open.take() else { return Ok(()) };
        let table = &self.log.table;
        let folder = partition_folder(table, &self.partition);
        let path = format!("{folder}part-{}.zstd.parquet", Uuid::now_v7());
        self.log.keys.insert(&path, keys);
        let failed = |source| self.log.file_error("write", &path, source);
        writer.flush().map_err(failed)?;
        stats.add_written(writer.flushed_row_groups());
        let bytes = writer.into_inner().map_err(failed)?;
        self.done.push(Add {
            path: path.clone(),
            partition_values: partition_map(table, &self.partition),
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

/// Settings of data files, by the first rows of one; `is_all` says that it will hold no others.
///
/// `cargo bench --bench figures -- parquet` prints what they cost and bring beside others.
pub fn file_properties(rows: &RecordBatch, is_all: bool) -> WriterPropertiesBuilder {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // A scan skips row groups; an index of pages would make footers larger than most files, and every look slower.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(LONGEST_TEXT))
        .set_offset_index_disabled(true)
        .set_created_by(concat!("adolake ", env!("CARGO_PKG_VERSION")).to_owned());
    for (field, array) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let path = || ColumnPath::from(field.name().as_str());
        let sample = Sample::of(array);
        if is_all && encoded_bytes(array, &sample) < SMALL_COLUMN {
            properties = properties.set_column_compression(path(), Compression::UNCOMPRESSED);
        }
        if sample.is_unique() {
            // A dictionary would hold every value, and the column the positions beside them.
            properties = properties.set_column_dictionary_enabled(path(), false);
        }
    }
    properties
}

/// Returns about how many bytes an array takes before it is compressed.
fn encoded_bytes(array: &ArrayRef, sample: &Sample) -> usize {
    let (values, bytes) = (array.len() - array.null_count(), value_bytes(array));
    if !sample.is_repeating() {
        return bytes;
    }
    // A dictionary, and for each value its position in it.
    let position = usize::BITS - (sample.distinct - 1).leading_zeros();
    bytes / values * sample.distinct + values * position as usize / 8
}

/// Returns about how many bytes the values of an array take.
fn value_bytes(array: &ArrayRef) -> usize {
    if array.null_count() == array.len() {
        return 0;
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        text_bytes(texts)
    } else if let Some(views) = array.as_string_view_opt() {
        views.lengths().map(|length| length as usize).sum()
    } else if let Some(width) = array.data_type().primitive_width() {
        (array.len() - array.null_count()) * width
    } else {
        array.get_buffer_memory_size()
    }
}

/// How some values of an array are alike.
#[derive(Debug, Default)]
struct Sample {
    values: usize,
    distinct: usize,
}

impl Sample {
    /// Looks at texts, numbers and instants.
    fn of(array: &ArrayRef) -> Self {
        fn look<A: ArrayAccessor<Item: Hash + Eq>>(array: A) -> Sample {
            let mut seen = HashSet::with_capacity(SAMPLE);
            let step = array.len().div_ceil(SAMPLE).max(1);
            let valid = (0..array.len()).step_by(step).filter(|&at| array.is_valid(at));
            let values = valid.map(|at| seen.insert(array.value(at))).count();
            Sample { values, distinct: seen.len() }
        }
        if let Some(texts) = array.as_string_opt::<i32>() {
            look(texts)
        } else if let Some(views) = array.as_string_view_opt() {
            look(views)
        } else if let Some(instants) = array.as_primitive_opt::<TimestampMicrosecondType>() {
            look(instants)
        } else if let Some(numbers) = array.as_primitive_opt::<Int64Type>() {
            look(numbers)
        } else {
            Self::default()
        }
    }

    /// Tells whether no two are alike.
    fn is_unique(&self) -> bool {
        self.distinct > 1 && self.distinct == self.values
    }

    /// Tells whether each has been seen several times: then all values of the array have been seen, or nearly so.
    fn is_repeating(&self) -> bool {
        self.values > 0 && self.distinct * 4 <= self.values
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{StringArray, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn settings_follow_the_values_of_a_column() {
        let texts = |text: fn(usize) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values((0..10_000).map(text)))
        };
        let instants = TimestampMicrosecondArray::from_iter((0..10_000).map(|n| Some(n * 7)));
        let rows = RecordBatch::try_from_iter([
            ("title", texts(|n| format!("title {n}"))),
            ("author", texts(|n| format!("author {}", n * n % 1000))),
            ("side", texts(|n| format!("side {}", n % 2))),
            ("state", texts(|_| String::new())),
            ("closed_at", Arc::new(instants) as ArrayRef),
        ]);
        let rows = rows.unwrap();
        let told = |rows: &RecordBatch, is_all| {
            let properties = file_properties(rows, is_all).build();
            let columns = rows.schema_ref().fields().iter().map(|field| {
                let path = ColumnPath::from(field.name().as_str());
                let is_packed = properties.compression(&path) != Compression::UNCOMPRESSED;
                (is_packed, properties.dictionary_enabled(&path))
            });
            columns.collect::<Vec<_>>()
        };
        let (packed, plain) = (true, false);
        assert_eq!(
            told(&rows, true),
            [(packed, false), (packed, true), (plain, true), (plain, true), (packed, false)]
        );
        assert!(told(&rows, false).iter().all(|(is_packed, _)| *is_packed));
        assert!(told(&rows.slice(0, 20), true).iter().all(|(is_packed, _)| !is_packed));
    }
}
