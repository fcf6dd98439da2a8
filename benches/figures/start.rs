//! How soon the program answers, and how large it is.

use std::path::Path;
use std::process::Command;

use crate::place::Place;
use crate::process::{ADOLAKE, run};
use crate::{Wanted, figure, title};

/// How often a command is run; the middle one counts.
const TIMES: usize = 9;

/// Measures a demo, and the start of the program on its lake.
///
/// # Errors
/// When a command fails.
pub fn measure(place: &Place) -> anyhow::Result<()> {
    title("start, on the lake of a demo");
    let demo = place.folder.join("demo");
    let mut command = Command::new(ADOLAKE);
    command.args(["--quiet", "demo", "--folder"]).arg(&demo);
    let demo_seconds = run(&mut command, &place.folder)?.seconds;
    let help = median(&["--help"], &place.folder)?;
    let config = demo.join("adolake.toml").display().to_string();
    let count = "select count(*) from pull_requests";
    let answer = median(&["--config", &config, "sql", count], &place.folder)?;
    figure("adolake --help", help * 1e3, " ms", Wanted::AtMost(30.0));
    figure("adolake sql, first answer", answer * 1e3, " ms", Wanted::AtMost(300.0));
    figure("adolake demo", demo_seconds, " s", Wanted::AtMost(15.0));
    let bytes = std::fs::metadata(ADOLAKE)?.len();
    figure("size of the program", bytes as f64 / 1e6, " MB", Wanted::AtMost(160.0));
    Ok(())
}

fn median(arguments: &[&str], folder: &Path) -> anyhow::Result<f64> {
    let mut seconds = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let ran = run(Command::new(ADOLAKE).args(arguments), folder)?;
        seconds.push(ran.seconds);
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[TIMES / 2])
}
