//! Pushes to production branches, and which pull requests explain those that no merge commit does.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};

use super::Run;
use super::error::Error;
use super::scope::{Outcome, Scope};
use crate::extract::{self, Resource, pushes};
use crate::schema::Row;

/// A production branch that exists.
struct Branch {
    project_id: String,
    repository_id: String,
    ref_name: String,
    name: String,
}

/// Reads the pushes to all production branches.
pub(super) async fn read(run: &Run) -> Result<(), Error> {
    if !run.wants(Resource::Pushes) {
        return Ok(());
    }
    run.begin(Resource::Pushes);
    let branches = branches(run).await?;
    run.expect(Resource::Pushes, branches.len());
    // Rows of many branches go into one commit; the windows follow them.
    let mut read = futures::stream::iter(branches)
        .map(async |branch| of_branch(run, branch).await)
        .buffer_unordered(run.in_flight())
        .ready_chunks(256);
    while let Some(chunk) = read.next().await {
        let (mut rows, mut ended, mut seen_at) = (Vec::new(), Vec::new(), None);
        for result in chunk {
            let (pushed, scopes) = result?;
            rows.extend(pushed);
            ended.extend(scopes);
            seen_at = Some(run.now());
        }
        if let Some(seen_at) = seen_at {
            run.write("pushes", rows, Vec::new(), seen_at).await?;
        }
        run.record(ended).await?;
    }
    run.end(Resource::Pushes, &["pushes"]);
    Ok(())
}

async fn branches(run: &Run) -> Result<Vec<Branch>, Error> {
    let sql = "select * from branches where organization = $organization and deleted_at is null";
    let rows = run.query("branches", sql, "which branches there are").await?;
    let branch = |row: &Row| {
        let repository = run
            .repositories
            .iter()
            .find(|one| Some(one.id.as_str()) == row.text("repository_id"))?;
        let name = row.text("name")?;
        let rules = run.judge.repositories.get(&repository.id)?;
        (!repository.is_disabled && rules.is_production(name)).then(|| Branch {
            project_id: repository.project_id.clone(),
            repository_id: repository.id.clone(),
            ref_name: format!("refs/heads/{name}"),
            name: format!(
                "{}/{}@{name}",
                run.project_name(&repository.project_id),
                repository.name
            ),
        })
    };
    Ok(rows.iter().filter_map(branch).collect())
}

async fn of_branch(run: &Run, branch: Branch) -> Result<(Vec<Row>, Vec<(Scope, Outcome)>), Error> {
    let id = format!("{}@{}", branch.repository_id, branch.ref_name);
    let (mut rows, mut ended) = (Vec::new(), Vec::new());
    for gap in run.gaps(Resource::Pushes, &id) {
        let scope = Scope::new(Resource::Pushes, &id, &branch.name, gap);
        let source = run.metered(&scope.meter);
        let pages = pushes::fetch(
            &source,
            &branch.project_id,
            &branch.repository_id,
            &branch.ref_name,
            gap,
        );
        let outcome = match run.sort_out(super::jobs::all(pages).await)? {
            Ok(pages) => {
                rows.extend(pages.into_iter().flat_map(|page| page.pushes));
                Outcome::Ok
            }
            Err(outcome) => outcome,
        };
        ended.push((scope, outcome));
    }
    run.progress(Resource::Pushes, rows.len(), 1);
    Ok((rows, ended))
}

/// Asks once for every push that no known merge commit explains which pull requests brought its commit, and whether it
/// was forced.
pub(super) async fn explain(run: &Run) -> Result<(), Error> {
    let sql = "select p.* from pushes p left anti join pull_requests m \
               on p.organization = m.organization and p.repository_id = m.repository_id \
               and p.new_commit = m.merge_commit and p.ref_name = m.target_ref and m.status = 'completed' \
               where p.organization = $organization and p.kind = 'update' and p.pull_request_ids is null \
               and p.at >= $start_at";
    let rows = run.query("pushes", sql, "which pushes are not explained").await?;
    let mut by_repository: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let repository = row.text("repository_id").unwrap_or_default().to_owned();
        by_repository.entry(repository).or_default().push(row);
    }
    let explained: Vec<Vec<Row>> = futures::stream::iter(by_repository)
        .map(async |(repository, rows)| of_commits(run, &repository, rows).await)
        .buffer_unordered(run.in_flight())
        .try_collect()
        .await?;
    run.write("pushes", explained.concat(), Vec::new(), run.now()).await?;
    Ok(())
}

async fn of_commits(run: &Run, repository_id: &str, rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let Some(rules) = run.judge.repositories.get(repository_id) else { return Ok(Vec::new()) };
    let commits: Vec<String> =
        rows.iter().filter_map(|row| row.text("new_commit").map(str::to_owned)).collect();
    let project = &rules.project_id;
    let answer = pushes::explained(&run.source, project, repository_id, &commits).await;
    let explained = match settle(run, answer)? {
        Some(explained) => explained,
        None => return Ok(Vec::new()),
    };
    let mut changed = Vec::with_capacity(rows.len());
    for mut row in rows {
        let commit = row.text("new_commit").unwrap_or_default().to_owned();
        let Some(numbers) = explained.get(&commit) else { continue };
        let old = row.text("old_commit").unwrap_or_default().to_owned();
        let forced = pushes::is_force(&run.source, project, repository_id, &old, &commit).await;
        row.set("is_force", settle(run, forced)?.flatten());
        row.set("pull_request_ids", pushes::joined(numbers));
        changed.push(row);
    }
    Ok(changed)
}

/// Leaves a push unexplained where the question is not answered now; the next sync asks again.
fn settle<T>(run: &Run, result: Result<T, extract::Error>) -> Result<Option<T>, Error> {
    match run.sort_out(result)? {
        Ok(value) => Ok(Some(value)),
        Err(outcome) => {
            run.warn(format!("a push stays unexplained: {}", outcome.error().unwrap_or_default()));
            Ok(None)
        }
    }
}
