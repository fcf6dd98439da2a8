//! Stages, jobs and tasks of a run, from its timeline.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::error::reading;
use super::rows::{Id, Object};
use super::{Error, Maker, Source};
use crate::ado::Call;
use crate::ado::model::{Timeline, TimelineRecord};
use crate::schema::Row;

/// What the timeline of a run says.
#[derive(Debug, Clone)]
pub enum Jobs {
    /// Rows of `pipeline_run_jobs`, of all attempts that the service still has; time of the first answer.
    Read(Vec<Row>, DateTime<Utc>),
    /// There is no timeline any more, or never was one; time of the answer that says so.
    Gone(DateTime<Utc>),
}

/// Reads the timeline of a run; `queued_month` is that of the run's row. Its records are those of the latest attempt;
/// earlier ones stand in timelines of their own, which are read too: a stage that ran again after a merge must not hide
/// what it did before.
///
/// # Errors
/// Fails when it cannot be read, or is not understood.
pub async fn fetch(
    source: &Source,
    project_id: &str,
    run_id: i64,
    queued_month: &str,
) -> Result<Jobs, Error> {
    let run = run_id.to_string();
    let ask = async |segments: &[&str]| {
        let path = [&["build", "builds", run.as_str(), "timeline"][..], segments].concat();
        let answer = source.client().get_if_any::<Timeline>(Call::project(project_id, &path)).await;
        answer.map_err(reading(format!("the timeline of run `{run_id}`")))
    };
    let answer = ask(&[]).await?;
    let seen_at = answer.seen_at;
    let Some(timeline) = answer.value else { return Ok(Jobs::Gone(seen_at)) };
    let table = source.table("pipeline_run_jobs")?;
    let records = timeline.records.unwrap_or_default();
    let earlier: BTreeSet<String> = records
        .iter()
        .flat_map(|record| record.previous_attempts.iter().flatten())
        .filter_map(|attempt| attempt.timeline_id.clone())
        .collect();
    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    let mut take =
        |address: &str, at: DateTime<Utc>, records: &[TimelineRecord]| -> Result<(), Error> {
            for row in rows_of(&table, address, (run_id, queued_month), at, records)? {
                let key = (row.text("record_id").map(str::to_owned), row.int("attempt"));
                // What the latest timeline says of an attempt wins.
                if seen.insert(key) {
                    rows.push(row);
                }
            }
            Ok(())
        };
    take(&answer.url, seen_at, &records)?;
    for timeline_id in earlier {
        match ask(&[timeline_id.as_str()]).await {
            Ok(answer) => {
                let records = answer.value.and_then(|timeline| timeline.records);
                take(&answer.url, answer.seen_at, &records.unwrap_or_default())?;
            }
            // The attempts before are gone; those that stand are evidence all the same.
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Jobs::Read(rows, seen_at))
}

fn rows_of(
    table: &Maker,
    address: &str,
    (run_id, queued_month): (i64, &str),
    seen_at: DateTime<Utc>,
    records: &[TimelineRecord],
) -> Result<Vec<Row>, Error> {
    let by_id: HashMap<&str, &TimelineRecord> =
        records.iter().filter_map(|record| Some((record.id.as_deref()?, record))).collect();
    let mut rows = Vec::with_capacity(records.len());
    for record in records.iter().filter(|record| is_named(record)) {
        let id = Id(record.id.as_deref());
        let object = Object { address, kind: "timeline record", id: &id };
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
            .set("first_seen_at", seen_at)
            .set("queued_month", queued_month);
        rows.push(row);
    }
    Ok(rows)
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
