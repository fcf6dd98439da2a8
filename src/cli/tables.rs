//! `adolake tables [TABLE]`: the table dictionary.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Exports, Style, paint, write_file};
use crate::hint::nearest;
use crate::schema::{Catalog, Column, Kind, Table};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  adolake tables\n  adolake tables pull_requests\n  adolake tables --format markdown"
)]
pub(super) struct Args {
    /// Print this table's columns
    table: Option<String>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    exports: Exports,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Markdown,
    Json,
}

/// Prints all tables, or one with its columns.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let files = args.exports.formats(&[
        ("txt", Format::Text),
        ("md", Format::Markdown),
        ("json", Format::Json),
    ])?;
    let catalog = context.catalog()?;
    let one = args.table.as_deref().map(|name| find(&catalog, name)).transpose()?;
    let rendered = |format: Format, colors: bool| match (&one, format) {
        (None, Format::Text) => list_text(&catalog, colors),
        (None, Format::Markdown) => list_markdown(&catalog),
        (None, Format::Json) => {
            format!(
                "{:#}\n",
                Value::Array(catalog.tables().map(|table| table_json(table)).collect())
            )
        }
        (Some(table), Format::Text) => table_text(table, colors),
        (Some(table), Format::Markdown) => table_markdown(table),
        (Some(table), Format::Json) => format!("{:#}\n", table_json(table)),
    };
    context.output.print(&rendered(args.format, context.output.colors_data()))?;
    for (file, format) in files {
        let text = rendered(format, false);
        write_file(&file, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    Ok(Exit::CLEAN)
}

fn find(catalog: &Catalog, name: &str) -> Result<Arc<Table>, Failure> {
    if let Some(table) = catalog.table(name) {
        return Ok(Arc::clone(table));
    }
    let failure = Failure::user(format!("there is no table `{name}`"));
    Err(match nearest(name, catalog.tables().map(|table| table.name.as_str())) {
        Some(nearest) => failure.hint(format!("did you mean `{nearest}`?")),
        None => failure.hint("`adolake tables` lists them all"),
    })
}

fn list_text(catalog: &Catalog, colors: bool) -> String {
    let width = catalog.tables().map(|table| table.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for table in catalog.tables() {
        let name = paint(colors, Style::Strong, &format!("{:width$}", table.name));
        let _ = writeln!(text, "{name}  {}", table.comment);
    }
    text
}

fn list_markdown(catalog: &Catalog) -> String {
    let mut text = String::from("| table | what it holds | key |\n|---|---|---|\n");
    for table in catalog.tables() {
        let key: Vec<&str> =
            table.key_names().into_iter().filter(|name| *name != "organization").collect();
        let _ =
            writeln!(text, "| `{}` | {} | {} |", table.name, cell(&table.comment), key.join(", "));
    }
    text
}

fn table_text(table: &Table, colors: bool) -> String {
    let mut text = format!("{}\n{}\n\n", paint(colors, Style::Strong, &table.name), table.comment);
    let name_width = table.columns.iter().map(|column| column.name.len()).max().unwrap_or_default();
    for (index, column) in table.columns.iter().enumerate() {
        let name = paint(colors, Style::Strong, &format!("{:name_width$}", column.name));
        let kind = kind(column.kind);
        let _ = writeln!(
            text,
            "  {name}  {kind:9}  {:13}  {}",
            role(table, index, column),
            column.comment
        );
    }
    text
}

fn table_markdown(table: &Table) -> String {
    let mut text =
        format!("{}\n\n| column | type | | meaning |\n|---|---|---|---|\n", table.comment);
    for (index, column) in table.columns.iter().enumerate() {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            column.name,
            kind(column.kind),
            role(table, index, column),
            cell(&column.comment)
        );
    }
    text
}

fn table_json(table: &Table) -> Value {
    json!({
        "table": table.name,
        "comment": table.comment,
        "key": table.key_names(),
        "partitions": table.partition_names(),
        "columns": table.columns.iter().map(|column| json!({
            "column": column.name,
            "type": kind(column.kind),
            "nullable": column.is_nullable,
            "comment": column.comment,
        })).collect::<Vec<_>>(),
    })
}

fn role(table: &Table, index: usize, column: &Column) -> String {
    let mut roles = Vec::new();
    if table.key.contains(&index) {
        roles.push("key");
    }
    if table.partitions.contains(&index) {
        roles.push("partition");
    }
    if column.is_nullable {
        roles.push("nullable");
    }
    roles.join(", ")
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::BigInt => "bigint",
        Kind::Int => "int",
        Kind::Double => "double",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::Timestamp => "timestamp",
    }
}

/// Text inside a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
}
