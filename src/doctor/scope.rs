//! What is read and judged: projects by their globs, repositories seen and lost, overrides, exceptions, start date.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;

use super::ask::{ask, counted, listed};
use super::error::Error;
use super::visible::Found;
use super::{Input, Item};
use crate::ado::Call;
use crate::ado::model::PullRequest;
use crate::config::{Exception, Projects};
use crate::glob::Glob;
use crate::hint::nearest_few;

/// A repository that is visible, or that the lake knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    /// `project/repository`.
    name: String,
    is_visible: bool,
    last_visible_at: Option<String>,
}

/// Tells which projects are read, and which globs select none.
pub(super) fn projects(input: &Input<'_>, found: &Found) -> Vec<Item> {
    let (item, subject) = ("projects", input.organization());
    let patterns = input.projects.patterns();
    let all = found.all_projects.iter().map(String::as_str);
    let idle: Vec<&str> = patterns
        .iter()
        .map(|pattern| pattern.as_str())
        .filter(|pattern| {
            let glob = Projects::new(vec![pattern.trim_start_matches('!').to_owned()]);
            glob.is_ok_and(|glob| !found.all_projects.iter().any(|name| glob.matches(name)))
        })
        .collect();
    let mut items = Vec::new();
    let (selected, visible) = (found.projects.len(), found.all_projects.len());
    if selected == 0 {
        let message = format!("none of {} is selected", counted(visible, "visible project"));
        let remedy = match visible {
            0 => "add the identity to the projects, as Readers".to_owned(),
            _ => format!("set `projects` to globs on {}", listed(all)),
        };
        return vec![Item::problem(item, subject, message).remedy(remedy)];
    }
    let message = format!("{selected} of {} selected", counted(visible, "visible project"));
    items.push(Item::ok(item, subject, message));
    for pattern in idle {
        let near = nearest_few(pattern.trim_start_matches('!'), all.clone(), 3);
        let remedy = match near.is_empty() {
            true => "correct it in `projects`, or check that the identity may see the project"
                .to_owned(),
            false => format!("did you mean {}?", listed(near)),
        };
        let message = format!("`{pattern}` in `projects` fits no visible project");
        items.push(Item::warning(item, subject, message).remedy(remedy));
    }
    items
}

/// Returns every repository of the selected projects, visible or known by the lake and not shown to be deleted.
async fn known(input: &Input<'_>, context: &SessionContext) -> Result<Vec<Known>, Error> {
    let sql = "select coalesce(now.organization, before.organization) as organization, \
                   coalesce(now.project, before.project) as project, coalesce(now.name, before.name) as name, \
                   now.repository_id is not null as is_visible, cast(before.last_visible_at as date) as last_visible_at \
               from repositories as now \
               full join (select * from known_repositories where deleted_at is null) as before \
                   on before.organization = now.organization and before.repository_id = now.repository_id \
               order by project, name";
    let answer = ask(context, sql, "which repositories there are").await?;
    let is_own = |name: &str| name.eq_ignore_ascii_case(input.organization());
    Ok(answer
        .lines()
        .filter(|line| is_own(&line.word("organization")))
        .filter(|line| input.projects.matches(&line.word("project")))
        .map(|line| Known {
            name: format!("{}/{}", line.word("project"), line.word("name")),
            is_visible: line.is("is_visible"),
            last_visible_at: line.text("last_visible_at"),
        })
        .collect())
}

/// Counts the visible repositories against those that the lake knows, and names the lost ones.
pub(super) async fn repositories(
    input: &Input<'_>,
    context: &SessionContext,
) -> Result<Vec<Item>, Error> {
    let (item, organization) = ("repositories", input.organization());
    let known = known(input, context).await?;
    let visible = known.iter().filter(|one| one.is_visible).count();
    let mut items = Vec::new();
    let mut acknowledged = 0;
    for lost in known.iter().filter(|one| !one.is_visible) {
        let (project, name) = lost.name.split_once('/').unwrap_or_default();
        if input.settings.of(organization, project, name).gone_since.is_some() {
            acknowledged += 1;
            continue;
        }
        let message = match &lost.last_visible_at {
            Some(day) => {
                format!("no longer visible, last seen on {day}; what was read of it stays")
            }
            None => "visible at the last sync and not now; what was read of it stays".to_owned(),
        };
        let subject = format!("{organization}/{}", lost.name);
        let remedy = format!(
            "let the identity read it again, or acknowledge it: `[[repository]]` with `match = \"{subject}\"` and \
             `gone-since`"
        );
        items.push(Item::warning(item, subject, message).remedy(remedy));
    }
    let mut message = match known.len() {
        all if all == visible => format!("{} visible", counted(visible, "repository")),
        all => format!("{visible} of {} visible", counted(all, "known repository")),
    };
    if acknowledged > 0 {
        message.push_str(&format!(", {acknowledged} acknowledged as gone"));
    }
    items.insert(
        0,
        if visible == 0 {
            Item::problem(item, organization, "no repository is visible in the selected projects")
                .remedy(
                    "give the identity access level Basic and read permission on the repositories",
                )
        } else {
            Item::ok(item, organization, message)
        },
    );
    Ok(items)
}

