//! Check runs on a lake: what they store, what they compare, and what is wrong with queries.

mod own;
mod settings;
mod stored;

use std::error::Error as _;

use adolake::checks::{self, Queries, Status};
use adolake::config::{Profile, Settings};
use adolake::hint::Hint;
use adolake::lake::Lake;

use crate::support::cmd::Adolake;
use crate::support::world::{self, ask, run, settings};

const VERDICTS: &str = "select check_id, resource, status, reason_code, flags from check_results order by checked_at, 1, 2";

#[tokio::test]
async fn a_run_stores_what_it_found_and_the_next_one_only_what_changed() {
    let lake = world::lake().await;
    let first = run(&lake, &settings(), &world::request()).await;
    assert_eq!(first.counts().of(Status::Pass), 2);
    let stored = ask(&lake, VERDICTS).await;
    assert_eq!(stored.len() as u64, first.counts().total());
    let of_approval: Vec<&String> =
        stored.iter().filter(|line| line.starts_with("pull_request_approved|")).collect();
    assert_eq!(
        of_approval,
        [
            "pull_request_approved|contoso/payments/api!1|pass|APPROVED|",
            "pull_request_approved|contoso/payments/api!2|fail|SELF_APPROVED|",
            "pull_request_approved|contoso/payments/api!3|exempt|EMERGENCY_LABEL|",
            "pull_request_approved|contoso/payments/api!4|unknown|EVIDENCE_UNREADABLE|",
        ]
    );

    let again = run(&lake, &settings(), &world::request()).await;
    assert_eq!(again.findings_sha256, first.findings_sha256);
    assert_eq!(again.settings_hash, first.settings_hash);
    assert!(again.run_id > first.run_id || again.started_at == first.started_at);
    assert_eq!(ask(&lake, VERDICTS).await.len(), stored.len());
    let runs = ask(&lake, "select count(*), count(distinct settings_hash) from check_runs").await;
    assert_eq!(runs, ["2|1"]);

    // The emergency label is no longer one: one verdict per check of pull requests may change.
    let mut strict = settings();
    strict.defaults.emergency_label = None;
    let later =
        checks::Request { clock: &|| world::at("2026-06-03T12:00:00Z"), ..world::request() };
    run(&lake, &strict, &later).await;
    let changed: Vec<String> = ask(&lake, VERDICTS).await.split_off(stored.len());
    assert!(changed.iter().all(|line| line.contains("api!3|fail|")), "{changed:#?}");
    assert_eq!(changed.len(), 4);

    // Out of scope: everything that stood is withdrawn, once.
    strict.defaults.in_scope = false;
    let last = checks::Request { clock: &|| world::at("2026-06-04T12:00:00Z"), ..world::request() };
    let empty = run(&lake, &strict, &last).await;
    assert_eq!((empty.counts().total(), empty.out_of_scope), (0, 1));
    let withdrawn =
        "select count(*) from check_results where status = 'withdrawn' and subject is not null";
    let judged = ask(&lake, "select count(distinct (check_id, resource)) from check_results").await;
    assert_eq!(ask(&lake, withdrawn).await, judged);
    let further =
        checks::Request { clock: &|| world::at("2026-06-05T12:00:00Z"), ..world::request() };
    run(&lake, &strict, &further).await;
    assert_eq!(ask(&lake, withdrawn).await, judged);
}

#[tokio::test]
async fn verdicts_are_not_stored_again_because_time_went_by() {
    let lake = world::lake().await;
    let sync = async |day: &str| {
        for (resource, scope) in
            [("pushes", "r1@refs/heads/main"), ("branches", "r1"), ("branch_policies", "p1")]
        {
            world::record(&lake, resource, scope, ["2025-12-01", day], "ok").await;
        }
        run(&lake, &settings(), &world::request()).await
    };
    let first = sync("2026-06-02").await;
    let stored = ask(&lake, VERDICTS).await;
    assert!(stored.iter().any(|line| line.contains("ALL_CHANGES_REVIEWED")), "{stored:#?}");
    assert!(stored.iter().any(|line| line.contains("POLICY_ENFORCED")), "{stored:#?}");
    let later = sync("2026-06-03").await;
    assert!(later.period.to > first.period.to);
    assert_eq!(later.findings_sha256, first.findings_sha256);
    assert_eq!(ask(&lake, VERDICTS).await, stored);
}

