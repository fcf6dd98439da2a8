//! `adolake doctor` through the built binary, on the simulated organization and on what keeps it from being read.

use std::time::Duration;

use adolake::doctor::ITEMS;
use adolake::simulator::{Options, Simulator};
use serde_json::Value;

use crate::support::cmd::{Adolake, Ended};

const DAY: Duration = Duration::from_secs(86_400);

/// An organization without the named examples, many of which are examples of what is wrong.
async fn plain() -> Simulator {
    Simulator::start(Options { has_examples: false, ..Options::default() }).await.unwrap()
}

/// The part of a config file that says where everything is.
fn places(simulator: &Simulator, projects: &str) -> String {
    let core = simulator.organization_url();
    format!(
        "[lake]\nurl = \"./lake\"\n\n[[organization]]\nname = \"contoso\"\nprojects = [{projects}]\n\
         auth = {{ kind = \"pat\", env = \"ADO_PAT\" }}\n\n[organization.endpoints]\ncore = \"{core}\"\n\
         graph = \"{core}\"\nprofile = \"{}\"\n\n",
        simulator.url()
    )
}

/// What of it is judged; there is nothing wrong with it.
const JUDGED: &str = "[checks]\nstart-date = 2026-01-01\n\n[defaults]\nproduction-branches = [\"main\"]\n\
    sast = [\"CodeQL\"]\nintegration-tests = [\"*/integration-*\"]\ndependency-checks = [\"status:snyk/*\"]\n\n\
    [[repository]]\nmatch = \"contoso/payments/search\"\nin-scope = false\n";

fn adolake(simulator: &Simulator, config: &str) -> Adolake {
    Adolake::with_config(config).env("ADO_PAT", simulator.token())
}

/// Runs a command while the simulation goes on, without progress on stderr.
fn run(adolake: &Adolake, args: &[&str]) -> Ended {
    let args: Vec<&str> = ["--progress", "never"].iter().chain(args).copied().collect();
    tokio::task::block_in_place(|| adolake.run(&args))
}

/// What doctor tells, with the address of the simulation replaced.
fn told(simulator: &Simulator, adolake: &Adolake) -> String {
    counted(&run(adolake, &["doctor"]).told()).replace(&simulator.url(), "http://simulator")
}

/// How many queries and tables there are is not what is tested here.
fn counted(text: &str) -> String {
    let numbers = regex::Regex::new(r"\d+ (checks|views|tables)").unwrap();
    numbers.replace_all(text, "[n] $1").into_owned()
}

fn items(ended: &Ended) -> Vec<Value> {
    let items: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", ended.told());
    });
    items.as_array().unwrap().clone()
}

