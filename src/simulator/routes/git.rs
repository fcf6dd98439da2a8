//! Repositories, refs, commits; everything below a repository is found from here.

use super::core::{Shown, write_project};
use super::{Context, Routed, policy, pull_parts, pulls, pushes};
use crate::simulator::answer::Answer;
use crate::simulator::json::Json;
use crate::simulator::random::Commit;
use crate::simulator::time::{DAY, Time};
use crate::simulator::world::{PushEntry, PushKind};

/// Addresses of the git area.
pub(crate) fn answer(context: &Context<'_>, rest: &[&str]) -> Option<Routed> {
    Some(match rest {
        ["git", "repositories"] => ("repositories", repositories(context)),
        ["git", "deletedrepositories"] => ("deleted repositories", deleted(context)),
        ["git", "recyclebin", "repositories"] => ("recycle bin", deleted(context)),
        ["git", "policy", "configurations"] => ("effective policies", policy::effective(context)),
        ["git", "pullrequests"] => ("pull requests", pulls::list(context, None)),
        ["git", "pullrequests", number] => ("pull request", pulls::single(context, None, number)),
        ["git", "repositories", text] => ("repository", repository(context, text)),
        ["git", "repositories", text, rest @ ..] => {
            let index = match context.repository(text) {
                Ok((index, _)) => index,
                Err(missing) => return Some(("unreadable repository", missing)),
            };
            return below(context, index, rest);
        }
        _ => return None,
    })
}

/// Addresses below one repository.
fn below(context: &Context<'_>, index: usize, rest: &[&str]) -> Option<Routed> {
    Some(match rest {
        ["refs"] => ("refs", refs(context, index, "")),
        ["refs", start @ ..] => ("refs", refs(context, index, &start.join("/"))),
        ["pushes"] => ("pushes", pushes::list(context, index)),
        ["pushes", number] => ("push", pushes::single(context, index, number)),
        ["commits"] => ("commits", commits(context, index)),
        ["commits", sha] => ("commit", commit(context, index, sha)),
        ["commits", _, "statuses"] => {
            ("commit statuses", Answer::list(std::iter::empty::<()>(), |_, ()| {}))
        }
        ["diffs", "commits"] => ("diffs", diffs(context, index)),
        ["pullrequests"] => ("pull requests", pulls::list(context, Some(index))),
        ["pullrequests", number] => ("pull request", pulls::single(context, Some(index), number)),
        ["pullrequests", number, rest @ ..] => {
            return pull_parts::answer(context, index, number, rest);
        }
        _ => return None,
    })
}

/// Writes a repository as a whole object.
pub(crate) fn write_repository(context: &Context<'_>, json: &mut Json, index: usize, shown: Shown) {
    let world = context.world;
    let repository = &world.repositories[index];
    let project = &world.projects[repository.project];
    let name = repository.name(context.now);
    json.object(|json| {
        json.plain("id", &[&repository.id]).str("name", name);
        json.plain(
            "url",
            &[&world.base, "/", &project.id, "/_apis/git/repositories/", &repository.id],
        );
        write_project(context, json.key("project"), repository.project, shown);
        if shown == Shown::Stub {
            return;
        }
        if let Some(default) = repository.default_ref() {
            json.str("defaultBranch", &default);
        }
        json.int(
            "size",
            if repository.default.is_some() { 1_048_576 + index as i64 * 77_777 } else { 0 },
        );
        let web = format!("{}/{}/_git/{}", world.base, encode(&project.name), encode(name));
        json.str("remoteUrl", &web);
        json.str(
            "sshUrl",
            &format!(
                "git@ssh.dev.azure.com:v3/{}/{}/{}",
                world.organization,
                encode(&project.name),
                encode(name)
            ),
        );
        json.str("webUrl", &web);
        if let Some(parent) = repository.parent {
            json.bool("isFork", true);
            json.key("parentRepository").object(|json| {
                let own = &world.repositories[parent];
                json.str("id", &own.id).str("name", own.name(context.now)).bool("isFork", false);
                json.str("url", &format!("{}/_apis/git/repositories/{}", world.base, own.id));
                write_project(context, json.key("project"), own.project, Shown::Stub);
            });
        }
        json.bool("isDisabled", repository.is_disabled(context.now)).bool("isInMaintenance", false);
    });
}

/// Percent-encodes a path segment.
pub(crate) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn repositories(context: &Context<'_>) -> Answer {
    let world = context.world;
    let found: Vec<usize> = (0..world.repositories.len())
        .filter(|index| {
            let own = &world.repositories[*index];
            own.exists(context.now) && context.project.is_none_or(|project| project == own.project)
        })
        .collect();
    Answer::list(found.into_iter(), |json, index| {
        write_repository(context, json, index, Shown::Full)
    })
}

