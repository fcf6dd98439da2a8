//! Removes what no kept version needs: old data files, files of commits that never came about, and the log before them.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::{Care, SAFE_AGE, Upkeep};
use crate::lake::error::Error;
use crate::lake::file::object_path;
use crate::lake::history::{Found, LogFile, LogKind, version_at};
use crate::lake::log::Log;
use crate::lake::store::delete;

/// Removes what is not needed any more, as told in the module.
pub(super) async fn vacuum(
    log: &Arc<Log>,
    keep: TimeDelta,
    listed: &[ObjectMeta],
    care: Care,
    upkeep: &mut Upkeep,
) -> Result<(), Error> {
    let Some((newest, removed)) = log.with_removed().await? else { return Ok(()) };
    let safe = care.now - SAFE_AGE;
    let kept_from = care.now.checked_sub_signed(keep).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let live: HashSet<Path> = newest.files.keys().map(|path| object_path(path)).collect();
    let removed: HashMap<Path, Option<i64>> =
        removed.iter().map(|file| (object_path(&file.path), file.at_ms)).collect();
    let mut gone = Vec::new();
    for file in listed.iter().filter(|file| is_data(&file.location)) {
        if live.contains(&file.location) || file.last_modified >= safe {
            continue;
        }
        match removed.get(&file.location) {
            // The versions before its removal may still be asked for.
            Some(at) if at.is_none_or(|at| at >= kept_from.timestamp_millis()) => continue,
            Some(_) => upkeep.expired += 1,
            None => upkeep.orphans += 1,
        }
        upkeep.removed_bytes += file.size;
        gone.push(file.location.clone());
    }
    let staged = staged(&log.place.name, safe.into());
    upkeep.orphans += staged.len() as u64;
    let expired = expired(log, listed, kept_from, safe).await?;
    upkeep.log_files = expired.len() as u64;
    if care.is_dry {
        return Ok(());
    }
    remove(log, gone).await?;
    // The oldest goes first, so that what a kill leaves is still a log without gaps.
    remove(log, expired).await?;
    for path in staged {
        // What is still there next time is tried again.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

/// Finds the files of the log that lie before the checkpoint with which the oldest kept version begins, oldest first.
async fn expired(
    log: &Arc<Log>,
    listed: &[ObjectMeta],
    kept_from: DateTime<Utc>,
    safe: DateTime<Utc>,
) -> Result<Vec<Path>, Error> {
    let mut files: Vec<(LogFile, &ObjectMeta)> =
        listed.iter().filter_map(|file| Some((LogFile::of(&file.location)?, file))).collect();
    files.sort_by_key(|(file, _)| file.version);
    // Without an old file there is nothing to ask.
    if files.first().is_none_or(|(_, meta)| meta.last_modified >= kept_from) {
        return Ok(Vec::new());
    }
    let Found::Version(oldest) = version_at(log, kept_from).await? else { return Ok(Vec::new()) };
    let checkpoints = files.iter().filter(|(file, _)| file.kind == LogKind::Checkpoint);
    let Some(first) = checkpoints.map(|(file, _)| file.version).filter(|at| *at <= oldest).max()
    else {
        return Ok(Vec::new());
    };
    let is_expired =
        |(file, meta): &&(LogFile, &ObjectMeta)| file.version < first && meta.last_modified < safe;
    Ok(files.iter().filter(is_expired).map(|(_, meta)| meta.location.clone()).collect())
}

/// Tells whether a path is that of a data file: other tools keep their own in folders with an underscore or a dot.
fn is_data(path: &Path) -> bool {
    let is_hidden = path.parts().any(|part| part.as_ref().starts_with(['_', '.']));
    !is_hidden && path.as_ref().ends_with(".parquet")
}

async fn remove(log: &Log, paths: Vec<Path>) -> Result<(), Error> {
    let failed = |source| Error::storage("delete", log.place.name.clone(), source);
    delete(&*log.place.store, paths).await.map_err(failed)
}

/// Finds what kills left of files that were being put on a local disk, which listings pass over.
pub(crate) fn staged(place: &str, before: SystemTime) -> Vec<PathBuf> {
    let folder = FilePath::new(place);
    let mut found = Vec::new();
    if folder.is_absolute() {
        find_staged(folder, before, &mut found);
    }
    found
}

fn find_staged(folder: &FilePath, before: SystemTime, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            find_staged(&path, before, found);
            continue;
        }
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_staged = name.rsplit_once('#').is_some_and(|(file, number)| {
            let is_number = !number.is_empty() && number.bytes().all(|sign| sign.is_ascii_digit());
            is_number && [".parquet", ".json"].iter().any(|end| file.ends_with(end))
        });
        if is_staged && metadata.modified().is_ok_and(|modified| modified < before) {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_names() {
        let of = |path: &str| LogFile::of(&Path::from(path)).map(|file| (file.version, file.kind));
        let log = "_delta_log/00000000000000000010";
        assert_eq!(of(&format!("{log}.json")), Some((10, LogKind::Commit)));
        let checkpoint = of(&format!("{log}.checkpoint.parquet"));
        assert_eq!(checkpoint, Some((10, LogKind::Checkpoint)));
        assert_eq!(of(&format!("{log}.crc")), Some((10, LogKind::Other)));
        assert_eq!(of("_delta_log/_last_checkpoint"), None);
        assert_eq!(of("organization=x/00000000000000000010.parquet"), None);
        assert!(is_data(&Path::from("organization=x/part-1.zstd.parquet")));
        assert!(!is_data(&Path::from("_delta_log/00000000000000000010.checkpoint.parquet")));
        assert!(!is_data(&Path::from("organization=x/readme.txt")));
    }
}
