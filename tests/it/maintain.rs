//! `adolake maintain` as its users see it; what it does to tables is tested with the lake.

use crate::support::cmd::Adolake;
use crate::support::lake;

#[test]
fn the_command_tells_what_it_did() {
    let adolake = Adolake::new();
    let folder = adolake.path().join("lake");
    lake::fill(&folder);
    lake::add_projects(&folder, 6);
    insta::assert_snapshot!(adolake.run(&["maintain", "--dry-run"]).told(), @r"
    exit 0
    --- stdout
    what would be done
      table      files          joined  checkpoint  expired  orphans     removed  log files
      projects       6          6 to 1         yes        0        0         0 B          0
    Would be: 6 files joined to 1, 0 removed (0 B), 0 of the log removed.
    ");
    let report = adolake.run(&["maintain", "--format", "json", "--export", "report.json"]);
    assert_eq!(report.json()["dry_run"], false);
    assert_eq!(report.json()["tables"][0]["table"], "projects");
    assert_eq!(report.json()["tables"][0]["compacted"], 6);
    assert_eq!(adolake.read("report.json"), report.stdout);
    insta::assert_snapshot!(adolake.run(&["maintain"]).told(), @r"
    exit 0
    --- stdout
    what was done
      nothing: 3 tables are in order
    ");
}

#[test]
fn without_a_lake_nothing_is_made() {
    let adolake = Adolake::new();
    insta::assert_snapshot!(adolake.run(&["maintain"]).told(), @r"
    exit 2
    --- stderr
    error: there is no lake at `[folder]/lake` yet
    hint: there is no config file here: write an `adolake.toml`, or name yours with `--config FILE`
    hint: `adolake demo` makes a lake to try
    ");
    assert_eq!(std::fs::read_dir(adolake.path()).unwrap().count(), 0);
}

#[test]
fn a_table_that_cannot_be_read_is_named_and_the_others_are_kept_in_order() {
    let adolake = Adolake::new();
    lake::fill(&adolake.path().join("lake"));
    adolake.write("lake/repositories/_delta_log/00000000000000000001.json", "{");
    let ended = adolake.run(&["maintain"]);
    assert_eq!(ended.code, Some(4), "{}", ended.told());
    assert!(ended.stderr.contains("`repositories`"), "{}", ended.told());
    assert!(ended.stdout.contains("what was done"), "{}", ended.told());
}
