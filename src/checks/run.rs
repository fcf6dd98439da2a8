//! One check run: settings in force, pinned tables, verdicts, counts, storage.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::prelude::SessionContext;
use sha2::{Digest, Sha256};
use uuid::{NoContext, Timestamp, Uuid};

use super::catalog::Queries;
use super::error::Error;
use super::finding::{Counts, Findings};
use super::header::Header;
use super::instant::instant_text;
use super::judge::findings_of;
use super::lost::lost;
use super::params::{Parameters, Period};
use super::population::{Comparison, Population, compare};
use super::query::Query;
use super::settings::{Repository, repositories, resolve};
use super::store::store;
use super::views::{SETTINGS_TABLES, SettingsRows, register_settings};
use super::warnings::{distrusted, warnings};
use crate::config::{Profile, Settings};
use crate::lake::{Lake, Session, locate};

/// What is asked of a check run.
pub struct Request<'a> {
    /// Ids of the checks; none = all.
    pub checks: &'a [String],
    /// Organizations that are judged; none = all that the lake holds.
    pub organizations: &'a [String],
    /// How strictly.
    pub profile: Profile,
    /// Judges the lake as it was at this instant; none = as it is.
    pub as_of: Option<DateTime<Utc>>,
    /// Lower bound of the period; none = the start date.
    pub since: Option<DateTime<Utc>>,
    /// Upper bound of the period; none = the point in time that is judged.
    pub until: Option<DateTime<Utc>>,
    /// Values for parameters that checks declare.
    pub given: &'a [(String, String)],
    /// Whether the run is stored.
    pub is_stored: bool,
    /// Version of adolake.
    pub version: &'a str,
    /// Tells the time of this machine.
    pub clock: &'a (dyn Fn() -> DateTime<Utc> + Sync),
}

/// What a check run found.
#[derive(Debug)]
pub struct CheckRun {
    /// Id, ascending with time.
    pub run_id: String,
    /// When it began, by the clock of this machine.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Version of adolake.
    pub version: String,
    /// How strictly was judged.
    pub profile: Profile,
    /// What was judged.
    pub period: Period,
    /// Organizations with a repository, sorted.
    pub organizations: Vec<String>,
    /// End of the newest sync; none before the first.
    pub data_as_of: Option<DateTime<Utc>>,
    /// Table → Delta version read.
    pub table_versions: BTreeMap<String, i64>,
    /// SHA-256 of the settings, hexadecimal.
    pub settings_hash: String,
    /// The settings as JSON.
    pub settings_json: String,
    /// Id → header of each check that ran.
    pub headers: BTreeMap<String, Header>,
    /// Values given for parameters of checks.
    pub given: BTreeMap<String, String>,
    /// Query name → text, of every view and every check that ran.
    pub queries: BTreeMap<String, String>,
    /// The verdicts of each check, sorted by id.
    pub findings: Vec<Findings>,
    /// SHA-256, hexadecimal, over all findings in order: each as one line of compact JSON, keys as in reports, ended
    /// by a line feed.
    pub findings_sha256: String,
    /// The counts of the population.
    pub populations: Vec<Population>,
    /// Where the counts disagree, as sentences.
    pub differences: Vec<String>,
    /// Repositories with `in-scope = false`.
    pub out_of_scope: usize,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

impl CheckRun {
    /// Returns how many findings of all checks have each status.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.findings.iter().for_each(|findings| counts.extend(findings.counts()));
        counts
    }
}

