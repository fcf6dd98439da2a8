//! Production branches: that they exist, that something was merged into them, and that policies apply as adolake says.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use futures::StreamExt as _;

use super::ask::{ask, counted, listed};
use super::error::Error;
use super::visible::{Found, first};
use super::{Input, Item};
use crate::ado::model::{Configuration, PullRequest};
use crate::ado::{Call, Paging};

/// Branches asked at once; the gate of the client bounds requests.
const IN_FLIGHT: usize = 16;

/// Types of policies that checks look at: minimum reviewers, required reviewers, build validation.
const JUDGED: [&str; 3] = [
    "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd",
    "fd2167ab-b0be-447a-8ec8-39368250530e",
    "0609b952-1397-4640-95ec-e00a01b2c241",
];

/// A production branch that exists.
#[derive(Debug)]
struct Branch {
    subject: String,
    project_id: String,
    repository_id: String,
    name: String,
    ref_name: String,
    has_merged: bool,
    has_validation: bool,
}

/// Examines all production branches.
pub(super) async fn examine(
    input: &Input<'_>,
    found: &Found,
    context: &SessionContext,
) -> Result<Vec<Item>, Error> {
    let mut items = existence(input, found, context).await?;
    let mut branches = existing(input, context).await?;
    merged(input, &mut branches).await;
    let (subject, by_repository) = (input.organization(), grouped(&branches));
    let mut unmerged = 0;
    let mut unvalidated = 0;
    for (repository, own) in &by_repository {
        let names = |keep: fn(&Branch) -> bool| {
            own.iter().filter(|one| keep(one)).map(|one| one.name.as_str()).collect::<Vec<_>>()
        };
        let without = names(|one| !one.has_merged);
        if !without.is_empty() {
            unmerged += without.len();
            let message = format!("no pull request was ever merged into {}", listed(without));
            items.push(Item::warning("merged-pull-requests", *repository, message).remedy(
                "check that it is a production branch, or take it out of `production-branches`",
            ));
        }
        let is_known =
            own.first().is_some_and(|one| !found.without_policies.contains(&one.project_id));
        let without = names(|one| !one.has_validation);
        if is_known && !without.is_empty() {
            unvalidated += without.len();
            let message = format!(
                "no enabled, blocking build validation policy applies to {}",
                listed(without)
            );
            items.push(Item::warning("build-validation", *repository, message).remedy(
                "add one under Project settings, Repositories, Policies, Branch policies: without it pipelines need not run",
            ));
        }
    }
    for (item, without, what) in [
        ("merged-pull-requests", unmerged, "pull requests were merged into"),
        ("build-validation", unvalidated, "build validation protects"),
    ] {
        if let Some(fine) = branches.len().checked_sub(without).filter(|fine| *fine > 0) {
            let message = format!("{what} {}", counted(fine, "production branch"));
            items.push(Item::ok(item, subject, message));
        }
    }
    items.extend(cross_check(input, found, context, &branches).await?);
    Ok(items)
}

fn subject(input: &Input<'_>, project: &str, repository: &str) -> String {
    format!("{}/{project}/{repository}", input.organization())
}

fn grouped(branches: &[Branch]) -> BTreeMap<&str, Vec<&Branch>> {
    let mut groups: BTreeMap<&str, Vec<&Branch>> = BTreeMap::new();
    for branch in branches {
        groups.entry(branch.subject.as_str()).or_default().push(branch);
    }
    groups
}

/// Names production branches that do not exist.
async fn existence(
    input: &Input<'_>,
    found: &Found,
    context: &SessionContext,
) -> Result<Vec<Item>, Error> {
    #[derive(Default)]
    struct Patterns {
        missing: Vec<String>,
        idle: Vec<String>,
        fits: i64,
        is_set: bool,
        default: Option<String>,
        is_skipped: bool,
    }
    let item = "production-branches";
    let sql = include_str!("branches.sql");
    let answer = ask(context, sql, "which production branches there are").await?;
    let mut repositories: BTreeMap<String, Patterns> = BTreeMap::new();
    for line in answer.lines() {
        let of = repositories
            .entry(subject(input, &line.word("project"), &line.word("repository")))
            .or_default();
        of.default = line.text("default_branch");
        // A disabled repository does not answer; one without a default branch is empty.
        of.is_skipped = line.is("is_disabled")
            || of.default.is_none()
            || found.without_branches.contains(&line.word("repository_id"));
        let Some(pattern) = line.text("pattern") else { continue };
        of.is_set = true;
        of.fits += line.number("fits");
        if line.number("fits") == 0 {
            if line.is("is_glob") { &mut of.idle } else { &mut of.missing }.push(pattern);
        }
    }
    let (mut fine, mut branches, mut skipped) = (0, 0, 0);
    let mut items = Vec::new();
    for (repository, of) in repositories {
        if of.is_skipped {
            skipped += 1;
            continue;
        }
        let default = of.default.unwrap_or_default();
        let set = format!(
            "`production-branches = [\"{default}\"]` in a `[[repository]]` with `match = \"{repository}\"`"
        );
        if !of.is_set {
            let message = "no production branch is set; its checks fail as not configured";
            items.push(Item::problem(item, repository, message).remedy(format!("write {set}")));
        } else if !of.missing.is_empty() {
            let names = listed(of.missing.iter().map(String::as_str));
            let (branch, verb) = match of.missing.len() {
                1 => ("branch", "does"),
                _ => ("branches", "do"),
            };
            let message = format!(
                "production {branch} {names} {verb} not exist; the default branch is `{default}`"
            );
            items.push(
                Item::problem(item, repository, message)
                    .remedy(format!("write {set}, or `in-scope = false`")),
            );
        } else if of.fits == 0 {
            let names = listed(of.idle.iter().map(String::as_str));
            let message = format!("no branch fits {names}; the default branch is `{default}`");
            items.push(
                Item::problem(item, repository, message)
                    .remedy(format!("write {set}, or `in-scope = false`")),
            );
        } else {
            fine += 1;
            branches += of.fits;
        }
    }
    let mut told = Vec::new();
    if fine > 0 {
        told.push(format!(
            "{} of {} exist",
            counted(usize::try_from(branches).unwrap_or(0), "production branch"),
            counted(fine, "repository")
        ));
    }
    if skipped > 0 {
        told.push(format!("{} empty, disabled or unreadable", counted(skipped, "repository")));
    }
    if !told.is_empty() {
        items.insert(0, Item::ok(item, input.organization(), told.join("; ")));
    }
    Ok(items)
}

