//! One query file: its header, its `select`, and whether the two agree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    self, Expr, SelectItem, SetExpr, Spanned, Value, ValueWithSpan, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::header::{Header, QueryKind};
use super::params::{BUILT_IN, SUBJECT};

/// Functions whose answer is not decided by the tables, so that a check could not be run again for a past day.
const FORBIDDEN: [&str; 9] = [
    "now",
    "current_date",
    "current_time",
    "current_timestamp",
    "today",
    "localtime",
    "localtimestamp",
    "random",
    "uuid",
];

/// A query file: a view, a check or an explanation.
#[derive(Debug, Clone)]
pub struct Query {
    /// View, check or explanation.
    pub kind: QueryKind,
    /// What its header says.
    pub header: Header,
    /// The file as errors name it.
    pub file: String,
    /// The whole text.
    pub text: String,
    /// Tables that it reads, directly or through views that are not built in either; none for what is built in.
    pub(crate) sources: BTreeSet<String>,
    /// The one `select`.
    pub(crate) statement: Statement,
}

impl Query {
    /// Parses a query file and compares it with its header.
    ///
    /// # Errors
    /// Fails when the header is wrong, the text is not one `select`, or the two disagree.
    pub fn parse(kind: QueryKind, file: &str, text: &str) -> Result<Self, Error> {
        let header = Header::parse(kind, file, text)?;
        let rule = |problem: String| Error::Rule { place: place(file, first_line(text)), problem };
        let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        if header.id != stem {
            let place = place(file, header_line(text, "id"));
            let problem = format!("its id is `{}`: id and file name must be the same", header.id);
            return Err(Error::Rule { place, problem });
        }
        let mut statements = DFParserBuilder::new(text)
            .with_dialect(&GenericDialect {})
            .build()
            .and_then(|mut parser| parser.parse_statements())
            .map_err(|source| Error::query_text(file, text, source))?;
        let (Some(statement), None) = (statements.pop_front(), statements.pop_front()) else {
            return Err(rule("must hold exactly one `select`".to_owned()));
        };
        if !matches!(&statement, Statement::Statement(inner) if matches!(**inner, ast::Statement::Query(_)))
        {
            return Err(rule("must be a `select`, nothing else".to_owned()));
        }
        let (file, text, sources) = (file.to_owned(), text.to_owned(), BTreeSet::new());
        let query = Self { kind, header, file, text, sources, statement };
        query.compare_reads()?;
        query.compare_params()?;
        query.compare_holds()?;
        Ok(query)
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.header.id
    }

