//! `adolake doctor [ORG]`: ticks, one line each with a remedy.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::Utc;
use serde_json::{Value, json};

use super::Context;
use super::exit::Exit;
use super::failure::{self, Failure, Label};
use super::output::{Style, clean, paint};
use super::summary::{Format, SummaryArgs};
use crate::config::{Config, Organization};
use crate::doctor::{self, Item, Status};
use crate::extract::Source;
use crate::hint::nearest;
use crate::lake::Lake;
use crate::schema::Catalog;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = help())]
pub(super) struct Args {
    /// Look at this organization of the config only
    #[arg(value_name = "ORG")]
    organization: Option<String>,
    #[command(flatten)]
    summary: SummaryArgs,
}

fn help() -> String {
    format!(
        "\
Examples:
  adolake doctor
  adolake doctor contoso --format json

Looks at config, queries, lake (a real race of writers, which removes what it wrote), sign-in, every read permission,
repositories, production branches, policies, solutions and retention. Exit code 2 when something has to be mended, 3
when only something outside failed.

JSON: a list of {{item, subject, status, message, remedy}}; status is ok, warning, problem or skipped, remedy may be null.
Items: {}.",
        doctor::ITEMS.join(", ")
    )
}

/// Examines everything that is configured.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let summary = args.summary.check()?;
    let items = examine(&args, context).await?;
    summary.print(&context.output, |format, colors| match format {
        Format::Text => Ok(text(&items, colors)),
        Format::Json => Ok(format!("{:#}\n", document(&items))),
    })?;
    Ok(exit(&items))
}

fn exit(items: &[Item]) -> Exit {
    let problems: Vec<&Item> = items.iter().filter(|item| item.status == Status::Problem).collect();
    match problems.iter().all(|item| item.is_outside) {
        true if problems.is_empty() => Exit::CLEAN,
        true => Exit::OUTSIDE,
        false => Exit::USER,
    }
}

async fn examine(args: &Args, context: &Context) -> anyhow::Result<Vec<Item>> {
    let file = context.loader.file();
    let file = file.map_or("no config file".to_owned(), |file| file.display().to_string());
    let config = context.config().and_then(|config| {
        config.organizations()?;
        Ok(config)
    });
    let config = match config {
        Ok(config) => config,
        Err(error) => return Ok(vec![of_error("config", &file, &error.into())]),
    };
    let organizations = selected(&config, args.organization.as_deref())?;
    let mut items = vec![Item::ok("config", file.as_str(), "no problems")];
    items.extend(strangers(&config, &file));
    let catalog = context.catalog()?;
    let mut lake = None;
    match super::lake::open(&config, context) {
        Ok(opened) => {
            let (found, is_readable) = doctor::storage(&opened).await;
            items.extend(found);
            lake = is_readable.then_some(Arc::new(opened));
        }
        Err(error) => {
            // An address may hold a secret, in its query or as a password.
            let mut url = config.lake.url.clone();
            url.set_query(None);
            let _ = url.set_password(None);
            items.push(of_error("lake-store", url.as_str(), &error));
        }
    }
    for organization in organizations {
        items
            .extend(of_organization(&config, organization, lake.as_ref(), &catalog, context).await);
    }
    Ok(items)
}

fn selected<'c>(config: &'c Config, name: Option<&str>) -> anyhow::Result<Vec<&'c Organization>> {
    let all = config.organizations()?;
    let Some(name) = name else { return Ok(all.iter().collect()) };
    let own: Vec<&Organization> =
        all.iter().filter(|one| one.name.eq_ignore_ascii_case(name)).collect();
    if own.is_empty() {
        let known = all.iter().map(|one| one.name.as_str());
        let hint = match nearest(name, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("configured are {}", known.collect::<Vec<_>>().join(", ")),
        };
        return Err(Failure::user(format!("organization `{name}` is not configured"))
            .hint(hint)
            .into());
    }
    Ok(own)
}

/// Names overrides and exceptions of organizations that are not configured.
fn strangers(config: &Config, file: &str) -> Vec<Item> {
    let names: Vec<String> =
        config.organizations.iter().map(|one| one.name.to_lowercase()).collect();
    let is_strange = |pattern: &str| {
        let first = pattern.split('/').next().unwrap_or_default().to_lowercase();
        !first.contains("**")
            && crate::glob::Glob::new(&first)
                .is_ok_and(|glob| !names.iter().any(|name| glob.matches(name)))
    };
    let settings = &config.settings;
    let overrides = settings.overrides.iter().map(|one| ("overrides", one.pattern.as_str()));
    let exceptions = settings.exceptions.iter().map(|one| ("exceptions", one.pattern.as_str()));
    overrides
        .chain(exceptions)
        .filter(|(_, pattern)| is_strange(pattern))
        .map(|(item, pattern)| {
            let message =
                format!("`match = \"{pattern}\"` names an organization that is not configured");
            Item::warning(item, file, message)
                .remedy("correct the first part of `match`, or remove the entry")
        })
        .collect()
}

