//! Extraction of the whole simulated organization: everything is read, and nothing is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use adolake::ado::{Client, Endpoints, FixedToken, Gate, Options, Patience};
use adolake::event::Silent;
use adolake::extract::pull_request_details::{self, Parts, Target};
use adolake::extract::{
    Source, branches, organizations, pipelines, policies, projects, pull_requests, pushes,
    repositories, retention, run_jobs, runs, users,
};
use adolake::schema::{Catalog, Row};
use adolake::simulator::{self, Simulator};
use adolake::window::Window;
use chrono::DateTime;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use secrecy::SecretString;

use crate::support::canned::assert_whole;

fn source(simulator: &Simulator) -> Source {
    let (core, profile) = (simulator.organization_url(), simulator.url());
    let patience = Patience::default();
    let client = Client::new(Options {
        organization: simulator.organization().to_owned(),
        endpoints: Endpoints::parse(&core, &core, &profile, &profile).unwrap(),
        auth: Arc::new(FixedToken::pat(&SecretString::from(simulator.token())).unwrap()),
        gate: Gate::new(8, patience),
        patience,
        observer: Arc::new(Silent),
    })
    .unwrap();
    Source::new(client, Arc::new(Catalog::embedded().unwrap()))
}

/// Counts rows by table, and checks that each could be written.
#[derive(Default)]
struct Tally(BTreeMap<String, usize>);

impl Tally {
    fn take(&mut self, rows: &[Row]) {
        assert_whole(rows);
        for row in rows {
            *self.0.entry(row.table().name.clone()).or_default() += 1;
        }
    }
}

async fn all<T>(pages: impl Stream<Item = Result<T, adolake::extract::Error>>) -> Vec<T> {
    pages.try_collect().await.unwrap()
}

#[tokio::test]
async fn a_whole_organization_is_read_with_and_without_faults() {
    let plain = read_everything(simulator::Options::default()).await;
    for table in [
        "organizations",
        "profiles",
        "projects",
        "users",
        "repositories",
        "branches",
        "branch_policies",
        "pipelines",
        "pipeline_runs",
        "pipeline_run_finishes",
        "pipeline_run_jobs",
        "retention_settings",
        "pull_requests",
        "pull_request_reviewers",
        "pull_request_labels",
        "pull_request_votes",
        "pull_request_iterations",
        "pull_request_commits",
        "pull_request_changes",
        "pull_request_statuses",
        "pull_request_policy_evaluations",
        "pushes",
        "raw_answers",
    ] {
        assert!(plain.0.get(table).is_some_and(|count| *count > 0), "{table}: {:?}", plain.0);
    }
    assert!(plain.0["pull_requests"] >= 200, "{:?}", plain.0);

    let faults = "throttle=400,sign-in=3,error=20,truncate=31,reset=42".parse().unwrap();
    let faulty = read_everything(simulator::Options { faults, ..Default::default() }).await;
    assert_eq!(plain.0, faulty.0);
}

async fn read_everything(options: simulator::Options) -> Tally {
    let simulator = Simulator::start(options).await.unwrap();
    let source = source(&simulator);
    let mut tally = Tally::default();

    let signed_in = organizations::fetch(&source).await.unwrap();
    assert_eq!(signed_in.absent, Vec::<String>::new());
    tally.take(&signed_in.organizations);
    tally.take(&signed_in.profiles);
    let now = source.client().now().unwrap();
    assert_eq!(now.timestamp(), simulator.now().timestamp());
    let ever = Window::new(DateTime::UNIX_EPOCH, now);

    let found = projects::fetch(&source).await.unwrap().rows;
    tally.take(&found);
    let found_repositories = repositories::fetch(&source).await.unwrap().rows;
    tally.take(&found_repositories);
    let mut known: HashMap<String, String> = HashMap::new();
    for project in found.iter().filter(|row| row.text("state") == Some("wellFormed")) {
        let id = project.text("project_id").unwrap();
        read_project(&source, id, ever, &mut tally, &mut known).await;
    }
    for repository in &found_repositories {
        read_repository(&source, repository, ever, &mut tally).await;
    }
    let mut people = users::fetch(&source).await.unwrap();
    let left = people.fill(&known);
    for descriptor in &left {
        users::storage_key(&source, descriptor).await.unwrap();
    }
    tally.take(&people.rows);
    assert!(people.unreadable.is_none() && !known.is_empty());
    tally
}

