//! Asking another program: what it prints, or why it did not.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// Longest complaint that is passed on, characters.
const LINE: usize = 400;

/// Why a program gave nothing.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It could not be run.
    NotRun(io::Error),
    /// It was still at it when patience ended, and was stopped.
    Slow,
    /// It failed.
    Failed {
        /// The first line of what it complained, or how it ended; short and without control characters.
        line: String,
        /// All that it complained; not to be passed on.
        text: String,
    },
}

/// Runs a program with nothing to read and returns what it printed.
pub(crate) async fn ask(command: &mut Command, patience: Duration) -> Result<Vec<u8>, Refusal> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(patience, command.output()).await;
    let output = output.map_err(|_| Refusal::Slow)?.map_err(Refusal::NotRun)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.map_or_else(|| output.status.to_string(), str::to_owned);
    let line = line.chars().filter(|sign| !sign.is_control()).take(LINE).collect();
    Err(Refusal::Failed { line, text })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    async fn asked(script: &str, patience: Duration) -> Result<Vec<u8>, Refusal> {
        ask(Command::new("sh").args(["-c", script]), patience).await
    }

    #[tokio::test]
    async fn what_is_printed_and_what_is_complained() {
        let minute = Duration::from_secs(60);
        assert_eq!(asked("cat; echo yes", minute).await.unwrap(), b"yes\n");
        let failed = asked("printf '\\n no\\001, never \\nelse\\n' >&2; exit 3", minute).await;
        let Err(Refusal::Failed { line, text }) = failed else { panic!("{failed:?}") };
        assert_eq!((line.as_str(), text.contains("else")), ("no, never", true));
        let silent = asked("exit 3", minute).await;
        let Err(Refusal::Failed { line, .. }) = silent else { panic!("{silent:?}") };
        assert!(line.contains('3'), "{line}");
        let slow = asked("exec sleep 60", Duration::from_millis(50)).await;
        assert!(matches!(slow, Err(Refusal::Slow)), "{slow:?}");
        let missing = ask(&mut Command::new("/nonexistent/program"), minute).await;
        assert!(matches!(missing, Err(Refusal::NotRun(_))), "{missing:?}");
    }
}
