//! The timeline of a run: stages, their phases, jobs and tasks.

use super::answer::Answer;
use super::json::Json;
use super::routes::Context;
use super::runs::Run;
use super::time::{SECOND, Time};

/// A record about to be written.
struct Record<'a> {
    number: u64,
    parent: Option<u64>,
    kind: &'a str,
    name: &'a str,
    result: &'a str,
    start: Time,
    finish: Time,
}

/// The timeline of a run that is still there; `wanted` names that of an earlier attempt.
pub(crate) fn answer(context: &Context<'_>, run: &Run, wanted: Option<&str>) -> Option<Answer> {
    let mut state = run.state(context.now);
    let Some(start) = state.start else {
        return Some(Answer::object(|json| json.key("records").array(|_| {})));
    };
    let own = context.world.guid(82, u64::from(run.id));
    if let Some(wanted) = wanted.filter(|wanted| !wanted.eq_ignore_ascii_case(&own)) {
        let is_it = |earlier: &i64| {
            let number = 200 + earlier.unsigned_abs();
            let id = context.world.guid(83, u64::from(run.id) * 256 + number);
            id.eq_ignore_ascii_case(wanted)
        };
        state.attempt = (1..state.attempt).find(is_it)?;
    }
    let last = usize::try_from(state.attempt - 1).ok().and_then(|index| run.attempts.get(index));
    let begun = last.map_or(start, |attempt| attempt.start);
    let finish = last.map_or(Time::NEVER, |attempt| attempt.finish);
    let result = last.map_or("succeeded", |attempt| match attempt.result {
        "partiallySucceeded" => "succeededWithIssues",
        other => other,
    });
    let result_of = |name: &str| {
        run.records.iter().find(|(wanted, _)| wanted == name).map(|(_, result)| *result)
    };
    let stages = &context.world.definitions[run.definition].stages;
    let jobs: usize = stages.iter().map(|(_, jobs)| jobs.len()).sum();
    let step = (finish.0.min(begun.0 + 3_600 * SECOND) - begun.0)
        / i64::try_from(jobs.max(1) + 1).unwrap_or(1);
    let mut records = Vec::new();
    let mut at = begun;
    let mut number = 0;
    for (stage, jobs) in stages {
        let stage_result = result_of(stage).unwrap_or(result);
        if stage_result == "absent" {
            continue;
        }
        let stage_number = number;
        let stage_end = at.plus(step * i64::try_from(jobs.len()).unwrap_or(0));
        let mut add = |parent, kind, name, result, start, finish| {
            records.push(Record { number, parent, kind, name, result, start, finish });
            number += 1;
            number - 1
        };
        add(None, "Stage", stage.as_str(), stage_result, at, stage_end);
        let phase = add(Some(stage_number), "Phase", stage.as_str(), stage_result, at, stage_end);
        for job in jobs {
            let job_result = result_of(job).unwrap_or(stage_result);
            let end = at.plus(step);
            if job_result != "absent" {
                let parent = add(Some(phase), "Job", job.as_str(), job_result, at, end);
                add(
                    Some(parent),
                    "Task",
                    "Checkout",
                    if job_result == "skipped" { "skipped" } else { "succeeded" },
                    at,
                    at.plus(step / 4),
                );
                add(
                    Some(parent),
                    "Task",
                    job.as_str(),
                    result_of(&format!("{job}/task")).unwrap_or(job_result),
                    at.plus(step / 4),
                    end,
                );
            }
            at = end;
        }
    }
    Some(Answer::object(|json| {
        json.key("records").array(|json| {
            for record in &records {
                write(context, json, run, record, state.attempt);
            }
        });
        json.str("lastChangedBy", "00000002-0000-8888-8000-000000000000")
            .time("lastChangedOn", finish.min(context.now));
        json.str("id", &own).int("changeId", 37_i64);
        json.str("url", &format!("{}/_apis/build/Builds/{}/Timeline", context.world.base, run.id));
    }))
}

fn write(context: &Context<'_>, json: &mut Json, run: &Run, record: &Record<'_>, attempt: i64) {
    let id = |number: u64| context.world.guid(83, u64::from(run.id) * 256 + number);
    let is_done = record.finish <= context.now;
    let is_begun = record.start <= context.now;
    json.object(|json| {
        json.key("previousAttempts").array(|json| {
            for earlier in 1..attempt {
                json.object(|json| {
                    json.int("attempt", earlier)
                        .str("timelineId", &id(200 + earlier.unsigned_abs()))
                        .str("recordId", &id(record.number));
                });
            }
        });
        json.str("id", &id(record.number));
        match record.parent {
            Some(parent) => _ = json.str("parentId", &id(parent)),
            None => _ = json.null("parentId"),
        }
        json.str("type", record.kind).str("name", record.name);
        let is_skipped = record.result == "skipped";
        match (is_begun && !is_skipped, is_done) {
            (true, true) => {
                _ = json.time("startTime", record.start).time("finishTime", record.finish)
            }
            (true, false) => _ = json.time("startTime", record.start).null("finishTime"),
            (false, _) => _ = json.null("startTime").null("finishTime"),
        }
        json.null("currentOperation").null("percentComplete");
        json.plain(
            "state",
            &[if is_done {
                "completed"
            } else if is_begun {
                "inProgress"
            } else {
                "pending"
            }],
        );
        match is_done {
            true => _ = json.plain("result", &[record.result]),
            false => _ = json.null("result"),
        }
        json.null("resultCode")
            .int("changeId", 12_i64)
            .plain("lastModified", &["0001-01-01T00:00:00"])
            .null("workerName");
        json.int("order", i64::try_from(record.number).unwrap_or(0) + 1)
            .null("details")
            .int("errorCount", i64::from(record.result == "failed"));
        json.int("warningCount", 0_i64).null("url").null("log");
        match record.kind {
            "Task" => json.key("task").object(|json| {
                json.str("id", &context.world.guid(84, record.name.len() as u64))
                    .str("name", record.name)
                    .str("version", "3.1.0");
            }),
            _ => _ = json.null("task"),
        }
        json.int("attempt", attempt).str("identifier", record.name);
    });
}
