//! The parts of one pull request: iterations, changes, commits, statuses, labels, reviewers.

use super::git::write_commit;
use super::pulls::{find, write_labels, write_reviewers};
use super::{Context, Routed, threads};
use crate::simulator::answer::Answer;
use crate::simulator::bulk::push_id;
use crate::simulator::json::Json;
use crate::simulator::life::{Iteration, View, What};
use crate::simulator::random::Commit;
use crate::simulator::time::{MINUTE, Time};

/// Addresses below one pull request.
pub(crate) fn answer(
    context: &Context<'_>,
    repository: usize,
    number: &str,
    rest: &[&str],
) -> Option<Routed> {
    let life = match find(context, Some(repository), number) {
        Ok(life) => life,
        Err(missing) => return Some(("missing pull request", missing)),
    };
    let view = life.at(context.now);
    let own = &context.world.repositories[repository];
    let project = &context.world.projects[own.project].id;
    let base = format!(
        "{}/{project}/_apis/git/repositories/{}/pullRequests/{number}",
        context.world.base, own.id
    );
    Some(match rest {
        ["threads"] => ("threads", threads::list(context, &view, &base)),
        ["iterations"] => ("iterations", iterations(context, &view, &base)),
        ["iterations", iteration, "changes"] => {
            ("iteration changes", changes(context, &view, iteration))
        }
        ["commits"] => ("pull request commits", commits(context, &view)),
        ["statuses"] => ("statuses", statuses(context, &view, &base)),
        ["labels"] => {
            let mut json = Json::default();
            json.object(|json| {
                json.int("count", i64::try_from(view.labels.len()).unwrap_or(0));
                write_labels(context, json.key("value"), &view);
            });
            ("labels", Answer::json(json.finish()))
        }
        ["reviewers"] => {
            let mut json = Json::default();
            json.object(|json| {
                json.int("count", i64::try_from(view.reviewers.len()).unwrap_or(0));
                write_reviewers(context, json.key("value"), &view, &base);
            });
            ("reviewers", Answer::json(json.finish()))
        }
        _ => return None,
    })
}

fn write_ref(context: &Context<'_>, json: &mut Json, name: &str, commit: Commit) {
    json.key(name).object(|json| _ = json.commit("commitId", context.world.seed, commit));
}

fn iterations(context: &Context<'_>, view: &View<'_>, base: &str) -> Answer {
    let (world, id) = (context.world, view.life.id);
    Answer::list(view.iterations.iter(), |json, iteration| {
        json.object(|json| {
            json.int("id", iteration.number);
            let text = if iteration.number == 1 { view.life.title.as_str() } else { "more work" };
            json.str("description", text);
            world.people.get(iteration.by).write(json.key("author"));
            json.time("createdDate", iteration.at)
                .time("updatedDate", iteration.at.plus(8_000_000));
            write_ref(context, json, "sourceRefCommit", Commit::Source(id, iteration.source));
            write_ref(context, json, "targetRefCommit", Commit::Base(id, iteration.number));
            write_ref(context, json, "commonRefCommit", Commit::Base(id, 0));
            json.bool("hasMoreCommits", false).plain("reason", &[iteration.reason]);
            if let Some((old, new)) = &iteration.retarget {
                json.str("oldTargetRefName", old).str("newTargetRefName", new);
            } else {
                json.key("push").object(|json| {
                    json.int("pushId", push_id(world.start, iteration.at))
                        .time("date", iteration.at);
                    world.people.get(iteration.by).write(json.key("pushedBy"));
                });
            }
            json.key("_links").object(|json| {
                json.key("self").object(|json| {
                    _ = json.str("href", &format!("{base}/iterations/{}", iteration.number))
                });
            });
        });
    })
}

