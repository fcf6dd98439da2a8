//! Explains the verdicts on one pull request or branch: the facts that decided, and the smallest change that would flip
//! each.
//!
//! Verdicts come from the very queries of the checks, on the same pinned tables, views and settings; only that the
//! settings are those of one repository, and of all merged pull requests one is taken. What the facts are and what they
//! did to a verdict is asked with `queries/explain/*.sql`, which read the verdicts as `explained_verdicts`.

mod facts;
mod lookup;
mod resource;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::prelude::{SessionContext, col, lit};
use datafusion::scalar::ScalarValue;

pub use self::facts::{Effect, Fact};
pub use self::resource::Wanted;

use self::lookup::{Found, find};
use self::resource::Target;
use super::catalog::Queries;
use super::error::Error;
use super::evaluate::evaluate;
use super::finding::{COLUMNS, Finding, Findings, PULL_REQUEST_ID};
use super::header::{About, Header};
use super::materialize::{materialize_about, materialize_whole};
use super::params::{Parameters, Period};
use super::query::Query;
use super::run::{Request, located, open, period, sync_times};
use super::settings::{Repository, repositories, resolve};
use super::slices::{Slice, Whole};
use super::views::{SETTINGS_TABLES, plan, register_settings};
use crate::config::{Profile, Settings};
use crate::lake::{Lake, Session};

/// The verdicts that are explained, as explanations read them.
const VERDICTS: &str = "explained_verdicts";
/// The view that every check of pull requests starts from.
const MERGED: &str = "merged_pull_requests";

/// Why the verdicts on a resource are what they are.
#[derive(Debug)]
pub struct Explanation {
    /// `org/project/repo!123`, `org/project/repo@refs/heads/main` or `org/project/repo`.
    pub resource: String,
    /// Version of adolake.
    pub version: String,
    /// How strictly was judged.
    pub profile: Profile,
    /// What a check run would judge.
    pub period: Period,
    /// End of the newest sync; none before the first.
    pub data_as_of: Option<DateTime<Utc>>,
    /// Table → Delta version read.
    pub table_versions: BTreeMap<String, i64>,
    /// What the resource is; also why it is not judged, where it is not.
    pub subject: Vec<Fact>,
    /// The verdicts, sorted by check; none where the resource is not judged.
    pub verdicts: Vec<Explained>,
}

/// A verdict with what explains it.
#[derive(Debug)]
pub struct Explained {
    /// What the check says about itself.
    pub header: Header,
    /// What has to do with it, in order of time.
    pub facts: Vec<Fact>,
    findings: Findings,
}

impl Explained {
    /// Returns the verdict.
    #[must_use]
    pub fn finding(&self) -> Option<Finding<'_>> {
        self.findings.iter().next()
    }
}

/// Explains what every check says about a resource. Of the request, the checks that are named and whether the run is
/// stored do not matter.
///
/// # Errors
/// Fails when the lake holds no such resource, naming the nearest ones, and as a check run does.
pub async fn explain(
    lake: &Lake,
    queries: &Queries,
    settings: &Settings,
    request: &Request<'_>,
    wanted: &Wanted,
) -> Result<Explanation, Error> {
    let session = open(lake, request.as_of).await?;
    let explained = explain_in(&session, lake, queries, settings, request, wanted).await;
    located(&session.ctx, explained).await
}

