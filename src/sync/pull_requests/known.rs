//! What the lake has of pull requests that lists may name: which are active, and what only the lake knows of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::windows::{asked, planned};
use crate::extract::Resource;
use crate::extract::pull_request_details::Parts;
use crate::extract::pull_requests::{Landed, PullRequestPage};
use crate::schema::Row;
use crate::sync::counts::Counted;
use crate::sync::details;
use crate::sync::error::Error;
use crate::sync::judge::Read;
use crate::sync::run::Run;

/// What the lake has of pull requests that lists of this sync may name.
pub(in crate::sync) struct Known {
    /// Number, with project and repository.
    pub(in crate::sync) active: HashMap<i64, (String, String)>,
    /// The vote that was listed while the pull request was active, and the first answer that listed it, by number and
    /// reviewer.
    votes: HashMap<(i64, String), (i64, DateTime<Utc>)>,
    /// Which details of closed ones were read, by number, of those that windows of this sync may list.
    read: HashMap<i64, Read>,
}

impl Known {
    /// Asks the lake.
    pub(super) async fn of(run: &Run, counts: &HashMap<Landed, Counted>) -> Result<Self, Error> {
        let sql = "select pull_request_id, project_id, repository_id from pull_requests \
         where organization = $organization and status = 'active' and closed_at is null";
        let mut active = HashMap::new();
        run.each("pull_requests", sql, "which pull requests were active", |row| {
            let text = |column| row.text(column).unwrap_or_default().to_owned();
            let owner = (text("project_id"), text("repository_id"));
            active.extend(row.int("pull_request_id").map(|number| (number, owner)));
        })
        .await?;
        let mut votes = HashMap::new();
        // Only pull requests that were active can be met again with the same votes; the oldest of them is rarely old.
        if let Some(oldest) = active.keys().min() {
            let sql = format!(
                "select pull_request_id, reviewer_id, vote_while_open, vote_while_open_at from pull_request_reviewers \
             where organization = $organization and pull_request_id >= {oldest} and vote_while_open is not null"
            );
            run.each("pull_request_reviewers", &sql, "which votes were listed", |row| {
                let vote = row.int("vote_while_open").zip(row.time("vote_while_open_at"));
                let voter = row.text("reviewer_id").unwrap_or_default().to_owned();
                let number =
                    row.int("pull_request_id").filter(|number| active.contains_key(number));
                votes.extend(number.zip(vote).map(|(number, vote)| ((number, voter), vote)));
            })
            .await?;
        }
        let windows = run.projects.iter().flat_map(|project| planned(run, project, counts));
        let oldest = windows.map(|(window, _)| asked(window).from).min().unwrap_or(run.upper);
        Ok(Self { active, votes, read: details::known(run, oldest).await? })
    }

    /// Returns the parts of a pull request's details that are to be read.
    pub(super) fn parts(&self, run: &Run, row: &Row) -> Option<Parts> {
        let read = row.int("pull_request_id").and_then(|number| self.read.get(&number));
        run.wants(Resource::PullRequestDetails).then(|| run.judge.parts(row, read)).flatten()
    }

    /// Adds to the rows what only the lake knows: since when a vote has been listed, and when a pull request that is
    /// closed by now was last listed as active. Neither changes from sync to sync while nothing happens.
    pub(super) fn complete(&self, run: &Run, page: &mut PullRequestPage) {
        for row in &mut page.reviewers {
            let Some(vote) = row.int("vote_while_open") else { continue };
            let number = row.int("pull_request_id").unwrap_or(0);
            let key = (number, row.text("reviewer_id").unwrap_or_default().to_owned());
            if let Some((_, at)) = self.votes.get(&key).filter(|(known, _)| *known == vote) {
                row.set("vote_while_open_at", *at);
            }
        }
        for row in &mut page.pull_requests {
            if row.text("status") == Some("active") {
                continue;
            }
            let project = row.int("pull_request_id").and_then(|number| self.active.get(&number));
            let last = project.and_then(|(project, _)| {
                let key = (Resource::PullRequests.name().to_owned(), project.clone());
                run.progress_so_far.read_at.get(&key).copied()
            });
            row.set("last_seen_open_at", last);
        }
    }
}
