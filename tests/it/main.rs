//! The one integration-test binary.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ado;
mod bad_input;
mod checks;
mod cli;
mod config;
mod doctor;
mod engines;
mod examples;
mod explain;
mod extract;
mod init;
mod lake;
mod layers;
mod maintain;
mod properties;
#[cfg(unix)]
mod publish;
mod queries;
mod readme;
mod released;
mod report;
#[cfg(unix)]
mod robust;
mod rows;
mod sign_in;
mod simulator;
mod sql;
#[cfg(unix)]
mod stores;
mod support;
mod sync;
