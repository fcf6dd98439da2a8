//! Finds in the lake what somebody asks to be explained, or says what is nearest to it.

use std::collections::BTreeMap;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::{SessionContext, col, ident, lit};

use super::resource::{Place, Target, Wanted};
use crate::checks::error::Error;
use crate::checks::settings::Repository;
use crate::config::Settings;
use crate::hint::nearest_few;

/// How many names are told where what was asked for does not exist.
const NEAREST: usize = 3;

/// A resource that exists.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) repository: Repository,
    pub(super) target: Target,
}

impl Found {
    /// Returns the name of the resource.
    pub(super) fn resource(&self) -> String {
        named(&self.repository, &self.target)
    }
}

/// Finds what is wanted among the repositories that are judged.
///
/// # Errors
/// Fails when there is no such repository, pull request or branch, or more than one, naming those that are nearest.
pub(super) async fn find(
    context: &SessionContext,
    settings: &Settings,
    known: &[Repository],
    wanted: &Wanted,
) -> Result<Found, Error> {
    let fitting: Vec<&Repository> = wanted
        .places
        .iter()
        .map(|place| known.iter().filter(|one| fits(place, one)).collect::<Vec<_>>())
        .find(|fitting| !fitting.is_empty())
        .unwrap_or_default();
    if fitting.is_empty() {
        return Err(no_repository(known, wanted));
    }
    match &wanted.target {
        Target::PullRequest(number) => {
            pull_request(context, known, &fitting, *number, wanted).await
        }
        Target::Branch(branch) => branch_of(context, settings, &fitting, branch, wanted).await,
        Target::Repository => {
            let repository = one_of(&existing(context, &fitting).await?, wanted)?;
            Ok(Found { repository: repository.clone(), target: Target::Repository })
        }
    }
}

/// Names are compared without case, as Azure DevOps does.
fn fits(place: &Place, repository: &Repository) -> bool {
    let is = |wanted: &Option<String>, names: &[&str]| {
        wanted.as_ref().is_none_or(|wanted| {
            names.iter().any(|name| name.to_lowercase() == wanted.to_lowercase())
        })
    };
    is(&place.organization, &[&repository.organization])
        && is(&place.project, &[&repository.project, &repository.project_id])
        && is(&place.repository, &[&repository.repository, &repository.repository_id])
}

async fn pull_request(
    context: &SessionContext,
    known: &[Repository],
    fitting: &[&Repository],
    number: i64,
    wanted: &Wanted,
) -> Result<Found, Error> {
    let failed = || Error::engine("cannot look the pull request up");
    let columns = ["organization", "repository_id", "pull_request_id"];
    let frame = context.table("pull_requests").await.map_err(failed())?;
    let frame = frame.select_columns(&columns).map_err(failed())?;
    let batches = frame.clone().filter(col("pull_request_id").eq(lit(number))).map_err(failed())?;
    let same = texts(&batches.collect().await.map_err(failed())?)?;
    let holds = |repository: &Repository| {
        same.iter()
            .any(|row| row[0] == repository.organization && row[1] == repository.repository_id)
    };
    let holding: Vec<&Repository> = fitting.iter().copied().filter(|one| holds(one)).collect();
    if !holding.is_empty() {
        let repository = one_of(&holding, wanted)?;
        return Ok(Found { repository: repository.clone(), target: Target::PullRequest(number) });
    }
    let mut near: Vec<String> = known
        .iter()
        .filter(|one| holds(one))
        .map(|one| named(one, &Target::PullRequest(number)))
        .collect();
    let own: Vec<_> = fitting.iter().map(|one| lit(one.repository_id.as_str())).collect();
    if wanted.places.iter().any(|place| place.repository.is_some()) {
        let frame = frame.filter(ident("repository_id").in_list(own, false)).map_err(failed())?;
        let mut others: Vec<(u64, String)> = Vec::new();
        for row in texts(&frame.collect().await.map_err(failed())?)? {
            let Ok(other) = row[2].parse::<i64>() else { continue };
            let holder = fitting.iter().find(|one| one.repository_id == row[1]);
            others.extend(
                holder.map(|one| (other.abs_diff(number), named(one, &Target::PullRequest(other)))),
            );
        }
        others.sort();
        near.extend(others.into_iter().map(|(_, name)| name));
    }
    near.truncate(NEAREST);
    Err(Error::NoResource { what: "pull request", text: wanted.text.clone(), near })
}

