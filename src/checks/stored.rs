//! Check runs that are stored: found by name, and recomputed from their table versions, settings and queries.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::catalog::Queries;
use super::error::Error;
use super::finding::{Counts, Findings, Status};
use super::judge::findings_of;
use super::params::{Parameters, Period};
use super::query::Query;
use super::run::hash;
use super::views::{SETTINGS_TABLES, SettingsRows, register_settings};
use crate::config::{Profile, Settings};
use crate::lake::Lake;
use crate::schema::{Row, from_batch};

/// What can be done where something that a run was made of is no longer there, or no longer what it was.
const KEPT: &str = "`lake.keep-versions` says how long table versions and their files are kept";
const CHANGED: &str = "somebody changed what the run stored: see who may write to the lake";
const VERSION: &str = "use the version of adolake that made the run";

/// How many runs are named where one is not found.
const NAMED: usize = 5;

/// A check run as it is stored.
#[derive(Debug, Clone)]
pub struct StoredRun {
    /// Its id.
    pub run_id: String,
    /// When it began, by the clock of its machine.
    pub started_at: DateTime<Utc>,
    /// Version of adolake that made it.
    pub version: String,
    /// How strictly was judged.
    pub profile: Profile,
    /// What was judged.
    pub period: Period,
    /// Ids of the checks that ran, sorted.
    pub checks: Vec<String>,
    /// Values given with `--set`.
    pub given: Vec<(String, String)>,
    /// Table → Delta version read.
    pub table_versions: BTreeMap<String, i64>,
    /// SHA-256 of the settings, hexadecimal.
    pub settings_hash: String,
    /// How many findings had each status.
    pub counts: Counts,
    /// SHA-256 over all findings in order, hexadecimal.
    pub findings_sha256: String,
    settings_json: String,
    query_hashes: BTreeMap<String, String>,
    queries: BTreeMap<String, String>,
    rows: SettingsRows,
}

/// What came of a stored run when it was computed again.
#[derive(Debug)]
pub struct Recomputed {
    /// The verdicts of each check, sorted by id.
    pub findings: Vec<Findings>,
    /// SHA-256 over all findings in order, hexadecimal.
    pub findings_sha256: String,
}

impl Recomputed {
    /// Returns how many findings of all checks have each status.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.findings.iter().for_each(|findings| counts.extend(findings.counts()));
        counts
    }
}

/// Finds a stored run by its id, by the beginning of its id, or as `latest`.
///
/// # Errors
/// Fails when there is no such run or more than one, naming some, and when the lake cannot be read.
pub async fn stored_run(lake: &Lake, name: &str) -> Result<StoredRun, Error> {
    let session = lake.session().await.map_err(Error::lake("read the check runs of the lake"))?;
    let known = known_runs(&session.ctx).await?;
    let told = |runs: &[&(String, String)]| {
        runs.iter().take(NAMED).map(|(id, text)| format!("{id} ({text})")).collect::<Vec<_>>()
    };
    let wanted = name.to_lowercase();
    let fitting: Vec<&(String, String)> = match wanted.as_str() {
        "latest" => known.iter().take(1).collect(),
        _ => known.iter().filter(|(id, _)| id.starts_with(&wanted)).collect(),
    };
    let exact = fitting.iter().find(|(id, _)| *id == wanted);
    let run_id = match (exact, fitting.as_slice()) {
        (Some((id, _)), _) | (None, [(id, _)]) => id,
        (None, []) => {
            let latest = told(&known.iter().collect::<Vec<_>>());
            return Err(Error::NoRun { name: name.to_owned(), latest });
        }
        (None, several) => {
            let count = several.len();
            return Err(Error::AmbiguousRun { name: name.to_owned(), count, runs: told(several) });
        }
    };
    read(lake, &session.ctx, run_id).await
}

/// Ids of all runs, the latest first, each with what tells it from others.
async fn known_runs(context: &SessionContext) -> Result<Vec<(String, String)>, Error> {
    let failed = || Error::engine("cannot read the check runs of the lake");
    let sql = "select run_id, profile, checks, started_at from check_runs \
        order by started_at desc, run_id desc";
    let batches = context.sql(sql).await.map_err(failed())?.collect().await.map_err(failed())?;
    let mut known = Vec::new();
    for batch in batches {
        let times = batch.column(3).as_primitive_opt::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let text = |column: usize| {
                array_value_to_string(batch.column(column), row)
                    .map_err(|error| failed()(error.into()))
            };
            let at = times.and_then(|times| DateTime::from_timestamp_micros(times.value(row)));
            let at = at.map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M UTC").to_string());
            let checks = text(2)?.split(',').count();
            let word = if checks == 1 { "check" } else { "checks" };
            known.push((text(0)?, format!("{at}, {}, {checks} {word}", text(1)?)));
        }
    }
    Ok(known)
}

