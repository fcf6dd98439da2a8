//! Writes a run into the lake: settings, the verdicts that changed, counts, and last the run itself.

use std::collections::{BTreeMap, HashMap};

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::error::Error;
use super::finding::{Finding, Findings, Status};
use super::run::{CheckRun, Request};
use super::views::{SETTINGS_TABLES, SettingsRows};
use crate::lake::{Change, Lake};
use crate::schema::Row;
use crate::window::month_of;

/// Rows of one commit: a first run has hundreds of thousands.
const ROWS_AT_ONCE: usize = 20_000;

/// Status of the row that says that a resource is no longer judged; only in the table.
const WITHDRAWN: &str = "withdrawn";

/// Stores a run; its row of `check_runs` comes last, so that a run that was cut off does not look complete.
pub(crate) async fn store(
    lake: &Lake,
    context: &SessionContext,
    run: &CheckRun,
    settings: &SettingsRows,
    request: &Request<'_>,
) -> Result<(), Error> {
    let store = Store { lake, run };
    for (table, _) in SETTINGS_TABLES {
        for (organization, rows) in by_organization(settings.of(table)) {
            store.write(table, &organization, rows).await?;
        }
    }
    // Verdicts on the past are not those that stand.
    if !request.is_past() {
        for findings in &run.findings {
            store.verdicts(context, findings, request.is_whole()).await?;
        }
    }
    store.populations().await?;
    let row = store.run_row()?;
    store.write("check_runs", "", vec![row]).await
}

fn by_organization(rows: &[Row]) -> BTreeMap<String, Vec<Row>> {
    let mut groups: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let organization = row.text("organization").unwrap_or_default().to_owned();
        groups.entry(organization).or_default().push(row.clone());
    }
    groups
}

struct Store<'a> {
    lake: &'a Lake,
    run: &'a CheckRun,
}

/// Organization, resource and repository: who a verdict is about.
type Key = (String, String, Option<String>);

/// The newest stored verdict of a resource.
struct Standing {
    /// When, and in which run.
    at: (i64, String),
    digest: [u8; 32],
    is_withdrawn: bool,
    is_found: bool,
}

