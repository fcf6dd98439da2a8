//! Registered exceptions: exempt, with a reason, until a day.

use std::path::PathBuf;

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::glob::Glob;

/// Checks that a pull request can be excepted from.
pub const PULL_REQUEST_CHECKS: [&str; 4] = [
    "pull_request_approved",
    "pull_request_sast_passed",
    "pull_request_integration_tests_passed",
    "pull_request_dependency_check_passed",
];

/// The check that a commit can be excepted from.
pub const PUSH_CHECK: &str = "change_has_pull_request";

/// The check that nothing can be excepted from.
pub const POLICY_CHECK: &str = "branch_policy_requires_approval";

/// One exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// `match`, as configured.
    pub pattern: String,
    /// What it applies to.
    pub subject: Subject,
    /// Ids of the checks it applies to.
    pub checks: Vec<String>,
    /// Why.
    pub reason: String,
    /// Who allowed it.
    pub approved_by: String,
    /// What shows it, as configured.
    pub evidence: Option<String>,
    /// The file named by `evidence`, absolute or relative to the working folder; none for an address.
    pub evidence_file: Option<PathBuf>,
    /// SHA-256 of that file, where it is known and the file is not to be read: in settings of a stored run.
    pub evidence_sha256: Option<String>,
    /// Last day on which a merge is covered, in `checks.time-zone`.
    pub expires: NaiveDate,
}

/// What an exception applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Glob on `organization/project/repository`, as configured.
    pub repository_pattern: String,
    /// Number or glob behind `!`.
    pub pull_request_pattern: Option<String>,
    /// Commit or glob behind `@`, lower case.
    pub commit_pattern: Option<String>,
}

impl Subject {
    /// Reads `org/project/repo!number` or `org/project/repo@commit`.
    ///
    /// # Errors
    /// Says what is wrong, without a full stop.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "write `org/project/repo!number` or `org/project/repo@commit`";
        let Some(at) = text.rfind(['!', '@']) else {
            return Err(format!("`{text}` names no pull request and no commit: {expected}"));
        };
        let (repository, rest) = (text[..at].trim(), text[at + 1..].trim());
        check_repository_glob(repository)?;
        if text[at..].starts_with('!') {
            if rest.is_empty() || !rest.chars().all(|c| c.is_ascii_digit() || c == '*') {
                return Err(format!("`{rest}` is no number of a pull request: {expected}"));
            }
            Glob::new(rest).map_err(|error| error.to_string())?;
            return Ok(Self {
                repository_pattern: repository.to_owned(),
                pull_request_pattern: Some(rest.to_owned()),
                commit_pattern: None,
            });
        }
        let commit = rest.to_lowercase();
        if commit.is_empty() || !commit.chars().all(|c| c.is_ascii_hexdigit() || c == '*') {
            return Err(format!("`{rest}` is no commit: {expected}"));
        }
        if commit.len() != 40 && !Glob::is_glob(&commit) {
            return Err(format!(
                "`{rest}` is a shortened commit: write all 40 characters, or `{rest}*`"
            ));
        }
        Glob::new(&commit).map_err(|error| error.to_string())?;
        Ok(Self {
            repository_pattern: repository.to_owned(),
            pull_request_pattern: None,
            commit_pattern: Some(commit),
        })
    }

    /// Returns the ids of the checks that can be excepted for this subject.
    #[must_use]
    pub fn checks(&self) -> &'static [&'static str] {
        if self.commit_pattern.is_some() { &[PUSH_CHECK] } else { &PULL_REQUEST_CHECKS }
    }
}

/// Complains about a glob that is not `organization/project/repository`.
pub(super) fn check_repository_glob(pattern: &str) -> Result<(), String> {
    Glob::new(pattern).map_err(|error| error.to_string())?;
    if !pattern.contains("**") && pattern.split('/').count() != 3 {
        return Err(format!(
            "`{pattern}` is not `organization/project/repository`; any part may be `*`, and `**` stands for several"
        ));
    }
    check_name_glob(pattern, &[])
}

/// Complains about signs that names in Azure DevOps cannot hold, as they are meant as glob signs that adolake does
/// not have.
pub(super) fn check_name_glob(pattern: &str, also: &[char]) -> Result<(), String> {
    let forbidden = |c: &char| ['?', '[', ']', '{', '}'].contains(c) || also.contains(c);
    match pattern.chars().find(forbidden) {
        Some(sign) => Err(format!(
            "`{pattern}` can fit nothing, no name holds `{sign}`: globs know `*` (inside a `/` segment) and `**`"
        )),
        None => Ok(()),
    }
}

impl Exception {
    /// Returns the exception as JSON, keys in fixed order.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "match": self.pattern,
            "checks": self.checks,
            "reason": self.reason,
            "approved-by": self.approved_by,
            "evidence": self.evidence,
            "expires": self.expires.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_taken_apart() {
        let subject = Subject::parse("contoso/payments/api!4711").unwrap();
        assert_eq!(subject.repository_pattern, "contoso/payments/api");
        assert_eq!(subject.pull_request_pattern.as_deref(), Some("4711"));
        assert_eq!(subject.checks().len(), 4);
        let push = Subject::parse("contoso/*/*@ABC*").unwrap();
        assert_eq!(push.commit_pattern.as_deref(), Some("abc*"));
        assert_eq!(push.checks(), [PUSH_CHECK]);
    }

    #[test]
    fn wrong_subjects_are_named() {
        for wrong in [
            "contoso/payments/api",
            "contoso/api!1",
            "contoso/payments/api!x",
            "contoso/payments/api!",
            "contoso/payments/api@12345",
            "contoso/payments/a?i!1",
            "@",
        ] {
            assert!(Subject::parse(wrong).is_err(), "{wrong}");
        }
    }
}
