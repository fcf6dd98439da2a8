//! How fast the checks answer, beside DuckDB with the same queries on the same files.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use adolake::checks::{
    self, Finding, Findings, Parameters, Period, Queries, Query, Request, SETTINGS_TABLES,
    SettingsRows,
};
use adolake::config::Profile;
use adolake::lake::Lake;
use adolake::schema::{Column, Kind, META_COLUMNS, Table, to_batch};
use adolake::simulator::Size;
use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::large;
use crate::place::Place;
use crate::process::{peak_memory, run};
use crate::{Wanted, figure, line, title};

/// How many days back the judged period begins: every pull request of the lake is judged.
const JUDGED_DAYS: u64 = 1100;
const PROFILE: Profile = Profile::Standard;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/duckdb.py");

const YARDSTICK: &str = "select repository_id, status, count(*), min(created_at), max(closed_at) from pull_requests group by repository_id, status";

/// What a check took, and what it found.
#[derive(Debug, Clone)]
struct Answer {
    seconds: f64,
    sum: Sum,
}

/// The lake and all that checks need beside it.
struct Court {
    lake: Lake,
    queries: Queries,
    settings: SettingsRows,
    period: Period,
    /// How often everything is asked; the best time counts.
    times: usize,
}

/// Runs the checks with both engines.
///
/// # Errors
/// When the lake cannot be read, a check fails, or DuckDB does.
pub async fn measure(place: &Place, times: usize) -> anyhow::Result<()> {
    title("checks, standard profile");
    let court = Court::open(place, times).await?;
    let all: Vec<&Query> = court.queries.checks().iter().collect();
    let mut own = BTreeMap::new();
    // A million pull requests are judged together only: one check alone says nothing more.
    if place.size != Size::Large {
        for check in &all {
            let (seconds, mut sums) = court.best(&[check]).await?;
            let sum = sums.remove(check.id()).context("a check was not answered")?;
            own.insert(check.id(), Answer { seconds, sum });
        }
    }
    let (own_seconds, sums) = court.best(&all).await?;
    let own_peak = peak_memory("self");
    let bytes: usize = sums.values().map(|sum| sum.bytes).sum();
    let rows: u64 = sums.values().map(|sum| sum.rows).sum();
    line("findings", &format!("{rows}, {} MiB of reasons and evidence", bytes >> 20));
    match duckdb(&court, &place.folder, own.is_empty()).await? {
        Ok(answer) => compare(&own, own_seconds, &sums, &answer)?,
        Err(reason) => {
            for (id, answer) in &own {
                line(id, &format!("{:.3} s, {} verdicts", answer.seconds, answer.sum.rows));
            }
            line("all six together", &format!("{own_seconds:.3} s"));
            line("DuckDB", &format!("SKIPPED: {reason}"));
        }
    }
    let yardstick = court.yardstick().await?;
    let times = own_seconds / yardstick;
    line(
        "a plain aggregate over pull_requests",
        &format!("{yardstick:.3} s, the checks take {times:.0} times that"),
    );
    if place.size == Size::Large {
        let ran = run(&mut place.command(&["explain", large::PULL_REQUEST]), &place.folder)?;
        let peak = ran.peak.map(|peak| format!(", peak {peak:.0} MiB")).unwrap_or_default();
        line("one pull request explained", &format!("{:.3} s{peak}", ran.seconds));
    }
    if let Some(peak) = own_peak {
        let most = if place.size == Size::Large { 2048.0 } else { 1024.0 };
        figure("peak memory of adolake", peak, " MiB", Wanted::AtMost(most));
    }
    Ok(())
}

fn compare(
    own: &BTreeMap<&str, Answer>,
    own_seconds: f64,
    sums: &BTreeMap<String, Sum>,
    duckdb: &Value,
) -> anyhow::Result<()> {
    let seconds = |value: &Value| value["seconds"].as_f64().context("DuckDB tells no seconds");
    for (id, sum) in sums {
        let other = &duckdb["checks"][id];
        let digest = other["digest"].as_str().and_then(|text| text.parse().ok());
        let is_same = other["rows"] == sum.rows && digest == Some(sum.digest);
        let verdicts = if is_same { "the same verdicts" } else { "OTHER VERDICTS" };
        let rows = sum.rows;
        let Some(Answer { seconds: mine, .. }) = own.get(id.as_str()) else {
            line(id, &format!("{rows} rows, {verdicts}"));
            continue;
        };
        let theirs = seconds(other)?;
        line(id, &format!("{mine:.3} s, DuckDB {theirs:.3} s, {rows} rows, {verdicts}"));
        figure("  adolake : DuckDB", mine / theirs, "", Wanted::AtMost(1.0));
    }
    let theirs = seconds(duckdb)?;
    line("all six together", &format!("{own_seconds:.3} s, DuckDB {theirs:.3} s"));
    figure("  adolake : DuckDB", own_seconds / theirs, "", Wanted::AtMost(1.0));
    line(
        "DuckDB",
        &format!("version {}, peak memory {:.0} MiB", duckdb["version"], duckdb["peak_mib"]),
    );
    Ok(())
}