#[tokio::test]
async fn a_run_of_one_check_withdraws_nothing() {
    let lake = world::lake().await;
    run(&lake, &settings(), &world::request()).await;
    let before = ask(&lake, VERDICTS).await.len();
    let ids = ["pull_request_approved".to_owned()];
    let mut narrow = settings();
    narrow.start_date = Some("2026-04-01".parse().unwrap());
    let request = checks::Request { checks: &ids, ..world::request() };
    let one = run(&lake, &narrow, &request).await;
    assert_eq!(one.counts().total(), 1);
    assert_eq!(ask(&lake, VERDICTS).await.len(), before);
}

#[tokio::test]
async fn profiles_stand_side_by_side() {
    let lake = world::lake().await;
    run(&lake, &settings(), &world::request()).await;
    let strict = checks::Request { profile: Profile::Strict, ..world::request() };
    let run = run(&lake, &settings(), &strict).await;
    let counts =
        ask(&lake, "select profile, count(*) from check_results group by profile order by 1").await;
    assert_eq!(
        counts,
        [
            format!("standard|{0}", run.counts().total()),
            format!("strict|{0}", run.counts().total())
        ]
    );
}

#[tokio::test]
async fn nothing_is_stored_where_nothing_is_to_be_stored() {
    let lake = world::lake().await;
    let before = lake.session().await.unwrap().versions;
    let request = checks::Request { is_stored: false, ..world::request() };
    run(&lake, &settings(), &request).await;
    assert_eq!(lake.session().await.unwrap().versions, before);
}

#[tokio::test]
async fn the_period_bounds_what_is_judged() {
    let lake = world::lake().await;
    let request = checks::Request {
        since: Some(world::at("2026-03-03")),
        until: Some(world::at("2026-03-31")),
        is_stored: false,
        ..world::request()
    };
    let run = run(&lake, &settings(), &request).await;
    let approval = run.findings.iter().find(|f| f.check_id() == "pull_request_approved").unwrap();
    let judged: Vec<Option<i64>> = approval.iter().map(|finding| finding.pull_request_id).collect();
    assert_eq!(judged, [Some(2), Some(3)]);
    assert_eq!(run.differences, Vec::<String>::new());
    let reversed = checks::Request { since: request.until, until: request.since, ..request };
    let queries = Queries::embedded().unwrap();
    let error = checks::run(&lake, &queries, &settings(), &reversed).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the period ends at 2026-03-03T00:00:00Z, before it begins at 2026-03-31T00:00:00Z"
    );
}

#[tokio::test]
async fn counts_that_disagree_are_named() {
    let lake = world::lake().await;
    let agreeing = run(&lake, &settings(), &world::request()).await;
    assert_eq!(agreeing.differences, Vec::<String>::new());
    let listed = [
        ("repository_id", "r1"),
        ("ref_name", "refs/heads/main"),
        ("closed_month", "2026-03"),
        ("listed_count", "5"),
        ("counted_at", "2026-06-01"),
        ("is_final", "true"),
    ];
    let row = world::row(lake.catalog(), "population_counts", &listed);
    world::write(&lake, vec![row]).await;
    let run = run(&lake, &settings(), &world::request()).await;
    assert_eq!(
        run.differences,
        [
            "contoso/payments/api branch `main` in 2026-03: Azure DevOps listed 5 merged pull requests, 3 stand in the lake"
        ]
    );
    let stored = "select closed_month, listed, landed, judged, judged_json like '%\"pull_request_approved\":3%' \
         from check_populations where run_id = (select max(run_id) from check_runs where not counts_agree) \
         order by closed_month";
    assert_eq!(ask(&lake, stored).await, ["2026-03|5|3|3|true", "2026-04|1|1|1|false"]);
}

