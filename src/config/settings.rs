//! Settings: what holds for one repository, from defaults and overrides, and what holds for all.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::exception::Exception;
use super::solution::Solution;
use crate::glob::Glob;

/// What stages need to know of the configuration beside their own section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// First day that is judged; none = the day of the first sync.
    pub start_date: Option<NaiveDate>,
    /// In which days begin and end.
    pub time_zone: Tz,
    /// How strictly.
    pub profile: Profile,
    /// Every repository.
    pub defaults: RepositorySettings,
    /// In order; the last match wins, field by field.
    pub overrides: Vec<Override>,
    /// In order.
    pub exceptions: Vec<Exception>,
}

/// How strictly checks judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// What SOC 2 auditors ask.
    #[default]
    Standard,
    /// SLSA Source L4.
    Strict,
}

impl Profile {
    /// Returns the word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Strict => "strict",
        }
    }
}

/// Of several solutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Require {
    /// One is enough.
    #[default]
    Any,
    /// All have to hold.
    All,
}

impl Require {
    /// Returns the word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
        }
    }
}

/// What holds for one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySettings {
    /// Whether it is judged.
    pub in_scope: bool,
    /// Names or globs of short branch names, compared as they are.
    pub production_branches: Vec<String>,
    /// Label that exempts a pull request; none = no label does.
    pub emergency_label: Option<String>,
    /// Globs on unique names that never count as approvers.
    pub service_identities: Vec<String>,
    /// Static analysis.
    pub sast: Vec<Solution>,
    /// Integration tests.
    pub integration_tests: Vec<Solution>,
    /// Dependency checks.
    pub dependency_checks: Vec<Solution>,
    /// Of several solutions of a kind.
    pub require: Require,
    /// Whether a partially succeeded run passes.
    pub accept_partially_succeeded: bool,
    /// Acknowledges that the repository is no longer visible.
    pub gone_since: Option<NaiveDate>,
}

/// The built-in defaults.
impl Default for RepositorySettings {
    fn default() -> Self {
        Self {
            in_scope: true,
            production_branches: vec!["main".to_owned()],
            emergency_label: Some("emergency".to_owned()),
            service_identities: Vec::new(),
            sast: Vec::new(),
            integration_tests: Vec::new(),
            dependency_checks: Vec::new(),
            require: Require::Any,
            accept_partially_succeeded: false,
            gone_since: None,
        }
    }
}

/// `[[repository]]`: fields that are written replace those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Glob on `organization/project/repository`, as configured.
    pub pattern: String,
    /// The same in lower case, parsed.
    pub glob: Glob,
    /// What is written.
    pub fields: Fields,
}

/// Fields of `[defaults]` and `[[repository]]`; none = not written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// `in-scope`
    pub in_scope: Option<bool>,
    /// `production-branches`
    pub production_branches: Option<Vec<String>>,
    /// `emergency-label`; an inner none = written as empty: no label.
    pub emergency_label: Option<Option<String>>,
    /// `service-identities`
    pub service_identities: Option<Vec<String>>,
    /// `sast`
    pub sast: Option<Vec<Solution>>,
    /// `integration-tests`
    pub integration_tests: Option<Vec<Solution>>,
    /// `dependency-checks`
    pub dependency_checks: Option<Vec<Solution>>,
    /// `require`
    pub require: Option<Require>,
    /// `accept-partially-succeeded`
    pub accept_partially_succeeded: Option<bool>,
    /// `gone-since`
    pub gone_since: Option<NaiveDate>,
}