fn repository(context: &Context<'_>, text: &str) -> Answer {
    let Some(index) = context.world.repository(context.project, text, context.now) else {
        let message = format!(
            "TF401019: The Git repository with name or identifier {text} does not exist or you do not have permissions for the operation you are attempting."
        );
        return Answer::not_found("GitRepositoryNotFoundException", &message);
    };
    let mut json = Json::default();
    write_repository(context, &mut json, index, Shown::Full);
    Answer::json(json.finish())
}

fn deleted(context: &Context<'_>) -> Answer {
    let world = context.world;
    let gone = world.repositories.iter().filter(|own| Some(own.project) == context.project);
    let gone: Vec<_> = gone
        .filter_map(|own| own.deleted.filter(|at| *at <= context.now).map(|at| (own, at)))
        .collect();
    Answer::list(gone.into_iter(), |json, (own, at)| {
        json.object(|json| {
            json.str("id", &own.id).str("name", own.name(context.now));
            write_project(context, json.key("project"), own.project, Shown::Full);
            world.people.get(world.people.authors[0]).write(json.key("deletedBy"));
            json.time("createdDate", own.created).time("deletedDate", at);
        });
    })
}

/// The commit a push left on its branch; none for a deletion.
pub(crate) fn pushed(context: &Context<'_>, entry: &PushEntry) -> Option<Commit> {
    match entry.kind {
        PushKind::Pull(position) => Some(Commit::Landed(context.world.number(position))),
        PushKind::Delete => None,
        PushKind::Direct | PushKind::Force | PushKind::Create => Some(Commit::Direct(entry.number)),
    }
}

