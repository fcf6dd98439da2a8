//! Turns entries of the examples into facts of the world.

use super::{Example, Examples, Expected, Who, check};
use crate::simulator::layout::{add_definition, add_policy, add_project};
use crate::simulator::life::{Life, Strategy, What};
use crate::simulator::people::PersonId;
use crate::simulator::policies::{self, Scope, kind};
use crate::simulator::random::Commit;
use crate::simulator::runs::{Attempt, RUNS_PER_PULL, Run};
use crate::simulator::time::{DAY, MINUTE, SECOND, Time};
use crate::simulator::world::{Branch, PushKind, Repository, World};

/// Pipelines of the examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pipe {
    /// `\security\CodeQL`.
    Scan,
    /// `\tests\integration-all`.
    Tests,
    /// `\ci` with the stages Build, Analyze and Deploy.
    Multi,
    /// `\red\audit`.
    Red,
    /// `\blue\audit`.
    Blue,
    /// `\lint`, which no check asks for unless its repository says so.
    Lint,
}

/// A run as an entry states it.
pub(super) struct RunSpec {
    pipe: Pipe,
    result: &'static str,
    finish: i64,
    iteration: Option<u8>,
    reason: &'static str,
    on_source: bool,
    on_github: bool,
    again: Option<(i64, &'static str)>,
    never_ends: bool,
    records: Vec<(String, &'static str)>,
    deleted: Option<i64>,
}

impl RunSpec {
    /// Its result.
    pub(super) fn result(mut self, result: &'static str) -> RunSpec {
        self.result = result;
        self
    }

    /// When it finishes, in minutes from the merge.
    pub(super) fn at(mut self, minutes: i64) -> RunSpec {
        self.finish = minutes;
        self
    }

    /// Which iteration it tests; otherwise the last.
    pub(super) fn of(mut self, iteration: u8) -> RunSpec {
        self.iteration = Some(iteration);
        self
    }

    /// Why it runs; otherwise for the pull request.
    pub(super) fn because(mut self, reason: &'static str) -> RunSpec {
        self.reason = reason;
        self
    }

    /// It runs on the source branch and names no pull request.
    pub(super) fn on_source(mut self) -> RunSpec {
        self.on_source = true;
        self.because("individualCI")
    }

    /// It tests a repository on GitHub whose pull request has the same number.
    pub(super) fn on_github(mut self) -> RunSpec {
        self.on_github = true;
        self
    }

    /// A stage runs again and finishes then, with this result.
    pub(super) fn again(mut self, minutes: i64, result: &'static str) -> RunSpec {
        self.again = Some((minutes, result));
        self
    }

    /// It begins and does not end.
    pub(super) fn never_ends(mut self) -> RunSpec {
        self.never_ends = true;
        self
    }

    /// The result of one stage, job or task.
    pub(super) fn record(mut self, name: &str, result: &'static str) -> RunSpec {
        self.records.push((name.to_owned(), result));
        self
    }

    /// Somebody deletes it then.
    pub(super) fn deleted(mut self, minutes: i64) -> RunSpec {
        self.deleted = Some(minutes);
        self
    }
}

/// How an entry's pull request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Merged { by: Who, bypass: bool, external: bool },
    Abandoned,
    Open,
}

/// An entry in the making: a flawless pull request and what is different about it.
pub(super) struct Case {
    name: &'static str,
    cast: PersonId,
    author: Who,
    target: String,
    from_fork: bool,
    is_draft: bool,
    opened: i64,
    merged: Option<Time>,
    end: End,
    approves: bool,
    auto: Vec<Pipe>,
    auto_status: bool,
    events: Vec<(i64, What)>,
    runs: Vec<RunSpec>,
    changes: Vec<(String, &'static str, Option<String>)>,
    is_policy_not_applicable: bool,
    settled: i64,
    expected: Vec<Expected>,
}

impl Case {
    fn id(&self, who: Who) -> PersonId {
        self.cast + who as usize
    }

    fn at(mut self, minutes: i64, what: What) -> Case {
        self.events.push((minutes, what));
        self
    }

