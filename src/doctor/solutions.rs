//! Solutions: that each fits a pipeline, a status or a job, that none is ambiguous, and which repositories have none.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Line, ask, counted, listed};
use super::error::Error;
use super::session::Session;
use super::{Input, Item};
use crate::hint::nearest_few;

const ITEM: &str = "solutions";

/// The kinds as tables name them, and as the configuration does.
const KINDS: [(&str, &str); 3] = [
    ("sast", "sast"),
    ("integration_tests", "integration-tests"),
    ("dependency_checks", "dependency-checks"),
];

/// A solution of one repository, and whether it fits something.
#[derive(Debug)]
struct Solution {
    project_id: String,
    project: String,
    repository: String,
    kind: &'static str,
    text: String,
    selector: String,
    pattern: String,
    is_all_required: bool,
    is_ambiguous: bool,
    fits: bool,
    older_name: Option<String>,
}

/// A name that a solution could have.
#[derive(Debug)]
struct Name {
    selector: String,
    project_id: String,
    name: String,
    path: String,
}

/// Examines the solutions of all repositories in scope.
pub(super) async fn examine(input: &Input<'_>, session: &Session) -> Result<Vec<Item>, Error> {
    let context = &session.context;
    let answer = ask(context, include_str!("solutions.sql"), "what solutions fit").await?;
    let mut repositories: BTreeSet<String> = BTreeSet::new();
    let mut solutions = Vec::new();
    for line in answer.lines() {
        repositories.insert(subject(input, &line.word("project"), &line.word("repository")));
        solutions.extend(solution(&line));
    }
    let names = ask(context, include_str!("names.sql"), "which names there are").await?;
    let names: Vec<Name> = names
        .lines()
        .map(|line| Name {
            selector: line.word("selector"),
            project_id: line.word("project_id"),
            name: line.word("name"),
            path: line.word("path"),
        })
        .collect();
    let mut items = unmatched(input, session, &solutions, &names);
    items.extend(ambiguous(input, &solutions, &names));
    items.extend(of_repositories(input, &solutions));
    items.extend(unset(input, &solutions, &repositories));
    Ok(items)
}

fn subject(input: &Input<'_>, project: &str, repository: &str) -> String {
    format!("{}/{project}/{repository}", input.organization())
}

fn solution(line: &Line<'_>) -> Option<Solution> {
    let kind = line.text("kind")?;
    let kind = KINDS.iter().find(|(name, _)| *name == kind)?.1;
    let selector = line.word("selector");
    let has = |column: &str| line.number(column) > 0;
    let fits = match selector.as_str() {
        "job" => has("job_count"),
        "status" => has("status_count"),
        "pipeline" => has("pipeline_count"),
        _ => has("pipeline_count") || has("status_count"),
    };
    Some(Solution {
        project_id: line.word("project_id"),
        project: line.word("project"),
        repository: line.word("repository"),
        kind,
        text: line.word("solution"),
        pattern: line.word("pattern"),
        is_all_required: line.word("require") == "all",
        is_ambiguous: line.is("is_ambiguous"),
        fits,
        // The view names pipelines of jobs too; those are no older names of the job.
        older_name: line.text("older_name").filter(|_| selector != "job"),
        selector,
    })
}

