//! Takes typed values out of the tree and collects what is wrong with them.

use std::cell::RefCell;
use std::time::Duration;

use chrono::NaiveDate;

use super::error::{Place, Problem};
use super::fields::{Field, Kind};
use super::node::{Node, Value};
use crate::hint::nearest;

/// A text with the place where it was written.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub text: String,
    pub place: Place,
}

/// One table of the configuration, and the list that problems go to.
pub(super) struct Section<'a> {
    path: String,
    pub place: Place,
    node: Option<&'a Node>,
    problems: &'a RefCell<Vec<Problem>>,
}

impl<'a> Section<'a> {
    /// The whole configuration.
    pub fn root(node: &'a Node, problems: &'a RefCell<Vec<Problem>>) -> Self {
        Self { path: String::new(), place: node.place.clone(), node: Some(node), problems }
    }

    /// A table of its own inside a list, e.g. a solution.
    pub fn inner(&self, key: &str, node: &'a Node) -> Self {
        Self {
            path: self.path_of(key),
            place: node.place.clone(),
            node: Some(node),
            problems: self.problems,
        }
    }

    /// Adds a problem.
    pub fn problem(&self, place: &Place, message: impl Into<String>) {
        self.problems
            .borrow_mut()
            .push(Problem { place: Some(place.clone()), message: message.into() });
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries().find(|(name, ..)| *name == key).map(|(.., node)| node)
    }

