//! Slices: repositories whose pull requests are judged at a time, so that memory does not grow with all of them.
//!
//! In a slice the tables of pull requests hold the rows of its repositories, and those of runs the rows of its projects;
//! all other tables are whole. So a query may be sliced where no row needs a pull request of another repository or a run
//! of another project.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::catalog::TableProvider;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::prelude::{SessionContext, ident, lit};

use super::error::Error;
use super::settings;

/// Tables that a slice holds in part, each with the column that says which.
const TABLES: [(&str, &str); 10] = [
    ("pull_requests", "repository_id"),
    ("pull_request_reviewers", "repository_id"),
    ("pull_request_labels", "repository_id"),
    ("pull_request_votes", "repository_id"),
    ("pull_request_iterations", "repository_id"),
    ("pull_request_commits", "repository_id"),
    ("pull_request_changes", "repository_id"),
    ("pull_request_statuses", "repository_id"),
    ("pull_request_policy_evaluations", "repository_id"),
    ("pipeline_runs", "project_id"),
];

const REPOSITORIES: &str = "
    select settings.organization, project, repository, settings.repository_id, settings.project_id, count(completed.repository_id)
    from settings_in_force as settings
    left join (select organization, repository_id from pull_requests where status = 'completed') as completed
        on completed.organization = settings.organization and completed.repository_id = settings.repository_id
    where in_scope
    group by settings.organization, project, repository, settings.repository_id, settings.project_id";

/// Repositories that stand together in the order of findings.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Ids by organization.
    repositories: BTreeMap<String, BTreeSet<String>>,
    projects: BTreeMap<String, BTreeSet<String>>,
}

/// A repository in scope, in the order of findings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Repository {
    organization: String,
    project: String,
    repository: String,
    repository_id: String,
    project_id: String,
    pull_requests: i64,
}

impl Slice {
    /// Of one repository.
    pub(crate) fn of(repository: &settings::Repository) -> Self {
        let one = |id: &str| {
            BTreeMap::from([(repository.organization.clone(), BTreeSet::from([id.to_owned()]))])
        };
        Self { repositories: one(&repository.repository_id), projects: one(&repository.project_id) }
    }

    /// Tells the rows of the slice by the id of their repository.
    pub(crate) fn holds_repository(&self) -> Expr {
        self.holds("repository_id")
    }

    fn holds(&self, column: &str) -> Expr {
        let ids = if column == "project_id" { &self.projects } else { &self.repositories };
        let of_organization = |(organization, ids): (&String, &BTreeSet<String>)| {
            let ids = ids.iter().map(|id| lit(id.as_str())).collect();
            ident("organization")
                .eq(lit(organization.as_str()))
                .and(ident(column).in_list(ids, false))
        };
        disjunction(ids.iter().map(of_organization)).unwrap_or_else(|| lit(false))
    }

    fn add(&mut self, one: &Repository) {
        let repositories = self.repositories.entry(one.organization.clone()).or_default();
        repositories.insert(one.repository_id.clone());
        let projects = self.projects.entry(one.organization.clone()).or_default();
        projects.insert(one.project_id.clone());
    }
}

/// Whole tables, which give way to slices.
pub(crate) struct Whole(Vec<(&'static str, &'static str, Arc<dyn TableProvider>)>);

impl Whole {
    /// Remembers the whole tables of a session.
    ///
    /// # Errors
    /// Fails when one is not registered.
    pub(crate) async fn new(context: &SessionContext) -> Result<Self, Error> {
        let mut tables = Vec::with_capacity(TABLES.len());
        for (name, column) in TABLES {
            let table = context.table_provider(name).await.map_err(failed())?;
            tables.push((name, column, table));
        }
        Ok(Self(tables))
    }

    /// Puts the rows of a slice, or again all rows, in place of the tables.
    ///
    /// # Errors
    /// Fails when a table lacks the column.
    pub(crate) fn hold(
        &self,
        context: &SessionContext,
        slice: Option<&Slice>,
    ) -> Result<(), Error> {
        for (name, column, table) in &self.0 {
            let held = match slice {
                None => Arc::clone(table),
                Some(slice) => part(name, table, slice.holds(column)).map_err(failed())?,
            };
            context.deregister_table(*name).map_err(failed())?;
            context.register_table(*name, held).map_err(failed())?;
        }
        Ok(())
    }
}

