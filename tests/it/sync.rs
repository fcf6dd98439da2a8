//! Whole syncs of the simulated organization into a lake: what stands there, and what a second one adds.

mod details;
mod listed;
mod older;
mod places;
mod planned;
mod policies;
mod population;
mod pushes;
mod runs;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use adolake::ado::{Client, Endpoints, FixedToken, Gate, Options as ClientOptions, Patience};
use adolake::config::{Config, Environment};
use adolake::event::{Event, Observer, Silent};
use adolake::extract::Source;
use adolake::lake::Lake;
use adolake::schema::{Catalog, Row};
use adolake::simulator::{Options as World, Simulator};
use adolake::sync::{Error, Input, Options, Report, plan, sync};
use datafusion::arrow::util::pretty::pretty_format_batches;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::world::files;

const DAY: Duration = Duration::from_secs(86_400);
const SELECTORS: &str = r#"
[defaults]
production-branches = ["main", "release/*"]
sast = [{ job = "CodeQL/*/*" }, { pipeline = "CodeQL", paths = ["src/**"] }]
"#;

pub async fn world() -> Simulator {
    Simulator::start(World::default()).await.unwrap()
}

pub fn config(start: &str, more: &str) -> Config {
    let text = format!("[checks]\nstart-date = {start}\n{more}");
    Config::parse(Path::new("/adolake.toml"), &text, &Environment::from_iter([("A", "b")])).unwrap()
}

fn lake(folder: &TempDir) -> Arc<Lake> {
    let catalog = Arc::new(Catalog::embedded().unwrap());
    let url = folder.path().join("lake").display().to_string();
    Arc::new(Lake::open(&url, &BTreeMap::new(), 400 * DAY, catalog).unwrap())
}

/// How a client asks the simulator, eight requests at a time.
pub fn client_options(simulator: &Simulator) -> ClientOptions {
    let core = simulator.organization_url();
    ClientOptions {
        organization: simulator.organization().to_owned(),
        endpoints: Endpoints::parse(&core, &core, &simulator.url(), &core).unwrap(),
        auth: Arc::new(FixedToken::pat(&simulator.token().into()).unwrap()),
        gate: Gate::new(8, Patience::default()),
        patience: Patience::default(),
        observer: Arc::new(Silent),
    }
}

/// Lets a sync ask in another way.
pub fn ask_by(input: &mut Input, options: ClientOptions) {
    input.source = Source::new(Client::new(options).unwrap(), Arc::clone(input.lake.catalog()));
}

pub fn input(
    simulator: &Simulator,
    config: &Config,
    lake: &Arc<Lake>,
    observer: Arc<dyn Observer>,
) -> Input {
    let options = ClientOptions { observer: Arc::clone(&observer), ..client_options(simulator) };
    let client = Client::new(options).unwrap();
    Input {
        source: Source::new(client, Arc::clone(lake.catalog())),
        lake: Arc::clone(lake),
        projects: adolake::config::Projects::new(vec!["*".to_owned()]).unwrap(),
        section: config.sync.clone(),
        settings: config.settings.clone(),
        observer,
        stop: CancellationToken::new(),
    }
}

