//! Joins the small files of a partition: the same rows, sorted by key, in as few files as their size allows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use chrono::Utc;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionContext, col};
use deltalake::kernel::{Action, Add, CommitInfo, Transaction};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use serde_json::json;

use super::{Care, Upkeep};
use crate::lake::Lake;
use crate::lake::error::{Error, of_file};
use crate::lake::evolve::{self, Fit};
use crate::lake::file::{DataFile, object_path};
use crate::lake::log::{Log, Outcome, Snapshot};
use crate::lake::parts::PartWriter;
use crate::lake::scan::locate;
use crate::lake::write::{MAX_ATTEMPTS, pause, remove_action};

/// Larger files stay as they are.
const SMALL_BYTES: u64 = 32 << 20;
/// Files up to this size are joined whatever the others are: opening them costs more than reading them.
const TINY_BYTES: u64 = 1 << 20;
/// A larger file is rewritten only for others that together come to this share of it, so that no row is copied often.
const SHARE: u64 = 8;
/// Input of one commit: less is lost where another run has changed a partition in between.
const COMMIT_BYTES: u64 = 256 << 20;
const COMMIT_PARTITIONS: usize = 64;
/// Partitions that are rewritten at the same time.
const AT_ONCE: usize = 2;
/// How often is looked again for what other runs have changed in between; what is left waits for the next time.
const ROUNDS: usize = 5;

/// Files of one partition that become one.
#[derive(Debug, Clone)]
struct Group {
    files: Vec<Arc<DataFile>>,
    bytes: u64,
}

/// Joins what is worth it.
pub(super) async fn compact(
    lake: &Lake,
    log: &Arc<Log>,
    care: Care,
    upkeep: &mut Upkeep,
) -> Result<(), Error> {
    for _ in 0..ROUNDS {
        let Some(base) = log.latest().await? else { return Ok(()) };
        let commits = plan(&base);
        let mut is_complete = true;
        for (organization, groups) in commits {
            let files: usize = groups.iter().map(|group| group.files.len()).sum();
            let made = if care.is_dry {
                Some(groups.len())
            } else {
                rewrite(lake, log, &base, &organization, &groups).await?
            };
            match made {
                Some(made) => {
                    upkeep.compacted += files as u64;
                    upkeep.compacted_to += made as u64;
                }
                None => is_complete = false,
            }
        }
        if is_complete {
            break;
        }
    }
    Ok(())
}

/// Decides which files are joined, by commit.
fn plan(base: &Snapshot) -> Vec<(String, Vec<Group>)> {
    let mut partitions: BTreeMap<&[String], Vec<&Arc<DataFile>>> = BTreeMap::new();
    for file in base.files.values().filter(|file| file.size < SMALL_BYTES) {
        partitions.entry(&file.partition).or_default().push(file);
    }
    let mut commits: Vec<(String, Vec<Group>)> = Vec::new();
    for (partition, files) in partitions {
        let Some(group) = group(files) else { continue };
        let organization = partition.first().map_or("", String::as_str);
        let fits = |(owner, groups): &(String, Vec<Group>)| {
            let bytes: u64 = groups.iter().map(|group| group.bytes).sum();
            owner == organization
                && groups.len() < COMMIT_PARTITIONS
                && bytes + group.bytes <= COMMIT_BYTES
        };
        match commits.last_mut().filter(|commit| fits(commit)) {
            Some((_, groups)) => groups.push(group),
            None => commits.push((organization.to_owned(), vec![group])),
        }
    }
    commits
}

/// Picks the files of a partition that are worth joining: the small ones, and of larger ones those that are not much
/// larger than the rest together.
fn group(mut files: Vec<&Arc<DataFile>>) -> Option<Group> {
    files.sort_by(|a, b| a.size.cmp(&b.size).then_with(|| a.path.cmp(&b.path)));
    let mut bytes = 0;
    let mut count = 0;
    for file in &files {
        if file.size > TINY_BYTES && file.size > SHARE * bytes {
            break;
        }
        bytes += file.size;
        count += 1;
    }
    (count > 1).then(|| Group { files: files[..count].iter().copied().cloned().collect(), bytes })
}

/// Writes the files of a commit and commits; none where another run has changed one of them in between.
async fn rewrite(
    lake: &Lake,
    log: &Arc<Log>,
    base: &Snapshot,
    organization: &str,
    groups: &[Group],
) -> Result<Option<usize>, Error> {
    let now_ms = Utc::now().timestamp_millis();
    let written = groups.iter().map(|group| join(lake, log, base, group, now_ms));
    // Boxed: the compiler does not follow borrows through so many layers of streams.
    let written = futures::stream::iter(written.collect::<Vec<_>>()).buffered(AT_ONCE).boxed();
    let adds: Vec<Add> = written.try_collect::<Vec<_>>().await?.into_iter().flatten().collect();
    let committed = commit(log, organization, groups, &adds, now_ms).await;
    if !matches!(committed, Ok(true)) {
        for add in &adds {
            // What stays behind is removed once it is old enough.
            let _ = log.place.store.delete(&object_path(&add.path)).await;
        }
    }
    Ok(committed?.then_some(adds.len()))
}

/// Writes the rows of a group anew.
async fn join(
    lake: &Lake,
    log: &Arc<Log>,
    base: &Snapshot,
    group: &Group,
    now_ms: i64,
) -> Result<Vec<Add>, Error> {
    let files = group.files.iter().map(|file| (file.path.clone(), Arc::clone(file))).collect();
    let session = lake.open_session(vec![(log, Some(Arc::new(base.with_files(files))))])?;
    match joined(log, group, &session.ctx, now_ms).await {
        Err(error) => Err(locate(error, &session.ctx).await),
        adds => adds,
    }
}

