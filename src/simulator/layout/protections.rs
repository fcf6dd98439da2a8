//! Policies of the bulk.

use crate::simulator::bulk::HISTORY_DAYS;
use crate::simulator::policies::{self, Policy, Revision, Scope, kind};
use crate::simulator::time::{DAY, MINUTE};
use crate::simulator::world::World;

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

pub(super) fn add_policies(world: &mut World, project: usize) {
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
