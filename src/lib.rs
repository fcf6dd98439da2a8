//! An evidence lake for Azure DevOps.

pub mod ado;
pub mod checks;
pub mod cli;
pub mod config;
pub mod event;
pub mod extract;
pub mod glob;
pub mod hint;
pub mod lake;
pub mod report;
pub mod schema;
pub mod simulator;
pub mod sync;
pub mod window;
