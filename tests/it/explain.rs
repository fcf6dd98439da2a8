//! `adolake explain`, through the built binary: what is explained, how it reads, and what is told where nothing is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use std::time::Duration;

use adolake::checks::Queries;
use adolake::lake::Lake;
use adolake::schema::Catalog;

use crate::support::cmd::{Adolake, Ended};
use crate::support::world;

const DAY: Duration = Duration::from_secs(86_400);

const CONFIG: &str = "\
[lake]
url = \"./lake\"

[[organization]]
name = \"contoso\"
auth = { kind = \"pat\", env = \"ADO_PAT\" }

[checks]
start-date = 2026-01-01

[defaults]
sast = [\"CodeQL\"]
";

/// The small organization in a lake on disk.
async fn small() -> Adolake {
    let adolake = Adolake::with_config(CONFIG);
    let catalog = Arc::new(Catalog::embedded().unwrap());
    let url = adolake.path().join("lake");
    let lake = Lake::open(url.to_str().unwrap(), &BTreeMap::new(), 400 * DAY, catalog).unwrap();
    world::fill(&lake).await;
    adolake
}

fn run(adolake: &Adolake, arguments: &[&str]) -> Ended {
    tokio::task::block_in_place(|| adolake.run(arguments))
}

/// The page about one check, from its line on.
fn page(ended: &Ended, check: &str) -> String {
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let mut parts = ended.stdout.split("\n\n").peekable();
    let mut text = String::new();
    let is_head = |part: &str| part.lines().any(|line| line.ends_with(')') && line.contains("  ("));
    while let Some(part) = parts.next() {
        if part.contains(&format!("({check})")) {
            text.push_str(part);
            while let Some(part) = parts.next_if(|part| !is_head(part) && !part.starts_with('✓'))
            {
                text.push_str("\n\n");
                text.push_str(part);
            }
        }
    }
    assert!(!text.is_empty(), "{}", ended.told());
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_approval_is_explained_and_hostile_text_is_harmless() {
    let adolake = small().await;
    let ended = run(&adolake, &["explain", "contoso/payments/api!2"]);
    insta::assert_snapshot!(ended.told(), @r#"
    exit 0
    --- stdout
    contoso/payments/api!2  =HYPERLINK("http://evil","x")  [31mred
    https://ado/contoso/payments/_git/api/pullrequest/2
    merged 2026-03-03 12:00:00 UTC into main, opened 2026-03-01 00:00:00 UTC by ann@contoso.com
    profile standard  ·  2026-01-01 to 2026-06-01  ·  data as of 2026-06-01 08:00 UTC

    ✗ fail SELF_APPROVED  Every merged pull request has an independent approval  (pull_request_approved)
      Only the creator of the pull request approved it.

      2026-03-01 00:00:00 · ann@contoso.com opened the pull request from b
      2026-03-02 09:00:00 · ann@contoso.com pushed iteration 1: the last push
      2026-03-03 10:00:00 – ann@contoso.com approved: cast by the creator of the pull request
      2026-03-03 12:00:00 · somebody merged it into main
                          ? no approval by a person other than ann@contoso.com stood at the merge

      would pass   an approval (vote 10 or 5) by a person other than ann@contoso.com, standing at the
                   merge, 2026-03-03 12:00:00 UTC
      now          what happened cannot be changed; it is accepted by an `[[exception]]` with `match =
                   "contoso/payments/api!2"` and `checks = ["pull_request_approved"]`, a reason and who
                   approved it
      next time    Require a reviewer other than the author before completing, and a new review after
                   every push.

    ✗ fail NOT_CONFIGURED
      Every merged pull request passed a dependency check  (pull_request_dependency_check_passed)
      No dependency check solution is configured for the repository.

      2026-03-01 00:00:00 · ann@contoso.com opened the pull request from b
      2026-03-02 09:00:00 · ann@contoso.com pushed iteration 1: the final code, which has to be covered
      2026-03-03 12:00:00 · somebody merged it into main
                          ? `dependency-checks` is empty for the repository

      would pass   `dependency-checks` set for the repository, and a run or status that fits it
      now          in `adolake.toml`: `[[repository]]` with `match = "contoso/payments/api"` and
                   `dependency-checks`; then `adolake check`
      next time    Run a dependency scanner on every pull request as build validation or as a required
                   status, and wait for it before completing.

    ✗ fail NOT_CONFIGURED
      Every merged pull request passed its integration tests  (pull_request_integration_tests_passed)
      No integration test solution is configured for the repository.

      2026-03-01 00:00:00 · ann@contoso.com opened the pull request from b
      2026-03-02 09:00:00 · ann@contoso.com pushed iteration 1: the final code, which has to be covered
      2026-03-03 12:00:00 · somebody merged it into main
                          ? `integration-tests` is empty for the repository

      would pass   `integration-tests` set for the repository, and a run or status that fits it
      now          in `adolake.toml`: `[[repository]]` with `match = "contoso/payments/api"` and
                   `integration-tests`; then `adolake check`
      next time    Add a build validation policy that runs the integration tests on every pull request,
                   and wait for it before completing.

    ? unknown EVIDENCE_UNREADABLE
      Every merged pull request passed static analysis  (pull_request_sast_passed)
      Solution CodeQL: what it needs was not read up to the merge; merged at 2026-03-03T12:00:00Z.

      2026-03-01 00:00:00 · ann@contoso.com opened the pull request from b
      2026-03-02 09:00:00 · ann@contoso.com pushed iteration 1: the final code, which has to be covered
      2026-03-03 12:00:00 · somebody merged it into main
                          ? the policy evaluations were not read after the merge: solution `CodeQL`
                            needs it
                          ? the runs of the project were not read without a hole from the last push,
                            2026-03-02 09:00:00, to the merge, 2026-03-03 12:00:00: solution `CodeQL`
                            needs it
                          ? the statuses were not read after the merge: solution `CodeQL` needs it

      would pass   what `CodeQL` needs read up to the merge, if it then shows a success
      now          `adolake sync` tries again; where it stays so, `adolake doctor` tells which
                   permission is missing

    ✓ counted   ✗ spoke against it   – did not count   ? missing   · for context
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_read_is_named() {
    let adolake = small().await;
    let ended = run(&adolake, &["explain", "contoso/payments/api!4"]);
    insta::assert_snapshot!(page(&ended, "pull_request_approved"), @r"
    ? unknown EVIDENCE_UNREADABLE
      Every merged pull request has an independent approval  (pull_request_approved)
      The threads or iterations of the pull request were not read after the merge.

      2026-04-01 00:00:00 · ann@contoso.com opened the pull request from d
      2026-04-05 12:00:00 · somebody merged it into main
                          ? the threads were never read: they hold votes and resets with their times

      would pass   threads and iterations read after the merge, if they then show an approval
      now          `adolake sync` tries again; where it stays so, `adolake doctor` tells which
                   permission is missing
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_label_is_explained() {
    let adolake = small().await;
    let ended = run(&adolake, &["explain", "contoso/payments/api!3"]);
    insta::assert_snapshot!(page(&ended, "pull_request_approved"), @r"
    ○ exempt EMERGENCY_LABEL
      Every merged pull request has an independent approval  (pull_request_approved)
      It carries the emergency label emergency.

      2026-03-01 00:00:00 · ann@contoso.com opened the pull request from c
      2026-03-01 00:00:00 ✓ label emergency was first listed, the pull request being active: the
                            emergency label, seen before the merge
      2026-03-02 09:00:00 · ann@contoso.com pushed iteration 1: the last push
      2026-03-04 12:00:00 · somebody merged it into main
                          ? no approval by a person other than ann@contoso.com stood at the merge

      otherwise    without that it would be fail NO_APPROVAL
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_explained() {
    let adolake = small().await;
    let ended = run(&adolake, &["explain", "contoso/payments/api@main"]);
    insta::assert_snapshot!(ended.told(), @r"
    exit 0
    --- stdout
    contoso/payments/api@refs/heads/main
    https://ado/contoso/payments/_git/api?version=GBmain
    default branch at commit x, 4 pull requests merged into it, the last 2026-04-05 12:00:00 UTC
    profile standard  ·  2026-01-01 to 2026-06-01  ·  data as of 2026-06-01 08:00 UTC

    ✓ pass POLICY_ENFORCED
      Every production branch demands an approval before a merge  (branch_policy_requires_approval)
      A blocking policy demands the approval of another person.

      2025-01-01 00:00:00 ✓ policy 1, revision 1, Minimum number of reviewers: enabled, blocking, 1
                            approver without the creator, a push asks for new votes, not the last
                            pusher: demands the approval of another person
      2026-06-01 08:00:00 · the policies of the project were last read

      flag         NO_BUILD_VALIDATION: no blocking policy demands a build on this branch

    ? unknown EVIDENCE_UNREADABLE
      Every change of a production branch came by a pull request  (change_has_pull_request)
      The pushes to the branch were not read without a hole since the start date.

                          ✓ no update of the branch in the period
                          ? the pushes to the branch were never read

      would pass   the pushes read without a hole from the start date on
      now          `adolake sync` tries again; where it stays so, `adolake doctor` tells which
                   permission is missing

    ✓ counted   ✗ spoke against it   – did not count   ? missing   · for context
    ");
}

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
    error: there is nothing to check yet: the lake is empty
    hint: `adolake sync` fills it, `adolake demo` makes one to try
    ");
}

#[test]
fn every_check_is_explained() {
    let queries = Queries::embedded().unwrap();
    let checks: BTreeSet<&str> = queries.checks().iter().map(|check| check.id()).collect();
    let explained: BTreeSet<&str> = queries
        .explanations()
        .iter()
        .flat_map(|explanation| &explanation.header.checks)
        .map(String::as_str)
        .collect();
    assert_eq!(explained, checks);
}
