//! Settings read back from the JSON that a check run stores, so that it can be used again.

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::exception::{Exception, Subject};
use super::settings::{Fields, Override, Profile, RepositorySettings, Require, Settings};
use super::solution::{Selector, Solution};
use crate::glob::Glob;

impl Settings {
    /// Reads what [`Settings::to_json`] wrote. Files of evidence are not named in it: whoever reads the settings of a
    /// stored run takes the hashes from there.
    ///
    /// # Errors
    /// Says what is not understood, without a full stop: a newer adolake may have written it.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut settings = Self::default();
        for (key, value) in object(&value, "the settings")? {
            match key.as_str() {
                "start-date" => settings.start_date = optional(value, |v| date(v, key))?,
                "time-zone" => {
                    let name = self::text(value, key)?;
                    settings.time_zone =
                        name.parse().map_err(|_| format!("`{name}` is no time zone"))?;
                }
                "profile" => settings.profile = profile(value)?,
                "defaults" => {
                    let mut defaults = RepositorySettings::default();
                    defaults.apply(&fields(object(value, key)?)?);
                    settings.defaults = defaults;
                }
                "repository" => settings.overrides = list(value, key, entry)?,
                "exception" => settings.exceptions = list(value, key, exception)?,
                _ => return Err(unknown(key)),
            }
        }
        Ok(settings)
    }
}

fn fields(object: &Map<String, Value>) -> Result<Fields, String> {
    let mut fields = Fields::default();
    for (key, value) in object {
        match key.as_str() {
            "match" => {}
            "in-scope" => fields.in_scope = Some(flag(value, key)?),
            "production-branches" => fields.production_branches = Some(list(value, key, name)?),
            "emergency-label" => {
                fields.emergency_label = Some(optional(value, |v| self::text(v, key))?);
            }
            "service-identities" => fields.service_identities = Some(list(value, key, name)?),
            "sast" => fields.sast = Some(list(value, key, solution)?),
            "integration-tests" => fields.integration_tests = Some(list(value, key, solution)?),
            "dependency-checks" => fields.dependency_checks = Some(list(value, key, solution)?),
            "require" => {
                fields.require = Some(match self::text(value, key)?.as_str() {
                    "any" => Require::Any,
                    "all" => Require::All,
                    other => return Err(format!("`require` is `{other}`")),
                });
            }
            "accept-partially-succeeded" => {
                fields.accept_partially_succeeded = Some(flag(value, key)?);
            }
            "gone-since" => fields.gone_since = optional(value, |v| date(v, key))?,
            _ => return Err(unknown(key)),
        }
    }
    Ok(fields)
}

fn entry(value: &Value) -> Result<Override, String> {
    let object = object(value, "repository")?;
    let pattern = member(object, "match")?;
    let glob = Glob::new(&pattern.to_lowercase()).map_err(|error| error.to_string())?;
    Ok(Override { pattern, glob, fields: fields(object)? })
}

fn solution(value: &Value) -> Result<Solution, String> {
    let object = object(value, "solution")?;
    let word = member(object, "selector")?;
    let all = [Selector::Any, Selector::Pipeline, Selector::Status, Selector::Job];
    let selector = all
        .into_iter()
        .find(|selector| selector.as_str() == word)
        .ok_or_else(|| format!("`selector` is `{word}`"))?;
    let pattern = member(object, "pattern")?;
    let paths = object.get("paths").unwrap_or(&Value::Null);
    Ok(Solution {
        solution: member(object, "solution")?,
        selector,
        is_glob: Glob::is_glob(&pattern),
        pattern,
        paths: optional(paths, |v| list(v, "paths", name))?,
    })
}

