//! `adolake man`.

use std::path::{Path, PathBuf};

use clap_mangen::Man;

use super::Context;
use super::exit::Exit;
use super::failure::Failure;
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
            std::fs::create_dir_all(&folder).map_err(|error| {
                Failure::user(format!("cannot make the folder `{}`", folder.display()))
                    .caused_by(error)
                    .hint("name one below a folder that may be written")
            })?;
            write_page(&folder, "adolake", command.clone())?;
            for subcommand in command.get_subcommands() {
                write_page(
                    &folder,
                    &format!("adolake-{}", subcommand.get_name()),
                    subcommand.clone(),
                )?;
            }
            context.output.say(&format!("wrote the manual pages to `{}`", folder.display()));
        }
    }
    Ok(Exit::CLEAN)
}

fn write_page(folder: &Path, name: &str, command: clap::Command) -> anyhow::Result<()> {
    let page = Man::new(command.display_name(name)).title(name);
    write_file(&folder.join(format!("{name}.1")), |out| Ok(page.render(out)?))
}
