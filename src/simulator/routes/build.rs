//! Runs of pipelines, the pipelines themselves, and how long runs are kept.

use axum::http::StatusCode;

use super::definitions::{definitions, one_definition, retention};
use super::run::{write, write_run};
use super::{Context, Routed};
use crate::simulator::answer::Answer;
use crate::simulator::json::Json;
use crate::simulator::runs::Presence;
use crate::simulator::snapshot::SeenRun;
use crate::simulator::time::Time;
use crate::simulator::timeline;

/// Addresses of the build area.
pub(crate) fn answer(context: &Context<'_>, project: usize, rest: &[&str]) -> Option<Routed> {
    Some(match rest {
        ["build", "builds"] => ("builds", list(context, project)),
        ["build", "builds", id] => (
            "build",
            match find(context, project, id) {
                Some(seen) => {
                    let mut json = Json::with_capacity(4_096);
                    write(context, &mut json, seen);
                    Answer::json(json.finish())
                }
                None => gone(id),
            },
        ),
        ["build", "builds", id, "timeline", wanted @ ..] => (
            "timeline",
            match find(context, project, id) {
                Some(seen) if seen.presence == Presence::Live => {
                    timeline::answer(context, &seen.run, wanted.first().copied())
                        .unwrap_or_else(|| gone(id))
                }
                Some(_) => Answer::empty(StatusCode::NO_CONTENT),
                None => gone(id),
            },
        ),
        ["build", "builds", id, "leases"] => (
            "leases",
            match find(context, project, id) {
                Some(_) => Answer::list(std::iter::empty::<()>(), |_, ()| {}),
                None => gone(id),
            },
        ),
        ["build", "definitions"] => ("definitions", definitions(context, project, false)),
        ["build", "definitions", id] => ("definition", one_definition(context, project, id, false)),
        ["build", "retention"] => ("retention", retention(context, project)),
        ["build", "settings"] => (
            "build settings",
            Answer::object(|json| {
                let kept = context.world.projects[project].retention.deleted_runs;
                json.int("daysToKeepDeletedBuildsBeforeDestroy", kept);
                json.key("defaultRetentionPolicy")
                    .object(|json| _ = json.int("daysToKeep", 10_i64).int("minimumToKeep", 1_i64));
            }),
        ),
        _ => return None,
    })
}

/// Addresses of the pipelines area.
pub(crate) fn pipelines(context: &Context<'_>, project: usize, rest: &[&str]) -> Option<Routed> {
    Some(match rest {
        ["pipelines"] => ("pipelines", definitions(context, project, true)),
        ["pipelines", id] => ("pipeline", one_definition(context, project, id, true)),
        ["pipelines", id, "runs"] => ("pipeline runs", {
            let id = id.parse::<u32>().unwrap_or(0);
            let lists = &context.snapshot.projects[project];
            let wanted = |seen: &&SeenRun| {
                seen.presence == Presence::Live
                    && context.world.definitions[seen.run.definition].id == id
            };
            let mut found: Vec<&SeenRun> = lists.runs.iter().filter(wanted).collect();
            found.sort_by_key(|seen| std::cmp::Reverse(seen.run.queued));
            found.truncate(10_000);
            Answer::list(found.into_iter(), |json, seen| write_run(context, json, &seen.run))
        }),
        ["pipelines", _, "runs", id] => (
            "pipeline run",
            match find(context, project, id) {
                Some(seen) if seen.presence == Presence::Live => {
                    let mut json = Json::default();
                    write_run(context, &mut json, &seen.run);
                    Answer::json(json.finish())
                }
                _ => gone(id),
            },
        ),
        _ => return None,
    })
}

fn gone(id: &str) -> Answer {
    Answer::not_found(
        "BuildNotFoundException",
        &format!("The requested build {id} could not be found."),
    )
}

fn find<'a>(context: &Context<'a>, project: usize, id: &str) -> Option<&'a SeenRun> {
    context.snapshot.projects[project].run(id.parse().ok()?)
}

/// What a list of runs asks for.
struct Search<'a> {
    definitions: Option<Vec<u32>>,
    ids: Option<Vec<u32>>,
    status: &'a str,
    result: Option<&'a str>,
    reason: Option<&'a str>,
    branch: Option<&'a str>,
    repository: Option<usize>,
    live: bool,
    deleted: bool,
}

