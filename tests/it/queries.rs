//! The queries keep the rules of their house, and every case of `tests/checks` answers as expected.
//!
//! A case is a folder `tests/checks/<check id>/<case>/` with
//! - `<table>.csv` for each table with rows, also `settings_in_force.csv`, `production_branches_in_force.csv`,
//!   `solutions_in_force.csv`, `exceptions_in_force.csv`: only the columns that matter. An empty cell is null, or
//!   where null is not allowed an empty text, 0, false, 1970; the organization is `contoso`.
//! - `expected.csv`: `profile,resource,status,reason_code,flags`, all rows of both profiles in any order (a profile of
//!   `*` stands for both),
//! - `params.csv` (`name,value`) where the period is another than 2026-01-01 to 2026-07-01.
//!
//! `ADOLAKE_CASE=pull_request_approved/late cargo test --test it queries` runs the cases whose name contains that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use adolake::checks::{self, Parameters, Queries};
use adolake::config::Profile;
use adolake::hint::Hint;
use adolake::schema::Catalog;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::cases::{self, Case, Verdict};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_answers_as_expected() {
    let catalog = Arc::new(Catalog::embedded().unwrap());
    let queries = Arc::new(Queries::embedded().unwrap());
    let mut running = JoinSet::new();
    // Each case holds plans and tables of its own: not all at once.
    let free = Arc::new(Semaphore::new(2));
    let mut report: BTreeMap<String, String> = BTreeMap::new();
    let mut count = 0;
    for case in cases::all() {
        count += 1;
        let (catalog, queries) = (Arc::clone(&catalog), Arc::clone(&queries));
        let free = Arc::clone(&free);
        running.spawn(async move {
            let _held = free.acquire_owned().await.unwrap();
            let outcome = judge(&case, &catalog, &queries).await;
            (case.name, outcome)
        });
    }
    while let Some(finished) = running.join_next().await {
        if let (name, Err(difference)) = finished.unwrap() {
            report.insert(name, difference);
        }
    }
    let text = report.iter().fold(String::new(), |mut text, (name, difference)| {
        let _ = writeln!(text, "\n=== {name}\n{difference}");
        text
    });
    assert!(report.is_empty(), "{} of {count} cases differ:\n{text}", report.len());
}

/// Runs a case under both profiles; the difference as text where it does not answer as expected.
async fn judge(case: &Case, catalog: &Catalog, queries: &Queries) -> Result<(), String> {
    let told = |error: checks::Error| format!("{error}\n(hints: {})", error.hints().join("; "));
    let check =
        *queries.select(std::slice::from_ref(&case.check_id)).map_err(told)?.first().unwrap();
    let context = case.session(catalog)?;
    checks::register_views(&context, queries).await.map_err(told)?;
    let period = case.period()?;
    let expected = case.expected()?;
    let mut judged: Vec<(Verdict, String)> = Vec::new();
    for profile in [Profile::Standard, Profile::Strict] {
        let parameters = Parameters::new(&period, profile);
        let findings = checks::evaluate(&context, check, &parameters).await.map_err(told)?;
        judged.extend(findings.iter().map(|finding| {
            let verdict = Verdict {
                profile: profile.as_str().to_owned(),
                resource: finding.resource(),
                status: finding.status.to_string(),
                reason_code: finding.reason_code.to_owned(),
                flags: finding.flags.to_owned(),
            };
            (verdict, format!("{}\n      {}", finding.reason, finding.evidence_json))
        }));
    }
    judged.sort();
    let mut difference = String::new();
    let found: Vec<&Verdict> = judged.iter().map(|(verdict, _)| verdict).collect();
    for missing in expected.iter().filter(|verdict| !found.contains(verdict)) {
        let _ = writeln!(difference, "  expected  {missing}");
    }
    for (surplus, why) in judged.iter().filter(|(verdict, _)| !expected.contains(verdict)) {
        let _ = writeln!(difference, "  answered  {surplus}\n      {why}");
    }
    if difference.is_empty() && found.len() != expected.len() {
        difference = format!("  expected {} rows, answered {}", expected.len(), found.len());
    }
    if difference.is_empty() { Ok(()) } else { Err(difference) }
}

#[test]
fn every_check_has_a_case_that_passes_and_one_that_fails() {
    if std::env::var_os("ADOLAKE_CASE").is_some() {
        return;
    }
    let mut statuses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for case in cases::all() {
        let expected = case.expected().unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let of_check = statuses.entry(case.check_id).or_default();
        of_check.extend(expected.into_iter().map(|verdict| verdict.status));
    }
    for check in Queries::embedded().unwrap().checks() {
        let own = statuses.remove(check.id()).unwrap_or_default();
        for status in ["pass", "fail"] {
            assert!(own.contains(status), "tests/checks/{}: no case with {status}", check.id());
        }
    }
    assert!(statuses.is_empty(), "cases for checks that do not exist: {:?}", statuses.keys());
}

#[test]
fn every_query_opens_with_a_header_that_says_what_it_reads() {
    // Parsing compares header and query: names, reads, parameters.
    let queries = Queries::embedded().unwrap();
    for query in queries.views().iter().chain(queries.checks()) {
        assert!(!query.text.contains('\t'), "{}: tabs", query.file);
        assert!(query.header.title.len() < 100, "{}: a long title", query.file);
    }
}

#[tokio::test]
async fn every_query_can_be_planned_and_run_on_an_empty_lake() {
    let catalog = Catalog::embedded().unwrap();
    let queries = Queries::embedded().unwrap();
    let settings = checks::SettingsRows::default();
    let context = cases::session_of(&catalog, &queries, &settings, &[]).await;
    let at = cases::instant("2026-07-01").unwrap();
    let period = checks::Period { start_at: at, from: at, to: at, as_of: at };
    for check in queries.checks() {
        for profile in [Profile::Standard, Profile::Strict] {
            let parameters = Parameters::new(&period, profile);
            let findings = checks::evaluate(&context, check, &parameters).await.unwrap();
            assert_eq!(findings.counts().total(), 0, "{}", check.id());
        }
    }
    for view in queries.views() {
        context.table(view.id()).await.unwrap().collect().await.unwrap();
    }
}
