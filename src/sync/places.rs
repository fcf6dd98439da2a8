//! Where everything is read: the organization, its projects, and its repositories with those that are gone.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Run;
use super::error::Error;
use super::judge::Rules;
use super::run::{Project, Repository};
use super::scope::{Outcome, Scope};
use crate::extract::organizations::Organizations;
use crate::extract::{Resource, Rows, organizations, projects, repositories};
use crate::schema::Row;
use crate::window::Window;

/// How often profile and accounts are read, hours.
const PROFILE_HOURS: i64 = 24;

/// What the organization lists of its projects.
struct Listed {
    /// Id, with the visibility.
    alive: HashMap<String, Option<String>>,
    /// Ids of those that are shown to be deleted.
    deleted: HashSet<String>,
}

/// Reads who is signed in, fixes the bounds of the run by the time of that answer, and reads projects and repositories.
pub(super) async fn sign_in(run: &mut Run) -> Result<(), Error> {
    let organization = run.organization().to_owned();
    let fatal = |source| Error::Organization {
        organization: organization.clone(),
        source: Box::new(source),
    };
    let here = scope(run, Resource::Organizations);
    let source = run.metered(&here.meter);
    // The bounds are not fixed yet: whether a day has passed is judged by the answer itself.
    let last = last_read(run, &here);
    let wants = |run: &Run| run.wants(Resource::Organizations) || run.wants(Resource::Profiles);
    let is_asked_for = !run.options.resources.is_empty() && wants(run);
    let signed_in = if run.options.full || is_asked_for || last.is_none() {
        organizations::fetch(&source).await.map(Some)
    } else {
        match organizations::knock(&source).await {
            Err(error) if !error.is_unreadable() => Err(error),
            _ if is_old(run, last) => organizations::fetch(&source).await.map(Some),
            _ => Ok(None),
        }
    };
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
    if wants(run) {
        run.begin(Resource::Organizations);
        let mut ended = Vec::new();
        let outcome = match signed_in {
            Ok(Some(signed_in)) => {
                if !signed_in.absent.is_empty() {
                    // Usual for a token of one organization, and for a server of one's own.
                    let (id, name) = (format!("{organization}/profile"), "profile and accounts");
                    let profile = Scope::new(Resource::Organizations, id, name, now);
                    ended.push((profile, Outcome::Skipped(signed_in.absent.join("; "))));
                }
                write_organizations(run, signed_in).await?
            }
            Ok(None) => Outcome::Skipped("profile and accounts are read once a day".into()),
            Err(outcome) => outcome,
        };
        ended.push((Scope { window: now, ..here }, outcome));
        run.record(ended).await?;
        run.end(Resource::Organizations, &["organizations", "profiles"]);
    }
    let listed_projects = all_projects(run, rows, Scope { window: now, ..listed }).await?;
    all_repositories(run, now, &listed_projects).await
}

fn scope(run: &Run, resource: Resource) -> Scope {
    Scope::new(resource, run.organization(), run.organization(), Window::new(run.upper, run.upper))
}

fn last_read(run: &Run, scope: &Scope) -> Option<DateTime<Utc>> {
    let key = (scope.resource.name().to_owned(), scope.id.clone());
    run.progress_so_far.read_at.get(&key).copied()
}

fn is_old(run: &Run, last: Option<DateTime<Utc>>) -> bool {
    let now = run.source.client().first_answer_at();
    let age = now.zip(last).map(|(now, last)| now.signed_duration_since(last));
    age.is_none_or(|age| age >= TimeDelta::hours(PROFILE_HOURS))
}

async fn write_organizations(run: &Run, found: Organizations) -> Result<Outcome, Error> {
    let sql = "select * from organizations";
    let known = run.query("organizations", sql, "which organizations there are").await?;
    for mut row in found.organizations {
        let name = text(&row, "organization");
        // Another sync of the same configuration may have flagged it; this one cannot know.
        let is_flagged = known.iter().any(|own| {
            own.text("organization") == Some(&name) && own.bool("is_configured") == Some(true)
        });
        if is_flagged {
            row.set("is_configured", true);
        }
        run.write_of(&name, "organizations", vec![row], Vec::new(), found.seen_at).await?;
    }
    run.write("profiles", found.profiles, Vec::new(), found.seen_at).await?;
    Ok(Outcome::Ok)
}

/// Returns whether the configuration and the caller select a project of that name.
fn is_selected(run: &Run, name: &str) -> bool {
    run.input.projects.matches(name)
        && (run.options.projects.is_empty()
            || run.options.projects.iter().any(|own| own.to_lowercase() == name.to_lowercase()))
}

