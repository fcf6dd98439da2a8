//! Retention settings: how long a project keeps its runs.

use super::error::reading;
use super::rows::Object;
use super::{Error, Rows, Source};
use crate::ado::Call;
use crate::ado::model::{BuildSettings, Retention};

/// Reads the settings of a project: one row of this moment, to be stored only where it differs from the last.
///
/// # Errors
/// Fails when the retention cannot be read or is not understood; that of deleted runs may be hidden, it stays null.
pub async fn fetch(source: &Source, project_id: &str) -> Result<Rows, Error> {
    let what = || format!("retention settings of project `{project_id}`");
    let client = source.client();
    let retention = client
        .get::<Retention>(Call::project(project_id, &["build", "retention"]))
        .await
        .map_err(reading(what()))?;
    let settings =
        client.get::<BuildSettings>(Call::project(project_id, &["build", "settings"])).await;
    let kept = match settings {
        Ok(answer) => answer.value.days_to_keep_deleted_builds_before_destroy,
        Err(error) if error.is_unreadable() => None,
        Err(error) => return Err(reading(what())(error)),
    };
    let (address, seen_at) = (retention.url, retention.seen_at);
    let object = Object { address: &address, kind: "project", id: &project_id };
    let retention = retention.value;
    let runs = retention.purge_runs.and_then(|setting| setting.value);
    let pull_request_runs = retention.purge_pull_request_runs.and_then(|setting| setting.value);
    let mut row = source.table("retention_settings")?.row();
    row.set("project_id", project_id)
        .set("first_seen_at", seen_at)
        .set("purge_runs_days", object.small(runs, "purgeRuns.value")?)
        .set(
            "purge_pull_request_runs_days",
            object.small(pull_request_runs, "purgePullRequestRuns.value")?,
        )
        .set("deleted_runs_kept_days", object.small(kept, "daysToKeepDeletedBuildsBeforeDestroy")?);
    Ok(Rows { rows: vec![row], seen_at })
}
