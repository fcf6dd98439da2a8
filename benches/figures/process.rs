//! Runs the program and other commands, with time and memory.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// The program that is measured.
pub const ADOLAKE: &str = env!("CARGO_BIN_EXE_adolake");

/// A process that ends with this value.
pub struct Background(pub Child);

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command took.
pub struct Ran {
    /// From its start to its end.
    pub seconds: f64,
    /// The most memory that it ever held, MiB; none where the system does not tell.
    pub peak: Option<f64>,
    /// What it printed.
    pub stdout: String,
}

/// Runs a command to its end; its standard error passes through.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run(command: &mut Command, folder: &Path) -> anyhow::Result<Ran> {
    let printed = folder.join("stdout.txt");
    command.stdout(File::create(&printed)?).stdin(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let mut peak = None;
    let status = loop {
        peak = peak_memory(&child.id().to_string()).or(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Ran { seconds, peak, stdout: std::fs::read_to_string(printed)? })
}

/// The most memory that a process ever held, MiB; `self` is this one.
pub fn peak_memory(process: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}
