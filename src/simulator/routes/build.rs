//! Runs of pipelines, the pipelines themselves, and how long runs are kept.

use axum::http::StatusCode;

use super::core::{Shown, write_project};
use super::{Context, Routed};
use crate::simulator::answer::Answer;
use crate::simulator::json::Json;
use crate::simulator::random::{Commit, mix};
use crate::simulator::runs::{Presence, Run};
use crate::simulator::snapshot::SeenRun;
use crate::simulator::time::{SECOND, Time};
use crate::simulator::{routes::git::encode, timeline};

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
        ["build", "builds", id, "timeline", ..] => (
            "timeline",
            match find(context, project, id) {
                Some(seen) if seen.presence == Presence::Live => {
                    timeline::answer(context, &seen.run)
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
    let id: u32 = id.parse().ok()?;
    context.snapshot.projects[project].runs.iter().find(|seen| seen.run.id == id)
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

/// Writes a run as a whole object.
fn write(context: &Context<'_>, json: &mut Json, seen: &SeenRun) {
    let world = context.world;
    let run = &seen.run;
    let pipeline = &world.definitions[run.definition];
    let project = &world.projects[pipeline.project];
    let (name, revision) = pipeline.name(run.queued);
    let state = run.state(context.now);
    let base = format!("{}/{}/_apis/build", world.base, project.id);
    json.object(|json| {
        json.key("_links").object(|json| {
            json.key("self")
                .object(|json| _ = json.str("href", &format!("{base}/Builds/{}", run.id)));
            let web = format!(
                "{}/{}/_build/results?buildId={}",
                world.base,
                encode(&project.name),
                run.id
            );
            json.key("web").object(|json| _ = json.str("href", &web));
        });
        json.key("properties").object(|_| {});
        json.key("tags").array(|_| {});
        json.key("validationResults").array(|_| {});
        json.key("plans").array(|json| {
            json.object(|json| _ = json.str("planId", &world.guid(81, u64::from(run.id))));
        });
        write_trigger(json, run);
        json.int("id", run.id).str("buildNumber", &format!("{}.{}", run.queued.day(), run.id % 40));
        json.plain("status", &[state.status]);
        if let Some(result) = state.result {
            json.plain("result", &[result]);
        }
        json.time("queueTime", run.queued);
        if let Some(at) = state.start {
            json.time("startTime", at);
        }
        if let Some(at) = state.finish {
            json.time("finishTime", at);
        }
        json.str("url", &format!("{base}/Builds/{}", run.id));
        json.key("definition").object(|json| {
            json.key("drafts").array(|_| {});
            json.int("id", pipeline.id)
                .str("name", name)
                .str("url", &format!("{base}/Definitions/{}?revision={revision}", pipeline.id));
            json.str("uri", &format!("vstfs:///Build/Definition/{}", pipeline.id))
                .str("path", &pipeline.folder);
            json.plain("type", &["build"])
                .plain("queueStatus", &["enabled"])
                .int("revision", revision);
            write_project(context, json.key("project"), pipeline.project, Shown::Full);
        });
        json.int("buildNumberRevision", run.id % 40);
        write_project(context, json.key("project"), pipeline.project, Shown::Full);
        json.str("uri", &format!("vstfs:///Build/Build/{}", run.id))
            .str("sourceBranch", &run.branch);
        json.commit("sourceVersion", world.seed, run.commit);
        json.plain("priority", &["normal"]).plain("reason", &[run.reason]);
        world.people.get(run.by).write(json.key("requestedFor"));
        world.people.get(project.build_service).write(json.key("requestedBy"));
        json.time("lastChangedDate", state.finish.unwrap_or(run.queued).plus(SECOND));
        write_parameters(context, json, run);
        json.key("repository").object(|json| match run.repository {
            Some(index) => {
                let own = &world.repositories[index];
                json.str("id", &own.id)
                    .plain("type", &["TfsGit"])
                    .null("clean")
                    .bool("checkoutSubmodules", false);
            }
            None => {
                _ = json
                    .str("id", "contoso/mirror")
                    .plain("type", &["GitHub"])
                    .null("clean")
                    .bool("checkoutSubmodules", false)
            }
        });
        json.bool("retainedByRelease", false);
        if let Presence::Deleted(at) = seen.presence {
            json.bool("deleted", true)
                .time("deletedDate", at)
                .str("deletedReason", "Retention Policy");
        }
    });
}

/// What set a run off.
fn write_trigger(json: &mut Json, run: &Run) {
    json.key("triggerInfo").object(|json| {
        let Some((number, _)) = run.pull.filter(|_| run.reason == "pullRequest") else { return };
        json.str("pr.number", &number.to_string()).str("pr.isFork", "False");
        if let Some(index) = run.repository {
            json.str("pr.triggerRepository", &format!("{index}"))
                .str("pr.triggerRepository.Type", "TfsGit");
        } else {
            json.str("pr.sourceSha", &format!("{:040x}", mix(u64::from(run.id))))
                .str("pr.sourceBranch", "patch-1");
            json.str("pr.id", &format!("{}", 900_000_000 + run.id % 1_000_000))
                .str("pr.title", "Typo <fix>");
            json.str("pr.draft", "False")
                .str("pr.providerId", "github")
                .str("pr.autoCancel", "true");
        }
    });
}

/// The JSON text that tells which pull request, iteration and source commit a run is about.
fn write_parameters(context: &Context<'_>, json: &mut Json, run: &Run) {
    let world = context.world;
    let Some((number, iteration)) = run.pull else { return };
    let mut inner = Json::default();
    let Some(index) = run.repository else {
        inner.object(|json| {
            json.str(
                "system.pullRequest.pullRequestId",
                &format!("{}", 900_000_000 + run.id % 1_000_000),
            );
            json.str("system.pullRequest.pullRequestNumber", &number.to_string());
            json.str("system.pullRequest.sourceBranch", "patch-1")
                .str("system.pullRequest.targetBranch", "main");
        });
        json.str("parameters", &inner.finish());
        return;
    };
    let Some(position) = world.position(number) else { return };
    let life = world.life(position);
    let view = life.at(run.queued.max(life.created()));
    let source = view
        .iterations
        .iter()
        .find(|own| own.number == iteration)
        .map_or(iteration, |own| own.source);
    let own = &world.repositories[index];
    inner.object(|json| {
        json.str("system.pullRequest.pullRequestId", &number.to_string())
            .str("system.pullRequest.sourceBranch", &life.source);
        json.str("system.pullRequest.targetBranch", &view.target);
        json.commit(
            "system.pullRequest.sourceCommitId",
            world.seed,
            Commit::Source(number, source),
        );
        let uri = format!(
            "{}/{}/_git/{}",
            world.base,
            encode(&world.projects[own.project].name),
            encode(own.name(run.queued))
        );
        json.str("system.pullRequest.sourceRepositoryUri", &uri);
        json.str("system.pullRequest.pullRequestIteration", &iteration.to_string());
    });
    json.str("parameters", &inner.finish());
}

/// Writes a run as the pipelines area shows it.
fn write_run(context: &Context<'_>, json: &mut Json, run: &Run) {
    let world = context.world;
    let pipeline = &world.definitions[run.definition];
    let state = run.state(context.now);
    let base = format!(
        "{}/{}/_apis/pipelines/{}",
        world.base, world.projects[pipeline.project].id, pipeline.id
    );
    json.object(|json| {
        json.key("pipeline").object(|json| {
            json.str("url", &base)
                .int("id", pipeline.id)
                .int("revision", pipeline.name(run.queued).1);
            json.str("name", pipeline.name(run.queued).0).str("folder", &pipeline.folder);
        });
        json.plain(
            "state",
            &[if state.status == "completed" { "completed" } else { "inProgress" }],
        );
        if let Some(result) = state.result {
            json.plain(
                "result",
                &[if result == "partiallySucceeded" { "succeeded" } else { result }],
            );
        }
        json.time("createdDate", run.queued);
        if let Some(at) = state.finish {
            json.time("finishedDate", at);
        }
        json.str("url", &format!("{base}/runs/{}", run.id))
            .int("id", run.id)
            .str("name", &format!("{}.{}", run.queued.day(), run.id % 40));
    });
}

fn write_definition(context: &Context<'_>, json: &mut Json, index: usize, as_pipeline: bool) {
    let world = context.world;
    let pipeline = &world.definitions[index];
    let (name, revision) = pipeline.name(context.now);
    let base = format!("{}/{}/_apis", world.base, world.projects[pipeline.project].id);
    json.object(|json| {
        if as_pipeline {
            json.str("url", &format!("{base}/pipelines/{}?revision={revision}", pipeline.id))
                .int("id", pipeline.id);
            json.int("revision", revision).str("name", name).str("folder", &pipeline.folder);
            return;
        }
        json.int("id", pipeline.id)
            .str("name", name)
            .str("path", &pipeline.folder)
            .int("revision", revision);
        json.str("url", &format!("{base}/build/Definitions/{}?revision={revision}", pipeline.id));
        json.str("uri", &format!("vstfs:///Build/Definition/{}", pipeline.id));
        json.plain("type", &["build"])
            .plain("queueStatus", &["enabled"])
            .plain("quality", &["definition"]);
        let changed = pipeline.names.iter().rev().find(|(at, _)| *at <= context.now);
        json.time("createdDate", changed.map_or(pipeline.created, |(at, _)| *at));
        write_project(context, json.key("project"), pipeline.project, Shown::Full);
        world.people.get(world.people.authors[0]).write(json.key("authoredBy"));
        if context.request.flag("includeAllProperties") {
            json.key("process").object(|json| {
                _ = json.str("yamlFilename", "azure-pipelines.yml").int("type", 2_i64)
            });
            json.key("repository").object(|json| match pipeline.repository {
                Some(index) => {
                    _ = json.str("id", &world.repositories[index].id).plain("type", &["TfsGit"])
                }
                None => _ = json.str("id", "contoso/mirror").plain("type", &["GitHub"]),
            });
        }
    });
}

fn definitions(context: &Context<'_>, project: usize, as_pipelines: bool) -> Answer {
    let (world, request) = (context.world, context.request);
    let seen = |index: &usize| {
        let own = &world.definitions[*index];
        own.project == project
            && own.created <= context.now
            && own.deleted.is_none_or(|at| at > context.now)
    };
    let all: Vec<usize> = (0..world.definitions.len()).filter(seen).collect();
    let from: usize = match request.query("continuationToken").map(str::parse) {
        None => 0,
        Some(Ok(number)) => number,
        Some(Err(_)) => return Answer::bad_request("The continuation token is not valid."),
    };
    let page: Vec<usize> =
        all.iter().copied().skip(from).take(request.top(10_000, 10_000)).collect();
    let next = from + page.len();
    let token = (next < all.len()).then(|| next.to_string());
    Answer::list(page.into_iter(), |json, index| {
        write_definition(context, json, index, as_pipelines)
    })
    .continued(token)
}

fn one_definition(context: &Context<'_>, project: usize, id: &str, as_pipeline: bool) -> Answer {
    let found = context
        .world
        .definitions
        .iter()
        .position(|own| own.project == project && id.parse() == Ok(own.id));
    match found {
        Some(index) => {
            let mut json = Json::default();
            write_definition(context, &mut json, index, as_pipeline);
            Answer::json(json.finish())
        }
        None => Answer::not_found(
            "DefinitionNotFoundException",
            &format!("Build definition {id} not found."),
        ),
    }
}

fn retention(context: &Context<'_>, project: usize) -> Answer {
    let own = context.world.projects[project].retention;
    Answer::object(|json| {
        for (name, min, max, value) in [
            ("purgeArtifacts", 1, 60, own.runs),
            ("purgePullRequestRuns", 1, 30, own.pull_request_runs),
            ("purgeRuns", 30, 731, own.runs),
            ("retainRunsPerProtectedBranch", 0, 50, 3),
        ] {
            json.key(name)
                .object(|json| _ = json.int("min", min).int("max", max).int("value", value));
        }
    })
}
