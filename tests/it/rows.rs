//! Every row of the specification has its cases and its named examples: `tests/checks/rows.txt` says which.
//!
//! Where the specification lies beside the repository (`../shared/checks.md`), its tables are compared with that file
//! in both directions; elsewhere the file alone is held to the cases and examples that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use adolake::simulator::{Options, Simulator};

use crate::support::cases;

const ROWS: &str = include_str!("../checks/rows.txt");
const LONG_WAY: &str = include_str!("examples.rs");

/// A row: what the specification calls it, and the names below it by key.
struct Row {
    title: String,
    names: BTreeMap<String, Vec<String>>,
}

/// Reads the file; a line that is not indented opens a row, one with a colon opens a list, others go on with it.
fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut key = String::new();
    let lines = ROWS.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    for line in lines {
        if !line.starts_with(' ') {
            rows.push(Row { title: line.to_owned(), names: BTreeMap::new() });
            continue;
        }
        let names = match line.split_once(':') {
            Some((own, names)) => {
                own.trim().clone_into(&mut key);
                names
            }
            None => line,
        };
        let list = rows.last_mut().unwrap().names.entry(key.clone()).or_default();
        list.extend(
            names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
        );
    }
    rows
}

/// The rows of the tables of the specification, as the file writes them.
fn specified(text: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut rows = BTreeSet::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.split('.').next().unwrap();
        }
        let Some(cells) = line.strip_prefix("| ") else { continue };
        let first = cells.split(" | ").next().unwrap().trim();
        if first != "case" {
            rows.insert(format!("[{section}] {first}"));
        }
    }
    rows
}

#[test]
fn every_row_of_the_specification_is_listed_and_every_listed_row_is_in_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/checks.md");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("SKIPPED: the specification is not here");
        return;
    };
    let listed: BTreeSet<String> = rows().into_iter().map(|row| row.title).collect();
    let specified = specified(&text);
    assert!(specified.len() > 50, "only {} rows were found", specified.len());
    let missing: Vec<&String> = specified.difference(&listed).collect();
    assert!(missing.is_empty(), "rows without cases: {missing:#?}");
    let is_in_table = |row: &&String| !row.contains("] = ");
    let unknown: Vec<&String> = listed.difference(&specified).filter(is_in_table).collect();
    assert!(unknown.is_empty(), "rows that the specification does not have: {unknown:#?}");
}

#[test]
fn every_row_has_cases_for_both_profiles_and_every_case_shows_a_row() {
    if std::env::var_os("ADOLAKE_CASE").is_some() {
        return;
    }
    let cases = cases::all();
    let mut unseen: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    for row in rows() {
        let mut profiles = BTreeSet::new();
        let is_of_case = |key: &str| key != "examples" && key != "tests";
        for (check, names) in row.names.iter().filter(|(key, _)| is_of_case(key)) {
            for name in names {
                let name = format!("{check}/{name}");
                let case = cases.iter().find(|case| case.name == name);
                let case =
                    case.unwrap_or_else(|| panic!("{}: there is no case `{name}`", row.title));
                profiles
                    .extend(case.expected().unwrap().into_iter().map(|verdict| verdict.profile));
                unseen.remove(case.name.as_str());
            }
        }
        // What is out of scope has no verdict.
        assert!(profiles.len() == 2 || row.title == "[A] scope", "{}: {profiles:?}", row.title);
    }
    assert!(unseen.is_empty(), "cases that show no row: {unseen:#?}");
}

#[tokio::test]
async fn every_row_goes_the_long_way() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let known: BTreeSet<&str> = simulator.examples().iter().map(|example| example.name).collect();
    for row in rows() {
        let names = |key: &str| row.names.get(key).cloned().unwrap_or_default();
        let (examples, tests) = (names("examples"), names("tests"));
        assert!(!examples.is_empty() || !tests.is_empty(), "{}: no example", row.title);
        for name in &examples {
            assert!(known.contains(name.as_str()), "{}: there is no example `{name}`", row.title);
        }
        for name in &tests {
            let is_there = LONG_WAY.contains(&format!("fn {name}()"));
            assert!(is_there, "{}: there is no test `{name}`", row.title);
        }
    }
}
