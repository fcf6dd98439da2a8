//! Reads the comment header of a query file.
//!
//! The header is the block of `--` lines that opens the file: `key: value`, continued by indenting, keys in a
//! fixed order. An unknown, missing, repeated or misplaced key is an error that names file and line: the header
//! is what reports and dashboards print about a check, so it is not left to chance.

use std::fmt;

use super::error::Error;

/// What a query file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// File name without its ending: the name under which reports and SQL know the query.
    pub id: String,
    /// One sentence for people.
    pub title: String,
    /// What one row stands for; not for checks, whose rows are verdicts.
    pub grain: Option<String>,
    /// How bad a failure is; checks only.
    pub severity: Option<Severity>,
    /// Controls that the check gives evidence for, in the order written; checks only.
    pub controls: Vec<Control>,
    /// Tables and views that the query names, sorted.
    pub reads: Vec<String>,
    /// Parameters that the query names, `name type` or `name type = default` between semicolons; not for views.
    pub params: Vec<Param>,
    /// Why the demand matters; checks only.
    pub rationale: Option<String>,
    /// What to do about a failure; checks only.
    pub remediation: Option<String>,
    /// Earlier ids of the same check.
    pub formerly: Vec<String>,
    /// What is explained; explanations only.
    pub about: Option<About>,
    /// Checks whose verdicts are explained; explanations only.
    pub checks: Vec<String>,
    /// Whether the query may be answered for some repositories at a time; checks only.
    pub is_sliced: bool,
    /// Whether the query asks all repositories even where a check is answered for some at a time; views only.
    pub is_whole: bool,
    /// Names of `with` parts that are answered once, their rows held in memory: small ones with several readers, or worth a task of their own.
    pub holds: Vec<String>,
}

/// What an explanation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A pull request.
    PullRequest,
    /// A branch.
    Branch,
    /// Either.
    Any,
}

impl About {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "pull_request" => Self::PullRequest,
            "branch" => Self::Branch,
            "any" => Self::Any,
            _ => return None,
        })
    }
}

/// A control of a framework.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Control {
    /// Framework, such as `SOC2` or `SLSA Source`.
    pub framework: String,
    /// What in it, such as `CC8.1` or `L4`.
    pub clause: String,
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.framework, self.clause)
    }
}

/// How bad a failed check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// To be mended in time.
    Medium,
    /// To be mended now.
    High,
    /// Endangers the whole organization.
    Critical,
}

impl Severity {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "critical" => Self::Critical,
            _ => return None,
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// A parameter that a check declares: `name type` or `name type = default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Name without the `$`.
    pub name: String,
    /// Type of the value.
    pub kind: ParamKind,
    /// Value as written where none is given; the built-in parameters need none.
    pub default: Option<String>,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// An instant, UTC microseconds.
    Timestamp,
    /// Text.
    Text,
    /// A whole number.
    BigInt,
    /// A number.
    Double,
    /// True or false.
    Boolean,
}

impl ParamKind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "timestamp" => Self::Timestamp,
            "text" | "string" => Self::Text,
            "bigint" => Self::BigInt,
            "double" => Self::Double,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }
}

/// The kinds of query files, each with keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueryKind {
    /// A shared fact, registered under its id.
    View,
    /// A question whose rows are verdicts.
    Check,
    /// A question whose rows say why a verdict is what it is.
    Explanation,
}

impl QueryKind {
    /// What the key `slices` may say: of a check, that all facts of a row belong to one repository; of a view, that its
    /// rows do not.
    const fn slices(self) -> &'static str {
        match self {
            Self::View | Self::Explanation => "none",
            Self::Check => "by repository",
        }
    }

    /// Keys in the order in which they stand, each with whether it must be there.
    const fn keys(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::View => &[
                ("id", true),
                ("title", true),
                ("grain", true),
                ("reads", true),
                ("slices", false),
                ("holds", false),
            ],
            Self::Check => &[
                ("id", true),
                ("title", true),
                ("severity", true),
                ("controls", true),
                ("reads", true),
                ("params", false),
                ("slices", false),
                ("holds", false),
                ("rationale", true),
                ("remediation", true),
                ("formerly", false),
            ],
            Self::Explanation => &[
                ("id", true),
                ("title", true),
                ("about", true),
                ("checks", false),
                ("grain", true),
                ("reads", true),
                ("params", false),
            ],
        }
    }
}

/// One `key: value` with the line on which it starts, counted from 1.
struct Entry {
    key: String,
    value: String,
    line: usize,
}

