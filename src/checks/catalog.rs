//! The queries: views and checks, embedded or from a folder, parsed and compared with their headers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{self, Expr, Value, ValueWithSpan, visit_expressions};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::header::{Header, QueryKind};
use super::params::BUILT_IN;

/// The files of `queries/`, name and text, as they were when the program was built.
const VIEWS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/views.rs"));
const CHECKS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/checks.rs"));

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

/// A query file: a view or a check.
#[derive(Debug, Clone)]
pub struct Query {
    /// View or check.
    pub kind: QueryKind,
    /// What its header says.
    pub header: Header,
    /// The file as errors name it.
    pub file: String,
    /// The whole text.
    pub text: String,
    /// The one `select`.
    pub(crate) statement: Statement,
}

/// All views and checks, views in an order in which each stands behind those that it reads.
#[derive(Debug, Clone)]
pub struct Queries {
    views: Vec<Query>,
    checks: Vec<Query>,
}

impl Query {
    /// Parses a query file and compares it with its header.
    ///
    /// # Errors
    /// Fails when the header is wrong, the text is not one `select`, or the two disagree.
    pub fn parse(kind: QueryKind, file: &str, text: &str) -> Result<Self, Error> {
        let header = Header::parse(kind, file, text)?;
        let rule = |problem: String| Error::Rule { file: file.to_owned(), problem };
        let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        if header.id != stem {
            return Err(rule(format!(
                "its id is `{}`: id and file name must be the same",
                header.id
            )));
        }
        let mut statements = DFParserBuilder::new(text)
            .with_dialect(&GenericDialect {})
            .build()
            .and_then(|mut parser| parser.parse_statements())
            .map_err(|source| Error::query(file, source))?;
        let (Some(statement), None) = (statements.pop_front(), statements.pop_front()) else {
            return Err(rule("must hold exactly one `select`".to_owned()));
        };
        if !matches!(&statement, Statement::Statement(inner) if matches!(**inner, ast::Statement::Query(_)))
        {
            return Err(rule("must be a `select`, nothing else".to_owned()));
        }
        let query = Self { kind, header, file: file.to_owned(), text: text.to_owned(), statement };
        query.compare_reads()?;
        query.compare_params()?;
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
        hex(&Sha256::digest(self.text.as_bytes()))
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
        let silent: Vec<&String> = named.difference(&declared).collect();
        if !silent.is_empty() {
            let problem = format!("reads {}, which `reads` does not name", list(silent));
            return Err(Error::Rule { file: self.file.clone(), problem });
        }
        let idle: Vec<&String> = declared.difference(&named).collect();
        if !idle.is_empty() {
            let problem = format!("`reads` names {}, which the query does not read", list(idle));
            return Err(Error::Rule { file: self.file.clone(), problem });
        }
        Ok(())
    }

