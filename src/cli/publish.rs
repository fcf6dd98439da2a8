//! `adolake publish`: the current state of every table as plain Hive-partitioned Parquet.

use std::fmt::Write as _;

use super::Context;
use super::exit::Exit;
use super::output::{Style, bytes_text, clean, paint};
use super::summary::{Format, SummaryArgs};
use crate::config::exposed;
use crate::publish::{self, Place, Report};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake publish
  adolake publish --out ../published
  duckdb -c \"select status, count(*) from 'published/latest_check_results/**/*.parquet' group by 1\"

One sorted file per partition, `TABLE/organization=…/…/data.parquet`, only where its rows have changed since the last \
publish. A file is replaced as a whole; those of gone partitions are removed.")]
pub(super) struct Args {
    /// Folder, `s3://…`, `az://…`, `abfss://…` or `gs://…` [default: the folder `published` in the lake]
    #[arg(long, value_name = "URL")]
    out: Option<String>,
    #[command(flatten)]
    summary: SummaryArgs,
}

/// Publishes all tables at the versions that are the newest now.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let summary = args.summary.check()?;
    let config = context.config()?;
    let lake = super::lake::open(&config, context)?;
    let options = exposed(&config.lake.resolve_options(context.environment())?);
    let place = Place::open(&lake, args.out.as_deref(), &options)?;
    let session = lake.session().await?;
    if session.versions.is_empty() {
        return Err(super::lake::missing(&config).into());
    }
    let report = publish::publish(&lake, &session, &place).await?;
    summary.print(&context.output, |format, colors| match format {
        Format::Text => Ok(text(&report, colors)),
        Format::Json => Ok(serde_json::to_string_pretty(&report)? + "\n"),
    })?;
    for table in &report.gone {
        context.output.warn(&format!(
            "table `{table}` is gone from the lake; what was published of it stays: restore its folder from a copy, have it \
             filled again by `adolake sync` or `adolake check`, or remove it from what is published"
        ));
    }
    Ok(if report.gone.is_empty() { Exit::CLEAN } else { Exit::PARTIAL })
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
