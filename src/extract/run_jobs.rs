//! Stages, jobs and tasks of a run, from its timeline.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::error::reading;
use super::rows::{Id, Object};
use super::{Error, Source};
use crate::ado::Call;
use crate::ado::model::{Timeline, TimelineRecord};
use crate::schema::Row;

/// What the timeline of a run says.
#[derive(Debug, Clone)]
pub enum Jobs {
    /// Rows of `pipeline_run_jobs`, of the latest attempt; time of the answer.
    Read(Vec<Row>, DateTime<Utc>),
    /// There is no timeline any more, or never was one; time of the answer that says so.
    Gone(DateTime<Utc>),
}

/// Reads the timeline of a run; `queued_month` is that of the run's row.
///
/// # Errors
/// Fails when it cannot be read, or is not understood.
pub async fn fetch(
    source: &Source,
    project_id: &str,
    run_id: i64,
    queued_month: &str,
) -> Result<Jobs, Error> {
    let path = ["build", "builds", &run_id.to_string(), "timeline"];
    let answer = source
        .client()
        .get_if_any::<Timeline>(Call::project(project_id, &path))
        .await
        .map_err(reading(format!("the timeline of run `{run_id}`")))?;
    let Some(timeline) = answer.value else { return Ok(Jobs::Gone(answer.seen_at)) };
    let table = source.table("pipeline_run_jobs")?;
    let records = timeline.records.unwrap_or_default();
    let by_id: HashMap<&str, &TimelineRecord> =
        records.iter().filter_map(|record| Some((record.id.as_deref()?, record))).collect();
    let mut rows = Vec::with_capacity(records.len());
    for record in records.iter().filter(|record| is_named(record)) {
        let id = Id(record.id.as_deref());
        let object = Object { address: &answer.url, kind: "timeline record", id: &id };
        let name = record.name.as_deref().or(record.identifier.as_deref());
        let attempt = object.small(record.attempt, "attempt")?.unwrap_or(1).max(1);
        let mut row = table.row();
        row.set("run_id", run_id)
            .set("record_id", object.need(record.id.as_deref(), "id")?)
            .set("attempt", attempt)
            .set("parent_id", record.parent_id.as_deref())
            .set("kind", record.kind.as_deref())
            .set("name", object.need(name, "name")?)
            .set("path", path_of(record, &by_id))
            .set("state", record.state.as_deref())
            .set("result", record.result.as_deref())
            .set("started_at", record.start_time)
            .set("finished_at", record.finish_time)
            .set("first_seen_at", answer.seen_at)
            .set("queued_month", queued_month);
        rows.push(row);
    }
    Ok(Jobs::Read(rows, answer.seen_at))
}

/// Phases and checkpoints stand between stages and jobs and have names that nobody chose.
fn is_named(record: &TimelineRecord) -> bool {
    let kind = record.kind.as_deref().unwrap_or_default();
    ["Stage", "Job", "Task"].iter().any(|named| kind.eq_ignore_ascii_case(named))
}

/// Returns the names from the stage down to the record, joined with `/`.
fn path_of(record: &TimelineRecord, by_id: &HashMap<&str, &TimelineRecord>) -> String {
    let mut names = Vec::new();
    let mut next = Some(record);
    // A circle of parents would never end; no run nests as deep as it has records.
    for _ in 0..=by_id.len() {
        let Some(here) = next else { break };
        if is_named(here) {
            names.extend(here.name.as_deref().or(here.identifier.as_deref()));
        }
        next = here.parent_id.as_deref().and_then(|parent| by_id.get(parent).copied());
    }
    names.reverse();
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_skip_phases_and_survive_circles() {
        let timeline: Timeline = serde_json::from_value(serde_json::json!({"records": [
            {"id": "A", "type": "Stage", "name": "ci"},
            {"id": "b", "parentId": "a", "type": "Phase", "name": "phase_1"},
            {"id": "c", "parentId": "B", "type": "Job", "name": "Analyze"},
            {"id": "d", "parentId": "c", "type": "Task", "name": "CodeQL"},
            {"id": "e", "parentId": "f", "type": "Job", "name": "one"},
            {"id": "f", "parentId": "e", "type": "Phase", "name": "two"}
        ]}))
        .unwrap();
        let records = timeline.records.unwrap();
        let by_id: HashMap<&str, &TimelineRecord> =
            records.iter().map(|record| (record.id.as_deref().unwrap(), record)).collect();
        assert_eq!(path_of(&records[3], &by_id), "ci/Analyze/CodeQL");
        assert_eq!(path_of(&records[0], &by_id), "ci");
        assert!(path_of(&records[4], &by_id).ends_with("one"));
    }
}