async fn read_project(
    source: &Source,
    id: &str,
    ever: Window,
    tally: &mut Tally,
    known: &mut HashMap<String, String>,
) {
    tally.take(&pipelines::fetch(source, id).await.unwrap().rows);
    tally.take(&retention::fetch(source, id).await.unwrap().rows);
    repositories::deleted(source, id).await.unwrap();
    let configurations = policies::fetch(source, id).await.unwrap();
    for policy in configurations.value.iter().filter_map(|policy| policy.id) {
        let history = policies::revisions(source, id, policy).await.unwrap();
        assert_eq!(policies::one(source, id, policy).await.unwrap().value.id, Some(policy));
        tally.take(&policies::rows(source, id, &history, &policies::Known::default()).unwrap());
    }

    let mut run_ids = BTreeSet::new();
    let mut pages = all(runs::finished(source, id, ever)).await;
    for state in runs::UNFINISHED {
        pages.extend(all(runs::unfinished(source, id, state)).await);
    }
    pages.extend(all(runs::deleted(source, id, ever)).await);
    for page in &pages {
        tally.take(&page.runs);
        tally.take(&page.finishes);
        run_ids.extend(page.runs.iter().filter_map(|row| row.int("run_id")));
    }
    for run in run_ids.iter().take(20) {
        if let run_jobs::Jobs::Read(rows, _) =
            run_jobs::fetch(source, id, *run, "2026-01").await.unwrap()
        {
            tally.take(&rows);
        }
    }
    if let Some(run) = run_ids.first() {
        assert_eq!(runs::one(source, id, *run).await.unwrap().runs.len(), 1);
    }

    let mut pages = all(pull_requests::active(source, id)).await;
    for status in pull_requests::CLOSED {
        pages.extend(all(pull_requests::closed(source, id, status, ever)).await);
    }
    let mut targets = Vec::new();
    for page in pages {
        tally.take(&page.pull_requests);
        tally.take(&page.reviewers);
        tally.take(&page.labels);
        known.extend(identities(&page.pull_requests, "author_descriptor", "author_id"));
        known.extend(identities(&page.reviewers, "descriptor", "reviewer_id"));
        targets.extend(page.parents.into_iter().filter(|parent| parent.landed.is_some()));
    }
    let details: Vec<_> = futures::stream::iter(targets)
        .map(|parent| {
            let target = Target {
                project_id: id.to_owned(),
                repository_id: parent.repository_id,
                pull_request_id: parent.pull_request_id,
                created_month: parent.created_month,
            };
            let parts = Parts { changes: true, ..Parts::ALL };
            async move { pull_request_details::fetch(source, &target, parts).await.unwrap() }
        })
        .buffer_unordered(8)
        .collect()
        .await;
    for detail in details {
        detail.tables.values().for_each(|rows| tally.take(rows));
        tally.take(&detail.raw);
    }
}

fn identities(rows: &[Row], descriptor: &str, id: &str) -> Vec<(String, String)> {
    let text = |row: &Row, column: &str| row.text(column).map(str::to_owned);
    rows.iter().filter_map(|row| text(row, descriptor).zip(text(row, id))).collect()
}

async fn read_repository(source: &Source, repository: &Row, ever: Window, tally: &mut Tally) {
    let project = repository.text("project_id").unwrap();
    let id = repository.text("repository_id").unwrap();
    let found = branches::fetch(source, project, id, repository.text("default_branch")).await;
    if repository.bool("is_disabled") == Some(true) {
        assert!(found.unwrap_err().is_unreadable());
        return;
    }
    tally.take(&found.unwrap().rows);
    let Some(branch) = repository.text("default_branch") else { return };
    let full = format!("refs/heads/{branch}");
    for page in all(pushes::fetch(source, project, id, &full, ever)).await {
        tally.take(&page.pushes);
        let commits: Vec<String> = page
            .pushes
            .iter()
            .filter_map(|row| row.text("new_commit").map(str::to_owned))
            .collect();
        let explained = pushes::explained(source, project, id, &commits).await.unwrap();
        assert!(!explained.is_empty() || commits.is_empty());
        let moved = page.pushes.iter().find(|row| row.text("kind") == Some("update"));
        if let Some((old, new)) =
            moved.and_then(|row| Some((row.text("old_commit")?, row.text("new_commit")?)))
        {
            pushes::is_force(source, project, id, old, new).await.unwrap();
        }
    }
}