#[tokio::test]
async fn pull_requests_that_could_not_be_listed_are_a_difference() {
    let lake = world::lake().await;
    let judge = async |request: checks::Request<'_>| {
        let request = checks::Request { is_stored: false, ..request };
        let run = run(&lake, &settings(), &request).await;
        (run.differences, run.warnings)
    };
    let told = async || judge(world::request()).await;
    let read = async |resource: &str, scope: &str, from: &str, to: &str, status: &str| {
        world::record(&lake, resource, scope, [from, to], status).await;
    };
    let unknown_from = |day: &str| {
        format!(
            "contoso/payments: its pull requests were asked for up to 2026-06-11T00:00:00Z, and are not known from {day}T00:00:00Z on"
        )
    };
    assert_eq!(told().await, (vec![], vec![]));
    read("pull_requests", "p1", "2026-05-31", "2026-06-11", "unreadable").await;
    assert_eq!(told().await, (vec![unknown_from("2026-06-01")], vec![]));
    // What comes behind the hole does not fill it.
    read("pull_requests", "p1", "2026-06-08", "2026-06-11", "ok").await;
    assert_eq!(told().await, (vec![unknown_from("2026-06-01")], vec![]));
    read("pull_requests", "p1", "2026-06-01", "2026-06-05", "ok").await;
    assert_eq!(told().await, (vec![unknown_from("2026-06-05")], vec![]));
    // A period that ends before it does not care.
    let until = Some(world::at("2026-06-03"));
    assert_eq!(judge(checks::Request { until, ..world::request() }).await, (vec![], vec![]));
    read("pull_requests", "p1", "2026-06-05", "2026-06-08", "ok").await;
    assert_eq!(told().await, (vec![], vec![]));
    // Other things are younger.
    read("branch_policies", "p1", "2026-06-12", "2026-06-12", "ok").await;
    let behind = "the pull requests of `contoso/payments` were read up to 2026-06-11T00:00:00Z, other things up to 2026-06-12T00:00:00Z; run `adolake sync`, or take it out of scope";
    assert_eq!(told().await, (vec![], vec![behind.to_owned()]));
    assert_eq!(judge(checks::Request { until, ..world::request() }).await, (vec![], vec![]));
    // A project that no sync asked for.
    let unasked = [
        ("repository_id", "r2"),
        ("project_id", "p2"),
        ("project", "web"),
        ("name", "shop"),
        ("first_seen_at", "2025-06-01"),
    ];
    world::write(&lake, vec![world::row(lake.catalog(), "repositories", &unasked)]).await;
    let unasked = "contoso/web: no sync has read its pull requests; run `adolake sync`, or take it out of scope";
    assert_eq!(told().await.0, [unasked]);
    read("pull_requests", "p2", "1970-01-01", "2026-06-11", "unreadable").await;
    let never = unknown_from("2026-01-01").replace("payments", "web");
    assert_eq!(told().await.0, [never]);
}