async fn existing(input: &Input<'_>, context: &SessionContext) -> Result<Vec<Branch>, Error> {
    let sql = include_str!("protected.sql");
    let answer = ask(context, sql, "how production branches are protected").await?;
    Ok(answer
        .lines()
        .map(|line| Branch {
            subject: subject(input, &line.word("project"), &line.word("repository")),
            project_id: line.word("project_id"),
            repository_id: line.word("repository_id"),
            name: line.word("branch"),
            ref_name: line.word("ref_name"),
            has_merged: line.number("merged_count") > 0,
            has_validation: line.number("validation_count") > 0,
        })
        .collect())
}

/// Asks Azure DevOps about branches into which the lake knows no merge.
async fn merged(input: &Input<'_>, branches: &mut [Branch]) {
    let unknown = branches.iter().enumerate().filter(|(_, branch)| !branch.has_merged);
    let asked: Vec<(usize, bool)> = futures::stream::iter(unknown)
        .map(async |(index, branch)| {
            let call =
                Call::repository(&branch.project_id, &branch.repository_id, &["pullrequests"])
                    .query("searchCriteria.status", "completed")
                    .query("searchCriteria.targetRefName", &branch.ref_name)
                    .query("$top", 1);
            let answer = first::<PullRequest>(&input.source, call, "pull requests").await;
            // What cannot be read is told among the permissions.
            (index, answer.map_or(true, |answer| !answer.value.is_empty()))
        })
        .buffered(IN_FLIGHT)
        .collect()
        .await;
    for (index, has_merged) in asked {
        branches[index].has_merged = has_merged;
    }
}

/// Compares which policies apply, as Azure DevOps and as adolake resolve it.
async fn cross_check(
    input: &Input<'_>,
    found: &Found,
    context: &SessionContext,
    branches: &[Branch],
) -> Result<Vec<Item>, Error> {
    let item = "branch-policies";
    let sql = "select repository_id, branch, policy_id from effective_branch_policies \
               where is_enabled and policy_kind <> 'other'";
    let answer = ask(context, sql, "which policies apply").await?;
    let mut own: BTreeMap<(String, String), BTreeSet<i64>> = BTreeMap::new();
    for line in answer.lines() {
        let key = (line.word("repository_id"), line.word("branch"));
        own.entry(key).or_default().insert(line.number("policy_id"));
    }
    let known = branches.iter().filter(|one| !found.without_policies.contains(&one.project_id));
    let asked: Vec<(&Branch, Option<BTreeSet<i64>>)> = futures::stream::iter(known)
        .map(async |branch| (branch, applying(input, branch).await))
        .buffered(IN_FLIGHT)
        .collect()
        .await;
    let mut items = Vec::new();
    let mut fine = 0;
    for (branch, theirs) in asked {
        let Some(theirs) = theirs else { continue };
        let key = (branch.repository_id.clone(), branch.name.clone());
        let ours = own.remove(&key).unwrap_or_default();
        if ours == theirs {
            fine += 1;
            continue;
        }
        let ids = |ids: &BTreeSet<i64>| match ids.is_empty() {
            true => "none".to_owned(),
            false => ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", "),
        };
        let message = format!(
            "for `{}` Azure DevOps says that policies {} apply, adolake finds {}",
            branch.name,
            ids(&theirs),
            ids(&ours)
        );
        items.push(Item::warning(item, branch.subject.as_str(), message).remedy(
            "look at the policies of the branch by hand, and report this with their scopes",
        ));
    }
    if fine > 0 {
        let message = format!(
            "Azure DevOps and adolake agree which policies apply to {}",
            counted(fine, "production branch")
        );
        items.insert(0, Item::ok(item, input.organization(), message));
    }
    Ok(items)
}

/// Returns the enabled policies that Azure DevOps applies to a branch; none where it does not say.
async fn applying(input: &Input<'_>, branch: &Branch) -> Option<BTreeSet<i64>> {
    let call = Call::project(&branch.project_id, &["git", "policy", "configurations"])
        .query("repositoryId", &branch.repository_id)
        .query("refName", &branch.ref_name);
    let client = input.source.client();
    let list = client.get_list::<Configuration>(call, Paging::Token { top: 1000 }).await.ok()?;
    let is_judged = |one: &Configuration| {
        let kind = one.kind.as_ref().and_then(|kind| kind.id.as_deref()).unwrap_or_default();
        JUDGED.contains(&kind) && one.is_enabled != Some(false) && one.is_deleted != Some(true)
    };
    Some(list.value.iter().filter(|one| is_judged(one)).filter_map(|one| one.id).collect())
}
