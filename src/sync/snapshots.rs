//! What is read as it is now: people, pipelines, retention settings, branches.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;

use super::Run;
use super::error::Error;
use super::run::Repository;
use super::scope::{Outcome, Scope};
use crate::extract::{self, Resource, Rows, Source, branches, pipelines, retention, users};
use crate::lake::Complete;
use crate::schema::Row;
use crate::window::Window;

/// How often people are read, hours: they change rarely, and the list is long.
const USERS_HOURS: i64 = 24;
/// How often retention settings are read, days.
const RETENTION_DAYS: i64 = 7;

fn text(row: &Row, column: &str) -> String {
    row.text(column).unwrap_or_default().to_owned()
}

/// Reads the other snapshots.
pub(super) async fn read(run: &Run) -> Result<(), Error> {
    people(run).await?;
    super::policies::read(run).await?;
    of_projects(run, Resource::Pipelines).await?;
    of_projects(run, Resource::RetentionSettings).await?;
    all_branches(run).await
}

/// Returns whether people would be read now.
pub(super) fn is_users_due(run: &Run) -> bool {
    let window = Window::new(run.upper, run.upper);
    let here = Scope::new(Resource::Users, run.organization(), run.organization(), window);
    is_due(run, &here, TimeDelta::hours(USERS_HOURS))
}

/// Returns whether the retention settings of a project would be read now.
pub(super) fn is_retention_due(run: &Run, project: &super::run::Project) -> bool {
    let window = Window::new(run.upper, run.upper);
    let scope = Scope::new(Resource::RetentionSettings, &project.id, &project.name, window);
    is_due(run, &scope, TimeDelta::days(RETENTION_DAYS))
}

async fn people(run: &Run) -> Result<(), Error> {
    if !run.wants(Resource::Users) {
        return Ok(());
    }
    let window = Window::new(run.upper, run.upper);
    let here = Scope::new(Resource::Users, run.organization(), run.organization(), window);
    if !is_due(run, &here, TimeDelta::hours(USERS_HOURS)) {
        let why = Outcome::Skipped(format!("read every {USERS_HOURS} hours"));
        return run.record(vec![(here, why)]).await;
    }
    run.begin(Resource::Users);
    let source = run.metered(&here.meter);
    let outcome = match run.sort_out(users::fetch(&source).await)? {
        Ok(mut list) => {
            let sql = "select * from users where organization = $organization and identity_id is not null";
            let known = run.query("users", sql, "whose identity is known").await?;
            let mut ids: HashMap<String, String> = known
                .iter()
                .map(|row| (text(row, "descriptor"), text(row, "identity_id")))
                .collect();
            let mut left = list.fill(&ids);
            if !left.is_empty() {
                ids.extend(met(run).await?);
                left = list.fill(&ids);
            }
            run.expect(Resource::Users, left.len());
            let mut asked = futures::stream::iter(left)
                .map(async |descriptor| {
                    let id = users::storage_key(&source, &descriptor).await;
                    run.progress(Resource::Users, 0, 1);
                    (descriptor, id)
                })
                .buffer_unordered(run.in_flight());
            let mut outcome = Outcome::Ok;
            while let Some((descriptor, id)) = asked.next().await {
                match run.sort_out(id)? {
                    Ok(Some(id)) => drop(ids.insert(descriptor, id)),
                    Ok(None) => {}
                    Err(worse) => outcome = outcome.max(worse),
                }
            }
            drop(asked);
            list.fill(&ids);
            run.write("users", list.rows, Vec::new(), list.seen_at).await?;
            match list.unreadable {
                Some(error) => outcome.max(Outcome::Skipped(super::chain(&error))),
                None => outcome,
            }
        }
        Err(outcome) => outcome,
    };
    run.record(vec![(here, outcome)]).await?;
    run.end(Resource::Users, &["users"]);
    Ok(())
}

/// Returns the identity ids that answers about pull requests gave with a descriptor, which spares a request for each.
async fn met(run: &Run) -> Result<Vec<(String, String)>, Error> {
    let sql = "select distinct author_descriptor as voter_descriptor, author_id as voter_id from pull_requests \
               where organization = $organization and author_descriptor is not null and author_id is not null \
               union select distinct voter_descriptor, voter_id from pull_request_votes \
               where organization = $organization and voter_descriptor is not null and length(voter_id) = 36";
    let rows = run.query("pull_request_votes", sql, "who was met").await?;
    Ok(rows.iter().map(|row| (text(row, "voter_descriptor"), text(row, "voter_id"))).collect())
}

