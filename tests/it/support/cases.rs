//! Cases for queries: given rows per table as CSV, and the verdicts that are expected of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adolake::checks::{self, Period, SETTINGS_TABLES};
use adolake::schema::{Catalog, Cell, Kind, Row, Table, to_batch};
use arrow::array::{Array, AsArray};
use arrow::csv::reader::{Format, ReaderBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

/// The folder with `<check id>/<case>/`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checks")
}

/// A folder of given and expected rows.
pub struct Case {
    /// The check it is for.
    pub check_id: String,
    /// `<check id>/<case>`.
    pub name: String,
    pub folder: PathBuf,
}

/// One expected verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    pub profile: String,
    pub resource: String,
    pub status: String,
    pub reason_code: String,
    pub flags: String,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { profile, resource, status, reason_code, flags } = self;
        write!(f, "{profile:<8} {resource}  {status} {reason_code}  [{flags}]")
    }
}

/// All cases, sorted; only those whose name contains `ADOLAKE_CASE` where that is set.
pub fn all() -> Vec<Case> {
    let wanted = std::env::var("ADOLAKE_CASE").unwrap_or_default();
    let mut cases = Vec::new();
    for check in folders(&root()) {
        for folder in folders(&check) {
            let check_id = check.file_name().unwrap().to_string_lossy().into_owned();
            let name = format!("{check_id}/{}", folder.file_name().unwrap().to_string_lossy());
            if name.contains(&wanted) {
                cases.push(Case { check_id, name, folder });
            }
        }
    }
    cases
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

impl Case {
    /// The given rows by table, settings in force among them.
    pub fn rows(&self, catalog: &Catalog) -> Result<Given, String> {
        let mut given = Given::new();
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.extension().is_none_or(|suffix| suffix != "csv")
                || stem == "expected"
                || stem == "params"
            {
                continue;
            }
            let in_force = SETTINGS_TABLES.iter().find(|(_, in_force)| *in_force == stem);
            let name = in_force.map_or(stem.as_str(), |(table, _)| table);
            let table =
                catalog.table(name).ok_or(format!("`{stem}.csv` is the name of no table"))?;
            let rows = rows(table, &path)?;
            given.insert(stem, rows);
        }
        Ok(given)
    }

    /// The period: start date 2026-01-01, judged as of 2026-07-01, unless `params.csv` says otherwise.
    pub fn period(&self) -> Result<Period, String> {
        let mut values: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
        let path = self.folder.join("params.csv");
        if path.exists() {
            for record in records(&path)? {
                let value = instant(&record["value"]).ok_or("params.csv: not an instant")?;
                values.insert(record["name"].clone(), value);
            }
        }
        let mut take = |name: &str| values.remove(name);
        let start_at = take("start_at").unwrap_or_else(|| instant("2026-01-01").unwrap());
        let as_of = take("as_of").unwrap_or_else(|| instant("2026-07-01").unwrap());
        let from = take("period_from").unwrap_or(start_at);
        let to = take("period_to").unwrap_or(as_of);
        match values.pop_first() {
            None => Ok(Period { start_at, from, to, as_of }),
            Some((name, _)) => Err(format!("params.csv: there is no parameter `{name}`")),
        }
    }

    /// The rows of `expected.csv`, sorted; a profile of `*` stands for both.
    pub fn expected(&self) -> Result<Vec<Verdict>, String> {
        let mut verdicts = Vec::new();
        for mut record in records(&self.folder.join("expected.csv"))? {
            let mut take =
                |name: &str| record.remove(name).ok_or(format!("expected.csv: no column `{name}`"));
            let verdict = Verdict {
                profile: take("profile")?,
                resource: take("resource")?,
                status: take("status")?,
                reason_code: take("reason_code")?,
                flags: take("flags")?,
            };
            if verdict.profile == "*" {
                for profile in ["standard", "strict"] {
                    verdicts.push(Verdict { profile: profile.to_owned(), ..verdict.clone() });
                }
            } else {
                verdicts.push(verdict);
            }
        }
        verdicts.sort();
        Ok(verdicts)
    }
}

/// Rows by table, or by the name of the settings in force.
pub type Given = BTreeMap<String, Vec<Row>>;

/// Renames every organization among the rows, so that many cases can live in one lake.
pub fn rename_organizations(given: &mut Given, suffix: &str) {
    let mut organizations = BTreeSet::new();
    for row in given.values().flatten().filter(|row| row.table().index("organization").is_some()) {
        organizations.extend(row.text("organization").map(str::to_owned));
    }
    for row in given.values_mut().flatten() {
        let table = Arc::clone(row.table());
        for (column, cell) in table.columns.iter().zip(row.cells_mut()) {
            let Cell::Text(text) = cell else { continue };
            let names_organization = match column.name.as_str() {
                "organization" | "scope" => organizations.contains(text),
                "pattern" | "repository_pattern" => table.name == "exceptions",
                _ => false,
            };
            if names_organization {
                let (organization, rest) = match text.split_once('/') {
                    Some((organization, rest)) => (organization, format!("/{rest}")),
                    None => (text.as_str(), String::new()),
                };
                // Patterns may be globs, and names in other letters.
                if organization != "**" {
                    *text = format!("{organization}{suffix}{rest}");
                }
            }
        }
    }
}

