//! What several tests need.

pub mod canned;
pub mod cases;
pub mod cmd;
pub mod entra;
pub mod fake;
pub mod lake;
pub mod proxy;
#[cfg(unix)]
pub mod siege;
pub mod world;
