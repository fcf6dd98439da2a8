//! The scalar functions that queries may use beside the engine's own: `to_json`, `glob_match`, `path_match`.

mod json;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, StringBuilder, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

use crate::glob::{Glob, Rules};

/// Makes the functions known to a session.
pub fn register(context: &SessionContext) {
    context.register_udf(ScalarUDF::new_from_impl(ToJson::new()));
    context.register_udf(ScalarUDF::new_from_impl(Match::new("glob_match", Patterns::Glob)));
    context.register_udf(ScalarUDF::new_from_impl(Match::new("path_match", Patterns::Paths)));
}

/// `to_json(value)`: any value as JSON text, keys of structs in the order written; null stays null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToJson {
    signature: Signature,
}

impl ToJson {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ToJson {
    fn name(&self) -> &'static str {
        "to_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = matches!(args.args[0], ColumnarValue::Scalar(_));
        let values = args.args[0].to_array(if is_scalar { 1 } else { args.number_rows })?;
        let writer = json::Writer::new(&values)?;
        let mut texts = StringBuilder::with_capacity(values.len(), values.len() * 64);
        let mut text = String::new();
        for row in 0..values.len() {
            if values.is_null(row) || values.data_type().is_null() {
                texts.append_null();
            } else {
                text.clear();
                writer.write(row, &mut text);
                texts.append_value(&text);
            }
        }
        let texts: ArrayRef = Arc::new(texts.finish());
        if is_scalar {
            ScalarValue::try_from_array(&texts, 0).map(ColumnarValue::Scalar)
        } else {
            Ok(ColumnarValue::Array(texts))
        }
    }
}

/// What the first argument of a matching function holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Patterns {
    /// One glob; letters compare as they are.
    Glob,
    /// A JSON list of globs, `!` excluding, the last that fits deciding; letters compare without case, a leading
    /// slash of the path does not count.
    Paths,
}

/// `glob_match(pattern, text)` and `path_match(patterns_json, path)`; null where an argument is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Match {
    name: &'static str,
    patterns: Patterns,
    signature: Signature,
}

enum Compiled {
    Glob(Glob),
    Paths(Rules),
}

impl Match {
    fn new(name: &'static str, patterns: Patterns) -> Self {
        Self { name, patterns, signature: Signature::string(2, Volatility::Immutable) }
    }

    fn compile(&self, pattern: &str) -> Result<Compiled> {
        let compiled = match self.patterns {
            Patterns::Glob => Glob::new(pattern).map(Compiled::Glob).map_err(|e| e.to_string()),
            Patterns::Paths => serde_json::from_str::<Vec<String>>(pattern)
                .map_err(|_| format!("`{pattern}` is not a JSON list of texts"))
                .and_then(|patterns| {
                    let patterns: Vec<String> = patterns.iter().map(|p| plain_pattern(p)).collect();
                    Rules::new(&patterns).map(Compiled::Paths).map_err(|e| e.to_string())
                }),
        };
        match compiled {
            Ok(compiled) => Ok(compiled),
            Err(problem) => exec_err!("{}: {problem}", self.name),
        }
    }
}

impl Compiled {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Glob(glob) => glob.matches(text),
            Self::Paths(rules) => rules.matches(&plain_path(text)),
        }
    }
}

fn plain_pattern(pattern: &str) -> String {
    match pattern.strip_prefix('!') {
        Some(excluded) => format!("!{}", plain_path(excluded)),
        None => plain_path(pattern),
    }
}

fn plain_path(path: &str) -> String {
    path.trim_start_matches('/').to_lowercase()
}

impl ScalarUDFImpl for Match {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let patterns = TextArgument::new(&args.args[0], rows)?;
        let texts = TextArgument::new(&args.args[1], rows)?;
        let mut compiled: HashMap<&str, Compiled> = HashMap::new();
        let mut matches = BooleanBuilder::with_capacity(rows);
        for row in 0..rows {
            let (Some(pattern), Some(text)) = (patterns.get(row), texts.get(row)) else {
                matches.append_null();
                continue;
            };
            let matcher = match compiled.entry(pattern) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(self.compile(pattern)?),
            };
            matches.append_value(matcher.matches(text));
        }
        let matches: ArrayRef = Arc::new(matches.finish());
        if is_scalar {
            ScalarValue::try_from_array(&matches, 0).map(ColumnarValue::Scalar)
        } else {
            Ok(ColumnarValue::Array(matches))
        }
    }
}

/// A text argument without expanding a constant to every row.
struct TextArgument {
    values: StringViewArray,
    is_constant: bool,
}

impl TextArgument {
    fn new(argument: &ColumnarValue, rows: usize) -> Result<Self> {
        let is_constant = matches!(argument, ColumnarValue::Scalar(_));
        let array = argument.to_array(if is_constant { 1 } else { rows })?;
        let values = cast(&array, &DataType::Utf8View)?.as_string_view().clone();
        Ok(Self { values, is_constant })
    }

    fn get(&self, row: usize) -> Option<&str> {
        let row = if self.is_constant { 0 } else { row };
        (!self.values.is_null(row)).then(|| self.values.value(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(expression: &str) -> String {
        let context = SessionContext::new();
        register(&context);
        let frame =
            context.sql(&format!("select cast({expression} as string) as a")).await.unwrap();
        let batches = frame.collect().await.unwrap();
        let text = cast(batches[0].column(0), &DataType::Utf8).unwrap();
        if text.is_null(0) {
            "null".to_owned()
        } else {
            text.as_string::<i32>().value(0).to_owned()
        }
    }

    #[tokio::test]
    async fn json_keeps_order_and_types() {
        let value = "to_json(named_struct('z', 1, 'a', 'quo\"te', 'n', null, 'x', 1.5, 'b', true, \
             'at', arrow_cast('2026-01-31T12:00:00Z', 'Timestamp(Microsecond, Some(\"UTC\"))'), \
             'fraction', arrow_cast('2026-01-31T12:00:00.25Z', 'Timestamp(Microsecond, Some(\"UTC\"))'), \
             'on', cast('2026-01-31' as date), 'list', [named_struct('k', 1)], 'none', []))";
        assert_eq!(
            answer(value).await,
            r#"{"z":1,"a":"quo\"te","n":null,"x":1.5,"b":true,"at":"2026-01-31T12:00:00Z","fraction":"2026-01-31T12:00:00.25Z","on":"2026-01-31","list":[{"k":1}],"none":[]}"#
        );
        assert_eq!(answer("to_json(null)").await, "null");
    }

    #[tokio::test]
    async fn globs_match_as_they_are_written() {
        assert_eq!(answer("glob_match('release/*', 'release/1')").await, "true");
        assert_eq!(answer("glob_match('release/*', 'Release/1')").await, "false");
        assert_eq!(answer("glob_match('release/*', null)").await, "null");
    }

    #[tokio::test]
    async fn paths_match_without_slash_and_case_in_order() {
        let all_but = r#"["services/**","!services/docs/**"]"#;
        assert_eq!(answer(&format!("path_match('{all_but}', '/Services/a.rs')")).await, "true");
        assert_eq!(answer(&format!("path_match('{all_but}', '/services/docs/a')")).await, "false");
    }
}
