//! Resolves the configuration against the repositories of the lake into the four tables of settings.

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::views::SettingsRows;
use crate::config::{Exception, Settings};
use crate::schema::{Catalog, Row, from_batch};
use crate::window::month_of;

/// A repository that settings are resolved for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    /// Organization.
    pub organization: String,
    /// Id of the project.
    pub project_id: String,
    /// Name of the project.
    pub project: String,
    /// Id of the repository.
    pub repository_id: String,
    /// Name of the repository.
    pub repository: String,
}

/// Returns all repositories that a session knows, sorted.
///
/// # Errors
/// Fails when the table cannot be read.
pub async fn repositories(
    context: &SessionContext,
    catalog: &Catalog,
) -> Result<Vec<Repository>, Error> {
    let failed = || Error::engine("cannot read the repositories of the lake");
    let table = catalog.require("repositories").map_err(Error::Schema)?;
    let columns = ["organization", "project_id", "project", "repository_id", "name"];
    let frame = context.table("repositories").await.map_err(failed())?;
    let frame = frame.select_columns(&columns).map_err(failed())?;
    let mut repositories = Vec::new();
    for batch in frame.collect().await.map_err(failed())? {
        for row in from_batch(table, &batch).map_err(Error::Schema)? {
            let text = |column: &str| row.text(column).unwrap_or_default().to_owned();
            repositories.push(Repository {
                organization: text("organization"),
                project_id: text("project_id"),
                project: text("project"),
                repository_id: text("repository_id"),
                repository: text("name"),
            });
        }
    }
    repositories.sort();
    Ok(repositories)
}

/// Returns the settings in force as rows of their tables: one row of `repository_settings` per repository, one of
/// `exceptions` per organization and exception.
///
/// # Errors
/// Fails when the evidence file of an exception cannot be read, as its hash is part of the settings.
pub fn resolve(
    settings: &Settings,
    catalog: &Catalog,
    repositories: &[Repository],
    run_id: &str,
    started_at: DateTime<Utc>,
) -> Result<SettingsRows, Error> {
    let run_month = month_of(started_at);
    let new = |table: &str, organization: &str| -> Result<Row, Error> {
        let mut row = Row::new(catalog.require(table).map_err(Error::Schema)?);
        row.set("organization", organization).set("run_id", run_id);
        row.set("run_month", run_month.as_str());
        // The lake fills these when it writes; in memory they only must not be null.
        row.set("_run_id", run_id).set("_synced_at", started_at).set("_hash", "");
        Ok(row)
    };
    let mut rows = SettingsRows::default();
    for repository in repositories {
        let of = settings.of(&repository.organization, &repository.project, &repository.repository);
        let mut row = new("repository_settings", &repository.organization)?;
        row.set("repository_id", repository.repository_id.as_str())
            .set("project_id", repository.project_id.as_str())
            .set("project", repository.project.as_str())
            .set("repository", repository.repository.as_str())
            .set("in_scope", of.in_scope)
            .set("emergency_label", of.emergency_label.clone())
            .set("service_identities_json", json_list(&of.service_identities))
            .set("require", of.require.as_str())
            .set("accept_partially_succeeded", of.accept_partially_succeeded)
            .set("gone_since", of.gone_since);
        rows.repository_settings.push(row);
        for (index, pattern) in (0_i64..).zip(&of.production_branches) {
            let mut row = new("production_branches", &repository.organization)?;
            row.set("repository_id", repository.repository_id.as_str())
                .set("pattern_index", index)
                .set("pattern", pattern.as_str())
                .set("is_glob", crate::glob::Glob::is_glob(pattern));
            rows.production_branches.push(row);
        }
        for (kind, solutions) in of.solutions() {
            for (index, solution) in (0_i64..).zip(solutions) {
                let mut row = new("solutions", &repository.organization)?;
                row.set("repository_id", repository.repository_id.as_str())
                    .set("kind", kind)
                    .set("solution_index", index)
                    .set("solution", solution.solution.as_str())
                    .set("selector", solution.selector.as_str())
                    .set("pattern", solution.pattern.as_str())
                    .set("is_glob", solution.is_glob)
                    .set("paths_json", solution.paths.as_deref().map(json_list));
                rows.solutions.push(row);
            }
        }
    }
    let mut organizations: Vec<&str> =
        repositories.iter().map(|repository| repository.organization.as_str()).collect();
    organizations.sort_unstable();
    organizations.dedup();
    for (index, exception) in (0_i64..).zip(&settings.exceptions) {
        let hash = evidence_hash(exception)?;
        for organization in &organizations {
            let mut row = new("exceptions", organization)?;
            let subject = &exception.subject;
            row.set("exception_index", index)
                .set("pattern", exception.pattern.as_str())
                .set("repository_pattern", subject.repository_pattern.as_str())
                .set("pull_request_pattern", subject.pull_request_pattern.clone())
                .set("commit_pattern", subject.commit_pattern.clone())
                .set("checks_json", json_list(&exception.checks))
                .set("reason", exception.reason.as_str())
                .set("approved_by", exception.approved_by.as_str())
                .set("evidence", exception.evidence.clone())
                .set("evidence_sha256", hash.clone())
                .set("expires_on", exception.expires)
                .set("expires_before", settings.end_of_day(exception.expires));
            rows.exceptions.push(row);
        }
    }
    Ok(rows)
}

/// Returns the SHA-256 of an exception's evidence, hexadecimal; none where there is none, or it is an address.
///
/// # Errors
/// Fails when its file cannot be read.
pub fn evidence_hash(exception: &Exception) -> Result<Option<String>, Error> {
    let Some(path) = &exception.evidence_file else {
        return Ok(exception.evidence_sha256.clone());
    };
    let bytes = std::fs::read(path).map_err(|source| Error::Evidence {
        pattern: exception.pattern.clone(),
        path: path.clone(),
        source,
    })?;
    Ok(Some(hex::encode(Sha256::digest(&bytes))))
}

fn json_list(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Solution;

    #[test]
    fn settings_become_rows() {
        let catalog = Catalog::embedded().unwrap();
        let mut settings = Settings::default();
        settings.defaults.production_branches = vec!["main".to_owned(), "release/*".to_owned()];
        settings.defaults.sast = vec![Solution::parse("status:Snyk/*").unwrap()];
        let repository = Repository {
            organization: "contoso".to_owned(),
            project_id: "p".to_owned(),
            project: "payments".to_owned(),
            repository_id: "r".to_owned(),
            repository: "api".to_owned(),
        };
        let at = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let rows = resolve(&settings, &catalog, &[repository], "run", at).unwrap();
        assert_eq!(rows.repository_settings[0].text("emergency_label"), Some("emergency"));
        assert_eq!(rows.production_branches[1].bool("is_glob"), Some(true));
        assert_eq!(rows.solutions[0].text("pattern"), Some("snyk/*"));
        assert_eq!(rows.solutions[0].text("kind"), Some("sast"));
        assert!(rows.exceptions.is_empty());
    }
}