impl Store<'_> {
    async fn write(&self, table: &str, organization: &str, rows: Vec<Row>) -> Result<(), Error> {
        let change = Change {
            table,
            organization,
            run_id: &self.run.run_id,
            seen_at: self.run.started_at,
            rows: rows.into(),
            complete: Vec::new(),
        };
        self.lake.write(change).await.map_err(Error::lake("store the check run"))?;
        Ok(())
    }

    fn row(&self, table: &str, organization: &str) -> Result<Row, Error> {
        let table = self.lake.catalog().require(table).map_err(Error::Schema)?;
        let mut row = Row::new(table);
        row.set("run_id", self.run.run_id.as_str());
        if table.index("organization").is_some() {
            row.set("organization", organization);
            row.set("run_month", month_of(self.run.started_at));
        }
        Ok(row)
    }

    /// Writes the verdicts of a check that differ from the newest stored ones of their resources, and for a whole run
    /// those that are no longer judged.
    async fn verdicts(
        &self,
        context: &SessionContext,
        findings: &Findings,
        is_whole: bool,
    ) -> Result<(), Error> {
        let check_id = findings.check_id();
        let mut standing = self.standing(context, check_id).await?;
        let mut pending: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for finding in findings.iter() {
            let digest = digest(&Verdict::of(&finding));
            if let Some(stored) = standing.get_mut(&key(&finding)) {
                stored.is_found = true;
                if stored.digest == digest {
                    continue;
                }
            }
            let rows = pending.entry(finding.organization.to_owned()).or_default();
            rows.push(self.verdict_row(&finding)?);
            if rows.len() >= ROWS_AT_ONCE {
                let rows = std::mem::take(rows);
                self.write("check_results", finding.organization, rows).await?;
            }
        }
        if is_whole {
            standing.retain(|(organization, ..), stored| {
                !stored.is_found
                    && !stored.is_withdrawn
                    && self.run.organizations.contains(organization)
            });
            if !standing.is_empty() {
                self.withdraw(context, check_id, &standing, &mut pending).await?;
            }
        }
        for (organization, rows) in pending {
            self.write("check_results", &organization, rows).await?;
        }
        Ok(())
    }

    /// Reads the newest verdict of every resource of a check.
    async fn standing(
        &self,
        context: &SessionContext,
        check_id: &str,
    ) -> Result<HashMap<Key, Standing>, Error> {
        let mut standing: HashMap<Key, Standing> = HashMap::new();
        self.each_stored(context, check_id, |stored, row| {
            let at = (stored.time(row), stored.text("run_id", row).to_owned());
            let key = stored.key(row);
            if standing.get(&key).is_none_or(|known| known.at < at) {
                let verdict = stored.verdict(row);
                let is_withdrawn = verdict.status == WITHDRAWN;
                let digest = digest(&verdict);
                standing.insert(key, Standing { at, digest, is_withdrawn, is_found: false });
            }
        })
        .await?;
        Ok(standing)
    }

    /// Adds a row for each resource that stands in the table and was not found.
    async fn withdraw(
        &self,
        context: &SessionContext,
        check_id: &str,
        gone: &HashMap<Key, Standing>,
        pending: &mut BTreeMap<String, Vec<Row>>,
    ) -> Result<(), Error> {
        let table = self.row("check_results", "")?;
        self.each_stored(context, check_id, |stored, row| {
            let at = (stored.time(row), stored.text("run_id", row).to_owned());
            let key = stored.key(row);
            if gone.get(&key).is_none_or(|newest| newest.at != at) {
                return;
            }
            let mut withdrawn = table.clone();
            withdrawn
                .set("organization", key.0.as_str())
                .set("profile", self.run.profile.as_str())
                .set("check_id", check_id)
                .set("resource", key.1.as_str())
                .set("checked_at", self.run.started_at)
                .set("repository_id", key.2)
                .set("pull_request_id", stored.number("pull_request_id", row))
                .set("status", WITHDRAWN)
                .set("reason_code", "LEFT_POPULATION")
                .set("reason", "The resource is no longer judged.")
                .set("flags", "")
                .set("evidence_json", "{}");
            for column in ["project", "repository", "branch", "subject", "resource_url"] {
                withdrawn.set(column, stored.maybe(column, row).map(str::to_owned));
            }
            pending.entry(key.0).or_default().push(withdrawn);
        })
        .await
    }

    /// Calls `each` with every stored verdict of a check under the profile of the run.
    async fn each_stored(
        &self,
        context: &SessionContext,
        check_id: &str,
        mut each: impl FnMut(&Stored, usize),
    ) -> Result<(), Error> {
        let failed = || Error::engine("cannot read the verdicts that stand");
        let sql = "select * from check_results where profile = $profile and check_id = $check_id";
        let values = vec![
            ("profile", ScalarValue::from(self.run.profile.as_str())),
            ("check_id", ScalarValue::from(check_id)),
        ];
        let frame = context.sql(sql).await.map_err(failed())?;
        let frame = frame.with_param_values(values).map_err(failed())?;
        let mut batches = frame.execute_stream().await.map_err(failed())?;
        while let Some(batch) = batches.try_next().await.map_err(failed())? {
            let stored = Stored::new(&batch).map_err(failed())?;
            (0..batch.num_rows()).for_each(|row| each(&stored, row));
        }
        Ok(())
    }

    fn verdict_row(&self, finding: &Finding<'_>) -> Result<Row, Error> {
        let mut row = self.row("check_results", finding.organization)?;
        let text = |value: Option<&str>| value.map(str::to_owned);
        row.set("profile", self.run.profile.as_str())
            .set("check_id", finding.check_id)
            .set("resource", finding.resource())
            .set("checked_at", self.run.started_at)
            .set("project", text(finding.project))
            .set("repository_id", text(finding.repository_id))
            .set("repository", text(finding.repository))
            .set("branch", text(finding.branch))
            .set("pull_request_id", finding.pull_request_id)
            .set("subject", text(finding.subject))
            .set("resource_url", text(finding.resource_url))
            .set("status", finding.status.as_str())
            .set("reason_code", finding.reason_code)
            .set("reason", finding.reason)
            .set("flags", finding.flags)
            .set("evidence_json", finding.evidence_json);
        Ok(row)
    }

    async fn populations(&self) -> Result<(), Error> {
        let mut rows: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
        for population in &self.run.populations {
            let mut row = self.row("check_populations", &population.organization)?;
            let least = population.judged.values().min().copied().unwrap_or(0);
            row.set("repository_id", population.repository_id.as_str())
                .set("branch", population.branch.as_str())
                .set("closed_month", population.closed_month.as_str())
                .set("listed", population.listed)
                .set("landed", population.landed)
                .set("judged", least)
                .set("judged_json", json!(population.judged).to_string());
            rows.entry(&population.organization).or_default().push(row);
        }
        for (organization, rows) in rows {
            self.write("check_populations", organization, rows).await?;
        }
        Ok(())
    }

    fn run_row(&self) -> Result<Row, Error> {
        let run = self.run;
        let ids: Vec<&str> = run.findings.iter().map(Findings::check_id).collect();
        let hashes: Map<String, Value> = run
            .queries
            .iter()
            .map(|(id, text)| (id.clone(), hex::encode(Sha256::digest(text.as_bytes())).into()))
            .collect();
        let counts = run.counts();
        let count = |status| i64::try_from(counts.of(status)).unwrap_or(i64::MAX);
        let mut row = self.row("check_runs", "")?;
        row.set("started_at", run.started_at)
            .set("finished_at", run.finished_at)
            .set("version", run.version.as_str())
            .set("profile", run.profile.as_str())
            .set("start_at", run.period.start_at)
            .set("period_from", run.period.from)
            .set("period_to", run.period.to)
            .set("as_of", run.period.as_of)
            .set("checks", ids.join(","))
            .set("table_versions_json", json!(run.table_versions).to_string())
            .set("settings_hash", run.settings_hash.as_str())
            .set("settings_json", run.settings_json.as_str())
            .set("query_hashes_json", Value::Object(hashes).to_string())
            .set("queries_json", json!(run.queries).to_string())
            .set("parameters_json", json!(run.given).to_string())
            .set("pass_count", count(Status::Pass))
            .set("fail_count", count(Status::Fail))
            .set("exempt_count", count(Status::Exempt))
            .set("not_applicable_count", count(Status::NotApplicable))
            .set("unknown_count", count(Status::Unknown))
            .set("findings_sha256", run.findings_sha256.as_str())
            .set("counts_agree", run.differences.is_empty());
        Ok(row)
    }
}

