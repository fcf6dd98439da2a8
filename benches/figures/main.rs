//! Figures of speed and size, each beside what is wanted, all from one run on one machine.
//!
//! ```text
//! cargo bench --bench figures [-- sync|lake|parquet|memory|checks|start|all] [--size medium] [--days 90] [--times 3] [--folder DIR]
//! ```
//!
//! - `sync`: how fast a simulated organization is read, beside a client that only fetches the same addresses.
//! - `lake`: what commits cost a first sync, and one after some pull requests have changed; only when it is asked for.
//! - `parquet`: bytes and scans of data files as they are set, and as they might be; only when it is asked for.
//! - `memory`: the most that first syncs of a medium and a large organization hold; whatever `--size` says, and only when it
//!   is asked for, as it takes long.
//! - `checks`: the six checks on the lake of that sync, beside DuckDB with the same queries on the same files.
//!   With `--size large` the lake is written as rows, of a million merged pull requests with all details; DuckDB is then
//!   asked for all six together, by views that it keeps. It takes a Python with the package `duckdb`; `ADOLAKE_PYTHON` names another one than `python3`.
//! - `start`: how soon the program answers, and how large it is.

mod checks;
mod lake;
mod large;
mod memory;
mod parquet;
mod place;
mod process;
mod start;
mod sync;

use std::path::PathBuf;

use adolake::simulator::Size;
use anyhow::Context as _;
use clap::Parser;

use place::Place;

/// The one that the program has.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Prints figures of speed and size.
#[derive(Debug, Parser)]
struct Args {
    /// What to measure
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// How large the organization is
    #[arg(long, default_value = "medium")]
    size: Size,
    /// How many days before the simulated now the start date lies: details are read from there on
    #[arg(long, default_value_t = 90)]
    days: u64,
    /// Where lakes are kept; a lake that is there already is not read again [default: a temporary folder]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// How often a first sync is made and checks are answered; the best time counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Sync,
    Lake,
    Parquet,
    Memory,
    Checks,
    Start,
    All,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
    let folder = args.folder.unwrap_or_else(|| temporary.path().to_owned());
    let folder = std::path::absolute(folder)?;
    std::fs::create_dir_all(&folder)?;
    println!("size {}, start date {} days back, {}", args.size, args.days, machine());
    let place = Place { folder, size: args.size, days: args.days };
    let is_asked = |what| args.what == what || args.what == What::All;
    if is_asked(What::Sync) {
        sync::measure(&place, args.times as usize).await?;
    }
    if args.what == What::Lake {
        lake::measure(&place).await?;
    }
    if args.what == What::Memory {
        memory::measure(&place.folder, args.days).await?;
    }
    if (is_asked(What::Checks) || args.what == What::Parquet) && !place.has_lake() {
        match args.size {
            Size::Large => large::fill(&place).await?,
            _ => sync::fill(&place).await?,
        }
    }
    if args.what == What::Parquet {
        parquet::measure(&place, args.times as usize).await?;
    }
    if is_asked(What::Checks) {
        checks::measure(&place, args.times as usize).await?;
    }
    if is_asked(What::Start) {
        start::measure(&place)?;
    }
    Ok(())
}

fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) {
        "a debug build: the figures mean nothing"
    } else {
        "release build"
    };
    format!("{threads} processors, {build}")
}

/// Prints what a group of figures is about.
fn title(text: &str) {
    println!("\n{text}");
}

/// Prints a measurement.
fn line(name: &str, text: &str) {
    println!("  {name:<44} {text}");
}

/// Prints a figure that must not be above (or below) what is wanted.
fn figure(name: &str, value: f64, unit: &str, wanted: Wanted) {
    let (is_met, wanted) = match wanted {
        Wanted::AtLeast(bound) => (value >= bound, format!("at least {bound}{unit}")),
        Wanted::AtMost(bound) => (value <= bound, format!("at most {bound}{unit}")),
    };
    let mark = if is_met { '✓' } else { '✗' };
    println!("{mark} {name:<44} {:<12} wanted: {wanted}", format!("{value:.3}{unit}"));
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}
