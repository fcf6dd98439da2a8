//! How new rows meet stored ones, row by row: write modes, kept columns, tombstones, hashes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::schema::{Cell, META_COLUMNS, Row, Table, WriteMode};

/// Bytes from which on copying a text would cost more than hashing it by itself.
const LONG_TEXT: usize = 512;

/// Hashes the content of rows of a table.
#[derive(Debug)]
pub(crate) struct ContentHash {
    /// What stands for each column in the hash; none for those that do not count.
    tags: Vec<Option<[u8; 8]>>,
}

impl ContentHash {
    pub(crate) fn new(table: &Table) -> Self {
        Self::without(table, &[])
    }

    /// Leaves some columns out.
    pub(crate) fn without(table: &Table, others: &[&str]) -> Self {
        let tag = |name: &str| {
            let mut tag = [0; 8];
            tag.copy_from_slice(&Sha256::digest(name)[..8]);
            tag
        };
        let is_content = |index: usize, name: &str| {
            !META_COLUMNS.contains(&name)
                && !others.contains(&name)
                && !table.not_hashed.contains(&index)
        };
        let columns = table.columns.iter().map(|column| column.name.as_str()).enumerate();
        let tags = columns.map(|(index, name)| is_content(index, name).then(|| tag(name)));
        Self { tags: tags.collect() }
    }

    /// Hashes the content of a row: 128 bits, hexadecimal. Nulls do not count, so that a new column changes no hash.
    pub(crate) fn of(&self, row: &Row) -> String {
        let (mut hash, mut content) = (Sha256::new(), Vec::with_capacity(1024));
        for (tag, cell) in self.tags.iter().zip(row.cells()) {
            let Some(tag) = tag else { continue };
            if cell.is_null() {
                continue;
            }
            content.extend_from_slice(tag);
            match cell {
                Cell::Null => {}
                Cell::Text(text) => {
                    content.extend_from_slice(&(text.len() as u64).to_le_bytes());
                    if text.len() < LONG_TEXT {
                        content.extend_from_slice(text.as_bytes());
                    } else {
                        hash.update(&content);
                        hash.update(text.as_bytes());
                        content.clear();
                    }
                }
                Cell::Int(value) | Cell::Time(value) => {
                    content.extend_from_slice(&value.to_le_bytes())
                }
                Cell::Float(value) => content.extend_from_slice(&value.to_bits().to_le_bytes()),
                Cell::Bool(value) => content.push(u8::from(*value)),
                Cell::Date(value) => content.extend_from_slice(&value.to_le_bytes()),
            }
        }
        hash.update(&content);
        // A text of known length is made much faster than one that grows.
        let mut digits = [0; 32];
        match hex::encode_to_slice(&hash.finalize()[..16], &mut digits) {
            Ok(()) => String::from_utf8_lossy(&digits).into_owned(),
            Err(_) => unreachable!("two digits stand for a byte"),
        }
    }
}

/// Gives rows their hash and the other columns that adolake itself fills.
pub(crate) struct Stamp {
    pub(crate) run_id: Cell,
    pub(crate) seen_at: Cell,
    /// Positions of `_run_id`, `_synced_at`, `_hash`.
    meta: [Option<usize>; 3],
    hash: ContentHash,
}

impl Stamp {
    pub(crate) fn new(table: &Table, run_id: &str, seen_at: DateTime<Utc>) -> Self {
        let meta = META_COLUMNS.map(|name| table.index(name));
        let hash = ContentHash::new(table);
        Self { run_id: run_id.into(), seen_at: seen_at.into(), meta, hash }
    }

    /// Returns the stored hash of a row; none where it was not read.
    pub(crate) fn stored<'a>(&self, row: &'a Row) -> Option<&'a str> {
        match self.meta[2].map(|index| &row.cells()[index]) {
            Some(Cell::Text(hash)) => Some(hash),
            _ => None,
        }
    }

    /// Marks a row as written by this run.
    pub(crate) fn apply(&self, row: &mut Row) {
        let hash = self.hash.of(row);
        let values = [self.run_id.clone(), self.seen_at.clone(), hash.into()];
        for (index, value) in self.meta.iter().zip(values) {
            if let Some(index) = index {
                row.cells_mut()[*index] = value;
            }
        }
    }
}

