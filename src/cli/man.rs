//! `adolake man`.

use std::path::{Path, PathBuf};

use clap_mangen::Man;

use super::Context;
use super::exit::Exit;
use super::output::write_file;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  adolake man | man -l -\n  adolake man --out ~/.local/share/man/man1"
)]
pub(super) struct Args {
    /// Write one page per command into this folder instead of printing the first
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints or writes the pages.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let command = super::command();
    match args.out {
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            context.output.print(&String::from_utf8_lossy(&page))?;
        }
        Some(folder) => {
            write_pages(&folder, command.clone().name("adolake"))?;
            for subcommand in command.get_subcommands() {
                let name = format!("adolake-{}", subcommand.get_name());
                write_pages(&folder, subcommand.clone().name(name))?;
            }
            context.output.say(&format!("wrote the manual pages to `{}`", folder.display()));
        }
    }
    Ok(Exit::CLEAN)
}

fn write_pages(folder: &Path, command: clap::Command) -> anyhow::Result<()> {
    let file = folder.join(format!("{}.1", command.get_name()));
    write_file(&file, |out| Ok(Man::new(command).render(out)?))
}