    /// Returns the SHA-256 of the text, hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.text.as_bytes()))
    }

    /// The tables that the query really names must be those that its header says it reads.
    fn compare_reads(&self) -> Result<(), Error> {
        let (tables, _) = resolve_table_references(&self.statement, true)
            .map_err(|source| Error::query(&self.file, source))?;
        let named: BTreeSet<String> = tables.iter().map(ToString::to_string).collect();
        let declared: BTreeSet<String> = self.header.reads.iter().cloned().collect();
        let list = |names: Vec<&String>| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let place = || place(&self.file, header_line(&self.text, "reads"));
        let silent: Vec<&String> = named.difference(&declared).collect();
        if !silent.is_empty() {
            let problem = format!("reads {}, which `reads` does not name", list(silent));
            return Err(Error::Rule { place: place(), problem });
        }
        let idle: Vec<&String> = declared.difference(&named).collect();
        if !idle.is_empty() {
            let problem = format!("`reads` names {}, which the query does not read", list(idle));
            return Err(Error::Rule { place: place(), problem });
        }
        Ok(())
    }

    /// What the header says is held must be a `with` part.
    fn compare_holds(&self) -> Result<(), Error> {
        let is_part =
            |name: &&String| self.parts().iter().any(|part| part.alias.name.value == **name);
        match self.header.holds.iter().find(|name| !is_part(name)) {
            None => Ok(()),
            Some(name) => Err(Error::Rule {
                place: place(&self.file, header_line(&self.text, "holds")),
                problem: format!("`holds` names `{name}`, which is no `with` part of the query"),
            }),
        }
    }

    /// The `with` parts.
    pub(crate) fn parts(&self) -> &[ast::Cte] {
        let Statement::Statement(statement) = &self.statement else { return &[] };
        let ast::Statement::Query(query) = &**statement else { return &[] };
        query.with.as_ref().map_or(&[], |with| &with.cte_tables)
    }

    /// Parameters only in checks and only declared ones; no function that knows the present.
    fn compare_params(&self) -> Result<(), Error> {
        let rule = |line: Option<u64>, problem: String| Error::Rule {
            place: place(&self.file, line),
            problem,
        };
        let in_header = header_line(&self.text, "params");
        let mut used: BTreeMap<String, Option<u64>> = BTreeMap::new();
        let mut forbidden: Option<(String, Option<u64>)> = None;
        let Statement::Statement(statement) = &self.statement else { return Ok(()) };
        let _ = visit_expressions(&**statement, |expression| -> ControlFlow<()> {
            match expression {
                Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => {
                    let line = line_of(expression);
                    used.entry(name.trim_start_matches('$').to_owned()).or_insert(line);
                }
                Expr::Function(function) => {
                    let name = function.name.to_string().to_lowercase();
                    if FORBIDDEN.contains(&name.as_str()) && forbidden.is_none() {
                        forbidden = Some((name, line_of(expression)));
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
        if let Some((name, line)) = forbidden {
            let problem = format!(
                "`{name}` is forbidden, the answer must depend on the tables alone; use `$as_of`"
            );
            return Err(rule(line, problem));
        }
        let declared: BTreeSet<String> =
            self.header.params.iter().map(|param| param.name.clone()).collect();
        if self.kind == QueryKind::View
            && let Some((name, line)) = used.first_key_value()
        {
            return Err(rule(*line, format!("a view takes no parameters, it uses `${name}`")));
        }
        if let Some((name, line)) = used.iter().find(|(name, _)| !declared.contains(*name)) {
            return Err(rule(*line, format!("uses `${name}`, which `params` does not declare")));
        }
        // The built-in ones may be declared all alike.
        let is_built_in = |name: &str| {
            BUILT_IN.contains(&name)
                || (self.kind == QueryKind::Explanation && SUBJECT.contains(&name))
        };
        let is_idle = |name: &&String| !used.contains_key(*name) && !is_built_in(name);
        if let Some(name) = declared.iter().find(is_idle) {
            let problem = format!("`params` declares `{name}`, which the query does not use");
            return Err(rule(in_header, problem));
        }
        Ok(())
    }

    /// Returns the file, with the line on which a column of the answer is named where the query lists its columns.
    pub(crate) fn place_of_column(&self, index: usize) -> String {
        let Statement::Statement(statement) = &self.statement else { return self.file.clone() };
        let ast::Statement::Query(query) = &**statement else { return self.file.clone() };
        let mut body = &*query.body;
        let select = loop {
            body = match body {
                SetExpr::Select(select) => break select,
                SetExpr::Query(inner) => &inner.body,
                SetExpr::SetOperation { left, .. } => left,
                _ => return self.file.clone(),
            };
        };
        let is_listed = |item: &SelectItem| {
            !matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
        };
        let line = |item: &SelectItem| Some(item.span().start.line).filter(|line| *line > 0);
        let listed = select.projection.iter().all(is_listed);
        let item = if listed { select.projection.get(index) } else { None };
        // One that is missing would stand behind the last one.
        place(&self.file, item.or(select.projection.last()).and_then(line))
    }
}

/// The file as errors name it, with the line where it is known.
pub(super) fn place(file: &str, line: Option<u64>) -> String {
    line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

/// The line of a key of the header, from 1.
pub(super) fn header_line(text: &str, key: &str) -> Option<u64> {
    let is_key = |line: &str| {
        line.strip_prefix("--")
            .and_then(|rest| rest.trim_start().strip_prefix(key))
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    (1..).zip(text.lines()).find(|(_, line)| is_key(line)).map(|(number, _)| number)
}

/// The first line behind the header that says something, from 1.
fn first_line(text: &str) -> Option<u64> {
    let is_code = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with("--");
    (1..).zip(text.lines()).find(|(_, line)| is_code(line)).map(|(number, _)| number)
}

fn line_of(expression: &Expr) -> Option<u64> {
    Some(expression.span().start.line).filter(|line| *line > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(select: &str, extra: &str) -> Result<Query, Error> {
        let text = format!(
            "-- id: c\n-- title: t\n-- severity: high\n-- controls: SOC2 CC8.1\n-- reads: users\n{extra}-- rationale: r\n-- remediation: r\n\n{select}\n"
        );
        Query::parse(QueryKind::Check, "c.sql", &text)
    }

    #[test]
    fn header_and_query_must_agree() {
        let told = |query: Result<Query, Error>| query.unwrap_err().to_string();
        assert_eq!(
            told(check("select 1 from projects, users", "")),
            "c.sql:5: reads `projects`, which `reads` does not name"
        );
        assert_eq!(
            told(check("with users as (select 1) select * from users", "")),
            "c.sql:5: `reads` names `users`, which the query does not read"
        );
        assert_eq!(
            told(check("select $as_of from users", "")),
            "c.sql:9: uses `$as_of`, which `params` does not declare"
        );
        assert_eq!(
            told(check("select 1 from users", "-- params: as_of timestamp; floor bigint\n")),
            "c.sql:6: `params` declares `floor`, which the query does not use"
        );
        assert!(
            told(check("select now() from users", "")).starts_with("c.sql:9: `now` is forbidden")
        );
        assert!(told(check("select current_date from users", "")).contains("is forbidden"));
        assert_eq!(
            told(check("delete from users", "")),
            "c.sql:9: must be a `select`, nothing else"
        );
        assert_eq!(
            told(check("select 1 from users; select 2 from users", "")),
            "c.sql:9: must hold exactly one `select`"
        );
        assert!(told(check("select 1 frm users where", "")).starts_with("c.sql:9: "));
        assert_eq!(
            told(check("with a as (select 1) select * from a, users", "-- holds: a, b\n")),
            "c.sql:6: `holds` names `b`, which is no `with` part of the query"
        );
    }
}
