//! The one integration-test binary.

mod ado;
mod cli;
mod config;
mod extract;
mod lake;
mod layers;
mod queries;
mod simulator;
mod support;
mod sync;
