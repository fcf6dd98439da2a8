//! Says what is wrong with a query, and which name was probably meant.

use std::collections::BTreeSet;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;

use crate::cli::failure::Failure;
use crate::hint::nearest;
use crate::lake;

/// Turns an error of the engine into one for people: a query is theirs to fix, storage is not.
pub(super) async fn failure(
    session: &SessionContext,
    statement: &Statement,
    error: DataFusionError,
) -> Failure {
    if let Some(failure) = missing_table(session, statement).await {
        return failure;
    }
    if let Some(error) = lake::of_file(&error) {
        let error = lake::locate(error, session).await;
        let failure = if error.is_transient() {
            Failure::outside("cannot answer the query")
        } else {
            Failure::user("cannot answer the query")
        };
        return failure.caused_by(error);
    }
    match error.find_root() {
        DataFusionError::SchemaError(schema_error, _) => missing_column(schema_error),
        DataFusionError::IoError(_) => Failure::outside("cannot read the lake").caused_by(error),
        DataFusionError::ResourcesExhausted(_) => {
            Failure::user(format!("the query needs more memory than it may use: {}", root(&error)))
                .hint("read fewer columns or rows, or aggregate before sorting and joining")
        }
        DataFusionError::Internal(_) => {
            Failure::user(format!("the query engine cannot answer this: {}", root(&error)))
        }
        _ => {
            let text = root(&error);
            match text.split_once("Did you mean ") {
                Some((problem, meant)) => {
                    let problem = problem.trim_end().trim_end_matches('.');
                    Failure::user(format!("the query cannot be run: {problem}"))
                        .hint(format!("did you mean {meant}"))
                }
                None => Failure::user(format!("the query cannot be run: {text}")),
            }
        }
    }
}

/// Tables first, as the engine's own text names neither the nearest nor what there is.
async fn missing_table(session: &SessionContext, statement: &Statement) -> Option<Failure> {
    let references = session.state().resolve_table_references(statement).ok()?;
    for reference in references {
        if reference.schema().is_some_and(|schema| schema == "information_schema")
            || session.table_exist(reference.clone()).unwrap_or(false)
            || session.state().table_functions().contains_key(reference.table())
        {
            continue;
        }
        let known = tables(session);
        let failure = Failure::user(format!("there is no table or view `{}`", reference.table()));
        return Some(match nearest(reference.table(), known.iter().map(String::as_str)) {
            Some(name) => failure.hint(format!("did you mean `{name}`?")),
            None => failure.hint("`show tables` lists them, `adolake tables` explains them"),
        });
    }
    None
}

fn missing_column(error: &SchemaError) -> Failure {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let failure = Failure::user(format!("there is no column `{}`", field.flat_name()));
            let names: BTreeSet<&str> =
                valid_fields.iter().map(|column| column.name.as_str()).collect();
            if let Some(name) = nearest(&field.name, names.iter().copied()) {
                return failure.hint(format!("did you mean `{name}`?"));
            }
            let shown: Vec<String> =
                names.iter().take(20).map(|name| format!("`{name}`")).collect();
            if shown.is_empty() {
                failure
            } else {
                failure.hint(format!("columns here are {}", shown.join(", ")))
            }
        }
        SchemaError::AmbiguousReference { field } => {
            Failure::user(format!("the column `{}` is in more than one table", field.name))
                .hint("put the table's name in front, `table.column`")
        }
        other => Failure::user(format!("the query cannot be run: {other}")),
    }
}

/// Names of all tables and views.
pub(super) fn tables(session: &SessionContext) -> Vec<String> {
    let mut names: Vec<String> = session
        .catalog_names()
        .iter()
        .filter_map(|catalog| session.catalog(catalog))
        .filter_map(|catalog| catalog.schema("public"))
        .flat_map(|schema| schema.table_names())
        .collect();
    names.sort();
    names
}

/// What lies at the bottom of an error, without the engine's own headings.
fn root(error: &DataFusionError) -> String {
    let text = error.find_root().strip_backtrace();
    let headings = [
        "Error during planning: ",
        "Schema error: ",
        "Execution error: ",
        "Arrow error: ",
        "Cast error: ",
        "Internal error: ",
    ];
    let text =
        headings.iter().fold(text.as_str(), |text, heading| text.trim_start_matches(heading));
    text.trim_end_matches('.').to_owned()
}
