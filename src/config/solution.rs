//! Solutions: which pipeline, status or job shows that a demand was met.

use serde_json::{Value, json};

use crate::glob::{Glob, Rules};

/// One solution, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// As configured; a table is written with its prefix, `pipeline:\security\codeql`.
    pub solution: String,
    /// What the pattern is compared with.
    pub selector: Selector,
    /// What follows the prefix: lower case, backslashes as slashes, without a leading slash.
    pub pattern: String,
    /// Whether the pattern holds a `*`.
    pub is_glob: bool,
    /// Path globs in order, lower case, without a leading slash; none = applies to every pull request.
    pub paths: Option<Vec<String>>,
}

/// What a solution is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// A pipeline or a status.
    Any,
    /// A pipeline: name, `folder/name` or id.
    Pipeline,
    /// A status: `genre/name`.
    Status,
    /// A job: `pipeline/stage/job`.
    Job,
}

impl Selector {
    /// All that have a prefix.
    const PREFIXED: [Self; 3] = [Self::Pipeline, Self::Status, Self::Job];

    /// Returns the word used in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Pipeline => "pipeline",
            Self::Status => "status",
            Self::Job => "job",
        }
    }
}

impl Solution {
    /// Reads a solution given as plain text, with or without a prefix.
    ///
    /// # Errors
    /// Says what is wrong, without a full stop.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        for selector in Selector::PREFIXED {
            let prefix = selector.as_str();
            if let (Some(head), Some(rest)) =
                (trimmed.get(..prefix.len()), trimmed.get(prefix.len()..))
                && head.eq_ignore_ascii_case(prefix)
                && let Some(pattern) = rest.strip_prefix(':')
            {
                return Self::new(selector, pattern, text.to_owned(), None);
            }
        }
        Self::new(Selector::Any, trimmed, text.to_owned(), None)
    }

    /// Makes a solution of its parts, as the table form gives them.
    ///
    /// # Errors
    /// Says what is wrong, without a full stop.
    pub fn of(selector: Selector, pattern: &str, paths: Option<&[String]>) -> Result<Self, String> {
        let solution = match selector {
            Selector::Any => pattern.to_owned(),
            other => format!("{}:{pattern}", other.as_str()),
        };
        Self::new(selector, pattern, solution, paths)
    }

    fn new(
        selector: Selector,
        pattern: &str,
        solution: String,
        paths: Option<&[String]>,
    ) -> Result<Self, String> {
        let normal = normalised(pattern);
        let wrong = |error: &dyn std::fmt::Display| format!("`{solution}` is no solution: {error}");
        Glob::new(&normal).map_err(|error| wrong(&error))?;
        if selector == Selector::Job && !normal.contains("**") && normal.split('/').count() < 3 {
            return Err(format!(
                "`{solution}` is no job: write `pipeline/stage/job`, any part may be `*`"
            ));
        }
        let paths = match paths {
            None => None,
            Some([]) => {
                return Err(format!(
                    "`{solution}` has an empty list of `paths`: leave it out to mean every path"
                ));
            }
            Some(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| normalised_path(path)).collect();
                Rules::new(&paths).map_err(|error| wrong(&error))?;
                Some(paths)
            }
        };
        Ok(Self { is_glob: Glob::is_glob(&normal), solution, selector, pattern: normal, paths })
    }

    /// Returns the solution as JSON, keys in fixed order.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "solution": self.solution,
            "selector": self.selector.as_str(),
            "pattern": self.pattern,
            "paths": self.paths,
        })
    }
}

fn normalised(pattern: &str) -> String {
    let slashed = pattern.trim().to_lowercase().replace('\\', "/");
    slashed.trim_start_matches('/').to_owned()
}

fn normalised_path(path: &str) -> String {
    match path.trim().strip_prefix('!') {
        Some(excluded) => format!("!{}", normalised(excluded)),
        None => normalised(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_normalised() {
        let solution = Solution::parse("\\Security\\CodeQL").unwrap();
        assert_eq!(solution.selector, Selector::Any);
        assert_eq!(solution.pattern, "security/codeql");
        assert_eq!(solution.solution, "\\Security\\CodeQL");
        assert!(!solution.is_glob);
        let status = Solution::parse("status:snyk/*").unwrap();
        assert_eq!(
            (status.selector, status.pattern.as_str(), status.is_glob),
            (Selector::Status, "snyk/*", true)
        );
        let nameless = Solution::parse("status:/quality gate").unwrap();
        assert_eq!(nameless.pattern, "quality gate");
        assert_eq!(Solution::parse("Pipeline: ci ").unwrap().pattern, "ci");
        assert_eq!(Solution::parse("pipelines").unwrap().selector, Selector::Any);
    }

    #[test]
    fn wrong_solutions_are_named() {
        assert!(Solution::parse("").is_err());
        assert!(Solution::parse("status:").is_err());
        assert!(Solution::parse("job:ci/codeql").unwrap_err().contains("pipeline/stage/job"));
        assert!(Solution::parse("job:**").is_ok());
        assert!(Solution::of(Selector::Any, "x", Some(&[])).is_err());
    }
}
