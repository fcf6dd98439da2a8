//! The current state of the lake as plain Parquet, for tools that only glob files.
//!
//! ```text
//! pinned tables ──▶ partitions whose source changed ──▶ one sorted file each ──▶ put under its stable name
//!                          ▲                                                          │
//!                          └──────────── _published.json, written last ◀──────────────┘
//! ```
//!
//! A file is replaced as a whole, so that whoever globs during a publish sees old or new files and never half of one.
//! Children are put before their parents. A publish that is killed is finished by the next: what a store holds is
//! compared with the manifest.

mod error;
mod file;
mod manifest;
mod place;

use std::collections::{BTreeMap, BTreeSet};

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::SortExpr;
use datafusion::prelude::{col, lit};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::checks::{self, Queries};
use crate::lake::{self, Lake, Partition, Session};

pub use self::error::Error;
pub use self::place::Place;

use self::file::{build, file_schema};
use self::manifest::{Entry, FORMAT, Manifest};
use self::place::Listed;

/// The name of every file: a partition is one file.
const FILE: &str = "data.parquet";
/// The view that is published beside the tables, the table that it reads, and the order of its rows.
const VIEW: (&str, &str, [&str; 5]) = (
    "latest_check_results",
    "check_results",
    ["organization", "profile", "check_id", "resource", "repository_id"],
);
/// What is put last, in this order: whoever sees a parent sees its children, whoever sees a run sees its rows.
const LAST: [&str; 8] = [
    "organizations",
    "projects",
    "repositories",
    "pull_requests",
    "population_counts",
    "sync_runs",
    "check_runs",
    VIEW.0,
];
/// Partitions of a table that are put together at the same time.
const AT_ONCE: usize = 2;

/// What a publish came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Address without secrets.
    pub place: String,
    /// Tables and the view, sorted by name.
    pub tables: Vec<Published>,
    /// Tables that were published and are not in the lake any more; what was published of them stands.
    pub gone: Vec<String>,
}

/// What became of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// Name of the table or view.
    pub table: String,
    /// Version that is published; of the view, that of the table it reads.
    pub version: i64,
    /// Partitions that it has.
    pub partitions: u64,
    /// Files that were put.
    pub written: u64,
    /// Files of gone partitions that were removed.
    pub removed: u64,
    /// Rows in the files that were put.
    pub rows: u64,
    /// Bytes of the files that were put.
    pub bytes: u64,
}

impl Report {
    /// Tells whether anything was put or removed.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.tables.iter().all(|table| table.written + table.removed == 0)
    }
}

/// Something to be published.
struct Source {
    name: String,
    version: i64,
    rows: DataFrame,
    order: Vec<String>,
    /// Hash of what else than the rows decides how a file looks.
    form: String,
    partitions: Vec<Partition>,
}

/// Brings a place up to date with the tables of a session.
///
/// # Errors
/// Fails when the lake cannot be read, or the place cannot be written or is not one of adolake. What was put before
/// stands; another call goes on from there.
pub async fn publish(lake: &Lake, session: &Session, place: &Place) -> Result<Report, Error> {
    lake.check_absent(session).await.map_err(Error::Lake)?;
    match bring(lake, session, place).await {
        Err(Error::Lake(error)) => Err(Error::Lake(lake::locate(error, &session.ctx).await)),
        published => published,
    }
}

