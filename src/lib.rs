//! An evidence lake for Azure DevOps.

pub mod event;
pub mod hint;
pub mod schema;
pub mod window;