async fn branch_of(
    context: &SessionContext,
    settings: &Settings,
    fitting: &[&Repository],
    branch: &str,
    wanted: &Wanted,
) -> Result<Found, Error> {
    let repository = one_of(&existing(context, fitting).await?, wanted)?;
    let failed = || Error::engine("cannot look the branch up");
    let frame = context.table("branches").await.map_err(failed())?;
    let frame = frame
        .filter(
            col("organization")
                .eq(lit(repository.organization.as_str()))
                .and(col("repository_id").eq(lit(repository.repository_id.as_str()))),
        )
        .and_then(|frame| frame.select_columns(&["name"]))
        .map_err(failed())?;
    let rows = texts(&frame.collect().await.map_err(failed())?)?;
    // A configured branch that does not exist is judged too.
    let own = settings.of(&repository.organization, &repository.project, &repository.repository);
    let configured = own.production_branches.iter().filter(|name| !name.contains('*'));
    let names: Vec<&str> =
        rows.iter().map(|row| row[0].as_str()).chain(configured.map(String::as_str)).collect();
    let name = names
        .iter()
        .find(|name| **name == branch)
        .or_else(|| names.iter().find(|name| name.to_lowercase() == branch.to_lowercase()));
    match name {
        Some(name) => {
            Ok(Found { repository: repository.clone(), target: Target::Branch((*name).to_owned()) })
        }
        None => {
            let near = nearest_few(branch, names.iter().copied(), NEAREST)
                .into_iter()
                .map(|name| named(repository, &Target::Branch(name.to_owned())))
                .collect();
            Err(Error::NoResource { what: "branch", text: wanted.text.clone(), near })
        }
    }
}

/// Of several repositories, those that are not deleted; all where all are.
async fn existing<'a>(
    context: &SessionContext,
    fitting: &[&'a Repository],
) -> Result<Vec<&'a Repository>, Error> {
    if fitting.len() < 2 {
        return Ok(fitting.to_vec());
    }
    let failed = || Error::engine("cannot look the repository up");
    let frame = context.table("repositories").await.map_err(failed())?;
    let frame = frame
        .filter(col("deleted_at").is_null())
        .and_then(|frame| frame.select_columns(&["organization", "repository_id"]))
        .map_err(failed())?;
    let rows = texts(&frame.collect().await.map_err(failed())?)?;
    let existing: Vec<&Repository> = fitting
        .iter()
        .copied()
        .filter(|one| {
            rows.iter().any(|row| row[0] == one.organization && row[1] == one.repository_id)
        })
        .collect();
    Ok(if existing.is_empty() { fitting.to_vec() } else { existing })
}

fn one_of<'a>(fitting: &[&'a Repository], wanted: &Wanted) -> Result<&'a Repository, Error> {
    match fitting {
        [repository] => Ok(repository),
        many => Err(Error::ManyResources {
            text: wanted.text.clone(),
            found: many.iter().map(|one| named(one, &wanted.target)).collect(),
        }),
    }
}

fn no_repository(known: &[Repository], wanted: &Wanted) -> Error {
    let names: BTreeMap<String, &Repository> =
        known.iter().map(|one| (named(one, &Target::Repository), one)).collect();
    let of_place = |place: &Place| {
        let parts = [&place.organization, &place.project, &place.repository];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join("/")
    };
    let place = wanted.places.first().map(of_place).unwrap_or_default();
    let near = nearest_few(&place, names.keys().map(String::as_str), NEAREST)
        .into_iter()
        .filter_map(|name| names.get(name))
        .map(|one| named(one, &wanted.target))
        .collect();
    Error::NoResource { what: "repository", text: wanted.text.clone(), near }
}

fn named(repository: &Repository, target: &Target) -> String {
    let Repository { organization, project, repository, .. } = repository;
    let name = format!("{organization}/{project}/{repository}");
    match target {
        Target::PullRequest(number) => format!("{name}!{number}"),
        Target::Branch(branch) => format!("{name}@refs/heads/{branch}"),
        Target::Repository => name,
    }
}

/// The cells of rows as text; empty for null.
fn texts(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, Error> {
    let failed = || Error::engine("cannot read names of the lake");
    let mut rows = Vec::new();
    for batch in batches {
        let mut columns: Vec<Vec<String>> = Vec::new();
        for column in batch.columns() {
            columns.push(if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
                numbers.iter().map(|number| number.unwrap_or_default().to_string()).collect()
            } else {
                let column =
                    cast(column, &DataType::Utf8).map_err(|error| failed()(error.into()))?;
                let texts = column.as_string::<i32>().iter();
                texts.map(|text| text.unwrap_or_default().to_owned()).collect()
            });
        }
        rows.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|column| column[row].clone()).collect()),
        );
    }
    Ok(rows)
}
