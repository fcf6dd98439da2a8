//! Lays out the standing parts of the bulk: projects, repositories, branches, pipelines, policies, direct pushes.

use super::bulk::{Bulk, HISTORY_DAYS, Outcome};
use super::examples;
use super::people::{Kind, People};
use super::policies::{self, Policy, Revision, Scope, kind};
use super::random::{Random, guid};
use super::runs::{Attempt, Definition, FIRST_FREE_RUN, Retention, Run};
use super::time::{DAY, HOUR, MINUTE, Time};
use super::world::{Branch, Project, PushEntry, PushKind, Repository, World};
use super::{Options, Size, random::Commit};

const PROJECTS: [&str; 8] = [
    "payments",
    "Shop Frontend",
    "Zahlungen Österreich",
    "data-platform",
    "Mobile Apps",
    "infra",
    "Entrepôt & Rapports",
    "研究",
];
const NAMES: [&str; 40] = [
    "api",
    "web",
    "ledger",
    "Invoice Service",
    "gateway",
    "search",
    "accounts",
    "données",
    "billing",
    "ios-app",
    "android-app",
    "terraform",
    "reports",
    "etl",
    "auth",
    "notifications",
    "catalog",
    "pricing",
    "checkout",
    "crm",
    "risk",
    "fraud",
    "ml-models",
    "design-system",
    "docs",
    "sdk-java",
    "sdk-python",
    "sdk-go",
    "scheduler",
    "mailer",
    "imports",
    "exports",
    "tax",
    "audit",
    "portal",
    "backoffice",
    "kiosk",
    "hooks",
    "charts",
    "tools",
];

/// Builds the organization for `options`, whose web address is `base`.
pub(crate) fn build(options: &Options, base: &str) -> World {
    let start = Time::of(options.start);
    let (project_count, repository_count, authors) = match options.size {
        Size::Tiny => (2, 6, 40),
        Size::Small => (4, 12, 80),
        Size::Medium => (6, 24, 200),
        Size::Large => (8, 40, 400),
    };
    let domain = format!("{}.example", options.organization);
    let mut world = World {
        seed: options.seed,
        organization: options.organization.clone(),
        organization_id: guid(options.seed, 1, 0),
        base: base.to_owned(),
        start,
        people: People::new(options.seed, base, authors, &domain),
        projects: Vec::new(),
        repositories: Vec::new(),
        definitions: Vec::new(),
        policies: Vec::new(),
        scripted: Vec::new(),
        free_runs: Vec::new(),
        pushes: Vec::new(),
        bulk: Bulk::default(),
        examples: examples::Examples::default(),
    };
    for name in &PROJECTS[..project_count] {
        add_project(&mut world, name);
    }
    for (index, name) in NAMES[..repository_count].iter().enumerate() {
        add_repository(&mut world, index, name, repository_count);
    }
    for index in 0..project_count {
        add_definitions(&mut world, index);
        add_policies(&mut world, index);
        add_free_runs(&mut world, index);
    }
    if options.has_examples {
        examples::add(&mut world);
    }
    world.bulk = Bulk::new(
        options.seed,
        start,
        options.size.pull_requests(),
        &world.repositories,
        &world.scripted,
    );
    add_pushes(&mut world);
    world
}

/// Adds a project with its build service, and returns its index.
pub(crate) fn add_project(world: &mut World, name: &str) -> usize {
    let index = world.projects.len();
    let build_service = world.people.add(
        Kind::BuildService,
        &format!("{name} Build Service ({})", world.organization),
        "",
    );
    world.projects.push(Project {
        id: world.guid(2, index as u64),
        name: name.to_owned(),
        description: if index % 3 == 1 {
            ""
        } else {
            "What this team builds; <b>see</b> the wiki."
        },
        visibility: if index == 5 { "public" } else { "private" },
        retention: Retention {
            runs: 30,
            pull_request_runs: if index == 1 { 30 } else { 10 },
            deleted_runs: 30,
        },
        build_service,
        updated: world.start.plus(-(90 + index as i64) * DAY),
    });
    index
}