/// Takes the list of projects: those that are read, and what became of those that were.
async fn all_projects(run: &mut Run, list: Rows, here: Scope) -> Result<Listed, Error> {
    let sql = "select * from projects where organization = $organization";
    let known: HashMap<String, Row> = run
        .query("projects", sql, "which projects there were")
        .await?
        .into_iter()
        .map(|row| (text(&row, "project_id"), row))
        .collect();
    let mut listed = Listed { alive: HashMap::new(), deleted: HashSet::new() };
    let (mut selected, mut written) = (Vec::new(), Vec::new());
    let visible = list.rows.len();
    for mut row in list.rows {
        let (id, name) = (text(&row, "project_id"), text(&row, "name"));
        let before = known.get(&id);
        let is_own = is_selected(run, &name)
            || before.is_some_and(|row| is_selected(run, row.text("name").unwrap_or_default()));
        if row.time("deleted_at").is_some() {
            listed.deleted.insert(id);
            if let Some(first) = before.and_then(|row| row.time("deleted_at")) {
                row.set("deleted_at", first);
            }
        } else {
            let visibility = row.text("visibility").filter(|text| *text != "unchanged");
            listed.alive.insert(id.clone(), visibility.map(str::to_owned));
            let state = row.text("state").unwrap_or_default().to_ascii_lowercase();
            // Not there yet, or no longer; what a state of another name means is found out by reading.
            let is_there =
                !["new", "createpending", "deleting", "deleted"].contains(&state.as_str());
            if is_there && is_selected(run, &name) {
                selected.push(Project { id, name });
            }
        }
        if is_own {
            written.push(row);
        }
    }
    if selected.is_empty() {
        let organization = run.organization().to_owned();
        return Err(Error::NoProject { organization, visible });
    }
    for (id, row) in &known {
        let name = row.text("name").unwrap_or_default();
        let is_listed = listed.alive.contains_key(id) || listed.deleted.contains(id);
        if !is_listed && row.time("deleted_at").is_none() && is_selected(run, name) {
            run.warn(format!("project `{name}` is no longer visible; what was read of it stays"));
        }
    }
    run.projects = selected;
    if run.wants(Resource::Projects) {
        run.begin(Resource::Projects);
        run.write("projects", written, Vec::new(), list.seen_at).await?;
        run.record(vec![(here, Outcome::Ok)]).await?;
        run.end(Resource::Projects, &["projects"]);
    }
    Ok(listed)
}

async fn all_repositories(run: &mut Run, now: Window, listed: &Listed) -> Result<(), Error> {
    run.begin(Resource::Repositories);
    let here = Scope { window: now, ..scope(run, Resource::Repositories) };
    let rows = match run.sort_out(repositories::fetch(&run.metered(&here.meter)).await)? {
        Ok(rows) => rows,
        Err(outcome) => {
            run.lacks_repositories = true;
            return run.record(vec![(here, outcome)]).await;
        }
    };
    let ids: HashSet<&str> = run.projects.iter().map(|project| project.id.as_str()).collect();
    let mut own: Vec<Row> = rows
        .rows
        .into_iter()
        .filter(|row| ids.contains(row.text("project_id").unwrap_or_default()))
        .collect();
    let list: Vec<Repository> = own.iter().filter_map(repository).collect();
    let mut repository_rules = HashMap::new();
    for row in &mut own {
        let Some(repository) = repository(row) else { continue };
        // Inside a repository the project is but a stub, in which the visibility may be missing.
        if row.text("visibility").is_none()
            && let Some(Some(visibility)) = listed.alive.get(&repository.project_id)
        {
            row.set("visibility", visibility.as_str());
        }
        let project = row.text("project").unwrap_or_default();
        let settings = run.input.settings.of(run.organization(), project, &repository.name);
        let rules = Rules::new(&repository.project_id, &settings, !repository.is_disabled);
        repository_rules.insert(repository.id, rules);
    }
    let mut written = own;
    let (changed, outcome) = gone(run, &here, &list, listed, rows.seen_at).await?;
    written.extend(changed);
    run.repositories = list;
    run.judge.repositories = repository_rules;
    if run.wants(Resource::Repositories) {
        run.write("repositories", written, Vec::new(), rows.seen_at).await?;
        run.record(vec![(here, outcome)]).await?;
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
    listed: &Listed,
    seen_at: DateTime<Utc>,
) -> Result<(Vec<Row>, Outcome), Error> {
    let sql =
        "select * from repositories where organization = $organization and deleted_at is null";
    let known = run.query("repositories", sql, "which repositories there were").await?;
    let visible: HashSet<&str> = list.iter().map(|one| one.id.as_str()).collect();
    let mut shown: BTreeMap<String, Option<repositories::Deleted>> = BTreeMap::new();
    let (mut changed, mut outcome) = (Vec::new(), Outcome::Ok);
    for mut row in known {
        let (id, project_id) = (text(&row, "repository_id"), text(&row, "project_id"));
        let (project, name) = (text(&row, "project"), text(&row, "name"));
        let is_read = run.projects.iter().any(|own| own.id == project_id);
        // A project that is no longer there takes its repositories along.
        let is_orphan = !listed.alive.contains_key(&project_id) && is_selected(run, &project);
        if visible.contains(id.as_str()) || !(is_read || is_orphan) {
            continue;
        }
        if is_read && !shown.contains_key(&project_id) {
            let answer = repositories::deleted(&run.metered(&here.meter), &project_id).await;
            let answer = match run.sort_out::<repositories::Deleted>(answer)? {
                Ok(list) => Some(list),
                // Then whether it was deleted stays open; the list of repositories was read all the same.
                Err(Outcome::Unreadable(_)) => None,
                Err(worse) => {
                    outcome = outcome.max(worse);
                    None
                }
            };
            shown.insert(project_id.clone(), answer);
        }
        let list = shown.get(&project_id).and_then(Option::as_ref);
        let deleted_at = if listed.deleted.contains(&project_id) {
            Some(seen_at)
        } else {
            list.filter(|list| list.repository_ids.contains(&id)).map(|list| list.seen_at)
        };
        let is_acknowledged =
            run.input.settings.of(run.organization(), &project, &name).gone_since.is_some();
        match deleted_at {
            Some(at) => {
                run.warn(format!("repository `{project}/{name}` was deleted; what was read stays"));
                row.set("deleted_at", at);
            }
            None if is_acknowledged => {}
            None => run.warn(format!(
                "repository `{project}/{name}` is no longer visible; what was read of it stays"
            )),
        }
        if row.get("last_visible_at").is_null() {
            row.set("last_visible_at", last_read(run, here).unwrap_or(seen_at));
        }
        changed.push(row);
    }
    Ok((changed, outcome))
}

fn text(row: &Row, column: &str) -> String {
    row.text(column).unwrap_or_default().to_owned()
}
