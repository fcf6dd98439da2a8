//! `adolake sql [QUERY]`: ad-hoc SQL on the lake, one-shot or in a shell; read-only.

mod complete;
mod explain;
mod guard;
mod render;
mod shell;

use std::io::{self, IsTerminal as _, Read as _, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use futures::StreamExt as _;
use tokio::runtime::Handle;

use self::render::{Format, Look, Sink, demand_parquet, sink};
use super::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::lake::{self, Views};
use super::output::{Exports, Stdout, write_file};
use super::progress::{counted, seconds};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a query: a shell on a terminal, else the statements of stdin.

Examples:
  adolake sql \"select status, count(*) from pull_requests group by status\"
  adolake sql --format csv --export failures.parquet \"select * from latest_check_results where status = 'fail'\"
  adolake sql")]
pub(super) struct Args {
    /// SQL: SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE
    #[arg(conflicts_with = "file")]
    query: Option<String>,
    /// Take the SQL from a file; `-` is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How rows are printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    exports: Exports,
}

impl Args {
    /// Tells whether a shell is opened; it listens for signals itself.
    pub(super) fn opens_shell(&self) -> bool {
        self.query.is_none() && self.file.is_none() && io::stdin().is_terminal()
    }
}

/// Answers the query, or opens the shell.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let exports = args.exports.formats(Format::SUFFIXES)?;
    if args.format == Format::Parquet && context.output.is_terminal() {
        return Err(Failure::user("Parquet is not for a terminal")
            .hint("redirect stdout, or use `--export FILE.parquet`")
            .into());
    }
    let Some(text) = text(&args)? else {
        if !exports.is_empty() {
            return Err(
                Failure::user("the shell exports nothing; give a query with `--export`").into()
            );
        }
        let session = lake::session(context, Views::All).await?;
        return shell::run(&session, args.format, context).await;
    };
    let statements = guard::parse(&text)?;
    for statement in &statements {
        guard::check(statement)?;
    }
    if statements.is_empty() {
        return Err(Failure::user("there is no statement to run")
            .hint("give one, such as `adolake sql \"select * from latest_check_results\"`, or none for the shell")
            .into());
    }
    if statements.len() > 1 && !exports.is_empty() {
        return Err(Failure::user("`--export` takes a single statement")
            .hint("run each with an `--export` of its own")
            .into());
    }
    if statements.len() > 1 && args.format == Format::Parquet {
        return Err(Failure::user("a Parquet file holds the rows of a single statement")
            .hint("run each on its own")
            .into());
    }
    let catalog = context.catalog()?;
    let session = lake::session(context, Views::of(&statements, &catalog)).await?;
    for statement in statements {
        let threads = Handle::current();
        let answer =
            answer(&session.ctx, statement, args.format, &exports, &threads, context).await?;
        if args.format == Format::Table {
            context.output.say(&answer.to_string());
        }
    }
    Ok(Exit::CLEAN)
}

/// The SQL of the arguments or of stdin; none = open the shell.
fn text(args: &Args) -> anyhow::Result<Option<String>> {
    let from_stdin = || -> anyhow::Result<Option<String>> {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::user("cannot read SQL from stdin").caused_by(error))?;
        Ok(Some(text))
    };
    match (&args.query, &args.file) {
        (Some(query), _) if query == "-" => from_stdin(),
        (Some(query), _) => Ok(Some(query.clone())),
        (None, Some(file)) if file.as_os_str() == "-" => from_stdin(),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::user(format!("cannot read SQL from `{}`", file.display()))
                    .caused_by(error)
                    .hint("give a file that can be read, or `-` for stdin")
            })?;
            Ok(Some(text))
        }
        (None, None) if args.opens_shell() => Ok(None),
        (None, None) => from_stdin(),
    }
}

/// What is told below a result.
struct Answer {
    rows: u64,
    took: Duration,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let took = match self.took.as_millis() {
            0..1_000 => format!("{} ms", self.took.as_millis()),
            _ => seconds(self.took),
        };
        write!(f, "{} in {took}", counted(self.rows, "row"))
    }
}

/// Computes a stream on a task of its own, so that whoever waits for it hears signals meanwhile.
fn apart(mut rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let mut builder = RecordBatchReceiverStreamBuilder::new(schema, 2);
    let send = builder.tx();
    builder.spawn(async move {
        while let Some(batch) = rows.next().await {
            if send.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    builder.build()
}

/// Runs one statement on the threads of a runtime and writes its rows to stdout and to files; files are complete or not there.
async fn answer(
    session: &SessionContext,
    statement: Statement,
    format: Format,
    exports: &[(PathBuf, Format)],
    threads: &Handle,
    context: &Context,
) -> anyhow::Result<Answer> {
    let started = Instant::now();
    let state = session.state();
    let told = statement.clone();
    let explained = |error| explain::failure(session, &told, error);
    let plan = match guard::plan(&state, statement).await {
        Ok(plan) => plan,
        Err(error) => return Err(explained(error).await.into()),
    };
    let physical = match state.create_physical_plan(&plan).await {
        Ok(physical) => physical,
        Err(error) => return Err(explained(error).await.into()),
    };
    let schema = physical.schema();
    if exports.iter().any(|(_, of_file)| *of_file == Format::Parquet) || format == Format::Parquet {
        demand_parquet(&schema)?;
    }
    let executed = {
        let _entered = threads.enter();
        execute_stream(physical, session.task_ctx()).map(apart)
    };
    let mut rows = match executed {
        Ok(rows) => rows,
        Err(error) => return Err(explained(error).await.into()),
    };
    let look = Look {
        colors: context.output.colors_data(),
        max_width: context.output.is_terminal().then_some(80),
        is_terminal: context.output.is_terminal(),
    };
    let mut count = 0;
    let mut batches = Vec::new();
    {
        let out: Box<dyn Write + Send> = Box::new(io::BufWriter::new(Stdout::default()));
        let mut out = sink(format, out, &schema, look)?;
        while let Some(batch) = rows.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Err(explained(error).await.into()),
            };
            count += u64::try_from(batch.num_rows())?;
            out.write(&batch)?;
            if !exports.is_empty() {
                batches.push(batch);
            }
        }
        out.finish()?;
    }
    for (file, format) in exports {
        write_file(file, |out| {
            let mut out: Box<dyn Sink> = sink(*format, Box::new(out), &schema, Look::default())?;
            for batch in &batches {
                out.write(batch)?;
            }
            out.finish()
        })?;
    }
    Ok(Answer { rows: count, took: started.elapsed() })
}
