//! Details of judged pull requests: beside the list that names them, and for what the lake lacks of them.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::task::AbortOnDropHandle;

use super::Run;
use super::ask::instant;
use super::batch::{Batch, Message, Unit};
use super::error::Error;
use super::jobs::Judged;
use super::judge::Read;
use super::settled::Question;
use crate::extract::Resource;
use crate::extract::pull_request_details::{self, Details, Parts, Target};
use crate::extract::pull_requests::Parent;
use crate::lake::Complete;
use crate::schema::{Cell, Row};

/// Pull requests whose rows are held in memory at once.
const AT_ONCE: usize = 2_000;

/// Columns of a pull request's row that tell which details were read.
const READ_AT: &str = "details_read_at, threads_read_at, iterations_read_at, statuses_read_at, evaluations_read_at, \
                       commits_read_at, changes_read_at";

/// Returns what the lake has of the details of pull requests that were closed since an instant, by number.
pub(super) async fn known(run: &Run, since: DateTime<Utc>) -> Result<HashMap<i64, Read>, Error> {
    let sql = format!(
        "select pull_request_id, {READ_AT} from pull_requests \
         where organization = $organization and status <> 'active' and closed_at >= {} \
         and (details_read_at is not null or threads_read_at is not null or iterations_read_at is not null \
         or statuses_read_at is not null or evaluations_read_at is not null or commits_read_at is not null)",
        instant(since)
    );
    let mut read = HashMap::new();
    run.each("pull_requests", &sql, "which details it has", |row| {
        read.extend(row.int("pull_request_id").zip(read_of(&row)));
    })
    .await?;
    Ok(read)
}

/// Returns what a pull request's row says of its details.
fn read_of(row: &Row) -> Option<Read> {
    let at = |column: &str| row.time(column);
    let columns = [
        "details_read_at",
        "threads_read_at",
        "iterations_read_at",
        "statuses_read_at",
        "evaluations_read_at",
        "commits_read_at",
    ];
    let first = columns.into_iter().filter_map(at).min()?;
    let rechecked = [at("threads_read_at"), at("statuses_read_at")].into_iter().flatten().min();
    let parts = Parts {
        single: at("details_read_at").is_some(),
        threads: at("threads_read_at").is_some(),
        iterations: at("iterations_read_at").is_some(),
        statuses: at("statuses_read_at").is_some(),
        evaluations: at("evaluations_read_at").is_some(),
        commits: at("commits_read_at").is_some(),
        changes: at("changes_read_at").is_some(),
    };
    Some(Read { parts, first, rechecked: rechecked.unwrap_or(first) })
}

/// Reads parts of one pull request's details on a task of its own and makes them a unit; `row` is the pull request's
/// row and is filled. What could not be read is left null, so that the next sync asks again.
pub(super) async fn read(run: &Run, mut row: Row, parts: Parts) -> Result<Unit, Error> {
    let text = |column| row.text(column).unwrap_or_default().to_owned();
    let target = Target {
        project_id: text("project_id"),
        repository_id: text("repository_id"),
        pull_request_id: row.int("pull_request_id").unwrap_or(0),
        created_month: text("created_month"),
    };
    let project = target.project_id.clone();
    let source = run.metered(&run.details.meter(&project));
    let number = target.pull_request_id;
    let key = Parent::key_of(&target.repository_id, number, &target.created_month);
    let task =
        tokio::spawn(async move { pull_request_details::fetch(&source, &target, parts).await });
    let result = AbortOnDropHandle::new(task).await.map_err(|source| Error::Broken { source })?;
    let mut unit = Unit::default();
    match result {
        Ok(details) => take(run, &project, &mut row, &mut unit, details, &key),
        Err(error) => {
            let error = run.unless_signed_out(error)?;
            run.details
                .missing(&project, format!("pull request {number}: {}", super::chain(&error)));
        }
    }
    let evaluations = unit.tables.get("pull_request_policy_evaluations").into_iter().flatten();
    let build_ids = evaluations.filter_map(|row| row.int("build_id")).collect();
    unit.judged.push(Judged { build_ids, ..Judged::of(&row) });
    unit.tables.entry("pull_requests").or_default().push(row);
    Ok(unit)
}

