//! A table at one version, as DataFusion scans it: live files only, pruned by partition and by ranges.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;
use futures::future::ready;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::cells::{to_array, to_scalar};
use super::error::Error;
use super::file::DataFile;
use super::log::{Log, Snapshot};
use super::reader::FileReader;
use super::store::ENGINE_URL;
use crate::schema::{Cell, Kind, Table};

/// For how long a damaged file is looked for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A table of the lake at a pinned version; without a version it is empty.
#[derive(Debug)]
pub(crate) struct LakeTable {
    log: Arc<Log>,
    table: Arc<Table>,
    snapshot: Option<Arc<Snapshot>>,
    schema: SchemaRef,
}

impl LakeTable {
    pub(crate) fn new(log: &Arc<Log>, snapshot: Option<Arc<Snapshot>>) -> Self {
        let table = Arc::clone(&log.table);
        let schema = scan_schema(&table);
        Self { log: Arc::clone(log), table, snapshot, schema }
    }

    /// Decodes all live files; fails with the first that cannot be.
    async fn decode(&self) -> std::result::Result<(), Error> {
        let columns: Vec<usize> = (0..self.table.columns.len()).collect();
        for file in self.snapshot.iter().flat_map(|snapshot| snapshot.files.values()) {
            let reader = FileReader::new(&self.log, file);
            reader.batches(&columns, None).await?.try_for_each(|_| ready(Ok(()))).await?;
        }
        Ok(())
    }

    /// Returns the live files that may hold rows that the filters let through.
    fn files(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&Arc<DataFile>>> {
        let Some(snapshot) = &self.snapshot else { return Ok(Vec::new()) };
        let files: Vec<&Arc<DataFile>> = snapshot.files.values().collect();
        let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(files) };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let filter = state.create_physical_expr(filter, &schema)?;
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema));
        // A filter of a shape that ranges say nothing about prunes nothing.
        let Some(predicate) = builder.build(filter) else { return Ok(files) };
        let keeps =
            predicate.prune(&Ranges { table: &self.table, schema: &self.schema, files: &files })?;
        Ok(files.into_iter().zip(keeps).filter_map(|(file, keep)| keep.then_some(file)).collect())
    }

    fn partitioned_file(&self, file: &DataFile) -> Result<PartitionedFile> {
        let location = Path::parse(format!("{}/{}", self.table.name, file.path))?;
        let last_modified = DateTime::<Utc>::UNIX_EPOCH;
        let meta =
            ObjectMeta { location, last_modified, size: file.size, e_tag: None, version: None };
        let mut partitioned = PartitionedFile::from(meta);
        partitioned.partition_values = file.partition.iter().map(|value| view(value)).collect();
        partitioned.statistics =
            Some(Arc::clone(file.scan_statistics.get_or_init(|| self.statistics(file))));
        Ok(partitioned)
    }

    /// Returns what a file is known to hold, for the columns in the order of the scan.
    fn statistics(&self, file: &DataFile) -> Arc<Statistics> {
        let columns = self.table.columns.iter().zip(&file.ranges).enumerate().map(
            |(index, (column, range))| {
                if let Some(position) = self.table.partitions.iter().position(|&own| own == index) {
                    let value = Precision::Exact(view(&file.partition[position]));
                    return ColumnStatistics {
                        null_count: Precision::Exact(0),
                        min_value: value.clone(),
                        max_value: value,
                        distinct_count: Precision::Exact(1),
                        ..ColumnStatistics::new_unknown()
                    };
                }
                let kind = scan_type(column.kind);
                let bound = |cell: Option<&Cell>| {
                    let scalar = cell.map(|cell| to_scalar(column.kind, cell).cast_to(&kind));
                    scalar.and_then(Result::ok).map_or(Precision::Absent, Precision::Inexact)
                };
                ColumnStatistics {
                    null_count: exact(range.nulls),
                    min_value: bound(range.bounds.as_ref().map(|(min, _)| min)),
                    max_value: bound(range.bounds.as_ref().map(|(_, max)| max)),
                    ..ColumnStatistics::new_unknown()
                }
            },
        );
        Arc::new(Statistics {
            num_rows: exact(file.rows),
            total_byte_size: usize::try_from(file.size)
                .map_or(Precision::Absent, Precision::Inexact),
            column_statistics: columns.collect(),
        })
    }
}

