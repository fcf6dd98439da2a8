//! `adolake init` through the built binary: what it writes loads, and works for the organization it was pointed at.

use adolake::simulator::{Options, Simulator};

use crate::support::cmd::{Adolake, Ended};

fn run(adolake: &Adolake, args: &[&str]) -> Ended {
    let args: Vec<&str> = ["--progress", "never"].iter().chain(args).copied().collect();
    tokio::task::block_in_place(|| adolake.run(&args))
}

async fn world(has_examples: bool) -> (Simulator, Adolake) {
    let simulator = Simulator::start(Options { has_examples, ..Options::default() }).await.unwrap();
    let adolake = Adolake::new().env("ADO_PAT", simulator.token());
    (simulator, adolake)
}

fn init(simulator: &Simulator, adolake: &Adolake, more: &[&str]) -> Ended {
    let (core, profile) = (simulator.organization_url(), simulator.url());
    let mut args = vec!["init", "--organization", "contoso", "--core", &core, "--graph", &core];
    args.extend(["--profile", &profile]);
    args.extend(more);
    run(adolake, &args)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_works_for_the_organization() {
    let (simulator, adolake) = world(false).await;
    let told = init(&simulator, &adolake, &["--start-date", "2026-01-01"]).told();
    insta::assert_snapshot!(told);
    let text = adolake.read("adolake.toml").replace(&simulator.url(), "http://simulator");
    insta::assert_snapshot!(text);
    let check = run(&adolake, &["config", "check"]);
    assert_eq!((check.code, check.stderr.as_str()), (Some(0), "`adolake.toml` has no problems\n"));
    let doctor = run(&adolake, &["doctor"]);
    assert_eq!(doctor.code, Some(0), "{}", doctor.told());
    let sync = run(&adolake, &["sync"]);
    assert_eq!(sync.code, Some(0), "{}", sync.told());
    let check = run(&adolake, &["check"]);
    assert_eq!(check.code, Some(1), "{}", check.told());
    let last = check.stdout.lines().last().unwrap();
    assert!(last.starts_with("Done. PASS=") && !last.contains("PASS=0"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_all_kinds_make_a_file_that_loads() {
    let (simulator, adolake) = world(true).await;
    let ended = init(&simulator, &adolake, &["--file", "other.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    assert!(ended.stderr.contains("with proposals for"), "{}", ended.stderr);
    let check = run(&adolake, &["--config", "other.toml", "config", "check"]);
    assert_eq!(check.stderr, "`other.toml` has no problems\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_access_a_plain_file_is_written_and_said_to_be_plain() {
    let (simulator, _) = world(false).await;
    for token in ["", "wrong-token"] {
        let adolake = Adolake::new().env("ADO_PAT", token);
        let ended = init(&simulator, &adolake, &[]);
        assert_eq!(ended.code, Some(0), "{}", ended.told());
        assert!(ended.stderr.contains("without proposals"), "{}", ended.stderr);
        let text = adolake.read("adolake.toml");
        assert!(!text.contains("proposed"), "{text}");
        assert!(text.contains("production-branches = [\"main\"]"), "{text}");
        assert_eq!(run(&adolake, &["config", "check"]).code, Some(0));
    }
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let adolake = Adolake::with_config("mine");
    insta::assert_snapshot!(adolake.run(&["init", "--organization", "contoso"]).told(), @r"
    exit 2
    --- stderr
    error: `adolake.toml` is there already, and is left as it is
    hint: name another file with `--file`, or move it away
    ");
    assert_eq!(adolake.read("adolake.toml"), "mine");
}

#[test]
fn what_cannot_be_guessed_is_missing() {
    let adolake = Adolake::new();
    insta::assert_snapshot!(adolake.run(&["init"]).told(), @r"
    exit 2
    --- stderr
    error: `--organization` is missing
    hint: give `--organization`, or run `adolake init` on a terminal to be asked
    ");
    let wrong =
        adolake.run(&["init", "--organization", "con*toso", "--core", "http://127.0.0.1:1"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.told());
    assert_eq!(std::fs::read_dir(adolake.path()).unwrap().count(), 0);
}

#[test]
fn every_way_to_sign_in_makes_a_file_that_loads() {
    for (kind, more) in [
        ("pat", &["--env", "MY_PAT"][..]),
        ("service-principal", &["--tenant-id", "t", "--client-id", "c", "--env", "SECRET"]),
        ("user", &["--client-id", "c"]),
        ("managed-identity", &[]),
        ("workload-identity", &["--tenant-id", "t", "--client-id", "c", "--token-file", "token"]),
        ("azure-cli", &[]),
        ("pipeline", &[]),
    ] {
        let adolake = Adolake::new();
        let mut args = vec!["init", "--organization", "contoso", "--auth", kind, "--plain"];
        args.extend(["--lake", "az://audit/lake"]);
        args.extend(more);
        let ended = adolake.run(&args);
        assert_eq!(ended.code, Some(0), "{kind}: {}", ended.told());
        let shown = adolake.run(&["config", "show"]);
        assert_eq!(shown.code, Some(0), "{kind}: {}", shown.told());
        assert!(shown.stdout.contains(kind), "{kind}: {}", shown.stdout);
    }
}