impl Court {
    /// Opens the lake and resolves the settings; of a lake that was read, by a check run that stores nothing.
    async fn open(place: &Place, times: usize) -> anyhow::Result<Self> {
        let (lake, queries) = (place.lake()?, Queries::embedded()?);
        let config = place.config(Some(JUDGED_DAYS))?;
        let request = Request {
            checks: &[],
            organizations: &[],
            profile: PROFILE,
            as_of: None,
            since: None,
            until: None,
            given: &[],
            is_stored: false,
            version: env!("CARGO_PKG_VERSION"),
            clock: &Utc::now,
        };
        let now = Utc::now();
        let period = if place.size == Size::Large {
            let (from, to) = large::period()?;
            Period { start_at: from, from, to, as_of: to }
        } else {
            let started = Instant::now();
            let run = checks::run(&lake, &queries, &config.settings, &request).await?;
            let seconds = started.elapsed().as_secs_f64();
            line("a whole check run, from a cold start", &format!("{seconds:.3} s"));
            run.period
        };
        let session = lake.session().await?;
        let repositories = checks::repositories(&session.ctx, lake.catalog()).await?;
        let settings =
            checks::resolve(&config.settings, lake.catalog(), &repositories, "figures", now)?;
        Ok(Self { lake, queries, settings, period, times })
    }

    /// Answers checks several times; the best time, and what was found.
    async fn best(&self, checks: &[&Query]) -> anyhow::Result<(f64, BTreeMap<String, Sum>)> {
        let (mut best, mut found) = (f64::INFINITY, BTreeMap::new());
        for _ in 0..self.times {
            let (seconds, sums) = self.judge(checks).await?;
            best = seconds.min(best);
            found = sums;
        }
        Ok((best, found))
    }

    /// Answers checks, and how long that took. Findings are summed up and not kept; as with DuckDB, the sum takes no part
    /// in the time.
    async fn judge(&self, checks: &[&Query]) -> anyhow::Result<(f64, BTreeMap<String, Sum>)> {
        let started = Instant::now();
        let mut summing = Duration::ZERO;
        let session = self.lake.session().await?;
        checks::prepare(&session.ctx);
        for (name, in_force) in SETTINGS_TABLES {
            let table = self.lake.catalog().require(name)?;
            let rows = to_batch(table, self.settings.of(name))?;
            checks::register_in_force(&session.ctx, table, in_force, &rows)?;
        }
        let parameters = Parameters::new(&self.period, PROFILE);
        let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
        let take = |findings: Findings| {
            let started = Instant::now();
            let sum = sums.entry(findings.check_id().to_owned()).or_default();
            findings.iter().for_each(|finding| sum.add(&finding));
            summing += started.elapsed();
        };
        checks::judge(&session.ctx, &self.queries, checks, &parameters, None, take).await?;
        Ok(((started.elapsed() - summing).as_secs_f64(), sums))
    }

    /// A plain aggregate over the table of pull requests, beside which the checks are seen.
    async fn yardstick(&self) -> anyhow::Result<f64> {
        let mut best = f64::INFINITY;
        for _ in 0..self.times {
            let session = self.lake.session().await?;
            let started = Instant::now();
            session.ctx.sql(YARDSTICK).await?.collect().await?;
            best = started.elapsed().as_secs_f64().min(best);
        }
        Ok(best)
    }

