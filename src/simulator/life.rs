//! The life of a pull request as a list of dated facts, and what of it is visible at a given time.

use super::people::PersonId;
use super::random::Commit;
use super::runs::Run;
use super::time::Time;

/// How a pull request ends up on its target branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// A merge commit.
    NoFastForward,
    /// One squashed commit.
    Squash,
    /// Rebased commits.
    Rebase,
    /// Rebased commits under a merge commit.
    RebaseMerge,
}

impl Strategy {
    /// The word of the API.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Strategy::NoFastForward => "noFastForward",
            Strategy::Squash => "squash",
            Strategy::Rebase => "rebase",
            Strategy::RebaseMerge => "rebaseMerge",
        }
    }
}

/// Something that happens to a pull request.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A push to the source branch: a new iteration. `author` wrote the commits.
    Push { by: PersonId, author: PersonId, reason: &'static str, commits: u8 },
    /// The target branch changes: a new iteration without a push.
    Retarget { by: PersonId, target: String },
    /// Somebody is asked to review; a group names no vote of its own.
    Invite { who: PersonId, required: bool },
    /// A vote; `in_threads` is false where no vote event is kept. `groups` are those it stands for.
    Vote { who: PersonId, vote: i32, in_threads: bool, groups: Vec<PersonId> },
    /// The reviewer declines.
    Decline { who: PersonId },
    /// The reviewer vanishes from the list.
    Remove { who: PersonId },
    /// Votes go back to 0: all, or those named.
    Reset { who: Option<Vec<PersonId>>, by: PersonId },
    /// Votes go back to 0 and nothing tells of it.
    SilentReset { who: PersonId },
    /// A label appears.
    Label { name: String, active: bool },
    /// A label goes away.
    Unlabel { name: String },
    /// A status is posted.
    Status {
        genre: Option<String>,
        name: String,
        state: &'static str,
        iteration: Option<u8>,
        by: PersonId,
    },
    /// Whoever posted a status deletes all of that name.
    Unpost { genre: Option<String>, name: String },
    /// A comment of a person.
    Comment { by: PersonId, text: String },
    /// Left draft.
    Publish { by: PersonId },
    /// Abandoned.
    Abandon { by: PersonId },
    /// Active again.
    Reactivate { by: PersonId },
    /// Completed; `bypass` is the reason given for overriding policies, `external` = by a direct push.
    Complete { by: PersonId, bypass: Option<String>, external: bool },
}

/// Everything that happens to one pull request, past and future.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Its number.
    pub(crate) id: u32,
    /// Index of the target repository.
    pub(crate) repository: usize,
    /// Index of the repository the source branch is in, when that is a fork.
    pub(crate) fork: Option<usize>,
    /// Title.
    pub(crate) title: String,
    /// Description.
    pub(crate) description: String,
    /// Who opened it.
    pub(crate) author: PersonId,
    /// Full source ref.
    pub(crate) source: String,
    /// Full target ref when it was opened.
    pub(crate) target: String,
    /// Opened as a draft.
    pub(crate) is_draft: bool,
    /// Chosen merge strategy.
    pub(crate) strategy: Option<Strategy>,
    /// Paths changed, each with its change type and former path.
    pub(crate) changes: Vec<(String, &'static str, Option<String>)>,
    /// Ids of policies whose evaluation is `notApplicable`.
    pub(crate) not_applicable: Vec<u32>,
    /// What happens, in order of time; the first is the push that opens it.
    pub(crate) events: Vec<(Time, What)>,
    /// Runs of pipelines for it.
    pub(crate) runs: Vec<Run>,
}

/// A reviewer as visible at a time.
#[derive(Clone, Debug)]
pub(crate) struct Reviewer {
    pub(crate) who: PersonId,
    pub(crate) vote: i32,
    pub(crate) is_required: bool,
    pub(crate) has_declined: bool,
    pub(crate) voted_for: Vec<PersonId>,
}

/// An iteration as visible at a time.
#[derive(Clone, Debug)]
pub(crate) struct Iteration {
    pub(crate) number: u8,
    pub(crate) at: Time,
    pub(crate) by: PersonId,
    pub(crate) author: PersonId,
    pub(crate) reason: &'static str,
    pub(crate) commits: u8,
    /// The iteration whose push made the source commit: itself, or an earlier one for a retarget.
    pub(crate) source: u8,
    pub(crate) retarget: Option<(String, String)>,
}

/// How a pull request was closed.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) at: Time,
    pub(crate) by: PersonId,
    pub(crate) is_completed: bool,
    pub(crate) bypass: Option<String>,
}

/// A pull request at a time.
pub(crate) struct View<'a> {
    pub(crate) life: &'a Life,
    pub(crate) target: String,
    pub(crate) is_draft: bool,
    pub(crate) closed: Option<Closed>,
    pub(crate) reviewers: Vec<Reviewer>,
    pub(crate) labels: Vec<(&'a str, bool)>,
    pub(crate) iterations: Vec<Iteration>,
    /// The events that have happened.
    pub(crate) past: &'a [(Time, What)],
}

impl Life {
    /// When it was opened.
    pub(crate) fn created(&self) -> Time {
        self.events.first().map_or(Time::NEVER, |(at, _)| *at)
    }

