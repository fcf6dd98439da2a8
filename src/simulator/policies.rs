//! Policy configurations with their history, and which of them apply where.

use super::json::quoted;
use super::people::PersonId;
use super::time::Time;

/// The policy types that occur: id and display name.
pub(crate) mod kind {
    /// Minimum number of reviewers.
    pub(crate) const REVIEWERS: (&str, &str) =
        ("fa4e907d-c16b-4a4c-9dfa-4906e5d171dd", "Minimum number of reviewers");
    /// Build validation.
    pub(crate) const BUILD: (&str, &str) = ("0609b952-1397-4640-95ec-e00a01b2c241", "Build");
    /// Required reviewers.
    pub(crate) const REQUIRED: (&str, &str) =
        ("fd2167ab-b0be-447a-8ec8-39368250530e", "Required reviewers");
    /// Status.
    pub(crate) const STATUS: (&str, &str) = ("cbdc66da-9728-4af8-aada-9a5a32e4a226", "Status");
    /// Comment requirements.
    pub(crate) const COMMENTS: (&str, &str) =
        ("c6a1889d-b943-4856-b76f-9e46bb6b0df2", "Comment requirements");
    /// Work item linking.
    pub(crate) const WORK_ITEMS: (&str, &str) =
        ("40e92b44-2fe1-4dd6-b3d8-74a9c21d0c6e", "Work item linking");
    /// Merge strategy: the near twin of [`REVIEWERS`].
    pub(crate) const MERGE: (&str, &str) =
        ("fa4e907d-c16b-4a4c-9dfa-4916e5d171ab", "Require a merge strategy");
    /// File size: protects no branch.
    pub(crate) const FILE_SIZE: (&str, &str) =
        ("2e26e725-8201-4edd-8bf5-978563c34a80", "File size restriction");
    /// All of them.
    pub(crate) const ALL: [(&str, &str); 8] =
        [REVIEWERS, BUILD, REQUIRED, STATUS, COMMENTS, WORK_ITEMS, MERGE, FILE_SIZE];
}

/// Where a policy applies.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Index of the repository; none for every repository of the project.
    pub(crate) repository: Option<usize>,
    /// Full ref, or the start of one.
    pub(crate) ref_name: Option<String>,
    /// `Exact`, `Prefix` or `DefaultBranch` in any letter case.
    pub(crate) match_kind: Option<&'static str>,
}

impl Scope {
    /// One branch of one repository.
    pub(crate) fn exact(repository: usize, branch: &str) -> Scope {
        Scope {
            repository: Some(repository),
            ref_name: Some(format!("refs/heads/{branch}")),
            match_kind: Some("Exact"),
        }
    }

    /// The branches below a name.
    pub(crate) fn prefix(repository: Option<usize>, start: &str) -> Scope {
        Scope {
            repository,
            ref_name: Some(format!("refs/heads/{start}")),
            match_kind: Some("Prefix"),
        }
    }

    /// The default branch of every repository of the project.
    pub(crate) fn default_branch() -> Scope {
        Scope { repository: None, ref_name: None, match_kind: Some("DefaultBranch") }
    }

    /// Whether it takes in `ref_name` of `repository`, whose default branch is `default`.
    pub(crate) fn applies(&self, repository: usize, ref_name: &str, default: Option<&str>) -> bool {
        if self.repository.is_some_and(|own| own != repository) {
            return false;
        }
        let kind = self.match_kind.unwrap_or("Exact");
        if kind.eq_ignore_ascii_case("DefaultBranch") {
            return default == Some(ref_name);
        }
        let Some(own) = self.ref_name.as_deref() else {
            return false;
        };
        if kind.eq_ignore_ascii_case("Prefix") {
            let start = own.trim_end_matches('/');
            return ref_name == start
                || ref_name.strip_prefix(start).is_some_and(|rest| rest.starts_with('/'));
        }
        own == ref_name
    }
}