    /// Who opens it.
    pub(super) fn author(mut self, who: Who) -> Case {
        self.author = who;
        self
    }

    /// Short name of the target branch.
    pub(super) fn into(mut self, branch: &str) -> Case {
        self.target = format!("refs/heads/{branch}");
        self
    }

    /// The source branch is in a fork.
    pub(super) fn from_fork(mut self) -> Case {
        self.from_fork = true;
        self
    }

    /// It is opened as a draft.
    pub(super) fn draft(mut self) -> Case {
        self.is_draft = true;
        self
    }

    /// Minutes before the merge at which it is opened.
    pub(super) fn opened(mut self, minutes: i64) -> Case {
        self.opened = minutes;
        self
    }

    /// When it is merged (or abandoned).
    pub(super) fn merged(mut self, at: Time) -> Case {
        self.merged = Some(at);
        self
    }

    /// It is abandoned.
    pub(super) fn abandoned(mut self) -> Case {
        self.end = End::Abandoned;
        self
    }

    /// It stays open.
    pub(super) fn open(mut self) -> Case {
        self.end = End::Open;
        self
    }

    /// It is completed by a direct push: no thread tells of it.
    pub(super) fn external(mut self) -> Case {
        self.end = End::Merged { by: Who::Author, bypass: false, external: true };
        self
    }

    /// It is completed by overriding the policies.
    pub(super) fn bypassed(mut self) -> Case {
        self.end = End::Merged { by: Who::Author, bypass: true, external: false };
        self
    }

    /// Nobody approves unless it is said.
    pub(super) fn unapproved(mut self) -> Case {
        self.approves = false;
        self
    }

    /// Somebody votes.
    pub(super) fn vote(self, minutes: i64, who: Who, vote: i32) -> Case {
        let who = self.id(who);
        self.at(minutes, What::Vote { who, vote, in_threads: true, groups: Vec::new() })
    }

    /// Somebody votes, and no thread tells of it.
    pub(super) fn silent_vote(self, minutes: i64, who: Who, vote: i32) -> Case {
        let who = self.id(who);
        self.at(minutes, What::Vote { who, vote, in_threads: false, groups: Vec::new() })
    }

    /// Somebody votes as a member of the team, whose row shows the vote too.
    pub(super) fn team_vote(self, minutes: i64, who: Who, vote: i32) -> Case {
        let (who, team) = (self.id(who), self.id(Who::Team));
        self.at(minutes, What::Vote { who, vote, in_threads: true, groups: vec![team] })
    }

    /// Somebody declines to review.
    pub(super) fn decline(self, minutes: i64, who: Who) -> Case {
        let who = self.id(who);
        self.at(minutes, What::Decline { who })
    }

    /// Somebody is taken off the reviewers.
    pub(super) fn remove(self, minutes: i64, who: Who) -> Case {
        let who = self.id(who);
        self.at(minutes, What::Remove { who })
    }

    /// All votes go back to 0.
    pub(super) fn reset_all(self, minutes: i64) -> Case {
        let by = self.id(Who::Author);
        self.at(minutes, What::Reset { who: None, by })
    }

    /// The votes of those named go back to 0.
    pub(super) fn reset(self, minutes: i64, who: Who) -> Case {
        let (who, by) = (Some(vec![self.id(who)]), self.id(Who::Author));
        self.at(minutes, What::Reset { who, by })
    }

    /// A vote goes back to 0 without a trace.
    pub(super) fn silent_reset(self, minutes: i64, who: Who) -> Case {
        let who = self.id(who);
        self.at(minutes, What::SilentReset { who })
    }

    /// Somebody pushes their own commits to the source branch.
    pub(super) fn push(self, minutes: i64, who: Who) -> Case {
        let by = self.id(who);
        self.at(minutes, What::Push { by, author: by, reason: "push", commits: 1 })
    }

    /// The target branch changes.
    pub(super) fn retarget(self, minutes: i64, branch: &str) -> Case {
        let by = self.id(Who::Author);
        self.at(minutes, What::Retarget { by, target: format!("refs/heads/{branch}") })
    }

