//! Logging to stderr, above the lines of progress.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::output::Output;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How it is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

impl Level {
    /// adolake's own events at the level; those of libraries only where they matter, or at `trace`.
    fn filter(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "off,adolake=error",
            Self::Warn => "off,adolake=warn",
            Self::Info => "error,adolake=info",
            Self::Debug => "warn,adolake=debug",
            Self::Trace => "debug,adolake=trace",
        }
    }
}

/// Starts logging for the life of the process.
pub(super) fn start(level: Level, format: Format, output: &Output) {
    let level = if output.is_quiet() && level == Level::Warn { Level::Error } else { level };
    if level == Level::Off {
        return;
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level.filter()))
        .with_writer(AboveBars(output.bars().clone()))
        .with_ansi(output.colors_talk());
    // Only fails when a subscriber is set already, which then is the one to use.
    let _ = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
}

#[derive(Clone)]
struct AboveBars(MultiProgress);

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