fn take(
    run: &Run,
    project: &str,
    row: &mut Row,
    unit: &mut Unit,
    details: Details,
    key: &Arc<[Cell]>,
) {
    details.apply(row);
    for (part, error) in &details.missing {
        let number = row.int("pull_request_id").unwrap_or(0);
        let why = super::chain(error);
        run.details.missing(project, format!("{part} of pull request {number}: {why}"));
    }
    let seen_at: DateTime<Utc> = details.seen_at.unwrap_or_default();
    unit.seen_at = seen_at;
    for (table, rows) in details.tables {
        if rows.first().is_some_and(|row| row.table().tombstone.is_some())
            || table == "pull_request_statuses"
        {
            let column = if table == "pull_request_statuses" { "statuses_read_at" } else { "" };
            let at = details.update.iter().find(|(name, _)| *name == column);
            let also = at.map(|(_, at)| ("removed_at", at.clone())).into_iter().collect();
            let (columns, parents) = (Parent::KEY, vec![Arc::clone(key)]);
            let complete = Complete { columns, parents, also };
            unit.complete.entry(table).or_default().push(complete);
        }
        unit.tables.entry(table).or_default().extend(rows);
    }
    unit.tables.entry("raw_answers").or_default().extend(details.raw);
}

/// Returns the pull requests whose details the lake lacks.
pub(super) async fn wanted(run: &Run) -> Result<Vec<i64>, Error> {
    let since = if run.input.section.detail == crate::config::Detail::Judged {
        " and closed_at >= $start_at"
    } else {
        ""
    };
    let sql = format!(
        "select repository_id, pull_request_id, target_ref, status, closed_at, {READ_AT} from pull_requests \
         where organization = $organization and closed_at <= $upper{since} \
         and (details_read_at is null or threads_read_at is null or iterations_read_at is null \
         or statuses_read_at is null or evaluations_read_at is null or commits_read_at is null \
         or changes_read_at is null or details_read_at < closed_at \
         or threads_read_at < closed_at + interval '{} seconds')",
        run.recheck().num_seconds()
    );
    // Most rows lack nothing that is wanted, and those that do may be many: first which, with the columns that decide,
    // then some at a time.
    let mut wanted = Vec::new();
    run.each("pull_requests", &sql, "whose details are missing", |row| {
        let is_wanted = run.judge.parts(&row, read_of(&row).as_ref()).is_some();
        wanted.extend(row.int("pull_request_id").filter(|_| is_wanted));
    })
    .await?;
    Ok(wanted)
}

/// Reads the details of pull requests that no list of this sync named: settings may have widened, or an earlier sync
/// may have been stopped.
pub(super) async fn sweep(run: &Run) -> Result<(), Error> {
    if run.is_settled(Question::Details) {
        return Ok(());
    }
    let wanted = wanted(run).await?;
    if wanted.is_empty() {
        run.settle(Question::Details, next_recheck(run).await?);
        return Ok(());
    }
    run.begin(Resource::PullRequestDetails);
    run.expect(Resource::PullRequestDetails, wanted.len());
    for numbers in wanted.chunks(AT_ONCE) {
        fill(run, numbers).await?;
    }
    run.end(
        Resource::PullRequestDetails,
        &["pull_request_votes", "pull_request_iterations", "pull_request_statuses"],
    );
    Ok(())
}

/// Returns when details are to be read again for the first time after this sync.
async fn next_recheck(run: &Run) -> Result<Option<DateTime<Utc>>, Error> {
    let since = run.upper.checked_sub_signed(run.recheck()).unwrap_or(DateTime::UNIX_EPOCH);
    let sql = format!(
        "select distinct closed_at from pull_requests \
         where organization = $organization and status <> 'active' and closed_at >= {}",
        instant(since)
    );
    let mut next: Option<DateTime<Utc>> = None;
    run.each("pull_requests", &sql, "when details are to be read again", |row| {
        let own = row.time("closed_at").and_then(|at| run.judge.next_recheck(at));
        next = next.into_iter().chain(own).min();
    })
    .await?;
    Ok(next)
}

/// Reads and writes what these pull requests lack.
async fn fill(run: &Run, numbers: &[i64]) -> Result<(), Error> {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    let sql = format!(
        "select * from pull_requests where organization = $organization and pull_request_id in ({})",
        numbers.join(", ")
    );
    let rows = run.query("pull_requests", &sql, "whose details are missing").await?;
    let wanted = rows.into_iter().filter_map(|row| {
        let parts = run.judge.parts(&row, read_of(&row).as_ref())?;
        Some((row, parts))
    });
    let mut batch = Batch::default();
    let mut units = futures::stream::iter(wanted)
        .map(|(row, parts)| read(run, row, parts))
        .buffer_unordered(run.in_flight());
    while let Some(unit) = units.try_next().await? {
        run.progress(Resource::PullRequestDetails, 1, 1);
        batch.take(run, Message::Unit(Box::new(unit))).await?;
    }
    batch.write(run).await
}