/// Solutions as they are written, each with every repository that has it.
fn by_text(solutions: &[Solution]) -> BTreeMap<(&'static str, &str), Vec<&Solution>> {
    let mut groups: BTreeMap<(&'static str, &str), Vec<&Solution>> = BTreeMap::new();
    for one in solutions {
        groups.entry((one.kind, one.text.as_str())).or_default().push(one);
    }
    groups
}

/// Names solutions that fit nothing in any repository, with the nearest names that there are.
fn unmatched(
    input: &Input<'_>,
    session: &Session,
    solutions: &[Solution],
    names: &[Name],
) -> Vec<Item> {
    let mut items = Vec::new();
    let mut fine = 0;
    for ((kind, text), own) in by_text(solutions) {
        if own.iter().any(|one| one.fits) {
            fine += 1;
            continue;
        }
        let Some(first) = own.first() else { continue };
        let scope = match own.len() {
            1 => format!(" of `{}/{}`", first.project, first.repository),
            _ => String::new(),
        };
        if let Some(older) = own.iter().find_map(|one| one.older_name.as_deref()) {
            let message = format!(
                "`{text}` in `{kind}`{scope} fits no pipeline by its name of today, only by an older one, `{older}`"
            );
            let remedy = "add the name of today, and keep the older one for what ran under it";
            items.push(Item::warning(ITEM, input.organization(), message).remedy(remedy));
            continue;
        }
        // What older pull requests carry is only known after a sync.
        let is_sampled = first.selector == "status" && session.has_sampled_statuses;
        let what = match first.selector.as_str() {
            "status" if is_sampled => "status of the latest pull requests",
            "status" => "status",
            "job" => "job",
            "pipeline" => "pipeline",
            _ => "pipeline and no status",
        };
        let message = format!("`{text}` in `{kind}`{scope} fits no {what}");
        let near = nearest(first, &own, names);
        let remedy = match near.is_empty() {
            true => "correct the name, or check that the identity may see the pipeline".to_owned(),
            false => format!("did you mean {}?", listed(near.iter().map(String::as_str))),
        };
        let make = if is_sampled { Item::warning } else { Item::problem };
        items.push(make(ITEM, input.organization(), message).remedy(remedy));
    }
    if fine > 0 {
        let message = format!("{} fit a pipeline, a status or a job", counted(fine, "solution"));
        items.insert(0, Item::ok(ITEM, input.organization(), message));
    }
    items
}

/// Returns the nearest names among those of the projects that are concerned.
fn nearest(solution: &Solution, own: &[&Solution], names: &[Name]) -> Vec<String> {
    const COUNT: usize = 3;
    let has_folder = solution.pattern.contains('/');
    let fits_kind = |name: &&Name| match solution.selector.as_str() {
        "any" => name.selector != "job",
        other => name.selector == other,
    };
    let candidates: Vec<&str> = names
        .iter()
        .filter(fits_kind)
        .filter(|name| {
            name.project_id.is_empty() || own.iter().any(|one| one.project_id == name.project_id)
        })
        .map(|name| match name.selector.as_str() {
            "pipeline" if !has_folder => name.name.as_str(),
            _ => name.path.trim_start_matches('/'),
        })
        .collect();
    let word = solution.pattern.replace('*', "");
    let near = nearest_few(word.trim_matches('/'), candidates, COUNT);
    near.into_iter().map(str::to_owned).collect()
}

/// Names plain names that fit pipelines in several folders of one project.
fn ambiguous(input: &Input<'_>, solutions: &[Solution], names: &[Name]) -> Vec<Item> {
    let mut seen = BTreeSet::new();
    let mut items = Vec::new();
    for one in solutions.iter().filter(|one| one.is_ambiguous) {
        if !seen.insert((one.project_id.as_str(), one.kind, one.text.as_str())) {
            continue;
        }
        let paths: BTreeSet<String> = names
            .iter()
            .filter(|name| name.selector == "pipeline" && name.project_id == one.project_id)
            .filter(|name| name.name.to_lowercase() == one.pattern)
            .map(|name| format!("\\{}", name.path))
            .collect();
        let message = format!(
            "`{}` in `{}` fits pipelines in {} folders, {}: checks fail with AMBIGUOUS_SOLUTION",
            one.text,
            one.kind,
            paths.len(),
            listed(paths.iter().map(String::as_str))
        );
        let example = paths.first().map(String::as_str).unwrap_or_default();
        let remedy = format!("name the folder too: `{{ pipeline = '{example}' }}`");
        let subject = format!("{}/{}", input.organization(), one.project);
        items.push(Item::problem(ITEM, subject, message).remedy(remedy));
    }
    items
}

/// Names repositories in which no solution of a kind fits anything, or not all where all are required.
fn of_repositories(input: &Input<'_>, solutions: &[Solution]) -> Vec<Item> {
    let idle: BTreeSet<(&str, &str)> = by_text(solutions)
        .into_iter()
        .filter(|(_, own)| !own.iter().any(|one| one.fits))
        .map(|(key, _)| key)
        .collect();
    let mut groups: BTreeMap<(String, &str), Vec<&Solution>> = BTreeMap::new();
    for one in solutions {
        let repository = subject(input, &one.project, &one.repository);
        groups.entry((repository, one.kind)).or_default().push(one);
    }
    let mut items = Vec::new();
    for ((repository, kind), own) in groups {
        let is_all = own.iter().any(|one| one.is_all_required);
        let missing: Vec<&str> = own
            .iter()
            .filter(|one| !one.fits && !idle.contains(&(one.kind, one.text.as_str())))
            .map(|one| one.text.as_str())
            .collect();
        let fits = own.iter().any(|one| one.fits);
        if missing.is_empty() || (fits && !is_all) {
            continue;
        }
        let message = match is_all {
            true => format!(
                "`{kind}` requires all, and {} fits nothing in its project",
                listed(missing)
            ),
            false => format!("no solution of `{kind}` fits anything in its project"),
        };
        items.push(Item::warning(ITEM, repository.as_str(), message).remedy(format!(
            "set `{kind}` in a `[[repository]]` with `match = \"{repository}\"`, or set up the pipeline"
        )));
    }
    items
}

/// Counts repositories without any solution of a kind.
fn unset(input: &Input<'_>, solutions: &[Solution], repositories: &BTreeSet<String>) -> Vec<Item> {
    let mut items = Vec::new();
    for (_, kind) in KINDS {
        let with: BTreeSet<String> = solutions
            .iter()
            .filter(|one| one.kind == kind)
            .map(|one| subject(input, &one.project, &one.repository))
            .collect();
        let without = repositories.difference(&with).count();
        if without > 0 {
            let message = format!(
                "`{kind}` is not set for {}: its check fails there as not configured",
                counted(without, "repository")
            );
            items.push(
                Item::warning(ITEM, input.organization(), message)
                    .remedy(format!("set `{kind}` in `[defaults]` or `[[repository]]`")),
            );
        }
    }
    items
}
