//! The contract of checks: which columns a check returns, and what each row must keep.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use serde::de::IgnoredAny;

use super::error::Error;
use super::finding::{COLUMNS, Findings, PULL_REQUEST_ID, Status};

/// Demands the columns of the contract in order, before anything is planned further.
pub(crate) fn check_names(file: &str, schema: &Schema) -> Result<(), Error> {
    let breach = |problem: String| Err(Error::Contract { file: file.to_owned(), problem });
    let fields = schema.fields();
    for (index, (name, _)) in COLUMNS.iter().enumerate() {
        let position = index + 1;
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
    match fields.iter().find(|field| !names.insert(field.name())) {
        Some(field) => breach(format!("two columns are called `{}`", field.name())),
        None => Ok(()),
    }
}

/// Demands the kinds of the contract's columns, before anything runs.
pub(crate) fn check_kinds(file: &str, schema: &Schema) -> Result<(), Error> {
    for (index, ((name, is_required), field)) in COLUMNS.iter().zip(schema.fields()).enumerate() {
        let kind = field.data_type();
        let is_number = index == PULL_REQUEST_ID;
        let fits = (kind.is_null() && !is_required)
            || if is_number { kind.is_integer() } else { is_text(kind) };
        if !fits {
            let wanted = if is_number { "a whole number" } else { "text" };
            let problem = format!("column `{name}` must be {wanted}, it is {kind}");
            return Err(Error::Contract { file: file.to_owned(), problem });
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
pub(crate) fn check_rows(
    file: &str,
    check_id: &str,
    batches: Vec<RecordBatch>,
) -> Result<Findings, Error> {
    let breach = |problem: String| Error::Contract { file: file.to_owned(), problem };
    let batches = batches
        .iter()
        .map(plain)
        .collect::<Result<Vec<_>, ArrowError>>()
        .map_err(|error| breach(error.to_string()))?;
    for batch in &batches {
        check_values(batch).map_err(breach)?;
    }
    let findings = Findings::new(check_id, batches);
    let mut seen: HashSet<(String, Option<&str>)> = HashSet::new();
    for finding in findings.iter() {
        let resource = finding.resource();
        let row = |problem: String| breach(format!("`{resource}`: {problem}"));
        if finding.reason_code.is_empty() || finding.reason.is_empty() {
            return Err(row("has no reason".to_owned()));
        }
        check_flags(finding.flags).map_err(row)?;
        if !finding.evidence_json.starts_with('{')
            || serde_json::from_str::<IgnoredAny>(finding.evidence_json).is_err()
        {
            return Err(row("evidence_json is not a JSON object".to_owned()));
        }
        // A repository and its successor of the same name are two resources.
        if !seen.insert((resource.clone(), finding.repository_id)) {
            return Err(breach(format!("`{resource}`: there is more than one row for it")));
        }
    }
    drop(seen);
    Ok(findings)
}

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

fn check_values(batch: &RecordBatch) -> Result<(), String> {
    for (index, (name, is_required)) in COLUMNS.iter().enumerate() {
        if *is_required && batch.column(index).null_count() > 0 {
            return Err(format!("column `{name}` must not be null"));
        }
    }
    let statuses: &StringArray = batch.column(8).as_string::<i32>();
    match statuses.iter().flatten().find(|status| Status::parse(status).is_none()) {
        None => Ok(()),
        Some(status) => Err(format!(
            "status `{status}` is none of {}",
            Status::ALL.map(Status::as_str).join(", ")
        )),
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
