//! Validators of the standards take the reports: JSON schemas, compliance-trestle for OSCAL, py-ocsf-models for OCSF.

use std::process::Command;

use super::forms::ALL_STATUSES;
use crate::support::world;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/report/validate.py");
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/report/check.schema.json");

#[tokio::test]
async fn validators_of_the_standards_take_the_reports() {
    let Some(python) = std::env::var_os("ADOLAKE_VALIDATORS") else {
        eprintln!("SKIPPED: ADOLAKE_VALIDATORS is not set");
        return;
    };
    let adolake = world::installed().await;
    adolake.write("mine/all_statuses.sql", ALL_STATUSES);
    let exports = ["json", "sarif", "oscal.json", "ocsf.json", "junit.xml"];
    let files: Vec<String> = exports.iter().map(|suffix| format!("check.{suffix}")).collect();
    let mut arguments = vec!["check", "--quiet", "--queries", "mine"];
    arguments.extend(files.iter().flat_map(|file| ["--export", file]));
    let ended = adolake.run(&arguments);
    assert_eq!(ended.code, Some(1), "{}", ended.told());
    let output = Command::new(python).arg(SCRIPT).arg(adolake.path()).arg(SCHEMA).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "valid");
}
