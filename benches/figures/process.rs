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
    /// Time of processors that it took, seconds; none where the system does not tell.
    pub work: Option<f64>,
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
    let (mut peak, mut work) = (None, None);
    let process = child.id().to_string();
    let status = loop {
        peak = peak_memory(&process).or(peak);
        work = processor_time(&process).or(work);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Ran { seconds, peak, work, stdout: std::fs::read_to_string(printed)? })
}

/// The most memory that a process ever held, MiB; `self` is this one.
pub fn peak_memory(process: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// Time of processors that a process took so far, seconds; `self` is this one.
pub fn processor_time(process: &str) -> Option<f64> {
    /// Ticks per second in `/proc`, the same on every processor that Linux runs on.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program may hold anything, so that fields are counted from its end.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<f64>);
    Some((times.next()?.ok()? + times.next()?.ok()?) / TICKS)
}