fn add_repository(world: &mut World, index: usize, name: &str, count: usize) {
    let start = world.start;
    let created = start.plus(-(HISTORY_DAYS + 30) * DAY + index as i64 * HOUR);
    let main = if index == 3 { "master" } else { "main" };
    let branch = |name: &str, created: Time| Branch {
        name: name.to_owned(),
        created,
        deleted: None,
        is_locked: false,
    };
    let mut branches = vec![branch(main, created), branch("develop", created.plus(DAY))];
    if index.is_multiple_of(3) {
        let mut old = branch("release/2025.2", start.plus(-500 * DAY));
        old.deleted = Some(start.plus(-40 * DAY));
        branches.push(old);
        let mut current = branch("release/2026.1", start.plus(-200 * DAY));
        current.is_locked = index == 3;
        branches.push(current);
        branches.push(branch("release/2026.2", start.plus(5 * DAY)));
    }
    branches.push(branch("main-2", start.plus(-300 * DAY)));
    // The last ones have a special fate; the others share the work unevenly.
    let from_end = count - 1 - index;
    let is_ordinary = from_end >= 2;
    let mut names = vec![(created, name.to_owned())];
    if from_end == 4 {
        names.push((start.plus(3 * DAY), format!("{name}-v2")));
    }
    world.repositories.push(Repository {
        id: world.guid(3, index as u64),
        project: if is_ordinary { index % world.projects.len() } else { 0 },
        names,
        created,
        default: (from_end != 1).then_some(0),
        branches: if from_end == 1 { Vec::new() } else { branches },
        parent: (from_end == 0).then_some(0),
        disabled: if from_end == 2 && count > 6 { Some(start.plus(4 * DAY)) } else { None },
        deleted: if from_end == 3 && count > 6 { Some(start.plus(5 * DAY)) } else { None },
        validation: Vec::new(),
        ci: None,
        weight: if is_ordinary { 1.0 / (index as f64 + 1.0).powf(0.9) } else { 0.0 },
    });
}

/// Adds a pipeline and returns its index.
pub(crate) fn add_definition(
    world: &mut World,
    project: usize,
    folder: &str,
    name: &str,
    repository: Option<usize>,
    stages: &[(&str, &[&str])],
) -> usize {
    let index = world.definitions.len();
    let created = world.start.plus(-(HISTORY_DAYS + 20) * DAY);
    let own = |text: &&str| (*text).to_owned();
    world.definitions.push(Definition {
        id: u32::try_from(index + 1).unwrap_or(1),
        project,
        names: vec![(created, name.to_owned())],
        folder: folder.to_owned(),
        repository,
        stages: stages
            .iter()
            .map(|(stage, jobs)| ((*stage).to_owned(), jobs.iter().map(own).collect()))
            .collect(),
        created,
        deleted: None,
    });
    index
}

fn add_definitions(world: &mut World, project: usize) {
    let own: Vec<usize> = (0..world.repositories.len())
        .filter(|index| world.repositories[*index].project == project)
        .collect();
    let Some(first) = own.first().copied() else { return };
    let scan = add_definition(
        world,
        project,
        "\\security",
        "CodeQL",
        Some(first),
        &[("Analyze", &["CodeQL", "Secrets"])],
    );
    for index in own {
        if world.repositories[index].default.is_none() {
            continue;
        }
        let name = world.repositories[index].names[0].1.clone();
        let tests = format!("integration-{name}");
        let tests = add_definition(
            world,
            project,
            "\\tests",
            &tests,
            Some(index),
            &[("Test", &["Database", "End to end"])],
        );
        let ci = format!("ci-{name}");
        let ci = add_definition(
            world,
            project,
            "\\",
            &ci,
            Some(index),
            &[("Build", &["Compile"]), ("Publish", &["Push image"])],
        );
        if index == 1 {
            world.definitions[tests]
                .names
                .push((world.start.plus(2 * DAY), format!("integration-{name}-new")));
        }
        let repository = &mut world.repositories[index];
        repository.validation = vec![scan, tests];
        repository.ci = (index % 2 == 0).then_some(ci);
    }
    add_definition(world, project, "\\external", "github-mirror", None, &[("Build", &["Compile"])]);
}

