//! Policy types, configurations with their revisions, effective policies, evaluations.

use super::{Context, Routed};
use crate::simulator::answer::Answer;
use crate::simulator::json::Json;
use crate::simulator::life::{View, What};
use crate::simulator::policies::{Policy, Revision, kind};
use crate::simulator::random::Commit;
use crate::simulator::runs::Run;
use crate::simulator::time::{MINUTE, SECOND, Time};

/// Addresses of the policy area.
pub(crate) fn answer(context: &Context<'_>, project: usize, rest: &[&str]) -> Option<Routed> {
    Some(match rest {
        ["policy", "types"] => ("policy types", types(context, project)),
        ["policy", "configurations"] => ("policy configurations", configurations(context, project)),
        ["policy", "configurations", id] => ("policy configuration", single(context, project, id)),
        ["policy", "configurations", id, "revisions"] => {
            ("policy revisions", revisions(context, project, id))
        }
        ["policy", "evaluations"] => ("policy evaluations", evaluations(context, project)),
        _ => return None,
    })
}

fn types(context: &Context<'_>, project: usize) -> Answer {
    let (base, id) = (&context.world.base, &context.world.projects[project].id);
    Answer::list(kind::ALL.iter(), |json, (type_id, name)| {
        json.object(|json| {
            json.str("description", "A policy").str("id", type_id).str("displayName", name);
            json.str("url", &format!("{base}/{id}/_apis/policy/types/{type_id}"));
        });
    })
}

/// Writes one state of a policy as a whole object.
fn write(
    context: &Context<'_>,
    json: &mut Json,
    policy: &Policy,
    number: usize,
    revision: &Revision,
) {
    let world = context.world;
    let project = &world.projects[policy.project].id;
    let own = format!("{}/{project}/_apis/policy/configurations/{}", world.base, policy.id);
    let kind_url = format!("{}/{project}/_apis/policy/types/{}", world.base, policy.kind.0);
    json.object(|json| {
        world.people.get(revision.by).write(json.key("createdBy"));
        json.time("createdDate", revision.at);
        json.bool("isEnabled", revision.is_enabled)
            .bool("isBlocking", revision.is_blocking)
            .bool("isDeleted", false);
        json.key("settings").object(|json| {
            json.members(&revision.settings);
            json.key("scope").array(|json| {
                for scope in &revision.scope {
                    json.object(|json| {
                        match scope.repository {
                            Some(index) => {
                                _ = json.str("repositoryId", &world.repositories[index].id)
                            }
                            None => _ = json.null("repositoryId"),
                        }
                        if let Some(name) = &scope.ref_name {
                            json.str("refName", name);
                        } else if scope.match_kind.is_some() {
                            json.null("refName");
                        }
                        if let Some(kind) = scope.match_kind {
                            json.str("matchKind", kind);
                        }
                    });
                }
            });
        });
        json.bool("isEnterpriseManaged", false).key("_links").object(|json| {
            json.key("self").object(|json| _ = json.str("href", &own));
            json.key("policyType").object(|json| _ = json.str("href", &kind_url));
        });
        json.int("revision", i64::try_from(number).unwrap_or(1))
            .int("id", policy.id)
            .str("url", &own);
        json.key("type").object(|json| {
            json.str("id", policy.kind.0).str("url", &kind_url).str("displayName", policy.kind.1);
        });
    });
}

/// A page of policies that starts at the id in the token.
fn page<'a>(context: &Context<'_>, found: impl Iterator<Item = &'a Policy>) -> Answer {
    let request = context.request;
    let from = match request.query("continuationToken") {
        None => 0,
        Some(token) => match token.parse::<u32>() {
            Ok(number) => number,
            Err(_) => return Answer::bad_request("The continuation token is not valid."),
        },
    };
    let mut wanted: Vec<&Policy> = found
        .filter(|policy| policy.id >= from)
        .filter(|policy| {
            request.query("policyType").is_none_or(|kind| kind.eq_ignore_ascii_case(policy.kind.0))
        })
        .collect();
    let top = request.top(100, 1_000);
    let token = wanted.get(top).map(|policy| policy.id.to_string());
    wanted.truncate(top);
    let answer = Answer::list(wanted.into_iter(), |json, policy| {
        if let Some((number, revision)) = policy.at(context.now) {
            write(context, json, policy, number, revision);
        }
    });
    answer.continued(token)
}