impl Header {
    /// Reads the header of `text`; `file` is named in errors.
    ///
    /// # Errors
    /// [`Error::Header`] with file and line for a key that is unknown, missing, repeated or out of order, and for
    /// a value that its key does not allow.
    pub fn parse(kind: QueryKind, file: &str, text: &str) -> Result<Self, Error> {
        let entries = entries(file, text)?;
        let keys = kind.keys();
        let mut next = 0;
        for entry in &entries {
            let Some(position) = keys.iter().position(|(key, _)| *key == entry.key) else {
                let known: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
                let problem =
                    format!("unknown key `{}`; known are {}", entry.key, known.join(", "));
                return Err(fault(file, entry.line, problem));
            };
            if entries.iter().filter(|other| other.key == entry.key).count() > 1 {
                return Err(fault(file, entry.line, format!("key `{}` is repeated", entry.key)));
            }
            if let Some((missing, _)) =
                keys[next.min(position)..position].iter().find(|(key, is_required)| {
                    *is_required && !entries.iter().any(|other| other.key == *key)
                })
            {
                return Err(fault(file, entry.line, format!("key `{missing}` is missing")));
            }
            if position < next {
                let problem =
                    format!("key `{}` must stand before `{}`", entry.key, keys[next - 1].0);
                return Err(fault(file, entry.line, problem));
            }
            next = position + 1;
        }
        if let Some((missing, _)) =
            keys[next..].iter().find(|(key, is_required)| *is_required && !has(&entries, key))
        {
            let line = entries.last().map_or(1, |entry| entry.line);
            return Err(fault(file, line, format!("key `{missing}` is missing")));
        }
        Self::from_entries(kind, file, &entries)
    }

    fn from_entries(kind: QueryKind, file: &str, entries: &[Entry]) -> Result<Self, Error> {
        let get = |key: &str| entries.iter().find(|entry| entry.key == key);
        let text = |key: &str| get(key).map(|entry| entry.value.clone());
        let list = |key: &str, separator: char| -> Vec<String> {
            get(key).map_or_else(Vec::new, |entry| split(&entry.value, separator))
        };
        let severity = match get("severity") {
            None => None,
            Some(entry) => Some(Severity::parse(&entry.value).ok_or_else(|| {
                let problem =
                    format!("severity `{}` is none of low, medium, high, critical", entry.value);
                fault(file, entry.line, problem)
            })?),
        };
        let about = match get("about") {
            None => None,
            Some(entry) => Some(About::parse(&entry.value).ok_or_else(|| {
                let problem =
                    format!("about `{}` is none of pull_request, branch, any", entry.value);
                fault(file, entry.line, problem)
            })?),
        };
        let mut params: Vec<Param> = Vec::new();
        if let Some(entry) = get("params").filter(|entry| entry.value != "none") {
            for declared in split(&entry.value, ';') {
                let param =
                    parse_param(&declared).map_err(|problem| fault(file, entry.line, problem))?;
                if params.iter().any(|other| other.name == param.name) {
                    let problem = format!("parameter `{}` is declared twice", param.name);
                    return Err(fault(file, entry.line, problem));
                }
                params.push(param);
            }
        }
        let controls = match get("controls").filter(|entry| entry.value != "none") {
            None => Vec::new(),
            Some(entry) => {
                parse_controls(&entry.value).map_err(|problem| fault(file, entry.line, problem))?
            }
        };
        let slices = get("slices");
        if let Some(entry) = slices.filter(|entry| entry.value != kind.slices()) {
            let problem = format!("slices `{}` is not `{}`", entry.value, kind.slices());
            return Err(fault(file, entry.line, problem));
        }
        let slices = slices.map(|entry| entry.value.as_str());
        let mut reads = list("reads", ',');
        reads.sort();
        if let Some(pair) = reads.windows(2).find(|pair| pair[0] == pair[1]) {
            let line = get("reads").map_or(1, |entry| entry.line);
            return Err(fault(file, line, format!("`{}` stands twice in reads", pair[0])));
        }
        Ok(Self {
            id: text("id").unwrap_or_default(),
            title: text("title").unwrap_or_default(),
            grain: text("grain"),
            severity,
            controls,
            reads,
            params,
            rationale: text("rationale"),
            remediation: text("remediation"),
            formerly: list("formerly", ','),
            about,
            checks: list("checks", ','),
            is_sliced: slices == Some("by repository"),
            is_whole: slices == Some("none"),
            holds: list("holds", ','),
        })
    }
}

fn has(entries: &[Entry], key: &str) -> bool {
    entries.iter().any(|entry| entry.key == key)
}

/// The `key: value` pairs of the leading comment block, continuation lines joined by a space.
fn entries(file: &str, text: &str) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let Some(comment) = line.strip_prefix("--") else { break };
        let comment = comment.strip_prefix(' ').unwrap_or(comment);
        if comment.starts_with([' ', '\t']) && !comment.trim().is_empty() {
            let Some(last) = entries.last_mut() else {
                return Err(fault(file, line_number, "a continued line without a key before it"));
            };
            if !last.value.is_empty() {
                last.value.push(' ');
            }
            last.value.push_str(comment.trim());
            continue;
        }
        let Some((key, value)) = comment.split_once(':') else {
            return Err(fault(file, line_number, "expected `-- key: value`"));
        };
        entries.push(Entry {
            key: key.trim().to_owned(),
            value: value.trim().to_owned(),
            line: line_number,
        });
    }
    if entries.is_empty() {
        return Err(fault(file, 1, "no header: the file must open with `-- id: ...`"));
    }
    if let Some(empty) = entries.iter().find(|entry| entry.value.is_empty()) {
        return Err(fault(file, empty.line, format!("key `{}` has no value", empty.key)));
    }
    Ok(entries)
}

