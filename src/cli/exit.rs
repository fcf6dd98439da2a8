//! Exit codes, as scripts may rely on them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exit(u8);

impl Exit {
    /// It ran, and there is nothing to complain about.
    pub const CLEAN: Self = Self(0);
    /// It ran, and found verdicts at or above `--fail-on`; or what was verified came out otherwise.
    pub const FINDINGS: Self = Self(1);
    /// The user can fix it: usage, config, sign-in, permission.
    pub const USER: Self = Self(2);
    /// Something outside failed; it may work later.
    pub const OUTSIDE: Self = Self(3);
    /// Done in part: what was read is committed, the rest is named. Wins over [`Exit::FINDINGS`], as not proven must
    /// not look like proven failing.
    pub const PARTIAL: Self = Self(4);
    /// adolake is wrong.
    pub const BUG: Self = Self(101);
    /// Stopped by SIGINT, after the commit in hand was finished or dropped.
    pub const INTERRUPTED: Self = Self(130);
    /// Stopped by SIGTERM, likewise.
    pub const TERMINATED: Self = Self(143);

    /// Returns the number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self.0
    }

    /// Returns the one that has to be told when two apply.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn done_in_part_wins_over_findings() {
        assert_eq!(Exit::FINDINGS.and(Exit::PARTIAL), Exit::PARTIAL);
        assert_eq!(Exit::PARTIAL.and(Exit::CLEAN), Exit::PARTIAL);
    }
}