/// A session with all tables, the given rows in them, and the settings in force.
pub fn session_with(catalog: &Catalog, given: &Given) -> Result<SessionContext, String> {
    let context = session();
    for table in catalog.tables() {
        register(&context, table, given.get(&table.name).map_or(&[], Vec::as_slice))?;
    }
    checks::prepare(&context);
    for (name, in_force) in SETTINGS_TABLES {
        let table = catalog.require(name).unwrap();
        let rows = given.get(in_force).map_or(&[][..], Vec::as_slice);
        let batch = to_batch(table, rows).map_err(|error| error.to_string())?;
        checks::register_in_force(&context, table, in_force, &batch).unwrap();
    }
    Ok(context)
}

/// A session as the lake makes it, small.
pub fn session() -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(2);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    SessionContext::new_with_config(config)
}

fn register(context: &SessionContext, table: &Arc<Table>, rows: &[Row]) -> Result<(), String> {
    let batch = to_batch(table, rows).map_err(|error| error.to_string())?;
    let provider = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    context.register_table(table.name.as_str(), Arc::new(provider)).unwrap();
    Ok(())
}

/// A row of a table from texts by column; what must not be null and is not given gets a plain default.
pub fn row(table: &Arc<Table>, texts: &BTreeMap<String, String>) -> Result<Row, String> {
    let mut row = Row::new(table);
    for name in texts.keys() {
        if table.index(name).is_none() {
            return Err(format!("`{}` has no column `{name}`", table.name));
        }
    }
    for (index, column) in table.columns.iter().enumerate() {
        let text = texts.get(&column.name).map_or("", String::as_str);
        row.cells_mut()[index] = if !text.is_empty() {
            cell(column.kind, text)
                .ok_or_else(|| format!("`{}`: `{text}` is no {}", column.name, column.kind.sql()))?
        } else if column.is_nullable {
            Cell::Null
        } else {
            match column.kind {
                Kind::Text if column.name == "organization" => Cell::Text("contoso".to_owned()),
                Kind::Text => Cell::Text(String::new()),
                Kind::BigInt | Kind::Int => Cell::Int(0),
                Kind::Double => Cell::Float(0.0),
                Kind::Boolean => Cell::Bool(false),
                Kind::Date => Cell::Date(0),
                Kind::Timestamp => Cell::Time(0),
            }
        };
    }
    Ok(row)
}

fn rows(table: &Arc<Table>, path: &Path) -> Result<Vec<Row>, String> {
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    records(path)?
        .iter()
        .enumerate()
        .map(|(index, record)| {
            row(table, record).map_err(|problem| format!("{file}, row {}: {problem}", index + 1))
        })
        .collect()
}

/// The records of a CSV file, texts by column name; empty cells are empty texts.
fn records(path: &Path) -> Result<Vec<BTreeMap<String, String>>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let open = || File::open(path).map_err(|error| told(&error));
    let (inferred, _) = Format::default()
        .with_header(true)
        .infer_schema(open()?, Some(0))
        .map_err(|error| told(&error))?;
    let fields: Vec<Field> = inferred
        .fields()
        .iter()
        .map(|f| Field::new(f.name().trim(), DataType::Utf8, true))
        .collect();
    let reader = ReaderBuilder::new(Arc::new(Schema::new(fields)))
        .with_header(true)
        .build(open()?)
        .map_err(|error| told(&error))?;
    let mut records = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| told(&error))?;
        for row in 0..batch.num_rows() {
            let mut record = BTreeMap::new();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let texts = column.as_string::<i32>();
                let text = if texts.is_null(row) { "" } else { texts.value(row) };
                record.insert(field.name().clone(), text.to_owned());
            }
            records.push(record);
        }
    }
    Ok(records)
}

fn cell(kind: Kind, text: &str) -> Option<Cell> {
    Some(match kind {
        Kind::Text => Cell::Text(text.to_owned()),
        Kind::BigInt | Kind::Int => Cell::Int(text.parse().ok()?),
        Kind::Double => Cell::Float(text.parse().ok()?),
        Kind::Boolean => Cell::Bool(text.parse().ok()?),
        Kind::Date => Cell::from(text.parse::<NaiveDate>().ok()?),
        Kind::Timestamp => Cell::from(instant(text)?),
    })
}

/// An RFC 3339 instant, `2026-01-31 12:00:00` in UTC, or a day.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let rfc = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    let plain = || {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M"))
            .map(|at| at.and_utc())
    };
    let day = || text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    rfc.or_else(|_| plain()).or_else(|_| day()).ok()
}
