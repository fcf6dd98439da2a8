//! `adolake explain`, through the built binary: what is explained, how it reads, and what is told where nothing is.

mod agreement;
mod naming;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
    small_with(CONFIG, &[]).await
}

/// The same with another configuration and more rows: tables, columns between bars, and values between bars.
async fn small_with(config: &str, more: &[(&str, &str, &str)]) -> Adolake {
    let adolake = Adolake::with_config(config);
    let catalog = Arc::new(Catalog::embedded().unwrap());
    let url = adolake.path().join("lake");
    let lake = Lake::open(url.to_str().unwrap(), &BTreeMap::new(), 400 * DAY, catalog).unwrap();
    world::fill(&lake).await;
    for (table, columns, values) in more {
        let cells: Vec<(&str, &str)> = columns.split('|').zip(values.split('|')).collect();
        world::write(&lake, vec![world::row(lake.catalog(), table, &cells)]).await;
    }
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
async fn what_was_not_read_of_a_disabled_repository_is_named() {
    let disabled = (
        "repositories",
        "repository_id|project_id|project|name|web_url|default_branch|is_disabled|first_seen_at",
        "r1|p1|payments|api|https://ado/contoso/payments/_git/api|main|true|2025-06-01",
    );
    let adolake = small_with(CONFIG, &[disabled]).await;
    let ended = run(&adolake, &["explain", "contoso/payments/api!4"]);
    let page = page(&ended, "pull_request_approved");
    let action = page.split_once("  now  ").unwrap().1;
    let action = action.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        action,
        "the repository is disabled or deleted: what is missing can be read only once it is there again; \
         else keep other proof as `evidence` of an `[[exception]]` that matches `contoso/payments/api!4`"
    );
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
async fn a_policy_whose_history_is_not_shown_is_explained() {
    let columns = "policy_id|revision|scope_index|project_id|type_id|type_name|is_enabled|is_blocking|is_deleted|repository_id|ref_name|match_kind|minimum_approver_count|creator_vote_counts|reset_on_source_push|block_last_pusher_vote|valid_from|is_valid_from_proven|first_seen_at|valid_to|settings_json";
    let adolake = small_with(
        CONFIG,
        &[
            (
                "branch_policies",
                columns,
                "1|1|0|p1|fa4e907d-c16b-4a4c-9dfa-4906e5d171dd|Minimum number of reviewers|false|true|false|r1|refs/heads/main|Exact|1|false|true|true|2025-01-01|true|2025-06-01|2026-05-01|{}",
            ),
            (
                "branch_policies",
                columns,
                "1|2|0|p1|fa4e907d-c16b-4a4c-9dfa-4906e5d171dd|Minimum number of reviewers|true|true|false|r1|refs/heads/main|Exact|1|false|true|true|2026-05-01|false|2026-05-01||{}",
            ),
        ],
    )
    .await;
    let ended = run(&adolake, &["explain", "contoso/payments/api@main", "--profile", "strict"]);
    insta::assert_snapshot!(page(&ended, "branch_policy_requires_approval"), @r"
    ? unknown POLICY_HISTORY_UNPROVEN
      Every production branch demands an approval before a merge  (branch_policy_requires_approval)
      A policy satisfies now, but not for every part of the period is it proven which policy held.

      2025-01-01 00:00:00 · policy 1, revision 1, Minimum number of reviewers: disabled, blocking, 1
                            approver without the creator, a push asks for new votes, not the last
                            pusher: held until 2026-05-01 00:00:00, and did not demand the approval of
                            another person
      2026-01-01 00:00:00 ? it is not shown which policy held, until 2026-05-01 00:00:00
      2026-05-01 00:00:00 ✓ policy 1, revision 2, Minimum number of reviewers: enabled, blocking, 1
                            approver without the creator, a push asks for new votes, not the last
                            pusher: demands the approval of another person
      2026-06-01 08:00:00 · the policies of the project were last read

      flag         NO_BUILD_VALIDATION: no blocking policy demands a build on this branch
      would pass   a period that begins after the last change that is not shown, or proof of which
                   policy held before
      now          what held before the first sync may not be shown any more; `checks.start-date` says
                   from when it is asked
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_that_could_not_be_read_are_named() {
    let config = format!("{CONFIG}production-branches = [\"main\", \"trunk\"]\n");
    let adolake = small_with(
        &config,
        &[(
            "sync_runs",
            "run_month|run_id|resource|scope|window_from|window_to|started_at|finished_at|status|error",
            "2026-06|s2|branches|r1|2026-06-02|2026-06-02|2026-06-02|2026-06-02|unreadable|Code (Read) is missing",
        )],
    )
    .await;
    let ended = run(&adolake, &["explain", "contoso/payments/api@trunk"]);
    insta::assert_snapshot!(page(&ended, "branch_policy_requires_approval"), @r"
    ? unknown EVIDENCE_UNREADABLE
      Every production branch demands an approval before a merge  (branch_policy_requires_approval)
      The branches of the repository could not be read at the last sync.

      2026-06-01 08:00:00 · the policies of the project were last read
      2026-06-02 00:00:00 ? the branches of the repository were last asked for, with result unreadable:
                            Code (Read) is missing

      would pass   the branches of the repository read, if a policy of theirs demands an approval
      now          `adolake sync` tries again; where it stays so, `adolake doctor` tells which
                   permission is missing
    ");
}

/// Queries of somebody else come with an explanation, or their evidence speaks for itself.
#[tokio::test(flavor = "multi_thread")]
async fn checks_from_elsewhere_show_their_evidence() {
    let adolake = small().await;
    adolake.write(
        "own/checks/titled.sql",
        "\
-- id: titled
-- title: Every merged pull request has a long title
-- severity: low
-- controls: own 1
-- reads: merged_pull_requests
-- params: as_of timestamp; floor bigint = 100
-- rationale: r
-- remediation: Write longer titles.

select organization, project, repository_id, repository, branch, pull_request_id, title as subject, web_url as resource_url,
    case when char_length(title) >= $floor then 'pass' else 'fail' end as status, 'TITLE' as reason_code,
    'Its title is short.' as reason, '' as flags, to_json(named_struct('length', char_length(title))) as evidence_json
from merged_pull_requests where merged_at <= $as_of
",
    );
    let ended = run(&adolake, &["explain", "api!1", "--queries", "own"]);
    insta::assert_snapshot!(page(&ended, "titled"), @r#"
    ✗ fail TITLE  Every merged pull request has a long title  (titled)
      Its title is short.

      {
        "length": 10
      }

      next time    Write longer titles.
    "#);
    let set = ["explain", "api!1", "--queries", "own", "--set", "floor=3", "--format", "json"];
    let document = run(&adolake, &set).json();
    let titled = document["verdicts"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (titled["check_id"].as_str(), titled["status"].as_str()),
        (Some("titled"), Some("pass"))
    );
}
