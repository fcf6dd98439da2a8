//! How much memory a first sync takes: no more for a long history than for a short one.

use std::path::Path;

use adolake::simulator::Size;
use anyhow::Context as _;

use crate::place::Place;
use crate::process::run;
use crate::{Wanted, figure, line, title};

/// Most that a first sync may ever hold, MiB.
const MOST: f64 = 512.0;
/// By how much more of it a history ten times as long may take.
const GROWTH: f64 = 1.3;

/// Measures first syncs of a medium and of a large organization, and one that reads all details of the medium one.
///
/// # Errors
/// When the simulator or a sync fails, or the system does not tell how much memory a process took.
pub async fn measure(folder: &Path, days: u64) -> anyhow::Result<()> {
    title("memory of a first sync, the simulator in a process of its own");
    let medium = peak(folder, Size::Medium, days, "judged").await?;
    let all = peak(folder, Size::Medium, days, "all").await?;
    let large = peak(folder, Size::Large, days, "judged").await?;
    figure("peak memory, medium", medium, " MiB", Wanted::AtMost(MOST));
    figure("peak memory, medium, all details", all, " MiB", Wanted::AtMost(MOST));
    figure("peak memory, large", large, " MiB", Wanted::AtMost(MOST));
    figure("peak memory, large : medium", large / medium, "", Wanted::AtMost(GROWTH));
    Ok(())
}

async fn peak(folder: &Path, size: Size, days: u64, detail: &str) -> anyhow::Result<f64> {
    let folder = folder.join(format!("memory-{size}-{detail}"));
    std::fs::create_dir_all(&folder)?;
    let place = Place { folder, size, days };
    let _simulator = place.simulate().await?;
    let mut command = place.command(&["--quiet", "sync", "--format", "json"]);
    let ran = run(command.env("ADOLAKE_SYNC__DETAIL", detail), &place.folder)?;
    line(&format!("first sync, {size}, details: {detail}"), &format!("{:.1} s", ran.seconds));
    ran.peak.context("the system does not tell how much memory a process took")
}
