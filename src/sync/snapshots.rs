//! What is read as it is now: the organization, its projects, repositories, people, policies, pipelines, branches.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;

use super::Run;
use super::error::Error;
use super::judge::Rules;
use super::run::{Project, Repository};
use super::scope::{Outcome, Scope};
use crate::extract::{
    Resource, Rows, branches, organizations, pipelines, projects, repositories, retention, users,
};
use crate::lake::Complete;
use crate::schema::Row;
use crate::window::Window;

/// How often people are read, hours: they change rarely, and the list is long.
const USERS_HOURS: i64 = 24;
/// How often retention settings are read, days.
const RETENTION_DAYS: i64 = 7;

/// Reads who is signed in, fixes the bounds of the run by the time of that answer, and reads projects and repositories.
pub(super) async fn sign_in(run: &mut Run) -> Result<(), Error> {
    let organization = run.organization().to_owned();
    let fatal = |source| Error::Organization {
        organization: organization.clone(),
        source: Box::new(source),
    };
    let here = scope(run, Resource::Organizations);
    let signed_in = organizations::fetch(&run.metered(&here.meter)).await;
    let signed_in = match signed_in {
        Ok(signed_in) => Ok(signed_in),
        // Some tokens may not ask who they are; what they may read, they may read.
        Err(error) if error.is_unreadable() => Err(Outcome::Skipped(super::chain(&error))),
        Err(error) => return Err(fatal(error)),
    };
    let listed = scope(run, Resource::Projects);
    let rows = projects::fetch(&run.metered(&listed.meter)).await.map_err(fatal)?;
    let first_answer = run.source.client().first_answer_at().unwrap_or(rows.seen_at);
    run.fix_bounds(first_answer);
    let now = Window::new(run.upper, run.upper);
    if run.wants(Resource::Organizations) {
        run.begin(Resource::Organizations);
        let mut records = Vec::new();
        let outcome = match signed_in {
            Ok(signed_in) => {
                // Other organizations of the identity stay in their own partition of the same table.
                let own = |row: &Row| row.text("organization") == Some(organization.as_str());
                let rows = signed_in.organizations.into_iter().filter(own).collect();
                run.write("organizations", rows, Vec::new(), signed_in.seen_at).await?;
                run.write("profiles", signed_in.profiles, Vec::new(), signed_in.seen_at).await?;
                if !signed_in.absent.is_empty() {
                    // Usual for a token of one organization, and for a server of one's own.
                    let profile = Scope::new(
                        Resource::Organizations,
                        format!("{organization}/profile"),
                        "profile and accounts",
                        now,
                    );
                    records.push((profile, Outcome::Skipped(signed_in.absent.join("; "))));
                }
                Outcome::Ok
            }
            Err(outcome) => outcome,
        };
        records.push((Scope { window: now, ..here }, outcome));
        run.record(records).await?;
        run.end(Resource::Organizations, &["organizations", "profiles"]);
    }
    let projects = selected(run, &rows)?;
    run.projects = projects;
    if run.wants(Resource::Projects) {
        run.begin(Resource::Projects);
        let ids: HashSet<&str> = run.projects.iter().map(|project| project.id.as_str()).collect();
        let own =
            rows.rows.iter().filter(|row| ids.contains(row.text("project_id").unwrap_or_default()));
        run.write("projects", own.cloned().collect(), Vec::new(), rows.seen_at).await?;
        run.record(vec![(Scope { window: now, ..listed }, Outcome::Ok)]).await?;
        run.end(Resource::Projects, &["projects"]);
    }
    repositories(run, now).await
}

fn scope(run: &Run, resource: Resource) -> Scope {
    Scope::new(resource, run.organization(), run.organization(), Window::new(run.upper, run.upper))
}

/// Returns the projects that the configuration and the caller select.
fn selected(run: &Run, rows: &Rows) -> Result<Vec<Project>, Error> {
    let wanted = |name: &str| {
        run.input.projects.matches(name)
            && (run.options.projects.is_empty()
                || run.options.projects.iter().any(|own| own.to_lowercase() == name.to_lowercase()))
    };
    let projects: Vec<Project> = rows
        .rows
        .iter()
        .filter(|row| matches!(row.text("state"), None | Some("wellFormed" | "unchanged")))
        .filter_map(|row| Some((row.text("project_id")?, row.text("name")?)))
        .filter(|(_, name)| wanted(name))
        .map(|(id, name)| Project { id: id.to_owned(), name: name.to_owned() })
        .collect();
    if projects.is_empty() {
        let (organization, visible) = (run.organization().to_owned(), rows.rows.len());
        return Err(Error::NoProject { organization, visible });
    }
    Ok(projects)
}

async fn repositories(run: &mut Run, now: Window) -> Result<(), Error> {
    run.begin(Resource::Repositories);
    let here = Scope { window: now, ..scope(run, Resource::Repositories) };
    let rows = match run.sort_out(repositories::fetch(&run.metered(&here.meter)).await)? {
        Ok(rows) => rows,
        Err(outcome) => return run.record(vec![(here, outcome)]).await,
    };
    let ids: HashSet<&str> = run.projects.iter().map(|project| project.id.as_str()).collect();
    let own: Vec<Row> = rows
        .rows
        .into_iter()
        .filter(|row| ids.contains(row.text("project_id").unwrap_or_default()))
        .collect();
    let list: Vec<Repository> = own.iter().filter_map(repository).collect();
    let mut repository_rules = HashMap::new();
    for row in &own {
        let Some(repository) = repository(row) else { continue };
        let project = row.text("project").unwrap_or_default();
        let settings = run.input.settings.of(run.organization(), project, &repository.name);
        let rules = Rules::new(&repository.project_id, &settings, !repository.is_disabled);
        repository_rules.insert(repository.id, rules);
    }
    let mut written = own;
    written.extend(gone(run, &here, &list, rows.seen_at).await?);
    run.repositories = list;
    run.judge.repositories = repository_rules;
    if run.wants(Resource::Repositories) {
        run.write("repositories", written, Vec::new(), rows.seen_at).await?;
        run.record(vec![(here, Outcome::Ok)]).await?;
    }
    run.end(Resource::Repositories, &["repositories"]);
    Ok(())
}

