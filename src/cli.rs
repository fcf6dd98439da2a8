//! The command line: which commands there are, what they are handed, and how they end.
//!
//! A command is one file: `cli/<name>.rs` with its `Args` (clap) and
//! `pub async fn run(args: Args, context: &Context) -> anyhow::Result<Exit>`, one variant of `Command`, and one line in
//! `Command::run`. A command prints data through [`Context::output`] to stdout and all else to stderr, and returns an
//! error or an [`Exit`]; errors of the stages are shown with their causes and hints by [`failure`].

mod check;
mod completions;
mod config;
mod demo;
mod doctor;
pub mod exit;
mod explain;
pub mod failure;
mod init;
mod lake;
mod log;
mod login;
mod maintain;
mod man;
pub mod output;
pub mod progress;
mod publish;
mod signal;
mod simulate;
mod sql;
mod summary;
mod sync;
mod tables;

use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use self::exit::Exit;
use self::output::{Output, When};
use self::signal::{OnSignal, Signals};
use crate::config::{Config, Environment, Error, Loader, env};
use crate::schema::{self, Catalog};

/// An evidence lake for Azure DevOps: incremental extraction into Delta tables, and SQL checks that show their evidence
#[derive(Debug, Parser)]
#[command(
    name = "adolake",
    version,
    max_term_width = 100,
    after_help = "\
Start with `adolake demo`: a simulated organization, no config, no network.

Exit codes: 0 clean; 1 findings; 2 yours to fix; 3 outside failure, try later; 4 done in part; 101 a bug."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Config file [default: adolake.toml, then $XDG_CONFIG_HOME/adolake/config.toml]
    #[arg(long, global = true, value_name = "FILE", env = env::CONFIG, hide_env = true)]
    config: Option<PathBuf>,
    /// Take the tables from the `*.sql` of this folder instead of the built-in schemas
    #[arg(long, global = true, value_name = "DIR")]
    schemas: Option<PathBuf>,
    /// How much is logged to stderr
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn", env = env::LOG_LEVEL, hide_env = true)]
    log_level: log::Level,
    /// How it is logged
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", env = env::LOG_FORMAT, hide_env = true)]
    log_format: log::Format,
    /// Tell nothing but data, warnings and errors
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Colours: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    color: When,
    /// Progress while work goes on: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    progress: When,
}

/// The commands, in the order in which `--help` lists them.
#[derive(Debug, Subcommand)]
enum Command {
    /// Try everything on a simulated organization: sync, check, and where to look next
    Demo(demo::Args),
    /// Write a config file for an organization, with proposals for what it finds there
    Init(init::Args),
    /// Tell what is in order and what is not, each with a remedy
    Doctor(doctor::Args),
    /// Sign in as a person, and keep it for later runs
    Login(login::Args),
    /// Forget who signed in
    Logout(login::Out),
    /// Read what is new into the lake
    Sync(sync::Args),
    /// Run the checks on the lake, store the verdicts, and report what failed
    Check(check::Args),
    /// Explain the verdicts on a pull request or branch, and what would flip them
    Explain(explain::Args),
    /// Ask the lake in SQL, one-shot or in a shell; read-only
    Sql(sql::Args),
    /// Put the current state of every table as plain Parquet, for tools that only glob files
    Publish(publish::Args),
    /// Join small files, write checkpoints, remove what no kept version needs
    Maintain(maintain::Args),
    /// Serve a simulated Azure DevOps organization, for trying and testing
    Simulate(simulate::Args),
    /// Print the table dictionary
    Tables(tables::Args),
    /// Print the settings in force, their problems, or their JSON schema
    Config(config::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print manual pages
    Man(man::Args),
}

impl Command {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Demo(args) => demo::run(args, context).await,
            Self::Init(args) => init::run(args, context).await,
            Self::Doctor(args) => doctor::run(args, context).await,
            Self::Login(args) => login::run(args, context).await,
            Self::Logout(args) => login::out(&args, context),
            Self::Sync(args) => sync::run(args, context).await,
            Self::Check(args) => check::run(args, context).await,
            Self::Explain(args) => explain::run(args, context).await,
            Self::Sql(args) => sql::run(args, context).await,
            Self::Publish(args) => publish::run(args, context).await,
            Self::Maintain(args) => maintain::run(args, context).await,
            Self::Simulate(args) => simulate::run(args, context).await,
            Self::Tables(args) => tables::run(args, context).await,
            Self::Config(args) => config::run(args, context).await,
            Self::Completions(args) => completions::run(args, context).await,
            Self::Man(args) => man::run(args, context).await,
        }
    }

    /// Tells what becomes of the command when SIGINT or SIGTERM comes.
    fn on_signal(&self) -> OnSignal {
        match self {
            Self::Sql(args) if args.opens_shell() => OnSignal::Own,
            Self::Sync(_) => OnSignal::EndInOrder,
            _ => OnSignal::Drop,
        }
    }
}

