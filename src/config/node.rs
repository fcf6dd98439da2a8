//! The configuration as a tree in which every value knows where it was written: the file first, then environment
//! variables on top.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::env::{self, Environment};
use super::error::{Place, Problem};

/// One value.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// A date, a time or a float, as it was written.
    Other(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub place: Place,
    pub node: Node,
}

/// Reads a TOML document; what cannot be parsed is left out and told in `problems`.
pub(super) fn parse(file: &str, text: &str, problems: &mut Vec<Problem>) -> Node {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source { file: file.into(), starts: line_starts(text) };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        problems.push(Problem {
            place: error.span().map(|span| source.place(&span)),
            message: error.message().trim().replace('\n', ", "),
        });
    }
    let span = document.span();
    Node { place: source.place(&span), value: source.table(document.get_ref()) }
}

struct Source {
    file: Arc<str>,
    starts: Vec<usize>,
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

impl Source {
    fn place(&self, span: &Range<usize>) -> Place {
        let line = self.starts.partition_point(|&start| start <= span.start);
        Place::File { file: Arc::clone(&self.file), line: line.max(1) }
    }

    fn table(&self, table: &DeTable<'_>) -> Value {
        let mut entries: Vec<(usize, Entry)> = table
            .iter()
            .map(|(key, value)| {
                let entry = Entry {
                    key: key.get_ref().to_string(),
                    place: self.place(&key.span()),
                    node: self.node(value.get_ref(), &value.span()),
                };
                (key.span().start, entry)
            })
            .collect();
        entries.sort_by_key(|(start, _)| *start);
        Value::Table(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    fn node(&self, value: &DeValue<'_>, span: &Range<usize>) -> Node {
        let place = self.place(span);
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::Other(number.to_string()), Value::Integer),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Float(number) => Value::Other(number.as_str().to_owned()),
            DeValue::Datetime(time) => Value::Other(time.to_string()),
            DeValue::Array(items) => Value::List(
                items.iter().map(|item| self.node(item.get_ref(), &item.span())).collect(),
            ),
            DeValue::Table(table) => self.table(table),
        };
        Node { place, value }
    }
}

/// Sets the values that the environment holds, the longest-known places of lists first.
///
/// Variables with a single level (`ADOLAKE_TOKEN`) are left alone: they are flags, or secrets the configuration names. An own
/// variable that cannot be read is a problem whatever it is for.
pub(super) fn overlay(root: &mut Node, environment: &Environment, problems: &mut Vec<Problem>) {
    let mut variables: Vec<(Vec<Step>, &str, &str)> = environment
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| {
            let path = name.strip_prefix(env::PREFIX)?;
            path.contains(env::LEVEL).then(|| (steps(path), name, value))
        })
        .collect();
    variables.sort();
    problems.extend(environment.undecodable().iter().map(|name| Problem {
        place: Some(Place::Variable(name.as_str().into())),
        message: "its value is not Unicode".to_owned(),
    }));
    for (path, name, value) in variables {
        let place = Place::Variable(name.into());
        let node = from_text(value, &place);
        if let Err(message) = set(root, &path, node, &place) {
            problems.push(Problem { place: Some(place), message });
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Index(usize),
    Key(String),
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for part in path.split(env::LEVEL) {
        let in_options = matches!(steps.as_slice(), [Step::Key(a), Step::Key(b), ..] if a == "lake" && b == "options");
        steps.push(match part.parse() {
            Ok(index) => Step::Index(index),
            // The options belong to the object store, which writes them with `_`.
            Err(_) if in_options => Step::Key(part.to_lowercase()),
            Err(_) => Step::Key(part.to_lowercase().replace('_', "-")),
        });
    }
    steps
}

/// A variable holds text; lists and tables may be written as TOML.
fn from_text(text: &str, place: &Place) -> Node {
    if text.starts_with(['[', '{'])
        && let Ok(value) = DeValue::parse(text)
    {
        let source = Source { file: "".into(), starts: vec![0] };
        let mut node = source.node(value.get_ref(), &value.span());
        relocate(&mut node, place);
        return node;
    }
    Node { place: place.clone(), value: Value::Text(text.to_owned()) }
}

fn relocate(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| relocate(item, place)),
        Value::Table(entries) => {
            for entry in entries {
                entry.place = place.clone();
                relocate(&mut entry.node, place);
            }
        }
        _ => {}
    }
}

fn set(target: &mut Node, path: &[Step], node: Node, place: &Place) -> Result<(), String> {
    let Some((step, rest)) = path.split_first() else {
        *target = node;
        return Ok(());
    };
    let empty = || Node {
        place: place.clone(),
        value: match rest.first() {
            Some(Step::Index(_)) => Value::List(Vec::new()),
            _ => Value::Table(Vec::new()),
        },
    };
    match (step, &mut target.value) {
        (Step::Index(index), Value::List(items)) => {
            if *index > items.len() {
                return Err(format!("there is no entry {} before entry {index}", items.len()));
            }
            if *index == items.len() {
                items.push(empty());
            }
            set(&mut items[*index], rest, node, place)
        }
        (Step::Key(key), Value::Table(entries)) => {
            let at = entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
                entries.push(Entry { key: key.clone(), place: place.clone(), node: empty() });
                entries.len() - 1
            });
            set(&mut entries[at].node, rest, node, place)
        }
        (Step::Index(index), Value::Table(_)) => {
            Err(format!("`{index}` counts an entry of a list, but there is no list"))
        }
        (Step::Key(key), Value::List(_)) => Err(format!(
            "`{key}` stands where the number of an entry belongs, e.g. `{}0{}{}`",
            env::LEVEL,
            env::LEVEL,
            key.to_uppercase().replace('-', "_")
        )),
        (_, _) => {
            *target = Node {
                place: place.clone(),
                value: match step {
                    Step::Index(_) => Value::List(Vec::new()),
                    Step::Key(_) => Value::Table(Vec::new()),
                },
            };
            set(target, path, node, place)
        }
    }
}