    /// Returns keys, where each was written, and values.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Place, &'a Node)> + use<'a> {
        let entries = match self.node.map(|node| &node.value) {
            Some(Value::Table(entries)) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|entry| (entry.key.as_str(), &entry.place, &entry.node))
    }

    /// Complains about keys that are not in the list, and about required ones that are not written.
    pub fn check_keys(&self, fields: &[Field]) {
        for (key, place, _) in self.entries() {
            if !fields.iter().any(|field| field.key == key) {
                let nearest = nearest(key, fields.iter().map(|field| field.key));
                let hint = match nearest {
                    Some(nearest) => format!("; did you mean `{nearest}`?"),
                    None => format!("; known are {}", list(fields.iter().map(|field| field.key))),
                };
                self.problem(place, format!("unknown key `{}`{hint}", self.path_of(key)));
            }
        }
        for field in fields {
            if field.is_required() && self.get(field.key).is_none() {
                self.problem(
                    &self.place,
                    format!("`{}` is missing: {}", self.path_of(field.key), field.about),
                );
            }
        }
    }

    /// Returns the path of a key, as it is said in messages.
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn wrong(&self, key: &str, node: &Node, expected: &str) {
        self.problem(&node.place, format!("`{}` must be {expected}", self.path_of(key)));
    }

    /// A table below this one; an absent one reads as empty.
    pub fn table(&self, key: &str) -> Section<'a> {
        let node = self.get(key);
        if let Some(node) = node
            && !matches!(node.value, Value::Table(_))
        {
            self.wrong(key, node, "a table");
        }
        Section {
            path: self.path_of(key),
            place: node.map_or_else(|| self.place.clone(), |node| node.place.clone()),
            node: node.filter(|node| matches!(node.value, Value::Table(_))),
            problems: self.problems,
        }
    }

    /// The tables of a list: `[[key]]`.
    pub fn tables(&self, key: &str) -> Vec<Section<'a>> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.wrong(key, node, &format!("a list of tables: `[[{key}]]`"));
            return Vec::new();
        };
        items
            .iter()
            .filter(|item| {
                let is_table = matches!(item.value, Value::Table(_));
                if !is_table {
                    self.wrong(key, item, &format!("a list of tables: `[[{key}]]`"));
                }
                is_table
            })
            .map(|item| self.inner(key, item))
            .collect()
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<Text> {
        let node = self.get(key)?;
        match &node.value {
            Value::Text(text) => Some(Text { text: text.clone(), place: node.place.clone() }),
            _ => {
                self.wrong(key, node, "text in quotes");
                None
            }
        }
    }

    /// A text that is not blank.
    pub fn filled_text(&self, key: &str) -> Option<Text> {
        let text = self.text(key)?;
        if text.text.trim().is_empty() {
            self.problem(&text.place, format!("`{}` is empty", self.path_of(key)));
            return None;
        }
        Some(text)
    }

    /// A whole number within the bounds of the field.
    pub fn integer(&self, field: &Field) -> Option<i64> {
        let node = self.get(field.key)?;
        let Kind::Integer(least, most) = field.kind else { return None };
        let number = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) if is_variable(node) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(field.key, node, &format!("a whole number from {least} to {most}"));
        }
        number
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        let value = match &node.value {
            Value::Boolean(value) => Some(*value),
            Value::Text(text) if is_variable(node) => match text.trim() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if value.is_none() {
            self.wrong(key, node, "`true` or `false`");
        }
        value
    }

    /// A span of time.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        let node = self.get(key)?;
        let span = match &node.value {
            Value::Text(text) => parse_duration(text),
            _ => None,
        };
        if span.is_none() {
            self.wrong(key, node, "a span of time such as \"30m\", \"1h\" or \"14d\"");
        }
        span
    }

    /// A day.
    pub fn date(&self, key: &str) -> Option<NaiveDate> {
        let node = self.get(key)?;
        let day = match &node.value {
            Value::Other(text) | Value::Text(text) => {
                NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()
            }
            _ => None,
        };
        if day.is_none() {
            self.wrong(key, node, "a day such as 2026-01-31");
        }
        day
    }

    /// One of the words of the field.
    pub fn choice(&self, field: &Field) -> Option<&'static str> {
        let Kind::Choice(words) = field.kind else { return None };
        let text = self.text(field.key)?;
        let found = words.iter().find(|word| **word == text.text).copied();
        if found.is_none() {
            let hint = match nearest(&text.text, words.iter().copied()) {
                Some(word) => format!("; did you mean `{word}`?"),
                None => String::new(),
            };
            self.problem(
                &text.place,
                format!(
                    "`{}` must be one of {}{hint}",
                    self.path_of(field.key),
                    list(words.iter().copied())
                ),
            );
        }
        found
    }

    /// The items of a list.
    pub fn items(&self, key: &str) -> Option<&'a [Node]> {
        let node = self.get(key)?;
        match &node.value {
            Value::List(items) => Some(items),
            _ => {
                self.wrong(key, node, "a list: [\"…\", \"…\"]");
                None
            }
        }
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Option<Vec<Text>> {
        let mut texts = Vec::new();
        for item in self.items(key)? {
            match &item.value {
                Value::Text(text) => {
                    texts.push(Text { text: text.clone(), place: item.place.clone() });
                }
                _ => self.wrong(key, item, "a list of texts: [\"…\", \"…\"]"),
            }
        }
        Some(texts)
    }
}

fn is_variable(node: &Node) -> bool {
    matches!(node.place, Place::Variable(_))
}

/// Joins words for a message.
pub(super) fn list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Reads `"90s"`, `"30m"`, `"1h"`, `"14d"`, `"2w"` and sums such as `"1h30m"`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[digits + unit.len_utf8()..];
    }
    // Longer than this no date can be reckoned with.
    (seconds <= 36_500 * 86_400).then(|| Duration::from_secs(seconds))
}

/// Writes a span of time in the largest unit that it is a multiple of.
pub(super) fn format_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    for (unit, factor) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds >= factor && seconds.is_multiple_of(factor) {
            return format!("{}{unit}", seconds / factor);
        }
    }
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, seconds) in
            [("90s", 90), ("30m", 1_800), ("1h30m", 5_400), ("14d", 1_209_600), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "5", "m", "1x", "-1d", "1.5h", "99999999999999d", "40000d", "1 h"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
        assert_eq!(format_duration(Duration::from_secs(86_400 * 14)), "14d");
        assert_eq!(format_duration(Duration::from_secs(5_400)), "90m");
    }
}