/// All heads of a repository: short name, commit, locked, creator.
fn heads(context: &Context<'_>, index: usize) -> Vec<(String, Commit, bool, usize)> {
    let world = context.world;
    let repository = &world.repositories[index];
    let mut found = Vec::new();
    for (place, branch) in repository.branches.iter().enumerate() {
        let log = &world.pushes[index][place];
        let past = log.partition_point(|entry| entry.at <= context.now);
        let head = log[..past].last().and_then(|entry| pushed(context, entry));
        let is_deleted = branch.deleted.is_some_and(|at| at <= context.now);
        if let Some(commit) = head.filter(|_| !is_deleted) {
            found.push((
                branch.name.clone(),
                commit,
                branch.is_locked,
                world.people.authors[index % world.people.authors.len()],
            ));
        }
    }
    for position in &context.snapshot.projects[repository.project].active {
        if usize::from(world.bulk.briefs[*position as usize].repository) == index {
            let life = world.life(*position);
            let view = life.at(context.now);
            if let (Some(name), None) = (life.source.strip_prefix("refs/heads/"), life.fork) {
                found.push((name.to_owned(), view.source_commit(), false, life.author));
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found.dedup_by(|one, other| one.0 == other.0);
    found
}

/// Refs whose name after `refs/` starts with the filter.
fn refs(context: &Context<'_>, index: usize, start: &str) -> Answer {
    let (world, request) = (context.world, context.request);
    let filter = request.query("filter").unwrap_or(start).to_owned();
    let contains = request.query("filterContains").unwrap_or("");
    let found: Vec<_> = heads(context, index)
        .into_iter()
        .map(|(name, commit, is_locked, creator)| {
            (format!("heads/{name}"), commit, is_locked, creator)
        })
        .filter(|(name, ..)| name.starts_with(&filter) && name.contains(contains))
        .collect();
    let is_paged = request.number("$top").is_some() || request.query("continuationToken").is_some();
    let top = if is_paged { request.top(100, 1_000) } else { found.len() };
    let token = request.query("continuationToken").unwrap_or("");
    let from = percent_encoding::percent_decode_str(token).decode_utf8_lossy().into_owned();
    let mut rest = found.into_iter().skip_while(|(name, ..)| *name < from).peekable();
    let page: Vec<_> = rest.by_ref().take(top).collect();
    let token = rest.peek().map(|(name, ..)| name.clone());
    let repository = &world.repositories[index];
    let answer = Answer::list(page.into_iter(), |json, (name, commit, is_locked, creator)| {
        json.object(|json| {
            json.str("name", &format!("refs/{name}")).commit("objectId", world.seed, commit);
            world.people.get(creator).write(json.key("creator"));
            if is_locked {
                json.bool("isLocked", true);
                world.people.get(world.people.authors[0]).write(json.key("isLockedBy"));
            }
            json.str(
                "url",
                &format!(
                    "{}/_apis/git/repositories/{}/refs?filter={}",
                    world.base,
                    repository.id,
                    encode(&name)
                ),
            );
        });
    });
    answer.continued(token.map(|name| encode(&name)))
}

/// Writes the git data of a commit into the open object.
pub(crate) fn write_commit(
    context: &Context<'_>,
    json: &mut Json,
    repository: usize,
    commit: Commit,
    author: usize,
    at: Time,
    comment: &str,
) {
    let world = context.world;
    let person = world.people.get(author);
    json.commit("commitId", world.seed, commit);
    for role in ["author", "committer"] {
        json.key(role).object(|json| {
            json.str("name", &person.name)
                .str("email", &person.unique_name)
                .time("date", Time(at.0 - at.0 % 10_000_000));
        });
    }
    json.str("comment", comment);
    let sha = commit.sha(world.seed);
    json.str(
        "url",
        &format!(
            "{}/_apis/git/repositories/{}/commits/{sha}",
            world.base, world.repositories[repository].id
        ),
    );
}

fn commits(context: &Context<'_>, index: usize) -> Answer {
    let world = context.world;
    let repository = &world.repositories[index];
    let name = context.request.criterion("itemVersion.version").map_or_else(
        || repository.default_ref().unwrap_or_default(),
        |name| format!("refs/heads/{name}"),
    );
    let log = repository.branch(&name).map_or(&[][..], |place| &world.pushes[index][place]);
    let past = &log[..log.partition_point(|entry| entry.at <= context.now)];
    let found: Vec<_> =
        past.iter().rev().filter_map(|entry| Some((pushed(context, entry)?, entry.at))).collect();
    Answer::page(context.request, found, 100, 1_000, |json, (commit, at)| {
        json.object(|json| {
            write_commit(context, json, index, commit, world.people.authors[0], at, "Merged")
        });
    })
}

fn commit(context: &Context<'_>, index: usize, sha: &str) -> Answer {
    match Commit::read(context.world.seed, sha) {
        Some(commit) => {
            let author = context.world.people.authors[0];
            Answer::object(|json| {
                write_commit(
                    context,
                    json,
                    index,
                    commit,
                    author,
                    context.world.start.plus(-DAY),
                    "A commit",
                );
                json.key("parents").array(|_| {});
            })
        }
        None => Answer::not_found(
            "GitUnresolvableToCommitException",
            &format!(
                "TF401175: The version descriptor <Commit: {sha} > could not be resolved to a version in the repository."
            ),
        ),
    }
}

/// How two commits of a standing branch relate; only a forced push leaves the old one behind.
fn diffs(context: &Context<'_>, index: usize) -> Answer {
    let (world, request) = (context.world, context.request);
    let (Some(base), Some(target)) = (
        request.query("baseVersion").or_else(|| request.query("baseVersionDescriptor.version")),
        request.query("targetVersion").or_else(|| request.query("targetVersionDescriptor.version")),
    ) else {
        return Answer::bad_request("baseVersion and targetVersion must be given.");
    };
    let find = |sha: &str| {
        let commit = Commit::read(world.seed, sha)?;
        world.pushes[index].iter().find_map(|log| {
            let place = log.iter().position(|entry| {
                entry.at <= context.now && pushed(context, entry) == Some(commit)
            })?;
            Some((log, place))
        })
    };
    let (Some((log, from)), Some((other, to))) = (find(base), find(target)) else {
        return Answer::not_found(
            "GitUnresolvableToCommitException",
            "TF401175: The version descriptor could not be resolved to a version in the repository.",
        );
    };
    let is_same = std::ptr::eq(log, other);
    let forced = is_same
        && from < to
        && log[from + 1..=to].iter().any(|entry| entry.kind == PushKind::Force);
    let (ahead, behind) = match (is_same, from <= to) {
        (true, true) => (to - from, usize::from(forced)),
        (true, false) => (0, from - to),
        (false, _) => (1, 1),
    };
    Answer::object(|json| {
        json.bool("allChangesIncluded", true)
            .key("changeCounts")
            .object(|json| _ = json.int("Edit", 1_i64));
        json.key("changes").array(|_| {});
        if behind > 0 {
            let earlier = log[..from.min(to)].iter().rev().find_map(|entry| pushed(context, entry));
            json.commit("commonCommit", world.seed, earlier.unwrap_or(Commit::Direct(0)));
        } else {
            json.str("commonCommit", base);
        }
        json.str("baseCommit", base).str("targetCommit", target);
        json.int("aheadCount", i64::try_from(ahead.max(1)).unwrap_or(1))
            .int("behindCount", i64::try_from(behind).unwrap_or(0));
    })
}
