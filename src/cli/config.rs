//! `adolake config show|check|schema`.

use anyhow::Context as _;
use clap::Subcommand;

use super::Context;
use super::exit::Exit;
use super::output::{Exports, write_file};
use crate::{checks, config, lake};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  adolake config check\n  adolake config show --format json\n  adolake config schema > adolake.schema.json"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every value in force, secrets by reference
    #[command(after_help = "Example:\n  ADOLAKE_SYNC__LAG=2h adolake config show")]
    Show {
        /// How it is printed
        #[arg(long, value_name = "FORMAT", default_value = "toml")]
        format: Format,
        #[command(flatten)]
        exports: Exports,
    },
    /// Tell all problems, with file and line
    #[command(after_help = "Example:\n  adolake --config ci/adolake.toml config check")]
    Check,
    /// Print the JSON schema of the config file, for editors
    #[command(after_help = "Example:\n  adolake config schema > adolake.schema.json")]
    Schema {
        #[command(flatten)]
        exports: Exports,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Toml,
    Json,
}

/// Does what the action says.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.action {
        Action::Show { format, exports } => {
            let files = exports.formats(&[("toml", Format::Toml), ("json", Format::Json)])?;
            let config = context.config()?;
            context.output.print(&shown(&config, format)?)?;
            for (file, format) in files {
                let text = shown(&config, format)?;
                write_file(&file, |out| Ok(out.write_all(text.as_bytes())?))?;
            }
        }
        Action::Check => {
            let config = context.config()?;
            for exception in &config.settings.exceptions {
                checks::evidence_hash(exception)?;
            }
            warn_of_missing_secrets(&config, context);
            // What a store's client makes of the options; without their secrets nobody can tell.
            if config.lake.resolve_options(context.environment()).is_ok()
                && let Err(error) = super::lake::open(&config, context)
            {
                // What is missing here may be there where the lake is opened.
                if let Some(lake::Error::Option { .. }) = error.downcast_ref() {
                    return Err(error);
                }
                context.output.warn(&format!("{error:#}"));
            }
            match &config.file {
                Some(file) => context.output.say(&format!("`{}` has no problems", file.display())),
                None => context
                    .output
                    .say("there is no config file; defaults and variables have no problems"),
            }
        }
        Action::Schema { exports } => {
            let files = exports.formats(&[("json", ())])?;
            let schema = format!("{:#}\n", config::json_schema());
            context.output.print(&schema)?;
            for (file, ()) in files {
                write_file(&file, |out| Ok(out.write_all(schema.as_bytes())?))?;
            }
        }
    }
    Ok(Exit::CLEAN)
}

fn shown(config: &config::Config, format: Format) -> anyhow::Result<String> {
    let text = config.to_string();
    match format {
        Format::Toml => Ok(text),
        Format::Json => {
            let value: toml::Table =
                toml::from_str(&text).context("cannot read the printed configuration back")?;
            Ok(format!("{:#}\n", json(toml::Value::Table(value))))
        }
    }
}

/// Dates of TOML are texts in JSON.
fn json(value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => serde_json::Value::Object(
            table.into_iter().map(|(key, value)| (key, json(value))).collect(),
        ),
    }
}

/// A secret that is not here may be there where adolake runs: no problem of the file, but worth a word.
fn warn_of_missing_secrets(config: &config::Config, context: &Context) {
    for organization in &config.organizations {
        let secret = organization.auth.secret(&organization.name, context.environment());
        if let Err(error) = secret {
            context.output.warn(&error.to_string());
        }
    }
    if let Err(error) = config.lake.resolve_options(context.environment()) {
        context.output.warn(&error.to_string());
    }
}
