//! What there is, that it is always the same, and that it lives on when the clock moves.

use std::collections::BTreeSet;

use adolake::simulator::{Options, Size};
use serde_json::Value;

use super::{DAY, Door};

const COMPLETED: &str = "_apis/git/pullrequests?searchCriteria.status=completed&$top=1000";

#[tokio::test]
async fn the_same_seed_gives_the_same_organization() {
    let addr = "127.0.0.1:0".parse().unwrap();
    let options = |seed| Options { seed, addr, ..Options::default() };
    let doors =
        [Door::open(options(7)).await, Door::open(options(7)).await, Door::open(options(8)).await];
    let mut texts = Vec::new();
    for door in &doors {
        let text = door.ask(&format!("payments/{COMPLETED}")).await.text().await.unwrap();
        texts.push(text.replace(&door.simulator.url(), ""));
    }
    assert_eq!(texts[0], texts[1]);
    assert_ne!(texts[0], texts[2]);
}

#[tokio::test]
async fn sizes_and_shares_are_as_told() {
    let door =
        Door::open(Options { size: Size::Small, has_examples: false, ..Options::default() }).await;
    let stats: Value = door
        .ask_url(&format!("{}/_simulator/stats", door.simulator.url()))
        .await
        .json()
        .await
        .unwrap();
    let count = |name: &str| stats[name].as_u64().unwrap();
    let all = count("active") + count("completed") + count("abandoned");
    assert!(all.abs_diff(5_000) <= 50, "{all}");
    let mut production = 0;
    for project in door.rows("_apis/projects").await {
        let id = project["id"].as_str().unwrap();
        let mut skip = 0;
        loop {
            let rows = door.rows(&format!("{id}/{COMPLETED}&$skip={skip}")).await;
            skip += rows.len();
            let is_production = |row: &&Value| {
                let name = row["targetRefName"].as_str().unwrap().trim_start_matches("refs/heads/");
                ["main", "master"].contains(&name) || name.starts_with("release/")
            };
            production += rows.iter().filter(is_production).count();
            if rows.is_empty() {
                break;
            }
        }
    }
    assert!((2_800..3_200).contains(&production), "{production}");
}

#[tokio::test]
async fn the_clock_brings_merges_and_finishes() {
    let door = Door::small().await;
    let path = door.example("merged-tomorrow").await;
    assert_eq!(door.json(&path).await["status"], "active");
    assert_eq!(door.ask(&door.example("opened-tomorrow").await).await.status(), 404);
    let before: BTreeSet<String> = closed(&door).await;
    door.simulator.advance(7 * DAY);
    assert_eq!(door.json(&path).await["status"], "completed");
    assert_eq!(door.json(&door.example("opened-tomorrow").await).await["status"], "completed");
    assert_eq!(door.json(&door.example("abandoned-tomorrow").await).await["status"], "abandoned");
    let after = closed(&door).await;
    assert!(after.is_superset(&before) && after.len() > before.len());
}

async fn closed(door: &Door) -> BTreeSet<String> {
    let window =
        "searchCriteria.queryTimeRangeType=closed&searchCriteria.minTime=2026-09-01T00:00:00Z";
    let rows = door.rows(&format!("Shop%20Frontend/{COMPLETED}&{window}")).await;
    rows.iter().map(|row| row["pullRequestId"].to_string()).collect()
}

#[tokio::test]
async fn repositories_are_renamed_disabled_and_deleted() {
    let door = Door::small().await;
    let list = |door: &Door| {
        let url =
            format!("{}/_apis/git/repositories?api-version=7.1", door.simulator.organization_url());
        door.client.get(url).basic_auth("", Some(door.simulator.token())).send()
    };
    let first: Value = list(&door).await.unwrap().json().await.unwrap();
    door.simulator.advance(7 * DAY);
    let second: Value = list(&door).await.unwrap().json().await.unwrap();
    let by_id = |list: &Value, id: &str| {
        list["value"].as_array().unwrap().iter().find(|own| own["id"] == id).cloned()
    };
    let (mut renamed, mut disabled, mut deleted) = (0, 0, Vec::new());
    for own in first["value"].as_array().unwrap() {
        match by_id(&second, own["id"].as_str().unwrap()) {
            None => deleted.push(own.clone()),
            Some(other) => {
                renamed += usize::from(other["name"] != own["name"]);
                disabled += usize::from(other["isDisabled"] != own["isDisabled"]);
            }
        }
    }
    // One of the bulk each, and examples.
    assert_eq!((renamed, disabled, deleted.len()), (1, 2, 2));
    let project = deleted[0]["project"]["id"].as_str().unwrap();
    for path in ["deletedrepositories", "recycleBin/repositories"] {
        let gone = door.rows(&format!("{project}/_apis/git/{path}")).await;
        assert_eq!(gone[0]["id"], deleted[0]["id"]);
    }
}

