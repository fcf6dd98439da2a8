//! The README says what is: its lists are those the program prints. `UPDATE_README=1 cargo test readme` writes them.

use std::fmt::Write as _;
use std::fs;

use adolake::checks::Queries;
use adolake::config::{Config, Environment, fields};

use crate::support::cmd::Adolake;
use crate::support::world;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

fn readme() -> String {
    fs::read_to_string(README).unwrap()
}

/// Compares what stands between `<!-- name -->` and `<!-- /name -->`.
fn assert_section(name: &str, expected: &str) {
    let text = readme();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = text.find(&open).unwrap_or_else(|| panic!("{open} is missing")) + open.len();
    let end = start + text[start..].find(&close).unwrap_or_else(|| panic!("{close} is missing"));
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(README, format!("{}{expected}{}", &text[..start], &text[end..])).unwrap();
    } else {
        assert_eq!(
            &text[start..end],
            expected,
            "section `{name}` of the README is old; `UPDATE_README=1 cargo test readme -- --test-threads 1` writes it"
        );
    }
}

#[test]
fn tables_are_those_of_the_schemas() {
    assert_section("tables", &Adolake::new().run(&["tables", "--format", "markdown"]).stdout);
}

#[test]
fn keys_are_those_of_the_configuration() {
    assert_section("config", &fields::markdown());
}

#[test]
fn checks_are_those_of_the_queries() {
    let mut text = String::from("| check | demands | severity |\n|---|---|---|\n");
    for check in Queries::embedded().unwrap().checks() {
        let header = &check.header;
        let severity = header.severity.map(|severity| severity.to_string()).unwrap_or_default();
        writeln!(text, "| `{}` | {} | {severity} |", header.id, header.title).unwrap();
    }
    assert_section("checks", &text);
}

#[test]
fn the_excerpt_is_what_the_demo_prints() {
    let adolake = Adolake::new();
    let demo = adolake.run(&["--quiet", "demo", "--size", "tiny"]);
    assert_eq!(demo.code, Some(0), "{}", demo.told());
    for query in queries() {
        let config = ["--config", "adolake-demo/adolake.toml", "sql"];
        let ended = adolake.run(&[&config[..], &[query.as_str()]].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.told());
    }
    let (summary, failed) = demo.stdout.split_once("\nFailed: ").unwrap();
    let failed = failed.lines().next().unwrap();
    let done = totals(&demo.stdout);
    let text = format!(
        "```text\n$ adolake demo --size tiny\n{summary}\nFailed: {failed}\n…\n{done}\n```\n"
    );
    assert_section("excerpt", &text);
    assert_section("explain", &explained(&adolake, &demo.stdout));
}

/// What `adolake explain` prints of the pull request that the demo names: the first verdict.
fn explained(adolake: &Adolake, demo: &str) -> String {
    let command = demo.lines().find_map(|line| line.split_once(" explain ")).unwrap().1;
    // A shell would take the `!` for its own.
    let name = command.trim_matches('\'');
    let ended = adolake.run(&["--config", "adolake-demo/adolake.toml", "explain", name]);
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let (head, rest) = ended.stdout.split_once("\n\n").unwrap();
    // The address holds a port that is another one each time.
    let head: Vec<&str> = head.lines().filter(|line| !line.starts_with("http")).collect();
    let (first, _) = rest.split_once("\n\n✓ ").unwrap();
    format!("```text\n$ adolake explain {command}\n{}\n\n{first}\n…\n```\n", head.join("\n"))
}

#[tokio::test]
async fn the_example_of_a_check_runs() {
    let text = readme();
    let (_, example) = text.split_once("```sql\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let (_, name) = example.lines().next().unwrap().split_once("-- id: ").unwrap();
    let adolake = world::installed().await;
    adolake.write(&format!("mine/{name}.sql"), example);
    let (_, command) = text.split_once(&format!("adolake check {name} ")).unwrap();
    let given: Vec<&str> = command.lines().next().unwrap().split(' ').collect();
    let ended = adolake.run(&[&["check", name, "--format", "json"], given.as_slice()].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["summary"][0]["unknown"], 4, "{}", json["summary"]);
}

/// The queries that the README shows.
fn queries() -> Vec<String> {
    let text = readme();
    let lines = text.lines().filter_map(|line| line.strip_prefix("adolake sql \""));
    let queries: Vec<String> =
        lines.filter_map(|line| line.split('"').next()).map(str::to_owned).collect();
    assert!(!queries.is_empty());
    queries
}

/// The line that a report ends with.
fn totals(report: &str) -> &str {
    report.lines().find(|line| line.starts_with("Done. PASS=")).unwrap()
}

#[test]
fn examples_of_the_configuration_are_right() {
    let text = readme();
    let examples: Vec<&str> =
        text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let environment = Environment::default();
        Config::parse(README.as_ref(), example, &environment)
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn commands_named_are_commands() {
    let help = Adolake::new().run(&["--help"]).stdout;
    let known: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let text = readme();
    let shell = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    for line in shell.flat_map(str::lines) {
        let Some(rest) = line.strip_prefix("adolake ") else { continue };
        let command = rest.split_whitespace().next().unwrap();
        assert!(known.contains(&command), "`{line}`: there is no command `{command}`");
    }
}
