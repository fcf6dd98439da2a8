//! Turns entries of the examples into facts of the world.

use super::case::{Case, End, Pipe, RunSpec, spec};
use super::{Example, Examples, Expected, Who, check};
use crate::simulator::layout::{add_definition, add_policy, add_project};
use crate::simulator::life::{Life, Strategy, What};
use crate::simulator::people::PersonId;
use crate::simulator::policies::{self, Scope, kind};
use crate::simulator::random::Commit;
use crate::simulator::runs::{Attempt, RUNS_PER_PULL, Run};
use crate::simulator::time::{DAY, MINUTE, SECOND, Time};
use crate::simulator::world::{Branch, PushKind, Repository, World};

/// The examples in the making.
pub(super) struct Book<'a> {
    pub(super) world: &'a mut World,
    cast: PersonId,
    pub(super) project: usize,
    repository: usize,
    pipes: usize,
    /// Policies whose evaluation an entry may declare not applicable.
    scan_policy: Option<u32>,
    examples: Examples,
}

impl<'a> Book<'a> {
    /// Adds the project `examples` with its pipelines, and a policy for the branch `main` of all its repositories.
    pub(super) fn new(world: &'a mut World, cast: PersonId) -> Book<'a> {
        let project = add_project(world, "examples");
        let pipes = world.definitions.len();
        let one: &[(&str, &[&str])] = &[("Run", &["Job"])];
        let multi: &[(&str, &[&str])] =
            &[("Build", &["Compile"]), ("Analyze", &["Static analysis"]), ("Deploy", &["Push"])];
        let own = world.repositories.len();
        for (folder, name, repository, stages) in [
            ("\\security", "CodeQL", Some(own), one),
            ("\\tests", "integration-all", Some(own), one),
            ("\\", "ci", Some(own), multi),
            ("\\red", "audit", Some(own), one),
            ("\\blue", "audit", Some(own), one),
            ("\\", "lint", Some(own), one),
        ] {
            add_definition(world, project, folder, name, repository, stages);
        }
        let main = Scope {
            repository: None,
            ref_name: Some("refs/heads/main".to_owned()),
            match_kind: Some("exact"),
        };
        let settings = policies::reviewers(1, false, &["resetOnSourcePush", "blockLastPusherVote"]);
        add_policy(world, project, kind::REVIEWERS, settings, vec![main]);
        Book {
            world,
            cast,
            project,
            repository: 0,
            pipes,
            scan_policy: None,
            examples: Examples::default(),
        }
    }

    /// Starts a group: a repository of this name with the branch `main` and the others named.
    pub(super) fn group(&mut self, name: &str, branches: &[&str]) -> usize {
        let index = self.world.repositories.len();
        let created = self.world.start.plus(-700 * DAY);
        let branch = |name: &&str| Branch {
            name: (*name).to_owned(),
            created,
            deleted: None,
            is_locked: false,
        };
        self.world.repositories.push(Repository {
            id: self.world.guid(4, index as u64),
            project: self.project,
            names: vec![(created, name.to_owned())],
            created,
            default: Some(0),
            branches: std::iter::once(&"main").chain(branches).map(branch).collect(),
            parent: None,
            disabled: None,
            deleted: None,
            hidden: None,
            validation: Vec::new(),
            ci: None,
            weight: 0.0,
        });
        (self.repository, self.scan_policy) = (index, None);
        index
    }

    /// Adds a fork of the group's repository; it must follow the group at once.
    pub(super) fn fork(&mut self, name: &str) {
        let parent = self.repository;
        let fork = self.group(name, &[]);
        self.world.repositories[fork].parent = Some(parent);
        self.settings("in-scope = false");
        self.repository = parent;
    }

    /// The branch `main` of the group's repository demands the scan.
    pub(super) fn validate(&mut self) {
        let definition = self.pipes + Pipe::Scan as usize;
        let settings =
            policies::build(self.world.definitions[definition].id, "CodeQL", &["/src/*"]);
        let scope = vec![Scope::exact(self.repository, "main")];
        let policy = add_policy(self.world, self.project, kind::BUILD, settings, scope);
        self.world.policies[policy].definition = Some(definition);
        self.scan_policy = Some(self.world.policies[policy].id);
    }

    /// Adds to the config file.
    pub(super) fn config(&mut self, text: &str) {
        self.examples.config.push_str(text);
        self.examples.config.push('\n');
    }

    /// Settings of the group's repository, as TOML lines.
    pub(super) fn settings(&mut self, lines: &str) {
        let (organization, name) =
            (&self.world.organization, &self.world.repositories[self.repository].names[0].1);
        let text = format!("[[repository]]\nmatch = \"{organization}/examples/{name}\"\n{lines}\n");
        self.config(&text);
    }

    /// Begins an entry: merged into `main` three days ago, approved, with everything green.
    pub(super) fn case(&self, name: &'static str) -> Case {
        let good = |check, reason| Expected::new(check, "pass", reason);
        Case {
            name,
            cast: self.cast,
            author: Who::Author,
            target: "refs/heads/main".to_owned(),
            from_fork: false,
            is_draft: false,
            opened: -2_880,
            merged: None,
            end: End::Merged { by: Who::Other, bypass: false, external: false },
            approves: true,
            auto: vec![Pipe::Scan, Pipe::Tests],
            auto_status: true,
            events: Vec::new(),
            runs: Vec::new(),
            changes: Vec::new(),
            is_policy_not_applicable: false,
            settled: 0,
            expected: vec![
                good(check::APPROVED, "APPROVED"),
                good(check::SAST, "RUN_SUCCEEDED"),
                good(check::TESTS, "RUN_SUCCEEDED"),
                good(check::DEPENDENCIES, "STATUS_SUCCEEDED"),
            ],
        }
    }

    /// The number that the next entry's pull request gets.
    pub(super) fn next_number(&self) -> u32 {
        u32::try_from(self.world.scripted.len() + 1).unwrap_or(u32::MAX)
    }

    /// Adds an entry and returns the position of its pull request.
    pub(super) fn add(&mut self, mut case: Case) -> u32 {
        let id = self.next_number();
        let merged =
            case.merged.unwrap_or(self.world.start.plus(-3 * DAY + i64::from(id) * MINUTE));
        let at = |minutes: i64| merged.plus(minutes * MINUTE);
        let author = case.id(case.author);
        case.events
            .push((case.opened, What::Push { by: author, author, reason: "create", commits: 2 }));
        if case.approves {
            case.events.push((
                -60,
                What::Vote {
                    who: case.id(Who::Reviewer),
                    vote: 10,
                    in_threads: true,
                    groups: Vec::new(),
                },
            ));
        }
        let is_iteration = |what: &What| matches!(what, What::Push { .. } | What::Retarget { .. });
        let pushes =
            case.events.iter().filter(|(minutes, what)| is_iteration(what) && *minutes <= 0);
        let iterations = u8::try_from(pushes.clone().count()).unwrap_or(1);
        let last = pushes.map(|(minutes, _)| *minutes).max().unwrap_or(case.opened);
        if case.auto_status {
            let (genre, name, by) =
                (Some("snyk".to_owned()), "open-source".to_owned(), case.id(Who::Robot));
            let status =
                What::Status { genre, name, state: "succeeded", iteration: Some(iterations), by };
            case.events.push((last + 3, status));
        }
        for pipe in std::mem::take(&mut case.auto) {
            case.runs.push(spec(pipe).at((last + 20).min(-1)));
        }
        let mut events: Vec<(Time, What)> =
            case.events.drain(..).map(|(minutes, what)| (at(minutes), what)).collect();
        match case.end {
            End::Merged { by, bypass, external } => {
                let bypass = bypass.then(|| "the checks were stuck".to_owned());
                events.push((merged, What::Complete { by: case.id(by), bypass, external }));
            }
            End::Abandoned => events.push((merged, What::Abandon { by: author })),
            End::Open => {}
        }
        events.sort_by_key(|(at, _)| *at);
        let runs = case
            .runs
            .iter()
            .enumerate()
            .map(|(index, spec)| self.run(&case, spec, (id, index), iterations, &at));
        let life = Life {
            id,
            repository: self.repository,
            fork: case.from_fork.then_some(self.repository + 1),
            title: format!("Example: {}", case.name),
            description: String::new(),
            author,
            source: format!("refs/heads/topic/{}", case.name),
            target: case.target.clone(),
            is_draft: case.is_draft,
            strategy: Some(Strategy::Squash),
            changes: if case.changes.is_empty() {
                vec![("/src/main.rs".to_owned(), "edit", None)]
            } else {
                case.changes.clone()
            },
            not_applicable: self
                .scan_policy
                .filter(|_| case.is_policy_not_applicable)
                .into_iter()
                .collect(),
            events,
            runs: runs.collect(),
        };
        self.world.scripted.push(life);
        let repository = self.repository;
        let settled = at(case.settled).max(self.world.start);
        self.tell(case.name, repository, Some(id), None, settled, case.expected);
        id - 1
    }

    fn run(
        &self,
        case: &Case,
        spec: &RunSpec,
        (id, index): (u32, usize),
        last: u8,
        at: &impl Fn(i64) -> Time,
    ) -> Run {
        let iteration = spec.iteration.unwrap_or(last);
        let finish = at(spec.finish);
        let start = finish.plus(-10 * MINUTE);
        let finish = if spec.never_ends { Time::NEVER } else { finish };
        let mut attempts = vec![Attempt { start, finish, result: spec.result }];
        if let Some((minutes, result)) = spec.again {
            let finish = at(minutes);
            attempts.push(Attempt { start: finish.plus(-5 * MINUTE), finish, result });
        }
        let on_source = spec.on_source;
        Run {
            id: id * RUNS_PER_PULL + u32::try_from(index).unwrap_or(0),
            definition: self.pipes + spec.pipe as usize,
            reason: spec.reason,
            queued: start.plus(-30 * SECOND),
            attempts,
            branch: if on_source {
                format!("refs/heads/topic/{}", case.name)
            } else {
                format!("refs/pull/{id}/merge")
            },
            commit: if on_source {
                Commit::Source(id, iteration)
            } else {
                Commit::Merge(id, iteration)
            },
            pull: (!on_source && !spec.says_nothing).then_some((id, iteration)),
            repository: (!spec.on_github).then_some(if on_source && case.from_fork {
                self.repository + 1
            } else {
                self.repository
            }),
            by: case.id(case.author),
            records: spec.records.clone(),
            deleted: spec.deleted.map(at),
        }
    }

    /// Adds a branch of the group's repository; it is there since long ago. Returns its index.
    pub(super) fn branch(&mut self, name: &str) -> usize {
        let created = self.world.start.plus(-700 * DAY);
        let branches = &mut self.world.repositories[self.repository].branches;
        branches.push(Branch { name: name.to_owned(), created, deleted: None, is_locked: false });
        branches.len() - 1
    }

    /// Adds a push to a branch of the group's repository, days from the start; `pull` is the position of the pull
    /// request that its commit belongs to.
    pub(super) fn push(&mut self, branch: usize, days: i64, kind: PushKind, pull: Option<u32>) {
        let at = self.world.start.plus(days * DAY + branch as i64 * MINUTE);
        self.examples.pushes.push((self.repository, branch, at, kind, pull));
    }

    /// Notes what is expected of a branch of a repository.
    pub(super) fn expect_branch(
        &mut self,
        name: &'static str,
        repository: usize,
        branch: Option<&str>,
        (check, status, reason): (&'static str, &'static str, &'static str),
    ) {
        self.expect_branch_from(0, name, repository, branch, Expected::new(check, status, reason));
    }

    /// Notes what is expected of a branch from some day after the start on.
    pub(super) fn expect_branch_from(
        &mut self,
        day: i64,
        name: &'static str,
        repository: usize,
        branch: Option<&str>,
        expected: Expected,
    ) {
        let settled = self.world.start.plus(day * DAY);
        self.tell(name, repository, None, branch.map(str::to_owned), settled, vec![expected]);
    }

    fn tell(
        &mut self,
        name: &'static str,
        repository: usize,
        pull_request: Option<u32>,
        branch: Option<String>,
        settled: Time,
        expected: Vec<Expected>,
    ) {
        let repository = self.world.repositories[repository].names[0].1.clone();
        let (project, settled_at) = ("examples".to_owned(), settled.to_utc());
        self.examples.list.push(Example {
            name,
            project,
            repository,
            pull_request,
            branch,
            settled_at,
            expected,
        });
    }

    /// All examples.
    pub(super) fn finish(self) -> Examples {
        self.examples
    }
}