/// Adds a policy with one revision and returns its index.
pub(crate) fn add_policy(
    world: &mut World,
    project: usize,
    kind: (&'static str, &'static str),
    settings: String,
    scope: Vec<Scope>,
) -> usize {
    let index = world.policies.len();
    let by = world.people.authors[0];
    let at = world.start.plus(-(HISTORY_DAYS + 10) * DAY + index as i64 * MINUTE);
    world.policies.push(Policy {
        id: u32::try_from(index + 1).unwrap_or(1),
        project,
        kind,
        revisions: vec![Revision { at, by, is_enabled: true, is_blocking: true, settings, scope }],
        deleted: None,
        definition: None,
        status: None,
    });
    index
}

fn add_policies(world: &mut World, project: usize) {
    let own: Vec<usize> = (0..world.repositories.len())
        .filter(|index| {
            world.repositories[*index].project == project
                && world.repositories[*index].default.is_some()
        })
        .collect();
    if project.is_multiple_of(2) {
        add_policy(
            world,
            project,
            kind::REVIEWERS,
            policies::reviewers(1, false, &[]),
            vec![Scope::default_branch()],
        );
    }
    for index in own {
        let main = world.repositories[index].branches[0].name.clone();
        let on_main = vec![Scope::exact(index, &main), Scope::prefix(Some(index), "release/")];
        let settings = match index % 6 {
            0 => Some(policies::reviewers(2, false, &["resetOnSourcePush", "blockLastPusherVote"])),
            1 => Some(policies::reviewers(1, false, &["requireVoteOnLastIteration"])),
            3 => Some(policies::reviewers(1, true, &[])),
            4 => Some(policies::reviewers(2, true, &["resetRejectionsOnSourcePush"])),
            _ => None,
        };
        if let Some(settings) = settings {
            let policy = add_policy(world, project, kind::REVIEWERS, settings, on_main.clone());
            revise(world, policy, index);
        }
        for definition in world.repositories[index].validation.clone() {
            let own = &world.definitions[definition];
            let settings = policies::build(own.id, &own.names[0].1.clone(), &[]);
            let policy = add_policy(world, project, kind::BUILD, settings, on_main.clone());
            world.policies[policy].definition = Some(definition);
        }
        let policy = add_policy(
            world,
            project,
            kind::STATUS,
            policies::status("snyk", "open-source"),
            on_main.clone(),
        );
        world.policies[policy].status = Some(("snyk".to_owned(), "open-source".to_owned()));
        let settings = "\"allowSquash\":true,\"allowNoFastForward\":true,\"allowRebase\":true,\"allowRebaseMerge\":true";
        let policy = add_policy(world, project, kind::MERGE, settings.to_owned(), on_main.clone());
        if index == 0 {
            world.policies[policy].deleted = Some(world.start.plus(6 * DAY));
        }
        if index % 4 == 1 {
            let group = world.people.get(world.people.groups[1]).id.clone();
            let settings = policies::required(&[&group], 1, &["/infra/*", "!/infra/docs/*"]);
            add_policy(world, project, kind::REQUIRED, settings, on_main);
        }
    }
    add_policy(world, project, kind::COMMENTS, String::new(), vec![Scope::prefix(None, "release")]);
    let settings =
        "\"maximumGitBlobSizeInBytes\":10485760,\"useUncompressedSize\":false".to_owned();
    add_policy(
        world,
        project,
        kind::FILE_SIZE,
        settings,
        vec![Scope { repository: None, ref_name: None, match_kind: None }],
    );
}

/// Gives some policies a second revision, in the past or in the future, or switches them off.
fn revise(world: &mut World, policy: usize, index: usize) {
    let start = world.start;
    let revisions = &mut world.policies[policy].revisions;
    let mut next = revisions[0].clone();
    match index {
        0 => {
            (next.at, next.settings) =
                (start.plus(2 * DAY), policies::reviewers(3, false, &["resetOnSourcePush"]))
        }
        1 => {
            revisions[0].settings = policies::reviewers(1, true, &[]);
            next.at = start.plus(-100 * DAY);
        }
        10 => (next.at, next.is_blocking) = (start.plus(-30 * DAY), false),
        12 => (next.at, next.is_enabled) = (start.plus(-60 * DAY), false),
        _ => return,
    }
    revisions.push(next);
}