/// One state of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    /// Since when.
    pub(crate) at: Time,
    /// Who saved it.
    pub(crate) by: PersonId,
    pub(crate) is_enabled: bool,
    pub(crate) is_blocking: bool,
    /// The members of `settings` but the scope, as JSON.
    pub(crate) settings: String,
    pub(crate) scope: Vec<Scope>,
}

/// A policy configuration.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Its number, unique in the organization.
    pub(crate) id: u32,
    /// Index of its project.
    pub(crate) project: usize,
    /// Type id and display name.
    pub(crate) kind: (&'static str, &'static str),
    /// Its states, oldest first.
    pub(crate) revisions: Vec<Revision>,
    /// When it was deleted.
    pub(crate) deleted: Option<Time>,
    /// The pipeline of a build validation.
    pub(crate) definition: Option<usize>,
    /// Genre and name of a status policy.
    pub(crate) status: Option<(String, String)>,
}

impl Policy {
    /// The number of the revision at `now` (from 1) and its state; nothing before it was made or after it was deleted.
    pub(crate) fn at(&self, now: Time) -> Option<(usize, &Revision)> {
        if self.deleted.is_some_and(|deleted| deleted <= now) {
            return None;
        }
        let count = self.revisions.partition_point(|revision| revision.at <= now);
        Some((count, self.revisions.get(count.checked_sub(1)?)?))
    }
}

/// The settings of a minimum-reviewers policy; `set` names further members that are true.
pub(crate) fn reviewers(count: i64, creator_vote_counts: bool, set: &[&str]) -> String {
    let mut text =
        format!("\"minimumApproverCount\":{count},\"creatorVoteCounts\":{creator_vote_counts}");
    for name in set {
        text.push_str(",\"");
        text.push_str(name);
        text.push_str("\":true");
    }
    text
}

/// The settings of a build validation policy.
pub(crate) fn build(definition: u32, name: &str, patterns: &[&str]) -> String {
    let patterns: Vec<String> = patterns.iter().map(|pattern| quoted(pattern)).collect();
    let patterns =
        if patterns.is_empty() { "null".to_owned() } else { format!("[{}]", patterns.join(",")) };
    format!(
        "\"buildDefinitionId\":{definition},\"queueOnSourceUpdateOnly\":true,\"manualQueueOnly\":false,\
         \"displayName\":{},\"validDuration\":720.0,\"filenamePatterns\":{patterns}",
        quoted(name)
    )
}

/// The settings of a status policy.
pub(crate) fn status(genre: &str, name: &str) -> String {
    format!(
        "\"statusGenre\":{},\"statusName\":{},\"authorId\":null,\"invalidateOnSourceUpdate\":true,\
         \"policyApplicability\":null,\"defaultDisplayName\":null,\"filenamePatterns\":[]",
        quoted(genre),
        quoted(name)
    )
}

/// The settings of a required-reviewers policy; `ids` are storage keys.
pub(crate) fn required(ids: &[&str], count: i64, patterns: &[&str]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
    let patterns: Vec<String> = patterns.iter().map(|pattern| quoted(pattern)).collect();
    format!(
        "\"requiredReviewerIds\":[{}],\"minimumApproverCount\":{count},\"creatorVoteCounts\":false,\
         \"filenamePatterns\":[{}],\"addedFilesOnly\":false,\"message\":null",
        ids.join(","),
        patterns.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_end_at_a_segment() {
        let scope = Scope::prefix(None, "releases/");
        assert!(scope.applies(3, "refs/heads/releases/1", None));
        assert!(scope.applies(3, "refs/heads/releases", None));
        assert!(!scope.applies(3, "refs/heads/releases2", None));
        assert!(Scope::default_branch().applies(1, "refs/heads/main", Some("refs/heads/main")));
        assert!(!Scope::exact(1, "main").applies(2, "refs/heads/main", None));
    }
}
