//! What a command did, as text or JSON: on stdout, and in files.

use std::path::PathBuf;

use super::failure::Failure;
use super::output::{Exports, Output, write_file};

/// How a summary is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// Arguments that say where a summary goes.
#[derive(Debug, clap::Args)]
pub(super) struct SummaryArgs {
    /// How the summary is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    exports: Exports,
}

/// Where a summary goes: checked before anything is done.
#[derive(Debug)]
pub(super) struct Summary {
    format: Format,
    files: Vec<(PathBuf, Format)>,
}

impl SummaryArgs {
    /// Checks the names of files.
    ///
    /// # Errors
    /// When a file has a suffix that no format has.
    pub(super) fn check(&self) -> Result<Summary, Failure> {
        let files = self.exports.formats(&[("txt", Format::Text), ("json", Format::Json)])?;
        Ok(Summary { format: self.format, files })
    }
}

impl Summary {
    /// Prints what `render` makes of a format, in colors or not, and writes the files.
    ///
    /// # Errors
    /// When it cannot be rendered, stdout is closed or a file cannot be written.
    pub(super) fn print(
        &self,
        output: &Output,
        render: impl Fn(Format, bool) -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        output.print(&render(self.format, output.colors_data())?)?;
        for (file, format) in &self.files {
            let text = render(*format, false)?;
            write_file(file, |out| Ok(out.write_all(text.as_bytes())?))?;
        }
        Ok(())
    }
}