    /// When it is completed or abandoned for good, and whether it was completed.
    pub(crate) fn end(&self) -> Option<(Time, bool)> {
        self.events.iter().rev().find_map(|(at, what)| match what {
            What::Complete { .. } => Some(Some((*at, true))),
            What::Abandon { .. } => Some(Some((*at, false))),
            What::Reactivate { .. } => Some(None),
            _ => None,
        })?
    }

    /// Spans in which it was abandoned and then opened again.
    pub(crate) fn pauses(&self) -> Vec<(Time, Time)> {
        let mut pauses = Vec::new();
        let mut since = None;
        for (at, what) in &self.events {
            match what {
                What::Abandon { .. } => since = Some(*at),
                What::Reactivate { .. } => pauses.extend(since.take().map(|start| (start, *at))),
                _ => {}
            }
        }
        pauses
    }

    /// The pull request as visible at `now`.
    pub(crate) fn at(&self, now: Time) -> View<'_> {
        let past = &self.events[..self.events.partition_point(|(at, _)| *at <= now)];
        let mut view = View {
            life: self,
            target: self.target.clone(),
            is_draft: self.is_draft,
            closed: None,
            reviewers: Vec::new(),
            labels: Vec::new(),
            iterations: Vec::new(),
            past,
        };
        for (at, what) in past {
            view.apply(*at, what);
        }
        view
    }
}

impl<'a> View<'a> {
    fn apply(&mut self, at: Time, what: &'a What) {
        match what {
            What::Push { by, author, reason, commits } => {
                let number = u8::try_from(self.iterations.len() + 1).unwrap_or(u8::MAX);
                let (by, author, commits) = (*by, *author, *commits);
                self.iterations.push(Iteration {
                    number,
                    at,
                    by,
                    author,
                    reason,
                    commits,
                    source: number,
                    retarget: None,
                });
            }
            What::Retarget { by, target } => {
                let number = u8::try_from(self.iterations.len() + 1).unwrap_or(u8::MAX);
                let source = self.iterations.last().map_or(1, |last| last.source);
                let retarget =
                    Some((std::mem::replace(&mut self.target, target.clone()), target.clone()));
                self.iterations.push(Iteration {
                    number,
                    at,
                    by: *by,
                    author: *by,
                    reason: "retarget",
                    commits: 0,
                    source,
                    retarget,
                });
            }
            What::Invite { who, required } => self.reviewer(*who).is_required = *required,
            What::Vote { who, vote, groups, .. } => {
                let reviewer = self.reviewer(*who);
                (reviewer.vote, reviewer.has_declined) = (*vote, false);
                reviewer.voted_for.clone_from(groups);
                for group in groups {
                    self.reviewer(*group).vote = *vote;
                }
            }
            What::Decline { who } => self.reviewer(*who).has_declined = true,
            What::Remove { who } => self.reviewers.retain(|reviewer| reviewer.who != *who),
            What::Reset { who, .. } => {
                for reviewer in &mut self.reviewers {
                    if who.as_ref().is_none_or(|named| named.contains(&reviewer.who)) {
                        reviewer.vote = 0;
                    }
                }
            }
            What::SilentReset { who } => self.reviewer(*who).vote = 0,
            What::Label { name, active } => {
                self.labels.retain(|(label, _)| label != name);
                self.labels.push((name, *active));
            }
            What::Unlabel { name } => self.labels.retain(|(label, _)| label != name),
            What::Publish { .. } => self.is_draft = false,
            What::Abandon { by } => {
                self.closed = Some(Closed { at, by: *by, is_completed: false, bypass: None });
            }
            What::Reactivate { .. } => self.closed = None,
            What::Complete { by, bypass, .. } => {
                self.closed =
                    Some(Closed { at, by: *by, is_completed: true, bypass: bypass.clone() });
            }
            What::Status { .. } | What::Unpost { .. } | What::Comment { .. } => {}
        }
    }

    fn reviewer(&mut self, who: PersonId) -> &mut Reviewer {
        let index =
            self.reviewers.iter().position(|reviewer| reviewer.who == who).unwrap_or_else(|| {
                self.reviewers.push(Reviewer {
                    who,
                    vote: 0,
                    is_required: false,
                    has_declined: false,
                    voted_for: Vec::new(),
                });
                self.reviewers.len() - 1
            });
        &mut self.reviewers[index]
    }

    /// The word of the API for its state.
    pub(crate) fn status(&self) -> &'static str {
        match &self.closed {
            None => "active",
            Some(closed) if closed.is_completed => "completed",
            Some(_) => "abandoned",
        }
    }

    /// The last iteration's number.
    pub(crate) fn last(&self) -> u8 {
        self.iterations.last().map_or(1, |iteration| iteration.number)
    }

    /// The iteration whose push made the head of the source branch.
    pub(crate) fn source_iteration(&self) -> u8 {
        self.iterations.last().map_or(1, |iteration| iteration.source)
    }

    /// The head of the source branch.
    pub(crate) fn source_commit(&self) -> Commit {
        Commit::Source(self.life.id, self.source_iteration())
    }

    /// The target's head that the last merge was tried on.
    pub(crate) fn base_commit(&self) -> Commit {
        Commit::Base(self.life.id, self.last())
    }

    /// The landed commit once completed, else the speculative merge.
    pub(crate) fn merge_commit(&self) -> Commit {
        match &self.closed {
            Some(closed) if closed.is_completed => Commit::Landed(self.life.id),
            _ => Commit::Merge(self.life.id, self.last()),
        }
    }
}
