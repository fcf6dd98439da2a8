//! `adolake sync`: reads what is new into the lake.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, NaiveDate, SecondsFormat, SubsecRound as _, Utc};
use serde_json::{Value, json};

use super::Context;
use super::exit::Exit;
use super::failure::{self, Failure};
use super::output::{Style, clean, paint};
use super::progress::{Progress, counted};
use super::summary::{Format, SummaryArgs};
use crate::ado::{Client, Endpoints, Gate, Options as ClientOptions, Patience, sign_in};
use crate::config::{Config, Environment, Organization, env};
use crate::extract::{Resource, Source};
use crate::hint::nearest;
use crate::lake::Lake;
use crate::schema::{Cell, Row};
use crate::sync::{self, Input, Options, Plan, Report};

/// Memory that questions to the lake may take while it is written, bytes.
const MEMORY_LIMIT: usize = 192 << 20;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake sync
  adolake sync --plan
  adolake sync --resource pull_requests --project payments

A sync reads on where the last one ended. What cannot be read is named and recorded; the rest is committed (exit 4).")]
pub(super) struct Args {
    /// Print what would be read from which window, and stop
    #[arg(long)]
    plan: bool,
    /// Read every window again and sweep for deletions
    #[arg(long)]
    full: bool,
    /// Read only this resource; repeatable
    #[arg(long = "resource", value_name = "R")]
    resources: Vec<String>,
    /// Read only this project; repeatable
    #[arg(long = "project", value_name = "P")]
    projects: Vec<String>,
    /// Read up to this day (its end, UTC) or instant
    #[arg(long, value_name = "T", value_parser = instant)]
    until: Option<DateTime<Utc>>,
    #[command(flatten)]
    summary: SummaryArgs,
}

/// Reads a day, meaning its end, or an instant.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return day
            .succ_opt()
            .and_then(|next| next.and_hms_opt(0, 0, 0))
            .map(|end| end.and_utc())
            .ok_or_else(|| format!("`{text}` is too far away"));
    }
    DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).map_err(|_| {
        format!(
            "`{text}` is neither a day like 2026-01-31 nor an instant like 2026-01-31T12:00:00Z"
        )
    })
}