fn exception(value: &Value) -> Result<Exception, String> {
    let object = object(value, "exception")?;
    let pattern = member(object, "match")?;
    let evidence = object.get("evidence").unwrap_or(&Value::Null);
    let expires = object.get("expires").unwrap_or(&Value::Null);
    Ok(Exception {
        subject: Subject::parse(&pattern)?,
        pattern,
        checks: list(object.get("checks").unwrap_or(&Value::Null), "checks", name)?,
        reason: member(object, "reason")?,
        approved_by: member(object, "approved-by")?,
        evidence: optional(evidence, |v| text(v, "evidence"))?,
        evidence_file: None,
        evidence_sha256: None,
        expires: date(expires, "expires")?,
    })
}

fn profile(value: &Value) -> Result<Profile, String> {
    match text(value, "profile")?.as_str() {
        "standard" => Ok(Profile::Standard),
        "strict" => Ok(Profile::Strict),
        other => Err(format!("`profile` is `{other}`")),
    }
}

fn object<'a>(value: &'a Value, key: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("`{key}` is no object"))
}

fn member(object: &Map<String, Value>, key: &str) -> Result<String, String> {
    text(object.get(key).unwrap_or(&Value::Null), key)
}

fn text(value: &Value, key: &str) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("`{key}` is no text"))
}

fn name(value: &Value) -> Result<String, String> {
    text(value, "name")
}

fn flag(value: &Value, key: &str) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("`{key}` is neither true nor false"))
}

fn date(value: &Value, key: &str) -> Result<NaiveDate, String> {
    text(value, key)?.parse().map_err(|_| format!("`{key}` is no day"))
}

fn optional<T>(
    value: &Value,
    read: impl FnOnce(&Value) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

fn list<T>(
    value: &Value,
    key: &str,
    read: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    value.as_array().ok_or_else(|| format!("`{key}` is no list"))?.iter().map(read).collect()
}

fn unknown(key: &str) -> String {
    format!("the key `{key}` is not known to this adolake")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    /// Every key there is, each with another value than the built-in one.
    const EVERYTHING: &str = r#"
[checks]
start-date = 2026-01-31
time-zone = "Europe/Berlin"
profile = "strict"

[defaults]
production-branches = ["main", "release/*"]
emergency-label = "hotfix"
service-identities = ["svc-*"]
sast = ["CodeQL", { pipeline = "\\security\\x", paths = ["src/**", "!src/gen/**"] }, { job = "ci/*/scan" }]
integration-tests = ["*/integration-*"]
dependency-checks = ["status:snyk/*"]
require = "all"
accept-partially-succeeded = true

[[repository]]
match = "contoso/Payments/*"
in-scope = false
emergency-label = ""
gone-since = 2026-03-01

[[exception]]
match = "contoso/payments/api!47*"
checks = ["pull_request_sast_passed"]
reason = "r"
approved-by = "a"
evidence = "scan.pdf"
expires = 2026-12-31

[[exception]]
match = "contoso/payments/api@0123*"
reason = "r"
approved-by = "a"
expires = 2026-12-31
"#;

    #[test]
    fn settings_come_back_as_they_were() {
        let config = Config::parse("adolake.toml".as_ref(), EVERYTHING, &Environment::default());
        let mut settings = config.unwrap().settings;
        let text = settings.to_json().to_string();
        let read = Settings::from_json(&text).unwrap();
        assert_eq!(read.to_json().to_string(), text);
        // The file itself is not part of the settings.
        assert!(settings.exceptions[0].evidence_file.take().is_some());
        assert_eq!(read, settings);
        let built_in = Settings::default();
        assert_eq!(Settings::from_json(&built_in.to_json().to_string()).unwrap(), built_in);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let told = |text: &str| Settings::from_json(text).unwrap_err();
        assert_eq!(told(r#"{"quorum":2}"#), "the key `quorum` is not known to this adolake");
        assert_eq!(told(r#"{"defaults":{"require":"most"}}"#), "`require` is `most`");
        assert_eq!(told(r#"{"exception":[{"match":"a/b/c!1"}]}"#), "`checks` is no list");
        assert!(told("[").contains("EOF"));
    }
}