impl RepositorySettings {
    /// Replaces the fields that are written.
    pub fn apply(&mut self, fields: &Fields) {
        fn put<T: Clone>(target: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                target.clone_from(value);
            }
        }
        put(&mut self.in_scope, fields.in_scope.as_ref());
        put(&mut self.production_branches, fields.production_branches.as_ref());
        put(&mut self.emergency_label, fields.emergency_label.as_ref());
        put(&mut self.service_identities, fields.service_identities.as_ref());
        put(&mut self.sast, fields.sast.as_ref());
        put(&mut self.integration_tests, fields.integration_tests.as_ref());
        put(&mut self.dependency_checks, fields.dependency_checks.as_ref());
        put(&mut self.require, fields.require.as_ref());
        put(&mut self.accept_partially_succeeded, fields.accept_partially_succeeded.as_ref());
        if fields.gone_since.is_some() {
            self.gone_since = fields.gone_since;
        }
    }

    /// Returns the solutions with the names of their kinds in the tables: `sast`, `integration_tests`,
    /// `dependency_checks`.
    #[must_use]
    pub fn solutions(&self) -> [(&'static str, &[Solution]); 3] {
        [
            ("sast", self.sast.as_slice()),
            ("integration_tests", self.integration_tests.as_slice()),
            ("dependency_checks", self.dependency_checks.as_slice()),
        ]
    }

    fn to_json(&self) -> Value {
        let solutions = |list: &[Solution]| list.iter().map(Solution::to_json).collect::<Vec<_>>();
        json!({
            "in-scope": self.in_scope,
            "production-branches": self.production_branches,
            "emergency-label": self.emergency_label,
            "service-identities": self.service_identities,
            "sast": solutions(&self.sast),
            "integration-tests": solutions(&self.integration_tests),
            "dependency-checks": solutions(&self.dependency_checks),
            "require": self.require.as_str(),
            "accept-partially-succeeded": self.accept_partially_succeeded,
            "gone-since": self.gone_since.map(|day| day.to_string()),
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            start_date: None,
            time_zone: Tz::UTC,
            profile: Profile::Standard,
            defaults: RepositorySettings::default(),
            overrides: Vec::new(),
            exceptions: Vec::new(),
        }
    }
}

impl Settings {
    /// Returns what holds for a repository: the defaults, then each matching override, the last one winning field by
    /// field. Names are compared without regard to case, as Azure DevOps does.
    #[must_use]
    pub fn of(&self, organization: &str, project: &str, repository: &str) -> RepositorySettings {
        let name = format!("{organization}/{project}/{repository}").to_lowercase();
        let mut settings = self.defaults.clone();
        for entry in self.overrides.iter().filter(|entry| entry.glob.matches(&name)) {
            settings.apply(&entry.fields);
        }
        settings
    }

    /// Returns the instant from which merges are judged: midnight of the start date, or of the day of the first sync.
    #[must_use]
    pub fn start_at(&self, first_sync: DateTime<Utc>) -> DateTime<Utc> {
        let day = self
            .start_date
            .unwrap_or_else(|| first_sync.with_timezone(&self.time_zone).date_naive());
        self.start_of_day(day)
    }

    /// Returns the first instant of a day in the configured time zone.
    #[must_use]
    pub fn start_of_day(&self, day: NaiveDate) -> DateTime<Utc> {
        let mut local = day.and_time(NaiveTime::MIN);
        // Where clocks jump over midnight, the day begins later.
        for _ in 0..24 * 4 {
            if let Some(instant) = self.time_zone.from_local_datetime(&local).earliest() {
                return instant.with_timezone(&Utc);
            }
            local += TimeDelta::minutes(15);
        }
        day.and_time(NaiveTime::MIN).and_utc()
    }

    /// Returns the instant at which a day has ended in the configured time zone.
    #[must_use]
    pub fn end_of_day(&self, day: NaiveDate) -> DateTime<Utc> {
        self.start_of_day(day.checked_add_days(Days::new(1)).unwrap_or(day))
    }

    /// Returns all settings as JSON with keys in fixed order; equal settings give equal text, whatever the file's
    /// layout.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut overrides = Vec::new();
        for entry in &self.overrides {
            let mut with = json!({ "match": entry.pattern });
            if let (Value::Object(target), Value::Object(fields)) =
                (&mut with, entry.fields.to_json())
            {
                target.extend(fields);
            }
            overrides.push(with);
        }
        json!({
            "start-date": self.start_date.map(|day| day.to_string()),
            "time-zone": self.time_zone.name(),
            "profile": self.profile.as_str(),
            "defaults": self.defaults.to_json(),
            "repository": overrides,
            "exception": self.exceptions.iter().map(Exception::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Fields {
    fn to_json(&self) -> Value {
        let mut full = RepositorySettings::default();
        full.apply(self);
        let Value::Object(mut object) = full.to_json() else { return Value::Null };
        let written = [
            ("in-scope", self.in_scope.is_some()),
            ("production-branches", self.production_branches.is_some()),
            ("emergency-label", self.emergency_label.is_some()),
            ("service-identities", self.service_identities.is_some()),
            ("sast", self.sast.is_some()),
            ("integration-tests", self.integration_tests.is_some()),
            ("dependency-checks", self.dependency_checks.is_some()),
            ("require", self.require.is_some()),
            ("accept-partially-succeeded", self.accept_partially_succeeded.is_some()),
            ("gone-since", self.gone_since.is_some()),
        ];
        for (key, _) in written.iter().filter(|(_, is_written)| !is_written) {
            object.shift_remove(*key);
        }
        Value::Object(object)
    }
}
