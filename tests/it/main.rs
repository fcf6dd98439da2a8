//! The one integration-test binary.

mod lake;
mod queries;
mod support;
