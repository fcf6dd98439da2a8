//! Values for the parameters that checks declare.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use datafusion::scalar::ScalarValue;

use super::error::Error;
use super::header::{Param, ParamKind};
use super::query::Query;
use crate::config::Profile;

/// The parameters that every check may declare, and that the runner binds.
pub(crate) const BUILT_IN: [&str; 5] = ["start_at", "period_from", "period_to", "as_of", "profile"];

/// The parameters that every explanation may declare beside those: what it is about.
pub(crate) const SUBJECT: [&str; 4] =
    ["organization", "repository_id", "pull_request_id", "branch"];

/// The span of time that a check run judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The start date as an instant.
    pub start_at: DateTime<Utc>,
    /// Lower bound: the start date, or a later or earlier day that was asked for.
    pub from: DateTime<Utc>,
    /// Upper bound.
    pub to: DateTime<Utc>,
    /// The point in time that is judged.
    pub as_of: DateTime<Utc>,
}

/// Values by parameter name.
#[derive(Debug, Clone)]
pub struct Parameters {
    built_in: BTreeMap<&'static str, ScalarValue>,
    given: BTreeMap<String, String>,
}

impl Parameters {
    /// Returns the built-in parameters, which every check may declare.
    #[must_use]
    pub fn new(period: &Period, profile: Profile) -> Self {
        let built_in = BTreeMap::from([
            ("start_at", timestamp(period.start_at)),
            ("period_from", timestamp(period.from)),
            ("period_to", timestamp(period.to)),
            ("as_of", timestamp(period.as_of)),
            ("profile", ScalarValue::Utf8(Some(profile.as_str().to_owned()))),
        ]);
        Self { built_in, given: BTreeMap::new() }
    }

    /// Gives a value, as text, for a parameter that some check declares.
    ///
    /// # Errors
    /// Fails for a built-in parameter, which has a flag of its own.
    pub fn give(&mut self, name: &str, value: &str) -> Result<(), Error> {
        if self.built_in.contains_key(name) {
            let problem = "is built in and cannot be set".to_owned();
            return Err(Error::Param { name: name.to_owned(), problem });
        }
        self.given.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Adds what an explanation is about.
    pub(crate) fn about(&mut self, values: [ScalarValue; 4]) {
        self.built_in.extend(SUBJECT.into_iter().zip(values));
    }

    /// Fails when a given parameter is declared by none of the checks.
    pub(crate) fn demand_declared(&self, checks: &[&Query]) -> Result<(), Error> {
        let declared: BTreeSet<&String> = checks
            .iter()
            .flat_map(|check| &check.header.params)
            .map(|param| &param.name)
            .filter(|name| !self.built_in.contains_key(name.as_str()))
            .collect();
        match self.given.keys().find(|name| !declared.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let known = declared.into_iter().cloned().collect();
                Err(Error::NoParam { name: name.clone(), known })
            }
        }
    }

    /// Returns the values that a check declares.
    pub(crate) fn of(&self, check: &Query) -> Result<HashMap<String, ScalarValue>, Error> {
        check
            .header
            .params
            .iter()
            .map(|param| Ok((param.name.clone(), self.value(&check.file, param)?)))
            .collect()
    }

    fn value(&self, file: &str, param: &Param) -> Result<ScalarValue, Error> {
        let failed = |problem: String| Error::Param { name: param.name.clone(), problem };
        if let Some(value) = self.built_in.get(param.name.as_str()) {
            let fits = match param.kind {
                ParamKind::Timestamp => matches!(value, ScalarValue::TimestampMicrosecond(..)),
                ParamKind::Text => matches!(value, ScalarValue::Utf8(_)),
                ParamKind::BigInt => matches!(value, ScalarValue::Int64(_)),
                ParamKind::Double | ParamKind::Boolean => false,
            };
            return if fits {
                Ok(value.clone())
            } else {
                Err(failed(format!("`{file}` declares it with another type than the built-in one")))
            };
        }
        let text = self.given.get(&param.name).or(param.default.as_ref()).ok_or_else(|| {
            failed(format!("`{file}` needs it, and it has neither a value nor a default"))
        })?;
        parse(param.kind, text)
            .ok_or_else(|| failed(format!("`{text}` is not of the type that `{file}` declares")))
    }
}

fn parse(kind: ParamKind, text: &str) -> Option<ScalarValue> {
    Some(match kind {
        ParamKind::Timestamp => {
            let instant = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok();
            let day = || {
                let day = text.parse::<NaiveDate>().ok()?;
                Some(day.and_time(NaiveTime::MIN).and_utc())
            };
            timestamp(instant.or_else(day)?)
        }
        ParamKind::Text => ScalarValue::Utf8(Some(text.to_owned())),
        ParamKind::BigInt => ScalarValue::Int64(Some(text.parse().ok()?)),
        ParamKind::Double => ScalarValue::Float64(Some(text.parse().ok()?)),
        ParamKind::Boolean => ScalarValue::Boolean(Some(text.parse().ok()?)),
    })
}

pub(crate) fn timestamp(at: DateTime<Utc>) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), Some("UTC".into()))
}
