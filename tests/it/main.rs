//! The one integration-test binary.

mod queries;
mod support;
