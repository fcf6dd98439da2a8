//! An evidence lake for Azure DevOps.
//!
//! It reads an organization incrementally into Delta tables and answers in SQL, for every change that reached
//! production, whether it was approved by someone else, scanned, tested and dependency-checked before it was merged,
//! and whether the branch policies force that. This page is the map of the house.
//!
//! # The way of the data
//!
//! ```text
//! Azure DevOps ──ado──▶ extract ──rows──▶ sync ──▶ lake (Delta tables) ──▶ checks ──▶ report
//!  or simulator          one file per     windows,   fenced commits,        SQL over    text, JSON,
//!                        resource         order      pinned sessions        queries/    CSV
//! ```
//!
//! - [`ado`] speaks HTTP: one rate gate per identity, paging as streams, errors that say what they mean for the caller.
//! - [`extract`] turns answers into rows of the tables in `schemas/`; it knows neither the lake nor what was read before.
//! - [`sync`] decides what to read: windows not read yet, what is open, what may still change, what the lake lacks. A
//!   window counts as read when its row in `sync_runs` stands behind its rows, so a kill costs a re-read, never a row.
//! - [`lake`] keeps one Delta table per schema. A write reads what is stored, writes only what differs, and commits under
//!   the organization's fence; a session pins every table to one version, parents first.
//! - [`checks`] runs the SQL of `queries/` over such a session and holds each answer to the contract of a check; what
//!   passes or fails is decided in SQL alone. [`report`] prints verdicts.
//! - [`doctor`] asks Azure DevOps, the lake and its store what keeps a sync or a check from telling the truth, through the
//!   same views that the checks read.
//! - [`publish`] keeps a copy of the current state as plain Parquet, one file per partition, for tools that only glob.
//! - [`simulator`] is a simulated Azure DevOps behind HTTP, for the demo, for trying things out and for the tests.
//! - [`config`] and [`schema`] parse at the door: `adolake.toml` and `schemas/*.sql` become values that need no further
//!   checking. [`cli`] hands each stage its own section and prints.
//!
//! # Levels
//!
//! Imports only go down; `tests/it/layers.rs` holds the files to this table.
//!
//! ```text
//! 7   main
//! 6   cli
//! 5   sync     doctor      report     publish
//! 4   extract              checks
//! 3   ado    simulator     lake
//! 2          config   schema
//! 1      window   event   hint   glob   task   program
//! ```
//!
//! # Adding to it
//!
//! A check is a file in `queries/checks/` and cases in `tests/checks/`; no Rust. A column is an edit in `schemas/` and
//! the line that fills it. A resource is a file in `src/extract/`, its schema, a variant of [`extract::Resource`], and
//! its place in [`sync`].
//!
//! # Example
//!
//! What the tables hold, from the schemas that the program carries:
//!
//! ```
//! let catalog = adolake::schema::Catalog::embedded()?;
//! let table = catalog.require("pull_requests")?;
//! assert!(table.index("closed_at").is_some());
//! # Ok::<(), adolake::schema::Error>(())
//! ```

pub mod ado;
pub mod checks;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod event;
pub mod extract;
pub mod glob;
pub mod hint;
pub mod lake;
mod program;
pub mod publish;
pub mod report;
pub mod schema;
pub mod simulator;
pub mod sync;
mod task;
pub mod window;
