//! The only printer: data to stdout, talk to stderr; quiet, colour, live progress and export files.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use indicatif::MultiProgress;

use super::failure::{Failure, Label};
use crate::config::{Environment, env};

/// `auto`, `always` or `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum When {
    /// On a terminal.
    #[default]
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not even on a terminal.
    Never,
}

impl When {
    fn decide(self, automatic: bool) -> bool {
        match self {
            Self::Auto => automatic,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// By lines that change, on a terminal.
    Live,
    /// By plain lines.
    Lines,
    /// Not at all.
    None,
}

/// Stdout, not buffered; that its reader is gone is told apart from any other broken pipe. On a terminal nothing that it
/// would obey passes, but what begins with an escape, which is of [`paint`].
#[derive(Debug)]
pub struct Stdout {
    is_terminal: bool,
    /// The beginning of a character whose rest is still to come.
    cut: Vec<u8>,
}

impl Default for Stdout {
    fn default() -> Self {
        Self { is_terminal: io::stdout().is_terminal(), cut: Vec::new() }
    }
}

/// Stdout takes nothing more.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout")]
struct Unwritten(#[source] io::Error);

/// Nobody reads stdout any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
struct Closed;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_terminal {
            return io::stdout().write(bytes).map_err(told_apart);
        }
        let mut text = std::mem::take(&mut self.cut);
        text.extend_from_slice(bytes);
        if let Err(error) = std::str::from_utf8(&text)
            && error.error_len().is_none()
        {
            self.cut = text.split_off(error.valid_up_to());
        }
        let text = String::from_utf8_lossy(&text);
        io::stdout().write_all(spelt(&text).as_bytes()).map_err(told_apart)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let cut = String::from_utf8_lossy(&std::mem::take(&mut self.cut)).into_owned();
        io::stdout().write_all(cut.as_bytes()).map_err(told_apart)?;
        io::stdout().flush().map_err(told_apart)
    }
}

fn told_apart(error: io::Error) -> io::Error {
    match error.kind() {
        kind @ io::ErrorKind::BrokenPipe => io::Error::new(kind, Closed),
        kind => io::Error::new(kind, Unwritten(error)),
    }
}

/// Tells whether an error came of it that nobody reads stdout any more.
#[must_use]
pub fn is_closed(error: &anyhow::Error) -> bool {
    let own = |cause: &io::Error| cause.get_ref().is_some_and(|inner| inner.is::<Closed>());
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(own))
}

/// Where everything is printed.
#[derive(Debug, Clone)]
pub struct Output {
    quiet: bool,
    color_out: bool,
    color_err: bool,
    progress: Progress,
    bars: MultiProgress,
}

impl Output {
    /// Decides by flags, terminal and environment.
    #[must_use]
    pub fn new(quiet: bool, color: When, progress: When, environment: &Environment) -> Self {
        let is_dumb = environment.get(env::TERM) == Some("dumb");
        let may_color = environment.get(env::NO_COLOR).is_none() && !is_dumb;
        Self {
            quiet,
            color_out: color.decide(may_color && io::stdout().is_terminal()),
            color_err: color.decide(may_color && io::stderr().is_terminal()),
            progress: match progress {
                When::Never => Progress::None,
                _ if quiet => Progress::None,
                _ if !is_dumb && io::stderr().is_terminal() => Progress::Live,
                _ => Progress::Lines,
            },
            bars: MultiProgress::new(),
        }
    }

    /// Writes data to stdout. Who closes the pipe has read enough: what a command does besides goes on.
    ///
    /// # Errors
    /// When stdout cannot be written for another reason, or `write` fails.
    pub fn data(
        &self,
        write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut out = BufWriter::with_capacity(64 * 1024, Stdout::default());
        match write(&mut out).and_then(|()| Ok(out.flush()?)) {
            Err(error) if is_closed(&error) => Ok(()),
            other => other,
        }
    }

    /// Writes one piece of data, likewise.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print(&self, text: &str) -> anyhow::Result<()> {
        self.data(|out| Ok(out.write_all(text.as_bytes())?))
    }

    /// Tells something on stderr, unless told to be quiet. Control characters are taken out.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.stderr(&clean(text, true));
        }
    }

    /// Tells something on stderr that is styled with [`paint`] already, unless told to be quiet.
    pub fn say_styled(&self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// Tells a problem on stderr, also when told to be quiet.
    pub fn label(&self, label: Label, text: &str) {
        let style = match label {
            Label::Error => Style::Bad,
            Label::Cause => Style::Strong,
            Label::Hint => Style::Good,
            Label::Warning => Style::Warn,
        };
        self.stderr(&format!(
            "{} {}",
            paint(self.color_err, style, &format!("{}:", label.as_str())),
            clean(text, true)
        ));
    }

    /// Tells what the reader should know, though it goes on.
    pub fn warn(&self, text: &str) {
        self.label(Label::Warning, text);
    }

    fn stderr(&self, text: &str) {
        // Whoever closed stderr does not want to be told.
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }

    /// Tells whether data on stdout may be coloured.
    #[must_use]
    pub fn colors_data(&self) -> bool {
        self.color_out
    }

    /// Tells whether talk on stderr may be coloured.
    #[must_use]
    pub fn colors_talk(&self) -> bool {
        self.color_err
    }

    /// Tells how progress is shown.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Tells whether only errors are to be told.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns the lines that change; talk is printed above them.
    #[must_use]
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Tells whether a person reads the data, on a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// To be looked at.
    Warn,
    /// Beside the point.
    Faint,
    /// The point.
    Strong,
}