fn part(
    name: &str,
    table: &Arc<dyn TableProvider>,
    rows: Expr,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let source = provider_as_source(Arc::clone(table));
    let plan = LogicalPlanBuilder::scan(name, source, None)?.filter(rows)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// Divides the repositories in scope, in the order of findings, so that a slice has at most so many completed pull
/// requests; a repository is never divided.
///
/// # Errors
/// Fails when the pull requests cannot be counted.
pub(crate) async fn slices(context: &SessionContext, most: i64) -> Result<Vec<Slice>, Error> {
    Ok(divide(&repositories(context).await?, most))
}

fn divide(repositories: &[Repository], most: i64) -> Vec<Slice> {
    let (mut slices, mut slice, mut held) = (Vec::new(), Slice::default(), 0);
    // What goes by one name stands together: its findings are ordered by more than the repository.
    let is_same = |a: &Repository, b: &Repository| {
        (&a.organization, &a.project, &a.repository) == (&b.organization, &b.project, &b.repository)
    };
    for same in repositories.chunk_by(is_same) {
        let more: i64 = same.iter().map(|one| one.pull_requests).sum();
        if held > 0 && more > 0 && held + more > most {
            slices.push(std::mem::take(&mut slice));
            held = 0;
        }
        held += more;
        same.iter().for_each(|one| slice.add(one));
    }
    slices.push(slice);
    slices
}

/// The repositories in scope, sorted.
async fn repositories(context: &SessionContext) -> Result<Vec<Repository>, Error> {
    let batches =
        context.sql(REPOSITORIES).await.map_err(failed())?.collect().await.map_err(failed())?;
    let mut repositories = Vec::new();
    for batch in batches {
        let texts = batch.columns()[..5].iter().map(|column| cast(column, &DataType::Utf8));
        let texts: Vec<_> =
            texts.collect::<Result<_, _>>().map_err(|error| failed()(error.into()))?;
        let counts = batch.column(5).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let text = |column: usize| {
                let texts = texts[column].as_string::<i32>();
                if texts.is_null(row) { String::new() } else { texts.value(row).to_owned() }
            };
            repositories.push(Repository {
                organization: text(0),
                project: text(1),
                repository: text(2),
                repository_id: text(3),
                project_id: text(4),
                pull_requests: counts.value(row),
            });
        }
    }
    repositories.sort();
    Ok(repositories)
}

fn failed() -> impl FnOnce(DataFusionError) -> Error {
    Error::engine("cannot take the pull requests of some repositories")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(counts: [i64; 4], most: i64) -> Vec<String> {
        // The second `b` is the successor of the first one.
        let all = [("a", "1"), ("b", "2"), ("b", "4"), ("c", "3")];
        let repositories: Vec<Repository> = all
            .iter()
            .zip(counts)
            .map(|((name, id), pull_requests)| Repository {
                organization: "o".to_owned(),
                project: "P".to_owned(),
                repository: (*name).to_owned(),
                repository_id: (*id).to_owned(),
                project_id: "p".to_owned(),
                pull_requests,
            })
            .collect();
        let ids = |slice: Slice| slice.repositories["o"].iter().cloned().collect::<String>();
        divide(&repositories, most).into_iter().map(ids).collect()
    }

    #[test]
    fn a_slice_holds_what_can_be_judged_at_a_time_and_never_divides_a_name() {
        assert_eq!(divided([5, 5, 5, 5], 20), ["1234"]);
        assert_eq!(divided([5, 5, 5, 5], 15), ["124", "3"]);
        assert_eq!(divided([5, 5, 5, 5], 10), ["1", "24", "3"]);
        assert_eq!(divided([50, 0, 0, 50], 10), ["124", "3"]);
        assert_eq!(divided([0, 0, 0, 0], 10), ["1234"]);
    }
}
