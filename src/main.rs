//! The `adolake` command: parses, runs, prints what went wrong, ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    adolake::cli::main().into()
}