#[tokio::test]
async fn a_table_that_is_gone_is_a_difference() {
    let adolake = world::installed().await;
    let judge = async |day: u32| {
        let clock = || world::at(&format!("2026-06-{day:02}T12:00:00Z"));
        let request = checks::Request { clock: &clock, ..world::request() };
        run(&world::open(&adolake), &settings(), &request).await.differences
    };
    assert_eq!(judge(3).await, Vec::<String>::new());
    let branches = adolake.path().join("lake/branches");
    let moved = adolake.path().join("branches");
    std::fs::rename(&branches, &moved).unwrap();
    let gone = "table `branches` is gone: the check of 2026-06-03 read version 0 of it; put its folder back from a copy, or run `adolake sync --full` to read again what Azure DevOps still has";
    assert_eq!(judge(4).await, [gone]);
    // As long as nobody mends it.
    assert_eq!(judge(5).await, [gone]);
    std::fs::rename(&moved, &branches).unwrap();
    assert_eq!(judge(6).await, Vec::<String>::new());

    let write = async |id: &str| {
        let lake = world::open(&adolake);
        let cells = [("project_id", id), ("name", id), ("first_seen_at", "2026-06-01")];
        world::write(&lake, vec![world::row(lake.catalog(), "projects", &cells)]).await;
    };
    write("p1").await;
    write("p2").await;
    assert_eq!(judge(7).await, Vec::<String>::new());
    std::fs::remove_dir_all(adolake.path().join("lake/projects")).unwrap();
    write("p1").await;
    let anew = gone.replace("`branches` is gone", "`projects` stands at version 0 only");
    assert_eq!(
        judge(8).await,
        [anew.replace("2026-06-03 read version 0", "2026-06-07 read version 1")]
    );
    // What a check has told of is known from then on.
    assert_eq!(judge(9).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_repository_that_cannot_be_seen_is_a_warning_until_acknowledged() {
    let lake = world::lake().await;
    let hidden = [
        ("repository_id", "r2"),
        ("project_id", "p1"),
        ("project", "payments"),
        ("name", "web"),
        ("first_seen_at", "2025-06-01"),
        ("last_visible_at", "2026-05-01"),
    ];
    world::write(&lake, vec![world::row(lake.catalog(), "repositories", &hidden)]).await;
    let request = checks::Request { is_stored: false, ..world::request() };
    let warned = run(&lake, &settings(), &request).await;
    assert_eq!(warned.warnings.len(), 1, "{:?}", warned.warnings);
    assert!(warned.warnings[0].contains("`contoso/payments/web` can no longer be seen"));
    let mut acknowledged = settings();
    acknowledged.overrides.push(adolake::config::Override {
        pattern: "contoso/payments/web".to_owned(),
        glob: adolake::glob::Glob::new("contoso/payments/web").unwrap(),
        fields: adolake::config::Fields {
            gone_since: Some("2026-05-02".parse().unwrap()),
            ..Default::default()
        },
    });
    assert_eq!(run(&lake, &acknowledged, &request).await.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn users_that_could_not_be_read_are_warned_of() {
    let lake = world::lake().await;
    let request = checks::Request { is_stored: false, ..world::request() };
    let day = ["2026-06-01", "2026-06-01"];
    world::record(&lake, "users", "contoso", day, "unreadable").await;
    let warned = run(&lake, &settings(), &request).await.warnings;
    assert_eq!(
        warned,
        [
            "`contoso`: the users could not be read, so that two accounts are of one person is known only from what pull requests say; does the token have Graph (Read)?"
        ]
    );
    world::record(&lake, "users", "contoso", ["2026-06-02", "2026-06-02"], "ok").await;
    let warned = run(&lake, &settings(), &request).await.warnings;
    assert!(!warned.iter().any(|warning| warning.contains("the users")), "{warned:?}");
}

#[tokio::test]
async fn pull_requests_of_a_repository_that_was_not_read_are_warned_of() {
    let lake = world::lake().await;
    let merged = [
        ("created_month", "2026-03"),
        ("repository_id", "r9"),
        ("pull_request_id", "9"),
        ("project_id", "p9"),
        ("title", "Out of sight"),
        ("status", "completed"),
        ("source_ref", "refs/heads/a"),
        ("target_ref", "refs/heads/main"),
        ("created_at", "2026-03-01"),
        ("closed_at", "2026-03-02"),
        ("first_seen_at", "2026-03-01"),
    ];
    world::write(&lake, vec![world::row(lake.catalog(), "pull_requests", &merged)]).await;
    let request = checks::Request { is_stored: false, ..world::request() };
    let warned = run(&lake, &settings(), &request).await;
    let before = checks::Request { until: Some(world::at("2026-03-01")), ..request };
    assert_eq!(run(&lake, &settings(), &before).await.warnings, Vec::<String>::new());
    assert_eq!(
        warned.warnings,
        [
            "`contoso`: no sync has read the repository of 1 merged pull request, which no check judges; run `adolake sync`"
        ]
    );
}

#[tokio::test]
async fn an_empty_lake_says_what_fills_it() {
    let lake = Lake::in_memory(world::lake().await.catalog().clone()).unwrap();
    let queries = Queries::embedded().unwrap();
    let error = checks::run(&lake, &queries, &Settings::default(), &world::request()).await;
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "there is nothing to check yet: the lake is empty");
    assert!(error.hints()[0].contains("adolake sync"));
}

#[test]
fn a_lake_that_is_not_there_is_named() {
    for command in [&["check"][..], &["explain", "contoso/payments/api"]] {
        let told = Adolake::new().run(command).told();
        assert!(told.starts_with("exit 2\n"), "{told}");
        assert!(told.contains("there is no lake at `[folder]/lake` yet"), "{told}");
        assert!(told.contains("there is no config file here"), "{told}");
    }
}

#[test]
fn commands_that_a_report_names_work_as_they_stand() {
    let adolake = Adolake::new();
    let demo = adolake.run(&["--quiet", "demo", "--size", "tiny"]);
    let strict = ["--config", "adolake-demo/adolake.toml", "check", "--no-store"];
    let strict = [&strict[..], &["--profile", "strict", "pull_request_approved"]].concat();
    for ended in [demo, adolake.run(&strict)] {
        let told = &ended.stdout;
        let command = told.lines().find_map(|line| line.split_once("all of them: ")).unwrap().1;
        let listed = std::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(adolake.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&listed.stderr);
        assert_eq!(listed.status.code(), Some(1), "{command}\n{stderr}");
        let stdout = String::from_utf8(listed.stdout).unwrap();
        assert!(stdout.starts_with("check_id,organization,project,"), "{command}");
        let failed = stdout.lines().filter(|line| line.contains(",fail,")).count();
        assert!(told.contains(&format!("FAIL={failed} ")), "{command} lists {failed}\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_fails_when_it_is_run_is_named_and_not_its_reader() {
    let adolake = world::installed().await;
    std::fs::create_dir_all(adolake.path().join("mine/views")).unwrap();
    let header = "-- id: numbered\n-- title: t\n-- grain: one row per pull request\n-- reads: merged_pull_requests\n\n";
    let check = "-- id: small\n-- title: t\n-- severity: low\n-- controls: none\n-- reads: numbered\n-- rationale: r\n\
        -- remediation: r\n\nselect organization, project, repository_id, repository, branch, pull_request_id, title as subject, \
        web_url as resource_url, 'pass' as status, 'A' as reason_code, 'a' as reason, '' as flags, '{}' as evidence_json \
        from numbered";
    adolake.write("mine/small.sql", check);
    for view in [
        "select * from merged_pull_requests where cast(title as bigint) > 0",
        "select *, 1 / (pull_request_id - pull_request_id) as x from merged_pull_requests where cast(concat('x', title) as bigint) is not null",
    ] {
        adolake.write("mine/views/numbered.sql", &format!("{header}{view}"));
        for checks in [&["small"][..], &[]] {
            let arguments = [&["check", "--no-store", "--queries", "mine"][..], checks].concat();
            let ended = adolake.run(&arguments);
            assert_eq!(ended.code, Some(2), "{}", ended.told());
            assert!(ended.stderr.starts_with("error: mine/views/numbered.sql"), "{}", ended.told());
        }
    }
    let filter = "select count(*) from pull_requests where cast(title as bigint) > 0";
    let ended = adolake.run(&["sql", filter]);
    assert_eq!(ended.code, Some(2), "{}", ended.told());
    assert!(ended.stderr.starts_with("error: the query cannot be run: "), "{}", ended.told());
}

#[tokio::test]
async fn the_command_ends_as_the_verdicts_say() {
    let adolake = world::installed().await;
    let ended =
        adolake.run(&["check", "--no-store", "--export", "all.csv", "--export", "all.json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.told());
    assert!(ended.stdout.trim_end().lines().last().unwrap().starts_with("Done. PASS="));
    assert!(adolake.read("all.csv").starts_with("check_id,organization,project,"));
    let json: serde_json::Value = serde_json::from_str(&adolake.read("all.json")).unwrap();
    assert_eq!(json["run"]["profile"], "standard");
    assert_eq!(
        json["findings"].as_array().unwrap().len(),
        adolake.read("all.csv").lines().count() - 1
    );
    assert_eq!(adolake.run(&["check", "--fail-on", "never"]).code, Some(0));
    let one = adolake.run(&["check", "branch_policy_requires_approval", "--format", "json"]);
    assert_eq!(one.code, Some(0), "{}", one.told());
    let stored =
        adolake.run(&["sql", "--format", "csv", "select count(*) as runs from check_runs"]);
    assert_eq!(stored.stdout, "runs\n2\n", "{}", stored.told());
}

#[tokio::test]
async fn a_look_back_judges_the_lake_as_it_was_and_keeps_no_verdicts() {
    let lake = world::lake().await;
    let then = chrono::Utc::now();
    // A version is as old as the millisecond it was committed in.
    while chrono::Utc::now().timestamp_millis() <= then.timestamp_millis() {
        tokio::task::yield_now().await;
    }
    world::reject(&lake).await;
    let ids = ["pull_request_approved".to_owned()];
    let verdict = async |as_of| {
        let request = checks::Request { checks: &ids, as_of, ..world::request() };
        let run = run(&lake, &settings(), &request).await;
        run.findings[0].iter().next().unwrap().status
    };
    assert_eq!(verdict(Some(then)).await, Status::Pass);
    assert_eq!(ask(&lake, "select count(*) from check_results").await, ["0"]);
    assert_eq!(ask(&lake, "select count(*) from check_runs").await, ["1"]);
    assert_eq!(verdict(None).await, Status::Fail);
    // Before the first table there was nothing.
    let queries = Queries::embedded().unwrap();
    let request = checks::Request { as_of: Some(world::at("2020-01-01")), ..world::request() };
    let error = checks::run(&lake, &queries, &settings(), &request).await.unwrap_err();
    let told = error.source().unwrap().to_string();
    assert!(told.contains("does not reach back to 2020-01-01 00:00:00 UTC: the oldest"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_and_nothing_is_stored() {
    let adolake = world::installed().await;
    let file = world::files(&adolake.path().join("lake/pull_request_votes"), ".parquet").remove(0);
    let whole = std::fs::read(&file).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let of_the_same_length = vec![7; whole.len()];
    let damage = [
        Some(&b"garbage"[..]),
        Some(&whole[..whole.len() / 2]),
        Some(&of_the_same_length[..]),
        None,
    ];
    for bytes in damage {
        match bytes {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let query = "select max(vote) from pull_request_votes";
        let explained = ["explain", "contoso/payments/api!1"];
        for arguments in [&["check"][..], &["sql", query], &["publish"], &explained] {
            let ended = adolake.run(arguments);
            assert_eq!(ended.code, Some(2), "{}", ended.told());
            assert!(ended.stderr.contains(name), "{}", ended.told());
            assert!(ended.stderr.contains("hint: "), "{}", ended.told());
        }
    }
    // Its footer is sound, its pages are not.
    let length = whole.len();
    let footer = u32::from_le_bytes(whole[length - 8..length - 4].try_into().unwrap());
    let pages = 4..length - 8 - usize::try_from(footer).unwrap();
    let mut spoilt = whole.clone();
    spoilt[pages].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&file, spoilt).unwrap();
    for arguments in [&["check"][..], &["sql", "select max(voter_id) from pull_request_votes"]] {
        let ended = adolake.run(arguments);
        assert_eq!(ended.code, Some(2), "{}", ended.told());
        assert!(ended.stderr.contains(name), "{}", ended.told());
        assert!(ended.stderr.contains("restore them"), "{}", ended.told());
    }
    std::fs::write(&file, whole).unwrap();
    let ended = adolake.run(&["check", "--fail-on", "never"]);
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let runs = adolake.run(&["sql", "--format", "csv", "select count(*) from check_runs"]);
    assert_eq!(runs.stdout, "count(*)\n1\n");
}