fn split(value: &str, separator: char) -> Vec<String> {
    let parts = value.split(separator).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// `framework clause, clause; framework clause`: what follows the last space is the clause.
fn parse_controls(value: &str) -> Result<Vec<Control>, String> {
    let mut controls = Vec::new();
    for item in split(value, ';') {
        let mut clauses = split(&item, ',').into_iter();
        let first = clauses.next().unwrap_or_default();
        let Some((framework, clause)) = first.rsplit_once(' ') else {
            return Err(format!(
                "control `{item}` is not `framework clause`, such as `SOC2 CC8.1`; write `none` where there is none"
            ));
        };
        let framework = framework.trim_end();
        for clause in std::iter::once(clause.to_owned()).chain(clauses) {
            controls.push(Control { framework: framework.to_owned(), clause });
        }
    }
    Ok(controls)
}

/// `name type` or `name type = default`, the name with or without its `$`.
fn parse_param(declared: &str) -> Result<Param, String> {
    let (left, default) = match declared.split_once('=') {
        Some((left, value)) => (left.trim(), Some(value.trim().trim_matches('\'').to_owned())),
        None => (declared, None),
    };
    let mut words = left.split_whitespace();
    let (Some(name), Some(kind), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!("parameter `{declared}` is not `name type` or `name type = default`"));
    };
    let kind = ParamKind::parse(kind).ok_or_else(|| {
        format!("parameter type `{kind}` is none of timestamp, text, bigint, double, boolean")
    })?;
    Ok(Param { name: name.trim_start_matches('$').to_owned(), kind, default })
}

fn fault(file: &str, line: usize, problem: impl Into<String>) -> Error {
    Error::Header { file: file.to_owned(), line, problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: &str = "-- id: merged\n-- title: Merged pull requests\n-- grain: pull request,\n--     merged\n-- reads: b, a\n\nselect 1";

    fn problem(kind: QueryKind, text: &str) -> String {
        Header::parse(kind, "q.sql", text).unwrap_err().to_string()
    }

    #[test]
    fn reads_keys_and_continued_lines() {
        let header = Header::parse(QueryKind::View, "q.sql", VIEW).unwrap();
        assert_eq!(header.id, "merged");
        assert_eq!(header.grain.as_deref(), Some("pull request, merged"));
        assert_eq!(header.reads, ["a", "b"]);
    }

    #[test]
    fn controls_are_taken_apart() {
        let told = |value: &str| -> Vec<String> {
            parse_controls(value)
                .unwrap()
                .iter()
                .map(|c| format!("{}|{}", c.framework, c.clause))
                .collect()
        };
        assert_eq!(
            told("ISO27001 A.8.28, A.8.29; SLSA Source L4"),
            ["ISO27001|A.8.28", "ISO27001|A.8.29", "SLSA Source|L4"]
        );
        assert!(parse_controls("SOC2").unwrap_err().contains("`framework clause`"));
    }

    #[test]
    fn reads_params_with_types_and_defaults() {
        let param = parse_param("$floor bigint = 3").unwrap();
        assert_eq!((param.name.as_str(), param.kind), ("floor", ParamKind::BigInt));
        assert_eq!(param.default.as_deref(), Some("3"));
        assert!(parse_param("floor").is_err());
    }

    #[test]
    fn names_file_and_line_of_what_is_wrong() {
        let unknown = VIEW.replace("-- grain", "-- grian");
        assert!(problem(QueryKind::View, &unknown).starts_with("q.sql:3: unknown key `grian`"));
        let repeated = VIEW.replace("-- title", "-- id");
        assert_eq!(problem(QueryKind::View, &repeated), "q.sql:1: key `id` is repeated");
        let missing = VIEW.replace("-- title: Merged pull requests\n", "");
        assert_eq!(problem(QueryKind::View, &missing), "q.sql:2: key `title` is missing");
        let swapped = "-- title: t\n-- id: i\n-- grain: g\n-- reads: r\n";
        assert_eq!(
            problem(QueryKind::View, swapped),
            "q.sql:2: key `id` must stand before `title`"
        );
        assert_eq!(
            problem(QueryKind::View, "select 1"),
            "q.sql:1: no header: the file must open with `-- id: ...`"
        );
        assert_eq!(problem(QueryKind::View, "-- id: x"), "q.sql:1: key `title` is missing");
    }
}
