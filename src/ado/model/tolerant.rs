//! Dates, numbers, flags and GUIDs in all the forms in which Azure DevOps writes them.

use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _, Utc};
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Reads an instant: any offset, none meaning UTC; digits beyond microseconds are cut; year 1 stands for no value.
///
/// # Errors
/// Fails on text that is no date.
pub fn instant_of(text: &str) -> Result<Option<DateTime<Utc>>, &str> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let instant = DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.to_utc())
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
                .map(|instant| instant.and_utc())
        })
        .or_else(|_| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .map(|date| date.and_time(NaiveTime::MIN).and_utc())
        })
        .map_err(|_| text)?;
    let micros = instant.nanosecond() / 1_000 * 1_000;
    Ok(instant.with_nanosecond(micros).filter(|instant| instant.year() > 1))
}

/// Returns a GUID in lower case with dashes, from any case and from 32 digits; other text in lower case; none if empty.
pub fn guid_of(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    if text.is_empty() {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let is_bare = lower.len() == 32 && lower.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(if is_bare {
        let part = |from: usize, to: usize| &lower[from..to];
        [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
    } else {
        lower
    })
}

/// A value read from JSON of more than one form; absent forms are refused.
trait Tolerant: Sized {
    const EXPECTED: &'static str;
    fn text(text: &str) -> Option<Option<Self>>;
    fn number(_number: f64) -> Option<Self> {
        None
    }
    fn int(_int: i64) -> Option<Self> {
        None
    }
    fn flag(_flag: bool) -> Option<Self> {
        None
    }
}

struct Guid(String);
struct Instant(DateTime<Utc>);

impl Tolerant for Guid {
    const EXPECTED: &'static str = "an id";
    fn text(text: &str) -> Option<Option<Self>> {
        Some(guid_of(text).map(Self))
    }
}

impl Tolerant for Instant {
    const EXPECTED: &'static str = "a date such as 2026-01-31T12:00:00.1234567Z";
    fn text(text: &str) -> Option<Option<Self>> {
        instant_of(text).ok().map(|instant| instant.map(Self))
    }
}

impl Tolerant for i64 {
    const EXPECTED: &'static str = "a whole number";
    fn text(text: &str) -> Option<Option<Self>> {
        match text.trim() {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        }
    }
    fn number(number: f64) -> Option<Self> {
        // Beyond 2^53 a float no longer tells whole numbers apart.
        (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as Self)
    }
    fn int(int: i64) -> Option<Self> {
        Some(int)
    }
}

impl Tolerant for bool {
    const EXPECTED: &'static str = "true or false";
    fn text(text: &str) -> Option<Option<Self>> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(Some(true)),
            "false" => Some(Some(false)),
            "" => Some(None),
            _ => None,
        }
    }
    fn flag(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

struct TolerantVisitor<T>(PhantomData<T>);

impl<'de, T: Tolerant> Visitor<'de> for TolerantVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::text(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_i64<E: Error>(self, int: i64) -> Result<Self::Value, E> {
        T::int(int).map(Some).ok_or_else(|| E::invalid_type(Unexpected::Signed(int), &self))
    }

    fn visit_u64<E: Error>(self, int: u64) -> Result<Self::Value, E> {
        let value = i64::try_from(int).ok().and_then(T::int);
        value.map(Some).ok_or_else(|| E::invalid_type(Unexpected::Unsigned(int), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        T::number(number).map(Some).ok_or_else(|| E::invalid_type(Unexpected::Float(number), &self))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        T::flag(flag).map(Some).ok_or_else(|| E::invalid_type(Unexpected::Bool(flag), &self))
    }
}

/// An id in lower case.
pub(super) fn guid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let guid = deserializer.deserialize_any(TolerantVisitor::<Guid>(PhantomData))?;
    Ok(guid.map(|Guid(text)| text))
}

/// A name that may be an id: ids in lower case with dashes, other text as it is.
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = serde::Deserialize::deserialize(deserializer)?;
    let is_guid = |text: &str| {
        let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
        let dashes = [8, 13, 18, 23].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
        digits == 32 && (text.len() == 32 || (text.len() == 36 && dashes))
    };
    Ok(text.and_then(|text| if is_guid(&text) { guid_of(&text) } else { Some(text) }))
}

/// An instant, see [`instant_of`].
pub(super) fn instant<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    let instant = deserializer.deserialize_any(TolerantVisitor::<Instant>(PhantomData))?;
    Ok(instant.map(|Instant(at)| at))
}

/// A whole number, also written as `720.0` or `"720"`.
pub(super) fn int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    deserializer.deserialize_any(TolerantVisitor(PhantomData))
}