fn repository(row: &Row) -> Option<Repository> {
    Some(Repository {
        id: row.text("repository_id")?.to_owned(),
        project_id: row.text("project_id")?.to_owned(),
        name: row.text("name")?.to_owned(),
        default_branch: row.text("default_branch").map(str::to_owned),
        is_disabled: row.bool("is_disabled").unwrap_or(false),
    })
}

/// Returns the rows of repositories that are no longer listed: deleted where that is shown, else only not visible.
async fn gone(
    run: &Run,
    here: &Scope,
    list: &[Repository],
    seen_at: DateTime<Utc>,
) -> Result<Vec<Row>, Error> {
    let sql =
        "select * from repositories where organization = $organization and deleted_at is null";
    let known = run.query("repositories", sql, "which repositories there were").await?;
    let listed: HashSet<&str> = list.iter().map(|one| one.id.as_str()).collect();
    let missing: Vec<Row> = known
        .into_iter()
        .filter(|row| !listed.contains(row.text("repository_id").unwrap_or_default()))
        .filter(|row| {
            run.projects.iter().any(|project| Some(project.id.as_str()) == row.text("project_id"))
        })
        .collect();
    let mut deleted: BTreeMap<String, Option<repositories::Deleted>> = BTreeMap::new();
    let last = run
        .progress_so_far
        .read_at
        .get(&(Resource::Repositories.name().to_owned(), here.id.clone()));
    let mut changed = Vec::new();
    for mut row in missing {
        let (id, project) = (text(&row, "repository_id"), text(&row, "project_id"));
        if !deleted.contains_key(&project) {
            let answer = repositories::deleted(&run.metered(&here.meter), &project).await;
            deleted.insert(project.clone(), run.sort_out(answer)?.ok());
        }
        let shown = deleted
            .get(&project)
            .and_then(Option::as_ref)
            .filter(|list| list.repository_ids.contains(&id));
        match shown {
            Some(list) => {
                row.set("deleted_at", list.seen_at);
            }
            None => {
                let name = text(&row, "name");
                run.warn(format!(
                    "repository `{name}` is no longer visible; what was read of it stays"
                ));
            }
        }
        if row.get("last_visible_at").is_null() {
            row.set("last_visible_at", last.copied().unwrap_or(seen_at));
        }
        changed.push(row);
    }
    Ok(changed)
}

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

async fn people(run: &Run) -> Result<(), Error> {
    let here = scope(run, Resource::Users);
    if !run.wants(Resource::Users) || !is_due(run, &here, TimeDelta::hours(USERS_HOURS)) {
        return Ok(());
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
            let left = list.fill(&ids);
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

fn is_due(run: &Run, scope: &Scope, every: TimeDelta) -> bool {
    let key = (scope.resource.name().to_owned(), scope.id.clone());
    let last = run.progress_so_far.read_at.get(&key);
    run.options.full || last.is_none_or(|last| run.upper.signed_duration_since(*last) >= every)
}

/// Reads pipelines or retention settings of all projects.
async fn of_projects(run: &Run, resource: Resource) -> Result<(), Error> {
    if !run.wants(resource) {
        return Ok(());
    }
    run.begin(resource);
    let now = Window::new(run.upper, run.upper);
    let scopes: Vec<Scope> = run
        .projects
        .iter()
        .map(|project| Scope::new(resource, &project.id, &project.name, now))
        .filter(|scope| {
            resource == Resource::Pipelines || is_due(run, scope, TimeDelta::days(RETENTION_DAYS))
        })
        .collect();
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
    let (mut rows, mut complete, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for (scope, answer) in answers {
        let outcome = match run.sort_out(answer)? {
            Ok(answer) => {
                if resource == Resource::Pipelines {
                    complete.push(Complete {
                        key: vec![("project_id", scope.id.as_str().into())],
                        also: Vec::new(),
                    });
                }
                rows.extend(
                    answer
                        .rows
                        .into_iter()
                        .filter(|row| !known.contains(&retention_key(row, resource))),
                );
                Outcome::Ok
            }
            Err(outcome) => outcome,
        };
        ended.push((scope, outcome));
    }
    let table = resource.name();
    run.write(table, rows, complete, run.now()).await?;
    run.record(ended).await?;
    run.end(resource, &[table]);
    Ok(())
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

async fn all_branches(run: &Run) -> Result<(), Error> {
    if !run.wants(Resource::Branches) {
        return Ok(());
    }
    run.begin(Resource::Branches);
    run.expect(Resource::Branches, run.repositories.len());
    let now = Window::new(run.upper, run.upper);
    let answers: Vec<_> = futures::stream::iter(&run.repositories)
        .map(async |repository| {
            let name = format!("{}/{}", run.project_name(&repository.project_id), repository.name);
            let scope = Scope::new(Resource::Branches, &repository.id, name, now);
            if repository.is_disabled {
                return (scope, None);
            }
            let source = run.metered(&scope.meter);
            let default = repository.default_branch.as_deref();
            let rows =
                branches::fetch(&source, &repository.project_id, &repository.id, default).await;
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
                    let key = vec![("repository_id", scope.id.as_str().into())];
                    complete
                        .push(Complete { key, also: vec![("deleted_at", answer.seen_at.into())] });
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