    /// Parameters only in checks and only declared ones; no function that knows the present.
    fn compare_params(&self) -> Result<(), Error> {
        let rule = |problem: String| Error::Rule { file: self.file.clone(), problem };
        let mut used: BTreeSet<String> = BTreeSet::new();
        let mut forbidden: Option<String> = None;
        let Statement::Statement(statement) = &self.statement else { return Ok(()) };
        let _ = visit_expressions(&**statement, |expression| -> ControlFlow<()> {
            match expression {
                Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => {
                    used.insert(name.trim_start_matches('$').to_owned());
                }
                Expr::Function(function) => {
                    let name = function.name.to_string().to_lowercase();
                    if FORBIDDEN.contains(&name.as_str()) {
                        forbidden = Some(name);
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
        if let Some(name) = forbidden {
            return Err(rule(format!(
                "`{name}` is forbidden, the answer must depend on the tables alone; use `$as_of`"
            )));
        }
        let declared: BTreeSet<String> =
            self.header.params.iter().map(|param| param.name.clone()).collect();
        if self.kind == QueryKind::View
            && let Some(name) = used.first()
        {
            return Err(rule(format!("a view takes no parameters, it uses `${name}`")));
        }
        if let Some(name) = used.difference(&declared).next() {
            return Err(rule(format!("uses `${name}`, which `params` does not declare")));
        }
        // The built-in ones may be declared all alike.
        let idle = declared.difference(&used).find(|name| !BUILT_IN.contains(&name.as_str()));
        if let Some(name) = idle {
            return Err(rule(format!("`params` declares `{name}`, which the query does not use")));
        }
        Ok(())
    }
}

impl Queries {
    /// Returns the embedded queries.
    ///
    /// # Errors
    /// Fails when one of them breaks a rule, which the tests prevent.
    pub fn embedded() -> Result<Self, Error> {
        Self::new(embedded(QueryKind::View)?, embedded(QueryKind::Check)?)
    }

    /// Reads a folder with `checks/*.sql`, `views/*.sql` or both; what it lacks is the embedded one.
    ///
    /// # Errors
    /// Fails when the folder cannot be read or holds no query, and when a query breaks a rule.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let views = load(QueryKind::View, &folder.join("views"))?;
        let checks = load(QueryKind::Check, &folder.join("checks"))?;
        if views.is_none() && checks.is_none() {
            // Also the way to say that the folder itself is missing.
            std::fs::read_dir(folder)
                .map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
            return Err(Error::NoQueries { path: folder.to_owned() });
        }
        let views = views.map_or_else(|| embedded(QueryKind::View), Ok)?;
        let checks = checks.map_or_else(|| embedded(QueryKind::Check), Ok)?;
        Self::new(views, checks)
    }

    fn new(views: Vec<Query>, checks: Vec<Query>) -> Result<Self, Error> {
        Ok(Self { views: in_order(views)?, checks })
    }

    /// Returns the views, each behind those that it reads.
    #[must_use]
    pub fn views(&self) -> &[Query] {
        &self.views
    }

    /// Returns the checks, sorted by id.
    #[must_use]
    pub fn checks(&self) -> &[Query] {
        &self.checks
    }

    /// Returns the checks of these ids (or earlier ids), or all when none is named.
    ///
    /// # Errors
    /// Fails when there is no such check, naming those that exist.
    pub fn select(&self, ids: &[String]) -> Result<Vec<&Query>, Error> {
        if ids.is_empty() {
            return Ok(self.checks.iter().collect());
        }
        let mut wanted: BTreeMap<&str, &Query> = BTreeMap::new();
        for id in ids {
            let found = self
                .checks
                .iter()
                .find(|check| check.id() == id || check.header.formerly.contains(id))
                .ok_or_else(|| Error::NoCheck {
                    id: id.clone(),
                    known: self.checks.iter().map(|check| check.id().to_owned()).collect(),
                })?;
            wanted.insert(found.id(), found);
        }
        Ok(wanted.into_values().collect())
    }
}

fn embedded(kind: QueryKind) -> Result<Vec<Query>, Error> {
    let (files, folder) = match kind {
        QueryKind::View => (VIEWS, "views"),
        QueryKind::Check => (CHECKS, "checks"),
    };
    files
        .iter()
        .map(|(name, text)| Query::parse(kind, &format!("queries/{folder}/{name}"), text))
        .collect()
}

/// The queries of a folder sorted by name, or none where there is no such folder.
fn load(kind: QueryKind, folder: &Path) -> Result<Option<Vec<Query>>, Error> {
    let failed = |source| Error::Folder { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    files.sort();
    let queries = files
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path)
                .map_err(|source| Error::Folder { path: path.clone(), source })?;
            Query::parse(kind, &path.to_string_lossy(), &text)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Some(queries))
}

/// Sorts views so that each stands behind those that it reads; by id where that leaves a choice.
fn in_order(views: Vec<Query>) -> Result<Vec<Query>, Error> {
    let mut waiting: BTreeMap<String, Query> =
        views.into_iter().map(|view| (view.header.id.clone(), view)).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = waiting
            .values()
            .find(|view| !view.header.reads.iter().any(|read| waiting.contains_key(read)))
            .map(|view| view.header.id.clone());
        match ready.and_then(|id| waiting.remove(&id)) {
            Some(view) => ordered.push(view),
            None => return Err(Error::Circle { ids: circle(&waiting) }),
        }
    }
    Ok(ordered)
}

/// One circle among views of which each reads another.
fn circle(waiting: &BTreeMap<String, Query>) -> Vec<String> {
    let mut path: Vec<String> = waiting.keys().next().cloned().into_iter().collect();
    while let Some(next) = path
        .last()
        .and_then(|id| waiting.get(id))
        .and_then(|view| view.header.reads.iter().find(|read| waiting.contains_key(*read)))
    {
        let start = path.iter().position(|id| id == next);
        path.push(next.clone());
        if let Some(start) = start {
            return path.split_off(start);
        }
    }
    path
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(id: &str, reads: &str) -> Result<Query, Error> {
        let from = reads.replace(',', ", ");
        let text = format!(
            "-- id: {id}\n-- title: t\n-- grain: g\n-- reads: {reads}\n\nselect 1 as one from {from}\n"
        );
        Query::parse(QueryKind::View, &format!("{id}.sql"), &text)
    }

    fn check(select: &str, extra: &str) -> Result<Query, Error> {
        let text = format!(
            "-- id: c\n-- title: t\n-- severity: high\n-- controls: SOC2 CC8.1\n-- reads: users\n{extra}-- rationale: r\n-- remediation: r\n\n{select}\n"
        );
        Query::parse(QueryKind::Check, "c.sql", &text)
    }

    #[test]
    fn views_stand_behind_what_they_read() {
        let views =
            vec![view("a", "b,users").unwrap(), view("b", "c").unwrap(), view("c", "t").unwrap()];
        let ids: Vec<String> =
            in_order(views).unwrap().into_iter().map(|view| view.header.id).collect();
        assert_eq!(ids, ["c", "b", "a"]);
    }

    #[test]
    fn circles_are_errors() {
        let views = vec![view("a", "b").unwrap(), view("b", "c").unwrap(), view("c", "b").unwrap()];
        let error = in_order(views).unwrap_err().to_string();
        assert_eq!(error, "views read each other in a circle: b -> c -> b");
    }

    #[test]
    fn header_and_query_must_agree() {
        let told = |query: Result<Query, Error>| query.unwrap_err().to_string();
        assert_eq!(
            told(check("select 1 from projects, users", "")),
            "c.sql: reads `projects`, which `reads` does not name"
        );
        assert_eq!(
            told(check("with users as (select 1) select * from users", "")),
            "c.sql: `reads` names `users`, which the query does not read"
        );
        assert_eq!(
            told(check("select $as_of from users", "")),
            "c.sql: uses `$as_of`, which `params` does not declare"
        );
        assert_eq!(
            told(check("select 1 from users", "-- params: as_of timestamp; floor bigint\n")),
            "c.sql: `params` declares `floor`, which the query does not use"
        );
        assert!(told(check("select now() from users", "")).contains("`now` is forbidden"));
        assert!(told(check("select current_date from users", "")).contains("is forbidden"));
        assert_eq!(told(check("delete from users", "")), "c.sql: must be a `select`, nothing else");
        assert_eq!(
            told(check("select 1 from users; select 2 from users", "")),
            "c.sql: must hold exactly one `select`"
        );
        assert!(told(check("select 1 frm users where", "")).starts_with("c.sql:9: "));
    }

    #[test]
    fn the_embedded_queries_keep_the_rules() {
        Queries::embedded().unwrap();
    }
}
