//! An explanation as a page that an auditor can read from top to bottom.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::checks::{Effect, Explained, Explanation, Fact, Status};
use crate::report::TextOptions;
use crate::report::plain::plain;
use crate::report::text::{colored, symbol, word, wrap};

/// Columns of a time, `2026-01-31 12:00:00`.
const TIME: usize = 19;
/// Columns before the text of a fact: two spaces, the time, a space, the mark, a space.
const INDENT: usize = TIME + 5;

/// Writes what it is, then every verdict with its facts, then what the marks mean.
pub(super) fn write(
    explanation: &Explanation,
    options: &TextOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let page = Page { options };
    let mut text = String::new();
    page.head(explanation, &mut text);
    for verdict in &explanation.verdicts {
        page.verdict(verdict, &mut text);
    }
    if explanation.verdicts.iter().any(|verdict| verdict.facts.iter().any(is_timed)) {
        let legend = "✓ counted   ✗ spoke against it   – did not count   ? missing   · for context";
        let _ = writeln!(text, "{}", page.paint(Style::new().dimmed(), legend));
    }
    out.write_all(text.as_bytes())
}

/// Whether a fact stands in the list in order of time.
const fn is_timed(fact: &Fact) -> bool {
    matches!(
        fact.effect,
        Effect::Counts | Effect::Against | Effect::Ignored | Effect::Context | Effect::Missing
    )
}

struct Page<'a> {
    options: &'a TextOptions,
}