/// Adds colour to a text, where colours are wanted.
#[must_use]
pub fn paint(colors: bool, style: Style, text: &str) -> String {
    if !colors {
        return text.to_owned();
    }
    let code = match style {
        Style::Good => "32",
        Style::Bad => "1;31",
        Style::Warn => "33",
        Style::Faint => "2",
        Style::Strong => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Tells whether a terminal would obey a character: control characters, and signs that turn the direction of writing.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Spells what a terminal would obey as JSON does where it must: JSON keeps its meaning, and what else comes along is
/// seen. Signs below the space are left, as every format spells or takes them out itself.
fn spelt(text: &str) -> Cow<'_, str> {
    let is_spelt = |c: char| c > ' ' && is_harmful(c);
    if !text.contains(is_spelt) {
        return Cow::Borrowed(text);
    }
    let mut spelt = String::with_capacity(text.len());
    for c in text.chars() {
        if is_spelt(c) {
            spelt.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            spelt.push(c);
        }
    }
    Cow::Owned(spelt)
}

/// Takes out what a terminal would obey: control characters, and signs that turn the direction of writing. Line
/// breaks stay where `lines` allows them, else they become spaces like tabs.
#[must_use]
pub fn clean(text: &str, lines: bool) -> Cow<'_, str> {
    if !text.contains(|c| is_harmful(c) && !(lines && c == '\n')) {
        return Cow::Borrowed(text);
    }
    let keep = |c: char| match c {
        '\n' if lines => Some(c),
        '\n' | '\t' => Some(' '),
        c if is_harmful(c) => None,
        c => Some(c),
    };
    Cow::Owned(text.chars().filter_map(keep).collect())
}

/// Tells a number of bytes in three digits or so.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, "B");
    for larger in UNITS {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// `--export FILE`, as often as wanted.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Exports {
    /// Write the data to a file as well, in the format of its suffix; may be repeated
    #[arg(long = "export", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Exports {
    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Finds the format of each file by its suffix, before any work is done.
    ///
    /// # Errors
    /// When a suffix is not in the list.
    pub fn formats<F: Copy>(&self, suffixes: &[(&str, F)]) -> Result<Vec<(PathBuf, F)>, Failure> {
        self.files
            .iter()
            .map(|file| {
                let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
                // `.sarif.json` before `.json`.
                let format = suffixes
                    .iter()
                    .filter(|(suffix, _)| name.ends_with(&format!(".{suffix}")))
                    .max_by_key(|(suffix, _)| suffix.len());
                match format {
                    Some((_, format)) => Ok((file.clone(), *format)),
                    None => {
                        let known: Vec<String> =
                            suffixes.iter().map(|(suffix, _)| format!("`.{suffix}`")).collect();
                        Err(Failure::user(format!(
                            "`{}` has no suffix that tells a format",
                            file.display()
                        ))
                        .hint(format!("use one of {}", known.join(", "))))
                    }
                }
            })
            .collect()
    }
}

/// Writes a file as a whole: under another name first, renamed when it is complete.
///
/// # Errors
/// When the file cannot be written, or `write` fails.
pub fn write_file(
    file: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    let told = || {
        Failure::user(format!("cannot write `{}`", file.display()))
            .hint("see whether the folder exists and may be written")
    };
    let result =
        File::create(&part).map_err(|error| told().caused_by(error).into()).and_then(|created| {
            let mut buffered = BufWriter::new(created);
            write(&mut buffered)?;
            buffered.flush().map_err(|error| told().caused_by(error))?;
            Ok(fs::rename(&part, file).map_err(|error| told().caused_by(error))?)
        });
    if result.is_err() {
        // Nothing half-written stays behind; where it never was created there is nothing to remove.
        let _ = fs::remove_file(&part);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pipe_of_stdout_may_break() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let by_the_store = anyhow::Error::new(broken()).context("cannot write `pushes`");
        assert!(!is_closed(&by_the_store));
        assert!(is_closed(&anyhow::Error::new(told_apart(broken())).context("cannot print")));
        assert!(!is_closed(&told_apart(io::ErrorKind::StorageFull.into()).into()));
    }

    #[test]
    fn terminals_are_shown_spelt_what_they_would_obey() {
        assert_eq!(spelt("{\"a\": \"ü\"}\n\u{1b}[1mx"), "{\"a\": \"ü\"}\n\u{1b}[1mx");
        assert_eq!(spelt("\u{9b}31m\u{7f}\u{202e}"), "\\u009b31m\\u007f\\u202e");
    }

    #[test]
    fn terminals_obey_nothing() {
        assert_eq!(clean("plain ü", false), "plain ü");
        assert_eq!(clean("\u{1b}[31mred\u{7}\r", false), "[31mred");
        assert_eq!(clean("a\nb\tc", false), "a b c");
        assert_eq!(clean("a\nb\tc", true), "a\nb c");
        assert_eq!(clean("x\u{202e}y\u{9b}31m", false), "xy31m");
    }

    #[test]
    fn the_longest_suffix_wins() {
        let exports = Exports { files: vec!["a.sarif.json".into(), "b.JSON".into()] };
        let formats = exports.formats(&[("json", 1), ("sarif.json", 2)]).unwrap();
        assert_eq!(formats.iter().map(|(_, format)| *format).collect::<Vec<_>>(), [2, 1]);
        assert!(Exports { files: vec!["c.xls".into()] }.formats(&[("json", 1)]).is_err());
    }
}