/// Tells whether a glob on `organization/project/repository` may mean repositories of this organization.
fn concerns(pattern: &str, organization: &str) -> bool {
    let first = pattern.split('/').next().unwrap_or_default();
    first.contains("**")
        || Glob::new(&first.to_lowercase())
            .is_ok_and(|glob| glob.matches(&organization.to_lowercase()))
}

/// Names `[[repository]]` entries that fit no repository.
pub(super) async fn overrides(
    input: &Input<'_>,
    context: &SessionContext,
) -> Result<Vec<Item>, Error> {
    let (item, organization) = ("overrides", input.organization());
    let names = full_names(organization, &known(input, context).await?);
    let own: Vec<_> = input
        .settings
        .overrides
        .iter()
        .filter(|entry| concerns(&entry.pattern, organization))
        .collect();
    let mut items = Vec::new();
    let mut fine = 0;
    for entry in own {
        if names.iter().any(|name| entry.glob.matches(&name.to_lowercase())) {
            fine += 1;
            continue;
        }
        let message =
            format!("`[[repository]]` with `match = \"{}\"` fits no repository", entry.pattern);
        items.push(Item::warning(item, organization, message).remedy(did_you_mean(
            &entry.pattern,
            &names,
            "correct or remove it",
        )));
    }
    if fine > 0 {
        let fit = if fine == 1 { "fits" } else { "fit" };
        let message = format!("`[[repository]]`: {} {fit}", counted(fine, "entry"));
        items.insert(0, Item::ok(item, organization, message));
    }
    Ok(items)
}

fn full_names(organization: &str, known: &[Known]) -> Vec<String> {
    known.iter().map(|one| format!("{organization}/{}", one.name)).collect()
}

fn did_you_mean(pattern: &str, names: &[String], otherwise: &str) -> String {
    let near = nearest_few(pattern, names.iter().map(String::as_str), 3);
    match near.is_empty() {
        true => otherwise.to_owned(),
        false => format!("did you mean {}?", listed(near)),
    }
}

/// Names exceptions that fit nothing, have no evidence or came too late.
pub(super) async fn exceptions(
    input: &Input<'_>,
    found: &Found,
    context: &SessionContext,
) -> Result<Vec<Item>, Error> {
    let (item, organization) = ("exceptions", input.organization());
    let names = full_names(organization, &known(input, context).await?);
    let mut items = Vec::new();
    let mut fine = 0;
    let own = input.settings.exceptions.iter();
    for exception in own.filter(|one| concerns(&one.subject.repository_pattern, organization)) {
        match complaint(input, found, context, exception, &names).await? {
            None => fine += 1,
            Some((is_wrong, message, remedy)) => {
                let make = if is_wrong { Item::problem } else { Item::warning };
                let message = format!("exception `{}`: {message}", exception.pattern);
                items.push(make(item, organization, message).remedy(remedy));
            }
        }
    }
    if fine > 0 {
        items.insert(
            0,
            Item::ok(item, organization, format!("{} in order", counted(fine, "exception"))),
        );
    }
    Ok(items)
}