fn key(finding: &Finding<'_>) -> Key {
    let repository_id = finding.repository_id.map(str::to_owned);
    (finding.organization.to_owned(), finding.resource(), repository_id)
}

/// What makes a verdict another one.
struct Verdict<'a> {
    status: &'a str,
    reason_code: &'a str,
    flags: &'a str,
    evidence_json: &'a str,
}

impl<'a> Verdict<'a> {
    fn of(finding: &Finding<'a>) -> Self {
        Self {
            status: finding.status.as_str(),
            reason_code: finding.reason_code,
            flags: finding.flags,
            evidence_json: finding.evidence_json,
        }
    }
}

fn digest(verdict: &Verdict<'_>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [verdict.status, verdict.reason_code, verdict.flags, verdict.evidence_json] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().into()
}

/// A batch of stored verdicts, texts as plain texts.
struct Stored(RecordBatch);

impl Stored {
    fn new(batch: &RecordBatch) -> Result<Self, DataFusionError> {
        let columns = batch
            .schema()
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| {
                let plain = match field.data_type() {
                    DataType::Utf8View | DataType::LargeUtf8 | DataType::Dictionary(..) => {
                        cast(column, &DataType::Utf8)?
                    }
                    _ => column.clone(),
                };
                Ok((field.name().clone(), plain))
            })
            .collect::<Result<Vec<_>, DataFusionError>>()?;
        Ok(Self(RecordBatch::try_from_iter(columns)?))
    }

    fn maybe(&self, column: &str, row: usize) -> Option<&str> {
        let texts = self.0.column_by_name(column)?.as_string_opt::<i32>()?;
        (!texts.is_null(row)).then(|| texts.value(row))
    }

    fn text(&self, column: &str, row: usize) -> &str {
        self.maybe(column, row).unwrap_or_default()
    }

    fn number(&self, column: &str, row: usize) -> Option<i64> {
        let numbers = self.0.column_by_name(column)?.as_primitive_opt::<Int64Type>()?;
        (!numbers.is_null(row)).then(|| numbers.value(row))
    }

    fn time(&self, row: usize) -> i64 {
        let times = self.0.column_by_name("checked_at");
        times
            .and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>())
            .map_or(i64::MIN, |times| times.value(row))
    }

    fn key(&self, row: usize) -> Key {
        let repository_id = self.maybe("repository_id", row).map(str::to_owned);
        (
            self.text("organization", row).to_owned(),
            self.text("resource", row).to_owned(),
            repository_id,
        )
    }

    fn verdict(&self, row: usize) -> Verdict<'_> {
        Verdict {
            status: self.text("status", row),
            reason_code: self.text("reason_code", row),
            flags: self.text("flags", row),
            evidence_json: self.text("evidence_json", row),
        }
    }
}