#[tokio::test]
async fn policies_are_revised_and_deleted() {
    let door = Door::tiny().await;
    let path = "payments/_apis/policy/configurations?$top=1000";
    let before = door.rows(path).await;
    assert_eq!(before, door.pages("payments/_apis/policy/configurations?$top=3").await);
    door.simulator.advance(7 * DAY);
    let after = door.rows(path).await;
    assert_eq!(after.len() + 1, before.len());
    let revised: Vec<_> =
        after.iter().filter(|own| own["revision"] == 2 && !before.contains(own)).collect();
    assert_eq!(revised.len(), 1);
    let revisions = door
        .rows(&format!("payments/_apis/policy/configurations/{}/revisions", revised[0]["id"]))
        .await;
    assert_eq!(
        revisions.iter().map(|own| own["revision"].as_i64().unwrap()).collect::<Vec<_>>(),
        [2, 1]
    );
    let gone =
        before.iter().find(|own| after.iter().all(|other| other["id"] != own["id"])).unwrap();
    assert_eq!(
        door.ask(&format!("payments/_apis/policy/configurations/{}", gone["id"])).await.status(),
        404
    );
}

#[tokio::test]
async fn runs_are_hidden_then_gone() {
    let door = Door::tiny().await;
    let number = door
        .simulator
        .examples()
        .iter()
        .find(|own| own.name == "run-succeeded")
        .unwrap()
        .pull_request
        .unwrap();
    let list = |filter: &str| {
        format!(
            "examples/_apis/build/builds?branchName=refs/pull/{number}/merge&deletedFilter={filter}"
        )
    };
    let run = door.rows(&list("excludeDeleted")).await[0].clone();
    let own = format!("examples/_apis/build/builds/{}", run["id"]);
    assert!(!door.json(&format!("{own}/timeline")).await["records"].as_array().unwrap().is_empty());
    door.simulator.advance(14 * DAY);
    assert!(door.rows(&list("excludeDeleted")).await.is_empty());
    assert_eq!(door.rows(&list("onlyDeleted")).await[0]["deleted"], true);
    assert_eq!(door.json(&own).await["deleted"], true);
    assert_eq!(door.ask(&format!("{own}/timeline")).await.status(), 204);
    door.simulator.advance(30 * DAY);
    assert!(door.rows(&list("includeDeleted")).await.is_empty());
    let gone = door.ask(&own).await;
    assert_eq!(gone.status(), 404);
    assert_eq!(gone.json::<Value>().await.unwrap()["typeKey"], "BuildNotFoundException");
}

#[tokio::test]
async fn every_example_can_be_found_and_says_what_is_expected() {
    let door = Door::tiny().await;
    // Some repositories are deleted before the last example is settled.
    let repositories = door.rows("examples/_apis/git/repositories").await;
    door.simulator.advance(7 * DAY);
    let left = door.rows("examples/_apis/git/repositories").await;
    let mut names = BTreeSet::new();
    for example in door.simulator.examples() {
        assert!(names.insert(example.name), "`{}` is there twice", example.name);
        assert!(!example.expected.is_empty(), "`{}` expects nothing", example.name);
        assert!(example.settled_at <= door.simulator.now(), "`{}` is never settled", example.name);
        assert_eq!(example.project, "examples");
        let repository =
            repositories.iter().find(|own| own["name"] == example.repository.as_str()).unwrap();
        let is_left = left.iter().any(|own| own["id"] == repository["id"]);
        if let Some(number) = example.pull_request.filter(|_| is_left) {
            let pull = door.json(&format!("_apis/git/pullrequests/{number}")).await;
            assert_eq!(pull["repository"]["id"], repository["id"], "`{}`", example.name);
            assert_eq!(pull["title"], format!("Example: {}", example.name));
        }
    }
    assert!(names.len() > 120, "{}", names.len());
}

#[tokio::test]
async fn the_config_file_is_read_without_a_complaint() {
    let door = Door::tiny().await;
    let text = door.simulator.config("./lake", "ADO_PAT");
    let read: toml::Table = text.parse().unwrap();
    let core = read["organization"][0]["endpoints"]["core"].as_str().unwrap();
    assert_eq!(core, door.simulator.organization_url());
    assert!(read["repository"].as_array().unwrap().len() > 10);
    assert_eq!(read["exception"].as_array().unwrap().len(), 4);
}