/// Runs checks on the lake and stores what they found.
///
/// # Errors
/// Fails when the lake cannot be read or written, and when a query, a parameter or a row of an answer is not as it
/// should be. What was stored before is left as it was; a run counts only once its row of `check_runs` stands.
pub async fn run(
    lake: &Lake,
    queries: &Queries,
    settings: &Settings,
    request: &Request<'_>,
) -> Result<CheckRun, Error> {
    let started_at = (request.clock)();
    let checks = queries.select(request.checks)?;
    let session = open(lake, request.as_of).await?;
    let catalog = lake.catalog();
    let in_force = |name: &str| SETTINGS_TABLES.iter().any(|(_, in_force)| *in_force == name);
    queries.demand_sound_views(|name| catalog.table(name).is_some() || in_force(name))?;
    let context = &session.ctx;
    let (first_sync, data_as_of) = sync_times(context).await?;
    let period = period(
        settings,
        request,
        first_sync.unwrap_or(started_at),
        data_as_of.unwrap_or(started_at),
    )?;
    let mut parameters = Parameters::new(&period, request.profile);
    for (name, value) in request.given {
        parameters.give(name, value)?;
    }
    parameters.demand_declared(&checks)?;

    let all = repositories(context, catalog).await?;
    let mut known = all.clone();
    known.retain(|repository| request.judges(&repository.organization));
    let run_id = run_id(started_at);
    let rows = resolve(settings, catalog, &known, &run_id, started_at)?;
    register_settings(context, catalog, &rows)?;
    let judged = findings_of(context, queries, &checks, &parameters).await;
    let findings = located(context, judged).await?;
    let compared = compare(context, &period, &findings).await;
    let Comparison { populations, mut differences, warnings: behind } =
        located(context, compared).await?;
    differences.extend(request.unread(&known));
    // At an earlier instant a table may not have been there yet.
    if request.as_of.is_none() {
        differences.extend(located(context, lost(context, &session.versions).await).await?);
    }
    let warned = warnings(context, settings, &period, &all).await;
    let mut warnings = located(context, warned).await?;
    warnings.extend(behind);
    warnings.extend(queries.replacements().iter().cloned());
    warnings.extend(distrusted(context, &checks).await?);

    let settings_json = settings.to_json().to_string();
    let organizations: BTreeSet<String> =
        known.iter().map(|repository| repository.organization.clone()).collect();
    let mut run = CheckRun {
        run_id,
        started_at,
        finished_at: started_at,
        version: request.version.to_owned(),
        profile: request.profile,
        period,
        organizations: organizations.into_iter().collect(),
        data_as_of,
        table_versions: session.versions.clone(),
        settings_hash: hex::encode(Sha256::digest(settings_json.as_bytes())),
        settings_json,
        headers: headers(&checks),
        given: request.given.iter().cloned().collect(),
        queries: texts(queries, &checks),
        findings_sha256: hash(&findings),
        findings,
        populations,
        differences,
        out_of_scope: out_of_scope(&rows),
        warnings,
    };
    run.finished_at = (request.clock)().max(started_at);
    if request.is_stored {
        store(lake, context, &run, &rows, request).await?;
    }
    Ok(run)
}

/// Names the file where an answer failed on one.
pub(super) async fn located<T>(
    context: &SessionContext,
    answer: Result<T, Error>,
) -> Result<T, Error> {
    match answer {
        Err(Error::Lake { doing, source }) => {
            Err(Error::Lake { doing, source: Box::new(locate(*source, context).await) })
        }
        other => other,
    }
}

/// Opens the lake as it is, or as it was at an instant.
pub(super) async fn open(lake: &Lake, as_of: Option<DateTime<Utc>>) -> Result<Session, Error> {
    let session = match as_of {
        None => lake.session().await,
        Some(at) => match lake.versions_at(at).await {
            Ok(versions) => lake.session_at(&versions).await,
            Err(error) => Err(error),
        },
    }
    .map_err(Error::lake("open the lake for reading"))?;
    if session.versions.is_empty() { Err(Error::EmptyLake) } else { Ok(session) }
}

