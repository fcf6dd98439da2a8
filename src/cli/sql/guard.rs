//! Lets reading through and nothing else: statements are looked at before they are planned, plans before they run.

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{self, Query, SetExpr};
use datafusion::sql::sqlparser::dialect::GenericDialect;

use crate::cli::failure::Failure;

/// Parses a text of statements separated by `;`.
///
/// # Errors
/// When it is not SQL.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>, Failure> {
    let wrong = |error: datafusion::error::DataFusionError| {
        let message = error.strip_backtrace();
        let message = message.trim_start_matches("SQL error: ");
        let message = message
            .strip_prefix("ParserError(\"")
            .and_then(|rest| rest.strip_suffix("\")"))
            .unwrap_or(message);
        Failure::user(format!("this is not SQL: {message}"))
            .hint("the dialect is that of DataFusion; `adolake tables` lists tables and columns")
    };
    let mut parser =
        DFParserBuilder::new(text).with_dialect(&GenericDialect {}).build().map_err(wrong)?;
    Ok(parser.parse_statements().map_err(wrong)?.into())
}

/// Refuses a statement that does anything but read.
///
/// # Errors
/// Names the kind of statement.
pub(super) fn check(statement: &Statement) -> Result<(), Failure> {
    let refused = || {
        let text = statement.to_string();
        let kind: String = text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        Err(Failure::user(format!("`{kind} …` is refused: the lake is read-only here"))
            .hint("use SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE; `--export FILE` writes results to files"))
    };
    match statement {
        Statement::Statement(statement) if reads(statement) => Ok(()),
        Statement::Explain(explain) => check(&explain.statement),
        _ => refused(),
    }
}

fn reads(statement: &ast::Statement) -> bool {
    match statement {
        ast::Statement::Query(query) => query_reads(query),
        ast::Statement::Explain { statement, .. } => reads(statement),
        ast::Statement::ExplainTable { .. }
        | ast::Statement::ShowTables { .. }
        | ast::Statement::ShowColumns { .. }
        | ast::Statement::ShowVariable { .. }
        | ast::Statement::ShowFunctions { .. } => true,
        _ => false,
    }
}

/// What hides deeper (in expressions) is caught in the plan.
fn query_reads(query: &Query) -> bool {
    fn body_reads(body: &SetExpr) -> bool {
        match body {
            SetExpr::Select(select) => select.into.is_none(),
            SetExpr::Query(query) => query_reads(query),
            SetExpr::SetOperation { left, right, .. } => body_reads(left) && body_reads(right),
            SetExpr::Values(_) | SetExpr::Table(_) => true,
            _ => false,
        }
    }
    let with_reads = query
        .with
        .as_ref()
        .is_none_or(|with| with.cte_tables.iter().all(|cte| query_reads(&cte.query)));
    with_reads && body_reads(&query.body)
}

/// Plans a statement that has been checked.
///
/// # Errors
/// With the engine's error, or when the plan does anything but read.
pub(super) async fn plan(
    state: &SessionState,
    statement: Statement,
) -> Result<LogicalPlan, datafusion::error::DataFusionError> {
    let plan = state.statement_to_plan(statement).await?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)?;
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(sql: &str) -> bool {
        parse(sql)
            .is_ok_and(|statements| statements.iter().all(|statement| check(statement).is_ok()))
    }

    #[test]
    fn reading_is_allowed() {
        for sql in [
            "select 1",
            "with a as (select 1) select * from a",
            "values (1), (2)",
            "explain select 1",
            "explain analyze select 1",
            "show tables",
            "show columns from repositories",
            "show datafusion.execution.batch_size",
            "describe repositories",
            "(select 1) union all (select 2)",
            "select 1; select 2;",
        ] {
            assert!(allowed(sql), "{sql}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        for sql in [
            "insert into repositories values (1)",
            "update repositories set name = 'x'",
            "delete from repositories",
            "drop table repositories",
            "create table a as select 1",
            "create view a as select 1",
            "create external table a stored as csv location '/etc/passwd'",
            "copy (select 1) to '/tmp/a.csv'",
            "copy repositories to '/tmp/a.parquet'",
            "set datafusion.runtime.temp_directory = '/etc'",
            "reset datafusion.execution.batch_size",
            "explain insert into repositories values (1)",
            "explain copy repositories to '/tmp/a.csv'",
            "select * into a from repositories",
            "with a as (insert into repositories values (1)) select * from a",
            "truncate table repositories",
            "prepare a as select 1",
            "begin",
            "create function f() returns int return 1",
            "select 1; drop table repositories",
        ] {
            assert!(!allowed(sql), "{sql}");
        }
    }
}
