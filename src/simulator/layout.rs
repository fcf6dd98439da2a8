//! Lays out the standing parts of the bulk: projects, repositories, branches, pipelines, policies, direct pushes.

mod pipelines;
mod protections;

use super::bulk::{Bulk, HISTORY_DAYS, Outcome};
use super::examples;
use super::people::{Kind, People};
use super::random::{Random, guid};
use super::runs::Retention;
use super::time::{DAY, HOUR, Time};
use super::world::{Branch, Project, PushEntry, PushKind, Repository, World};
use super::{Options, Size};

pub(crate) use pipelines::add_definition;
pub(crate) use protections::add_policy;

use pipelines::{add_definitions, add_free_runs};
use protections::add_policies;

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
        api_version: options.api_version,
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
        hidden: None,
        validation: Vec::new(),
        ci: None,
        weight: if is_ordinary { 1.0 / (index as f64 + 1.0).powf(0.9) } else { 0.0 },
    });
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