impl Request<'_> {
    /// Tells whether the repositories of an organization are judged.
    pub(crate) fn judges(&self, organization: &str) -> bool {
        self.organizations.is_empty()
            || self.organizations.iter().any(|own| own.eq_ignore_ascii_case(organization))
    }

    /// Says of each organization that is to be judged and of which the lake holds nothing that it is missing.
    fn unread(&self, known: &[Repository]) -> Vec<String> {
        let is_unread = |name: &&String| {
            !known.iter().any(|repository| repository.organization.eq_ignore_ascii_case(name))
        };
        let told = |name: &String| {
            format!(
                "organization `{name}`: the lake holds no repository of it, so nothing of it is judged"
            )
        };
        self.organizations.iter().filter(is_unread).map(told).collect()
    }

    /// Tells whether what the run does not find has left the population.
    pub(crate) const fn is_whole(&self) -> bool {
        self.checks.is_empty() && self.since.is_none() && self.until.is_none() && !self.is_past()
    }

    /// Tells whether the run looks back: its verdicts are not those that stand now.
    pub(crate) const fn is_past(&self) -> bool {
        self.as_of.is_some()
    }
}

/// The period: from the start date to the end of the newest sync, unless other bounds were asked for.
pub(super) fn period(
    settings: &Settings,
    request: &Request<'_>,
    first_sync: DateTime<Utc>,
    data_as_of: DateTime<Utc>,
) -> Result<Period, Error> {
    let start_at = settings.start_at(first_sync);
    let as_of = request.as_of.unwrap_or(data_as_of);
    let period = Period {
        start_at,
        from: request.since.unwrap_or(start_at),
        to: request.until.unwrap_or(as_of),
        as_of,
    };
    if request.until.is_some() && period.to < period.from {
        let (from, to) = (instant_text(period.from), instant_text(period.to));
        return Err(Error::Period { from, to });
    }
    Ok(period)
}

/// When the first sync began and the newest one ended, by the clock of Azure DevOps.
pub(super) async fn sync_times(
    context: &SessionContext,
) -> Result<(Option<DateTime<Utc>>, Option<DateTime<Utc>>), Error> {
    let sql =
        "select min(started_at), max(finished_at) from sync_runs where status in ('ok', 'partial')";
    let failed = || Error::engine("cannot read when the lake was filled");
    let frame = context.sql(sql).await.map_err(failed())?;
    let batches = frame.collect().await.map_err(failed())?;
    let time = |column: usize| {
        let batch = batches.iter().find(|batch| batch.num_rows() > 0)?;
        let times = batch.column(column).as_primitive_opt::<TimestampMicrosecondType>()?;
        (!times.is_null(0)).then(|| DateTime::from_timestamp_micros(times.value(0))).flatten()
    };
    Ok((time(0), time(1)))
}

/// A version 7 UUID: ids sort by time.
fn run_id(at: DateTime<Utc>) -> String {
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    let timestamp = Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos());
    Uuid::new_v7(timestamp).to_string()
}

fn out_of_scope(rows: &SettingsRows) -> usize {
    rows.repository_settings.iter().filter(|row| row.bool("in_scope") == Some(false)).count()
}

fn headers(checks: &[&Query]) -> BTreeMap<String, Header> {
    checks.iter().map(|check| (check.id().to_owned(), check.header.clone())).collect()
}

fn texts(queries: &Queries, checks: &[&Query]) -> BTreeMap<String, String> {
    let all = queries.views().iter().chain(checks.iter().copied());
    all.map(|query| (query.id().to_owned(), query.text.clone())).collect()
}

/// The hash over all findings; see [`CheckRun::findings_sha256`].
pub(super) fn hash(findings: &[Findings]) -> String {
    struct Hasher(Sha256);
    impl Write for Hasher {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hasher = Hasher(Sha256::new());
    for finding in findings.iter().flat_map(Findings::iter) {
        serde_json::to_writer(&mut hasher, &finding).expect("plain texts and numbers become JSON");
        hasher.0.update(b"\n");
    }
    hex::encode(hasher.0.finalize())
}