async fn read(lake: &Lake, context: &SessionContext, run_id: &str) -> Result<StoredRun, Error> {
    let rows = async |table: &str| -> Result<Vec<Row>, Error> {
        let failed = || Error::engine(format!("cannot read `{table}` of the lake"));
        let sql = format!("select * from {table} where run_id = $run");
        let frame = context.sql(&sql).await.map_err(failed())?;
        let values = vec![("run", ScalarValue::from(run_id))];
        let frame = frame.with_param_values(values).map_err(failed())?;
        let table = lake.catalog().require(table).map_err(Error::Schema)?;
        let mut rows = Vec::new();
        for batch in frame.collect().await.map_err(failed())? {
            rows.extend(from_batch(table, &batch).map_err(Error::Schema)?);
        }
        Ok(rows)
    };
    let mut settings = SettingsRows::default();
    for (table, _) in SETTINGS_TABLES {
        let own = rows(table).await?;
        match table {
            "repository_settings" => settings.repository_settings = own,
            "production_branches" => settings.production_branches = own,
            "solutions" => settings.solutions = own,
            _ => settings.exceptions = own,
        }
    }
    let runs = rows("check_runs").await?;
    runs.first().and_then(|row| StoredRun::of(run_id, row, settings)).ok_or_else(|| {
        Error::NotRecomputable {
            run_id: run_id.to_owned(),
            reason: "its row of `check_runs` is not understood".to_owned(),
            hint: VERSION,
        }
    })
}

impl StoredRun {
    fn of(run_id: &str, row: &Row, rows: SettingsRows) -> Option<Self> {
        let text = |column: &str| row.text(column).map(str::to_owned);
        let json = |column: &str| -> Option<Value> {
            serde_json::from_str(row.text(column).unwrap_or("{}")).ok()
        };
        let texts = |column: &str| -> Option<BTreeMap<String, String>> {
            serde_json::from_value(json(column)?).ok()
        };
        let start_at = row.time("start_at")?;
        let mut counts = Counts::default();
        for status in Status::ALL {
            let count = row.int(&format!("{}_count", status.as_str()))?;
            counts.add_many(status, u64::try_from(count).ok()?);
        }
        Some(Self {
            run_id: run_id.to_owned(),
            started_at: row.time("started_at")?,
            version: text("version")?,
            profile: match row.text("profile")? {
                "standard" => Profile::Standard,
                "strict" => Profile::Strict,
                _ => return None,
            },
            period: Period {
                start_at,
                from: row.time("period_from").unwrap_or(start_at),
                to: row.time("period_to")?,
                as_of: row.time("as_of")?,
            },
            checks: text("checks")?.split(',').map(str::to_owned).collect(),
            given: texts("parameters_json")?.into_iter().collect(),
            table_versions: serde_json::from_value(json("table_versions_json")?).ok()?,
            settings_hash: text("settings_hash")?,
            counts,
            findings_sha256: text("findings_sha256")?,
            settings_json: text("settings_json")?,
            query_hashes: texts("query_hashes_json")?,
            queries: texts("queries_json")?,
            rows,
        })
    }

    /// Returns the settings that were in force, with the profile that the run was made under.
    ///
    /// # Errors
    /// Fails when this adolake does not understand them.
    pub fn settings(&self) -> Result<Settings, Error> {
        let mut settings = Settings::from_json(&self.settings_json)
            .map_err(|problem| Error::StoredSettings { run_id: self.run_id.clone(), problem })?;
        settings.profile = self.profile;
        for row in &self.rows.exceptions {
            let index = row.int("exception_index").and_then(|index| usize::try_from(index).ok());
            if let Some(exception) = index.and_then(|index| settings.exceptions.get_mut(index)) {
                exception.evidence_sha256 = row.text("evidence_sha256").map(str::to_owned);
            }
        }
        Ok(settings)
    }

    /// Returns whether these are the queries that it ran with.
    #[must_use]
    pub fn has_queries(&self, queries: &BTreeMap<String, String>) -> bool {
        self.queries == *queries
    }

