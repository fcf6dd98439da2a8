//! The interactive shell: history, completion, statements over several lines, timing.

use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use tokio::runtime::{Handle, Runtime};

use super::complete::Words;
use super::explain::tables;
use super::render::Format;
use super::{answer, guard};
use crate::checks::Queries;
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{self, Failure};
use crate::cli::output::{Style, paint};
use crate::hint::nearest;
use crate::lake::Session;

const HELP: &str = "\
  SQL;        run it: SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE
  \\d          list tables and views
  \\d TABLE    describe a table or view
  \\q          leave, as Ctrl-D does";

/// Reads and answers until the end of input.
pub(super) async fn run(
    session: &Session,
    format: Format,
    context: &Context,
) -> anyhow::Result<Exit> {
    let output = &context.output;
    let editing =
        |error: ReadlineError| Failure::outside("the terminal cannot be read").caused_by(error);
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .max_history_size(10_000)
        .map_err(editing)?
        .build();
    let mut editor: Editor<Words, FileHistory> = Editor::with_config(config).map_err(editing)?;
    editor.set_helper(Some(Words::new(&session.ctx).await));
    let history = history(context);
    if let Some(file) = &history {
        // The first shell has none.
        let _ = editor.load_history(file);
    }
    output.say("adolake sql: read-only; \\d lists tables, help tells more, Ctrl-D leaves");
    let prompt = "adolake> ";
    let mut threads = Threads::new()?;
    loop {
        let line = match tokio::task::block_in_place(|| editor.readline(prompt)) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(editing(error).into()),
        };
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        // A line that cannot be remembered is run all the same.
        let _ = editor.add_history_entry(text);
        if ["\\q", "quit", "exit"].contains(&text.trim_end_matches(';')) {
            break;
        }
        let result = tokio::select! {
            result = respond(session, text, format, threads.idle()?, context) => result,
            exit = context.signals.next() => {
                if exit != Exit::INTERRUPTED {
                    return Ok(exit);
                }
                threads.was_stopped = true;
                output.say("stopped");
                Ok(())
            }
        };
        if let Err(error) = result {
            failure::tell(&error, output);
        }
    }
    if let Some(file) = &history
        && let Err(error) = editor.save_history(file)
    {
        output.warn(&format!("the history is not saved to `{}`: {error}", file.display()));
    }
    Ok(Exit::CLEAN)
}

/// What statements are answered on. One that is stopped may keep its threads for a while, as operators only end between
/// batches: the next one gets others, and waits at most for what the store has in hand for the one before.
struct Threads {
    /// Never dropped: reads of a runtime that is shut down would panic.
    runtime: &'static Runtime,
    /// Whether the last statement was stopped.
    was_stopped: bool,
}

impl Threads {
    fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self { runtime: Box::leak(Box::new(runtime)), was_stopped: false })
    }

    /// Returns threads on which nothing runs any more.
    fn idle(&mut self) -> anyhow::Result<&Handle> {
        if self.was_stopped && self.runtime.metrics().num_alive_tasks() > 0 {
            *self = Self::new()?;
        }
        self.was_stopped = false;
        Ok(self.runtime.handle())
    }
}

/// The history file, its folder made.
fn history(context: &Context) -> Option<PathBuf> {
    let folder = context.environment().state_home()?.join("adolake");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("sql_history"))
}

async fn respond(
    session: &Session,
    text: &str,
    format: Format,
    threads: &Handle,
    context: &Context,
) -> anyhow::Result<()> {
    let command = text.trim_end_matches(';').trim();
    if command == "help" || command == "\\?" || command == "\\h" {
        context.output.print(&format!("{HELP}\n"))?;
        return Ok(());
    }
    if command == "\\d" || command == "\\dt" {
        return context.output.print(&list(session, context)?);
    }
    if let Some(table) = command.strip_prefix("\\d ") {
        return describe(session, table.trim(), context).await;
    }
    if command.starts_with('\\') {
        return Err(Failure::user(format!("there is no command `{command}`"))
            .hint("help lists them")
            .into());
    }
    for statement in guard::parse(text)? {
        guard::check(&statement)?;
        let answer = answer(&session.ctx, statement, format, &[], threads, context).await?;
        context.output.say(&answer.to_string());
    }
    Ok(())
}

fn list(session: &Session, context: &Context) -> anyhow::Result<String> {
    let catalog = context.catalog()?;
    let queries = Queries::embedded()?;
    let names = tables(&session.ctx);
    let width = names.iter().map(String::len).max().unwrap_or_default();
    let mut text = String::new();
    for name in names {
        let view = || {
            queries
                .views()
                .iter()
                .find(|view| view.id() == name)
                .map(|view| view.header.title.as_str())
        };
        let about = catalog
            .table(&name)
            .map(|table| table.comment.as_str())
            .or_else(view)
            .unwrap_or_default();
        let padded = paint(context.output.colors_data(), Style::Strong, &format!("{name:width$}"));
        text.push_str(format!("{padded}  {about}").trim_end());
        text.push('\n');
    }
    Ok(text)
}

async fn describe(session: &Session, table: &str, context: &Context) -> anyhow::Result<()> {
    let Ok(provider) = session.ctx.table_provider(table).await else {
        let known = tables(&session.ctx);
        let failure = Failure::user(format!("there is no table or view `{table}`"));
        return Err(match nearest(table, known.iter().map(String::as_str)) {
            Some(name) => failure.hint(format!("did you mean `{name}`?")),
            None => failure.hint("\\d lists them"),
        }
        .into());
    };
    let catalog = context.catalog()?;
    let stored = catalog.table(table);
    let schema = provider.schema();
    let width = schema.fields().iter().map(|field| field.name().len()).max().unwrap_or_default();
    let mut text = String::new();
    for field in schema.fields() {
        let name =
            paint(context.output.colors_data(), Style::Strong, &format!("{:width$}", field.name()));
        let about = stored
            .and_then(|stored| Some(stored.columns[stored.index(field.name())?].comment.as_str()))
            .unwrap_or_default();
        text.push_str(format!("{name}  {:9}  {about}", kind(field.data_type())).trim_end());
        text.push('\n');
    }
    context.output.print(&text)
}

fn kind(kind: &arrow::datatypes::DataType) -> String {
    use arrow::datatypes::DataType;
    match kind {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stopped_statement_that_still_computes_does_not_hold_the_next_one() {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut threads = Threads::new().unwrap();
        let busy = threads.idle().unwrap().clone();
        for _ in 0..busy.metrics().num_workers() {
            let is_over = Arc::clone(&is_over);
            busy.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            });
        }
        threads.was_stopped = true;
        let next = threads.idle().unwrap();
        let answered = next.spawn(async { 5 });
        let patience = Duration::from_secs(10);
        let answered = next.block_on(async { tokio::time::timeout(patience, answered).await });
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(answered.unwrap().unwrap(), 5);
    }
}