/// Returns whether a scope is old enough to be read again, or somebody asked for it by name.
fn is_due(run: &Run, scope: &Scope, every: TimeDelta) -> bool {
    let key = (scope.resource.name().to_owned(), scope.id.clone());
    let last = run.progress_so_far.read_at.get(&key);
    run.options.full
        || run.options.resources.contains(&scope.resource)
        || last.is_none_or(|last| run.upper.signed_duration_since(*last) >= every)
}

/// Reads pipelines or retention settings of all projects.
async fn of_projects(run: &Run, resource: Resource) -> Result<(), Error> {
    if !run.wants(resource) {
        return Ok(());
    }
    run.begin(resource);
    let now = Window::new(run.upper, run.upper);
    let (scopes, later): (Vec<Scope>, Vec<Scope>) = run
        .projects
        .iter()
        .map(|project| Scope::new(resource, &project.id, &project.name, now))
        .partition(|scope| {
            resource == Resource::Pipelines || is_due(run, scope, TimeDelta::days(RETENTION_DAYS))
        });
    let later = later
        .into_iter()
        .map(|scope| (scope, Outcome::Skipped(format!("read every {RETENTION_DAYS} days"))));
    run.record(later.collect()).await?;
    run.expect(resource, scopes.len());
    let answers: Vec<_> = futures::stream::iter(scopes)
        .map(async |scope| {
            let source = run.metered(&scope.meter);
            let rows = match resource {
                Resource::Pipelines => pipelines::fetch(&source, &scope.id).await,
                _ => retention::fetch(&source, &scope.id).await,
            };
            run.progress(resource, rows.as_ref().map_or(0, |rows| rows.rows.len()), 1);
            (scope, rows)
        })
        .buffer_unordered(run.in_flight())
        .collect()
        .await;
    let known = known_retention(run, resource).await?;
    let stored = known_pipelines(run, resource).await?;
    let (mut rows, mut ended) = (Vec::new(), Vec::new());
    for (scope, answer) in answers {
        let outcome = match run.sort_out(answer)? {
            Ok(answer) => {
                let missing = stored.get(&scope.id).into_iter().flatten();
                let listed: HashSet<Option<i64>> = match resource {
                    Resource::Pipelines => {
                        answer.rows.iter().map(|row| row.int("pipeline_id")).collect()
                    }
                    _ => HashSet::new(),
                };
                let missing = missing.filter(|row| !listed.contains(&row.int("pipeline_id")));
                let (gone, outcome) =
                    gone(run, &scope, missing.cloned().collect(), answer.seen_at).await?;
                rows.extend(gone);
                rows.extend(
                    answer
                        .rows
                        .into_iter()
                        .filter(|row| !known.contains(&retention_key(row, resource))),
                );
                outcome
            }
            Err(outcome) => outcome,
        };
        ended.push((scope, outcome));
    }
    let table = resource.name();
    run.write(table, rows, Vec::new(), run.now()).await?;
    run.record(ended).await?;
    run.end(resource, &[table]);
    Ok(())
}

/// Returns the pipelines that exist as far as the lake knows, by project.
async fn known_pipelines(
    run: &Run,
    resource: Resource,
) -> Result<HashMap<String, Vec<Row>>, Error> {
    let mut known: HashMap<String, Vec<Row>> = HashMap::new();
    if resource == Resource::Pipelines {
        let sql =
            "select * from pipelines where organization = $organization and deleted_at is null";
        for row in run.query("pipelines", sql, "which pipelines there were").await? {
            known.entry(text(&row, "project_id")).or_default().push(row);
        }
    }
    Ok(known)
}

