//! `adolake completions SHELL`.

use clap_complete::Shell;

use super::Context;
use super::exit::Exit;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  adolake completions bash > ~/.local/share/bash-completion/completions/adolake"
)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "adolake", &mut script);
    context.output.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::CLEAN)
}