impl Search<'_> {
    fn fits(&self, context: &Context<'_>, seen: &SeenRun) -> bool {
        let run = &seen.run;
        let is_wanted = if seen.presence == Presence::Live { self.live } else { self.deleted };
        let state = run.state(context.now);
        let word = |wanted: &str, own: &str| {
            wanted.split(',').any(|one| {
                one.trim().eq_ignore_ascii_case(own) || one.trim().eq_ignore_ascii_case("all")
            })
        };
        let id = context.world.definitions[run.definition].id;
        is_wanted
            && self.definitions.as_ref().is_none_or(|wanted| wanted.contains(&id))
            && self.ids.as_ref().is_none_or(|wanted| wanted.contains(&run.id))
            && word(self.status, state.status)
            && self.result.is_none_or(|wanted| word(wanted, state.result.unwrap_or("none")))
            && self.reason.is_none_or(|wanted| word(wanted, run.reason))
            && self.branch.is_none_or(|wanted| run.branch == wanted)
            && self.repository.is_none_or(|wanted| run.repository == Some(wanted))
    }
}

fn numbers(text: Option<&str>) -> Option<Vec<u32>> {
    Some(text?.split(',').filter_map(|number| number.trim().parse().ok()).collect())
}

fn list(context: &Context<'_>, project: usize) -> Answer {
    let request = context.request;
    let mut times = [Time(i64::MIN), Time::NEVER];
    for (name, time) in ["minTime", "maxTime"].into_iter().zip(&mut times) {
        if let Some(text) = request.query(name) {
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
    let repository = match request.query("repositoryId") {
        None => None,
        Some(_) if request.query("repositoryType").is_none() => {
            return Answer::bad_request(
                "TF50309: A repository type must be given with a repository id.",
            );
        }
        Some(id) => match context.world.repository(None, id, context.now) {
            Some(index) => Some(index),
            None => return Answer::list(std::iter::empty::<()>(), |_, ()| {}),
        },
    };
    let deleted = request.query("deletedFilter").unwrap_or("excludeDeleted").to_ascii_lowercase();
    let search = Search {
        definitions: numbers(request.query("definitions")),
        ids: numbers(request.query("buildIds")),
        status: request.query("statusFilter").unwrap_or("all"),
        result: request.query("resultFilter"),
        reason: request.query("reasonFilter"),
        branch: request.query("branchName"),
        repository,
        live: deleted != "onlydeleted",
        deleted: deleted != "excludedeleted",
    };
    let order = request.query("queryOrder").unwrap_or("queueTimeDescending").to_ascii_lowercase();
    let key = |seen: &SeenRun| match order.as_str() {
        text if text.starts_with("finish") => seen.finish,
        text if text.starts_with("start") => seen.run.state(context.now).start,
        _ => Some(seen.run.queued),
    };
    let is_bounded = times != [Time(i64::MIN), Time::NEVER];
    let all = &context.snapshot.projects[project].runs;
    // Lists by finish are stored in that order; the others are sorted when asked for.
    let by_finish = order.starts_with("finish");
    let cut = if by_finish && is_bounded {
        let from = all.partition_point(|seen| seen.finish.is_some_and(|at| at < times[0]));
        let to = all.partition_point(|seen| seen.finish.is_some_and(|at| at <= times[1]));
        &all[from..to.max(from)]
    } else {
        &all[..]
    };
    let is_within = |seen: &&SeenRun| {
        !is_bounded || key(seen).is_some_and(|at| times[0] <= at && at <= times[1])
    };
    let mut found: Vec<&SeenRun> =
        cut.iter().filter(is_within).filter(|seen| search.fits(context, seen)).collect();
    let place = |seen: &SeenRun| (key(seen).unwrap_or(Time::NEVER), seen.run.id);
    if !by_finish {
        found.sort_by_key(|seen| place(seen));
    }
    if order.ends_with("descending") {
        found.reverse();
    }
    let start = match request.query("continuationToken") {
        None => 0,
        Some(token) => {
            let read = |token: &str| {
                let (time, id) = token.split_once('/')?;
                Some((
                    if time == "open" { Time::NEVER } else { Time::parse(time)? },
                    id.parse::<u32>().ok()?,
                ))
            };
            let Some(at) = read(token) else {
                return Answer::bad_request("The continuation token is not valid.");
            };
            found.partition_point(|seen| {
                if order.ends_with("descending") { place(seen) > at } else { place(seen) < at }
            })
        }
    };
    let top = request.top(1_000, 5_000);
    let rest = &found[start.min(found.len())..];
    let token = rest.get(top).map(|seen| {
        let (at, id) = place(seen);
        if at == Time::NEVER { format!("open/{id}") } else { format!("{at}/{id}") }
    });
    Answer::list(rest.iter().take(top), |json, seen| write(context, json, seen)).continued(token)
}