async fn bring(lake: &Lake, session: &Session, place: &Place) -> Result<Report, Error> {
    let listed = place.list().await?;
    let known = match Manifest::load(place).await? {
        Some(manifest) => manifest,
        None => {
            place.check_own(&listed)?;
            // From here on the place is known as adolake's, whatever happens.
            let manifest = Manifest { format: FORMAT, ..Manifest::default() };
            manifest.store(place).await?;
            manifest
        }
    };
    let sources = sources(lake, session).await?;
    let mut next =
        Manifest { format: FORMAT, versions: session.versions.clone(), files: BTreeMap::new() };
    let gone = keep_gone(lake, session, &listed, &known, &mut next);
    let mut tables = Vec::with_capacity(sources.len());
    for source in &sources {
        let mut published = Published {
            table: source.name.clone(),
            version: source.version,
            partitions: source.partitions.len() as u64,
            written: 0,
            removed: 0,
            rows: 0,
            bytes: 0,
        };
        let work = source.partitions.iter().map(|partition| {
            let path = format!("{}/{}{FILE}", source.name, partition.folder);
            let (entry, there) = (known.files.get(&path), listed.get(&path));
            async move {
                let (entry, is_written) =
                    refresh(source, partition, &path, entry, there, place).await?;
                Ok::<_, Error>((path, entry, is_written))
            }
        });
        // Boxed: the compiler does not follow borrows through so many layers of streams.
        let mut done = futures::stream::iter(work.collect::<Vec<_>>()).buffered(AT_ONCE).boxed();
        while let Some((path, entry, is_written)) = done.try_next().await? {
            if is_written {
                published.written += 1;
                published.rows += entry.rows;
                published.bytes += entry.bytes;
            }
            next.files.insert(path, entry);
        }
        tables.push(published);
    }
    remove_gone(lake, place, &listed, &known, &next, &mut tables).await?;
    place.remove_staged();
    if next != known {
        next.store(place).await?;
    }
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(Report { place: place.name.clone(), tables, gone })
}

/// Finds what is to be published, in the order in which it is put.
async fn sources(lake: &Lake, session: &Session) -> Result<Vec<Source>, Error> {
    let failed = Error::rows;
    let partitions = lake.partitions(session).await?;
    let mut sources = Vec::with_capacity(partitions.len() + 1);
    for (name, partitions) in &partitions {
        let table = lake
            .catalog()
            .require(name)
            .map_err(|error| Error::Lake(lake::Error::Schema(error)))?;
        let rows = session.ctx.table(name.as_str()).await.map_err(failed(name))?;
        let order = table.key_names().into_iter().map(str::to_owned).collect();
        sources.push(Source {
            name: name.clone(),
            version: session.versions.get(name).copied().unwrap_or_default(),
            rows,
            order,
            form: hash(&[&table.to_string()]),
            partitions: partitions.clone(),
        });
    }
    if let Some(results) = partitions.get(VIEW.1)
        && let Some(text) = view_text()
    {
        checks::prepare(&session.ctx);
        let rows = session.ctx.sql(&text).await.map_err(failed(VIEW.0))?;
        sources.push(Source {
            name: VIEW.0.to_owned(),
            version: session.versions.get(VIEW.1).copied().unwrap_or_default(),
            rows,
            order: VIEW.2.map(str::to_owned).into(),
            form: hash(&[&text]),
            partitions: by_organization(results),
        });
    }
    let rank = |name: &str| LAST.iter().position(|last| *last == name).map_or(0, |at| at + 1);
    sources.sort_by(|a, b| rank(&a.name).cmp(&rank(&b.name)).then_with(|| a.name.cmp(&b.name)));
    Ok(sources)
}

/// Returns the SQL of the view that is published.
fn view_text() -> Option<String> {
    // The embedded queries are parsed by every command, and by the tests.
    let queries = Queries::embedded().ok()?;
    queries.views().iter().find(|view| view.id() == VIEW.0).map(|view| view.text.clone())
}

/// Joins the partitions of an organization to one.
fn by_organization(partitions: &[Partition]) -> Vec<Partition> {
    let mut joined: BTreeMap<&str, (&Partition, Vec<&str>)> = BTreeMap::new();
    for partition in partitions {
        let Some((_, organization)) = partition.values.first() else { continue };
        let (_, fingerprints) = joined.entry(organization).or_insert((partition, Vec::new()));
        fingerprints.push(&partition.fingerprint);
    }
    let join = |(first, fingerprints): (&Partition, Vec<&str>)| Partition {
        values: first.values[..1].to_vec(),
        folder: first.folder.split_inclusive('/').next().unwrap_or_default().to_owned(),
        fingerprint: hash(&fingerprints),
    };
    joined.into_values().map(join).collect()
}

