//! `adolake check --verify RUN` and `--diff RUN`: what a stored run was, computed again.

use std::path::PathBuf;

use serde_json::json;

use super::{Args, FailOn, Format};
use crate::checks::{
    self, Change, CheckRun, Counts, Finding, Recomputed, Status, StoredRun, instant_text,
};
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::write_file;
use crate::lake::Lake;
use crate::report::Comparison;

/// Forms in which a verification is told.
const VERIFICATION: [Format; 2] = [Format::Text, Format::Json];

/// Complains about forms that `--verify` and `--diff` do not have, before any work is done.
pub(super) fn check_formats(args: &Args, files: &[(PathBuf, Format)]) -> Result<(), Failure> {
    let (flag, known): (&str, Vec<Format>) = if args.verify.is_some() {
        ("--verify", VERIFICATION.to_vec())
    } else if args.diff.is_some() {
        let is_known = |format: &Format| Comparison::FORMATS.contains(&format.of_report());
        ("--diff", Format::ALL.iter().copied().filter(is_known).collect())
    } else {
        return Ok(());
    };
    let asked = std::iter::once(args.format).chain(files.iter().map(|(_, format)| *format));
    match asked.into_iter().find(|format| !known.contains(format)) {
        None => Ok(()),
        Some(format) => {
            let known: Vec<String> =
                known.iter().map(|format| format!("`{}`", format.word())).collect();
            let message = format!("`{flag}` has no form `{}`", format.word());
            Err(Failure::user(message).hint(format!("use one of {}", known.join(", "))))
        }
    }
}

/// Computes a stored run again and tells whether it comes out the same.
pub(super) async fn verify(
    lake: &Lake,
    name: &str,
    format: Format,
    files: Vec<(PathBuf, Format)>,
    context: &Context,
) -> anyhow::Result<Exit> {
    let run = checks::stored_run(lake, name).await?;
    let recomputed = checks::recompute(lake, &run).await?;
    context.output.print(&told(&run, &recomputed, format))?;
    for (file, format) in files {
        let text = told(&run, &recomputed, format);
        write_file(&file, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    let is_same = run.findings_sha256 == recomputed.findings_sha256;
    Ok(if is_same { Exit::CLEAN } else { Exit::FINDINGS })
}

fn told(run: &StoredRun, recomputed: &Recomputed, format: Format) -> String {
    let is_same = run.findings_sha256 == recomputed.findings_sha256;
    let counts = recomputed.counts();
    if format == Format::Json {
        let side = |hash: &str, counts: &Counts| {
            let mut side = json!({ "findings_sha256": hash });
            for status in Status::ALL {
                side[status.as_str()] = counts.of(status).into();
            }
            side
        };
        let document = json!({
            "run_id": run.run_id,
            "started_at": instant_text(run.started_at),
            "version": run.version,
            "profile": run.profile.as_str(),
            "checks": run.checks,
            "is_same": is_same,
            "stored": side(&run.findings_sha256, &run.counts),
            "recomputed": side(&recomputed.findings_sha256, &counts),
        });
        return format!("{document:#}\n");
    }
    let line = |what: &str, hash: &str, counts: &Counts| {
        let counts = Status::ALL.map(|status| format!("{} {}", counts.of(status), status.as_str()));
        format!("  {what:<10}  {hash}  {}\n", counts.join(", "))
    };
    let (at, version) = (run.started_at.format("%Y-%m-%d %H:%M UTC"), env!("CARGO_PKG_VERSION"));
    let mut text = format!("run {} of {at}, profile {}\n", run.run_id, run.profile.as_str());
    text.push_str(&line("stored", &run.findings_sha256, &run.counts));
    text.push_str(&line("recomputed", &recomputed.findings_sha256, &counts));
    text.push_str(match is_same {
        true => "the same: every finding comes out as it did\n",
        false => "not the same\n",
    });
    if !is_same && run.version != version {
        let version = format!("the run was made by adolake {}, this is {version}\n", run.version);
        text.push_str(&version);
    }
    text
}

/// Tells what became of the verdicts of a stored run; exit code 1 where one is at or above `--fail-on` now and was not.
pub(super) async fn diff(
    lake: &Lake,
    name: &str,
    after: &CheckRun,
    args: &Args,
    files: Vec<(PathBuf, Format)>,
    context: &Context,
) -> anyhow::Result<Exit> {
    let before = checks::stored_run(lake, name).await?;
    let recomputed = checks::recompute(lake, &before).await?;
    let diff = checks::diff(&recomputed.findings, &after.findings);
    let comparison = Comparison { before: &before, recomputed: &recomputed, after, diff };
    if !comparison.is_reproduced() {
        context.output.warn(&format!(
            "check run `{}` does not come out as it did any more; what it comes out as is compared",
            before.run_id
        ));
    }
    for difference in &after.differences {
        context.output.warn(&format!("does not add up: {difference}"));
    }
    context.output.data(|out| Ok(comparison.write(args.format.of_report(), out)?))?;
    for (file, format) in files {
        write_file(&file, |out| Ok(comparison.write(format.of_report(), out)?))?;
    }
    let is_bad = |finding: &Finding<'_>| match args.fail_on {
        FailOn::Fail => finding.status == Status::Fail,
        FailOn::Unknown => matches!(finding.status, Status::Fail | Status::Unknown),
        FailOn::Never => false,
    };
    let is_worse = comparison.diff.changes.iter().any(|change| match change {
        Change::Flipped { before, after } => is_bad(after) && !is_bad(before),
        Change::Appeared(after) => is_bad(after),
        Change::Left(_) => false,
    });
    let found = if is_worse { Exit::FINDINGS } else { Exit::CLEAN };
    Ok(found.and(if after.differences.is_empty() { Exit::CLEAN } else { Exit::PARTIAL }))
}
