//! The simulated organization: what exists, and how to find it. All of it is a function of seed and size.

use super::bulk::Bulk;
use super::examples::Examples;
use super::life::Life;
use super::people::{People, PersonId};
use super::policies::Policy;
use super::random::guid;
use super::runs::{Definition, Retention, Run};
use super::time::Time;

/// Numbers of the bulk's pull requests start here; those below belong to the named examples.
pub(crate) const FIRST_BULK: u32 = 1001;

/// A project.
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: &'static str,
    pub(crate) visibility: &'static str,
    pub(crate) retention: Retention,
    pub(crate) build_service: PersonId,
    pub(crate) updated: Time,
}

/// A branch that stands longer than one pull request.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    /// Short name.
    pub(crate) name: String,
    pub(crate) created: Time,
    pub(crate) deleted: Option<Time>,
    pub(crate) is_locked: bool,
}

/// A repository.
pub(crate) struct Repository {
    pub(crate) id: String,
    pub(crate) project: usize,
    /// Names it has had, oldest first.
    pub(crate) names: Vec<(Time, String)>,
    pub(crate) created: Time,
    /// Index into `branches`; none for an empty repository.
    pub(crate) default: Option<usize>,
    pub(crate) branches: Vec<Branch>,
    /// Index of the repository it was forked from.
    pub(crate) parent: Option<usize>,
    pub(crate) disabled: Option<Time>,
    pub(crate) deleted: Option<Time>,
    /// From when to when the identity may not see it.
    pub(crate) hidden: Option<(Time, Time)>,
    /// Pipelines that every pull request of the bulk runs.
    pub(crate) validation: Vec<usize>,
    /// The pipeline that builds its branches.
    pub(crate) ci: Option<usize>,
    /// Gets pull requests of the bulk in this share; 0 for none.
    pub(crate) weight: f64,
}

impl Repository {
    /// Its name at `now`.
    pub(crate) fn name(&self, now: Time) -> &str {
        let count = self.names.partition_point(|(at, _)| *at <= now).max(1);
        &self.names[count - 1].1
    }

    /// Its default branch as a full ref.
    pub(crate) fn default_ref(&self) -> Option<String> {
        Some(format!("refs/heads/{}", self.branches.get(self.default?)?.name))
    }

    /// Whether it is in the lists at `now`.
    pub(crate) fn exists(&self, now: Time) -> bool {
        let is_hidden = self.hidden.is_some_and(|(from, to)| from <= now && now < to);
        self.created <= now && self.deleted.is_none_or(|at| at > now) && !is_hidden
    }

    /// Whether its contents may be read at `now`.
    pub(crate) fn is_disabled(&self, now: Time) -> bool {
        self.disabled.is_some_and(|at| at <= now)
    }

    /// Index of the branch with this full ref.
    pub(crate) fn branch(&self, full: &str) -> Option<usize> {
        let name = full.strip_prefix("refs/heads/")?;
        self.branches.iter().position(|branch| branch.name == name)
    }
}

/// How a push came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushKind {
    /// A pull request completed; its position in the bulk's index.
    Pull(u32),
    /// Somebody pushed commits.
    Direct,
    /// Somebody pushed commits that do not descend from the old ones.
    Force,
    /// The branch was made.
    Create,
    /// The branch was deleted.
    Delete,
}

/// A push to a standing branch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PushEntry {
    pub(crate) at: Time,
    pub(crate) kind: PushKind,
    /// Number of the commit, for all but pull requests.
    pub(crate) number: u32,
    pub(crate) by: u32,
}

/// Everything that exists, past and future.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) organization: String,
    pub(crate) organization_id: String,
    /// The web address of the organization.
    pub(crate) base: String,
    /// The newest API version that is taken.
    pub(crate) api_version: &'static str,
    /// The instant the simulation starts at.
    pub(crate) start: Time,
    pub(crate) people: People,
    pub(crate) projects: Vec<Project>,
    pub(crate) repositories: Vec<Repository>,
    pub(crate) definitions: Vec<Definition>,
    pub(crate) policies: Vec<Policy>,
    /// The lives of the named examples; number = index + 1.
    pub(crate) scripted: Vec<Life>,
    /// Runs that belong to no pull request.
    pub(crate) free_runs: Vec<Run>,
    /// Per repository and branch, in order of time.
    pub(crate) pushes: Vec<Vec<Vec<PushEntry>>>,
    pub(crate) bulk: Bulk,
    pub(crate) examples: Examples,
}

impl World {
    /// Whether it is a server of one's own, older than the cloud.
    pub(crate) fn is_old_server(&self) -> bool {
        self.api_version != "7.1"
    }

    /// A GUID of one thing of this organization.
    pub(crate) fn guid(&self, topic: u64, item: u64) -> String {
        guid(self.seed, topic, item)
    }

    /// Index of the project with this name or id.
    pub(crate) fn project(&self, text: &str) -> Option<usize> {
        self.projects.iter().position(|project| {
            project.id.eq_ignore_ascii_case(text) || project.name.eq_ignore_ascii_case(text)
        })
    }

    /// Index of the repository with this id, or with this name within `project`.
    pub(crate) fn repository(
        &self,
        project: Option<usize>,
        text: &str,
        now: Time,
    ) -> Option<usize> {
        self.repositories.iter().position(|repository| {
            repository.exists(now)
                && project.is_none_or(|own| own == repository.project)
                && (repository.id.eq_ignore_ascii_case(text)
                    || project.is_some() && repository.name(now).eq_ignore_ascii_case(text))
        })
    }

    /// Number of the pull request at a position of the bulk's index.
    pub(crate) fn number(&self, position: u32) -> u32 {
        let scripted = u32::try_from(self.scripted.len()).unwrap_or(0);
        if position < scripted { position + 1 } else { position - scripted + FIRST_BULK }
    }

    /// Position of a pull request's number in the bulk's index.
    pub(crate) fn position(&self, number: u32) -> Option<u32> {
        let scripted = u32::try_from(self.scripted.len()).unwrap_or(0);
        let position = match number.checked_sub(FIRST_BULK) {
            Some(bulk) => bulk.checked_add(scripted)?,
            None => number.checked_sub(1).filter(|position| *position < scripted)?,
        };
        ((position as usize) < self.bulk.briefs.len()).then_some(position)
    }

    /// The life of the pull request at a position.
    pub(crate) fn life(&self, position: u32) -> Life {
        match self.scripted.get(position as usize) {
            Some(life) => life.clone(),
            None => super::lives::life(self, position),
        }
    }

    /// The policies that apply to a branch at `now`.
    pub(crate) fn policies_of(
        &self,
        repository: usize,
        ref_name: &str,
        now: Time,
    ) -> impl Iterator<Item = &Policy> {
        let own = &self.repositories[repository];
        let default = own.default_ref();
        let project = own.project;
        let ref_name = ref_name.to_owned();
        self.policies.iter().filter(move |policy| {
            policy.project == project
                && policy.at(now).is_some_and(|(_, revision)| {
                    revision
                        .scope
                        .iter()
                        .any(|scope| scope.applies(repository, &ref_name, default.as_deref()))
                })
        })
    }
}
