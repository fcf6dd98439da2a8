//! What the tables hold at pinned versions, partition by partition.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use sha2::{Digest as _, Sha256};

use super::error::Error;
use super::file::partition_folder;
use super::{Lake, Session};

/// A partition of a table at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Names and values of the partition columns, in the table's order.
    pub values: Vec<(String, String)>,
    /// Folder as other engines name it, ending with a slash; empty without partition columns.
    pub folder: String,
    /// Hash over the names of the live files: as long as it stays, so do the rows.
    pub fingerprint: String,
}

impl Lake {
    /// Returns the partitions of every table at the versions of a session, by table and folder.
    ///
    /// # Errors
    /// Fails when a version is gone, or a log cannot be read.
    pub async fn partitions(
        &self,
        session: &Session,
    ) -> Result<BTreeMap<String, Vec<Partition>>, Error> {
        let tables = session.versions.iter().map(|(name, &version)| async move {
            let gone = |_| Error::VersionGone { table: name.clone(), version };
            let log = self.log(name)?;
            let snapshot = log.at(u64::try_from(version).map_err(gone)?).await?;
            let mut hashes: BTreeMap<&[String], Sha256> = BTreeMap::new();
            for (path, file) in &snapshot.files {
                let hash = hashes.entry(&file.partition).or_default();
                hash.update(path.as_bytes());
                hash.update([0]);
            }
            let names = log.table.partition_names();
            let partitions = hashes.into_iter().map(|(values, hash)| Partition {
                values: names
                    .iter()
                    .zip(values)
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
                folder: partition_folder(&log.table, values),
                fingerprint: hex::encode(hash.finalize()),
            });
            Ok::<_, Error>((name.clone(), partitions.collect()))
        });
        Ok(try_join_all(tables).await?.into_iter().collect())
    }
}
