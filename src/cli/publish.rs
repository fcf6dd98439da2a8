//! `adolake publish`: the current state of every table as plain Hive-partitioned Parquet.

use std::fmt::Write as _;

use super::Context;
use super::exit::Exit;
use super::output::{Exports, Style, bytes_text, clean, paint, write_file};
use crate::config::exposed;
use crate::publish::{self, Place, Report};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake publish
  adolake publish --out ../published
  duckdb -c \"select status, count(*) from 'published/latest_check_results/**/*.parquet' group by 1\"

One sorted file per partition, `TABLE/organization=…/…/data.parquet`, only where its rows have changed since the last
publish. A file is replaced as a whole; those of gone partitions are removed.")]
pub(super) struct Args {
    /// Folder, `s3://…`, `az://…`, `abfss://…` or `gs://…` [default: the folder `published` in the lake]
    #[arg(long, value_name = "URL")]
    out: Option<String>,
    /// How the summary is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    exports: Exports,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Publishes all tables at the versions that are the newest now.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let files = args.exports.formats(&[("txt", Format::Text), ("json", Format::Json)])?;
    let config = context.config()?;
    let lake = super::lake::open(&config, context)?;
    let options = exposed(&config.lake.resolve_options(context.environment())?);
    let place = Place::open(&lake, args.out.as_deref(), &options)?;
    let session = lake.session().await?;
    if session.versions.is_empty() {
        return Err(super::lake::missing(&config).into());
    }
    let report = publish::publish(&lake, &session, &place).await?;
    let rendered = |format, colors| match format {
        Format::Text => Ok(text(&report, colors)),
        Format::Json => serde_json::to_string_pretty(&report).map(|text| text + "\n"),
    };
    context.output.print(&rendered(args.format, context.output.colors_data())?)?;
    for (file, format) in files {
        let text = rendered(format, false)?;
        write_file(&file, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    Ok(Exit::CLEAN)
}

fn text(report: &Report, colors: bool) -> String {
    let place = clean(&report.place, false).into_owned();
    let mut text = format!("{}\n", paint(colors, Style::Strong, &format!("published to {place}")));
    let partitions: u64 = report.tables.iter().map(|table| table.partitions).sum();
    if report.is_unchanged() {
        let _ = writeln!(text, "  nothing has changed since the last publish: nothing was written");
        let _ = writeln!(text, "Done. {partitions} files of {} tables stand.", report.tables.len());
        return text;
    }
    let width = report.tables.iter().map(|table| table.table.len()).max().unwrap_or_default();
    let _ = writeln!(
        text,
        "  {:<width$}{:>8}{:>9}{:>9}{:>12}{:>12}",
        "table", "files", "written", "removed", "rows", "size"
    );
    for table in report.tables.iter().filter(|table| table.written + table.removed > 0) {
        let _ = writeln!(
            text,
            "  {:<width$}{:>8}{:>9}{:>9}{:>12}{:>12}",
            table.table,
            table.partitions,
            table.written,
            table.removed,
            table.rows,
            bytes_text(table.bytes)
        );
    }
    let written: u64 = report.tables.iter().map(|table| table.written).sum();
    let bytes: u64 = report.tables.iter().map(|table| table.bytes).sum();
    let _ = writeln!(
        text,
        "Done. {written} of {partitions} files of {} tables written, {}.",
        report.tables.len(),
        bytes_text(bytes)
    );
    text
}