    /// Writes down what DuckDB needs to do the same: files, queries, parameters.
    async fn job(&self, folder: &Path) -> anyhow::Result<Value> {
        let mut tables = Vec::new();
        for table in self.lake.catalog().tables() {
            let place = self.lake.url().join(&format!("{}/", table.name))?;
            let partitions: Vec<&str> =
                table.partitions.iter().map(|&index| table.columns[index].name.as_str()).collect();
            tables.push(json!({
                "name": table.name,
                "columns": columns(table.columns.iter()),
                "partitions": partitions,
                "files": live_files(place).await?,
            }));
        }
        for (name, in_force) in SETTINGS_TABLES {
            let table = self.lake.catalog().require(name)?;
            let file = folder.join(format!("{in_force}.parquet"));
            let kept: Vec<&Column> =
                table.columns.iter().filter(|column| is_in_force(column)).collect();
            write_parquet(table, &kept, self.settings.of(name), &file)?;
            let (kept, none) = (columns(kept.into_iter()), json!([]));
            tables.push(
                json!({ "name": in_force, "columns": kept, "partitions": none, "files": [file] }),
            );
        }
        let time = |at: DateTime<Utc>| {
            json!(["timestamp", at.to_rfc3339_opts(SecondsFormat::Micros, true)])
        };
        Ok(json!({
            "threads": std::thread::available_parallelism()?.get(),
            "repeats": self.times,
            "tables": tables,
            "views": queries(self.queries.views()),
            "checks": queries(self.queries.checks()),
            "parameters": {
                "start_at": time(self.period.start_at),
                "period_from": time(self.period.from),
                "period_to": time(self.period.to),
                "as_of": time(self.period.as_of),
                "profile": ["text", PROFILE.as_str()],
            },
        }))
    }
}

/// Lets DuckDB do the same; what it took and found, or why it cannot be asked.
async fn duckdb(
    court: &Court,
    folder: &Path,
    is_brief: bool,
) -> anyhow::Result<Result<Value, String>> {
    let python = std::env::var("ADOLAKE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let tried = Command::new(&python).args(["-c", "import duckdb"]).current_dir(folder).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        let reason =
            format!("`{python}` has no package `duckdb`; name another Python with ADOLAKE_PYTHON");
        return Ok(Err(reason));
    }
    let file = folder.join("job.json");
    let mut job = court.job(folder).await?;
    job["brief"] = is_brief.into();
    std::fs::write(&file, job.to_string())?;
    let ran = run(Command::new(python).arg(SCRIPT).arg(file), folder)?;
    Ok(Ok(serde_json::from_str(&ran.stdout)?))
}

fn queries(queries: &[Query]) -> Vec<Value> {
    let one = |query: &Query| json!({ "id": query.id(), "reads": query.header.reads, "text": query.text });
    queries.iter().map(one).collect()
}

fn columns<'a>(columns: impl Iterator<Item = &'a Column>) -> Vec<Value> {
    let kind = |kind| match kind {
        Kind::Text => "varchar",
        Kind::BigInt => "bigint",
        Kind::Int => "integer",
        Kind::Double => "double",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::Timestamp => "timestamptz",
    };
    columns.map(|column| json!({ "name": column.name, "type": kind(column.kind) })).collect()
}

/// The data files of the newest version of a table, never those that it has given up; none where there is no table.
async fn live_files(place: Url) -> anyhow::Result<Vec<String>> {
    if !place.to_file_path().is_ok_and(|folder| folder.join("_delta_log").is_dir()) {
        return Ok(Vec::new());
    }
    Ok(deltalake::open_table(place).await?.get_file_uris()?.collect())
}

/// Tells whether a column of a settings table is one of the settings in force.
fn is_in_force(column: &Column) -> bool {
    let name = column.name.as_str();
    !matches!(name, "run_id" | "run_month") && !META_COLUMNS.contains(&name)
}

fn write_parquet(
    table: &std::sync::Arc<Table>,
    kept: &[&Column],
    rows: &[adolake::schema::Row],
    file: &Path,
) -> anyhow::Result<()> {
    let indices: Vec<usize> = kept.iter().filter_map(|column| table.index(&column.name)).collect();
    let batch = to_batch(table, rows)?.project(&indices)?;
    let mut writer = ArrowWriter::try_new(File::create(file)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

/// What findings come to. The digest does not depend on their order: it is the sum of one number for each.
#[derive(Debug, Clone, Default)]
struct Sum {
    rows: u64,
    bytes: usize,
    digest: u64,
}

impl Sum {
    fn add(&mut self, finding: &Finding<'_>) {
        let parts =
            [&finding.resource(), finding.status.as_str(), finding.reason_code, finding.flags];
        let hash = Sha256::digest(parts.join("|").as_bytes());
        self.digest += u64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]));
        self.rows += 1;
        self.bytes += finding.reason.len() + finding.evidence_json.len();
    }
}