/// Returns what is wrong with an exception: whether it has to be mended, what, and what to do.
async fn complaint(
    input: &Input<'_>,
    found: &Found,
    context: &SessionContext,
    exception: &Exception,
    names: &[String],
) -> Result<Option<(bool, String, String)>, Error> {
    let subject = &exception.subject;
    let glob = Glob::new(&subject.repository_pattern.to_lowercase()).ok();
    let fits = |name: &str| glob.as_ref().is_some_and(|glob| glob.matches(&name.to_lowercase()));
    let fitting: BTreeSet<&str> =
        names.iter().map(String::as_str).filter(|name| fits(name)).collect();
    if fitting.is_empty() {
        let remedy = did_you_mean(&subject.repository_pattern, names, "correct or remove it");
        return Ok(Some((true, "it fits no repository".to_owned(), remedy)));
    }
    if let Some(file) = &exception.evidence_file
        && let Err(error) = std::fs::metadata(file)
    {
        let message = format!("its evidence `{}` cannot be read: {error}", file.display());
        return Ok(Some((true, message, "put the file there, or correct `evidence`".to_owned())));
    }
    let ends = input.settings.end_of_day(exception.expires);
    let number = subject.pull_request_pattern.as_deref().and_then(|text| text.parse::<i64>().ok());
    let Some(number) = number else {
        let is_over = ends <= input.now();
        return Ok(is_over.then(|| expired(exception, "merges after that day are judged")));
    };
    let closed_at = match merged_in_lake(input, context, number).await? {
        Some((repository, closed_at)) => {
            let is_there = found.repositories.iter().any(|row| {
                let name = format!(
                    "{}/{}/{}",
                    input.organization(),
                    row.text("project").unwrap_or_default(),
                    row.text("name").unwrap_or_default()
                );
                row.text("repository_id") == Some(repository.as_str()) && fits(&name)
            });
            if !is_there {
                return Ok(Some(unknown(number)));
            }
            closed_at
        }
        None => match asked(input, found, number).await {
            Lookup::There(name, closed_at) if fits(&name) => closed_at,
            Lookup::There(..) | Lookup::Missing => return Ok(Some(unknown(number))),
            // Whether it is there cannot be told; permissions are told elsewhere.
            Lookup::Unclear => return Ok(None),
        },
    };
    Ok(match closed_at {
        Some(closed_at) if closed_at >= ends => {
            Some(expired(exception, "the pull request was closed later and is judged"))
        }
        None if ends <= input.now() => {
            Some(expired(exception, "the pull request is not merged yet and will be judged"))
        }
        _ => None,
    })
}

fn expired(exception: &Exception, so: &str) -> (bool, String, String) {
    let remedy = "register a new one, or keep it for what was merged before".to_owned();
    (false, format!("it expired on {}: {so}", exception.expires), remedy)
}

fn unknown(number: i64) -> (bool, String, String) {
    let message = format!("there is no pull request {number} in a repository that it fits");
    (true, message, "correct the repository or the number".to_owned())
}

async fn merged_in_lake(
    input: &Input<'_>,
    context: &SessionContext,
    number: i64,
) -> Result<Option<(String, Option<DateTime<Utc>>)>, Error> {
    let sql = format!(
        "select organization, repository_id, cast(to_unixtime(closed_at) as bigint) as closed_s \
         from pull_requests where pull_request_id = {number}"
    );
    let answer = ask(context, &sql, "which pull requests there are").await?;
    Ok(answer.lines().find(|line| line.word("organization") == input.organization()).map(|line| {
        let seconds = line.text("closed_s").and_then(|text| text.parse().ok());
        let closed_at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        (line.word("repository_id"), closed_at)
    }))
}

/// What asking for a pull request by its number gave.
enum Lookup {
    There(String, Option<DateTime<Utc>>),
    Missing,
    Unclear,
}

/// Asks Azure DevOps: numbers are unique in the organization.
async fn asked(input: &Input<'_>, found: &Found, number: i64) -> Lookup {
    let Some((project, _)) = found.projects.first() else { return Lookup::Unclear };
    // Any project's address answers, and says to which repository the pull request belongs.
    let call = Call::project(project, &["git", "pullrequests", &number.to_string()]);
    match input.source.client().get::<PullRequest>(call).await {
        Ok(answer) => {
            let id = answer.value.repository.and_then(|repository| repository.id);
            let row =
                found.repositories.iter().find(|row| row.text("repository_id") == id.as_deref());
            match row {
                Some(row) => {
                    let (project, name) = (row.text("project"), row.text("name"));
                    let parts = [Some(input.organization()), project, name];
                    let name = parts.map(Option::unwrap_or_default).join("/");
                    Lookup::There(name, answer.value.closed_date)
                }
                None => Lookup::Missing,
            }
        }
        Err(error) if error.is_unreadable() => Lookup::Missing,
        Err(_) => Lookup::Unclear,
    }
}

/// Warns of a start date in the future.
pub(super) fn start_date(input: &Input<'_>) -> Vec<Item> {
    let (item, subject) = ("start-date", input.organization());
    let Some(day) = input.settings.start_date else {
        let message = "not set: merges are judged from the day of the first sync on";
        return vec![Item::ok(item, subject, message)];
    };
    let start = input.settings.start_of_day(day);
    if start > input.now() {
        let message = format!("{day} lies in the future: nothing is judged before");
        return vec![
            Item::warning(item, subject, message)
                .remedy("set `checks.start-date` to an earlier day"),
        ];
    }
    vec![Item::ok(item, subject, format!("merges are judged from {day} on"))]
}
