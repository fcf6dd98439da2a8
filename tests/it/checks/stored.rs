//! Stored runs: verified, compared with, and their settings used again; through the built binary.

use adolake::checks::Status;
use adolake::lake::{Change, Lake};
use adolake::schema::{Row, from_batch};
use serde_json::Value;

use super::own::{OWN, check};
use crate::support::cmd::Adolake;
use crate::support::world::{self, ask};

/// One check is planned in a fraction of the time of all.
const ONE: &str = "pull_request_approved";

/// Runs that check and returns the report.
fn report(adolake: &Adolake, extra: &[&str]) -> Value {
    let arguments = ["check", ONE, "--fail-on", "never", "--format", "json"];
    adolake.run(&[&arguments, extra].concat()).json()
}

/// Returns a text of a JSON document.
fn text(document: &Value, pointer: &str) -> String {
    document.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

/// Replaces ids, hashes and times, which are others every time.
fn steady(told: &str) -> String {
    let mut steady = told.to_owned();
    for (pattern, with) in [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[run]"),
        (r"[0-9a-f]{64}", "[hash]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "[time]"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[time]"),
        (r"part-[0-9a-f-]+", "part-[id]"),
    ] {
        steady = regex::Regex::new(pattern).unwrap().replace_all(&steady, with).into_owned();
    }
    steady
}

#[tokio::test]
async fn a_stored_run_comes_out_the_same_whatever_became_of_lake_and_settings() {
    let adolake = world::installed().await;
    adolake.write(
        "mine/own.sql",
        &check(&OWN.replace("'SEEN'", "concat('SEEN_', $floor)"))
            .replace("-- rationale", "-- params: floor bigint\n-- rationale"),
    );
    let first = report(&adolake, &[]);
    let own =
        report(&adolake, &["own", "--queries", "mine", "--set", "floor=3", "--profile", "strict"]);
    let narrow = report(&adolake, &["--since", "2026-03-03"]);
    world::reject(&world::open(&adolake)).await;
    std::fs::remove_dir_all(adolake.path().join("mine")).unwrap();
    let config = adolake.read("adolake.toml");
    adolake.write("adolake.toml", &format!("{config}\n[defaults]\nemergency-label = \"\"\n"));
    assert_ne!(
        text(&report(&adolake, &[]), "/run/findings_sha256"),
        text(&first, "/run/findings_sha256")
    );
    let before = ask(&world::open(&adolake), "select count(*) from check_runs").await;
    for stored in [&first, &own, &narrow] {
        let run = text(stored, "/run/run_id");
        let verified = adolake.run(&["check", "--verify", &run, "--format", "json"]).json();
        assert_eq!(verified["is_same"], true, "{verified}");
        assert_eq!(
            text(&verified, "/recomputed/findings_sha256"),
            text(stored, "/run/findings_sha256")
        );
    }
    assert_eq!(ask(&world::open(&adolake), "select count(*) from check_runs").await, before);
    let told = adolake.run(&["check", "--verify", "latest"]).told();
    insta::assert_snapshot!(steady(&told));
}

/// What is changed about a stored run.
type Forgery = fn(&mut Row);

/// Stores a run again under an id of its own, changed.
async fn forge(lake: &Lake, change: impl Fn(&mut Row)) {
    let session = lake.session().await.unwrap();
    let table = lake.catalog().require("check_runs").unwrap();
    let newest = "select * from check_runs order by started_at desc, run_id desc limit 1";
    let batches = session.ctx.sql(newest).await.unwrap().collect().await.unwrap();
    let mut row = from_batch(table, &batches[0]).unwrap().remove(0);
    row.set("run_id", "f0000000-0000-7000-8000-000000000000");
    change(&mut row);
    let change = Change {
        table: "check_runs",
        organization: "",
        run_id: "f0000000-0000-7000-8000-000000000000",
        seen_at: world::at("2026-06-02"),
        rows: vec![row].into(),
        complete: Vec::new(),
    };
    lake.write(change).await.unwrap();
}

#[tokio::test]
async fn a_run_that_does_not_come_out_the_same_is_told() {
    let adolake = world::installed().await;
    report(&adolake, &[]);
    // Its settings are not there, so nothing is judged.
    forge(&world::open(&adolake), |_| {}).await;
    let ended = adolake.run(&["check", "--verify", "f0"]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(steady(&ended.told()));
}

#[tokio::test]
async fn what_is_gone_keeps_a_run_from_being_recomputed() {
    let mut told = Vec::new();
    let forgeries: [(&str, Forgery); 4] = [
        ("version", |row| {
            row.set("table_versions_json", "{\"pull_requests\":99}");
        }),
        ("settings", |row| {
            row.set("settings_json", "{}");
        }),
        ("query", |row| {
            let queries = row.text("queries_json").unwrap().replace("SELF_APPROVED", "APPROVED");
            row.set("queries_json", queries);
        }),
        ("text", |row| {
            row.set("queries_json", "{}");
        }),
    ];
    for (name, forgery) in forgeries {
        let adolake = world::installed().await;
        report(&adolake, &[]);
        forge(&world::open(&adolake), forgery).await;
        let ended = adolake.run(&["check", "--verify", "f0000000"]);
        assert_eq!(ended.code, Some(2), "{}", ended.told());
        told.push(format!("{name}: {}", ended.told()));
    }
    let adolake = world::installed().await;
    report(&adolake, &[]);
    let month = "lake/pull_requests/organization=contoso/created_month=2026-04";
    for file in std::fs::read_dir(adolake.path().join(month)).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let ended = adolake.run(&["check", "--verify", "latest"]);
    assert_eq!(ended.code, Some(2), "{}", ended.told());
    told.push(format!("file: {}", ended.told()));
    insta::assert_snapshot!(steady(&told.join("\n")));
}

#[tokio::test]
async fn runs_are_found_by_the_beginning_of_their_id() {
    let adolake = world::installed().await;
    let mut told = vec![adolake.run(&["check", "--verify", "latest"]).told()];
    let run = text(&report(&adolake, &[]), "/run/run_id");
    assert_eq!(adolake.run(&["check", "--verify", &run[..30]]).code, Some(0));
    assert_eq!(adolake.run(&["check", "--verify", &run.to_uppercase()]).code, Some(0));
    report(&adolake, &["--profile", "strict"]);
    for args in [["--verify", "7"], ["--settings", "nowhere"], ["--diff", "0"]] {
        told.push(adolake.run(&[&["check"][..], &args].concat()).told());
    }
    for args in [
        &["--verify", "latest", "--profile", "strict"][..],
        &["--verify", "latest", "--format", "csv"],
        &["--diff", "latest", "--export", "x.sarif"],
    ] {
        told.push(adolake.run(&[&["check"], args].concat()).told());
    }
    insta::assert_snapshot!(steady(&told.join("\n")));
}

#[tokio::test]
async fn verdicts_that_flip_are_listed_and_nothing_is_stored() {
    let adolake = world::installed().await;
    let first = text(&report(&adolake, &[]), "/run/run_id");
    let same = adolake.run(&["check", ONE, "--diff", "latest"]);
    assert_eq!(same.code, Some(0), "{}", same.told());
    insta::assert_snapshot!("no_difference", steady(&same.told()));
    world::reject(&world::open(&adolake)).await;
    let config = adolake.read("adolake.toml").replace("2026-01-01", "2026-03-03");
    adolake.write("adolake.toml", &format!("{config}\n[defaults]\nemergency-label = \"\"\n"));
    let ended = adolake.run(&[
        "check",
        ONE,
        "--since",
        "2026-03-01",
        "--diff",
        &first,
        "--export",
        "flips.csv",
    ]);
    assert_eq!(ended.code, Some(1), "{}", ended.told());
    insta::assert_snapshot!("flips", steady(&ended.told()));
    insta::assert_snapshot!("flips_csv", steady(&adolake.read("flips.csv")));
    let markdown = adolake.run(&["check", ONE, "--diff", &first, "--format", "markdown"]);
    insta::assert_snapshot!("flips_markdown", steady(&markdown.told()));
    // What failed before is no news.
    let other = "branch_policy_requires_approval";
    let one =
        ["check", other, ONE, "--settings", &first, "--since", "2026-03-04", "--diff", &first];
    let ended = adolake.run(&[&one[..], &["--format", "json"]].concat());
    let json = ended.json();
    let changes = json["changes"].as_array().unwrap();
    let words: Vec<&str> = changes.iter().map(|one| one["change"].as_str().unwrap()).collect();
    assert_eq!(words, ["left", "left"]);
    assert_eq!(json["before"]["is_reproduced"], true);
    assert_eq!(json["uncompared_checks"], serde_json::json!([other]));
    let runs = ask(&world::open(&adolake), "select count(*) from check_runs").await;
    assert_eq!(runs, ["1"]);
}

#[tokio::test]
async fn settings_of_a_stored_run_are_used_again_even_when_their_evidence_is_gone() {
    let adolake = world::installed().await;
    let exception = "\n[[exception]]\nmatch = \"contoso/payments/api!2\"\nreason = \"seen\"\napproved-by = \"cto\"\nevidence = \"scan.pdf\"\nexpires = 2026-12-31\n";
    let config = adolake.read("adolake.toml");
    adolake.write("adolake.toml", &format!("{config}{exception}"));
    adolake.write("scan.pdf", "all is well");
    let first = report(&adolake, &["--profile", "strict"]);
    let run = text(&first, "/run/run_id");
    adolake.write("adolake.toml", &config.replace("2026-01-01", "2026-04-01"));
    std::fs::remove_file(adolake.path().join("scan.pdf")).unwrap();
    let now = report(&adolake, &["--no-store"]);
    assert_ne!(now["run"]["settings_hash"], first["run"]["settings_hash"]);
    let again = report(&adolake, &["--no-store", "--settings", &run]);
    assert_eq!(again["run"]["profile"], "strict");
    assert_eq!(again["run"]["findings_sha256"], first["run"]["findings_sha256"]);
    let evidence = again["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["reason_code"] == "EXCEPTION")
        .map(|one| one["evidence_json"].as_str().unwrap().to_owned())
        .unwrap();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(b"all is well");
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(evidence.contains(&hash), "{evidence}");
}

#[tokio::test]
async fn a_past_day_gives_the_same_bytes_however_often_it_is_asked() {
    let adolake = world::installed().await;
    let then = chrono::Utc::now();
    while chrono::Utc::now().timestamp_millis() <= then.timestamp_millis() {
        std::hint::spin_loop();
    }
    let as_of = then.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let findings = || {
        let ended = adolake.run(&[
            "check",
            ONE,
            "--no-store",
            "--fail-on",
            "never",
            "--as-of",
            &as_of,
            "--format",
            "json",
        ]);
        assert_eq!(ended.code, Some(0), "{}", ended.told());
        ended.stdout.split_once("\"findings\": [").unwrap().1.to_owned()
    };
    let first = findings();
    world::reject(&world::open(&adolake)).await;
    report(&adolake, &[]);
    assert_eq!(findings(), first);
    let stored = report(&adolake, &["--as-of", &as_of]);
    let verified = adolake.run(&["check", "--verify", &text(&stored, "/run/run_id")]);
    assert_eq!(verified.code, Some(0), "{}", verified.told());
    let now = report(&adolake, &["--no-store"]);
    assert_ne!(now["run"]["findings_sha256"], stored["run"]["findings_sha256"]);
    let failed = |report: &Value| -> u64 {
        let summary = report["summary"].as_array().unwrap();
        summary.iter().map(|one| one[Status::Fail.as_str()].as_u64().unwrap()).sum()
    };
    assert_eq!(failed(&now), failed(&stored) + 1);
}
