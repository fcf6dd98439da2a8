//! The command line, through the built binary: usage, configuration and what a user can get wrong.

use std::process::Stdio;

use crate::support::cmd::Adolake;

#[test]
fn every_command_has_help_with_an_example() {
    let adolake = Adolake::new();
    let help = adolake.run(&["--help"]);
    assert_eq!(help.code, Some(0));
    let commands: Vec<String> = help
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert!(commands.len() >= 4, "{}", help.stdout);
    for command in commands {
        let help = adolake.run(&[&command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(help.stdout.contains("Example"), "{command}: {}", help.stdout);
        assert!(help.stdout.contains(&format!("adolake {command}")), "{command}: {}", help.stdout);
        assert_eq!(help.stderr, "", "{command}");
    }
}

#[test]
fn usage_errors_are_told_on_stderr() {
    let adolake = Adolake::new();
    insta::assert_snapshot!(adolake.run(&["tabels"]).told(), @r#"
    exit 2
    --- stderr
    error: unrecognized subcommand 'tabels'

      tip: a similar subcommand exists: 'tables'

    Usage: adolake [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(adolake.run(&["tables", "--format", "yaml"]).told(), @r#"
    exit 2
    --- stderr
    error: invalid value 'yaml' for '--format <FORMAT>'
      [possible values: text, markdown, json]

    For more information, try '--help'.
    "#);
    assert_eq!(adolake.run(&[]).code, Some(2));
    let version = adolake.run(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert_eq!(version.stdout, format!("adolake {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_named_config_has_to_exist() {
    let told = Adolake::new().run(&["--config", "other.toml", "config", "check"]).told();
    insta::assert_snapshot!(told, @r#"
    exit 2
    --- stderr
    error: there is no config file `other.toml`
    hint: write an `adolake.toml` (the README shows one), or name yours with `--config FILE`
    hint: `adolake demo` needs no config
    "#);
}

#[test]
fn unknown_keys_name_line_and_nearest_key() {
    let adolake = Adolake::with_config(
        "[lake]\nulr = \"./lake\"\n\n[defaults]\nproduction-branch = [\"main\"]\n",
    );
    insta::assert_snapshot!(adolake.run(&["config", "check"]).told(), @r#"
    exit 2
    --- stderr
    error: 2 problems in the configuration
      adolake.toml:2: unknown key `lake.ulr`; did you mean `url`?
      adolake.toml:5: unknown key `defaults.production-branch`; did you mean `production-branches`?
    hint: `adolake config schema` lists every key; the README explains them
    "#);
}

#[test]
fn bad_globs_are_told() {
    let adolake = Adolake::with_config("[defaults]\nproduction-branches = [\"release/[0-9]*\"]\n");
    insta::assert_snapshot!(adolake.run(&["config", "check"]).told(), @r#"
    exit 2
    --- stderr
    error: adolake.toml:2: `defaults.production-branches`: `release/[0-9]*` can fit nothing, no name holds `[`: globs know `*` (inside a `/` segment) and `**`
    hint: `adolake config schema` lists every key; the README explains them
    "#);
}

#[test]
fn a_missing_evidence_file_is_told() {
    let adolake = Adolake::with_config(
        "[[exception]]\nmatch = \"contoso/payments/api!7\"\nreason = \"incident 812\"\napproved-by = \"cto\"\nevidence = \"scan.pdf\"\nexpires = 2026-12-31\n",
    );
    let output = adolake.run(&["config", "check"]);
    let told = output.told();
    assert!(told.starts_with("exit 2"), "{told}");
    assert!(told.contains("scan.pdf` of exception `contoso/payments/api!7`"), "{told}");
    assert!(told.contains("hint: correct `evidence` of the exception"), "{told}");
}

#[test]
fn a_missing_token_is_worth_a_warning() {
    let config =
        "[[organization]]\nname = \"contoso\"\nauth = { kind = \"pat\", env = \"ADO_PAT\" }\n";
    let adolake = Adolake::with_config(config);
    insta::assert_snapshot!(adolake.run(&["config", "check"]).told(), @r#"
    exit 0
    --- stderr
    warning: the environment variable `ADO_PAT` for the token of organization `contoso` is not set
    `adolake.toml` has no problems
    "#);
    let adolake = Adolake::with_config(config).env("ADO_PAT", "abc");
    insta::assert_snapshot!(adolake.run(&["config", "check"]).told(), @r#"
    exit 0
    --- stderr
    `adolake.toml` has no problems
    "#);
}

#[test]
fn config_show_merges_file_and_environment() {
    let adolake =
        Adolake::with_config("[sync]\nlag = \"2h\"\n").env("ADOLAKE_SYNC__RECHECK", "21d");
    let shown = adolake.run(&["config", "show", "--format", "json"]).json();
    assert_eq!(shown["sync"]["lag"], "2h");
    assert_eq!(shown["sync"]["recheck"], "21d");
    assert_eq!(shown["checks"]["profile"], "standard");
    let text = adolake.run(&["config", "show", "--export", "shown.json"]);
    assert_eq!(text.code, Some(0));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&adolake.read("shown.json")).unwrap(),
        shown
    );
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_unicode_are_not_passed_over() {
    use std::os::unix::ffi::OsStrExt as _;
    let adolake = Adolake::new();
    let output = adolake
        .command(&["config", "check"])
        .env("ADOLAKE_LAKE__URL", std::ffi::OsStr::from_bytes(b"\xff\xfe"))
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("ADOLAKE_LAKE__URL") && told.contains("is not Unicode"), "{told}");
}

#[test]
fn a_scope_that_nobody_knows_cannot_be_denied() {
    let ended = Adolake::new().run(&["simulate", "--deny", "nope"]);
    assert_eq!(ended.code, Some(2), "{}", ended.told());
    assert!(ended.stderr.contains("code, build, graph, project, profile"), "{}", ended.told());
}

#[test]
fn the_users_config_is_found() {
    let adolake = Adolake::new();
    adolake.write(".config/adolake/config.toml", "[sync]\nlag = \"3h\"\n");
    assert_eq!(adolake.run(&["config", "show", "--format", "json"]).json()["sync"]["lag"], "3h");
    adolake.write("adolake.toml", "[sync]\nlag = \"4h\"\n");
    assert_eq!(adolake.run(&["config", "show", "--format", "json"]).json()["sync"]["lag"], "4h");
}

#[test]
fn the_schema_is_json() {
    let schema = Adolake::new().run(&["config", "schema"]).json();
    assert_eq!(schema["properties"]["lake"]["properties"]["url"]["type"], "string");
}

#[test]
fn tables_are_explained() {
    let adolake = Adolake::new();
    let all = adolake.run(&["tables", "--format", "json"]).json();
    let schemas = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas")).unwrap();
    assert_eq!(all.as_array().unwrap().len(), schemas.count());
    let one = adolake.run(&["tables", "pull_requests", "--format", "json"]).json();
    assert_eq!(one["table"], "pull_requests");
    insta::assert_snapshot!(adolake.run(&["tables", "projects"]).told(), @r#"
    exit 0
    --- stdout
    projects
    One row per project, its latest state.

      project_id      text       key            id, GUID
      name            text                      name, as last read
      description     text       nullable       description
      url             text       nullable       REST address
      visibility      text       nullable       private | public | organization
      state           text       nullable       wellFormed | createPending | new | deleting | deleted
      revision        bigint     nullable       revision
      last_update_at  timestamp  nullable       lastUpdateTime, UTC
      first_seen_at   timestamp                 Date of the answer that first listed it, UTC
      deleted_at      timestamp  nullable       when its deletion was shown, UTC; null while it exists
      _run_id         text                      run that wrote this row
      _synced_at      timestamp                 when this row last changed, UTC
      _hash           text                      hash of the content, decides whether a merge writes the row
      organization    text       key, partition  Azure DevOps organization name
    "#);
    insta::assert_snapshot!(adolake.run(&["tables", "pull_request"]).told(), @r#"
    exit 2
    --- stderr
    error: there is no table `pull_request`
    hint: did you mean `pull_requests`?
    "#);
}

#[test]
fn tables_come_from_a_folder_that_holds_what_the_built_in_ones_do() {
    let adolake = Adolake::new();
    std::fs::create_dir(adolake.path().join("mine")).unwrap();
    let built_in = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for entry in std::fs::read_dir(built_in).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        std::fs::copy(&path, adolake.path().join("mine").join(name)).unwrap();
    }
    let with = |from: &str, to: &str| {
        let whole = adolake.read("mine/projects.sql");
        assert!(whole.contains(from));
        adolake.write("mine/projects.sql", &whole.replacen(from, to, 1));
        let ended = adolake.run(&["--schemas", "mine", "tables", "projects"]);
        adolake.write("mine/projects.sql", &whole);
        ended
    };
    let run_id = "    _run_id ";
    let added = with(run_id, &format!("    team STRING COMMENT 'who owns it',\n{run_id}"));
    assert_eq!(added.code, Some(0), "{}", added.told());
    assert!(added.stdout.contains("who owns it"), "{}", added.told());
    for (from, to, told) in [
        (
            run_id,
            &*format!("    team STRING NOT NULL COMMENT 'x',\n{run_id}"),
            "the new column `team` must be nullable",
        ),
        ("    name ", "    nom ", "column `name` is missing"),
        (
            "'adolake.write' = 'merge'",
            "'adolake.write' = 'insert'",
            "its key, partitions or properties are others",
        ),
    ] {
        let ended = with(from, to);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.told());
        assert!(ended.stderr.contains(told) && ended.stderr.contains("hint: "), "{}", ended.told());
    }
    std::fs::remove_file(adolake.path().join("mine/pushes.sql")).unwrap();
    let ended = adolake.run(&["--schemas", "mine", "tables"]);
    assert_eq!(ended.code, Some(2), "{}", ended.told());
    assert!(
        ended.stderr.contains(
            "table `pushes` of the schemas does not fit this adolake: there is no file `pushes.sql`"
        ),
        "{}",
        ended.told()
    );
    adolake.write("mine/users.sql", "create table users (x)");
    let ended = adolake.run(&["--schemas", "mine", "tables"]);
    assert!(ended.stderr.contains("mine/users.sql"), "{}", ended.told());
    let ended = adolake.run(&["--schemas", "nowhere", "tables"]);
    assert_eq!(ended.code, Some(2), "{}", ended.told());
    std::fs::create_dir(adolake.path().join("empty")).unwrap();
    insta::assert_snapshot!(adolake.run(&["--schemas", "empty", "tables"]).told(), @"
    exit 2
    --- stderr
    error: there is no table definition in `empty`
    hint: start from the files of `schemas/` in the source; only tables, nullable columns and comments may be new
    ");
}

#[test]
fn exports_are_written_whole_or_not_at_all() {
    let adolake = Adolake::new();
    let ended = adolake.run(&["tables", "--export", "tables.md", "--export", "tables.json"]);
    assert_eq!(ended.code, Some(0));
    assert!(adolake.read("tables.md").starts_with("| table |"));
    assert!(adolake.read("tables.json").starts_with('['));
    insta::assert_snapshot!(adolake.run(&["tables", "--export", "tables.xls"]).told(), @r#"
    exit 2
    --- stderr
    error: `tables.xls` has no suffix that tells a format
    hint: use one of `.txt`, `.md`, `.json`
    "#);
    let ended = adolake.run(&["tables", "--quiet", "--export", "no/such/folder.json"]);
    assert_eq!(ended.code, Some(2));
    insta::assert_snapshot!(ended.stderr, @r#"
    error: cannot write `no/such/folder.json`
    caused by: No such file or directory (os error 2)
    hint: see whether the folder exists and may be written
    "#);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let adolake = Adolake::new();
    let mut child = adolake
        .command(&["config", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_of_what_was_written() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let adolake = Adolake::new();
    let mut command = adolake.command(&["config", "schema"]);
    let ended = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
    let ended = ended.unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{told}");
    assert!(told.starts_with("error: cannot write to stdout\ncaused by: "), "{told}");
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let adolake = Adolake::new();
    assert!(!adolake.run(&["tables"]).stdout.contains('\u{1b}'));
    assert!(adolake.run(&["tables", "--color", "always"]).stdout.contains('\u{1b}'));
    assert!(!adolake.run(&["tables", "--color", "never"]).stdout.contains('\u{1b}'));
}

#[test]
fn completions_and_manual_pages_are_made() {
    let adolake = Adolake::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = adolake.run(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{shell}");
        assert!(script.stdout.contains("adolake"), "{shell}");
    }
    assert!(adolake.run(&["man"]).stdout.contains(".TH adolake 1"));
    assert_eq!(adolake.run(&["man", "--out", "share/man"]).code, Some(0));
    assert!(adolake.read("share/man/adolake-tables.1").contains("adolake-tables"));
}

#[test]
fn help_starts_fast() {
    let adolake = Adolake::new();
    let best = (0..5)
        .map(|_| {
            let started = std::time::Instant::now();
            adolake.run(&["--help"]);
            started.elapsed()
        })
        .min()
        .unwrap();
    // The promise is 30 ms for a release build; an unoptimized one on a busy machine gets more.
    assert!(best.as_millis() < 500, "{best:?}");
}

/// A config whose organization is on this machine, at a port where nobody listens.
const NOBODY: &str = "\
[[organization]]
name = \"contoso\"
auth = { kind = \"pat\", env = \"ADO_PAT\" }
endpoints = { core = \"http://127.0.0.1:9/contoso\" }
";

#[test]
fn nothing_is_left_behind_where_nobody_answers() {
    let adolake = Adolake::with_config(NOBODY).env("ADO_PAT", "abc");
    let ended = adolake.run(&["sync", "--quiet"]);
    assert_eq!(ended.code, Some(3), "{}", ended.told());
    assert!(ended.stderr.contains("cannot reach `http://127.0.0.1:9/contoso/"), "{}", ended.told());
    assert!(ended.stderr.contains("hint: check the address"), "{}", ended.told());
    assert!(!ended.stderr.contains("abc"), "{}", ended.told());
    assert!(!adolake.path().join("lake").exists());
}