fn configurations(context: &Context<'_>, project: usize) -> Answer {
    let policies = &context.world.policies;
    page(
        context,
        policies
            .iter()
            .filter(|policy| policy.project == project && policy.at(context.now).is_some()),
    )
}

/// The policies that apply to one branch.
pub(crate) fn effective(context: &Context<'_>) -> Answer {
    let (request, world) = (context.request, context.world);
    // With a repository alone the answer is empty, as users found.
    let (Some(id), Some(ref_name)) = (request.query("repositoryId"), request.query("refName"))
    else {
        return Answer::list(std::iter::empty::<()>(), |_, ()| {});
    };
    match world.repository(context.project, id, context.now) {
        Some(index) => page(context, world.policies_of(index, ref_name, context.now)),
        None => Answer::list(std::iter::empty::<()>(), |_, ()| {}),
    }
}

fn find<'a>(context: &Context<'a>, project: usize, id: &str) -> Result<&'a Policy, Answer> {
    let found = context
        .world
        .policies
        .iter()
        .find(|policy| policy.project == project && id.parse() == Ok(policy.id));
    found.filter(|policy| policy.revisions[0].at <= context.now).ok_or_else(|| {
        let message = format!("TF402446: The policy configuration with id {id} does not exist or you do not have permission to view it.");
        Answer::not_found("PolicyConfigurationNotFoundException", &message)
    })
}

fn single(context: &Context<'_>, project: usize, id: &str) -> Answer {
    let missing = |_: ()| {
        Answer::not_found(
            "PolicyConfigurationNotFoundException",
            &format!(
                "TF402446: The policy configuration with id {id} does not exist or you do not have permission to view it."
            ),
        )
    };
    match find(context, project, id).map(|policy| (policy, policy.at(context.now))) {
        Ok((policy, Some((number, revision)))) => {
            let mut json = Json::default();
            write(context, &mut json, policy, number, revision);
            Answer::json(json.finish())
        }
        Ok((_, None)) => missing(()),
        Err(answer) => answer,
    }
}

/// All revisions, newest first; those of a deleted policy stay readable.
fn revisions(context: &Context<'_>, project: usize, id: &str) -> Answer {
    match find(context, project, id) {
        Ok(policy) => {
            let past = policy
                .revisions
                .iter()
                .enumerate()
                .filter(|(_, revision)| revision.at <= context.now);
            let mut past: Vec<_> = past.collect();
            past.reverse();
            Answer::page(context.request, past, 100, 1_000, |json, (index, revision)| {
                write(context, json, policy, index + 1, revision);
            })
        }
        Err(missing) => missing,
    }
}

/// The state of one policy for one pull request.
struct Evaluation {
    status: &'static str,
    started: Time,
    completed: Option<Time>,
    /// Index of the run in the life.
    run: Option<usize>,
}

/// Evaluations stop changing when the pull request is closed.
fn evaluate(view: &View<'_>, policy: &Policy, now: Time) -> Evaluation {
    let until = view.closed.as_ref().map_or(now, |closed| closed.at.min(now));
    let started =
        view.iterations.last().map_or(view.life.created(), |iteration| iteration.at.plus(SECOND));
    let done = |status, at: Time| Evaluation {
        status,
        started,
        completed: Some(at.min(until)),
        run: None,
    };
    let open = |status| Evaluation { status, started, completed: None, run: None };
    if view.life.not_applicable.contains(&policy.id) {
        return done("notApplicable", started);
    }
    if let Some(definition) = policy.definition {
        let ours = |run: &Run| {
            run.definition == definition && run.reason == "pullRequest" && run.queued <= until
        };
        let Some(index) = view.life.runs.iter().rposition(ours) else { return open("queued") };
        let run = &view.life.runs[index];
        let state = run.state(until);
        let status = match (state.status, state.result) {
            ("completed", Some("succeeded" | "partiallySucceeded")) => "approved",
            ("completed", _) => "rejected",
            ("notStarted", _) => "queued",
            _ => "running",
        };
        return Evaluation {
            status,
            started: run.queued,
            completed: state.finish,
            run: Some(index),
        };
    }
    if let Some((genre, name)) = &policy.status {
        let last = view.past.iter().rev().find_map(|(at, what)| match what {
            What::Status { genre: own, name: own_name, state, .. }
                if *at <= until && own.as_ref() == Some(genre) && own_name == name =>
            {
                Some((*at, *state))
            }
            _ => None,
        });
        return match last {
            Some((at, "succeeded")) => done("approved", at),
            Some((at, "notApplicable")) => done("notApplicable", at),
            Some((_, "failed" | "error")) => open("rejected"),
            _ => open("queued"),
        };
    }
    if policy.kind.0 == kind::REVIEWERS.0 || policy.kind.0 == kind::REQUIRED.0 {
        let approved = view.past.iter().rev().find_map(|(at, what)| match what {
            What::Vote { vote, .. } if *at <= until && *vote >= 5 => Some(*at),
            _ => None,
        });
        return approved.map_or_else(|| open("queued"), |at| done("approved", at));
    }
    done("approved", started.plus(MINUTE))
}

