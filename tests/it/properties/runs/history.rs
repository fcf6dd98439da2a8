//! Random runs of pull requests, and the rows that tell of them.

use std::collections::BTreeSet;

use super::super::random::Random;
use super::super::{Rows, minute};
use super::{Built, DAY, Evaluation, History, LINT, Link, PROJECTS, Project, Run, SCAN};

fn evaluation(random: &mut Random, merged: i64, has_older: bool) -> Evaluation {
    let commits = if has_older {
        [Built::Final, Built::Older, Built::Unsaid]
    } else {
        [Built::Final, Built::Final, Built::Unsaid]
    };
    Evaluation {
        status: random.one(&[
            "approved",
            "approved",
            "rejected",
            "queued",
            "broken",
            "pondered",
            "notApplicable",
        ]),
        completed: merged + random.between(-900, 200),
        commit: random.one(&commits),
        is_expired: random.percent(10),
        has_build: random.percent(70),
    }
}

fn run(random: &mut Random, id: i64, merged: i64, iterations: i64, pushes: i64) -> Run {
    let link = match random.between(1, 20) {
        1..=11 => Link::Number,
        12..=13 => Link::Evaluation,
        14..=15 => Link::OtherReason,
        16..=18 => Link::Branch,
        19 => Link::OtherPullRequest,
        _ => Link::GitHub,
    };
    let commit = match random.between(1, 10) {
        1..=5 => Built::Final,
        6..=7 if pushes > 1 => Built::Older,
        _ => Built::Unsaid,
    };
    let iteration = match commit {
        Built::Final => random.between(pushes, iterations),
        Built::Older => random.between(1, pushes - 1),
        Built::Unsaid => random.between(1, iterations),
    };
    let mut times = BTreeSet::new();
    for _ in 0..random.between(0, 3) {
        times.insert(merged + random.one(&[-1_000, -700, -300, -60, -1, 0, 1, 90, 500]));
    }
    let results =
        ["succeeded", "succeeded", "succeeded", "failed", "canceled", "partiallySucceeded"];
    let finishes = times.into_iter().map(|at| (at, random.one(&results))).collect();
    let has_evaluation = link == Link::Evaluation || (link == Link::Number && random.percent(30));
    let evaluated = has_evaluation
        .then(|| Evaluation { has_build: true, ..evaluation(random, merged, pushes > 1) });
    Run {
        id,
        pipeline: if random.percent(88) { SCAN } else { LINT },
        link,
        commit,
        iteration: (link != Link::Branch && random.percent(30)).then_some(iteration),
        finishes,
        evaluation: evaluated,
    }
}

pub(super) fn history(random: &mut Random, number: i64) -> History {
    let merged = random.between(20, 150) * DAY + random.between(0, DAY - 1);
    let mut before: BTreeSet<i64> = BTreeSet::new();
    for _ in 0..random.between(1, 3) {
        before.insert(random.between(1_100, 10_000));
    }
    let pushes: Vec<i64> = before.into_iter().rev().map(|minutes| merged - minutes).collect();
    let count = i64::try_from(pushes.len()).unwrap();
    let is_retargeted = random.percent(20);
    let iterations = count + i64::from(is_retargeted);
    let runs = (0..random.between(0, 3))
        .map(|index| run(random, number * 10 + index, merged, iterations, count))
        .collect();
    let project = match random.between(1, 20) {
        1..=10 => Project::Weekly,
        11..=15 => Project::Late,
        16..=18 => Project::Holed,
        _ => Project::Never,
    };
    History {
        project,
        merged,
        pushes,
        is_retargeted,
        is_iterations_read: random.percent(95),
        is_evaluations_read: random.percent(95),
        runs,
        unstored: random.percent(30).then(|| evaluation(random, merged, count > 1)),
    }
}