pub async fn synced(simulator: &Simulator, config: &Config, lake: &Arc<Lake>) -> Report {
    sync(input(simulator, config, lake, Arc::new(Silent)), &Options::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_refused_takes_down_what_is_no_longer_known() {
    let (simulator, folder) = (world().await, TempDir::new().unwrap());
    let (config, lake) = (config("2026-07-01", SELECTORS), lake(&folder));
    let wrong = || {
        let mut own = input(&simulator, &config, &lake, Arc::new(Silent));
        let patience = Patience { first_wait: Duration::from_millis(1), ..Patience::default() };
        let options = ClientOptions {
            auth: Arc::new(FixedToken::pat(&"wrong".into()).unwrap()),
            gate: Gate::new(8, patience),
            patience,
            ..client_options(&simulator)
        };
        ask_by(&mut own, options);
        own
    };
    let refused = sync(wrong(), &Options::default()).await.unwrap_err();
    assert!(refused.is_of_one_organization(), "{refused}");
    assert!(!folder.path().join("lake/sync_runs").exists(), "there was nothing to be known");

    synced(&simulator, &config, &lake).await;
    let last = "select resource, scope, last_value(status order by started_at, window_to, run_id) as status, \
                max(finished_at) as at from sync_runs \
                where resource in ('branch_policies', 'branches', 'pushes') and status <> 'skipped' group by 1, 2";
    let known = format!("select count(*) from ({last}) where status = 'ok'");
    let count = number(&lake, &known).await;
    assert!(count > 100, "{count}");
    simulator.advance(30 * DAY);
    sync(wrong(), &Options::default()).await.unwrap_err();
    assert_eq!(number(&lake, &known).await, 0);
    let at = format!("select count(*) from ({last}) where at = '2026-10-31T08:00:00Z'");
    assert_eq!(number(&lake, &at).await, count);
    // The time up to which the lake can be judged is that of what was read.
    let judged =
        "select max(finished_at) < '2026-10-02' from sync_runs where status in ('ok', 'partial')";
    assert!(asked(&lake, judged).await.contains("true"));

    let report = synced(&simulator, &config, &lake).await;
    assert!(!report.is_partial());
    // What is gone by now stays as it was last asked for.
    let unknown = format!(
        "select count(*) from ({last}) left join repositories on repository_id = split_part(scope, '@', 1) \
         where status <> 'ok' and (resource = 'branch_policies' or (not is_disabled and deleted_at is null))"
    );
    assert_eq!(number(&lake, &unknown).await, 0, "all of it is known again");
}

/// As [`input`], with one request at a time.
fn slow_input(
    simulator: &Simulator,
    config: &Config,
    lake: &Arc<Lake>,
    observer: Arc<dyn Observer>,
) -> Input {
    let mut input = input(simulator, config, lake, Arc::clone(&observer));
    let gate = Gate::new(1, Patience::default());
    ask_by(&mut input, ClientOptions { gate, observer, ..client_options(simulator) });
    input
}

/// Lets a minute pass whenever something has been read, so that what was gathered is written soon.
struct Clock(Arc<Simulator>);

impl Observer for Clock {
    fn observe(&self, event: &Event) {
        if matches!(event, Event::Progress { .. }) {
            self.0.advance(Duration::from_secs(60));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_writing_fails_reading_ends() {
    let (simulator, config) = (Arc::new(world().await), config("2023-01-01", SELECTORS));
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    synced(&simulator, &config, &lake(&folder)).await;
    let whole = simulator.arrived();
    // A new lake, but for a table whose files are gone: who looks for its rows fails.
    let statuses = folder.path().join("lake/pull_request_statuses");
    for file in files(&statuses, ".zstd.parquet") {
        std::fs::remove_file(file).unwrap();
    }
    std::fs::create_dir(other.path().join("lake")).unwrap();
    std::fs::rename(&statuses, other.path().join("lake/pull_request_statuses")).unwrap();
    let observer = Arc::new(Clock(Arc::clone(&simulator)));
    let input = slow_input(&simulator, &config, &lake(&other), observer);
    let error = sync(input, &Options::default()).await.err().map(|error| error.to_string());
    assert!(error.as_ref().is_some_and(|text| text.contains("pull_request_statuses")), "{error:?}");
    let asked = simulator.arrived() - whole;
    assert!(asked < whole / 2, "{asked} of {whole} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_at_a_time_is_enough() {
    // Many short pages: the next one of each list waits for the only place, and so do details.
    let faults = "page-rows=4".parse().unwrap();
    let simulator = Simulator::start(World { faults, ..World::default() }).await.unwrap();
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (config, lake_of_one) = (config("2026-03-01", SELECTORS), lake(&folder));
    let input = slow_input(&simulator, &config, &lake_of_one, Arc::new(Silent));
    let options = Options::default();
    let ended = tokio::time::timeout(Duration::from_secs(120), sync(input, &options));
    assert!(!ended.await.expect("it must not stand still").unwrap().is_partial());
    let lake_of_many = lake(&other);
    synced(&simulator, &config, &lake_of_many).await;
    for table in ["pull_requests", "pull_request_votes", "pipeline_runs", "pushes"] {
        let count = format!("select count(*) from {table}");
        assert_eq!(number(&lake_of_one, &count).await, number(&lake_of_many, &count).await);
    }
}

/// The only row of a report about a resource in a scope.
fn only_from<'a>(report: &'a Report, resource: &str, scope: &str) -> &'a Row {
    let is_it =
        |row: &&Row| row.text("resource") == Some(resource) && row.text("scope") == Some(scope);
    let rows: Vec<&Row> = report.rows.iter().filter(is_it).collect();
    assert_eq!(rows.len(), 1, "{resource} of {scope}");
    rows[0]
}

/// Prints what a query answers.
async fn asked(lake: &Lake, sql: &str) -> String {
    let session = lake.session().await.unwrap();
    let batches = session.ctx.sql(sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

async fn number(lake: &Lake, sql: &str) -> i64 {
    use datafusion::arrow::array::AsArray as _;
    use datafusion::arrow::datatypes::Int64Type;
    let session = lake.session().await.unwrap();
    let batches = session.ctx.sql(sql).await.unwrap().collect().await.unwrap();
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// Prints the content of all tables but those of the runs, without what tells one run from another.
async fn content(lake: &Lake) -> BTreeMap<String, Vec<String>> {
    let mut content = BTreeMap::new();
    for table in lake.catalog().tables().filter(|table| table.name != "sync_runs") {
        let columns: Vec<&str> = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| {
                !name.starts_with('_') && *name != "fetched_at" && *name != "fetched_month"
            })
            .collect();
        let sql = format!("select {} from {}", columns.join(", "), table.name);
        let mut lines: Vec<String> = asked(lake, &sql).await.lines().map(squeezed).collect();
        lines.sort();
        content.insert(table.name.clone(), lines);
    }
    content
}

/// Removes the padding, which depends on the widest row.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ").trim_matches(['-', '+']).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sync_of_an_unchanged_organization_writes_nothing_and_asks_little() {
    let (simulator, folder) = (world().await, TempDir::new().unwrap());
    let (config, lake) = (config("2023-01-01", SELECTORS), lake(&folder));
    let first = synced(&simulator, &config, &lake).await;
    assert!(!first.is_partial(), "{:?}", first.rows);
    let before = lake.session().await.unwrap().versions;
    let asked_before = simulator.requests().total;
    let second = synced(&simulator, &config, &lake).await;
    let asked = simulator.requests().total - asked_before;
    let mut after = lake.session().await.unwrap().versions;
    assert!(!second.is_partial());
    assert_ne!(after["sync_runs"], before["sync_runs"]);
    after.insert("sync_runs".into(), before["sync_runs"]);
    assert_eq!(after, before, "only the record of the run is written");
    // What the formula counts: a list of repositories; per project policies, active, completed and abandoned pull
    // requests, finished, running and waiting runs; two calls per production branch. Every list that is paged by number
    // ends with an empty page.
    let of = |names: &[&str]| -> i64 {
        let rows = second.rows.iter().filter(|row| names.contains(&row.text("resource").unwrap()));
        rows.filter_map(|row| row.int("requests")).sum()
    };
    let scopes = |name: &str| -> i64 {
        let rows = second.rows.iter().filter(|row| row.text("resource") == Some(name));
        i64::try_from(rows.filter(|row| row.int("requests") > Some(0)).count()).unwrap()
    };
    let projects = number(&lake, "select count(*) from projects").await;
    let empty_pages = 3 * projects;
    let most = 1 + 7 * projects + 2 * scopes("pushes") + empty_pages;
    let counted = [
        "repositories",
        "branch_policies",
        "pull_requests",
        "pull_request_details",
        "pipeline_runs",
        "pipeline_run_jobs",
        "pushes",
    ];
    assert!(of(&counted) <= most, "{} requests, at most {most} expected", of(&counted));
    // And what it leaves out: who is signed in, projects, definitions, refs; users, profile and retention not each time.
    let others = 1 + 2 + projects + scopes("branches");
    assert!(i64::try_from(asked).unwrap() - of(&counted) <= others, "{asked} requests");
    assert_eq!(of(&["users", "retention_settings"]), 0);
    assert_eq!(second.requests(), i64::try_from(asked).unwrap(), "every request is on record");
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_passes_without_anything_happening_rewrites_no_row() {
    let (simulator, folder) = (world().await, TempDir::new().unwrap());
    let (config, lake) = (config("2026-01-01", ""), lake(&folder));
    synced(&simulator, &config, &lake).await;
    let before = lake.session().await.unwrap().versions;
    simulator.advance(Duration::from_secs(30));
    synced(&simulator, &config, &lake).await;
    let mut after = lake.session().await.unwrap().versions;
    after.insert("sync_runs".into(), before["sync_runs"]);
    assert_eq!(after, before, "only the record of the run is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_lake_is_what_the_organization_has() {
    let (simulator, folder) = (world().await, TempDir::new().unwrap());
    let (config, lake) = (config("2023-01-01", SELECTORS), lake(&folder));
    synced(&simulator, &config, &lake).await;
    for (what, sql) in [
        (
            "listed pull requests are landed",
            "select count(*) from population_counts c join (select repository_id, target_ref, to_char(closed_at, '%Y-%m') m, count(*) n from pull_requests where status = 'completed' group by 1, 2, 3) p on c.repository_id = p.repository_id and c.ref_name = p.target_ref and c.closed_month = p.m where c.listed_count <> p.n",
        ),
        (
            "judged pull requests have details",
            "select count(*) from merged_prs where details_read_at is null or threads_read_at is null or iterations_read_at is null or statuses_read_at is null or evaluations_read_at is null or commits_read_at is null",
        ),
        (
            "children have a pull request",
            "select count(*) from pull_request_votes v left anti join pull_requests p using (repository_id, pull_request_id)",
        ),
        (
            "reviewers have a pull request",
            "select count(*) from pull_request_reviewers v left anti join pull_requests p using (repository_id, pull_request_id)",
        ),
        (
            "runs of GitHub belong to none",
            "select count(*) from pipeline_runs where repository_type <> 'TfsGit' and pull_request_id is not null",
        ),
    ] {
        let sql = sql.replace("merged_prs", "(select * from pull_requests p join repositories r using (repository_id) where p.status = 'completed' and not r.is_disabled and (target_ref = 'refs/heads/main' or target_ref like 'refs/heads/release/%' and target_ref not like 'refs/heads/release/%/%'))");
        assert_eq!(number(&lake, &sql).await, 0, "{what}");
    }
    for table in [
        "pull_requests",
        "pull_request_votes",
        "pull_request_statuses",
        "pull_request_iterations",
        "pull_request_commits",
        "pull_request_policy_evaluations",
        "pull_request_changes",
        "pipeline_run_jobs",
        "pipeline_run_finishes",
        "pushes",
        "raw_answers",
        "users",
        "branch_policies",
        "retention_settings",
        "population_counts",
        "profiles",
    ] {
        assert!(
            number(&lake, &format!("select count(*) from {table}")).await > 0,
            "`{table}` is empty"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_clock_brings_is_read_and_what_was_seen_stays() {
    let (simulator, folder) = (world().await, TempDir::new().unwrap());
    let (config, lake) = (config("2023-01-01", SELECTORS), lake(&folder));
    synced(&simulator, &config, &lake).await;
    let runs = number(&lake, "select count(*) from pipeline_runs").await;
    for _ in 0..6 {
        simulator.advance(10 * DAY);
        let report = synced(&simulator, &config, &lake).await;
        assert!(
            !report.is_partial(),
            "{:?}",
            report.rows.iter().filter_map(|row| row.text("error")).collect::<Vec<_>>()
        );
    }
    assert!(number(&lake, "select count(*) from pipeline_runs").await > runs);
    assert_eq!(
        number(&lake, "select count(*) - count(distinct run_id) from pipeline_runs").await,
        0
    );
    assert_eq!(
        number(&lake, "select count(*) - count(distinct pull_request_id) from pull_requests").await,
        0
    );
    assert!(
        number(&lake, "select count(*) from pipeline_runs where deleted_at is not null").await > 0
    );
    // What six small steps gave is what one look at the end gives, but for what was seen in between.
    let late = TempDir::new().unwrap();
    let fresh = self::lake(&late);
    synced(&simulator, &config, &fresh).await;
    let sql = "select count(*) from pull_requests where status = 'completed'";
    assert!(number(&lake, sql).await >= number(&fresh, sql).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn wider_settings_fill_themselves_in() {
    let (simulator, folder) = (world().await, TempDir::new().unwrap());
    let lake = lake(&folder);
    synced(&simulator, &config("2026-09-01", ""), &lake).await;
    let read = "select count(*) from pull_requests where details_read_at is not null";
    let few = number(&lake, read).await;
    synced(&simulator, &config("2025-01-01", SELECTORS), &lake).await;
    let many = number(&lake, read).await;
    assert!(many > few, "{many} > {few}");
    assert!(
        number(&lake, "select count(*) from pull_requests where changes_read_at is not null").await
            >= few
    );
    assert!(number(&lake, "select count(*) from pipeline_run_jobs").await > 0);
    // The same as if the settings had been so from the start.
    let other = TempDir::new().unwrap();
    let fresh = self::lake(&other);
    synced(&simulator, &config("2025-01-01", SELECTORS), &fresh).await;
    assert_eq!(content(&lake).await, content(&fresh).await);
}

/// Asks a sync to stop after some commits.
struct StopAfter {
    left: AtomicUsize,
    stop: CancellationToken,
}

impl Observer for StopAfter {
    fn observe(&self, event: &Event) {
        if matches!(event, Event::Committed { .. })
            && self.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.stop.cancel();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_stopped_again_and_again_ends_as_an_undisturbed_one() {
    let (simulator, folder, other) =
        (world().await, TempDir::new().unwrap(), TempDir::new().unwrap());
    let config = config("2025-01-01", SELECTORS);
    let (disturbed, calm) = (lake(&folder), lake(&other));
    let mut stops = 0;
    for commits in (1..60).step_by(2) {
        let mut input = input(&simulator, &config, &disturbed, Arc::new(Silent));
        let stop = CancellationToken::new();
        input.observer =
            Arc::new(StopAfter { left: AtomicUsize::new(commits), stop: stop.clone() });
        input.stop = stop;
        match sync(input, &Options::default()).await {
            Err(Error::Stopped { .. }) => stops += 1,
            Err(error) => panic!("{error:?}"),
            Ok(_) => break,
        }
    }
    assert!(stops > 3, "{stops}");
    synced(&simulator, &config, &disturbed).await;
    synced(&simulator, &config, &calm).await;
    assert_eq!(content(&disturbed).await, content(&calm).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_syncs_at_once_end_as_one() {
    let (simulator, folder, other) =
        (world().await, TempDir::new().unwrap(), TempDir::new().unwrap());
    let config = config("2026-01-01", "");
    let (one, two) = (lake(&folder), lake(&folder));
    let (first, second) =
        tokio::join!(synced(&simulator, &config, &one), synced(&simulator, &config, &two));
    assert!(!first.is_partial() && !second.is_partial());
    let calm = lake(&other);
    synced(&simulator, &config, &calm).await;
    let (mut pair, mut single) = (content(&one).await, content(&calm).await);
    // Each of two first syncs stores the settings that it was the first to see.
    for content in [&mut pair, &mut single] {
        content.remove("retention_settings");
    }
    assert_eq!(pair, single);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_ends_the_sync_and_leaves_no_table() {
    let (simulator, folder) = (world().await, TempDir::new().unwrap());
    let (config, lake) = (config("2026-01-01", ""), lake(&folder));
    let mut input = input(&simulator, &config, &lake, Arc::new(Silent));
    let options = ClientOptions {
        auth: Arc::new(FixedToken::pat(&"wrong".into()).unwrap()),
        patience: Patience { first_wait: Duration::from_millis(1), ..Patience::default() },
        ..client_options(&simulator)
    };
    ask_by(&mut input, options);
    let error = sync(input, &Options::default()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Organization { source, .. } if source.is_signed_out()),
        "{error:?}"
    );
    assert!(!folder.path().join("lake").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_windows_and_writes_nothing() {
    let (simulator, folder) = (world().await, TempDir::new().unwrap());
    let (config, lake) = (config("2026-01-01", ""), lake(&folder));
    let plan = plan(input(&simulator, &config, &lake, Arc::new(Silent)), &Options::default())
        .await
        .unwrap();
    assert!(
        plan.items.iter().any(|item| item.resource == "pull_requests" && item.window.is_some())
    );
    assert!(!folder.path().join("lake").exists());
}

#[tokio::test]
async fn a_first_sync_refuses_a_store_that_loses_commits_before_it_writes() {
    use crate::lake::probe::{Manner, Store};
    let simulator = world().await;
    let config = config("2026-01-01", "");
    for manner in [Manner::IgnoresConditions, Manner::LosesRaces, Manner::HasNoConditions] {
        let store = Store::new(manner);
        let lake = Arc::new(store.lake("s3://bucket/lake/"));
        let input = input(&simulator, &config, &lake, Arc::new(Silent));
        let error = sync(input, &Options::default()).await.unwrap_err();
        assert!(matches!(error, Error::Store { .. }), "{error:?}");
        assert_eq!(error.to_string(), "cannot begin a lake at `s3://bucket/lake/`");
        assert_eq!(store.objects().await, [""; 0], "{manner:?}");
    }
    let store = Store::new(Manner::Good);
    let lake = Arc::new(store.lake("s3://bucket/lake/"));
    assert!(!synced(&simulator, &config, &lake).await.is_partial());
    assert!(!store.objects().await.iter().any(|name| name.starts_with("_adolake")));
}

/// Counts pull requests whose details were read.
#[derive(Default)]
struct DetailsRead(AtomicU64);

impl Observer for DetailsRead {
    fn observe(&self, event: &Event) {
        if let Event::Progress { resource, done, .. } = event
            && resource == "pull_request_details"
        {
            self.0.fetch_add(*done, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_that_is_listed_twice_meets_its_details_once() {
    // With pages so short the rest of the past does not fit into those that are tried, and windows list it once more.
    let faults = "page-rows=4".parse().unwrap();
    let simulator = Simulator::start(World { faults, ..World::default() }).await.unwrap();
    let folder = TempDir::new().unwrap();
    let (config, lake) = (config("2023-01-01", SELECTORS), lake(&folder));
    let read = Arc::new(DetailsRead::default());
    let input = input(&simulator, &config, &lake, Arc::<DetailsRead>::clone(&read));
    sync(input, &Options::default()).await.unwrap();
    let sql = "select count(*) from pull_requests where details_read_at is not null";
    let detailed = number(&lake, sql).await.unsigned_abs();
    assert!(detailed > 100, "{detailed}");
    assert_eq!(read.0.load(Ordering::Relaxed), detailed);
}
