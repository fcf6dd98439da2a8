//! Compares the verdicts of two runs.

use std::cmp::Ordering;

use super::finding::{Finding, Findings};

/// What became of one resource.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// Its status is another one.
    Flipped {
        /// The verdict before.
        before: Box<Finding<'a>>,
        /// The verdict now.
        after: Finding<'a>,
    },
    /// It was not judged before.
    Appeared(Finding<'a>),
    /// It is no longer judged.
    Left(Finding<'a>),
}

/// How two runs differ.
#[derive(Debug, Default)]
pub struct Diff<'a> {
    /// In order of the findings.
    pub changes: Vec<Change<'a>>,
    /// How many verdicts have the same status.
    pub same: u64,
    /// How many of them have another reason or other flags.
    pub reworded: u64,
    /// Checks of which only one of the runs has verdicts, sorted.
    pub uncompared: Vec<&'a str>,
}

impl<'a> Change<'a> {
    /// Returns the verdict that stands now, or stood last.
    #[must_use]
    pub const fn finding(&self) -> &Finding<'a> {
        match self {
            Self::Flipped { after, .. } => after,
            Self::Appeared(finding) | Self::Left(finding) => finding,
        }
    }
}

/// Compares runs check by check; checks that only one of them ran are named and left out.
#[must_use]
pub fn diff<'a>(before: &'a [Findings], after: &'a [Findings]) -> Diff<'a> {
    let mut diff = Diff::default();
    let of = |all: &'a [Findings], id: &str| all.iter().find(|one| one.check_id() == id);
    for findings in after {
        match of(before, findings.check_id()) {
            Some(earlier) => diff.add(earlier, findings),
            None => diff.uncompared.push(findings.check_id()),
        }
    }
    let ids = before.iter().map(Findings::check_id);
    diff.uncompared.extend(ids.filter(|id| of(after, id).is_none()));
    diff.uncompared.sort_unstable();
    diff
}

impl<'a> Diff<'a> {
    /// Walks through both lists at once: they are in the same order.
    fn add(&mut self, before: &'a Findings, after: &'a Findings) {
        let mut before = before.iter().peekable();
        let mut after = after.iter().peekable();
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(other)) => key(one).cmp(&key(other)),
            };
            let earlier = if order.is_le() { before.next() } else { None };
            let later = if order.is_ge() { after.next() } else { None };
            self.changes.extend(match (earlier, later) {
                (Some(before), Some(after)) if before.status == after.status => {
                    self.same += 1;
                    let is_reworded =
                        (before.reason_code, before.flags) != (after.reason_code, after.flags);
                    self.reworded += u64::from(is_reworded);
                    None
                }
                (Some(before), Some(after)) => {
                    Some(Change::Flipped { before: Box::new(before), after })
                }
                (Some(before), None) => Some(Change::Left(before)),
                (None, Some(after)) => Some(Change::Appeared(after)),
                (None, None) => None,
            });
        }
    }
}

/// What findings are sorted by, nulls first.
type Key<'a> =
    (&'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<i64>, Option<&'a str>);

fn key<'a>(finding: &Finding<'a>) -> Key<'a> {
    (
        finding.organization,
        finding.project,
        finding.repository,
        finding.branch,
        finding.pull_request_id,
        finding.repository_id,
    )
}
