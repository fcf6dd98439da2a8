//! Rows of a pull request's details; the makers have the columns of the pull request set.

use chrono::{DateTime, Utc};

use super::rows::{Object, filled};
use super::{Error, Maker};
use crate::ado::model::{Change, Commit, CommitRef, Evaluation, Iteration, PullRequestStatus};
use crate::schema::Row;

fn id_of(commit: Option<CommitRef>) -> Option<String> {
    commit.and_then(|commit| commit.commit_id)
}

pub(super) fn iteration_row(
    maker: &Maker,
    object: &Object<'_>,
    iteration: Iteration,
) -> Result<Row, Error> {
    let push = iteration.push.unwrap_or_default();
    let by = push.pushed_by.filter(|by| by.id.is_some()).or(iteration.author).unwrap_or_default();
    let id = object.need(object.small(iteration.id, "id")?, "id")?;
    let at = iteration.created_date.or(push.date);
    let mut row = maker.row();
    row.set("iteration_id", id)
        .set("pushed_by_id", by.id)
        .set("pushed_by_unique_name", filled(by.unique_name))
        .set("push_id", push.push_id)
        .set("at", object.need(at, &format!("createdDate of iteration {id}"))?)
        .set("reason", iteration.reason)
        .set("source_commit", id_of(iteration.source_ref_commit))
        .set("target_commit", id_of(iteration.target_ref_commit))
        .set("common_commit", id_of(iteration.common_ref_commit))
        .set("old_target_ref", filled(iteration.old_target_ref_name))
        .set("new_target_ref", filled(iteration.new_target_ref_name));
    Ok(row)
}

pub(super) fn status_row(
    maker: &Maker,
    object: &Object<'_>,
    status: PullRequestStatus,
    seen_at: DateTime<Utc>,
) -> Result<Row, Error> {
    let id = object.need(status.id, "id")?;
    let context = status.context.unwrap_or_default();
    let by = status.created_by.unwrap_or_default();
    let created_at = object.need(status.creation_date, &format!("creationDate of status {id}"))?;
    let mut row = maker.row();
    row.set("status_id", id)
        .set("genre", filled(context.genre))
        .set("name", object.need(context.name, &format!("context.name of status {id}"))?)
        .set("state", status.state.unwrap_or_else(|| "notSet".to_owned()))
        // Iterations count from 1; 0 is how some callers write "none".
        .set("iteration_id", object.small(status.iteration_id.filter(|n| *n > 0), "iterationId")?)
        .set("created_at", created_at)
        .set("updated_at", status.updated_date)
        .set("created_by", filled(by.unique_name).or(by.display_name))
        .set("description", status.description)
        .set("target_url", filled(status.target_url))
        .set("first_seen_at", seen_at);
    Ok(row)
}

pub(super) fn evaluation_row(
    maker: &Maker,
    object: &Object<'_>,
    evaluation: Evaluation,
    seen_at: DateTime<Utc>,
) -> Result<Row, Error> {
    let id = object.need(evaluation.evaluation_id, "evaluationId")?;
    let configuration = evaluation.configuration.unwrap_or_default();
    let settings = configuration.settings.unwrap_or_default();
    let context = evaluation.context.unwrap_or_default();
    let mut row = maker.row();
    row.set("evaluation_id", id)
        .set("policy_id", configuration.id)
        .set("policy_revision", configuration.revision)
        .set("policy_type_id", configuration.kind.and_then(|kind| kind.id))
        .set("is_blocking", configuration.is_blocking)
        .set("build_definition_id", settings.build_definition_id)
        .set("status_genre", filled(settings.status_genre))
        .set("status_name", settings.status_name)
        // The default of the service, which leaves defaults out.
        .set("status", evaluation.status.unwrap_or_else(|| "queued".to_owned()))
        .set("started_at", evaluation.started_date)
        .set("completed_at", evaluation.completed_date)
        .set("build_id", context.build_id)
        .set("source_commit", context.last_merge_source_commit_id)
        .set("merge_commit", context.last_merge_commit_id)
        .set("is_expired", context.is_expired)
        .set("first_seen_at", seen_at);
    Ok(row)
}

pub(super) fn commit_row(maker: &Maker, object: &Object<'_>, commit: Commit) -> Result<Row, Error> {
    let (author, committer) =
        (commit.author.unwrap_or_default(), commit.committer.unwrap_or_default());
    let mut row = maker.row();
    row.set("commit_id", object.need(commit.commit_id, "commitId")?)
        .set("author_name", author.name)
        .set("author_mail", filled(author.email))
        .set("authored_at", author.date)
        .set("committer_name", committer.name)
        .set("committer_mail", filled(committer.email))
        .set("committed_at", committer.date);
    Ok(row)
}

/// Returns the row of a changed path; a deleted item may have but the path from before.
pub(super) fn change_row(maker: &Maker, object: &Object<'_>, change: Change) -> Result<Row, Error> {
    let original = filled(change.original_path).or(filled(change.source_server_item));
    let path = change.item.and_then(|item| filled(item.path)).or_else(|| original.clone());
    let path = object.need(path, "changeEntries.item.path")?;
    let mut row = maker.row();
    row.set("change_type", change.change_type)
        .set("original_path", original.filter(|original| *original != path))
        .set("path", path);
    Ok(row)
}
