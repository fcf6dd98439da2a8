//! Checks: questions in SQL whose rows are verdicts.
//!
//! ```text
//! queries/*.sql ──▶ catalog (header, reads, parameters checked)
//!                      │
//! lake tables ─┐       ▼
//! settings  ───┴─▶ views ──▶ evaluate ──▶ contract ──▶ findings ──▶ store, report
//!                      │                                  │
//!                      └────────▶ explain ◀───────────────┘
//! ```
//!
//! What a verdict means stands in the queries alone; this stage binds values, enforces the contract of columns and
//! rows, and stores what changed.

mod answering;
mod blame;
mod catalog;
mod contract;
mod diff;
mod error;
mod evaluate;
mod explain;
mod finding;
mod functions;
mod header;
mod instant;
mod judge;
mod lost;
mod materialize;
mod params;
mod parts;
mod physical;
mod population;
mod query;
mod run;
mod settings;
mod slices;
mod store;
mod stored;
mod unread;
mod views;
mod warnings;

pub use self::catalog::Queries;
pub use self::diff::{Change, Diff, diff};
pub use self::error::Error;
pub use self::evaluate::evaluate;
pub use self::explain::{Effect, Explained, Explanation, Fact, Wanted, explain};
pub use self::finding::{COLUMNS, Counts, Finding, Findings, Status};
pub use self::header::{About, Control, Header, Param, ParamKind, QueryKind, Severity};
pub use self::instant::instant_text;
pub use self::judge::judge;
pub use self::materialize::materialize;
pub use self::params::{Parameters, Period};
pub use self::query::Query;
pub use self::run::{CheckRun, Request, run};
pub use self::settings::{Repository, evidence_hash, repositories, resolve};
pub use self::stored::{Recomputed, StoredRun, recompute, stored_run};
pub use self::views::{
    SETTINGS_TABLES, SettingsRows, prepare, register, register_in_force, register_views,
};
