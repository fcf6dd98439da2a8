//! Completion in the shell: tables after `from`, columns of the tables named, keywords, functions.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use super::explain::tables;

const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "count(*)",
    "cross join",
    "desc",
    "describe",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "false",
    "filter",
    "from",
    "full join",
    "group by",
    "having",
    "in",
    "inner join",
    "intersect",
    "interval",
    "is not null",
    "is null",
    "join",
    "left join",
    "like",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order by",
    "over",
    "partition by",
    "right join",
    "select",
    "show tables",
    "then",
    "true",
    "union all",
    "using",
    "values",
    "when",
    "where",
    "with",
];

/// What the editor of the shell knows.
pub(super) struct Words {
    columns: BTreeMap<String, Vec<String>>,
    functions: Vec<String>,
}

impl Words {
    /// Collects names of tables, columns and functions.
    pub(super) async fn new(session: &SessionContext) -> Self {
        let mut columns = BTreeMap::new();
        for table in tables(session) {
            let Ok(provider) = session.table_provider(table.as_str()).await else { continue };
            let names =
                provider.schema().fields().iter().map(|field| field.name().clone()).collect();
            columns.insert(table, names);
        }
        let state = session.state();
        let names: BTreeSet<&String> = state
            .scalar_functions()
            .keys()
            .chain(state.aggregate_functions().keys())
            .chain(state.window_functions().keys())
            .collect();
        Self { columns, functions: names.into_iter().map(|name| format!("{name}(")).collect() }
    }

    /// Returns what the word before `pos` may become, and where it starts.
    fn candidates(&self, line: &str, pos: usize) -> (usize, Vec<String>) {
        let before = &line[..pos];
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let start = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_part(*c))
            .last()
            .map_or(pos, |(at, _)| at);
        let word = before[start..].to_lowercase();
        let previous =
            before[..start].split_whitespace().next_back().unwrap_or_default().to_lowercase();
        if let Some((table, part)) = word.rsplit_once('.') {
            let found = self.named(line, table);
            let columns = found.iter().flat_map(|table| &self.columns[*table]);
            let offset = start + table.len() + 1;
            return (offset, matching(columns.map(String::as_str), part));
        }
        let wants_table =
            ["from", "join", "describe", "\\d", "columns"].contains(&previous.as_str());
        if wants_table || before.starts_with("\\d") {
            return (start, matching(self.columns.keys().map(String::as_str), &word));
        }
        if word.is_empty() {
            return (start, Vec::new());
        }
        let mentioned = self.columns.iter().filter(|(table, _)| mentions(line, table));
        let columns: BTreeSet<&str> =
            mentioned.flat_map(|(_, columns)| columns).map(String::as_str).collect();
        let words = columns
            .into_iter()
            .chain(self.columns.keys().map(String::as_str))
            .chain(KEYWORDS.iter().copied())
            .chain(self.functions.iter().map(String::as_str));
        (start, matching(words, &word))
    }

    /// Finds the table of a name or an alias.
    fn named<'w>(&'w self, line: &str, name: &str) -> Vec<&'w String> {
        let words: Vec<String> =
            line.to_lowercase().split([' ', '\n', ',', '(', ')', ';']).map(str::to_owned).collect();
        let words: Vec<&str> =
            words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        self.columns
            .keys()
            .filter(|table| {
                table.as_str() == name
                    || words.windows(2).any(|pair| pair == [table.as_str(), name])
                    || words.windows(3).any(|three| three == [table.as_str(), "as", name])
            })
            .collect()
    }
}

fn mentions(line: &str, table: &str) -> bool {
    line.to_lowercase().split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == table)
}

fn matching<'w>(words: impl Iterator<Item = &'w str>, part: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    words.filter(|word| word.starts_with(part) && seen.insert(*word)).map(str::to_owned).collect()
}

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<String>)> {
        Ok(self.candidates(line, pos))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        Ok(if is_complete(context.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Helper for Words {}

/// Tells whether Enter ends the input: a command of the shell, nothing at all, or SQL that ends with `;` outside of
/// quotes and comments.
pub(super) fn is_complete(input: &str) -> bool {
    let text = input.trim();
    if text.is_empty() || text.starts_with('\\') || ["help", "quit", "exit"].contains(&text) {
        return true;
    }
    let mut signs = text.chars().peekable();
    let mut last = ' ';
    while let Some(sign) = signs.next() {
        match sign {
            '\'' | '"' => {
                if !signs.by_ref().any(|other| other == sign) {
                    return false;
                }
                last = sign;
            }
            '-' if signs.peek() == Some(&'-') => {
                if !signs.by_ref().any(|other| other == '\n') {
                    break;
                }
            }
            sign if sign.is_whitespace() => {}
            sign => last = sign,
        }
    }
    last == ';'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let columns = [
            ("pull_requests", vec!["pull_request_id", "title"]),
            ("repositories", vec!["repository_id", "name"]),
        ];
        Words {
            columns: columns
                .into_iter()
                .map(|(table, columns)| {
                    (table.to_owned(), columns.into_iter().map(str::to_owned).collect())
                })
                .collect(),
            functions: vec!["count(".to_owned()],
        }
    }

    fn complete(line: &str) -> Vec<String> {
        words().candidates(line, line.len()).1
    }

    #[test]
    fn tables_come_after_from_and_columns_after_a_dot() {
        assert_eq!(complete("select * from pu"), ["pull_requests"]);
        assert_eq!(complete("select * from "), ["pull_requests", "repositories"]);
        assert_eq!(complete("\\d rep"), ["repositories"]);
        assert_eq!(complete("select repositories.n"), ["name"]);
        assert_eq!(
            words().candidates("select p. from pull_requests p", 9).1,
            ["pull_request_id", "title"]
        );
        assert_eq!(
            words().candidates("select ti from pull_requests", 9),
            (7, vec!["title".to_owned()])
        );
        assert!(complete("select cou").contains(&"count(".to_owned()));
    }

    #[test]
    fn statements_end_with_a_semicolon() {
        for done in [
            "",
            "\\q",
            "\\d x",
            "help",
            "select 1;",
            "select ';';",
            "select 1; -- done\n",
            "select 1; -- it's",
        ] {
            assert!(is_complete(done), "{done}");
        }
        for open in ["select 1", "select ';", "select 1 -- ;", "select \"a;"] {
            assert!(!is_complete(open), "{open}");
        }
    }
}
