//! `adolake demo`: the main job on a simulated organization, inside the process.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Style, paint};
use super::{called_with, quoted};
use crate::config::{Config, Environment};
use crate::simulator::{self, Simulator, Size};
use crate::sync::{self, Options, Report};

/// First line of the config file that a demo writes; a folder is replaced only where it stands.
const MARK: &str = "# Written by `adolake demo`; the next demo replaces this folder.";
/// How far the clock is moved between the two syncs.
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Name of the example that is explained, where it says where to look next.
const EXPLAINED: &str = "reset-by-push";
/// Variable that the written config names for the token.
const TOKEN: &str = "ADOLAKE_DEMO_TOKEN";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake demo
  adolake demo --size tiny --folder /tmp/try

Simulates an organization, syncs it, moves its clock a week, syncs again, and checks.")]
pub(super) struct Args {
    /// Where the lake and a config file for it are put
    #[arg(long, value_name = "FOLDER", default_value = "adolake-demo")]
    folder: PathBuf,
    /// How large the organization is: tiny, small, medium or large
    #[arg(long, value_name = "SIZE", default_value = "small")]
    size: Size,
    /// Everything that looks random comes from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Runs the demo.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    prepare(&args.folder)?;
    let begun = Instant::now();
    let options =
        simulator::Options { seed: args.seed, size: args.size, ..simulator::Options::default() };
    let simulator = Simulator::start(options).await.map_err(|error| {
        Failure::outside("cannot start the simulated organization").caused_by(error)
    })?;
    let file = args.folder.join(crate::config::FILE_NAME);
    write_config(&file, &simulator)?;
    let environment = Environment::from_iter([(TOKEN.to_owned(), simulator.token().to_owned())]);
    let config = Config::parse(&file, &std::fs::read_to_string(&file)?, &environment)?;
    let lake = Arc::new(super::lake::open(&config, context)?);
    let mut lines = Vec::new();
    for step in ["first sync", "a week later"] {
        if !lines.is_empty() {
            simulator.advance(WEEK);
        }
        let started = Instant::now();
        let report = sync_once(&config, &environment, &lake, context).await?;
        lines.push(told(step, &report, started));
        context.output.say(lines.last().map_or("", String::as_str));
    }
    let exit = super::check::run_all(&config, &file, &lake, context).await?;
    let explained = simulator
        .examples()
        .iter()
        .find(|example| example.name == EXPLAINED)
        .and_then(|example| {
            let organization = config.organizations.first()?;
            let (project, repository) = (&example.project, &example.repository);
            Some(format!("{}/{project}/{repository}!{}", organization.name, example.pull_request?))
        })
        .unwrap_or_default();
    simulator.stop().await;
    let took = begun.elapsed().as_secs_f64();
    let colors = context.output.colors_data();
    context.output.print(&next(&args.folder, &file, &explained, took, colors))?;
    // Failing verdicts are what a demo is to show, not a reason to fail.
    Ok(if exit == Exit::FINDINGS { Exit::CLEAN } else { exit })
}

async fn sync_once(
    config: &Config,
    environment: &Environment,
    lake: &Arc<crate::lake::Lake>,
    context: &Context,
) -> anyhow::Result<Report> {
    let organization = config
        .organizations()?
        .first()
        .ok_or_else(|| Failure::user("the config of the demo names no organization"))?;
    let input = super::sync::input(config, organization, environment, lake, context)?;
    Ok(sync::sync(input, &Options::default()).await?)
}

fn told(step: &str, report: &Report, started: Instant) -> String {
    let changed: u64 = report
        .changed
        .iter()
        .filter(|(table, _)| *table != "sync_runs")
        .map(|(_, rows)| rows)
        .sum();
    let (requests, took) = (report.requests(), started.elapsed().as_secs_f64());
    format!("{step}: {requests} requests, {changed} rows new or changed, {took:.1} s")
}

/// Makes room for the demo: the folder of an earlier one is emptied, any other is left alone.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    let cannot = |error: std::io::Error| {
        Failure::user(format!("cannot write to `{}`", folder.display()))
            .caused_by(error)
            .hint("name another place with `--folder`")
    };
    if folder.exists() {
        let config =
            std::fs::read_to_string(folder.join(crate::config::FILE_NAME)).unwrap_or_default();
        let is_empty = folder.is_dir() && folder.read_dir().map_err(cannot)?.next().is_none();
        if !config.starts_with(MARK) && !is_empty {
            return Err(Failure::user(format!(
                "`{}` is there and not of a demo",
                folder.display()
            ))
            .hint("name another place with `--folder`, or remove it")
            .into());
        }
        std::fs::remove_dir_all(folder).map_err(cannot)?;
    }
    std::fs::create_dir_all(folder).map_err(cannot)?;
    Ok(())
}

/// Writes the config that later commands use.
fn write_config(file: &Path, simulator: &Simulator) -> anyhow::Result<()> {
    let text = format!(
        "{MARK}\n\
         # The simulated organization ended with the demo: `sql`, `check` and `tables` work on what was read.\n{}",
        simulator.config("./lake", TOKEN)
    );
    let failed =
        |error| Failure::user(format!("cannot write `{}`", file.display())).caused_by(error);
    Ok(std::fs::write(file, text).map_err(failed)?)
}

/// Says where to look next, in commands that work as they stand.
fn next(folder: &Path, file: &Path, explained: &str, took: f64, colors: bool) -> String {
    let command = called_with(Some(file));
    let mut text = String::new();
    let _ = writeln!(text, "\n{}", paint(colors, Style::Strong, "Where to look next"));
    let explain = format!("explain {}", quoted(explained));
    for (what, rest) in [
        ("why a verdict is what it is", explain.as_str()),
        (
            "what fails, by reason",
            r#"sql "select check_id, reason_code, count(*) from latest_check_results where status = 'fail' group by 1, 2 order by 3 desc""#,
        ),
        (
            "who approves whom",
            r#"sql "select author_name, count(*) merged from merged_pull_requests group by 1 order by 2 desc limit 10""#,
        ),
        ("a SQL shell on the lake", "sql"),
        ("the checks again", "check"),
        ("what the tables hold", "tables pull_requests"),
    ] {
        let _ = writeln!(
            text,
            "  {}\n    {command} {rest}",
            paint(colors, Style::Faint, &format!("# {what}"))
        );
    }
    let _ = writeln!(
        text,
        "The lake and its config are in `{}`. Done in {took:.1} s.",
        folder.display()
    );
    text
}