/// Messages and remedies of an item that are not fine.
fn complaints(items: &[Value], item: &str) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    items
        .iter()
        .filter(|one| one["item"] == item && one["status"] != "ok")
        .map(|one| {
            let (status, subject) = (text(&one["status"]), text(&one["subject"]));
            format!("{status} {subject}: {}\n  {}\n", text(&one["message"]), text(&one["remedy"]))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_wrong_everything_is_ticked() {
    let simulator = plain().await;
    let adolake = adolake(&simulator, &(places(&simulator, "\"payments\"") + JUDGED));
    let before = run(&adolake, &["doctor"]);
    assert_eq!(before.code, Some(0), "{}", before.told());
    assert!(!adolake.path().join("lake").exists(), "doctor leaves nothing behind");
    let sync = run(&adolake, &["sync"]);
    assert_eq!(sync.code, Some(0), "{}", sync.told());
    insta::assert_snapshot!(told(&simulator, &adolake));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_a_matter_of_signing_in() {
    let simulator = plain().await;
    let config = places(&simulator, "\"payments\"") + JUDGED;
    let adolake = Adolake::with_config(&config).env("ADO_PAT", "expired-token");
    let told = told(&simulator, &adolake);
    assert!(!told.contains("expired-token"), "{told}");
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_token_names_the_variable() {
    let simulator = plain().await;
    let adolake = Adolake::with_config(&(places(&simulator, "\"payments\"") + JUDGED));
    let ended = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(2));
    insta::assert_snapshot!(complaints(&items(&ended), "sign-in"), @r"
    problem contoso: the environment variable `ADO_PAT` for the token of organization `contoso` is not set
      set it, for example `export ADO_PAT=…`, or name another variable in the config
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_permission_is_named_with_its_place() {
    for (denied, item, code) in [
        ("graph", "permission-graph", 2),
        ("build", "permission-build", 2),
        ("code", "permission-code", 2),
        ("project", "permission-project-and-team", 2),
        ("profile", "permission-user-profile", 0),
    ] {
        let options =
            Options { has_examples: false, denied: vec![denied.to_owned()], ..Options::default() };
        let simulator = Simulator::start(options).await.unwrap();
        let adolake = adolake(&simulator, &(places(&simulator, "\"payments\"") + JUDGED));
        let ended = run(&adolake, &["doctor", "--format", "json"]);
        assert_eq!(ended.code, Some(code), "{denied}: {}", ended.told());
        let complaints =
            complaints(&items(&ended), item).replace(&simulator.url(), "http://simulator");
        insta::assert_snapshot!(format!("without_{denied}"), complaints);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_graph_and_profile_is_no_problem() {
    let simulator = plain().await;
    let config: String = (places(&simulator, "\"payments\"") + JUDGED)
        .lines()
        .filter(|line| !line.starts_with("graph =") && !line.starts_with("profile ="))
        .map(|line| format!("{line}\n"))
        .collect();
    let ended = run(&adolake(&simulator, &config), &["doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let items = items(&ended);
    let told =
        complaints(&items, "permission-graph") + &complaints(&items, "permission-user-profile");
    insta::assert_snapshot!(told, @r"
    warning contoso: this server has no Graph: people are known by what pull requests say of them
      name machines that approve in `service-identities`, or set `endpoints.graph`
    skipped contoso: this server has no such API
      -
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_pipeline_gets_the_nearest_names() {
    let simulator = plain().await;
    let judged = JUDGED
        .replace("[\"CodeQL\"]", "[\"CodeSQL\", { job = \"CodeQL/Analyse/CodeQL\" }]")
        .replace("status:snyk/*", "status:synk/open-source");
    let adolake = adolake(&simulator, &(places(&simulator, "\"payments\"") + &judged));
    let ended = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(2));
    insta::assert_snapshot!(complaints(&items(&ended), "solutions"));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_and_statuses_are_found_before_the_first_sync_and_after() {
    let simulator = plain().await;
    let judged = JUDGED.replace("[\"CodeQL\"]", "[{ job = \"CodeQL/Analyze/CodeQL\" }]");
    let adolake = adolake(&simulator, &(places(&simulator, "\"payments\"") + &judged));
    for _ in 0..2 {
        let ended = run(&adolake, &["doctor", "--format", "json"]);
        assert_eq!(complaints(&items(&ended), "solutions"), "");
        let sync = run(&adolake, &["sync"]);
        assert_eq!(sync.code, Some(0), "{}", sync.told());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_production_branch_names_the_default_branch() {
    let simulator = plain().await;
    let judged = JUDGED.replace("[\"main\"]", "[\"main\", \"trunk\"]");
    let adolake = adolake(&simulator, &(places(&simulator, "\"*\"") + &judged));
    insta::assert_snapshot!(told(&simulator, &adolake));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_name_is_told_with_both_folders() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let adolake = adolake(&simulator, &simulator.config("./lake", "ADO_PAT"));
    let ended = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(2));
    let told = complaints(&items(&ended), "solutions");
    let lines: Vec<&str> = told.lines().collect();
    let at = lines.iter().position(|line| line.contains("AMBIGUOUS_SOLUTION")).expect(&told);
    insta::assert_snapshot!(lines[at..=at + 1].join("\n"));
    // Azure DevOps and adolake resolve every policy of the examples alike.
    assert_eq!(complaints(&items(&ended), "branch-policies"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_are_deleted_before_the_next_sync_are_a_problem() {
    let simulator = plain().await;
    let adolake = adolake(&simulator, &(places(&simulator, "\"payments\"") + JUDGED));
    assert_eq!(run(&adolake, &["sync"]).code, Some(0));
    simulator.advance(8 * DAY);
    let close = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(close.code, Some(0));
    simulator.advance(4 * DAY);
    let late = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(late.code, Some(2));
    assert_eq!(run(&adolake, &["sync"]).code, Some(0));
    let gap = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(gap.code, Some(2));
    let told: String =
        [close, late, gap].iter().map(|ended| complaints(&items(ended), "retention")).collect();
    insta::assert_snapshot!(told.replace(&simulator.url(), "http://simulator"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_host_is_an_outside_failure() {
    let simulator = plain().await;
    let config = (places(&simulator, "\"payments\"") + JUDGED)
        .replace(&simulator.url(), "http://127.0.0.1:1");
    let adolake = adolake(&simulator, &config);
    let ended = run(&adolake, &["doctor"]);
    assert_eq!(ended.code, Some(3), "{}", ended.told());
    let told = counted(&ended.stdout);
    insta::assert_snapshot!(told.replace(&adolake.path().display().to_string(), "[folder]"));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_cannot_be_written_is_a_problem() {
    let simulator = plain().await;
    let config = (places(&simulator, "\"payments\"") + JUDGED).replace("./lake", "/sys/adolake");
    let adolake = adolake(&simulator, &config);
    let ended = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(2), "{}", ended.told());
    let told = complaints(&items(&ended), "lake-store");
    insta::with_settings!({filters => vec![("[0-9a-f]{32}", "[id]")]}, {
        insta::assert_snapshot!(told);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_newer_version_are_told_and_the_rest_is_examined() {
    let simulator = plain().await;
    let adolake = adolake(&simulator, &(places(&simulator, "\"payments\"") + JUDGED));
    assert_eq!(run(&adolake, &["sync"]).code, Some(0));
    let commit = "lake/projects/_delta_log/00000000000000000000.json";
    let newer = adolake
        .read(commit)
        .replace(r#""adolake.schemaVersion":"1""#, r#""adolake.schemaVersion":"99""#);
    adolake.write(commit, &newer);
    let ended = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(2));
    let items = items(&ended);
    insta::assert_snapshot!(
        complaints(&items, "lake-tables")
            .replace(&adolake.path().display().to_string(), "[folder]")
    );
    assert!(items.iter().any(|item| item["item"] == "solutions" && item["status"] == "ok"));
}

#[test]
fn a_config_that_does_not_load_is_all_there_is_to_tell() {
    let adolake = Adolake::with_config("[lake]\nulr = \"./lake\"\n");
    insta::assert_snapshot!(adolake.run(&["doctor"]).told());
    let none = Adolake::new().run(&["doctor", "--format", "json"]);
    assert_eq!(none.code, Some(2));
    assert!(complaints(&items(&none), "config").contains("no organization is configured"));
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_fit_nothing_are_told() {
    let simulator = plain().await;
    let more = r#"
[[repository]]
match = "contoso/payment/*"
in-scope = false

[[repository]]
match = "fabrikam/*/*"
in-scope = false

[[exception]]
match = "contoso/payments/ledgr!1"
reason = "x"
approved-by = "y"
expires = 2026-12-31

[[exception]]
match = "contoso/payments/*!999999999"
reason = "x"
approved-by = "y"
expires = 2026-12-31

[[exception]]
match = "contoso/*/*!*"
reason = "x"
approved-by = "y"
expires = 2026-01-31

[[exception]]
match = "contoso/*/*!*"
reason = "x"
approved-by = "y"
evidence = "gone.pdf"
expires = 2026-12-31
"#;
    let judged = JUDGED.replace("2026-01-01", "2027-01-01") + more;
    let adolake =
        adolake(&simulator, &(places(&simulator, "\"paymnets\", \"payments\"") + &judged));
    let ended = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(2));
    let items = items(&ended);
    let told: String = ["projects", "overrides", "exceptions", "start-date"]
        .iter()
        .map(|item| complaints(&items, item))
        .collect();
    insta::assert_snapshot!(told.replace(&adolake.path().display().to_string(), "[folder]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_that_are_no_longer_visible_are_counted_until_acknowledged() {
    let (all, fewer) = (Simulator::start(Options::default()).await.unwrap(), plain().await);
    let adolake = adolake(&all, &(places(&all, "\"*\"") + JUDGED));
    assert_eq!(run(&adolake, &["sync"]).code, Some(0));
    adolake.write("adolake.toml", &(places(&fewer, "\"*\"") + JUDGED));
    let lost = complaints(&items(&run(&adolake, &["doctor", "--format", "json"])), "repositories");
    assert!(lost.starts_with("warning contoso/"), "{lost}");
    assert!(lost.contains("visible at the last sync and not now"), "{lost}");
    let acknowledged = "\n[[repository]]\nmatch = \"contoso/*/*\"\ngone-since = 2026-10-01\n";
    adolake.write("adolake.toml", &(places(&fewer, "\"*\"") + JUDGED + acknowledged));
    let ended = run(&adolake, &["doctor", "--format", "json"]);
    assert_eq!(complaints(&items(&ended), "repositories"), "");
    assert!(ended.stdout.contains("acknowledged as gone"), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_form_is_stable() {
    let simulator = plain().await;
    let adolake = adolake(&simulator, &(places(&simulator, "\"payments\"") + JUDGED));
    let ended = run(&adolake, &["doctor", "contoso", "--format", "json", "--export", "out.json"]);
    assert_eq!(adolake.read("out.json"), ended.stdout);
    let items = items(&ended);
    assert!(items.len() > 10);
    for item in &items {
        let keys: Vec<&String> = item.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["item", "subject", "status", "message", "remedy"]);
        assert!(ITEMS.contains(&item["item"].as_str().unwrap()), "{item}");
        assert!(
            ["ok", "warning", "problem", "skipped"].contains(&item["status"].as_str().unwrap())
        );
        let is_fine = item["status"] == "ok" || item["status"] == "skipped";
        assert_eq!(item["remedy"].is_string(), !is_fine, "{item}");
    }
    insta::assert_snapshot!(run(&adolake, &["doctor", "kontoso"]).told(), @r"
    exit 2
    --- stderr
    error: organization `kontoso` is not configured
    hint: did you mean `contoso`?
    ");
}
