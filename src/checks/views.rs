//! Makes views, settings in force and functions known to a session.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Value, ValueWithSpan, visit_expressions_mut,
};

use super::catalog::Queries;
use super::error::Error;
use super::functions;
use super::header::ParamKind;
use super::query::Query;
use crate::schema::{Catalog, META_COLUMNS, Row, Table, to_batch};

/// The tables of settings, each registered as `<name>_in_force`.
pub const SETTINGS_TABLES: [(&str, &str); 4] = [
    ("repository_settings", "settings_in_force"),
    ("production_branches", "production_branches_in_force"),
    ("solutions", "solutions_in_force"),
    ("exceptions", "exceptions_in_force"),
];

/// Rows of the four settings tables, as they are in force for one run.
#[derive(Debug, Clone, Default)]
pub struct SettingsRows {
    /// Rows of `repository_settings`.
    pub repository_settings: Vec<Row>,
    /// Rows of `production_branches`.
    pub production_branches: Vec<Row>,
    /// Rows of `solutions`.
    pub solutions: Vec<Row>,
    /// Rows of `exceptions`.
    pub exceptions: Vec<Row>,
}

impl SettingsRows {
    /// Returns the rows of a settings table by its name.
    #[must_use]
    pub fn of(&self, table: &str) -> &[Row] {
        match table {
            "repository_settings" => &self.repository_settings,
            "production_branches" => &self.production_branches,
            "solutions" => &self.solutions,
            "exceptions" => &self.exceptions,
            _ => &[],
        }
    }
}

/// Registers functions, the settings in force and all views, so that queries can be planned.
///
/// # Errors
/// Fails when a view cannot be planned, naming its file and line.
pub async fn register(
    context: &SessionContext,
    catalog: &Catalog,
    queries: &Queries,
    settings: &SettingsRows,
) -> Result<(), Error> {
    register_settings(context, catalog, settings)?;
    register_views(context, queries).await
}

/// Registers functions and settings in force, without views.
///
/// # Errors
/// Fails when a table of settings does not fit the catalog.
pub fn register_settings(
    context: &SessionContext,
    catalog: &Catalog,
    settings: &SettingsRows,
) -> Result<(), Error> {
    prepare(context);
    for (table, in_force) in SETTINGS_TABLES {
        let table = catalog.require(table).map_err(Error::Schema)?;
        let batch = to_batch(table, settings.of(&table.name)).map_err(Error::Schema)?;
        register_in_force(context, table, in_force, &batch)?;
    }
    Ok(())
}

/// Registers the functions, and asks the planner to note lines, which errors name.
pub fn prepare(context: &SessionContext) {
    functions::register(context);
    context.state_ref().write().config_mut().options_mut().sql_parser.collect_spans = true;
}

/// Registers a batch of a settings table under its name of settings in force, without the columns of the run.
///
/// # Errors
/// Fails when the name cannot be registered.
pub fn register_in_force(
    context: &SessionContext,
    table: &Table,
    name: &str,
    batch: &RecordBatch,
) -> Result<(), Error> {
    let kept: Vec<usize> = (0..table.columns.len())
        .filter(|&index| {
            let column = table.columns[index].name.as_str();
            !matches!(column, "run_id" | "run_month") && !META_COLUMNS.contains(&column)
        })
        .collect();
    let failed =
        |source: DataFusionError| Error::engine(format!("cannot register `{name}`"))(source);
    let batch = batch.project(&kept).map_err(|source| failed(source.into()))?;
    let provider = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(failed)?;
    context.deregister_table(name).map_err(failed)?;
    context.register_table(name, Arc::new(provider)).map_err(failed)?;
    Ok(())
}

/// Registers all views under their ids; whatever they read must be registered already.
///
/// # Errors
/// Fails when a view cannot be planned, naming its file and line.
pub async fn register_views(context: &SessionContext, queries: &Queries) -> Result<(), Error> {
    for view in queries.views() {
        let plan = plan(context, view).await?;
        let provider = ViewTable::new(plan, Some(view.text.clone()));
        let failed = |source| Error::query(&view.file, source);
        context.deregister_table(view.id()).map_err(failed)?;
        context.register_table(view.id(), Arc::new(provider)).map_err(failed)?;
    }
    Ok(())
}

/// Plans a query; parameters stay open, each known by its declared type.
pub(crate) async fn plan(context: &SessionContext, query: &Query) -> Result<LogicalPlan, Error> {
    plan_statement(context, query, typed(query)).await
}

/// Plans a statement made of a query.
pub(crate) async fn plan_statement(
    context: &SessionContext,
    query: &Query,
    statement: Statement,
) -> Result<LogicalPlan, Error> {
    context
        .state()
        .statement_to_plan(statement)
        .await
        .map_err(|source| Error::query(&query.file, source))
}

/// The statement of a query with the declared types of its parameters.
pub(crate) fn typed(query: &Query) -> Statement {
    let mut statement = query.statement.clone();
    type_parameters(&mut statement, query);
    statement
}

/// Wraps each `$name` as `arrow_cast($name, type)`: the planner does not know the types of named parameters, and
/// would take them for nulls wherever it cannot guess.
fn type_parameters(statement: &mut Statement, query: &Query) {
    let Statement::Statement(statement) = statement else { return };
    let _ = visit_expressions_mut(&mut **statement, |expression| -> ControlFlow<()> {
        if let Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) = expression {
            let name = name.trim_start_matches('$');
            let declared = query.header.params.iter().find(|param| param.name == name);
            if let Some(param) = declared {
                let placeholder = expression.clone();
                *expression = arrow_cast(placeholder, arrow_type(param.kind));
            }
        }
        ControlFlow::Continue(())
    });
}

/// The Arrow type of a parameter as `arrow_cast` spells it.
const fn arrow_type(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Timestamp => r#"Timestamp(Microsecond, Some("UTC"))"#,
        ParamKind::Text => "Utf8",
        ParamKind::BigInt => "Int64",
        ParamKind::Double => "Float64",
        ParamKind::Boolean => "Boolean",
    }
}

fn arrow_cast(value: Expr, to: &str) -> Expr {
    let to = Expr::Value(Value::SingleQuotedString(to.to_owned()).with_empty_span());
    let argument = |expression| FunctionArg::Unnamed(FunctionArgExpr::Expr(expression));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("arrow_cast")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(value), argument(to)],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