fn exact(count: Option<u64>) -> Precision<usize> {
    count.and_then(|count| usize::try_from(count).ok()).map_or(Precision::Absent, Precision::Exact)
}

fn view(value: &str) -> ScalarValue {
    ScalarValue::Utf8View(Some(value.to_owned()))
}

/// Texts are scanned as views: filters, joins and groups then copy no bytes.
fn scan_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8View,
        other => other.arrow_type(),
    }
}

/// Names the file where a query failed on one without the engine's telling which: all files of the session's tables are
/// decoded until one fails, for as long as somebody may be kept waiting for an error.
pub(crate) async fn locate(error: Error, context: &SessionContext) -> Error {
    let is_nameless = matches!(&error, Error::Unreadable { problem, may_pass: false } if !problem.contains(".parquet"));
    let schema = context.catalog("datafusion").and_then(|catalog| catalog.schema("public"));
    let Some(schema) = schema.filter(|_| is_nameless) else { return error };
    let found = tokio::time::timeout(PATIENCE, async {
        let mut names = schema.table_names();
        names.sort_unstable();
        for name in names {
            if let Ok(Some(provider)) = schema.table(&name).await
                && let Some(table) = provider.downcast_ref::<LakeTable>()
            {
                table.decode().await?;
            }
        }
        Ok::<_, Error>(())
    });
    match found.await {
        Ok(Err(found)) if !found.is_transient() => found,
        _ => error,
    }
}

/// Returns how many rows a table has; none where it is none of a lake, or its log does not say.
pub(crate) fn rows_of(table: &dyn TableProvider) -> Option<u64> {
    let snapshot = &table.downcast_ref::<LakeTable>()?.snapshot;
    snapshot.iter().flat_map(|snapshot| snapshot.files.values()).map(|file| file.rows).sum()
}

/// Returns the schema of a scan: the table's, with texts as views.
pub(crate) fn scan_schema(table: &Table) -> SchemaRef {
    let field = |column: &crate::schema::Column| {
        Field::new(&column.name, scan_type(column.kind), column.is_nullable)
    };
    Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()))
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.files(state, filters)?;
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let files: Vec<PartitionedFile> =
            files.into_iter().map(|file| self.partitioned_file(file)).collect::<Result<_>>()?;
        let statistics = files.iter().filter_map(|file| file.statistics.as_deref());
        let statistics = Statistics::try_merge_iter(statistics, &self.schema)?;
        let own = self.table.columns.len() - self.table.partitions.len();
        let (own, partitions) = self.schema.fields().split_at(own);
        let partitions: Vec<FieldRef> = partitions.to_vec();
        let schema = TableSchema::builder(Arc::new(Schema::new(own.to_vec())));
        let source = ParquetSource::new(schema.with_table_partition_cols(partitions).build());
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let scan = FileScanConfigBuilder::new(ObjectStoreUrl::parse(ENGINE_URL)?, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        let format = ParquetFormat::default().with_options(state.default_table_options().parquet);
        format.create_physical_plan(state, scan).await
    }
}

/// What the log says about files, column by column.
struct Ranges<'a> {
    table: &'a Table,
    schema: &'a SchemaRef,
    files: &'a [&'a Arc<DataFile>],
}

impl Ranges<'_> {
    fn bounds(&self, column: &Column, pick: impl Fn(&(Cell, Cell)) -> &Cell) -> Option<ArrayRef> {
        let index = self.table.index(&column.name)?;
        let kind = self.table.columns[index].kind;
        let partition = self.table.partitions.iter().position(|&own| own == index);
        let cells: Vec<Cell> = self
            .files
            .iter()
            .map(|file| match (partition, &file.ranges[index].bounds) {
                (Some(position), _) => Cell::Text(file.partition[position].clone()),
                (None, Some(bounds)) => pick(bounds).clone(),
                (None, None) => Cell::Null,
            })
            .collect();
        let array = to_array(kind, cells.iter()).ok()?;
        cast(&array, self.schema.field(index).data_type()).ok()
    }
}

impl PruningStatistics for Ranges<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |(min, _)| min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |(_, max)| max)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let index = self.table.index(&column.name)?;
        if self.table.partitions.contains(&index) {
            return Some(Arc::new(UInt64Array::from(vec![0; self.files.len()])));
        }
        Some(Arc::new(
            self.files.iter().map(|file| file.ranges[index].nulls).collect::<UInt64Array>(),
        ))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|file| file.rows).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