async fn joined(
    log: &Arc<Log>,
    group: &Group,
    context: &SessionContext,
    now_ms: i64,
) -> Result<Vec<Add>, Error> {
    let table = &log.table;
    let failed = |source: DataFusionError| {
        of_file(&source).unwrap_or_else(|| Error::Query {
            doing: format!("join the files of table `{}`", table.name),
            source: Box::new(source),
        })
    };
    let order = table.key_names().into_iter().map(|column| col(column).sort(true, true)).collect();
    let rows = context.table(table.name.as_str()).await.and_then(|rows| rows.sort(order));
    let mut batches = rows.map_err(failed)?.execute_stream().await.map_err(failed)?;
    let expected: Option<u64> = group.files.iter().map(|file| file.rows).sum();
    let mut writer = PartWriter::new(log, group.files[0].partition.clone(), expected, now_ms)?;
    let mut count = 0;
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        count += batch.num_rows() as u64;
        writer.write(&conform(log, &batch).map_err(failed)?, None).await?;
    }
    let mut adds = writer.finish().await?;
    if expected.is_some_and(|expected| expected != count) {
        return Err(log.changed(format!(
            "{} files of it hold {count} rows, and the log says {}",
            group.files.len(),
            expected.unwrap_or_default()
        )));
    }
    adds.iter_mut().for_each(|add| add.data_change = false);
    Ok(adds)
}

/// Gives a scanned batch the types of the table.
fn conform(log: &Log, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let schema = log.table.arrow_schema();
    let columns = schema.fields().iter().map(|field| {
        let index = batch.schema().index_of(field.name())?;
        cast(batch.column(index), field.data_type())
    });
    Ok(RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?)
}

/// Says in the log that the rows lie in the new files; false where an old one is not live any more. Commits of other
/// runs in between do no harm as long as they left the old files alone.
async fn commit(
    log: &Log,
    organization: &str,
    groups: &[Group],
    adds: &[Add],
    now_ms: i64,
) -> Result<bool, Error> {
    let table = &log.table;
    let fence_id = log.fence_id(organization);
    let files: Vec<&Arc<DataFile>> = groups.iter().flat_map(|group| &group.files).collect();
    let old: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let _one_at_a_time = log.lock().await;
    for attempt in 1..=MAX_ATTEMPTS {
        let Some(base) = log.latest().await? else { return Ok(false) };
        if !old.iter().all(|path| base.files.contains_key(*path)) {
            return Ok(false);
        }
        let mut actions = Vec::with_capacity(files.len() + adds.len() + 2);
        if base.fit == Fit::Behind {
            let stored = Some(base.metadata.as_ref());
            let metadata = evolve::metadata(table, log.keep_versions, stored, now_ms)?;
            actions.push(Action::Metadata(metadata));
        }
        let fence = log.fence(&base, &fence_id).await? + 1;
        let fence = Transaction::new_with_last_update(fence_id.clone(), fence, Some(now_ms));
        actions.push(Action::Txn(fence));
        for file in &files {
            let mut remove = remove_action(table, file, now_ms);
            remove.data_change = false;
            actions.push(Action::Remove(remove));
        }
        actions.extend(adds.iter().cloned().map(Action::Add));
        match log.commit(Some(&base), info(files.len(), adds), actions).await? {
            Outcome::Committed(_) => return Ok(true),
            Outcome::Lost => tokio::time::sleep(pause(attempt)).await,
        }
    }
    Err(Error::Contention { table: table.name.clone(), attempts: MAX_ATTEMPTS })
}

fn info(removed: usize, adds: &[Add]) -> CommitInfo {
    let bytes: i64 = adds.iter().map(|add| add.size).sum();
    let metrics = json!({
        "numRemovedFiles": removed, "numAddedFiles": adds.len(), "numAddedBytes": bytes,
    });
    CommitInfo {
        operation: Some("OPTIMIZE".to_owned()),
        is_blind_append: Some(false),
        info: HashMap::from([("operationMetrics".to_owned(), metrics)]),
        ..CommitInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    fn file(path: &str, size: u64) -> Arc<DataFile> {
        let (path, partition, ranges) = (path.to_owned(), vec!["contoso".to_owned()], Vec::new());
        let scan_statistics = OnceLock::new();
        Arc::new(DataFile { path, size, rows: None, partition, ranges, scan_statistics })
    }

    fn joined(sizes: &[u64]) -> Vec<u64> {
        let files: Vec<Arc<DataFile>> = sizes.iter().map(|size| file("f", *size)).collect();
        let group = group(files.iter().collect());
        group.map(|group| group.files.iter().map(|file| file.size).collect()).unwrap_or_default()
    }

    #[test]
    fn a_large_file_is_not_copied_for_a_few_rows() {
        const KIB: u64 = 1 << 10;
        const MIB: u64 = 1 << 20;
        assert_eq!(joined(&[5 * KIB]), Vec::<u64>::new());
        assert_eq!(joined(&[900 * KIB, 5 * KIB]), [5 * KIB, 900 * KIB]);
        assert_eq!(joined(&[20 * MIB, 5 * KIB]), Vec::<u64>::new());
        assert_eq!(joined(&[20 * MIB, 5 * KIB, 6 * KIB]), [5 * KIB, 6 * KIB]);
        assert_eq!(joined(&[20 * MIB, 3 * MIB, MIB]), [MIB, 3 * MIB, 20 * MIB]);
    }
}
