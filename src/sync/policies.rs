//! Branch policies: the list of each project, the history of what is new in it, and proof of what is gone.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};

use super::Run;
use super::error::Error;
use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::extract::Resource;
use crate::extract::policies::{self, Configurations, Known};
use crate::schema::Row;
use crate::window::Window;

/// Rows of a policy by revision.
type Stored = BTreeMap<i64, BTreeMap<i64, Vec<Row>>>;

/// Reads the policies of all projects.
pub(super) async fn read(run: &Run) -> Result<(), Error> {
    if !run.wants(Resource::BranchPolicies) {
        return Ok(());
    }
    run.begin(Resource::BranchPolicies);
    run.expect(Resource::BranchPolicies, run.projects.len());
    let sql = "select * from branch_policies where organization = $organization";
    let mut stored: BTreeMap<String, Stored> = BTreeMap::new();
    for row in run.query("branch_policies", sql, "which policies there were").await? {
        let (Some(project), Some(id), Some(revision)) =
            (row.text("project_id").map(str::to_owned), row.int("policy_id"), row.int("revision"))
        else {
            continue;
        };
        stored
            .entry(project)
            .or_default()
            .entry(id)
            .or_default()
            .entry(revision)
            .or_default()
            .push(row);
    }
    let nothing = Stored::new();
    let read: Vec<(Vec<Row>, Scope, Outcome)> = futures::stream::iter(&run.projects)
        .map(async |project| {
            of_project(run, project, stored.get(&project.id).unwrap_or(&nothing)).await
        })
        .buffer_unordered(run.in_flight())
        .try_collect()
        .await?;
    let (mut rows, mut ended) = (Vec::new(), Vec::new());
    for (found, scope, outcome) in read {
        rows.extend(found);
        ended.push((scope, outcome));
    }
    run.write("branch_policies", rows, Vec::new(), run.now()).await?;
    run.record(ended).await?;
    run.end(Resource::BranchPolicies, &["branch_policies"]);
    Ok(())
}

async fn of_project(
    run: &Run,
    project: &Project,
    stored: &Stored,
) -> Result<(Vec<Row>, Scope, Outcome), Error> {
    let window = Window::new(run.upper, run.upper);
    let scope = Scope::new(Resource::BranchPolicies, &project.id, &project.name, window);
    let source = run.metered(&scope.meter);
    let mut list = match run.sort_out(policies::fetch(&source, &project.id).await)? {
        Ok(list) => list,
        Err(outcome) => return Ok((Vec::new(), scope, outcome)),
    };
    let listed: HashSet<i64> = list.value.iter().filter_map(|one| one.id).collect();
    let mut rows = Vec::new();
    let mut outcome = Outcome::Ok;
    let configurations = std::mem::take(&mut list.value);
    let seen_at = list.seen_at;
    for configuration in configurations {
        let (Some(id), Some(revision)) = (configuration.id, configuration.revision) else {
            // The rows cannot be made, and the error of trying says of what.
            let only = Configurations { value: vec![configuration], ..list_of(&list) };
            let known = Known { first_seen_at: BTreeMap::new(), deleted_at: None };
            let made = policies::rows(&source, &project.id, &only, &known);
            outcome = outcome.max(run.sort_out(made)?.err().unwrap_or(Outcome::Ok));
            continue;
        };
        let before = stored.get(&id);
        let is_deleted = configuration.is_deleted == Some(true);
        let is_known = before.is_some_and(|revisions| {
            // One that was taken for deleted and stands in the list again was not. Earlier revisions may have been refused
            // when this one was read.
            let is_same = |row: &Row| row.bool("is_deleted") == Some(is_deleted);
            revisions.get(&revision).is_some_and(|rows| rows.iter().all(is_same))
                && revisions.range(..=revision).count() as i64 >= revision
        });
        if is_known {
            continue;
        }
        let only = Configurations { value: vec![configuration], ..list_of(&list) };
        let history = if revision > 1 {
            match run.sort_out(policies::revisions(&source, &project.id, id).await)? {
                Ok(history) if !history.value.is_empty() => history,
                Ok(_) => only,
                Err(worse) => {
                    outcome = outcome.max(worse);
                    only
                }
            }
        } else {
            only
        };
        let known = Known { first_seen_at: first_seen(before), deleted_at: None };
        match run.sort_out(policies::rows(&source, &project.id, &history, &known))? {
            Ok(found) => {
                rows.extend(ended(before, &found));
                rows.extend(found);
            }
            Err(worse) => outcome = outcome.max(worse),
        }
    }
    for (id, revisions) in stored.iter().filter(|(id, _)| !listed.contains(id)) {
        let Some(last) = revisions.values().next_back() else { continue };
        if last.iter().any(|row| row.bool("is_deleted") == Some(true)) {
            continue;
        }
        match policies::one(&source, &project.id, *id).await {
            Ok(shown) if shown.value.is_deleted == Some(true) => {
                rows.extend(last.iter().map(|row| deleted(row, seen_at)));
            }
            Ok(_) => run.warn(format!(
                "policy {id} of `{}` answers, though the list lacks it",
                project.name
            )),
            Err(error) if error.is_missing() => {
                rows.extend(last.iter().map(|row| deleted(row, seen_at)))
            }
            Err(error) if error.is_unreadable() => run.warn(format!(
                "policy {id} of `{}` may no longer be read; it stays as it was last read",
                project.name
            )),
            Err(error) => {
                outcome = outcome.max(run.sort_out::<()>(Err(error))?.err().unwrap_or(Outcome::Ok));
            }
        }
    }
    run.progress(Resource::BranchPolicies, rows.len(), 1);
    Ok((rows, scope, outcome))
}

/// Returns an answer like the list, without its configurations.
fn list_of(list: &Configurations) -> Configurations {
    Configurations {
        value: Vec::new(),
        seen_at: list.seen_at,
        url: list.url.clone(),
        api_version: list.api_version,
        raw: None,
        continuation: None,
    }
}

/// Returns the rows of a stored revision that ended with the first one of `found`; there are none where the whole history
/// could be read.
fn ended(stored: Option<&BTreeMap<i64, Vec<Row>>>, found: &[Row]) -> Vec<Row> {
    let first = found.first().and_then(|row| Some((row.int("revision")?, row.time("valid_from")?)));
    let Some((stored, (revision, valid_from))) = stored.zip(first) else { return Vec::new() };
    let last = stored.range(..revision).next_back().into_iter().flat_map(|(_, rows)| rows);
    last.filter(|row| row.time("valid_to").is_none())
        .map(|row| {
            let mut row = row.clone();
            row.set("valid_to", valid_from);
            row
        })
        .collect()
}

fn first_seen(revisions: Option<&BTreeMap<i64, Vec<Row>>>) -> BTreeMap<i64, DateTime<Utc>> {
    let first = |rows: &Vec<Row>| rows.first().and_then(|row| row.time("first_seen_at"));
    let revisions = revisions.into_iter().flatten();
    revisions.filter_map(|(revision, rows)| Some((*revision, first(rows)?))).collect()
}

fn deleted(row: &Row, seen_at: DateTime<Utc>) -> Row {
    let mut row = row.clone();
    row.set("is_deleted", true).set("valid_to", seen_at);
    row
}