/// Lets a new row meet the stored one of the same key; what comes out is the row that should be stored.
pub(crate) fn reconcile(new: &mut Row, stored: &Row) {
    let table = Arc::clone(new.table());
    match table.mode {
        WriteMode::Append => {}
        WriteMode::Insert => *new = stored.clone(),
        WriteMode::Fill => {
            for (cell, old) in new.cells_mut().iter_mut().zip(stored.cells()) {
                if !old.is_null() {
                    cell.clone_from(old);
                }
            }
        }
        WriteMode::Merge => {
            for &index in &table.keep_first {
                if !stored.cells()[index].is_null() {
                    new.cells_mut()[index].clone_from(&stored.cells()[index]);
                }
            }
            for &index in &table.keep_when_null {
                if new.cells()[index].is_null() {
                    new.cells_mut()[index].clone_from(&stored.cells()[index]);
                }
            }
        }
    }
}

/// Returns the columns of a stored row that decide what comes of a new one, beside the key.
pub(crate) fn deciding_columns(table: &Table) -> Vec<usize> {
    match table.mode {
        WriteMode::Append | WriteMode::Insert => Vec::new(),
        WriteMode::Fill => (0..table.columns.len()).collect(),
        WriteMode::Merge => {
            let hash = table.index(META_COLUMNS[2]);
            table.keep_first.iter().chain(&table.keep_when_null).copied().chain(hash).collect()
        }
    }
}

/// Lets a stamped new row meet the stored one; returns the row that should replace it, or none where it may stay.
pub(crate) fn replacement(mut new: Row, stored: &Row, stamp: &Stamp) -> Option<Row> {
    let table = Arc::clone(new.table());
    if matches!(table.mode, WriteMode::Insert | WriteMode::Append) {
        return None;
    }
    let differs = |&index: &usize| new.cells()[index] != stored.cells()[index];
    let is_kept = table.mode == WriteMode::Fill
        || table.keep_first.iter().any(|index| differs(index) && !stored.cells()[*index].is_null())
        || table.keep_when_null.iter().any(|index| differs(index) && new.cells()[*index].is_null());
    if is_kept {
        reconcile(&mut new, stored);
        stamp.apply(&mut new);
    }
    (stamp.stored(&new) != stamp.stored(stored)).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Catalog;

    fn label(name: &str, active: bool) -> Row {
        let catalog = Catalog::embedded().unwrap();
        let mut row = Row::new(catalog.require("pull_request_labels").unwrap());
        row.set("organization", "contoso").set("repository_id", "r").set("pull_request_id", 7_i64);
        row.set("name", name).set("active", active);
        row
    }

    #[test]
    fn kept_columns_stay_and_the_rest_is_replaced() {
        let (early, late) =
            (DateTime::from_timestamp(1, 0).unwrap(), DateTime::from_timestamp(2, 0).unwrap());
        let mut stored = label("urgent", true);
        stored.set("first_seen_at", early).set("was_seen_open", true).set("removed_at", early);
        let mut new = label("urgent", false);
        new.set("first_seen_at", late);
        reconcile(&mut new, &stored);
        assert_eq!(new.time("first_seen_at"), Some(early));
        assert_eq!(new.bool("was_seen_open"), Some(true));
        assert_eq!(new.bool("active"), Some(false));
        assert!(new.get("removed_at").is_null());
    }

    #[test]
    fn the_hash_is_of_the_content_alone() {
        let (row, mut other) = (label("a", true), label("a", true));
        let stamp = Stamp::new(row.table(), "run", DateTime::from_timestamp(5, 0).unwrap());
        stamp.apply(&mut other);
        assert_eq!(stamp.hash.of(&row), stamp.hash.of(&other));
        assert_eq!(stamp.stored(&other), Some(stamp.hash.of(&row).as_str()));
        // Another hash would write every row of every lake once more.
        assert_eq!(stamp.hash.of(&row), "02d88536648c84b0dc480ce1ac4728b5");
        other.set("label_id", "x");
        assert_ne!(stamp.hash.of(&row), stamp.hash.of(&other));
    }
}