impl History {
    pub(super) fn write(&self, number: i64, rows: &mut Rows) {
        let (_, project, repository) =
            PROJECTS.into_iter().find(|(project, ..)| *project == self.project).unwrap();
        let count = self.last_iteration_of_code();
        let commit = |built: Built| match built {
            Built::Final => format!("c{number}-{count}"),
            Built::Older => format!("c{number}-1"),
            Built::Unsaid => String::new(),
        };
        let branch = format!("refs/heads/topic-{number}");
        let number = number.to_string();
        let read_at = minute(self.merged + DAY);
        rows.add(
            "pull_requests",
            &[
                ("repository_id", repository),
                ("project_id", project),
                ("pull_request_id", &number),
                ("title", "Random"),
                ("status", "completed"),
                ("source_ref", &branch),
                ("target_ref", "refs/heads/main"),
                ("source_commit", &commit(Built::Final)),
                ("created_at", &minute(self.pushes[0])),
                ("closed_at", &minute(self.merged)),
                ("iterations_read_at", if self.is_iterations_read { &read_at } else { "" }),
                ("evaluations_read_at", if self.is_evaluations_read { &read_at } else { "" }),
            ],
        );
        let retarget = self.is_retargeted.then_some((self.merged - 1_050, "retarget"));
        let iterations = self.pushes.iter().map(|at| (*at, "push")).chain(retarget);
        for (iteration, (at, reason)) in (1..).zip(iterations) {
            let iteration: i64 = iteration;
            let own = [
                ("repository_id", repository),
                ("pull_request_id", &number),
                ("iteration_id", &iteration.to_string()),
                ("at", &minute(at)),
                ("reason", reason),
            ];
            rows.add("pull_request_iterations", &own);
        }
        for run in &self.runs {
            let (id, pipeline) = (run.id.to_string(), run.pipeline.to_string());
            let merge = format!("refs/pull/{number}/merge");
            let (known, reason, source) = match run.link {
                Link::Number | Link::GitHub => (number.clone(), "pullRequest", merge),
                Link::OtherReason => (number.clone(), "manual", merge),
                Link::Evaluation => (String::new(), "pullRequest", merge),
                Link::Branch => (String::new(), "individualCI", branch.clone()),
                Link::OtherPullRequest => ("999999".to_owned(), "pullRequest", merge),
            };
            let built =
                if run.commit == Built::Unsaid { "other".to_owned() } else { commit(run.commit) };
            let last = run.finishes.last();
            let own = [
                ("run_id", id.as_str()),
                ("project_id", project),
                ("pipeline_id", &pipeline),
                ("pipeline_name", if run.pipeline == SCAN { "CodeQL" } else { "lint" }),
                ("pipeline_folder", "\\"),
                ("repository_id", repository),
                ("repository_type", if run.link == Link::GitHub { "GitHub" } else { "TfsGit" }),
                ("reason", reason),
                ("status", if last.is_some() { "completed" } else { "inProgress" }),
                ("result", last.map_or("", |(_, result)| *result)),
                ("finished_at", &last.map_or_else(String::new, |(at, _)| minute(*at))),
                ("source_branch", &source),
                ("source_version", if run.link == Link::Branch { built.as_str() } else { "merge" }),
                ("pull_request_id", &known),
                (
                    "pull_request_source_commit",
                    if run.link == Link::Branch { "" } else { &*commit(run.commit) },
                ),
                (
                    "pull_request_iteration",
                    &run.iteration.map_or_else(String::new, |own| own.to_string()),
                ),
            ];
            rows.add("pipeline_runs", &own);
            for (at, result) in &run.finishes {
                let own =
                    [("run_id", id.as_str()), ("finished_at", &minute(*at)), ("result", result)];
                rows.add("pipeline_run_finishes", &own);
            }
        }
        let stored = self.runs.iter().filter_map(|run| {
            run.evaluation.as_ref().map(|evaluation| (run.pipeline, run.id.to_string(), evaluation))
        });
        let unstored = self.unstored.iter().map(|evaluation| {
            let build =
                if evaluation.has_build { format!("9000000{number}") } else { String::new() };
            (SCAN, build, evaluation)
        });
        for (index, (pipeline, build, evaluation)) in stored.chain(unstored).enumerate() {
            let own = [
                ("repository_id", repository),
                ("pull_request_id", &number),
                ("evaluation_id", &format!("e{number}-{index}")),
                ("build_definition_id", &pipeline.to_string()),
                ("build_id", &build),
                ("status", evaluation.status),
                ("completed_at", &minute(evaluation.completed)),
                ("source_commit", &commit(evaluation.commit)),
                ("is_expired", if evaluation.is_expired { "true" } else { "false" }),
            ];
            rows.add("pull_request_policy_evaluations", &own);
        }
    }
}

fn window(rows: &mut Rows, project: &str, from: Option<i64>, to: i64, status: &str) {
    let from = from.map_or_else(|| "1970-01-01".to_owned(), minute);
    let to = minute(to);
    let own = [
        ("resource", "pipeline_runs"),
        ("scope", project),
        ("window_from", &from),
        ("window_to", &to),
        ("status", status),
        ("started_at", &to),
        ("finished_at", &to),
    ];
    rows.add("sync_runs", &own);
}

pub(super) fn read_projects(rows: &mut Rows) {
    for (project, id, repository) in PROJECTS {
        rows.repository(repository, id);
        let solution = [
            ("repository_id", repository),
            ("kind", "sast"),
            ("solution", "pipeline:CodeQL"),
            ("selector", "pipeline"),
            ("pattern", "codeql"),
        ];
        rows.add("solutions_in_force", &solution);
        for (pipeline, name) in [(SCAN, "CodeQL"), (LINT, "lint")] {
            let pipeline = pipeline.to_string();
            let own =
                [("project_id", id), ("pipeline_id", &*pipeline), ("name", name), ("folder", "\\")];
            rows.add("pipelines", &own);
        }
        let first = if project == Project::Late { 100 } else { 7 };
        if project != Project::Never {
            window(rows, id, None, first * DAY, "ok");
            for day in (first..220).step_by(7) {
                let is_hole = project == Project::Holed && day == 70;
                let status = if is_hole { "unreadable" } else { "ok" };
                window(rows, id, Some(day * DAY - 60), (day + 7) * DAY, status);
            }
        }
    }
    for row in rows.given.get_mut("settings_in_force").unwrap() {
        let is_late = row.text("repository_id") == Some("r2");
        row.set("accept_partially_succeeded", is_late);
    }
    let retention = [
        ("project_id", "p2"),
        ("first_seen_at", "2026-01-01"),
        ("purge_runs_days", "5"),
        ("purge_pull_request_runs_days", "20"),
    ];
    rows.add("retention_settings", &retention);
}
