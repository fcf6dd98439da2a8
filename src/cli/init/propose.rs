//! Proposals: production branches from default branches, solutions from the names of pipelines and statuses.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Selector, Solution};
use crate::doctor::{Found, StatusName};
use crate::schema::Row;

/// Overrides, and solutions of a kind, that are proposed at most.
const MOST: usize = 20;
/// From so many names on, a common beginning is proposed in their place.
const MANY: usize = 4;

/// Words that names of static analysis hold.
const SAST: &[&str] = &[
    "sast",
    "codeql",
    "sonar",
    "sonarqube",
    "sonarcloud",
    "semgrep",
    "checkmarx",
    "fortify",
    "veracode",
    "coverity",
    "codescan",
    "static analysis",
    "security scan",
    "secure code",
];
/// Words that names of integration tests hold.
const INTEGRATION_TESTS: &[&str] =
    &["integration", "e2e", "end to end", "acceptance", "system test", "system tests", "smoke"];
/// Words that names of dependency checks hold.
const DEPENDENCY_CHECKS: &[&str] = &[
    "dependency",
    "dependencies",
    "snyk",
    "mend",
    "whitesource",
    "sca",
    "trivy",
    "owasp",
    "black duck",
    "blackduck",
    "nexus iq",
    "component governance",
    "dependabot",
];

/// What is proposed for an organization.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Proposal {
    /// The most frequent default branch, and how many repositories have it.
    pub branch: Option<(String, usize)>,
    /// `match` and default branch of repositories with another one.
    pub overrides: Vec<(String, String)>,
    /// Repositories with another one that are not listed.
    pub left_out: usize,
    /// `sast`
    pub sast: Vec<String>,
    /// `integration-tests`
    pub integration_tests: Vec<String>,
    /// `dependency-checks`
    pub dependency_checks: Vec<String>,
    repositories: usize,
    pipelines: usize,
    statuses: usize,
}

impl Proposal {
    /// Makes proposals of what was found.
    pub fn of(organization: &str, found: &Found, statuses: &BTreeSet<StatusName>) -> Self {
        let mut this = Self {
            repositories: found.repositories.len(),
            pipelines: found.pipelines.len(),
            statuses: statuses.len(),
            ..Self::default()
        };
        this.propose_branches(organization, &found.repositories);
        let of = |words: &[&str]| solutions(words, &found.pipelines, statuses);
        this.sast = of(SAST);
        this.integration_tests = of(INTEGRATION_TESTS);
        this.dependency_checks = of(DEPENDENCY_CHECKS);
        this
    }

    fn propose_branches(&mut self, organization: &str, repositories: &[Row]) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let active = || repositories.iter().filter(|row| row.bool("is_disabled") != Some(true));
        for branch in active().filter_map(|row| row.text("default_branch")) {
            *counts.entry(branch).or_default() += 1;
        }
        // Of equally frequent ones the first by name, so that two runs propose the same.
        let most = counts.iter().max_by(|one, other| one.1.cmp(other.1).then(other.0.cmp(one.0)));
        let Some((main, count)) = most.filter(|(name, _)| is_plain(name)) else { return };
        self.branch = Some(((*main).to_owned(), *count));
        for row in active() {
            let parts = (row.text("project"), row.text("name"), row.text("default_branch"));
            let (Some(project), Some(name), Some(branch)) = parts else { continue };
            if branch == *main {
                continue;
            }
            let pattern = format!("{organization}/{project}/{name}");
            let fits = pattern.split('/').count() == 3 && is_plain(&pattern) && is_plain(branch);
            if fits && self.overrides.len() < MOST {
                self.overrides.push((pattern, branch.to_owned()));
            } else {
                self.left_out += 1;
            }
        }
    }

    /// Tells in a few words what was found.
    pub fn told(&self) -> String {
        let count = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {many}"),
        };
        let solutions =
            self.sast.len() + self.integration_tests.len() + self.dependency_checks.len();
        let branches = usize::from(self.branch.is_some()) + self.overrides.len();
        format!(
            "proposals for {} and {} out of {}, {} and {}: check them",
            count(branches, "production branch", "production branches"),
            count(solutions, "solution", "solutions"),
            count(self.repositories, "repository", "repositories"),
            count(self.pipelines, "pipeline", "pipelines"),
            count(self.statuses, "status", "statuses"),
        )
    }
}

/// A name that stands for itself alone where globs are expected.
fn is_plain(name: &str) -> bool {
    !name.contains(['*', '?', '[', ']', '{', '}', '!']) && !name.chars().any(char::is_control)
}

/// Whether a name holds one of the words, as whole words.
fn holds(name: &str, words: &[&str]) -> bool {
    let mut spaced = String::from(" ");
    for c in name.to_lowercase().chars() {
        spaced.push(if c.is_alphanumeric() { c } else { ' ' });
    }
    spaced.push(' ');
    let spaced = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    let spaced = format!(" {spaced} ");
    words.iter().any(|word| spaced.contains(&format!(" {word} ")))
}

