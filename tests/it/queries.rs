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
//! `tests/checks/rows.txt` says which row of the specification each case shows.
//!
//! `ADOLAKE_CASE=pull_request_approved/late cargo test --test it queries` runs the cases whose name contains that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use adolake::checks::{self, Parameters, Queries};
use adolake::config::Profile;
use adolake::hint::Hint;
use adolake::schema::Catalog;
use datafusion::prelude::SessionContext;

use crate::support::cases::{self, Case, Given, Verdict};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_answers_as_expected() {
    let catalog = Catalog::embedded().unwrap();
    let queries = Queries::embedded().unwrap();
    let mut report: BTreeMap<String, String> = BTreeMap::new();
    // Cases of one check and period live in one lake, each with organizations of its own: planning is dear, and
    // a query that forgets to join on the organization is found out.
    let mut groups: BTreeMap<(String, String), Vec<Case>> = BTreeMap::new();
    let mut count = 0;
    for case in cases::all() {
        count += 1;
        match case.period() {
            Ok(period) => {
                groups
                    .entry((case.check_id.clone(), format!("{period:?}")))
                    .or_default()
                    .push(case);
            }
            Err(problem) => {
                report.insert(case.name, problem);
            }
        }
    }
    for group in groups.values() {
        match judge(group, &catalog, &queries).await {
            Ok(differences) => report.extend(differences),
            // One of them broke the query for all.
            Err(_) if group.len() > 1 => {
                for case in group {
                    match judge(std::slice::from_ref(case), &catalog, &queries).await {
                        Ok(differences) => report.extend(differences),
                        Err(problem) => drop(report.insert(case.name.clone(), problem)),
                    }
                }
            }
            Err(problem) => drop(report.insert(group[0].name.clone(), problem)),
        }
    }
    let text = report.iter().fold(String::new(), |mut text, (name, difference)| {
        let _ = writeln!(text, "\n=== {name}\n{difference}");
        text
    });
    assert!(report.is_empty(), "{} of {count} cases differ:\n{text}", report.len());
}

/// Runs cases of one check and period under both profiles; the differences as text by the name of the case.
async fn judge(
    group: &[Case],
    catalog: &Catalog,
    queries: &Queries,
) -> Result<BTreeMap<String, String>, String> {
    let told = |error: checks::Error| format!("{error}\n(hints: {})", error.hints().join("; "));
    let id = std::slice::from_ref(&group[0].check_id);
    let check = *queries.select(id).map_err(told)?.first().unwrap();
    let mut given = Given::new();
    for (index, case) in group.iter().enumerate() {
        let mut rows = case.rows(catalog).map_err(|problem| format!("{}: {problem}", case.name))?;
        cases::rename_organizations(&mut rows, &suffix(index));
        for (table, rows) in rows {
            given.entry(table).or_default().extend(rows);
        }
    }
    let context = cases::session_with(catalog, &given)?;
    checks::materialize(&context, queries, &[check]).await.map_err(told)?;
    let period = group[0].period()?;
    let mut judged: Vec<BTreeMap<Verdict, String>> = vec![BTreeMap::new(); group.len()];
    for profile in [Profile::Standard, Profile::Strict] {
        let parameters = Parameters::new(&period, profile);
        let findings = checks::evaluate(&context, check, &parameters).await.map_err(told)?;
        for finding in findings.iter() {
            let (organization, index) = finding.organization.rsplit_once('~').unwrap();
            let index: usize = index.parse().unwrap();
            let verdict = Verdict {
                profile: profile.as_str().to_owned(),
                resource: finding.resource().replacen(finding.organization, organization, 1),
                status: finding.status.to_string(),
                reason_code: finding.reason_code.to_owned(),
                flags: finding.flags.to_owned(),
            };
            let why = format!("{}\n      {}", finding.reason, finding.evidence_json);
            judged[index].insert(verdict, why);
        }
    }
    slices_change_nothing(&context, queries, check, &Parameters::new(&period, Profile::Strict))
        .await?;
    let mut differences = BTreeMap::new();
    for (case, judged) in group.iter().zip(judged) {
        let difference = difference(&case.expected()?, &judged);
        if !difference.is_empty() {
            differences.insert(case.name.clone(), difference);
        }
    }
    Ok(differences)
}

/// Some repositories at a time get the verdicts that all of them get together, in the same order.
async fn slices_change_nothing(
    context: &SessionContext,
    queries: &Queries,
    check: &checks::Query,
    parameters: &Parameters,
) -> Result<(), String> {
    let told = |error: checks::Error| format!("{error}\n(hints: {})", error.hints().join("; "));
    let texts = |findings: &checks::Findings| -> Vec<String> {
        findings.iter().map(|finding| serde_json::to_string(&finding).unwrap()).collect()
    };
    let whole = texts(&checks::evaluate(context, check, parameters).await.map_err(told)?);
    let completed = context.sql("select 1 from pull_requests where status = 'completed'");
    let completed = completed.await.unwrap().count().await.unwrap();
    let at_a_time = Some(i64::try_from(completed / 3).unwrap());
    let (mut parts, mut sliced) = (0, Vec::new());
    let take = |findings: checks::Findings| {
        parts += 1;
        sliced.extend(texts(&findings));
    };
    checks::judge(context, queries, &[check], parameters, at_a_time, take).await.map_err(told)?;
    let is_divided = if completed > 20 { check.header.is_sliced } else { parts > 1 };
    assert_eq!(parts > 1, is_divided, "{}: {parts} parts", check.id());
    if whole != sliced {
        let other = whole.iter().zip(&sliced).find(|(whole, sliced)| whole != sliced);
        let (whole, sliced) = (whole.len(), sliced.len());
        return Err(format!("{}: {whole} rows, in slices {sliced}: {other:?}", check.id()));
    }
    Ok(())
}

fn suffix(index: usize) -> String {
    format!("~{index}")
}

/// What was expected and is missing, and what was answered and not expected; empty where they agree.
fn difference(expected: &[Verdict], judged: &BTreeMap<Verdict, String>) -> String {
    let mut difference = String::new();
    for missing in expected.iter().filter(|verdict| !judged.contains_key(verdict)) {
        let _ = writeln!(difference, "  expected  {missing}");
    }
    for (surplus, why) in judged.iter().filter(|(verdict, _)| !expected.contains(verdict)) {
        let _ = writeln!(difference, "  answered  {surplus}\n      {why}");
    }
    if difference.is_empty() && judged.len() != expected.len() {
        difference = format!("  expected {} rows, answered {}", expected.len(), judged.len());
    }
    difference
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
    let context = cases::session_with(&catalog, &Given::new()).unwrap();
    let checks: Vec<&checks::Query> = queries.checks().iter().collect();
    checks::materialize(&context, &queries, &checks).await.unwrap();
    let at = cases::instant("2026-07-01").unwrap();
    let period = checks::Period { start_at: at, from: at, to: at, as_of: at };
    for check in checks {
        for profile in [Profile::Standard, Profile::Strict] {
            let parameters = Parameters::new(&period, profile);
            let findings = checks::evaluate(&context, check, &parameters).await.unwrap();
            assert_eq!(findings.counts().total(), 0, "{}", check.id());
        }
    }
    // As `adolake sql` has them: planned, each inside those that read it.
    let context = cases::session_with(&catalog, &Given::new()).unwrap();
    checks::register_views(&context, &queries).await.unwrap();
    for view in queries.views() {
        assert!(context.table_exist(view.id()).unwrap(), "{}", view.id());
    }
    let verdicts = context.table("latest_check_results").await.unwrap();
    assert_eq!(verdicts.count().await.unwrap(), 0);
}