async fn explain_in(
    session: &Session,
    lake: &Lake,
    queries: &Queries,
    settings: &Settings,
    request: &Request<'_>,
    wanted: &Wanted,
) -> Result<Explanation, Error> {
    let started_at = (request.clock)();
    let (catalog, context) = (lake.catalog(), &session.ctx);
    let in_force = |name: &str| SETTINGS_TABLES.iter().any(|(_, in_force)| *in_force == name);
    let is_taken = |name: &str| name == VERDICTS || catalog.table(name).is_some() || in_force(name);
    queries.demand_sound_views(is_taken)?;
    let (first_sync, data_as_of) = sync_times(context).await?;
    let (first, last) = (first_sync.unwrap_or(started_at), data_as_of.unwrap_or(started_at));
    let period = period(settings, request, first, last)?;

    let mut known = repositories(context, catalog).await?;
    known.retain(|repository| request.judges(&repository.organization));
    let found = find(context, settings, &known, wanted).await?;
    let own = std::slice::from_ref(&found.repository);
    let rows = resolve(settings, catalog, own, "", started_at)?;
    register_settings(context, catalog, &rows)?;

    let checks = checks(queries, &found.target);
    let explanations = explanations(context, queries, &found.target)?;
    let mut parameters = Parameters::new(&period, request.profile);
    for (name, value) in request.given {
        parameters.give(name, value)?;
    }
    parameters.demand_declared(&checks)?;
    let (mut only, mut kept) = (BTreeMap::new(), BTreeSet::new());
    // Queries of somebody else may compare pull requests with each other.
    if let (true, Target::PullRequest(number)) = (queries.is_embedded(), &found.target) {
        only = BTreeMap::from([(MERGED, is_pull_request(&found.repository, *number))]);
        let asked: Vec<&Query> = checks.iter().chain(&explanations).copied().collect();
        kept = materialize_whole(context, queries, &asked).await?;
        Whole::new(context).await?.hold(context, Some(&Slice::of(&found.repository)))?;
    }
    materialize_about(context, queries, &checks, &explanations, &only, &kept).await?;

    let mut verdicts = Vec::new();
    for check in &checks {
        let findings = evaluate(context, check, &parameters).await?;
        let findings = findings.filter(|finding| concerns(&found, finding));
        verdicts.extend(findings.each().map(|findings| Explained {
            header: check.header.clone(),
            facts: Vec::new(),
            findings,
        }));
    }
    register_verdicts(context, &verdicts)?;
    let mut facts = Vec::new();
    parameters.about(subject(&found));
    for explanation in explanations {
        facts.extend(ask(context, explanation, &parameters).await?);
    }
    facts::sort(&mut facts);
    let mut subject = Vec::new();
    for fact in facts {
        let verdict =
            verdicts.iter_mut().find(|one| Some(&one.header.id) == fact.check_id.as_ref());
        match (verdict, fact.effect) {
            (_, Effect::Subject) => subject.push(fact),
            (Some(verdict), _) => verdict.facts.push(fact),
            // It speaks of a check that gave no verdict.
            (None, _) => {}
        }
    }
    Ok(Explanation {
        resource: found.resource(),
        version: request.version.to_owned(),
        profile: request.profile,
        period,
        data_as_of,
        table_versions: session.versions.clone(),
        subject,
        verdicts,
    })
}

/// The checks that may say something about the resource: all but those that are only explained for others.
fn checks<'a>(queries: &'a Queries, target: &Target) -> Vec<&'a Query> {
    let of = |about: About| -> BTreeSet<&str> {
        let explanations = queries.explanations().iter();
        let own = explanations.filter(|explanation| explanation.header.about == Some(about));
        own.flat_map(|explanation| &explanation.header.checks).map(String::as_str).collect()
    };
    let others = match target {
        Target::PullRequest(_) => {
            of(About::Branch).difference(&of(About::PullRequest)).copied().collect()
        }
        Target::Branch(_) => {
            of(About::PullRequest).difference(&of(About::Branch)).copied().collect()
        }
        Target::Repository => BTreeSet::new(),
    };
    queries.checks().iter().filter(|check| !others.contains(check.id())).collect()
}

/// The explanations that have to do with the resource and whose tables and views are there: a folder of queries may
/// have views of its own.
fn explanations<'a>(
    context: &SessionContext,
    queries: &'a Queries,
    target: &Target,
) -> Result<Vec<&'a Query>, Error> {
    let is_about = |query: &Query| match query.header.about {
        Some(About::PullRequest) => !matches!(target, Target::Branch(_)),
        Some(About::Branch) => !matches!(target, Target::PullRequest(_)),
        Some(About::Any) | None => true,
    };
    let mut chosen = Vec::new();
    for query in queries.explanations().iter().filter(|query| is_about(query)) {
        let mut is_whole = true;
        for read in &query.header.reads {
            let is_there = read == VERDICTS
                || queries.views().iter().any(|view| view.id() == read)
                || SETTINGS_TABLES.iter().any(|(_, in_force)| in_force == read)
                || context
                    .table_exist(read.as_str())
                    .map_err(|source| Error::query(&query.file, source))?;
            is_whole &= is_there;
        }
        if is_whole {
            chosen.push(query);
        }
    }
    Ok(chosen)
}

