//! Pushes to production branches, and which pull requests explain those that no merge commit does.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};

use super::Run;
use super::batch::{Close, Outlet, Unit};
use super::error::Error;
use super::scope::{Outcome, Scope};
use super::settled::Question;
use crate::extract::{self, Resource, pushes};
use crate::schema::Row;
use crate::window::Window;

/// A production branch that exists.
struct Branch {
    project_id: String,
    repository_id: String,
    ref_name: String,
    name: String,
    is_disabled: bool,
}

impl Branch {
    fn id(&self) -> String {
        format!("{}@{}", self.repository_id, self.ref_name)
    }
}

/// Reads the pushes to all production branches.
pub(super) async fn read(run: &Run, outlet: &Outlet) -> Result<(), Error> {
    if !run.wants(Resource::Pushes) {
        return Ok(());
    }
    run.begin(Resource::Pushes);
    let (disabled, branches): (Vec<_>, Vec<_>) =
        branches(run).await?.into_iter().partition(|branch| branch.is_disabled);
    let skipped = disabled.into_iter().map(|branch| {
        let window = Window::new(run.upper, run.upper);
        let scope = Scope::new(Resource::Pushes, branch.id(), branch.name, window);
        (scope, Outcome::Skipped("the repository is disabled".into()))
    });
    run.record(skipped.collect()).await?;
    run.expect(Resource::Pushes, branches.len());
    futures::stream::iter(branches)
        .map(async |branch| of_branch(run, outlet, branch).await)
        .buffer_unordered(run.in_flight())
        .try_collect()
        .await
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
        rules.is_production(name).then(|| Branch {
            is_disabled: repository.is_disabled,
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

/// Returns the windows of the production branches that the lake knows.
pub(super) async fn planned(run: &Run) -> Result<Vec<(String, Window)>, Error> {
    let branches = branches(run).await?.into_iter().filter(|branch| !branch.is_disabled);
    let windows = |branch: Branch| {
        let gaps = run.gaps(Resource::Pushes, &branch.id());
        gaps.into_iter().map(move |gap| (branch.name.clone(), gap))
    };
    Ok(branches.flat_map(windows).collect())
}

async fn of_branch(run: &Run, outlet: &Outlet, branch: Branch) -> Result<(), Error> {
    let id = branch.id();
    let mut count = 0;
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
        let (window, mut units) = (outlet.window(), 0);
        let outcome = match run.sort_out(super::jobs::all(pages).await)? {
            Ok(pages) => {
                for page in pages {
                    count += page.pushes.len();
                    units += 1;
                    let mut unit =
                        Unit { window: Some(window), seen_at: page.seen_at, ..Unit::default() };
                    unit.tables.insert("pushes", page.pushes);
                    outlet.hand_over(unit).await;
                }
                Outcome::Ok
            }
            Err(outcome) => outcome,
        };
        let close = Close { window, units, scope, outcome, counts: Vec::new() };
        outlet.close(close).await;
    }
    run.progress(Resource::Pushes, count, 1);
    Ok(())
}

/// Asks once for every push that no known merge commit explains which pull requests brought its commit, and whether it
/// was forced.
pub(super) async fn explain(run: &Run) -> Result<(), Error> {
    if run.is_settled(Question::Pushes) {
        return Ok(());
    }
    let sql = "select p.* from pushes p left anti join pull_requests m \
               on p.organization = m.organization and p.repository_id = m.repository_id \
               and p.new_commit = m.merge_commit and p.ref_name = m.target_ref and m.status = 'completed' \
               and m.closed_at >= $start_at - interval '7 days' \
               where p.organization = $organization and p.kind = 'update' and p.pull_request_ids is null \
               and p.at >= $start_at";
    let rows = run.query("pushes", sql, "which pushes are not explained").await?;
    if rows.is_empty() {
        run.settle(Question::Pushes, None);
        return Ok(());
    }
    let unexplained = rows.len();
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
    let explained = explained.concat();
    let is_all = explained.len() == unexplained;
    run.write("pushes", explained, Vec::new(), run.now()).await?;
    if is_all {
        run.settle(Question::Pushes, None);
    }
    Ok(())
}

async fn of_commits(run: &Run, repository_id: &str, rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let rules = run.judge.repositories.get(repository_id).filter(|rules| rules.is_readable());
    let Some(rules) = rules else { return Ok(Vec::new()) };
    let commits: Vec<String> =
        rows.iter().filter_map(|row| row.text("new_commit").map(str::to_owned)).collect();
    let project = &rules.project_id;
    let source = run.metered(&run.explanations.meter(project));
    let answer = pushes::explained(&source, project, repository_id, &commits).await;
    let explained = match settle(run, project, answer)? {
        Some(explained) => explained,
        None => return Ok(Vec::new()),
    };
    let mut changed = Vec::with_capacity(rows.len());
    for mut row in rows {
        let commit = row.text("new_commit").unwrap_or_default().to_owned();
        let Some(numbers) = explained.get(&commit) else { continue };
        let old = row.text("old_commit").unwrap_or_default().to_owned();
        let forced = pushes::is_force(&source, project, repository_id, &old, &commit).await;
        let Some(forced) = settle(run, project, forced)? else { continue };
        row.set("is_force", forced);
        row.set("pull_request_ids", pushes::joined(numbers));
        changed.push(row);
    }
    Ok(changed)
}

/// Leaves a push unexplained where the question is not answered now; the next sync asks again.
fn settle<T>(
    run: &Run,
    project: &str,
    result: Result<T, extract::Error>,
) -> Result<Option<T>, Error> {
    match run.sort_out(result)? {
        Ok(value) => Ok(Some(value)),
        Err(outcome) => {
            run.explanations.missing(project, outcome.error().unwrap_or_default().to_owned());
            Ok(None)
        }
    }
}
