//! Requests of a sync beside what they should be.

use adolake::simulator::Simulator;
use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::DAY;
use crate::siege::Place;

/// Resources that the formula leaves out: read daily, or for people only.
const APART: [&str; 5] = ["organizations", "profiles", "users", "pipelines", "branches"];

/// Reads an organization, then once more without a change, then after a day; prints what was asked.
///
/// # Errors
/// When a sync fails.
pub async fn compare(simulator: &Simulator) -> anyhow::Result<()> {
    let place = Place::new(simulator);
    let first = report(&place, simulator).await?;
    println!("\nrequests, of which definitions, refs and people are counted apart");
    println!(
        "  {:<12}{:>9}{:>9}{:>9}{:>7}  projects, branches, closed, timelines",
        "sync", "all", "counted", "formula", "ends"
    );
    line("first", &first);
    line("unchanged", &report(&place, simulator).await?);
    for day in 1..=7 {
        simulator.advance(DAY);
        line(&format!("day {day}"), &report(&place, simulator).await?);
    }
    println!(
        "  formula: 1 + 7 projects + 2 branches + 5 closed + timelines; ends: closing pages of lists, which come on top"
    );
    Ok(())
}

async fn report(place: &Place, simulator: &Simulator) -> anyhow::Result<Value> {
    let output = place.sync(simulator).args(["--format", "json"]).output().await?;
    ensure!(output.status.success(), "a sync failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the report is no JSON")
}

fn line(name: &str, report: &Value) {
    let rows = report["resources"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |resource: &'static str| rows.iter().filter(move |row| row["resource"] == resource);
    let sum = |resource: &'static str, column: &str| -> i64 {
        of(resource).filter_map(|row| row[column].as_i64()).sum()
    };
    let all: i64 = rows.iter().filter_map(|row| row["requests"].as_i64()).sum();
    let apart: i64 = APART.into_iter().map(|resource| sum(resource, "requests")).sum();
    let projects = i64::try_from(of("branch_policies").count()).unwrap_or(0);
    let branches = i64::try_from(of("pushes").count()).unwrap_or(0);
    // Each closed pull request is asked for its single answer, threads, iterations, statuses, evaluations, commits.
    let closed = sum("pull_request_details", "requests") / 6;
    let timelines = sum("pipeline_run_jobs", "requests");
    let formula = 1 + 7 * projects + 2 * branches + 5 * closed + timelines;
    let ends: i64 = ["pull_requests", "pushes"]
        .into_iter()
        .map(|resource| sum(resource, "requests") - sum(resource, "pages"))
        .sum();
    let counted = all - apart;
    let parts = format!("{projects}, {branches}, {closed}, {timelines}");
    println!("  {name:<12}{all:>9}{counted:>9}{formula:>9}{ends:>7}  {parts}");
}
