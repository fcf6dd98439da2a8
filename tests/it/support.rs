//! What several tests need.

pub mod canned;
pub mod cases;
pub mod cmd;
pub mod fake;
pub mod lake;
#[cfg(unix)]
pub mod siege;
pub mod world;