async fn of_organization(
    config: &Config,
    organization: &Organization,
    lake: Option<&Arc<Lake>>,
    catalog: &Arc<Catalog>,
    context: &Context,
) -> Vec<Item> {
    let source = match lake.map_or_else(
        || Lake::in_memory(Arc::clone(catalog)).map(Arc::new).map_err(anyhow::Error::from),
        |lake| Ok(Arc::clone(lake)),
    ) {
        Ok(lake) => source(config, organization, &lake, context),
        Err(error) => Err(error),
    };
    let source = match source {
        Ok(source) => source,
        Err(error) => return vec![of_error("sign-in", &organization.name, &error)],
    };
    let input = doctor::Input {
        source,
        auth: organization.auth.kind(),
        catalog,
        lake: lake.map(Arc::as_ref),
        projects: &organization.projects,
        settings: &config.settings,
        clock: Utc::now(),
    };
    doctor::organization(&input).await
}

/// Returns what asks an organization, as a sync would.
///
/// # Errors
/// When an address or a secret cannot be used.
pub(super) fn source(
    config: &Config,
    organization: &Organization,
    lake: &Arc<Lake>,
    context: &Context,
) -> anyhow::Result<Source> {
    Ok(super::sync::input(config, organization, context.environment(), lake, context)?.source)
}

/// Makes an item of an error: what failed and why as its message, the first hint as its remedy.
fn of_error(item: &'static str, subject: &str, error: &anyhow::Error) -> Item {
    let lines = failure::lines(error);
    let of = |wanted: &[Label]| {
        let texts = lines.iter().filter(|(label, _)| wanted.contains(label));
        texts.map(|(_, text)| text.as_str()).collect::<Vec<_>>()
    };
    let message = of(&[Label::Error, Label::Cause]).join(": ");
    let is_outside = failure::exit_of(error) == Exit::OUTSIDE;
    let problem = Item::problem(item, subject, message).outside(is_outside);
    match of(&[Label::Hint]).first() {
        Some(hint) => problem.remedy(*hint),
        None => problem,
    }
}

/// Renders the items: a heading for each subject, below it a line for each thing, below that its remedy.
fn text(items: &[Item], colors: bool) -> String {
    let mut text = String::new();
    let mut heading = None;
    // A remedy is told once for each kind of thing, however many repositories need it.
    let mut told = BTreeSet::new();
    let width = doctor::ITEMS.iter().map(|item| item.len()).max().unwrap_or(0);
    for item in items {
        if heading != Some(item.subject.as_str()) {
            heading = Some(item.subject.as_str());
            let _ =
                writeln!(text, "{}", paint(colors, Style::Strong, &clean(&item.subject, false)));
        }
        let (sign, style) = match item.status {
            Status::Ok => ("✓", Style::Good),
            Status::Warning => ("!", Style::Warn),
            Status::Problem => ("✗", Style::Bad),
            Status::Skipped => ("-", Style::Faint),
        };
        let mut lines = item.message.lines();
        let first = clean(lines.next().unwrap_or_default(), false).into_owned();
        let _ = writeln!(text, "  {} {:<width$}  {first}", paint(colors, style, sign), item.item);
        let indent = " ".repeat(width + 6);
        for line in lines {
            let _ = writeln!(text, "{indent}{}", clean(line, false));
        }
        if let Some(remedy) = &item.remedy
            && told.insert((item.item, remedy))
        {
            let _ = writeln!(
                text,
                "{indent}{} {}",
                paint(colors, Style::Good, "→"),
                clean(remedy, false)
            );
        }
    }
    let count = |status| items.iter().filter(|item| item.status == status).count();
    let _ = writeln!(
        text,
        "Done. OK={} WARNING={} PROBLEM={} SKIPPED={}",
        count(Status::Ok),
        count(Status::Warning),
        count(Status::Problem),
        count(Status::Skipped)
    );
    text
}

/// Returns the stable JSON form.
fn document(items: &[Item]) -> Value {
    items
        .iter()
        .map(|item| {
            json!({
                "item": item.item,
                "subject": item.subject,
                "status": item.status.as_str(),
                "message": item.message,
                "remedy": item.remedy,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_are_shown_safely() {
        let evil = "pay\u{1b}[31mments\nfake ✓ line\u{202e}";
        let item = Item::warning("solutions", evil, format!("`{evil}` fits no pipeline"))
            .remedy(format!("did you mean `{evil}`?"));
        let text = text(std::slice::from_ref(&item), false);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("fake")), "{text}");
        let document = document(&[item]);
        assert_eq!(document[0]["subject"], evil);
    }

    #[test]
    fn only_outside_failures_are_told_as_such() {
        let problem = |is_outside| Item::problem("sign-in", "c", "x").outside(is_outside);
        assert_eq!(exit(&[Item::warning("retention", "c", "x")]), Exit::CLEAN);
        assert_eq!(exit(&[problem(true)]), Exit::OUTSIDE);
        assert_eq!(exit(&[problem(true), problem(false)]), Exit::USER);
    }
}
