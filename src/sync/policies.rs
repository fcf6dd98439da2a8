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
    let list = match run.sort_out(policies::fetch(&source, &project.id).await)? {
        Ok(list) => list,
        Err(outcome) => return Ok((Vec::new(), scope, outcome)),
    };
    let listed: HashSet<i64> = list.value.iter().filter_map(|one| one.id).collect();
    let mut rows = Vec::new();
    let mut outcome = Outcome::Ok;
    let (seen_at, url, api_version) = (list.seen_at, list.url, list.api_version);
    for configuration in list.value {
        let (Some(id), Some(revision)) = (configuration.id, configuration.revision) else {
            continue;
        };
        let known = stored.get(&id);
        if known.is_some_and(|revisions| revisions.contains_key(&revision)) {
            continue;
        }
        let only = Configurations {
            value: vec![configuration],
            seen_at,
            url: url.clone(),
            api_version,
            raw: None,
            continuation: None,
        };
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
        let known = Known { first_seen_at: first_seen(known), deleted_at: None };
        match run.sort_out(policies::rows(&source, &project.id, &history, &known))? {
            Ok(found) => rows.extend(found),
            Err(worse) => outcome = outcome.max(worse),
        }
    }
    for (id, revisions) in stored.iter().filter(|(id, _)| !listed.contains(id)) {
        let Some(last) = revisions.values().next_back() else { continue };
        if last.iter().any(|row| row.bool("is_deleted") == Some(true)) {
            continue;
        }
        match policies::one(&source, &project.id, *id).await {
            Ok(_) => run.warn(format!(
                "policy {id} of `{}` answers, though the list lacks it",
                project.name
            )),
            Err(error) if error.is_unreadable() => {
                rows.extend(last.iter().map(|row| deleted(row, seen_at)))
            }
            Err(error) => {
                outcome = outcome.max(run.sort_out::<()>(Err(error))?.err().unwrap_or(Outcome::Ok));
            }
        }
    }
    run.progress(Resource::BranchPolicies, rows.len(), 1);
    Ok((rows, scope, outcome))
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