    /// Returns whether these are the versions of the tables it read, those that check runs themselves write left out.
    #[must_use]
    pub fn has_tables(&self, versions: &BTreeMap<String, i64>) -> bool {
        let is_written_by_runs = |table: &str| {
            table.starts_with("check_") || SETTINGS_TABLES.iter().any(|(name, _)| *name == table)
        };
        let read = |versions: &BTreeMap<String, i64>| {
            let mut versions = versions.clone();
            versions.retain(|table, _| !is_written_by_runs(table));
            versions
        };
        read(&self.table_versions) == read(versions)
    }

    fn gone(&self, reason: impl Into<String>, hint: &'static str) -> Error {
        Error::NotRecomputable { run_id: self.run_id.clone(), reason: reason.into(), hint }
    }

    /// The queries as they were, held to the hashes of the run.
    fn queries(&self) -> Result<Queries, Error> {
        if hex::encode(Sha256::digest(self.settings_json.as_bytes())) != self.settings_hash {
            return Err(
                self.gone("its settings are not those that its `settings_hash` is of", CHANGED)
            );
        }
        for (id, hash) in &self.query_hashes {
            let Some(text) = self.queries.get(id) else {
                return Err(self.gone(format!("the text of its query `{id}` is gone"), CHANGED));
            };
            if hex::encode(Sha256::digest(text.as_bytes())) != *hash {
                let reason = format!("its query `{id}` is not the one that its hash is of");
                return Err(self.gone(reason, CHANGED));
            }
        }
        let of = |is_check: bool| {
            let is_wanted = move |id: &String| self.checks.contains(id) == is_check;
            self.queries
                .iter()
                .filter(move |(id, _)| is_wanted(id))
                .map(|(id, text)| (id.as_str(), text.as_str()))
        };
        if let Some(check) = self.checks.iter().find(|id| !self.queries.contains_key(*id)) {
            return Err(self.gone(format!("the text of its query `{check}` is gone"), CHANGED));
        }
        Queries::of_texts(&self.run_id, of(false), of(true)).map_err(|error| self.not_taken(&error))
    }

    fn not_taken(&self, error: &Error) -> Error {
        self.gone(format!("this adolake does not take one of its queries: {error}"), VERSION)
    }

    /// The versions of the tables that the queries read; what became of other tables does not matter.
    fn versions(&self, queries: &Queries) -> BTreeMap<String, i64> {
        let checks: Vec<&Query> = queries.checks().iter().collect();
        let read = queries.read_by(&checks);
        let mut versions = self.table_versions.clone();
        versions.retain(|table, _| read.contains(table.as_str()));
        versions
    }
}

/// Computes a stored run again.
///
/// # Errors
/// Fails when the lake cannot be read, and with [`Error::NotRecomputable`] when a version, a data file, a setting or a
/// query of the run is gone.
pub async fn recompute(lake: &Lake, run: &StoredRun) -> Result<Recomputed, Error> {
    let queries = run.queries()?;
    let versions = run.versions(&queries);
    let error = match judge(lake, run, &queries, &versions).await {
        Ok(recomputed) => return Ok(recomputed),
        Err(error) => error,
    };
    if let Error::Lake { source, .. } = &error
        && matches!(**source, crate::lake::Error::VersionGone { .. })
    {
        return Err(run.gone(source.to_string(), KEPT));
    }
    // The query engine does not say in a way that can be told apart that a file is gone.
    if let Ok(Some((table, file))) = lake.missing_file(&versions).await {
        return Err(run.gone(format!("data file `{file}` of table `{table}` is gone"), KEPT));
    }
    Err(if error.is_about_query() { run.not_taken(&error) } else { error })
}

async fn judge(
    lake: &Lake,
    run: &StoredRun,
    queries: &Queries,
    versions: &BTreeMap<String, i64>,
) -> Result<Recomputed, Error> {
    let session = lake
        .session_at(versions)
        .await
        .map_err(Error::lake("open the lake at the versions of the check run"))?;
    let context = &session.ctx;
    register_settings(context, lake.catalog(), &run.rows)?;
    let checks: Vec<&Query> = queries.checks().iter().collect();
    let mut parameters = Parameters::new(&run.period, run.profile);
    for (name, value) in &run.given {
        parameters.give(name, value)?;
    }
    let findings = findings_of(context, queries, &checks, &parameters).await?;
    Ok(Recomputed { findings_sha256: hash(&findings), findings })
}
