//! `adolake maintain`: joins small files, writes checkpoints, removes what no kept version needs.

use std::fmt::Write as _;

use chrono::Utc;

use super::Context;
use super::exit::Exit;
use super::failure;
use super::output::{Style, bytes_text, paint};
use super::summary::{Format, SummaryArgs};
use crate::lake::{self, Care, Upkeep};

/// Memory that sorting may use before it spills to disk, bytes.
const MEMORY_LIMIT: usize = 256 << 20;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake maintain --dry-run
  adolake maintain

No row is changed or lost, verdicts are kept for ever. `lake.keep-versions` says how far back older versions stay \
readable; nothing younger than 7 days is removed. Syncs, checks and another `maintain` may run at the same time.")]
pub(super) struct Args {
    /// Tell what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    summary: SummaryArgs,
}

/// Keeps one table after the other in order.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let summary = args.summary.check()?;
    let config = context.config()?;
    let lake = super::lake::open(&config, context)?.with_memory_limit(MEMORY_LIMIT);
    let looks = lake.inspect().await;
    if looks.iter().all(|(_, look)| matches!(look, Ok(None))) {
        return Err(super::lake::missing(&config).into());
    }
    // A newer adolake keeps its lake in order itself.
    let is_newer = |error: &lake::Error| matches!(error, lake::Error::Newer { .. });
    if let Some(error) = looks.into_iter().filter_map(|(_, look)| look.err()).find(is_newer) {
        return Err(error.into());
    }
    let now = if args.dry_run { Utc::now() } else { lake.clock().await? };
    let care = Care { is_dry: args.dry_run, now };
    let mut done = Vec::new();
    let mut failures = Vec::new();
    for table in lake.table_names() {
        match lake.maintain(table, care).await {
            Ok(Some(upkeep)) => done.push(upkeep),
            Ok(None) => {}
            // Where the store fails, it fails for all.
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => failures.push(anyhow::Error::from(error)),
        }
    }
    if done.is_empty()
        && let Some(error) = failures.pop()
    {
        return Err(error);
    }
    summary.print(&context.output, |format, colors| match format {
        Format::Text => Ok(text(&done, args.dry_run, colors)),
        Format::Json => {
            let document = serde_json::json!({ "dry_run": args.dry_run, "tables": done });
            Ok(serde_json::to_string_pretty(&document)? + "\n")
        }
    })?;
    failures.iter().for_each(|error| failure::tell(error, &context.output));
    Ok(if failures.is_empty() { Exit::CLEAN } else { Exit::PARTIAL })
}

fn text(done: &[Upkeep], is_dry: bool, colors: bool) -> String {
    let title = if is_dry { "what would be done" } else { "what was done" };
    let mut text = format!("{}\n", paint(colors, Style::Strong, title));
    let busy: Vec<&Upkeep> = done.iter().filter(|upkeep| !upkeep.is_nothing()).collect();
    if busy.is_empty() {
        let _ = writeln!(text, "  nothing: {} tables are in order", done.len());
        return text;
    }
    let width = busy.iter().map(|upkeep| upkeep.table.len()).max().unwrap_or_default();
    let _ = writeln!(
        text,
        "  {:<width$}{:>8}{:>16}{:>12}{:>9}{:>9}{:>12}{:>11}",
        "table", "files", "joined", "checkpoint", "expired", "orphans", "removed", "log files"
    );
    for upkeep in busy {
        let joined = match upkeep.compacted {
            0 => String::new(),
            count => format!("{count} to {}", upkeep.compacted_to),
        };
        let line = format!(
            "  {:<width$}{:>8}{joined:>16}{:>12}{:>9}{:>9}{:>12}{:>11}",
            upkeep.table,
            upkeep.files,
            if upkeep.checkpoint { "yes" } else { "" },
            upkeep.expired,
            upkeep.orphans,
            bytes_text(upkeep.removed_bytes),
            upkeep.log_files
        );
        let _ = writeln!(text, "{line}");
    }
    let sum = |of: fn(&Upkeep) -> u64| done.iter().map(of).sum::<u64>();
    let _ = writeln!(
        text,
        "{} {} files joined to {}, {} removed ({}), {} of the log removed.",
        if is_dry { "Would be:" } else { "Done." },
        sum(|upkeep| upkeep.compacted),
        sum(|upkeep| upkeep.compacted_to),
        sum(|upkeep| upkeep.expired + upkeep.orphans),
        bytes_text(sum(|upkeep| upkeep.removed_bytes)),
        sum(|upkeep| upkeep.log_files),
    );
    text
}
