//! Schemas ↔ Delta metadata: what a new table is given, and whether a stored one still fits.

use std::collections::HashMap;
use std::time::Duration;

use deltalake::kernel::{Metadata, Protocol};
use serde_json::{Value, json};

use super::error::Error;
use crate::schema::{Kind, Table};

/// The layout of tables that this adolake writes; a higher one is not touched.
const SCHEMA_VERSION: u32 = 1;
const SCHEMA_VERSION_KEY: &str = "adolake.schemaVersion";
const READER_VERSION: i32 = 1;
const WRITER_VERSION: i32 = 2;

/// How a stored table meets the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Nothing to do.
    Same,
    /// The next write brings the metadata up to date: new columns, other properties.
    Behind,
}

/// Returns the protocol of a new table: every engine reads it.
pub(crate) fn protocol(table: &Table) -> Result<Protocol, Error> {
    action(table, json!({ "minReaderVersion": READER_VERSION, "minWriterVersion": WRITER_VERSION }))
}

/// Returns the metadata of a table by its schema; `stored` keeps its identity.
pub(crate) fn metadata(
    table: &Table,
    keep_versions: Duration,
    stored: Option<&Metadata>,
    now_ms: i64,
) -> Result<Metadata, Error> {
    let mut configuration = stored.map(|old| old.configuration().clone()).unwrap_or_default();
    configuration.extend(properties(keep_versions));
    let id = stored.map_or_else(|| uuid::Uuid::new_v4().to_string(), |old| old.id().to_owned());
    action(
        table,
        json!({
            "id": id,
            "name": table.name,
            "description": table.comment,
            "format": { "provider": "parquet", "options": {} },
            "schemaString": schema_string(table),
            "partitionColumns": table.partition_names(),
            "configuration": configuration,
            "createdTime": stored.map_or(Some(now_ms), Metadata::created_time),
        }),
    )
}

fn action<T: serde::de::DeserializeOwned>(table: &Table, value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|problem| Error::Misuse {
        table: table.name.clone(),
        problem: format!("its schema has no place in a Delta log: {problem}"),
    })
}

fn properties(keep_versions: Duration) -> HashMap<String, String> {
    let seconds = keep_versions.as_secs();
    let kept = if seconds.is_multiple_of(86_400) {
        format!("interval {} days", seconds / 86_400)
    } else {
        format!("interval {seconds} seconds")
    };
    [
        ("delta.logRetentionDuration", kept.clone()),
        ("delta.deletedFileRetentionDuration", kept),
        ("delta.enableExpiredLogCleanup", "false".to_owned()),
        ("delta.checkpointInterval", super::log::CHECKPOINT_INTERVAL.to_string()),
        (SCHEMA_VERSION_KEY, SCHEMA_VERSION.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

fn schema_string(table: &Table) -> String {
    let fields: Vec<Value> = table
        .columns
        .iter()
        .map(|column| {
            json!({
                "name": column.name,
                "type": type_name(column.kind),
                "nullable": column.is_nullable,
                "metadata": { "comment": column.comment },
            })
        })
        .collect();
    json!({ "type": "struct", "fields": fields }).to_string()
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::BigInt => "long",
        Kind::Int => "integer",
        Kind::Double => "double",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::Timestamp => "timestamp",
    }
}

/// Compares a stored table with its schema.
///
/// # Errors
/// Fails where the table is not adolake's, a newer adolake wrote it, or a column cannot be read as the schema says.
pub(crate) fn compare(
    table: &Table,
    place: &str,
    keep_versions: Duration,
    protocol: &Protocol,
    stored: &Metadata,
) -> Result<Fit, Error> {
    let configuration = stored.configuration();
    let Some(version) = configuration.get(SCHEMA_VERSION_KEY) else {
        return Err(Error::Foreign {
            place: place.to_owned(),
            problem: "it is a Delta table that adolake did not create".into(),
        });
    };
    let newer = |problem| Error::Newer { table: table.name.clone(), problem };
    if !version.parse::<u32>().is_ok_and(|version| version <= SCHEMA_VERSION) {
        return Err(newer(format!(
            "its schema version is {version}, this one knows {SCHEMA_VERSION}"
        )));
    }
    if protocol.min_reader_version() > READER_VERSION
        || protocol.min_writer_version() > WRITER_VERSION
    {
        return Err(Error::Changed {
            table: table.name.clone(),
            problem: format!(
                "its protocol is reader {}, writer {}",
                protocol.min_reader_version(),
                protocol.min_writer_version()
            ),
        });
    }
    let incompatible = |problem| Error::Incompatible { table: table.name.clone(), problem };
    if stored.partition_columns() != table.partition_names().as_slice() {
        return Err(incompatible(format!(
            "it is partitioned by ({}), and the schema says ({})",
            stored.partition_columns().join(", "),
            table.partition_names().join(", ")
        )));
    }
    let schema: Value = serde_json::from_str(stored.schema_string()).unwrap_or_default();
    let fields = schema["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut fit = Fit::Same;
    for field in fields {
        let name = field["name"].as_str().unwrap_or_default();
        let Some(index) = table.index(name) else {
            return Err(newer(format!("it has a column `{name}` that this one does not know")));
        };
        let column = &table.columns[index];
        if field["type"] != type_name(column.kind) {
            let found =
                field["type"].as_str().map_or_else(|| field["type"].to_string(), str::to_owned);
            return Err(incompatible(format!(
                "column `{name}` is stored as {found}, and the schema says {}",
                column.kind.sql()
            )));
        }
        if column.is_nullable && field["nullable"] == false {
            fit = Fit::Behind;
        }
    }
    for column in &table.columns {
        if !fields.iter().any(|field| field["name"] == column.name.as_str()) {
            if !column.is_nullable {
                return Err(incompatible(format!(
                    "column `{}` must not be null, and the stored table lacks it",
                    column.name
                )));
            }
            fit = Fit::Behind;
        }
    }
    if properties(keep_versions).iter().any(|(key, value)| configuration.get(key) != Some(value)) {
        fit = Fit::Behind;
    }
    Ok(fit)
}
