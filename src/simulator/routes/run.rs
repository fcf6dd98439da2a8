//! How a run of a pipeline is shown.

use super::Context;
use super::core::{Shown, write_project};
use super::git::encode;
use crate::simulator::json::Json;
use crate::simulator::random::{Commit, mix};
use crate::simulator::runs::{Presence, Run};
use crate::simulator::snapshot::SeenRun;
use crate::simulator::time::SECOND;

/// Writes a run as a whole object.
pub(super) fn write(context: &Context<'_>, json: &mut Json, seen: &SeenRun) {
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
pub(super) fn write_run(context: &Context<'_>, json: &mut Json, run: &Run) {
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
