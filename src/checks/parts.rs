//! Answers the `with` parts whose rows a query holds, each once.
//!
//! The query engine puts the plan of a part in every place that names it, so that a part with four readers is planned and
//! answered four times. One that the header names under `holds` is answered on a task of its own, and the query reads its rows.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::{ParamValues, TableReference};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{self, visit_relations};

use super::answering::Answering;
use super::error::Error;
use super::query::Query;
use super::views::{plan_statement, typed};

/// Plans a query as [`plan`](super::views::plan) does, the parts that it holds read as rows; `values` are those of
/// its parameters, which a part may name. Parts are answered by `answering`, where their errors are.
///
/// # Errors
/// Fails when the query or a part cannot be planned, naming the file.
pub(super) async fn plan_with_parts(
    context: &SessionContext,
    query: &Query,
    values: Option<&ParamValues>,
    answering: &mut Answering,
) -> Result<LogicalPlan, Error> {
    let mut statement = typed(query);
    let mut held = Vec::new();
    let planned = plan(context, query, &mut statement, values, answering, &mut held).await;
    // The plan holds the rows of its parts by itself.
    for name in held {
        context.deregister_table(name).map_err(|source| Error::query(&query.file, source))?;
    }
    planned
}

async fn plan(
    context: &SessionContext,
    query: &Query,
    statement: &mut Statement,
    values: Option<&ParamValues>,
    answering: &mut Answering,
    held: &mut Vec<TableReference>,
) -> Result<LogicalPlan, Error> {
    let failed = |source| Error::query(&query.file, source);
    let is_held = |part: &ast::Cte| query.header.holds.contains(&part.alias.name.value);
    for (index, part) in query.parts().iter().enumerate().filter(|(_, part)| is_held(part)) {
        let name = &part.alias.name.value;
        let asked = up_to(statement, index, name).map_err(failed)?;
        let mut plan = plan_statement(context, query, asked).await?;
        if let Some(values) = values {
            plan = plan.with_param_values(values.clone()).map_err(failed)?;
        }
        let frame = DataFrame::new(context.state(), plan);
        // No query can have this name: it is no name of a file.
        let name = format!("{}/{name}", query.id());
        let rows = answering.begin(query, &name, frame)?;
        let table = TableReference::bare(name.as_str());
        context.register_table(table.clone(), Arc::new(rows)).map_err(failed)?;
        held.push(table);
        let read = all_of(&name).map_err(failed)?;
        let with = query_of(statement).and_then(|query| query.with.as_mut());
        if let Some(part) = with.and_then(|with| with.cte_tables.get_mut(index)) {
            *part.query = read;
        }
    }
    plan_statement(context, query, statement.clone()).await
}

fn query_of(statement: &mut Statement) -> Option<&mut ast::Query> {
    let Statement::Statement(statement) = statement else { return None };
    let ast::Statement::Query(query) = &mut **statement else { return None };
    Some(query)
}

/// A statement that asks for one part, with those before it that it reads.
fn up_to(statement: &Statement, index: usize, name: &str) -> Result<Statement, DataFusionError> {
    let mut asked = statement.clone();
    let all = all_of(name)?;
    if let Some(query) = query_of(&mut asked) {
        let with = query.with.take().map(|mut with| {
            with.cte_tables.truncate(index + 1);
            keep_read(&mut with.cte_tables);
            with
        });
        *query = ast::Query { with, ..all };
    }
    Ok(asked)
}

/// Leaves out the parts that the last one does not read, directly or through others: each would be planned.
fn keep_read(parts: &mut Vec<ast::Cte>) {
    let name_of = |part: &ast::Cte| part.alias.name.value.to_lowercase();
    let mut read: BTreeSet<String> = parts.last().map(name_of).into_iter().collect();
    for part in parts.iter().rev() {
        if read.contains(&name_of(part)) {
            let _ = visit_relations(&part.query, |relation| {
                let name = relation.0.last().and_then(|name| name.as_ident());
                read.extend(name.map(|name| name.value.to_lowercase()));
                ControlFlow::<()>::Continue(())
            });
        }
    }
    parts.retain(|part| read.contains(&name_of(part)));
}

/// `select * from "name"`.
fn all_of(name: &str) -> Result<ast::Query, DataFusionError> {
    let text = format!("select * from \"{}\"", name.replace('"', "\"\""));
    let mut statement = DFParser::parse_sql(&text)?.pop_front();
    let query = statement.as_mut().and_then(query_of);
    query.cloned().ok_or_else(|| DataFusionError::Plan(format!("cannot read the part {name}")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use datafusion::scalar::ScalarValue;

    use super::*;
    use crate::checks::answering::Turns;
    use crate::checks::header::QueryKind;

    #[test]
    fn a_part_is_asked_for_with_what_it_reads() {
        let text = QUERY.replace("sum as (", "other as (select n from numbers),\nsum as (");
        let query = Query::parse(QueryKind::Check, "c.sql", &text).unwrap();
        let asked = |index, name| {
            let mut asked = up_to(&query.statement, index, name).unwrap();
            let parts =
                query_of(&mut asked).and_then(|query| query.with.take()).unwrap().cte_tables;
            parts.into_iter().map(|part| part.alias.name.value).collect::<Vec<_>>()
        };
        assert_eq!(asked(1, "twice"), ["few", "twice"]);
        assert_eq!(asked(2, "other"), ["other"]);
        assert_eq!(asked(3, "sum"), ["few", "twice", "sum"]);
    }

    const QUERY: &str = "-- id: c
-- title: t
-- severity: high
-- controls: none
-- reads: numbers
-- params: floor bigint
-- holds: few, sum
-- rationale: r
-- remediation: r

with
few as (select n from numbers where n > $floor),
twice as (select a.n from few as a join few as b on b.n = a.n),
sum as (select sum(n) as total from twice)
select few.n, sum.total from few cross join sum order by n
";

    #[tokio::test]
    async fn held_parts_are_read_in_place_of_their_plans_and_leave_no_table() {
        let context = SessionContext::new();
        let numbers = context.sql("select column1 as n from (values (1), (2), (3))").await.unwrap();
        context.register_table("numbers", numbers.into_view()).unwrap();
        let query = Query::parse(QueryKind::Check, "c.sql", QUERY).unwrap();
        let values =
            ParamValues::from(HashMap::from([("floor".to_owned(), ScalarValue::from(1_i64))]));
        let mut answering = Answering::new(&Turns::new());
        let plan = plan_with_parts(&context, &query, Some(&values), &mut answering).await.unwrap();
        answering.all().await.unwrap();
        let scans = plan.display_indent().to_string();
        assert!(scans.contains("c/few") && scans.contains("c/sum"), "{scans}");
        assert!(!scans.contains("numbers"), "{scans}");
        let tables = context.catalog("datafusion").unwrap().schema("public").unwrap().table_names();
        assert_eq!(tables, ["numbers"]);
        let rows = DataFrame::new(context.state(), plan).to_string().await.unwrap();
        assert_eq!(
            rows.lines().map(str::trim).collect::<Vec<_>>(),
            [
                "+---+-------+",
                "| n | total |",
                "+---+-------+",
                "| 2 | 5     |",
                "| 3 | 5     |",
                "+---+-------+"
            ]
        );
    }
}