fn is_pull_request(repository: &Repository, number: i64) -> Expr {
    col("organization")
        .eq(lit(repository.organization.as_str()))
        .and(col("repository_id").eq(lit(repository.repository_id.as_str())))
        .and(col("pull_request_id").eq(lit(number)))
}

/// Whether a finding is about the resource, or about its repository as a whole.
fn concerns(found: &Found, finding: &Finding<'_>) -> bool {
    let own = &found.repository;
    let is_repository = finding.organization == own.organization
        && match finding.repository_id {
            Some(id) => id == own.repository_id,
            None => {
                finding.project == Some(own.project.as_str())
                    && finding.repository == Some(own.repository.as_str())
            }
        };
    let is_whole = finding.pull_request_id.is_none() && finding.branch.is_none();
    is_repository
        && (is_whole
            || match &found.target {
                Target::PullRequest(number) => finding.pull_request_id == Some(*number),
                Target::Branch(branch) => {
                    finding.pull_request_id.is_none() && finding.branch == Some(branch)
                }
                Target::Repository => false,
            })
}

/// The values of the parameters that say what is explained.
fn subject(found: &Found) -> [ScalarValue; 4] {
    let (number, branch) = match &found.target {
        Target::PullRequest(number) => (Some(*number), None),
        Target::Branch(branch) => (None, Some(branch.clone())),
        Target::Repository => (None, None),
    };
    [
        ScalarValue::Utf8(Some(found.repository.organization.clone())),
        ScalarValue::Utf8(Some(found.repository.repository_id.clone())),
        ScalarValue::Int64(number),
        ScalarValue::Utf8(branch),
    ]
}

/// Registers the verdicts for explanations: `check_id` and the columns of the contract.
fn register_verdicts(context: &SessionContext, verdicts: &[Explained]) -> Result<(), Error> {
    let failed = |source: DataFusionError| {
        Error::engine("cannot hand the verdicts to what explains them")(source)
    };
    let mut fields = vec![Field::new("check_id", DataType::Utf8, false)];
    fields.extend(COLUMNS.iter().enumerate().map(|(index, (name, _))| {
        let kind = if index == PULL_REQUEST_ID { DataType::Int64 } else { DataType::Utf8 };
        Field::new(*name, kind, true)
    }));
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let batches = verdicts
        .iter()
        .flat_map(|verdict| verdict.findings.batches().iter().map(move |batch| (verdict, batch)))
        .map(|(verdict, batch)| {
            let ids = StringArray::from(vec![verdict.header.id.as_str(); batch.num_rows()]);
            let mut columns: Vec<ArrayRef> = vec![Arc::new(ids)];
            columns.extend(batch.columns().iter().take(COLUMNS.len()).cloned());
            RecordBatch::try_new(Arc::clone(&schema), columns)
        })
        .collect::<Result<Vec<_>, ArrowError>>()
        .map_err(|error| failed(error.into()))?;
    let provider = MemTable::try_new(schema, vec![batches]).map_err(failed)?;
    context.register_table(VERDICTS, Arc::new(provider)).map_err(failed)?;
    Ok(())
}

/// Answers one explanation.
async fn ask(
    context: &SessionContext,
    explanation: &Query,
    parameters: &Parameters,
) -> Result<Vec<Fact>, Error> {
    let failed = |source| Error::query(&explanation.file, source);
    let frame = DataFrame::new(context.state(), plan(context, explanation).await?)
        .with_param_values(parameters.of(explanation)?)
        .map_err(failed)?;
    let batches = frame.collect().await.map_err(failed)?;
    facts::facts(&explanation.file, &batches)
}