    /// A label is put on.
    pub(super) fn label(self, minutes: i64, name: &str) -> Case {
        self.at(minutes, What::Label { name: name.to_owned(), active: true })
    }

    /// A label is put on that is not active.
    pub(super) fn inactive_label(self, minutes: i64, name: &str) -> Case {
        self.at(minutes, What::Label { name: name.to_owned(), active: false })
    }

    /// A label is taken off.
    pub(super) fn unlabel(self, minutes: i64, name: &str) -> Case {
        self.at(minutes, What::Unlabel { name: name.to_owned() })
    }

    /// It is abandoned and opened again.
    pub(super) fn pause(self, from: i64, to: i64) -> Case {
        let by = self.id(Who::Author);
        self.at(from, What::Abandon { by }).at(to, What::Reactivate { by })
    }

    /// The status of the dependency check is not posted by itself.
    pub(super) fn without_status(mut self) -> Case {
        self.auto_status = false;
        self
    }

    /// A status is posted: `genre/name`, bound to an iteration or to none.
    pub(super) fn status(
        self,
        minutes: i64,
        name: &str,
        state: &'static str,
        iteration: Option<u8>,
    ) -> Case {
        let (genre, name) = name
            .split_once('/')
            .map_or((None, name), |(genre, name)| (Some(genre.to_owned()), name));
        let (name, by) = (name.to_owned(), self.id(Who::Robot));
        self.without_status().at(minutes, What::Status { genre, name, state, iteration, by })
    }

    /// This pipeline does not run by itself.
    pub(super) fn without(mut self, pipe: Pipe) -> Case {
        self.auto.retain(|own| *own != pipe);
        self
    }

    /// This pipeline runs by itself, as the others do.
    pub(super) fn with(mut self, pipe: Pipe) -> Case {
        self.auto.push(pipe);
        self
    }

    /// This pipeline runs as stated, in place of the run it would have had.
    pub(super) fn run(mut self, pipe: Pipe, state: impl FnOnce(RunSpec) -> RunSpec) -> Case {
        self.runs.push(state(spec(pipe)));
        self.without(pipe)
    }

    /// What it changes, in place of one source file.
    pub(super) fn changes(
        mut self,
        path: &str,
        kind: &'static str,
        original: Option<&str>,
    ) -> Case {
        self.changes.push((path.to_owned(), kind, original.map(str::to_owned)));
        self
    }

    /// The build validation of the scan says that it does not apply.
    pub(super) fn policy_not_applicable(mut self) -> Case {
        self.is_policy_not_applicable = true;
        self
    }

    /// Minutes after the merge from which on the verdicts hold.
    pub(super) fn settled(mut self, minutes: i64) -> Case {
        self.settled = minutes;
        self
    }

    /// What a check answers, where it is not that everything is fine.
    pub(super) fn expect(
        mut self,
        check: &'static str,
        status: &'static str,
        reason: &'static str,
    ) -> Case {
        self.expected.retain(|own| own.check != check);
        self.expected.push(Expected { check, status, reason });
        self
    }

    /// A check fails.
    pub(super) fn fails(self, check: &'static str, reason: &'static str) -> Case {
        self.expect(check, "fail", reason)
    }

    /// All four checks of pull requests answer this.
    pub(super) fn all(mut self, status: &'static str, reason: &'static str) -> Case {
        for expected in &mut self.expected {
            (expected.status, expected.reason) = (status, reason);
        }
        self
    }

    /// It is not in the population.
    pub(super) fn out(self) -> Case {
        self.all("none", "")
    }
}

fn spec(pipe: Pipe) -> RunSpec {
    RunSpec {
        pipe,
        result: "succeeded",
        finish: -120,
        iteration: None,
        reason: "pullRequest",
        on_source: false,
        on_github: false,
        again: None,
        never_ends: false,
        records: Vec::new(),
        deleted: None,
    }
}

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
        let good = |check, reason| Expected { check, status: "pass", reason };
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
            pull: (!on_source).then_some((id, iteration)),
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
        let start = self.world.start;
        self.tell(
            name,
            repository,
            None,
            branch.map(str::to_owned),
            start,
            vec![Expected { check, status, reason }],
        );
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
