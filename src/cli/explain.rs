//! `adolake explain PR`: why the verdicts on a pull request or branch are what they are.

use std::path::PathBuf;

use chrono::Utc;

use super::Context;
use super::check::{End, ProfileArg, bound, organizations, pair, width};
use super::exit::Exit;
use super::output::{Exports, write_file};
use crate::checks::{self, Explanation, Queries, Request, Wanted};
use crate::report::{ExplanationFormat, TextOptions, write_explanation};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake explain 'contoso/payments/api!4711'
  adolake explain https://dev.azure.com/contoso/payments/_git/api/pullrequest/4711 --profile strict
  adolake explain contoso/payments/api@main --format json --export why.txt

Every verdict of `check` on it; the facts in order of time, each with whether it counted and why; what is \
missing, and the nearest names; the smallest difference that would have given a pass, and what can be done now.

JSON: `resource`; `run` (version, profile, period, data_as_of, table_versions); `subject`, a list of facts, among \
them `not_judged`; `verdicts`, each with the columns of `check --format json`, `title`, `controls`, `remediation` \
and the lists `facts`, `nearest`, `flag_meanings`, `flips`, `now`. A fact is `effect` (counts, against, ignored, \
context, missing, nearest, flag, flip, now, subject), `at`, `kind`, `fact`, `why`, `id`, `url`.")]
pub(super) struct Args {
    /// Web address, `org/project/repo!123`, or a branch `org/project/repo@main`
    #[arg(value_name = "PR")]
    resource: String,
    /// Judge the lake as it was then: a day (its end) or an instant
    #[arg(long, value_name = "T")]
    as_of: Option<String>,
    /// How strictly [default: checks.profile]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<ProfileArg>,
    /// Also take the queries of this folder: `*.sql`, `views/*.sql`, `explain/*.sql`
    #[arg(long, value_name = "DIR")]
    queries: Option<PathBuf>,
    /// Give a parameter that a check declares a value; repeatable
    #[arg(long = "set", value_name = "K=V", value_parser = pair)]
    given: Vec<(String, String)>,
    /// How it is printed
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

impl Format {
    const SUFFIXES: &'static [(&'static str, Self)] = &[("txt", Self::Text), ("json", Self::Json)];

    const fn of_explanation(self) -> ExplanationFormat {
        match self {
            Self::Text => ExplanationFormat::Text,
            Self::Json => ExplanationFormat::Json,
        }
    }
}

/// Judges the resource anew and prints why.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let files = args.exports.formats(Format::SUFFIXES)?;
    let config = context.config()?;
    let addresses: Vec<(String, String)> = config
        .organizations
        .iter()
        .map(|organization| (organization.name.clone(), organization.endpoints.core.clone()))
        .collect();
    let wanted = Wanted::parse(&args.resource, &addresses)?;
    let queries = match &args.queries {
        Some(folder) => Queries::load(folder)?,
        None => Queries::embedded()?,
    };
    let settings = &config.settings;
    let organizations = organizations(&config);
    let request = Request {
        checks: &[],
        organizations: &organizations,
        profile: args.profile.map_or(settings.profile, ProfileArg::profile),
        as_of: bound(settings, "--as-of", args.as_of.as_deref(), End::Last)?,
        since: None,
        until: None,
        given: &args.given,
        is_stored: false,
        version: env!("CARGO_PKG_VERSION"),
        clock: &Utc::now,
    };
    let lake = super::lake::open(&config, context)?;
    let explained = checks::explain(&lake, &queries, settings, &request, &wanted).await;
    let explanation = explained.map_err(|error| super::lake::told(error, &config))?;
    let options = TextOptions {
        width: width(context),
        color: context.output.colors_data(),
        ..TextOptions::default()
    };
    context.output.data(|out| print(&explanation, args.format, &options, out))?;
    for (file, format) in files {
        write_file(&file, |out| print(&explanation, format, &TextOptions::default(), out))?;
    }
    Ok(Exit::CLEAN)
}

fn print(
    explanation: &Explanation,
    format: Format,
    options: &TextOptions,
    out: &mut dyn std::io::Write,
) -> anyhow::Result<()> {
    write_explanation(explanation, format.of_explanation(), options, out)?;
    Ok(out.flush()?)
}
