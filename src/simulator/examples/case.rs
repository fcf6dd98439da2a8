//! What an entry of the examples can say: a flawless pull request and what is different about it.

use super::{Expected, Who};
use crate::simulator::life::What;
use crate::simulator::people::PersonId;
use crate::simulator::time::Time;

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
    pub(super) pipe: Pipe,
    pub(super) result: &'static str,
    pub(super) finish: i64,
    pub(super) iteration: Option<u8>,
    pub(super) reason: &'static str,
    pub(super) on_source: bool,
    pub(super) on_github: bool,
    pub(super) again: Option<(i64, &'static str)>,
    pub(super) never_ends: bool,
    pub(super) says_nothing: bool,
    pub(super) records: Vec<(String, &'static str)>,
    pub(super) deleted: Option<i64>,
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

    /// It does not say which commit it tests.
    pub(super) fn says_nothing(mut self) -> RunSpec {
        self.says_nothing = true;
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
pub(super) enum End {
    Merged { by: Who, bypass: bool, external: bool },
    Abandoned,
    Open,
}

/// An entry in the making: a flawless pull request and what is different about it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) cast: PersonId,
    pub(super) author: Who,
    pub(super) target: String,
    pub(super) from_fork: bool,
    pub(super) is_draft: bool,
    pub(super) opened: i64,
    pub(super) merged: Option<Time>,
    pub(super) end: End,
    pub(super) approves: bool,
    pub(super) auto: Vec<Pipe>,
    pub(super) auto_status: bool,
    pub(super) events: Vec<(i64, What)>,
    pub(super) runs: Vec<RunSpec>,
    pub(super) changes: Vec<(String, &'static str, Option<String>)>,
    pub(super) is_policy_not_applicable: bool,
    pub(super) settled: i64,
    pub(super) expected: Vec<Expected>,
}

impl Case {
    pub(super) fn id(&self, who: Who) -> PersonId {
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
    pub(super) fn forked(mut self) -> Case {
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

    /// The author pushes what somebody else wrote.
    pub(super) fn push_of(self, minutes: i64, who: Who) -> Case {
        let (by, author) = (self.id(Who::Author), self.id(who));
        self.at(minutes, What::Push { by, author, reason: "push", commits: 1 })
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

    /// Whoever posted the statuses of that name deletes them.
    pub(super) fn unpost(self, minutes: i64, name: &str) -> Case {
        let (genre, name) =
            name.split_once('/').map_or((None, name), |(genre, name)| (Some(genre), name));
        let (genre, name) = (genre.map(str::to_owned), name.to_owned());
        self.at(minutes, What::Unpost { genre, name })
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
        self.expected.push(Expected::new(check, status, reason));
        self
    }

    fn of(&mut self, check: &'static str) -> impl Iterator<Item = &mut Expected> {
        self.expected.iter_mut().filter(move |own| own.check == check)
    }

    /// The flags that a check gives under profile `standard`.
    pub(super) fn flags(mut self, check: &'static str, flags: &'static str) -> Case {
        self.of(check).for_each(|own| own.flags = Some(flags));
        self
    }

    /// What a check answers under profile `strict`, where that is something else.
    pub(super) fn strictly(
        mut self,
        check: &'static str,
        status: &'static str,
        reason: &'static str,
    ) -> Case {
        self.of(check).for_each(|own| own.strict = Some((status, reason)));
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

    /// An emergency label exempts it under profile `standard` only, with or without a flag.
    pub(super) fn exempt_by_label(mut self, is_strict: bool, flags: &'static str) -> Case {
        for own in &mut self.expected {
            own.strict = (!is_strict).then_some((own.status, own.reason));
            (own.status, own.reason, own.flags) = ("exempt", "EMERGENCY_LABEL", Some(flags));
        }
        self
    }

    /// It is not in the population.
    pub(super) fn out(self) -> Case {
        self.all("none", "")
    }
}

pub(super) fn spec(pipe: Pipe) -> RunSpec {
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
        says_nothing: false,
        records: Vec::new(),
        deleted: None,
    }
}
