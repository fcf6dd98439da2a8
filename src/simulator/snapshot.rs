//! What is visible at one instant: the index cut and sorted for the lists, rebuilt whenever the clock moves.

use super::bulk::Outcome;
use super::runs::{Presence, Run};
use super::time::{DAY, Time};
use super::world::World;

/// A run that is still there, with what lists sort and filter by.
pub(crate) struct SeenRun {
    pub(crate) run: Run,
    pub(crate) finish: Option<Time>,
    pub(crate) presence: Presence,
}

/// The lists of one project.
#[derive(Default)]
pub(crate) struct ProjectLists {
    /// Positions of active pull requests, newest first.
    pub(crate) active: Vec<u32>,
    /// Closing and position of completed ones, in order of closing.
    pub(crate) completed: Vec<(Time, u32)>,
    /// The same of abandoned ones.
    pub(crate) abandoned: Vec<(Time, u32)>,
    /// Runs that are still there, by finish and id; those not finished at the end.
    pub(crate) runs: Vec<SeenRun>,
    /// Ids of runs and their places in `runs`, in order of the ids.
    places: Vec<(u32, u32)>,
}

impl ProjectLists {
    /// The run with this id.
    pub(crate) fn run(&self, id: u32) -> Option<&SeenRun> {
        let index = self.places.binary_search_by_key(&id, |(own, _)| *own).ok()?;
        self.runs.get(self.places[index].1 as usize)
    }
}

/// Everything visible at an instant.
pub(crate) struct Snapshot {
    pub(crate) now: Time,
    pub(crate) projects: Vec<ProjectLists>,
}

impl Snapshot {
    /// Cuts the world at `now`.
    pub(crate) fn new(world: &World, now: Time) -> Snapshot {
        let mut projects: Vec<ProjectLists> =
            world.projects.iter().map(|_| ProjectLists::default()).collect();
        let is_listed = |repository: u16| world.repositories[usize::from(repository)].exists(now);
        let project_of = |repository: u16| world.repositories[usize::from(repository)].project;
        let briefs = &world.bulk.briefs;
        for (position, brief) in briefs.iter().enumerate() {
            if brief.created > now
                || (brief.closed <= now && !brief.has_pause)
                || !is_listed(brief.repository)
            {
                continue;
            }
            let position = u32::try_from(position).unwrap_or(0);
            let lists = &mut projects[project_of(brief.repository)];
            if brief.closed > now {
                let pause = brief.has_pause.then(|| paused(world, position, now)).flatten();
                match pause {
                    Some(since) => lists.abandoned.push((since, position)),
                    None => lists.active.push(position),
                }
            }
        }
        for position in &world.bulk.by_closed {
            let brief = &briefs[*position as usize];
            if brief.closed > now {
                break;
            }
            if !is_listed(brief.repository) {
                continue;
            }
            let lists = &mut projects[project_of(brief.repository)];
            match brief.outcome {
                Outcome::Completed => lists.completed.push((brief.closed, *position)),
                Outcome::Abandoned => lists.abandoned.push((brief.closed, *position)),
                Outcome::Open => {}
            }
        }
        for lists in &mut projects {
            lists.abandoned.sort_unstable();
            lists.active.sort_unstable_by_key(|position| {
                std::cmp::Reverse(briefs[*position as usize].created)
            });
        }
        let mut snapshot = Snapshot { now, projects };
        snapshot.collect_runs(world);
        snapshot
    }

    /// Runs older than every retention period are gone, so only recent pull requests need to be looked at.
    fn collect_runs(&mut self, world: &World) {
        let now = self.now;
        let keep = world.projects.iter().map(|own| {
            own.retention.pull_request_runs.max(own.retention.runs) + own.retention.deleted_runs
        });
        let horizon = now.plus(-(keep.max().unwrap_or(0) + 3) * DAY);
        for (position, brief) in world.bulk.briefs.iter().enumerate() {
            let is_recent =
                brief.created <= now && (brief.closed >= horizon || brief.created >= horizon);
            // Those that stay open go quiet after a while.
            let is_quiet = brief.closed == Time::NEVER && brief.created < horizon.plus(-40 * DAY);
            if is_recent && (!is_quiet || position < world.scripted.len()) {
                for run in world.life(u32::try_from(position).unwrap_or(0)).runs {
                    self.add_run(world, run);
                }
            }
        }
        for run in &world.free_runs {
            self.add_run(world, run.clone());
        }
        for lists in &mut self.projects {
            lists.runs.sort_by_key(|seen| (seen.finish.unwrap_or(Time::NEVER), seen.run.id));
            lists.places =
                lists.runs.iter().zip(0..).map(|(seen, place)| (seen.run.id, place)).collect();
            lists.places.sort_unstable();
        }
    }

    fn add_run(&mut self, world: &World, run: Run) {
        let project = world.definitions[run.definition].project;
        let presence = run.presence(self.now, world.projects[project].retention);
        if presence != Presence::Absent {
            let finish = run.state(self.now).finish;
            self.projects[project].runs.push(SeenRun { run, finish, presence });
        }
    }
}

/// Since when the pull request is abandoned at `now`, for one that is opened again later.
fn paused(world: &World, position: u32, now: Time) -> Option<Time> {
    let life = world.life(position);
    life.pauses().into_iter().find(|(from, to)| *from <= now && now < *to).map(|(from, _)| from)
}
