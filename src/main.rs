//! The `adolake` command.

fn main() {}
