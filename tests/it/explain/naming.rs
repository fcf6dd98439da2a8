//! How a resource is named, what JSON holds of it, and what is told where there is nothing or nothing is judged.

use super::{CONFIG, run, small, small_with};
use crate::support::cmd::Adolake;

#[tokio::test(flavor = "multi_thread")]
async fn json_holds_the_verdict_and_its_facts() {
    let adolake = small().await;
    let arguments =
        ["explain", "contoso/payments/api!1", "--format", "json", "--export", "why.txt"];
    let document = run(&adolake, &arguments).json();
    assert!(adolake.read("why.txt").starts_with("contoso/payments/api!1  Add limits\n"));
    let verdict = &document["verdicts"][0];
    let keys: Vec<&String> = verdict.as_object().unwrap().keys().collect();
    insta::assert_snapshot!(format!("{keys:?}"), @r#"
    ["check_id", "organization", "project", "repository_id", "repository", "branch", "pull_request_id", "subject", "resource_url", "status", "reason_code", "reason", "flags", "evidence_json", "title", "controls", "remediation", "facts", "nearest", "flag_meanings", "flips", "now"]
    "#);
    insta::assert_snapshot!(format!("{:#}\n{:#}", document["subject"], verdict["facts"]), @r#"
    [
      {
        "effect": "subject",
        "at": "2026-03-01T00:00:00Z",
        "kind": "title",
        "fact": "Add limits",
        "why": null,
        "id": "1",
        "url": "https://ado/contoso/payments/_git/api/pullrequest/1"
      },
      {
        "effect": "subject",
        "at": "2026-03-02T12:00:00Z",
        "kind": "state",
        "fact": "merged 2026-03-02 12:00:00 UTC into main, opened 2026-03-01 00:00:00 UTC by ann@contoso.com",
        "why": null,
        "id": "completed",
        "url": null
      }
    ]
    [
      {
        "effect": "context",
        "at": "2026-03-01T00:00:00Z",
        "kind": "opened",
        "fact": "ann@contoso.com opened the pull request from a",
        "why": null,
        "id": "1",
        "url": null
      },
      {
        "effect": "context",
        "at": "2026-03-02T09:00:00Z",
        "kind": "iteration",
        "fact": "ann@contoso.com pushed iteration 1",
        "why": "the last push",
        "id": "1",
        "url": null
      },
      {
        "effect": "counts",
        "at": "2026-03-02T10:00:00Z",
        "kind": "vote",
        "fact": "ben@contoso.com approved",
        "why": "an independent approval",
        "id": "10",
        "url": null
      },
      {
        "effect": "context",
        "at": "2026-03-02T12:00:00Z",
        "kind": "merged",
        "fact": "somebody merged it into main",
        "why": null,
        "id": null,
        "url": null
      }
    ]
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_naming_leads_to_the_same() {
    let adolake = small().await;
    let wanted = run(&adolake, &["explain", "contoso/payments/api!1"]);
    assert_eq!(wanted.code, Some(0), "{}", wanted.told());
    for name in [
        "https://dev.azure.com/contoso/payments/_git/api/pullrequest/1",
        "https://dev.azure.com/Contoso/Pay%6Dents/_git/API/pullrequest/1?_a=overview",
        "https://contoso.visualstudio.com/payments/_git/api/pullrequest/1",
        "https://dev.azure.com/contoso/p1/_apis/git/repositories/r1/pullRequests/1",
        "api!1",
        "!1",
    ] {
        let found = run(&adolake, &["explain", name]);
        assert_eq!(found.told(), wanted.told(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_with_the_nearest() {
    let adolake = small().await;
    let told = |name: &str| run(&adolake, &["explain", name]).told();
    insta::assert_snapshot!(told("contoso/payments/apy!1"), @r"
    exit 2
    --- stderr
    error: there is no repository `contoso/payments/apy!1` in the lake
    hint: did you mean `contoso/payments/api!1`?
    hint: `adolake sync` reads what is new; only configured organizations are explained
    ");
    insta::assert_snapshot!(told("contoso/payments/api!12"), @r"
    exit 2
    --- stderr
    error: there is no pull request `contoso/payments/api!12` in the lake
    hint: the nearest are `contoso/payments/api!4`, `contoso/payments/api!3`, `contoso/payments/api!2`
    hint: `adolake sync` reads what is new; only configured organizations are explained
    ");
    insta::assert_snapshot!(told("contoso/payments/api@mian"), @r"
    exit 2
    --- stderr
    error: there is no branch `contoso/payments/api@mian` in the lake
    hint: did you mean `contoso/payments/api@refs/heads/main`?
    hint: `adolake sync` reads what is new; only configured organizations are explained
    ");
    insta::assert_snapshot!(told("https://dev.azure.com/contoso/payments"), @r"
    exit 2
    --- stderr
    error: `https://dev.azure.com/contoso/payments` names no pull request and no branch
    hint: write `org/project/repo!123`, `org/project/repo@main`, or the web address of a pull request
    ");
    let strict = ["explain", "contoso/payments/api!1", "--set", "floor=3"];
    insta::assert_snapshot!(run(&adolake, &strict).told(), @r"
    exit 2
    --- stderr
    error: no check that runs declares a parameter `floor`
    hint: a check declares what it takes in the `params` of its header
    ");
    let nothing = Adolake::with_config(CONFIG).run(&["explain", "!1"]);
    insta::assert_snapshot!(nothing.told(), @r"
    exit 2
    --- stderr
    error: there is no lake at `[folder]/lake` yet
    hint: `adolake sync` fills it
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_judged_says_why() {
    let config = CONFIG.replace("2026-01-01", "2026-03-03");
    let columns = "created_month|repository_id|pull_request_id|project_id|title|status|source_ref|target_ref|created_at|closed_at|first_seen_at";
    let adolake = small_with(
        &config,
        &[
            (
                "pull_requests",
                columns,
                "2026-05|r1|5|p1|Still open|active|refs/heads/e|refs/heads/main|2026-05-01||2026-05-01",
            ),
            (
                "pull_requests",
                columns,
                "2026-05|r1|6|p1|Elsewhere|completed|refs/heads/f|refs/heads/develop|2026-05-01|2026-05-02|2026-05-01",
            ),
        ],
    )
    .await;
    let told = |name: &str| run(&adolake, &["explain", name]).told();
    insta::assert_snapshot!(told("api!1"), @r"
    exit 0
    --- stdout
    contoso/payments/api!1  Add limits
    https://ado/contoso/payments/_git/api/pullrequest/1
    merged 2026-03-02 12:00:00 UTC into main, opened 2026-03-01 00:00:00 UTC by ann@contoso.com
    profile standard  ·  2026-03-03 to 2026-06-01  ·  data as of 2026-06-01 08:00 UTC

      not judged   it was merged before the start date, 2026-03-03 00:00:00 UTC
      hint         set an earlier `checks.start-date`, and sync: details are read for what is judged
    ");
    insta::assert_snapshot!(told("api!5"), @r"
    exit 0
    --- stdout
    contoso/payments/api!5  Still open
    https://ado/contoso/payments/_git/api/pullrequest/5
    active, meant for main, opened 2026-05-01 00:00:00 UTC by nobody known
    profile standard  ·  2026-03-03 to 2026-06-01  ·  data as of 2026-06-01 08:00 UTC

      not judged   it is active; only merged pull requests are judged
      hint         ask again once it is merged and synced
    ");
    insta::assert_snapshot!(told("api!6"), @r#"
    exit 0
    --- stdout
    contoso/payments/api!6  Elsewhere
    https://ado/contoso/payments/_git/api/pullrequest/6
    merged 2026-05-02 00:00:00 UTC into develop, opened 2026-05-01 00:00:00 UTC by nobody known
    profile standard  ·  2026-03-03 to 2026-06-01  ·  data as of 2026-06-01 08:00 UTC

      not judged   its target develop is no production branch of the repository, which are `main`
      hint         add "develop" to `production-branches` if changes reach production from it
    "#);
}