fn evaluations(context: &Context<'_>, project: usize) -> Answer {
    let (world, request) = (context.world, context.request);
    let Some(artifact) = request.query("artifactId") else {
        return Answer::bad_request("artifactId must be given.");
    };
    let own = &world.projects[project].id;
    let tail = artifact
        .strip_prefix("vstfs:///CodeReview/CodeReviewId/")
        .map(|tail| tail.replace("%2f", "/").replace("%2F", "/"));
    let number = tail
        .as_deref()
        .and_then(|tail| tail.split_once('/'))
        .filter(|(id, _)| id.eq_ignore_ascii_case(own))
        .map(|(_, number)| number.to_owned());
    let Some(number) = number else {
        // A name in place of the project's id, or another kind of artifact, finds nothing.
        return Answer::list(std::iter::empty::<()>(), |_, ()| {});
    };
    let Ok(life) = super::pulls::find(context, None, &number) else {
        return Answer::list(std::iter::empty::<()>(), |_, ()| {});
    };
    let view = life.at(context.now);
    let closed = view.closed.as_ref().map_or(context.now, |closed| closed.at);
    let found: Vec<_> = world
        .policies_of(life.repository, &view.target, closed)
        .filter_map(|policy| {
            Some((policy, policy.at(closed)?, evaluate(&view, policy, context.now)))
        })
        .filter(|(_, (_, revision), evaluation)| {
            revision.is_enabled
                && (evaluation.status != "notApplicable" || request.flag("includeNotApplicable"))
        })
        .collect();
    Answer::page(request, found, 100, 1_000, |json, (policy, (number, revision), evaluation)| {
        json.object(|json| {
            write(context, json.key("configuration"), policy, number, revision);
            json.str(
                "artifactId",
                &format!("vstfs:///CodeReview/CodeReviewId/{own}%2f{}", life.id),
            );
            json.str(
                "evaluationId",
                &world.guid(71, u64::from(life.id) << 20 | u64::from(policy.id)),
            );
            json.time("startedDate", evaluation.started);
            if let Some(at) = evaluation.completed {
                json.time("completedDate", at);
            }
            json.plain("status", &[evaluation.status]);
            write_context(context, json, &view, policy, &evaluation);
        });
    })
}

/// What a build validation knows of its run; other types have no context.
fn write_context(
    context: &Context<'_>,
    json: &mut Json,
    view: &View<'_>,
    policy: &Policy,
    evaluation: &Evaluation,
) {
    let world = context.world;
    let (Some(definition), Some(index)) = (policy.definition, evaluation.run) else {
        if policy.id.is_multiple_of(2) {
            json.null("context");
        }
        return;
    };
    let run = &view.life.runs[index];
    let iteration = run.pull.map_or(1, |(_, iteration)| iteration);
    let pipeline = &world.definitions[definition];
    let source = view
        .iterations
        .iter()
        .find(|own| own.number == iteration)
        .map_or(iteration, |own| own.source);
    json.key("context").object(|json| {
        json.int("buildId", run.id).int("buildDefinitionId", pipeline.id);
        json.str("buildDefinitionName", pipeline.name(run.queued).0);
        json.commit("lastMergeCommitId", world.seed, run.commit);
        json.commit("lastMergeSourceCommitId", world.seed, Commit::Source(view.life.id, source));
        json.commit("lastMergeTargetCommitId", world.seed, Commit::Base(view.life.id, iteration));
        json.bool("buildIsNotCurrent", run.id.is_multiple_of(5));
        json.bool("isExpired", iteration < view.last() && source != view.source_iteration());
        match run.state(context.now).start {
            Some(at) => _ = json.time("buildStartedUtc", at),
            None => _ = json.null("buildStartedUtc"),
        }
        json.bool("buildAfterMerge", false).bool("wasAutoRequeued", false);
        json.null("buildOutputPreview");
    });
}