impl Page<'_> {
    fn head(&self, explanation: &Explanation, text: &mut String) {
        let of =
            |kind: &'static str| explanation.subject.iter().filter(move |fact| fact.kind == kind);
        let resource = plain(&explanation.resource);
        let _ = write!(text, "{}", self.paint(Style::new().bold(), &resource));
        if let Some(title) = of("title").next() {
            let _ = write!(text, "  {}", plain(&title.fact));
        }
        text.push('\n');
        for url in explanation.subject.iter().filter_map(|fact| fact.url.as_deref()) {
            let _ = writeln!(text, "{}", self.paint(Style::new().dimmed(), &plain(url)));
        }
        for fact in of("state") {
            self.lines(0, "", &fact.fact, text);
        }
        let period = &explanation.period;
        let data = explanation.data_as_of.map_or("no data yet".to_owned(), |at| {
            format!("data as of {} UTC", at.format("%F %R"))
        });
        let _ = writeln!(
            text,
            "profile {}  ·  {} to {}  ·  {data}\n",
            explanation.profile.as_str(),
            period.from.format("%F"),
            period.to.format("%F"),
        );
        for fact in of("not_judged") {
            let label = self.paint(Style::new().bold(), "not judged");
            self.labelled("not judged", &label, &told(fact), text);
        }
        for fact in of("hint") {
            let label = self.paint(AnsiColor::Green.on_default(), "hint");
            self.labelled("hint", &label, &told(fact), text);
        }
        if of("not_judged").chain(of("hint")).next().is_some() {
            text.push('\n');
        }
    }

    fn verdict(&self, explained: &Explained, text: &mut String) {
        let Some(finding) = explained.finding() else { return };
        let status = finding.status;
        let mark = format!("{} {} {}", symbol(status), word(status), plain(finding.reason_code));
        let bold = Style::new().bold();
        let title = format!("{}  ", plain(&explained.header.title));
        let id = format!("({})", explained.header.id);
        let is_short = mark.width() + title.width() + id.width() + 2 <= self.options.width;
        let _ = writeln!(
            text,
            "{}{}{}{}",
            self.colored(status, &mark),
            if is_short { "  " } else { "\n  " },
            self.paint(bold, &title),
            self.paint(Style::new().dimmed(), &id),
        );
        self.lines(2, "", finding.reason, text);
        let facts = || explained.facts.iter();
        if facts().any(is_timed) {
            text.push('\n');
        }
        for fact in facts().filter(|fact| is_timed(fact)) {
            self.fact(fact, text);
        }
        if explained.facts.is_empty() {
            // Checks from elsewhere need not come with an explanation.
            self.evidence(finding.evidence_json, text);
        }
        let is_lacking = matches!(status, Status::Fail | Status::Unknown);
        let rest = [
            (Effect::Nearest, "near"),
            (Effect::Flag, "flag"),
            (Effect::Flip, if is_lacking { "would pass" } else { "otherwise" }),
            (Effect::Now, "now"),
        ];
        let mut is_first = true;
        for (effect, label) in rest {
            let own = facts().filter(|fact| fact.effect == effect);
            for (index, fact) in own.enumerate() {
                // What belongs to one label stands below it; flags are each by themselves.
                let label = if index > 0 && effect != Effect::Flag { "" } else { label };
                if std::mem::take(&mut is_first) {
                    text.push('\n');
                }
                let style = match effect {
                    Effect::Flip => AnsiColor::Green.on_default().bold(),
                    _ => Style::new().bold(),
                };
                self.labelled(label, &self.paint(style, label), &told(fact), text);
            }
        }
        if matches!(status, Status::Fail)
            && let Some(remediation) = &explained.header.remediation
        {
            if is_first {
                text.push('\n');
            }
            let label = self.paint(bold, "next time");
            self.labelled("next time", &label, remediation, text);
        }
        text.push('\n');
    }

    /// One fact: time, mark, what happened and why it counted or not; the address below it.
    fn fact(&self, fact: &Fact, text: &mut String) {
        let (mark, style) = match fact.effect {
            Effect::Counts => ("✓", AnsiColor::Green.on_default()),
            Effect::Against => ("✗", AnsiColor::Red.on_default()),
            Effect::Ignored => ("–", Style::new()),
            Effect::Missing => ("?", AnsiColor::Yellow.on_default()),
            _ => ("·", Style::new().dimmed()),
        };
        let time = fact.at.map(|at| at.format("%F %T").to_string()).unwrap_or_default();
        let lines = wrap(&plain(&told(fact)), self.options.width.saturating_sub(INDENT).max(30));
        for (index, line) in lines.iter().enumerate() {
            let (time, mark) = if index == 0 { (time.as_str(), mark) } else { ("", " ") };
            let time = self.paint(Style::new().dimmed(), &format!("{time:TIME$}"));
            let _ =
                writeln!(text, "  {time} {} {}", self.paint(style, mark), self.paint(style, line));
        }
        if let Some(url) = &fact.url
            && matches!(fact.effect, Effect::Counts | Effect::Against | Effect::Ignored)
        {
            let url = self.paint(Style::new().dimmed(), &plain(url));
            let _ = writeln!(text, "{:INDENT$}{url}", "");
        }
    }

    /// The evidence of a check that nothing explains.
    fn evidence(&self, json: &str, text: &mut String) {
        let value = serde_json::from_str::<serde_json::Value>(json);
        let Ok(pretty) = value.and_then(|value| serde_json::to_string_pretty(&value)) else {
            return;
        };
        text.push('\n');
        for line in pretty.lines() {
            let _ = writeln!(text, "  {}", plain(line));
        }
    }

    /// A label, and a text beside it.
    fn labelled(&self, label: &str, painted: &str, told: &str, text: &mut String) {
        const WIDTH: usize = 15;
        let lines = wrap(&plain(told), self.options.width.saturating_sub(WIDTH).max(30));
        for (index, line) in lines.iter().enumerate() {
            if index == 0 {
                let space = WIDTH.saturating_sub(2 + label.width());
                let _ = writeln!(text, "  {painted}{:space$}{line}", "");
            } else {
                let _ = writeln!(text, "{:WIDTH$}{line}", "");
            }
        }
    }

    fn lines(&self, indent: usize, first: &str, told: &str, text: &mut String) {
        for line in wrap(&plain(told), self.options.width.saturating_sub(indent).max(30)) {
            let _ = writeln!(text, "{:indent$}{first}{line}", "");
        }
    }

    fn colored(&self, status: Status, text: &str) -> String {
        colored(self.options.color, status, text)
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.options.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// What happened, and why it counted or not.
fn told(fact: &Fact) -> String {
    match &fact.why {
        Some(why) => format!("{}: {why}", fact.fact),
        None => fact.fact.clone(),
    }
}
