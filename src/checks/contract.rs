//! The contract of checks: which columns a check returns, and what each row must keep.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use serde::de::IgnoredAny;
use tokio::task::spawn_blocking;

use super::error::Error;
use super::finding::{COLUMNS, Finding, Findings, PULL_REQUEST_ID, Status};
use super::query::Query;
use crate::task::outcome;

/// Demands the columns of the contract in order, before anything is planned further.
pub(crate) fn check_names(check: &Query, schema: &Schema) -> Result<(), Error> {
    let fields = schema.fields();
    for (index, (name, _)) in COLUMNS.iter().enumerate() {
        let position = index + 1;
        let breach = |problem: String| Err(breach(check, index, problem));
        match fields.get(index) {
            None => return breach(format!("column {position} must be `{name}`, there is none")),
            Some(field) if field.name() != name => {
                let found = field.name();
                return breach(format!("column {position} must be `{name}`, it is `{found}`"));
            }
            Some(_) => {}
        }
    }
    let mut names = HashSet::new();
    match fields.iter().enumerate().find(|(_, field)| !names.insert(field.name())) {
        Some((index, field)) => {
            Err(breach(check, index, format!("two columns are called `{}`", field.name())))
        }
        None => Ok(()),
    }
}

/// A breach of the contract by a column.
fn breach(check: &Query, column: usize, problem: String) -> Error {
    Error::Contract { place: check.place_of_column(column), problem }
}

/// Demands the kinds of the contract's columns, before anything runs.
pub(crate) fn check_kinds(check: &Query, schema: &Schema) -> Result<(), Error> {
    for (index, ((name, is_required), field)) in COLUMNS.iter().zip(schema.fields()).enumerate() {
        let kind = field.data_type();
        let is_number = index == PULL_REQUEST_ID;
        let fits = (kind.is_null() && !is_required)
            || if is_number { kind.is_integer() } else { is_text(kind) };
        if !fits {
            let wanted = if is_number { "a whole number" } else { "text" };
            let problem = format!("column `{name}` must be {wanted}, it is {kind}");
            return Err(breach(check, index, problem));
        }
    }
    Ok(())
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// Brings sorted batches of a check into the one form of findings, and demands what each row must keep.
pub(crate) async fn check_rows(
    check: &Query,
    batches: Vec<RecordBatch>,
) -> Result<Findings, Error> {
    let checked: Vec<_> = batches
        .into_iter()
        .map(|batch| {
            let id = check.id().to_owned();
            spawn_blocking(move || check_batch(&id, &batch))
        })
        .collect();
    let mut batches = Vec::with_capacity(checked.len());
    for batch in checked {
        let batch = outcome(batch.await);
        batches.push(batch.map_err(|(column, problem)| breach(check, column, problem))?);
    }
    let findings = Findings::new(check.id(), batches);
    let mut seen = HashSet::with_capacity(findings.counts().total() as usize);
    for finding in findings.iter() {
        // A repository and its successor of the same name are two resources.
        let branch = if finding.pull_request_id.is_some() { None } else { finding.branch };
        let names = (finding.organization, finding.project, finding.repository, branch);
        if !seen.insert((names, finding.pull_request_id, finding.repository_id)) {
            let problem = format!("`{}`: there is more than one row for it", finding.resource());
            return Err(Error::Contract { place: check.file.clone(), problem });
        }
    }
    drop(seen);
    Ok(findings)
}

/// The batch in the one form of findings, or what breaks the contract, with the column where.
fn check_batch(check_id: &str, batch: &RecordBatch) -> Result<RecordBatch, (usize, String)> {
    let batch = plain(batch).map_err(|error| (0, error.to_string()))?;
    check_values(&batch)?;
    for row in 0..batch.num_rows() {
        let finding = Finding::at(check_id, &batch, row);
        let breach = |column: usize, problem: &str| {
            Err((column, format!("`{}`: {problem}", finding.resource())))
        };
        if finding.reason_code.is_empty() {
            return breach(REASON_CODE, "has no reason_code");
        }
        if finding.reason.is_empty() {
            return breach(REASON_CODE + 1, "has no reason");
        }
        if let Err(problem) = check_flags(finding.flags) {
            return breach(FLAGS, &problem);
        }
        if !finding.evidence_json.starts_with('{')
            || serde_json::from_str::<IgnoredAny>(finding.evidence_json).is_err()
        {
            return breach(FLAGS + 1, "evidence_json is not a JSON object");
        }
    }
    Ok(batch)
}

/// Positions of columns that errors name.
const STATUS: usize = 8;
const REASON_CODE: usize = 9;
const FLAGS: usize = 11;

/// The contract's columns as plain text and 64-bit numbers; the check's own columns as they are.
fn plain(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (index, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
        let to = match index {
            PULL_REQUEST_ID => DataType::Int64,
            index if index < COLUMNS.len() => DataType::Utf8,
            _ => field.data_type().clone(),
        };
        columns.push(cast(column, &to)?);
        fields.push(Field::new(field.name(), to, true));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn check_values(batch: &RecordBatch) -> Result<(), (usize, String)> {
    for (index, (name, is_required)) in COLUMNS.iter().enumerate() {
        if *is_required && batch.column(index).null_count() > 0 {
            return Err((index, format!("column `{name}` must not be null")));
        }
    }
    let statuses: &StringArray = batch.column(STATUS).as_string::<i32>();
    match statuses.iter().flatten().find(|status| Status::parse(status).is_none()) {
        None => Ok(()),
        Some(status) => {
            let known = Status::ALL.map(Status::as_str).join(", ");
            Err((STATUS, format!("status `{status}` is none of {known}")))
        }
    }
}

/// Flags are names in capitals, sorted, each once, joined with commas.
fn check_flags(flags: &str) -> Result<(), String> {
    if flags.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = flags.split(',').collect();
    let is_name = |name: &&str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        return Err(format!("flag `{name}` is not a name in capitals"));
    }
    if names.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(format!("flags `{flags}` are not sorted, each once"));
    }
    Ok(())
}
