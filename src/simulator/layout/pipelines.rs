//! Pipelines of the bulk, and their runs that belong to no pull request.

use crate::simulator::bulk::HISTORY_DAYS;
use crate::simulator::random::{Commit, Random};
use crate::simulator::runs::{Attempt, Definition, FIRST_FREE_RUN, Run};
use crate::simulator::time::{DAY, HOUR, MINUTE};
use crate::simulator::world::{FIRST_BULK, World};

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

pub(super) fn add_definitions(world: &mut World, project: usize) {
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

/// Nightly runs, and runs for pull requests of repositories on GitHub whose numbers overlap ours.
pub(super) fn add_free_runs(world: &mut World, project: usize) {
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
        let lookalike = FIRST_BULK + number % 150;
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