/// A flag, also written as `"True"`.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    deserializer.deserialize_any(TolerantVisitor(PhantomData))
}

/// A list of ids in lower case, null as none.
pub(super) fn guids<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    let texts: Option<Vec<String>> = serde::Deserialize::deserialize(deserializer)?;
    Ok(texts.map(|texts| texts.iter().filter_map(|text| guid_of(text)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct Everything {
        #[serde(deserialize_with = "guid")]
        guid: Option<String>,
        #[serde(deserialize_with = "instant")]
        at: Option<DateTime<Utc>>,
        #[serde(deserialize_with = "int")]
        int: Option<i64>,
        #[serde(deserialize_with = "flag")]
        flag: Option<bool>,
        #[serde(deserialize_with = "name")]
        name: Option<String>,
    }

    fn read(text: &str) -> Result<Everything, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn dates_of_every_form() {
        for (text, expected) in [
            ("2026-03-01T10:00:00.1234567Z", Some("2026-03-01T10:00:00.123456Z")),
            ("2026-03-01T10:00:00+02:00", Some("2026-03-01T08:00:00.000000Z")),
            ("2026-03-01T10:00:00.5", Some("2026-03-01T10:00:00.500000Z")),
            ("2026-03-01T10:00:00.12345678901Z", Some("2026-03-01T10:00:00.123456Z")),
            ("0001-01-01T00:00:00", None),
            ("0001-01-01T00:00:00Z", None),
            ("", None),
        ] {
            let at = instant_of(text).unwrap();
            let at = at.map(|at| at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
            assert_eq!(at.as_deref(), expected, "{text}");
        }
        assert!(instant_of("yesterday").is_err());
    }

    #[test]
    fn numbers_flags_and_ids_of_every_form() {
        let read_ok = read(
            r#"{"guid":"F33D0A8B2C9A4E5E8D0A1B2C3D4E5F60","int":720.0,"flag":"True","at":null}"#,
        );
        let value = read_ok.unwrap();
        assert_eq!(value.guid.as_deref(), Some("f33d0a8b-2c9a-4e5e-8d0a-1b2c3d4e5f60"));
        assert_eq!((value.int, value.flag, value.at), (Some(720), Some(true), None));
        for (text, expected) in [
            ("F33D0A8B2C9A4E5E8D0A1B2C3D4E5F60", "f33d0a8b-2c9a-4e5e-8d0a-1b2c3d4e5f60"),
            ("F33D0A8B-2C9A-4E5E-8D0A-1B2C3D4E5F60", "f33d0a8b-2c9a-4e5e-8d0a-1b2c3d4e5f60"),
            ("Anna@Contoso.example", "Anna@Contoso.example"),
        ] {
            let value = read(&format!(r#"{{"name":"{text}"}}"#)).unwrap();
            assert_eq!(value.name.as_deref(), Some(expected));
        }
        assert_eq!(read(r#"{"int":"12"}"#).unwrap().int, Some(12));
        assert!(read(r#"{"int":1.5}"#).is_err());
        assert!(read(r#"{"flag":1}"#).is_err());
        assert!(read(r#"{"at":[]}"#).is_err());
    }
}
