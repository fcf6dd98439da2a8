//! Answers in forms that are allowed, and in some that are not.

use std::hash::{DefaultHasher, Hasher as _};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::Fault;

/// No date, as Azure DevOps writes it.
const NO_DATE: &str = "0001-01-01T00:00:00";

/// Dates that stay absent until something happens, with a field that tells the kind of object.
const OPEN_DATES: [(&str, &str); 3] =
    [("closedDate", "pullRequestId"), ("finishTime", "buildNumber"), ("startTime", "buildNumber")];

/// Enumerations whose values no verdict depends on.
const ENUMS: [(&str, &str); 3] =
    [("mergeStatus", "pondered"), ("visibility", "everyone"), ("alertLevel", "purple")];

/// Fields that need not be there.
const OPTIONAL: [&str; 7] = [
    "_links",
    "imageUrl",
    "description",
    "mergeStatus",
    "isFlagged",
    "supportsIterations",
    "uniqueName",
];

/// Fields of which one identifies a row.
const MANDATORY: [&str; 5] = ["pullRequestId", "evaluationId", "pushId", "id", "name"];

/// Changes the JSON of an answer; other bodies stay as they are.
pub(super) fn mangled(body: &Bytes, fault: Fault) -> Option<Bytes> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    match fault {
        Fault::OddForms => odd_forms(&mut value, ""),
        Fault::YearOne => objects(&mut value, &mut year_one),
        Fault::UnknownEnums => objects(&mut value, &mut unknown_enums),
        Fault::MissingOptional => objects(&mut value, &mut |object| {
            OPTIONAL.iter().for_each(|name| drop(object.shift_remove(*name)));
        }),
        Fault::MissingMandatory => missing_mandatory(&mut value)?,
        _ => return None,
    }
    serde_json::to_vec(&value).ok().map(Bytes::from)
}

fn objects(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|value| objects(value, change));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| objects(value, change)),
        _ => {}
    }
}

fn year_one(object: &mut Map<String, Value>) {
    for (date, kind) in OPEN_DATES {
        if object.contains_key(kind) && !object.contains_key(date) {
            object.insert(date.to_owned(), NO_DATE.into());
        }
    }
}

fn unknown_enums(object: &mut Map<String, Value>) {
    for (name, strange) in ENUMS {
        if let Some(value) = object.get_mut(name).filter(|value| value.is_string()) {
            *value = strange.into();
        }
    }
}

fn missing_mandatory(answer: &mut Value) -> Option<()> {
    let row = answer.get_mut("value")?.as_array_mut()?.last_mut()?.as_object_mut()?;
    let name = MANDATORY.into_iter().find(|name| row.contains_key(*name))?;
    row.shift_remove(name).map(drop)
}

/// Every other number, date and id in another form; texts that only people read stay as they are.
fn odd_forms(value: &mut Value, name: &str) {
    match value {
        // The text of a policy's settings is stored as it came.
        Value::Object(object) => object
            .iter_mut()
            .filter(|(name, _)| *name != "settings")
            .for_each(|(name, value)| odd_forms(value, name)),
        Value::Array(list) => list.iter_mut().for_each(|value| odd_forms(value, name)),
        Value::Number(number) => {
            if let Some(whole) = number.as_i64().filter(|whole| name != "count" && is_odd(whole)) {
                *value = (whole as f64).into();
            }
        }
        Value::String(text) if is_guid(text) && is_odd(&*text) => {
            *text =
                if is_odd(&(name, &*text)) { text.to_uppercase() } else { text.replace('-', "") };
        }
        Value::String(text) if is_date(text) && is_odd(&*text) => {
            *text = if is_odd(&(name, &*text)) {
                text.trim_end_matches('Z').to_owned()
            } else {
                text.replace('Z', "+00:00")
            };
        }
        _ => {}
    }
}

fn is_odd(value: &impl std::hash::Hash) -> bool {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish() % 2 == 1
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_date(text: &str) -> bool {
    text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T' && text.starts_with("20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_keep_their_meaning_in_odd_forms() {
        let body = Bytes::from_static(
            br#"{"count":2,"value":[{"pullRequestId":7,"id":"f33d0a8b-2c9a-4e5e-8d0a-1b2c3d4e5f60"},{"pullRequestId":8}]}"#,
        );
        let odd: Value = serde_json::from_slice(&mangled(&body, Fault::OddForms).unwrap()).unwrap();
        let plain: Value = serde_json::from_slice(&body).unwrap();
        assert_ne!(odd, plain);
        for (odd, plain) in
            odd["value"].as_array().unwrap().iter().zip(plain["value"].as_array().unwrap())
        {
            assert_eq!(odd["pullRequestId"].as_f64(), plain["pullRequestId"].as_f64());
        }
        let open: Value = serde_json::from_slice(&mangled(&body, Fault::YearOne).unwrap()).unwrap();
        assert_eq!(open["value"][0]["closedDate"], NO_DATE);
        let broken: Value =
            serde_json::from_slice(&mangled(&body, Fault::MissingMandatory).unwrap()).unwrap();
        assert!(broken["value"][1].get("pullRequestId").is_none());
    }
}
