//! `adolake check [CHECK]...`: runs the checks on the lake, stores the verdicts, reports what they found.

mod stored;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Exports, write_file};
use super::{called_with, quoted};
use crate::checks::{self, CheckRun, Queries, Request, Status};
use crate::config::{Config, Profile, Settings};
use crate::lake::Lake;
use crate::report::{self, Format as ReportFormat, TextOptions};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake check
  adolake check pull_request_approved --profile strict --fail-on unknown
  adolake check --format json --export verdicts.csv > verdicts.json
  adolake check --quiet --export check.junit.xml --export check.sarif --export check.oscal.json

A stored run is named by its id, the beginning of it, or `latest`:
  adolake check --verify latest                        # does it still come out the same?
  adolake check --profile strict --diff latest         # which verdicts would flip
  adolake check --as-of 2026-03-31 --settings 01993c   # the past, by the settings of then

Further checks, written as the README shows:
  adolake check --queries mine --set at_most=10

Exit code 1: verdicts at or above `--fail-on` (with `--diff`: that were not before), or a run that does not verify; 4: listed, landed and judged pull requests disagree.")]
pub(super) struct Args {
    /// Run only these checks
    #[arg(value_name = "CHECK")]
    checks: Vec<String>,
    /// Judge the lake as it was then: a day (its end) or an instant; such verdicts are counted, not kept
    #[arg(long, value_name = "T")]
    as_of: Option<String>,
    /// Judge what was merged since this day or instant [default: checks.start-date]
    #[arg(long, value_name = "D")]
    since: Option<String>,
    /// Judge what was merged until the end of this day, or this instant [default: the newest sync]
    #[arg(long, value_name = "D")]
    until: Option<String>,
    /// How strictly [default: checks.profile]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<ProfileArg>,
    /// Which verdicts give exit code 1: `fail`, `unknown` (also those) or `never`
    #[arg(long, value_name = "STATUS", default_value = "fail", hide_possible_values = true)]
    fail_on: FailOn,
    /// Leave the lake as it is
    #[arg(long)]
    no_store: bool,
    /// Run the checks of this folder (`*.sql`, with `views/*.sql`) beside the built-in ones; the README says what they are
    #[arg(long, value_name = "DIR")]
    queries: Option<PathBuf>,
    /// Give a parameter that a check declares a value; repeatable
    #[arg(long = "set", value_name = "K=V", value_parser = pair)]
    given: Vec<(String, String)>,
    /// Judge by the settings of a stored run, its profile included, in place of those of the config file
    #[arg(long, value_name = "RUN")]
    settings: Option<String>,
    /// List the verdicts that flip against a stored run; stores nothing
    #[arg(long, value_name = "RUN")]
    diff: Option<String>,
    /// Compute a stored run again from its table versions, settings and queries; stores nothing
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "checks", "as_of", "since", "until", "profile", "queries", "given", "settings", "diff",
    ])]
    verify: Option<String>,
    /// How the report is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    exports: Exports,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Csv,
    Markdown,
    Junit,
    Sarif,
    Oscal,
    Ocsf,
}

impl Format {
    const SUFFIXES: &'static [(&'static str, Self)] = &[
        ("txt", Self::Text),
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("md", Self::Markdown),
        ("junit.xml", Self::Junit),
        ("xml", Self::Junit),
        ("sarif", Self::Sarif),
        ("sarif.json", Self::Sarif),
        ("oscal.json", Self::Oscal),
        ("ocsf.json", Self::Ocsf),
    ];

    const ALL: [Self; 8] = [
        Self::Text,
        Self::Json,
        Self::Csv,
        Self::Markdown,
        Self::Junit,
        Self::Sarif,
        Self::Oscal,
        Self::Ocsf,
    ];

    /// The word on the command line.
    const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
            Self::Oscal => "oscal",
            Self::Ocsf => "ocsf",
        }
    }

    const fn of_report(self) -> ReportFormat {
        match self {
            Self::Text => ReportFormat::Text,
            Self::Json => ReportFormat::Json,
            Self::Csv => ReportFormat::Csv,
            Self::Markdown => ReportFormat::Markdown,
            Self::Junit => ReportFormat::Junit,
            Self::Sarif => ReportFormat::Sarif,
            Self::Oscal => ReportFormat::Oscal,
            Self::Ocsf => ReportFormat::Ocsf,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProfileArg {
    Standard,
    Strict,
}

impl ProfileArg {
    pub(super) const fn profile(self) -> Profile {
        match self {
            Self::Standard => Profile::Standard,
            Self::Strict => Profile::Strict,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Fail,
    Unknown,
    Never,
}

/// Reads `K=V`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not `NAME=VALUE`")),
    }
}

/// Runs the checks, prints the report, and writes the exports.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let files = args.exports.formats(Format::SUFFIXES)?;
    stored::check_formats(&args, &files)?;
    let config = context.config()?;
    let lake = super::lake::open(&config, context)?;
    if let Some(run) = &args.verify {
        return stored::verify(&lake, run, args.format, files, context).await;
    }
    let settings = match &args.settings {
        Some(run) => &checks::stored_run(&lake, run).await?.settings()?,
        None => &config.settings,
    };
    let queries = match &args.queries {
        Some(folder) => Queries::load(folder)?,
        None => Queries::embedded()?,
    };
    let profile = args.profile.map_or(settings.profile, ProfileArg::profile);
    let mut names: Vec<&str> = args.given.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let message = format!("`--set {}` is given more than once", pair[0]);
        return Err(Failure::user(message).hint("a parameter has one value").into());
    }
    let organizations = organizations(&config);
    let request = Request {
        checks: &args.checks,
        organizations: &organizations,
        profile,
        as_of: bound(settings, "--as-of", args.as_of.as_deref(), End::Last)?,
        since: bound(settings, "--since", args.since.as_deref(), End::First)?,
        until: bound(settings, "--until", args.until.as_deref(), End::Last)?,
        given: &args.given,
        is_stored: !args.no_store && args.diff.is_none(),
        version: env!("CARGO_PKG_VERSION"),
        clock: &Utc::now,
    };
    let ran = checks::run(&lake, &queries, settings, &request).await;
    let run = ran.map_err(|error| super::lake::told(error, &config))?;
    if let Some(before) = &args.diff {
        return stored::diff(&lake, before, &run, &args, files, context).await;
    }
    for (file, format) in files {
        write_file(&file, |out| {
            Ok(report::write(&run, format.of_report(), &TextOptions::default(), out)?)
        })?;
    }
    print(&run, args.format, listing(&args, context.loader.file.as_deref(), context), context)?;
    Ok(exit(&run, args.fail_on))
}