/// What every command is handed.
#[derive(Debug)]
pub struct Context {
    /// Where the configuration comes from.
    pub loader: Loader,
    /// Folder of schemas; none = the built-in ones.
    pub schemas: Option<PathBuf>,
    /// Where everything is printed.
    pub output: Output,
    /// Cancelled by SIGINT and SIGTERM.
    pub shutdown: CancellationToken,
    /// SIGINT and SIGTERM as they come.
    pub signals: Signals,
}

impl Context {
    /// Reads the configuration.
    ///
    /// # Errors
    /// When the file is not to be had, or with all problems in it at once.
    pub fn config(&self) -> Result<Config, Error> {
        self.loader.load()
    }

    /// Reads the tables of the lake.
    ///
    /// # Errors
    /// When a folder of schemas was given that cannot be read, or does not do for what this adolake writes.
    pub fn catalog(&self) -> Result<Arc<Catalog>, schema::Error> {
        let built_in = Catalog::embedded()?;
        let Some(folder) = &self.schemas else { return Ok(Arc::new(built_in)) };
        let catalog = Catalog::load(folder)?;
        catalog.demand_extends(&built_in)?;
        Ok(Arc::new(catalog))
    }

    /// Returns the environment that the program began with.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.loader.environment
    }
}

/// Returns the command line that calls this program, with a config file where one is to be named.
fn called_with(file: Option<&Path>) -> String {
    let program = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned());
    let program = quoted(&program.unwrap_or_else(|| "adolake".to_owned()));
    match file {
        // What begins with a dash is no value of an option.
        Some(file) if file.to_string_lossy().starts_with('-') => {
            format!("{program} --config {}", quoted(&format!("./{}", file.display())))
        }
        Some(file) => format!("{program} --config {}", quoted(&file.to_string_lossy())),
        None => program,
    }
}

/// Quotes a word for a shell, where it needs it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if word.chars().all(is_plain) && !word.is_empty() {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns the whole command line, for manual pages and completions.
fn command() -> clap::Command {
    Cli::command()
}

/// Parses the arguments of the process, runs the command, and returns how it ended; errors have been told.
#[must_use]
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no error; whoever closed the pipe does not want them.
            let is_printed = error.print();
            return match is_printed {
                _ if error.use_stderr() => Exit::USER,
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Exit::OUTSIDE,
                _ => Exit::CLEAN,
            };
        }
    };
    panic::set_hook(Box::new(report_bug));
    let environment = Environment::of_process();
    let global = cli.global;
    let output = Output::new(global.quiet, global.color, global.progress, &environment);
    log::start(global.log_level, global.log_format, &output);
    let folder = std::env::current_dir().unwrap_or_default();
    let context = Context {
        loader: Loader { file: global.config, folder, environment },
        schemas: global.schemas,
        output,
        shutdown: CancellationToken::new(),
        signals: Signals::new(),
    };
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let result = runtime.block_on(signal::run(cli.command, &context));
            // What still runs in the background must not hold the program back, nor be heard where it breaks off.
            IS_ENDING.store(true, Ordering::Relaxed);
            runtime.shutdown_background();
            result
        });
    match result {
        Ok(exit) => exit,
        Err(error) if output::is_closed(&error) => Exit::CLEAN,
        Err(error) => {
            failure::tell(&error, &context.output);
            failure::exit_of(&error)
        }
    }
}

/// Whether the command has ended: reads that nobody waits for any more may find their runtime gone.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Tells a panic as what it is and ends the program.
fn report_bug(info: &panic::PanicHookInfo<'_>) {
    if IS_ENDING.load(Ordering::Relaxed) {
        return;
    }
    let message = info
        .payload()
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| info.payload().downcast_ref::<String>().cloned())
        .unwrap_or_default();
    let place = info
        .location()
        .map(|place| format!(" ({}:{})", place.file(), place.line()))
        .unwrap_or_default();
    let backtrace = std::backtrace::Backtrace::capture();
    let mut text = format!(
        "error: this is a bug in adolake {}: {}{place}\n",
        env!("CARGO_PKG_VERSION"),
        output::clean(&message, true)
    );
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        text.push_str(&format!("{backtrace}\n"));
    }
    text.push_str("hint: what was committed before is safe; please report it with the command and this message");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
    std::process::exit(i32::from(Exit::BUG.code()));
}
