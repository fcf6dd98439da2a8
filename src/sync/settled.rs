//! Questions to the lake that were answered with nothing to do, and need not be asked again while nothing has changed.
//!
//! What is missing is found by asking the lake for it, at every sync. Where an answer is "nothing", it stays so until
//! somebody changes rows of the tables that were asked, settings change, or a time comes at which something is to be
//! read again. The last row of a sync takes down which answers hold (`sync_runs.settled`).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Run;
use super::error::Error;
use super::listed;
use super::scope::{Outcome, Scope};
use crate::extract::Resource;
use crate::window::Window;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Question {
    /// Which details are missing.
    Details,
    /// Which timelines are missing.
    Jobs,
    /// Which pushes are not explained.
    Pushes,
}

impl Question {
    const ALL: [Self; 3] = [Self::Details, Self::Jobs, Self::Pushes];

    /// Returns the tables that are asked.
    fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Details => &["pull_requests"],
            Self::Jobs => {
                &["pull_requests", "pipeline_runs", "pull_request_policy_evaluations", "pipelines"]
            }
            Self::Pushes => &["pushes", "pull_requests"],
        }
    }
}

/// Returns the tables of all questions and lists, of which it matters who changes them.
pub(super) fn tables() -> BTreeSet<&'static str> {
    let asked = Question::ALL.into_iter().flat_map(Question::tables);
    asked.chain(&listed::PULL_REQUESTS).chain(&listed::RUNS).copied().collect()
}

/// What the answer "nothing" holds for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    /// Number of the last commit that changed rows, by table.
    transactions: BTreeMap<String, i64>,
    /// Hash of the settings that decide.
    settings: String,
    /// From when on it has to be asked again; none = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<DateTime<Utc>>,
}

/// The answers that hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Settled(BTreeMap<Question, Answer>);

/// Under which the answers stand in `sync_runs`.
const RESOURCE: Resource = Resource::PullRequestDetails;

fn scope_of(run: &Run) -> String {
    format!("{}@settled", run.organization())
}

impl Run {
    /// Returns whether a question has been answered with nothing, and that still holds.
    pub fn is_settled(&self, question: Question) -> bool {
        let Some(answer) = self.settled_before().0.remove(&question) else { return false };
        !self.options.full
            && answer.until.is_none_or(|until| self.upper < until)
            && Some(&answer) == self.answer(question, answer.until).as_ref()
    }

    /// Says that a question has just been answered with nothing, and until when that holds.
    pub fn settle(&self, question: Question, until: Option<DateTime<Utc>>) {
        if let Some(answer) = self.answer(question, until) {
            self.settled().0.insert(question, answer);
        }
    }

    /// Returns what the last sync has taken down for a resource in a scope.
    pub fn settled_text(&self, resource: Resource, scope: &str) -> Option<&str> {
        let key = (resource.name().to_owned(), scope.to_owned());
        self.progress_so_far.settled.get(&key).map(String::as_str)
    }

    fn settled_before(&self) -> Settled {
        let text = self.settled_text(RESOURCE, &scope_of(self));
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    fn answer(&self, question: Question, until: Option<DateTime<Utc>>) -> Option<Answer> {
        let transactions = self.transactions(question.tables())?;
        let digest = Sha256::digest(self.judge.fingerprint());
        let settings = hex::encode(&digest[..16]);
        Some(Answer { transactions, settings, until })
    }
}

/// Takes down which answers hold; the last that a sync does.
pub(super) async fn record(run: &Run) -> Result<(), Error> {
    // What was read up to another instant than now settles nothing.
    if run.options.until.is_some() {
        return Ok(());
    }
    let before = run.settled_before();
    let mut now = std::mem::take(&mut *run.settled());
    for (question, answer) in &before.0 {
        if !now.0.contains_key(question) && run.is_settled(*question) {
            now.0.insert(*question, answer.clone());
        }
    }
    if now == before {
        return Ok(());
    }
    let name = format!("{} (nothing missing)", run.organization());
    let window = Window::new(run.upper, run.upper);
    let mut scope = Scope::new(RESOURCE, scope_of(run), name, window);
    scope.settled = serde_json::to_string(&now).ok();
    run.record(vec![(scope, Outcome::Ok)]).await
}