fn changes(context: &Context<'_>, view: &View<'_>, iteration: &str) -> Answer {
    let Some(iteration) =
        iteration.parse::<u8>().ok().filter(|number| (1..=view.last()).contains(number))
    else {
        return Answer::not_found(
            "GitPullRequestIterationNotFoundException",
            "TF401398: The iteration does not exist.",
        );
    };
    let request = context.request;
    let against = request.number("$compareTo").unwrap_or(0);
    let all = &view.life.changes;
    // Against an earlier iteration only what came since: here, the last path.
    let start = if against == 0 || all.is_empty() { 0 } else { all.len() - 1 };
    let (skip, top) = (request.skip(), request.top(100, 2_000));
    let page: Vec<_> = all[start..].iter().enumerate().skip(skip).take(top).collect();
    let next = skip + page.len();
    let more = start + next < all.len();
    Answer::object(|json| {
        json.key("changeEntries").array(|json| {
            for (place, (path, kind, original)) in &page {
                let number = i64::try_from(place + 1).unwrap_or(1);
                let object = |topic| {
                    context
                        .world
                        .guid(topic, u64::from(view.life.id) * 64 + *place as u64)
                        .replace('-', "")
                        + "00000000"
                };
                json.object(|json| {
                    json.int("changeTrackingId", number).int("changeId", number);
                    json.key("item").object(|json| {
                        json.str("objectId", &object(63))
                            .str("originalObjectId", &object(64 + u64::from(iteration)));
                        json.str("path", path);
                    });
                    json.str("changeType", kind);
                    if let Some(original) = original {
                        json.str("originalPath", original);
                    }
                });
            }
        });
        json.int("nextSkip", if more { i64::try_from(next).unwrap_or(0) } else { 0 });
        json.int("nextTop", if more { i64::try_from(top).unwrap_or(0) } else { 0 });
    })
}

/// The commits of the source branch, newest first; a forced push takes the place of earlier ones.
fn commits(context: &Context<'_>, view: &View<'_>) -> Answer {
    let id = view.life.id;
    let mut found: Vec<(Commit, &Iteration, i64)> = Vec::new();
    for iteration in view.iterations.iter().filter(|iteration| iteration.retarget.is_none()) {
        if iteration.reason == "forcePush" {
            found.clear();
        }
        for earlier in 1..iteration.commits {
            found.push((
                Commit::Extra(id, iteration.number, earlier),
                iteration,
                i64::from(iteration.commits - earlier),
            ));
        }
        found.push((Commit::Source(id, iteration.number), iteration, 0));
    }
    found.reverse();
    let request = context.request;
    let from = match request.query("continuationToken") {
        None => 0,
        Some(token) => match token.parse::<usize>() {
            Ok(number) => number,
            Err(_) => return Answer::bad_request("The continuation token is not valid."),
        },
    };
    let page: Vec<_> = found.iter().skip(from).take(request.top(100, 1_000)).collect();
    let next = from + page.len();
    let token = (next < found.len()).then(|| next.to_string());
    let repository = view.life.fork.unwrap_or(view.life.repository);
    let answer = Answer::list(page.into_iter(), |json, (commit, iteration, back)| {
        let at = iteration.at.plus(-(back + 1) * 7 * MINUTE);
        json.object(|json| {
            write_commit(context, json, repository, *commit, iteration.author, at, "Work on it")
        });
    });
    answer.continued(token)
}

fn statuses(context: &Context<'_>, view: &View<'_>, base: &str) -> Answer {
    let world = context.world;
    let posted = view.past.iter().filter_map(|(at, what)| match what {
        What::Status { genre, name, state, iteration, by } => {
            Some((*at, genre, name, *state, *iteration, *by))
        }
        _ => None,
    });
    let deleted: Vec<_> = view
        .past
        .iter()
        .filter_map(|(at, what)| match what {
            What::Unpost { genre, name } => Some((*at, genre, name)),
            _ => None,
        })
        .collect();
    let is_left = |at: Time, genre: &Option<String>, name: &String| {
        !deleted.iter().any(|(end, of, named)| at <= *end && (*of, *named) == (genre, name))
    };
    // Numbers are not given again.
    let posted = posted.enumerate().filter(|(_, (at, genre, name, ..))| is_left(*at, genre, name));
    let posted: Vec<_> = posted.collect();
    Answer::list(posted.into_iter(), |json, (index, (at, genre, name, state, iteration, by))| {
        let number = i64::try_from(index + 1).unwrap_or(1);
        json.object(|json| {
            json.int("id", number);
            // The default state is left out.
            if state != "notSet" {
                json.plain("state", &[state]);
            }
            json.str("description", "See the report").key("context").object(|json| {
                json.str("name", name);
                match genre {
                    Some(genre) => _ = json.str("genre", genre),
                    None => _ = json.null("genre"),
                }
            });
            json.time("creationDate", at).time("updatedDate", at);
            world.people.get(by).write(json.key("createdBy"));
            if number % 3 == 0 {
                json.null("targetUrl");
            } else {
                json.str("targetUrl", "https://status.example/report?a=1&b=2");
            }
            if let Some(iteration) = iteration {
                json.int("iterationId", iteration);
            }
            json.key("_links").object(|json| {
                json.key("self")
                    .object(|json| _ = json.str("href", &format!("{base}/statuses/{number}")));
            });
        });
    })
}