/// Puts the file of a partition in its place, unless it is there already.
async fn refresh(
    source: &Source,
    partition: &Partition,
    path: &str,
    entry: Option<&Entry>,
    there: Option<&Listed>,
    place: &Place,
) -> Result<(Entry, bool), Error> {
    let from = hash(&[&partition.fingerprint, &source.form]);
    // A file that somebody else put or took away is of no use, whatever the manifest says.
    let standing = entry.filter(|entry| {
        there.is_some_and(|there| {
            there.bytes == entry.bytes && (entry.e_tag.is_none() || there.e_tag == entry.e_tag)
        })
    });
    if let Some(entry) = standing
        && entry.source == from
    {
        return Ok((entry.clone(), false));
    }
    let failed = Error::rows(&source.name);
    let mut rows = source.rows.clone();
    for (column, value) in &partition.values {
        rows = rows.filter(col(column).eq(lit(value.as_str()))).map_err(&failed)?;
    }
    let order: Vec<SortExpr> =
        source.order.iter().map(|column| col(column).sort(true, true)).collect();
    let rows = rows.sort(order).map_err(&failed)?;
    let names: Vec<String> = partition.values.iter().map(|(name, _)| name.clone()).collect();
    let schema = file_schema(rows.schema().as_arrow(), &names);
    let mut built = build(&source.name, path, rows, &schema).await?;
    let is_same = standing.filter(|entry| entry.sha256 == built.sha256);
    let e_tag = match is_same {
        // The lake holds the same rows in other files.
        Some(entry) => entry.e_tag.clone(),
        None => place.put(path, &mut built.file, built.bytes).await?,
    };
    let (rows, bytes, sha256) = (built.rows, built.bytes, built.sha256);
    Ok((Entry { source: from, sha256, rows, bytes, e_tag }, is_same.is_none()))
}

/// Keeps what was published of tables that the lake does not have any more, until somebody removes it: a table that is
/// lost must not take its copy along. Returns their names.
fn keep_gone(
    lake: &Lake,
    session: &Session,
    listed: &BTreeMap<String, Listed>,
    known: &Manifest,
    next: &mut Manifest,
) -> Vec<String> {
    let mut gone = BTreeSet::new();
    for (path, entry) in known.files.iter().filter(|(path, _)| listed.contains_key(*path)) {
        let name = path.split('/').next().unwrap_or_default();
        let table = if name == VIEW.0 { VIEW.1 } else { name };
        if lake.catalog().table(table).is_some() && !session.versions.contains_key(table) {
            next.files.insert(path.clone(), entry.clone());
            if let Some(version) = known.versions.get(table) {
                next.versions.insert(table.to_owned(), *version);
            }
            gone.insert(table.to_owned());
        }
    }
    gone.into_iter().collect()
}

/// Removes the files of partitions that are gone.
async fn remove_gone(
    lake: &Lake,
    place: &Place,
    listed: &BTreeMap<String, Listed>,
    known: &Manifest,
    next: &Manifest,
    tables: &mut Vec<Published>,
) -> Result<(), Error> {
    let is_ours = |path: &str| {
        let table = path.split('/').next().unwrap_or_default();
        let is_table = table == VIEW.0 || lake.catalog().table(table).is_some();
        path.ends_with(&format!("/{FILE}")) && (is_table || known.files.contains_key(path))
    };
    let gone: BTreeSet<&String> =
        listed.keys().filter(|path| is_ours(path) && !next.files.contains_key(*path)).collect();
    for path in &gone {
        let name = path.split('/').next().unwrap_or_default();
        match tables.iter_mut().find(|table| table.table == name) {
            Some(table) => table.removed += 1,
            None => tables.push(Published {
                table: name.to_owned(),
                version: -1,
                partitions: 0,
                written: 0,
                removed: 1,
                rows: 0,
                bytes: 0,
            }),
        }
    }
    let gone: Vec<String> = gone.into_iter().cloned().collect();
    if gone.is_empty() { Ok(()) } else { place.remove(&gone).await }
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}
