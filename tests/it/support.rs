//! What several tests need.

pub mod cases;