/// Nightly runs, and runs for pull requests of repositories on GitHub whose numbers overlap ours.
fn add_free_runs(world: &mut World, project: usize) {
    let Some(outside) =
        world.definitions.iter().position(|own| own.project == project && own.repository.is_none())
    else {
        return;
    };
    let nightly =
        world.definitions.iter().position(|own| own.project == project && own.repository.is_some());
    for number in 0..250_u32 {
        let mut random = Random::new(world.seed, 41 + project as u64, u64::from(number));
        let queued =
            world.start.plus((i64::from(number) - 70) * DAY).plus(random.between(HOUR, 20 * HOUR));
        let start = queued.plus(MINUTE);
        let result = if random.permille(100) { "failed" } else { "succeeded" };
        let attempts =
            vec![Attempt { start, finish: start.plus(random.between(MINUTE, HOUR)), result }];
        let id = FIRST_FREE_RUN + u32::try_from(world.free_runs.len()).unwrap_or(0);
        let lookalike = super::world::FIRST_BULK + number % 150;
        let is_outside = number % 4 != 0;
        let definition = if is_outside { outside } else { nightly.unwrap_or(outside) };
        let repository = world.definitions[definition].repository;
        world.free_runs.push(Run {
            id,
            definition,
            reason: if is_outside { "pullRequest" } else { "schedule" },
            queued,
            attempts,
            branch: if is_outside {
                format!("refs/pull/{lookalike}/merge")
            } else {
                "refs/heads/main".to_owned()
            },
            commit: Commit::Elsewhere(id - FIRST_FREE_RUN),
            pull: is_outside.then_some((lookalike, 1)),
            repository,
            by: world.people.authors[number as usize % world.people.authors.len()],
            records: Vec::new(),
            deleted: None,
        });
    }
}

/// Lays out the pushes to standing branches.
fn add_pushes(world: &mut World) {
    let seed = world.seed;
    let mut pushes: Vec<Vec<Vec<PushEntry>>> = world
        .repositories
        .iter()
        .map(|repository| vec![Vec::new(); repository.branches.len()])
        .collect();
    let mut number = 0;
    for (index, repository) in world.repositories.iter().enumerate() {
        for (place, branch) in repository.branches.iter().enumerate() {
            let mut add = |at: Time, kind: PushKind, by: usize| {
                number += 1;
                pushes[index][place].push(PushEntry {
                    at,
                    kind,
                    number,
                    by: u32::try_from(by).unwrap_or(0),
                });
            };
            let authors = &world.people.authors;
            add(branch.created, PushKind::Create, authors[index % authors.len()]);
            if let Some(at) = branch.deleted {
                add(at, PushKind::Delete, authors[0]);
            }
            if repository.weight > 0.0 {
                let mut random = Random::new(seed, 51 + place as u64, index as u64);
                let mut at = branch.created.plus(random.between(20 * DAY, 90 * DAY));
                while at < world.start.plus(150 * DAY) && branch.deleted.is_none_or(|end| at < end)
                {
                    let kind =
                        if random.permille(120) { PushKind::Force } else { PushKind::Direct };
                    add(at, kind, authors[random.index(authors.len())]);
                    at = at.plus(random.between(30 * DAY, 250 * DAY));
                }
            }
        }
    }
    examples::add_pushes(world, &mut pushes, &mut number);
    for position in &world.bulk.by_closed {
        let brief = &world.bulk.briefs[*position as usize];
        if brief.outcome == Outcome::Completed {
            let branch = pushes[usize::from(brief.repository)].get_mut(usize::from(brief.target));
            let kind = PushKind::Pull(*position);
            branch
                .into_iter()
                .for_each(|own| own.push(PushEntry { at: brief.closed, kind, number: 0, by: 0 }));
        }
    }
    for branch in pushes.iter_mut().flatten() {
        branch.sort_by_key(|entry| entry.at);
    }
    world.pushes = pushes;
}
