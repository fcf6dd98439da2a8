//! Random histories: the checks answer as a second, plain implementation of the specification does.
//!
//! Each test throws many histories into one lake and asks the check once per profile. The plain implementations are
//! written from the specification, person by person and run by run, without a look at the queries. A difference is
//! shown with its history; `ADOLAKE_SEED=7 cargo test --test it properties` throws other ones.

mod jobs;
mod random;
mod runs;
mod statuses;
mod votes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};

use adolake::checks::{self, Parameters, Period, Queries};
use adolake::config::Profile;
use adolake::schema::Catalog;

use crate::support::cases::{self, Given};

const PROFILES: [Profile; 2] = [Profile::Standard, Profile::Strict];

/// Status, reason code and flags.
type Answer = (String, String, String);

fn answer(status: &str, reason: &str, flags: &BTreeSet<&str>) -> Answer {
    let flags: Vec<&str> = flags.iter().copied().collect();
    (status.to_owned(), reason.to_owned(), flags.join(","))
}

/// Rows of a lake in the making, in the organization `contoso`.
struct Rows {
    catalog: Catalog,
    given: Given,
}

impl Rows {
    fn new() -> Self {
        Self { catalog: Catalog::embedded().unwrap(), given: Given::new() }
    }

    /// Adds a row; empty texts are null.
    fn add(&mut self, name: &str, texts: &[(&str, &str)]) {
        let in_force = checks::SETTINGS_TABLES.iter().find(|(_, in_force)| *in_force == name);
        let table = in_force.map_or(name, |(table, _)| *table);
        let mut texts: BTreeMap<String, String> =
            texts.iter().map(|(column, text)| ((*column).to_owned(), (*text).to_owned())).collect();
        texts.insert("organization".to_owned(), "contoso".to_owned());
        let row = cases::row(self.catalog.require(table).unwrap(), &texts).unwrap();
        self.given.entry(name.to_owned()).or_default().push(row);
    }

    /// Adds a repository in scope whose production branch is `main`.
    fn repository(&mut self, id: &str, project: &str) {
        let settings = [
            ("repository_id", id),
            ("project_id", project),
            ("project", project),
            ("repository", id),
            ("in_scope", "true"),
            ("service_identities_json", "[]"),
            ("require", "any"),
        ];
        self.add("settings_in_force", &settings);
        self.add("production_branches_in_force", &[("repository_id", id), ("pattern", "main")]);
    }

    /// What a check answers about each pull request under a profile.
    async fn ask(&self, check_id: &str) -> BTreeMap<(&'static str, i64), Answer> {
        let queries = Queries::embedded().unwrap();
        let check = queries.select(&[check_id.to_owned()]).unwrap()[0];
        let context = cases::session_with(&self.catalog, &self.given).unwrap();
        checks::materialize(&context, &queries, &[check]).await.unwrap();
        let at = |text: &str| cases::instant(text).unwrap();
        let (start_at, as_of) = (at("2026-01-01"), at("2027-01-01"));
        let period = Period { start_at, from: start_at, to: as_of, as_of };
        let mut answers = BTreeMap::new();
        for profile in PROFILES {
            let parameters = Parameters::new(&period, profile);
            let findings = checks::evaluate(&context, check, &parameters).await.unwrap();
            for finding in findings.iter() {
                let key = (profile.as_str(), finding.pull_request_id.unwrap());
                let flags = finding.flags.to_owned();
                let verdict = (finding.status.to_string(), finding.reason_code.to_owned(), flags);
                answers.insert(key, verdict);
            }
        }
        answers
    }
}

/// Fails when the check answers one of the histories, numbered from 1, in another way than `expect` does.
fn compare<History: Debug>(
    answers: &BTreeMap<(&'static str, i64), Answer>,
    histories: &[History],
    expect: impl Fn(&History, Profile) -> Answer,
) {
    let (mut wrong, mut count) = (String::new(), 0);
    let mut reasons: BTreeSet<(String, String)> = BTreeSet::new();
    for profile in PROFILES {
        for (number, history) in (1..).zip(histories) {
            let expected = expect(history, profile);
            reasons.insert((expected.0.clone(), expected.1.clone()));
            let answered = answers.get(&(profile.as_str(), number));
            if answered != Some(&expected) {
                count += 1;
                if count <= 5 {
                    let _ = writeln!(
                        wrong,
                        "{number}, {}: expected {expected:?}, answered {answered:?}\n{history:#?}\n",
                        profile.as_str()
                    );
                }
            }
        }
    }
    assert!(count == 0, "{count} answers differ, among them\n{wrong}");
    assert!(reasons.len() > 5, "the histories are too much alike: {reasons:?}");
}

/// The instant that many minutes after 2026-01-01.
fn minute(at: i64) -> String {
    let start = cases::instant("2026-01-01").unwrap();
    (start + chrono::Duration::minutes(at)).to_rfc3339()
}
