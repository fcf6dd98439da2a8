//! `[checks]`, `[defaults]`, `[[repository]]` and `[[exception]]`.

use chrono_tz::Tz;

use super::{Reader, names, plain};
use crate::config::exception::{self, Exception, Subject};
use crate::config::fields;
use crate::config::node::Value;
use crate::config::read::{Section, Text, list};
use crate::config::settings::{Fields, Override, Profile, RepositorySettings, Require, Settings};
use crate::config::solution::{Selector, Solution};
use crate::glob::Glob;
use crate::hint::nearest;

impl Reader<'_> {
    pub(super) fn settings(&self, root: &Section<'_>) -> Settings {
        let checks = root.table("checks");
        checks.check_keys(fields::CHECKS);
        let time_zone = checks.filled_text("time-zone").map_or(Tz::UTC, |text| {
            text.text.parse().unwrap_or_else(|_| {
                let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
                let hint = nearest(&text.text, known)
                    .map_or_else(String::new, |zone| format!("; did you mean `{zone}`?"));
                checks.problem(
                    &text.place,
                    format!("`{}` is no time zone such as `Europe/Berlin`{hint}", text.text),
                );
                Tz::UTC
            })
        });
        let section = root.table("defaults");
        section.check_keys(fields::DEFAULTS);
        let mut defaults = RepositorySettings::default();
        defaults.apply(&self.fields(&section));
        Settings {
            start_date: checks.date("start-date"),
            time_zone,
            profile: match checks.choice(&fields::CHECKS[2]) {
                Some("strict") => Profile::Strict,
                _ => Profile::Standard,
            },
            defaults,
            overrides: self.overrides(root),
            exceptions: self.exceptions(root),
        }
    }

    fn fields(&self, section: &Section<'_>) -> Fields {
        Fields {
            in_scope: section.boolean("in-scope"),
            production_branches: names(
                section,
                "production-branches",
                &['^', '~', ':', '\\', ' ', '!'],
            )
            .map(|names| names.into_iter().map(short_name).collect()),
            emergency_label: section
                .text("emergency-label")
                .map(|text| Some(text.text.trim().to_owned()).filter(|label| !label.is_empty())),
            service_identities: section.texts("service-identities").map(|texts| {
                for text in &texts {
                    if let Err(error) = Glob::new(&text.text) {
                        section.problem(
                            &text.place,
                            format!("`{}`: {error}", section.path_of("service-identities")),
                        );
                    }
                }
                plain(texts)
            }),
            sast: self.solutions(section, "sast"),
            integration_tests: self.solutions(section, "integration-tests"),
            dependency_checks: self.solutions(section, "dependency-checks"),
            require: section.choice(&fields::DEFAULTS[7]).map(|word| match word {
                "all" => Require::All,
                _ => Require::Any,
            }),
            accept_partially_succeeded: section.boolean("accept-partially-succeeded"),
            gone_since: None,
        }
    }

    fn solutions(&self, section: &Section<'_>, key: &str) -> Option<Vec<Solution>> {
        let mut solutions = Vec::new();
        for item in section.items(key)? {
            let solution =
                match &item.value {
                    Value::Text(text) => Solution::parse(text),
                    Value::Table(_) => match table_solution(&section.inner(key, item)) {
                        Some(solution) => solution,
                        None => continue,
                    },
                    _ => Err("a solution is a text or a table such as `{ pipeline = \"ci\" }`"
                        .to_owned()),
                };
            match solution {
                Ok(solution) => solutions.push(solution),
                Err(message) => {
                    section.problem(&item.place, format!("`{}`: {message}", section.path_of(key)));
                }
            }
        }
        Some(solutions)
    }

    fn overrides(&self, root: &Section<'_>) -> Vec<Override> {
        let mut overrides = Vec::new();
        for section in root.tables("repository") {
            section.check_keys(fields::REPOSITORY);
            let fields = Fields { gone_since: section.date("gone-since"), ..self.fields(&section) };
            let Some(pattern) = section.filled_text("match") else { continue };
            let glob = exception::check_repository_glob(&pattern.text).and_then(|()| {
                Glob::new(&pattern.text.to_lowercase()).map_err(|error| error.to_string())
            });
            match glob {
                Ok(glob) => overrides.push(Override { pattern: pattern.text, glob, fields }),
                Err(message) => {
                    section.problem(&pattern.place, format!("`repository.match`: {message}"));
                }
            }
        }
        overrides
    }

    fn exceptions(&self, root: &Section<'_>) -> Vec<Exception> {
        let mut exceptions = Vec::new();
        for section in root.tables("exception") {
            section.check_keys(fields::EXCEPTION);
            let subject = section.filled_text("match").and_then(|text| {
                Subject::parse(&text.text)
                    .map_err(|message| {
                        section.problem(&text.place, format!("`exception.match`: {message}"));
                    })
                    .map(|subject| (text.text, subject))
                    .ok()
            });
            let reason = section.filled_text("reason");
            let approved_by = section.filled_text("approved-by");
            let expires = section.date("expires");
            let evidence = section.filled_text("evidence").map(|text| text.text);
            let checks = section.texts("checks");
            let (Some((pattern, subject)), Some(reason), Some(approved_by), Some(expires)) =
                (subject, reason, approved_by, expires)
            else {
                continue;
            };
            exceptions.push(Exception {
                pattern,
                checks: excepted_checks(&section, &subject, checks),
                subject,
                reason: reason.text,
                approved_by: approved_by.text,
                evidence_file: evidence
                    .as_ref()
                    .filter(|text| !text.contains("://"))
                    .map(|text| self.path(text)),
                evidence_sha256: None,
                evidence,
                expires,
            });
        }
        exceptions
    }
}

