//! `adolake init`: writes a commented config file that fits the organization it is pointed at.

mod answers;
mod file;
mod propose;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Context;
use super::exit::Exit;
use super::failure::{self, Failure, Label};
use crate::config::{Auth, Config, FILE_NAME};
use crate::doctor::{self, Visible};
use crate::lake::Lake;

use self::answers::Answers;
use self::propose::Proposal;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake init
  adolake init --organization contoso --env ADO_PAT --start-date 2026-01-01
  adolake init --organization contoso --auth azure-cli --lake az://audit/lake

Asks for what is not given when on a terminal. With a sign-in at hand it proposes production branches and solutions from \
what it finds; each is marked as a proposal. A file that is there is never overwritten.")]
pub(super) struct Args {
    /// The last part of https://dev.azure.com/contoso
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// How to sign in [default: pat]
    #[arg(long, value_name = "KIND", value_parser = clap::builder::PossibleValuesParser::new(Auth::KINDS))]
    auth: Option<String>,
    /// Variable that holds the token or the secret [default: ADO_PAT, or what the kind is used to]
    #[arg(long, value_name = "VARIABLE")]
    env: Option<String>,
    /// Directory (tenant) that signs in
    #[arg(long, value_name = "ID")]
    tenant_id: Option<String>,
    /// Application (client) that signs in
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// File with the token of the other issuer, for workload-identity
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
    /// Where the lake is to be: a folder, or an address of an object store [default: ./lake]
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// First day whose merges are judged [default: the day of the first sync]
    #[arg(long, value_name = "DAY")]
    start_date: Option<chrono::NaiveDate>,
    /// File to write [default: that of --config, else adolake.toml]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write the file without looking at the organization
    #[arg(long)]
    plain: bool,
    /// Base address of projects and code, for a server of your own, a proxy or a simulator
    #[arg(long, value_name = "URL")]
    core: Option<String>,
    /// Base address of users, likewise
    #[arg(long, value_name = "URL")]
    graph: Option<String>,
    /// Base address of the own profile, likewise
    #[arg(long, value_name = "URL")]
    profile: Option<String>,
    /// Base address of sign-in, likewise
    #[arg(long, value_name = "URL")]
    login: Option<String>,
}

/// Asks, looks, writes.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let named = args.file.clone().or_else(|| context.loader.file.clone());
    let named = named.unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let path = context.loader.folder.join(&named);
    if path.symlink_metadata().is_ok() {
        return Err(file::is_there(&named).into());
    }
    let is_plain = args.plain;
    let answers = Answers::collect(args)?;
    let plain = text::render(&answers, None);
    let config = parsed(&path, &plain, context)?;
    let looked = if is_plain { None } else { Some(look(&config, context).await) };
    let (text, outcome) = match looked {
        None => (plain, None),
        Some(Err(error)) => (plain, Some(Err(error))),
        Some(Ok(proposal)) => {
            let text = text::render(&answers, Some(&proposal));
            match parsed(&path, &text, context) {
                Ok(_) => (text, Some(Ok(proposal))),
                Err(error) => (plain, Some(Err(error.context("what was found makes no config")))),
            }
        }
    };
    file::write_new(&path, &named, &text)?;
    let mut shown = named.display().to_string();
    match outcome {
        None => context.output.say(&format!("wrote `{shown}`")),
        Some(Ok(proposal)) => {
            context.output.say(&format!("wrote `{shown}` with {}", proposal.told()));
        }
        Some(Err(error)) => {
            context
                .output
                .say(&format!("wrote `{shown}` without proposals, as nothing could be read:"));
            for (label, line) in failure::lines(&error) {
                let label = if label == Label::Error { Label::Warning } else { label };
                context.output.label(label, &line);
            }
        }
    }
    let flag = if named == Path::new(FILE_NAME) {
        String::new()
    } else {
        shown = shown.replace('\'', r"'\''");
        format!(" --config '{shown}'")
    };
    context.output.say(&format!("next: adolake{flag} doctor, then adolake{flag} sync"));
    Ok(Exit::CLEAN)
}

/// Reads the text as it will be read.
fn parsed(path: &Path, text: &str, context: &Context) -> anyhow::Result<Config> {
    Ok(Config::parse(path, text, context.environment())?)
}

/// Signs in and finds out what there is.
async fn look(config: &Config, context: &Context) -> anyhow::Result<Proposal> {
    let organization = config
        .organizations()?
        .first()
        .ok_or_else(|| Failure::user("no organization is configured"))?;
    let lake = Arc::new(Lake::in_memory(context.catalog()?)?);
    let source = super::doctor::source(config, organization, &lake, context)?;
    let visible = Visible::read(&source, &organization.projects, None).await;
    let Some(found) = visible.found else {
        let error = visible.refused.into_iter().next().map(|refused| refused.error);
        return Err(
            error.map_or_else(|| Failure::user("nothing is visible").into(), anyhow::Error::from)
        );
    };
    let statuses = doctor::status_names(&source, &found.projects).await;
    Ok(Proposal::of(&organization.name, &found, &statuses))
}