/// Returns the rows of pipelines that were deleted. The list leaves out what the identity may not see, so each is asked
/// for by its id: only where that says that there is none, it was deleted.
async fn gone(
    run: &Run,
    scope: &Scope,
    missing: Vec<Row>,
    seen_at: DateTime<Utc>,
) -> Result<(Vec<Row>, Outcome), Error> {
    let source = run.metered(&scope.meter);
    let (mut gone, mut outcome) = (Vec::new(), Outcome::Ok);
    for mut row in missing {
        let id = row.int("pipeline_id").unwrap_or(0);
        match pipelines::one(&source, &scope.id, id).await {
            Err(error) if error.is_missing() => {
                row.set("deleted_at", seen_at);
                gone.push(row);
            }
            Err(error) if !error.is_unreadable() => {
                outcome = outcome.max(run.sort_out::<()>(Err(error))?.err().unwrap_or(Outcome::Ok));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok((gone, outcome))
}

type RetentionKey = (String, [Option<i64>; 3]);

fn retention_key(row: &Row, resource: Resource) -> RetentionKey {
    if resource != Resource::RetentionSettings {
        return RetentionKey::default();
    }
    let columns = ["purge_runs_days", "purge_pull_request_runs_days", "deleted_runs_kept_days"];
    (text(row, "project_id"), columns.map(|column| row.int(column)))
}

/// Returns the latest settings of each project: a row is stored only where they changed.
async fn known_retention(run: &Run, resource: Resource) -> Result<HashSet<RetentionKey>, Error> {
    if resource != Resource::RetentionSettings {
        return Ok(HashSet::new());
    }
    let sql = "select * from retention_settings where organization = $organization order by first_seen_at";
    let rows = run.query("retention_settings", sql, "how long runs are kept").await?;
    let latest: BTreeMap<String, RetentionKey> =
        rows.iter().map(|row| (text(row, "project_id"), retention_key(row, resource))).collect();
    Ok(latest.into_values().collect())
}

/// The branches that stand in the lake: repository → names.
type KnownBranches = HashMap<String, HashSet<String>>;

async fn known_branches(run: &Run) -> Result<KnownBranches, Error> {
    let sql = "select repository_id, name from branches where organization = $organization and deleted_at is null";
    let mut known = KnownBranches::new();
    run.each("branches", sql, "which branches there were", |row| {
        known.entry(text(&row, "repository_id")).or_default().insert(text(&row, "name"));
    })
    .await?;
    Ok(known)
}

/// Reads the branches of a repository. A shorter list alone shows no deletion: where one is missing that stood before, the
/// list is read again, and gone is only what both lack.
async fn branches_of(
    source: &Source,
    repository: &Repository,
    known: &KnownBranches,
) -> Result<Rows, extract::Error> {
    let fetch = async || {
        let default = repository.default_branch.as_deref();
        branches::fetch(source, &repository.project_id, &repository.id, default).await
    };
    let first = fetch().await?;
    let listed: HashSet<String> = first.rows.iter().map(|row| text(row, "name")).collect();
    if known.get(&repository.id).is_none_or(|known| known.is_subset(&listed)) {
        return Ok(first);
    }
    let mut again = fetch().await?;
    let listed: HashSet<String> = again.rows.iter().map(|row| text(row, "name")).collect();
    let missing = first.rows.into_iter().filter(|row| !listed.contains(&text(row, "name")));
    again.rows.extend(missing);
    Ok(again)
}

async fn all_branches(run: &Run) -> Result<(), Error> {
    if !run.wants(Resource::Branches) {
        return Ok(());
    }
    run.begin(Resource::Branches);
    run.expect(Resource::Branches, run.repositories.len());
    let now = Window::new(run.upper, run.upper);
    let known = known_branches(run).await?;
    let answers: Vec<_> = futures::stream::iter(&run.repositories)
        .map(async |repository| {
            let name = format!("{}/{}", run.project_name(&repository.project_id), repository.name);
            let scope = Scope::new(Resource::Branches, &repository.id, name, now);
            if repository.is_disabled {
                return (scope, None);
            }
            let source = run.metered(&scope.meter);
            let rows = branches_of(&source, repository, &known).await;
            run.progress(Resource::Branches, rows.as_ref().map_or(0, |rows| rows.rows.len()), 1);
            (scope, Some(rows))
        })
        .buffer_unordered(run.in_flight())
        .collect()
        .await;
    let (mut rows, mut complete, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for (scope, answer) in answers {
        let outcome = match answer {
            None => Outcome::Skipped("the repository is disabled".into()),
            Some(answer) => match run.sort_out(answer)? {
                Ok(answer) => {
                    complete.push(Complete {
                        columns: &["repository_id"],
                        parents: vec![Arc::new([scope.id.as_str().into()])],
                        also: vec![("deleted_at", answer.seen_at.into())],
                    });
                    rows.extend(answer.rows);
                    Outcome::Ok
                }
                Err(outcome) => outcome,
            },
        };
        ended.push((scope, outcome));
    }
    run.write("branches", rows, complete, run.now()).await?;
    run.record(ended).await?;
    run.end(Resource::Branches, &["branches"]);
    Ok(())
}