/// Reads all organizations of the configuration, one after the other.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let shown = args.summary.check()?;
    let config = context.config()?;
    let organizations = config.organizations()?;
    let options = Options {
        full: args.full,
        resources: args.resources.iter().map(|name| resource(name)).collect::<Result<_, _>>()?,
        projects: args.projects.clone(),
        until: args.until,
    };
    let mut inputs = Vec::new();
    // Everything that can be wrong with the configuration shows before anything is asked or written.
    let lake = super::lake::open(&config, context)?.with_memory_limit(MEMORY_LIMIT);
    let lake = Arc::new(lake);
    for organization in organizations {
        inputs.push(input(&config, organization, context.environment(), &lake, context)?);
    }
    if args.plan {
        let mut plans = Vec::new();
        for input in inputs {
            plans.push(sync::plan(input, &options).await?);
        }
        shown.print(&context.output, |format, colors| match format {
            Format::Text => Ok(plans.iter().map(|plan| plan_text(plan, colors)).collect()),
            Format::Json => Ok(format!("{:#}\n", plan_document(&plans))),
        })?;
        return Ok(Exit::CLEAN);
    }
    let begun = Instant::now();
    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for input in inputs {
        match sync::sync(input, &options).await {
            Ok(report) => reports.push(report),
            Err(error) if error.is_of_one_organization() => {
                failures.push(anyhow::Error::from(error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if reports.is_empty()
        && let Some(error) = failures.pop()
    {
        failures.iter().for_each(|error| failure::tell(error, &context.output));
        return Err(error);
    }
    shown.print(&context.output, |format, colors| match format {
        Format::Text => Ok(text(&reports, begun, colors)),
        Format::Json => Ok(format!("{:#}\n", document(&reports))),
    })?;
    failures.iter().for_each(|error| failure::tell(error, &context.output));
    let is_partial = !failures.is_empty() || reports.iter().any(Report::is_partial);
    Ok(if is_partial { Exit::PARTIAL } else { Exit::CLEAN })
}

fn resource(name: &str) -> Result<Resource, Failure> {
    Resource::named(name).ok_or_else(|| {
        let known: Vec<&str> = Resource::ALL.iter().map(|resource| resource.name()).collect();
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        Failure::user(format!("there is no resource `{name}`")).hint(hint)
    })
}

/// Puts together what a sync of one organization is handed.
///
/// # Errors
/// When an address or a secret cannot be used.
pub(super) fn input(
    config: &Config,
    organization: &Organization,
    environment: &Environment,
    lake: &Arc<Lake>,
    context: &Context,
) -> anyhow::Result<Input> {
    let endpoints = Endpoints::of(&organization.endpoints)?;
    let observer = Arc::new(Progress::new(&context.output));
    let auth = sign_in(organization, &endpoints, environment)?;
    let patience = patience(environment)?;
    let client = Client::new(ClientOptions {
        organization: organization.name.clone(),
        endpoints,
        auth,
        gate: Gate::new(config.sync.concurrency, patience),
        patience,
        observer: Arc::clone(&observer) as _,
    })?;
    Ok(Input {
        source: Source::new(client, Arc::clone(lake.catalog())),
        lake: Arc::clone(lake),
        projects: organization.projects.clone(),
        section: config.sync.clone(),
        settings: config.settings.clone(),
        observer,
        stop: context.shutdown.clone(),
    })
}

/// Returns how patient to be with Azure DevOps, as the environment says.
fn patience(environment: &Environment) -> Result<Patience, Failure> {
    let seconds = |name: &str, usual| match environment.seconds(name) {
        Ok(set) => Ok(set.unwrap_or(usual)),
        Err(text) => Err(Failure::user(format!("`{text}` in `{name}` is no number of seconds"))
            .hint("set it to a number above 0 such as `100` or `0.5`, or not at all")),
    };
    let usual = Patience::default();
    Ok(Patience {
        timeout: seconds(env::REQUEST_TIMEOUT, usual.timeout)?,
        first_wait: seconds(env::RETRY_WAIT, usual.first_wait)?,
        ..usual
    })
}

fn plan_text(plan: &Plan, colors: bool) -> String {
    let mut text = String::new();
    let upper = plan.upper.to_rfc3339_opts(SecondsFormat::Secs, true);
    let title = format!("{}: would read up to {upper}", clean(&plan.organization, false));
    let _ = writeln!(text, "{}", paint(colors, Style::Strong, &title));
    let mut requests = 0;
    for item in &plan.items {
        let window = item.window.map_or("as it is now".to_owned(), |window| {
            let bound = |at: DateTime<Utc>| {
                if at == DateTime::UNIX_EPOCH {
                    "the beginning".to_owned()
                } else {
                    at.to_rfc3339_opts(SecondsFormat::Secs, true)
                }
            };
            format!("{} to {}", bound(window.from), bound(window.to))
        });
        let scope = clean(&item.scope, false);
        let count = item
            .requests
            .map_or("not known yet".to_owned(), |count| format!("≥ {}", counted(count, "request")));
        let _ = writeln!(text, "  {:<20} {scope:<28} {window:<52} {count}", item.resource);
        requests += item.requests.unwrap_or(0);
    }
    let _ = writeln!(
        text,
        "At least {requests} requests, and 6 for each pull request that turns out to be judged."
    );
    text
}

/// Returns the stable JSON form of a plan; a list where there are several organizations.
fn plan_document(plans: &[Plan]) -> Value {
    let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let one = |plan: &Plan| {
        let items = plan.items.iter().map(|item| {
            json!({
                "resource": item.resource,
                "scope": item.scope,
                "window_from": item.window.map(|window| at(window.from)),
                "window_to": item.window.map(|window| at(window.to)),
                "requests": item.requests,
            })
        });
        json!({
            "organization": plan.organization,
            "upper": at(plan.upper),
            "requests": plan.items.iter().filter_map(|item| item.requests).sum::<u64>(),
            "items": items.collect::<Vec<_>>(),
        })
    };
    match plans {
        [plan] => one(plan),
        plans => Value::Array(plans.iter().map(one).collect()),
    }
}

/// What came of one resource.
#[derive(Default)]
struct Line {
    scopes: usize,
    requests: i64,
    rows: i64,
    retries: i64,
    throttled_s: f64,
    problems: usize,
}

/// Renders what was done, a line per resource.
pub(super) fn text(reports: &[Report], begun: Instant, colors: bool) -> String {
    let mut text = String::new();
    for report in reports {
        let upper = report.upper.to_rfc3339_opts(SecondsFormat::Secs, true);
        let title = format!("{}: read up to {upper}", clean(&report.organization, false));
        let _ = writeln!(text, "{}", paint(colors, Style::Strong, &title));
        let _ =
            writeln!(text, "  {:<22}{:>8}{:>10}{:>10}", "resource", "scopes", "requests", "rows");
        for (name, line) in lines(report) {
            let mut notes = Vec::new();
            if line.retries > 0 {
                notes.push(format!("{} retries", line.retries));
            }
            if line.throttled_s >= 0.1 {
                notes.push(format!("throttled {:.1} s", line.throttled_s));
            }
            if line.problems > 0 {
                notes.push(paint(colors, Style::Bad, &format!("✗ {} incomplete", line.problems)));
            }
            let (scopes, requests, rows) = (line.scopes, line.requests, line.rows);
            let line =
                format!("  {name:<22}{scopes:>8}{requests:>10}{rows:>10}  {}", notes.join(", "));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let changed: u64 = report
            .changed
            .iter()
            .filter(|(table, _)| *table != "sync_runs")
            .map(|(_, rows)| rows)
            .sum();
        let _ = writeln!(text, "  {changed} rows new or changed, {} requests", report.requests());
        for row in report
            .rows
            .iter()
            .filter(|row| matches!(row.text("status"), Some("partial" | "unreadable")))
        {
            let cell = |column| clean(row.text(column).unwrap_or_default(), false).into_owned();
            let problem =
                format!("{} of {}: {}", cell("resource"), cell("scope_name"), cell("error"));
            let _ = writeln!(text, "  {} {problem}", paint(colors, Style::Bad, "✗"));
        }
    }
    let _ = writeln!(text, "Done in {:.1} s.", begun.elapsed().as_secs_f64());
    text
}

fn lines(report: &Report) -> Vec<(&'static str, Line)> {
    let mut lines: BTreeMap<Resource, Line> = BTreeMap::new();
    for row in &report.rows {
        let Some(resource) = row.text("resource").and_then(Resource::named) else { continue };
        let line = lines.entry(resource).or_default();
        line.scopes += 1;
        line.requests += row.int("requests").unwrap_or(0);
        line.rows += row.int("rows").unwrap_or(0);
        line.retries += row.int("retries").unwrap_or(0);
        if let Cell::Float(seconds) = row.get("throttled_s") {
            line.throttled_s += seconds;
        }
        line.problems += usize::from(matches!(row.text("status"), Some("partial" | "unreadable")));
    }
    lines.into_iter().map(|(resource, line)| (resource.name(), line)).collect()
}

/// Returns the stable JSON form: `run` and `resources`, the rows of `sync_runs`; a list where there are several runs.
fn document(reports: &[Report]) -> Value {
    let mut documents: Vec<Value> = reports.iter().map(one_document).collect();
    match documents.len() {
        1 => documents.remove(0),
        _ => Value::Array(documents),
    }
}

fn one_document(report: &Report) -> Value {
    let at = |at: DateTime<Utc>| at.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::AutoSi, true);
    json!({
        "run": {
            "run_id": report.run_id,
            "organization": report.organization,
            "started_at": at(report.started_at),
            "finished_at": at(report.finished_at),
            "version": env!("CARGO_PKG_VERSION"),
            "status": if report.is_partial() { "partial" } else { "ok" },
            "requests": report.requests(),
            "changed": report.changed,
        },
        "resources": report.rows.iter().map(row_document).collect::<Vec<_>>(),
    })
}

fn row_document(row: &Row) -> Value {
    let columns = row.table().columns.iter().zip(row.cells());
    let value = |cell: &Cell| match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Int(number) => json!(number),
        Cell::Float(number) => json!(number),
        Cell::Bool(flag) => json!(flag),
        Cell::Date(days) => json!(days),
        Cell::Time(micros) => {
            let at = DateTime::from_timestamp_micros(*micros);
            json!(at.map(|at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
        }
    };
    columns
        // What the next sync need not look up is for that sync only, and long.
        .filter(|(column, _)| !column.name.starts_with('_') && column.name != "settled")
        .map(|(column, cell)| (column.name.clone(), value(cell)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
