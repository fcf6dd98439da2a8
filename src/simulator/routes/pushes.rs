//! Pushes to standing branches, and the question which pull requests a commit belongs to.

use serde_json::Value;

use super::core::Shown;
use super::git::{pushed, write_repository};
use super::{Context, Routed};
use crate::simulator::answer::Answer;
use crate::simulator::bulk::push_id;
use crate::simulator::json::Json;
use crate::simulator::life::What;
use crate::simulator::random::Commit;
use crate::simulator::time::Time;
use crate::simulator::world::{PushEntry, PushKind};

const NOTHING: &str = "0000000000000000000000000000000000000000";

/// One push as listed: branch, place in its log.
type Place = (usize, usize);

/// The pushes of a repository, newest first.
pub(crate) fn list(context: &Context<'_>, index: usize) -> Answer {
    let request = context.request;
    let world = context.world;
    let repository = &world.repositories[index];
    let mut times = [Time(i64::MIN), Time::NEVER];
    for (name, time) in ["fromDate", "toDate"].into_iter().zip(&mut times) {
        if let Some(text) = request.criterion(name) {
            match Time::parse(text) {
                Some(at) => *time = at,
                None => {
                    return Answer::bad_request(&format!(
                        "The value '{text}' is not valid for {name}."
                    ));
                }
            }
        }
    }
    let branches: Vec<usize> = match request.criterion("refName") {
        Some(name) => repository.branch(name).into_iter().collect(),
        None => (0..repository.branches.len()).collect(),
    };
    let (skip, top) = (request.skip(), request.top(100, 1_000));
    let to = times[1].min(context.now);
    let mut page: Vec<Place> = Vec::new();
    for branch in &branches {
        let log = &world.pushes[index][*branch];
        let from = log.partition_point(|entry| entry.at < times[0]);
        let until = log.partition_point(|entry| entry.at <= to);
        // No page reaches further back in one branch than this.
        page.extend((from..until.max(from)).rev().take(skip + top).map(|place| (*branch, place)));
    }
    if branches.len() > 1 {
        page.sort_by_key(|(branch, place)| {
            std::cmp::Reverse(world.pushes[index][*branch][*place].at)
        });
    }
    let page: Vec<Place> = page.into_iter().skip(skip).take(top).collect();
    let with_updates = request
        .criterion("includeRefUpdates")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Answer::list(page.into_iter(), |json, place| write(context, json, index, place, with_updates))
}

/// One push.
pub(crate) fn single(context: &Context<'_>, index: usize, number: &str) -> Answer {
    let world = context.world;
    for (branch, log) in world.pushes[index].iter().enumerate() {
        let wanted = |entry: &PushEntry| {
            number.parse() == Ok(push_id(world.start, entry.at)) && entry.at <= context.now
        };
        if let Some(place) = log.iter().position(wanted) {
            let mut json = Json::default();
            write(context, &mut json, index, (branch, place), true);
            return Answer::json(json.finish());
        }
    }
    Answer::not_found(
        "GitPushNotFoundException",
        &format!("TF401170: The push {number} does not exist."),
    )
}

fn write(
    context: &Context<'_>,
    json: &mut Json,
    index: usize,
    (branch, place): Place,
    with_updates: bool,
) {
    let world = context.world;
    let repository = &world.repositories[index];
    let log = &world.pushes[index][branch];
    let entry = &log[place];
    let by = match entry.kind {
        PushKind::Pull(position) => completer(context, position),
        _ => entry.by as usize,
    };
    let number = push_id(world.start, entry.at);
    json.object(|json| {
        if with_updates {
            json.key("refUpdates").array(|json| {
                json.object(|json| {
                    json.str("repositoryId", &repository.id)
                        .str("name", &format!("refs/heads/{}", repository.branches[branch].name));
                    let before =
                        place.checked_sub(1).and_then(|earlier| pushed(context, &log[earlier]));
                    for (name, commit) in
                        [("oldObjectId", before), ("newObjectId", pushed(context, entry))]
                    {
                        match commit {
                            Some(commit) => _ = json.commit(name, world.seed, commit),
                            None => _ = json.plain(name, &[NOTHING]),
                        }
                    }
                });
            });
        }
        write_repository(context, json.key("repository"), index, Shown::Full);
        world.people.get(by).write(json.key("pushedBy"));
        json.int("pushId", number).time("date", entry.at);
        json.str(
            "url",
            &format!("{}/_apis/git/repositories/{}/pushes/{number}", world.base, repository.id),
        );
    });
}

/// Who completed a pull request.
fn completer(context: &Context<'_>, position: u32) -> usize {
    let life = context.world.life(position);
    let by = life.events.iter().rev().find_map(|(_, what)| match what {
        What::Complete { by, .. } => Some(*by),
        _ => None,
    });
    by.unwrap_or(life.author)
}

/// Questions that are posted.
pub(crate) fn post(context: &Context<'_>, rest: &[&str]) -> Option<Routed> {
    match rest {
        ["git", "repositories", text, "pullrequestquery"] => {
            let answer = match context.repository(text) {
                Ok((index, _)) => query(context, index),
                Err(missing) => missing,
            };
            Some(("pull request query", answer))
        }
        _ => None,
    }
}

/// Which pull requests a commit belongs to.
fn query(context: &Context<'_>, index: usize) -> Answer {
    let Ok(body) = serde_json::from_slice::<Value>(&context.request.body) else {
        return Answer::bad_request("The body is not JSON.");
    };
    let queries = body["queries"].as_array().cloned().unwrap_or_default();
    Answer::object(|json| {
        json.key("queries")
            .array(|json| queries.iter().for_each(|query| json.raw(&query.to_string())));
        json.key("results").array(|json| {
            for query in &queries {
                let is_merge = query["type"]
                    .as_str()
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("lastMergeCommit"));
                json.object(|json| {
                    for sha in
                        query["items"].as_array().into_iter().flatten().filter_map(Value::as_str)
                    {
                        let found = pulls_of(context, index, sha, is_merge);
                        if let (false, true) =
                            (found.is_empty(), sha.bytes().all(|byte| byte.is_ascii_hexdigit()))
                        {
                            json.key(sha).array(|json| {
                                for position in found {
                                    let life = context.world.life(position);
                                    super::pulls::write(
                                        context,
                                        json,
                                        &life.at(context.now),
                                        super::pulls::Form::List,
                                    );
                                }
                            });
                        }
                    }
                });
            }
        });
    })
}

fn pulls_of(context: &Context<'_>, index: usize, sha: &str, is_merge: bool) -> Vec<u32> {
    let world = context.world;
    let number = match Commit::read(world.seed, sha) {
        Some(Commit::Landed(number) | Commit::Merge(number, _)) => number,
        Some(Commit::Source(number, _) | Commit::Extra(number, ..)) if !is_merge => number,
        // Commits that were pushed past their pull request are known by the push.
        Some(Commit::Direct(number)) => {
            let explained = world.examples.explained.iter().filter(|(own, _)| *own == number);
            let is_seen =
                |position: &u32| world.bulk.briefs[*position as usize].created <= context.now;
            return explained.map(|(_, position)| *position).filter(is_seen).collect();
        }
        _ => return Vec::new(),
    };
    let Some(position) = world.position(number) else { return Vec::new() };
    let brief = &world.bulk.briefs[position as usize];
    let is_here = usize::from(brief.repository) == index && brief.created <= context.now;
    let landed = Commit::read(world.seed, sha) == Some(Commit::Landed(number));
    let is_past = !landed || brief.closed <= context.now;
    if is_here && is_past { vec![position] } else { Vec::new() }
}