/// Runs all checks as the configuration, which `file` holds, says, and prints the summary: for `demo`.
///
/// # Errors
/// When the lake cannot be read or written.
pub(super) async fn run_all(
    config: &Config,
    file: &Path,
    lake: &Arc<Lake>,
    context: &Context,
) -> anyhow::Result<Exit> {
    let request = Request {
        checks: &[],
        organizations: &organizations(config),
        profile: config.settings.profile,
        as_of: None,
        since: None,
        until: None,
        given: &[],
        is_stored: true,
        version: env!("CARGO_PKG_VERSION"),
        clock: &Utc::now,
    };
    let run = checks::run(lake, &Queries::embedded()?, &config.settings, &request).await?;
    let listing = format!("{} check --no-store --format csv", called_with(Some(file)));
    print(&run, Format::Text, listing, context)?;
    Ok(exit(&run, FailOn::Fail))
}

pub(super) fn organizations(config: &Config) -> Vec<String> {
    config.organizations.iter().map(|organization| organization.name.clone()).collect()
}

/// The command line that lists all that a run finds.
fn listing(args: &Args, file: Option<&Path>, context: &Context) -> String {
    let mut line = called_with(file);
    let mut give = |option: &str, value: &str| {
        line.push_str(&format!(" {option} {}", quoted(value)));
    };
    if let Some(folder) = &context.schemas {
        give("--schemas", &folder.to_string_lossy());
    }
    give("check", "--no-store");
    let profile = args.profile.map(|profile| profile.profile().as_str());
    let queries = args.queries.as_ref().map(|folder| folder.to_string_lossy());
    for (option, value) in [
        ("--format", Some("csv")),
        ("--as-of", args.as_of.as_deref()),
        ("--since", args.since.as_deref()),
        ("--until", args.until.as_deref()),
        ("--profile", profile),
        ("--queries", queries.as_deref()),
        ("--settings", args.settings.as_deref()),
    ] {
        value.into_iter().for_each(|value| give(option, value));
    }
    for (name, value) in &args.given {
        give("--set", &format!("{name}={value}"));
    }
    for check in &args.checks {
        line.push_str(&format!(" {}", quoted(check)));
    }
    line
}

fn print(run: &CheckRun, format: Format, listing: String, context: &Context) -> anyhow::Result<()> {
    let options = TextOptions {
        width: width(context),
        color: context.output.colors_data(),
        listing,
        ..TextOptions::default()
    };
    context.output.data(|out| Ok(report::write(run, format.of_report(), &options, out)?))?;
    report::untold(run, format.of_report()).for_each(|untold| context.output.warn(untold));
    Ok(())
}

/// The columns of the terminal, or what is comfortable to read.
pub(super) fn width(context: &Context) -> usize {
    let default = TextOptions::default().width;
    if !context.output.is_terminal() {
        return default;
    }
    terminal_size::terminal_size().map_or(default, |(width, _)| usize::from(width.0).max(40))
}

/// What a day stands for where an instant is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its first instant.
    First,
    /// Its last instant.
    Last,
}

/// Reads a day in `checks.time-zone`, or an instant.
pub(super) fn bound(
    settings: &Settings,
    flag: &str,
    text: Option<&str>,
    end: End,
) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let read = || {
        let day = text.parse::<NaiveDate>().ok().map(|day| settings.start_of_day(day));
        day.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()))
    };
    if flag == "--as-of" && read().is_some_and(|at| at > Utc::now()) {
        return Err(Failure::user(format!("`{flag} {text}` lies in the future"))
            .hint("the lake knows what was read; leave `--as-of` out to judge all of it"));
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(Some(match end {
            End::First => settings.start_of_day(day),
            End::Last => settings.end_of_day(day) - TimeDelta::microseconds(1),
        }));
    }
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) => Ok(Some(at.to_utc())),
        Err(_) => Err(Failure::user(format!("`{flag} {text}` is no time"))
            .hint("write a day like 2026-01-31 or an instant like 2026-01-31T12:00:00Z")),
    }
}

fn exit(run: &CheckRun, fail_on: FailOn) -> Exit {
    let counts = run.counts();
    let (failed, unknown) = (counts.of(Status::Fail), counts.of(Status::Unknown));
    let is_found = match fail_on {
        FailOn::Fail => failed > 0,
        FailOn::Unknown => failed + unknown > 0,
        FailOn::Never => false,
    };
    let findings = if is_found { Exit::FINDINGS } else { Exit::CLEAN };
    findings.and(if run.differences.is_empty() { Exit::CLEAN } else { Exit::PARTIAL })
}
