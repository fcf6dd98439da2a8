//! Pipelines, and how long a project keeps their runs.

use super::Context;
use super::core::{Shown, write_project};
use crate::simulator::answer::Answer;
use crate::simulator::json::Json;

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

pub(super) fn definitions(context: &Context<'_>, project: usize, as_pipelines: bool) -> Answer {
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

pub(super) fn one_definition(
    context: &Context<'_>,
    project: usize,
    id: &str,
    as_pipeline: bool,
) -> Answer {
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

pub(super) fn retention(context: &Context<'_>, project: usize) -> Answer {
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