/// Returns the solutions whose names hold one of the words, pipelines before statuses.
fn solutions(words: &[&str], pipelines: &[Row], statuses: &BTreeSet<StatusName>) -> Vec<String> {
    // Project and lower-case name → the folders in which such a pipeline stands.
    let mut folders: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    for row in pipelines {
        if let (Some(project), Some(name), Some(folder)) =
            (row.text("project_id"), row.text("name"), row.text("folder"))
        {
            folders.entry((project, name.to_lowercase())).or_default().insert(folder);
        }
    }
    let mut found: BTreeSet<String> = BTreeSet::new();
    for row in pipelines {
        let (Some(project), Some(name), Some(folder)) =
            (row.text("project_id"), row.text("name"), row.text("folder"))
        else {
            continue;
        };
        if !holds(name, words) || !is_plain(name) {
            continue;
        }
        let is_alone =
            folders.get(&(project, name.to_lowercase())).is_none_or(|all| all.len() == 1);
        found.insert(if is_alone {
            name.to_owned()
        } else {
            format!("pipeline:{}\\{name}", folder.trim_end_matches('\\'))
        });
    }
    let mut texts: Vec<String> = found.into_iter().filter(|text| is_itself(text)).collect();
    if texts.len() >= MANY
        && let Some(glob) = common(&texts, words)
    {
        texts = vec![glob];
    }
    let of_statuses = statuses
        .iter()
        .map(|status| match &status.genre {
            Some(genre) => {
                (format!("{genre} {}", status.name), format!("status:{genre}/{}", status.name))
            }
            None => (status.name.clone(), format!("status:{}", status.name)),
        })
        .filter(|(words_of, text)| holds(words_of, words) && is_plain(text) && is_itself(text))
        .map(|(_, text)| text);
    texts.extend(of_statuses);
    texts.truncate(MOST);
    texts
}

/// Whether the text is read as what it is meant to be.
fn is_itself(text: &str) -> bool {
    let meant = ["pipeline:", "status:"].iter().any(|prefix| text.starts_with(prefix));
    Solution::parse(text)
        .is_ok_and(|read| !read.is_glob && (meant || read.selector == Selector::Any))
}

/// Returns a glob for names that begin alike up to a sign, where the common beginning holds one of the words.
fn common(names: &[String], words: &[&str]) -> Option<String> {
    let first = names.first()?;
    let length = names.iter().fold(first.len(), |length, name| {
        let alike = first.chars().zip(name.chars()).take_while(|(one, other)| one == other);
        length.min(alike.map(|(c, _)| c.len_utf8()).sum())
    });
    let beginning = &first[..length];
    let end = beginning.rfind(|c: char| !c.is_alphanumeric())?;
    let sign = beginning[end..].chars().next()?;
    let beginning = &beginning[..end + sign.len_utf8()];
    let is_one_part =
        sign != '/' && sign != '\\' && !names.iter().any(|name| name.contains(['/', '\\']));
    (is_one_part && holds(beginning, words)).then(|| format!("{beginning}*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Catalog;

    fn pipeline(project: &str, folder: &str, name: &str) -> Row {
        let catalog = Catalog::embedded().unwrap();
        let mut row = Row::new(catalog.require("pipelines").unwrap());
        row.set("project_id", project).set("folder", folder).set("name", name);
        row
    }

    #[test]
    fn names_are_recognised_by_whole_words() {
        assert!(holds("Integration-API", INTEGRATION_TESTS));
        assert!(holds("nightly end-to-end", INTEGRATION_TESTS));
        assert!(holds("web_SCA_scan", DEPENDENCY_CHECKS));
        assert!(!holds("scale-out", DEPENDENCY_CHECKS));
        assert!(!holds("disintegration", INTEGRATION_TESTS));
    }

    #[test]
    fn solutions_are_proposed_so_that_they_mean_one_thing() {
        let pipelines = [
            pipeline("p", "\\security", "CodeQL"),
            pipeline("q", "\\a", "codeql"),
            pipeline("q", "\\b", "CodeQL"),
            pipeline("q", "\\", "status:codeql"),
            pipeline("q", "\\", "codeql*"),
            pipeline("q", "\\", "deploy"),
        ];
        let status = StatusName { genre: Some("sonarcloud".into()), name: "quality gate".into() };
        let found = solutions(SAST, &pipelines, &BTreeSet::from([status]));
        assert_eq!(
            found,
            [
                "CodeQL",
                "pipeline:\\a\\codeql",
                "pipeline:\\b\\CodeQL",
                "status:codeql",
                "status:sonarcloud/quality gate"
            ]
        );
    }

    #[test]
    fn many_names_that_begin_alike_become_a_glob() {
        let names: Vec<Row> = ["api", "web", "ledger", "search"]
            .map(|name| pipeline("p", "\\tests", &format!("integration-{name}")))
            .into();
        assert_eq!(solutions(INTEGRATION_TESTS, &names, &BTreeSet::new()), ["integration-*"]);
        assert_eq!(common(&["e2e".into(), "e2e/x".into()], INTEGRATION_TESTS), None);
    }
}