fn excepted_checks(
    section: &Section<'_>,
    subject: &Subject,
    checks: Option<Vec<Text>>,
) -> Vec<String> {
    let possible = subject.checks();
    let Some(checks) = checks else {
        return possible.iter().map(|check| (*check).to_owned()).collect();
    };
    for check in &checks {
        if possible.contains(&check.text.as_str()) {
            continue;
        }
        let message = if check.text == exception::POLICY_CHECK {
            format!("`{}` cannot be excepted", check.text)
        } else if check.text == exception::PUSH_CHECK {
            format!("`{}` is excepted for a commit: `org/project/repo@commit`", check.text)
        } else if exception::PULL_REQUEST_CHECKS.contains(&check.text.as_str()) {
            format!("`{}` is excepted for a pull request: `org/project/repo!number`", check.text)
        } else {
            let hint = nearest(&check.text.replace('-', "_"), possible.iter().copied())
                .map_or_else(
                    || format!("; known are {}", list(possible.iter().copied())),
                    |check| format!("; did you mean `{check}`?"),
                );
            format!("`{}` is no check{hint}", check.text)
        };
        section.problem(&check.place, format!("`exception.checks`: {message}"));
    }
    plain(checks)
}

fn table_solution(section: &Section<'_>) -> Option<Result<Solution, String>> {
    section.check_keys(fields::SOLUTION);
    let kinds = [
        (Selector::Any, "name"),
        (Selector::Pipeline, "pipeline"),
        (Selector::Status, "status"),
        (Selector::Job, "job"),
    ];
    let mut given: Vec<(Selector, String)> = kinds
        .into_iter()
        .filter_map(|(selector, key)| Some((selector, section.filled_text(key)?.text)))
        .collect();
    let paths = section.texts("paths").map(plain);
    if given.len() != 1 {
        section.problem(
            &section.place,
            "a solution takes one of `pipeline`, `status`, `job` and `name`, and maybe `paths`",
        );
        return None;
    }
    let (selector, pattern) = given.pop()?;
    Some(Solution::of(selector, &pattern, paths.as_deref()))
}

/// Full refs mean the same as short names.
fn short_name(name: String) -> String {
    match name.strip_prefix("refs/heads/") {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => name,
    }
}
