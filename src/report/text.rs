//! A run as a summary that a person likes to read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use clap::builder::styling::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use super::facts::controls;
use super::plain::{cut, plain};
use crate::checks::{CheckRun, Counts, Finding, Findings, Status};

/// How a text report is laid out.
#[derive(Debug, Clone)]
pub struct TextOptions {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to colour; words and symbols say everything without.
    pub color: bool,
    /// How many failures to list per repository, check and reason.
    pub per_reason: usize,
    /// How many repositories to list failures of.
    pub repositories: usize,
    /// The command line that lists all findings.
    pub listing: String,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            width: 100,
            color: false,
            per_reason: 3,
            repositories: 10,
            listing: "adolake check --no-store --format csv".to_owned(),
        }
    }
}

/// How a status is drawn: block of the bar, symbol of a line, word, colour.
struct Look {
    block: char,
    symbol: char,
    word: &'static str,
    color: AnsiColor,
}

/// The symbol of a status.
pub(super) const fn symbol(status: Status) -> char {
    look(status).symbol
}

/// The word for a status.
pub(super) const fn word(status: Status) -> &'static str {
    look(status).word
}

/// A text in the colour of a status, where colours are wanted.
pub(super) fn colored(is_wanted: bool, status: Status, text: &str) -> String {
    let style = look(status).color.on_default();
    if is_wanted { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

const fn look(status: Status) -> Look {
    let (block, symbol, word, color) = match status {
        Status::Pass => ('█', '✓', "pass", AnsiColor::Green),
        Status::Fail => ('▚', '✗', "fail", AnsiColor::Red),
        Status::Exempt => ('▒', '○', "exempt", AnsiColor::Cyan),
        Status::NotApplicable => ('·', '–', "n.a.", AnsiColor::BrightBlack),
        Status::Unknown => ('░', '?', "unknown", AnsiColor::Yellow),
    };
    Look { block, symbol, word, color }
}

/// Writes the summary, then what failed, then the counts in one line.
pub(super) fn write(run: &CheckRun, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let page = Page { options };
    let mut text = String::new();
    page.head(run, &mut text);
    for findings in &run.findings {
        page.check(run, findings, &mut text);
    }
    text.push('\n');
    page.failures(run, &mut text);
    page.unknowns(run, &mut text);
    page.notes(run, &mut text);
    text.push_str(&done(&run.counts()));
    text.push('\n');
    out.write_all(text.as_bytes())
}

/// The last line, for people and for scripts.
fn done(counts: &Counts) -> String {
    format!(
        "Done. PASS={} FAIL={} EXEMPT={} NA={} UNKNOWN={} TOTAL={}",
        counts.of(Status::Pass),
        counts.of(Status::Fail),
        counts.of(Status::Exempt),
        counts.of(Status::NotApplicable),
        counts.of(Status::Unknown),
        counts.total(),
    )
}

struct Page<'a> {
    options: &'a TextOptions,
}

impl Page<'_> {
    fn head(&self, run: &CheckRun, text: &mut String) {
        let organizations = match run.organizations.as_slice() {
            [] => "no organization".to_owned(),
            names => names.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", "),
        };
        let period = format!("{} to {}", day(run.period.from), day(run.period.to));
        let data = match run.data_as_of {
            Some(at) => format!("data as of {}", at.format("%Y-%m-%d %H:%M UTC")),
            None => "no data yet".to_owned(),
        };
        let rest = format!("profile {}  ·  {period}  ·  {data}", run.profile.as_str());
        let is_short = organizations.width() + rest.width() + 5 <= self.options.width;
        let between = if is_short { "  ·  " } else { "\n" };
        let organizations = self.paint(Style::new().bold(), &organizations);
        let _ = writeln!(text, "{organizations}{between}{rest}\n");
    }

    /// Title, id, bar and counts of a check.
    fn check(&self, run: &CheckRun, findings: &Findings, text: &mut String) {
        let header = run.headers.get(findings.check_id());
        let title = header.map_or("", |header| header.title.as_str());
        let bold = Style::new().bold();
        let dim = Style::new().dimmed();
        let id = findings.check_id();
        let is_short = title.width() + id.width() + 2 <= self.options.width;
        let between = if is_short { "  " } else { "\n" };
        let title = cut(title, self.options.width);
        let _ = writeln!(text, "{}{between}{}", self.paint(bold, &title), self.paint(dim, id));
        if let Some(controls) = header.map(controls).filter(|controls| !controls.is_empty()) {
            for line in wrap(&controls, self.options.width.saturating_sub(2).max(20)) {
                let _ = writeln!(text, "  {}", self.paint(dim, &line));
            }
        }
        let counts = findings.counts();
        if counts.total() == 0 {
            let _ = writeln!(text, "  nothing to judge");
            return;
        }
        let mut legend = String::new();
        let mut legend_width = 0;
        for status in Status::ALL.into_iter().filter(|status| counts.of(*status) > 0) {
            let look = look(status);
            let entry = format!("{} {} {}", look.block, counts.of(status), look.word);
            legend_width += 2 + entry.width();
            let _ = write!(legend, "  {}", self.colored(status, &entry));
        }
        let width = self.options.width.saturating_sub(legend_width + 3).clamp(10, 40);
        let mut bar = String::new();
        for (status, cells) in Status::ALL.into_iter().zip(segments(counts, width)) {
            if cells > 0 {
                let blocks: String = std::iter::repeat_n(look(status).block, cells).collect();
                bar.push_str(&self.colored(status, &blocks));
            }
        }
        let _ = writeln!(text, "  {bar}{legend}");
    }

    /// What failed, by repository, then by check and reason, with examples.
    fn failures(&self, run: &CheckRun, text: &mut String) {
        let mut repositories: BTreeMap<String, Repository<'_>> = BTreeMap::new();
        for finding in run.findings.iter().flat_map(Findings::iter) {
            if finding.status == Status::Fail {
                let repository = repositories.entry(repository(&finding)).or_default();
                repository.count += 1;
                let key = (finding.check_id, finding.reason_code);
                let group = repository.groups.entry(key).or_default();
                group.count += 1;
                if group.shown.len() < self.options.per_reason {
                    group.shown.push(finding);
                }
            }
        }
        if repositories.is_empty() {
            return;
        }
        let bold = Style::new().bold();
        let total: usize = repositories.values().map(|repository| repository.count).sum();
        let in_all = repositories.len();
        let word = plural(in_all, "repository", "repositories");
        let _ = writeln!(
            text,
            "{}\n",
            self.paint(bold, &format!("Failed: {total} in {in_all} {word}"))
        );
        let mut shown = 0;
        for (name, repository) in repositories.iter().take(self.options.repositories) {
            let _ = writeln!(text, "{} ({})", self.paint(bold, &plain(name)), repository.count);
            for ((check_id, code), group) in &repository.groups {
                shown += group.shown.len();
                self.group(check_id, code, group, text);
            }
        }
        if in_all > self.options.repositories {
            let more = in_all - self.options.repositories;
            let _ =
                writeln!(text, "… and {more} more {}", plural(more, "repository", "repositories"));
        }
        if total > shown {
            let (more, listing) = (total - shown, &self.options.listing);
            let _ = writeln!(text, "\n{more} more; all of them: {listing}");
        }
        text.push('\n');
    }

    /// One reason of one check in a repository: the sentence once, then where.
    fn group(&self, check_id: &str, code: &str, group: &Group<'_>, text: &mut String) {
        let width = self.options.width;
        let symbol = self.colored(Status::Fail, &look(Status::Fail).symbol.to_string());
        let times = if group.count > 1 { format!("  ×{}", group.count) } else { String::new() };
        let code = self.colored(Status::Fail, code);
        let _ = writeln!(text, "  {symbol} {code}  {check_id}{times}");
        let mut told = "";
        for finding in &group.shown {
            if finding.reason != told {
                told = finding.reason;
                for line in wrap(&plain(told), width.saturating_sub(4).max(20)) {
                    let _ = writeln!(text, "    {line}");
                }
            }
            let what = match (finding.pull_request_id, finding.branch) {
                (Some(number), _) => {
                    format!("!{number} {}", plain(finding.subject.unwrap_or_default()))
                }
                (None, Some(branch)) => format!("branch {}", plain(branch)),
                (None, None) => "the whole repository".to_owned(),
            };
            let _ =
                writeln!(text, "    - {}", cut(what.trim_end(), width.saturating_sub(6).max(20)));
            if let Some(url) = finding.resource_url.filter(|url| !url.is_empty()) {
                let _ = writeln!(text, "      {}", self.paint(Style::new().dimmed(), &plain(url)));
            }
        }
        if group.count > group.shown.len() {
            let _ = writeln!(text, "    … {} more", group.count - group.shown.len());
        }
    }

    /// What is unknown, as counts by check and reason.
    fn unknowns(&self, run: &CheckRun, text: &mut String) {
        let mut reasons: BTreeMap<(&str, &str), (usize, Finding<'_>)> = BTreeMap::new();
        for finding in run.findings.iter().flat_map(Findings::iter) {
            if finding.status == Status::Unknown {
                let key = (finding.check_id, finding.reason_code);
                reasons.entry(key).or_insert((0, finding)).0 += 1;
            }
        }
        if reasons.is_empty() {
            return;
        }
        let heading = "Unknown: evidence is missing, expired or unreadable";
        let _ = writeln!(text, "{}\n", self.paint(Style::new().bold(), heading));
        for ((check_id, code), (count, first)) in reasons {
            let symbol = self.colored(Status::Unknown, "?");
            let code = self.colored(Status::Unknown, code);
            let line = format!("{count} of {check_id}, e.g. {}", plain(&first.resource()));
            let _ = writeln!(text, "  {symbol} {code}  {line}");
        }
        text.push('\n');
    }

    /// What does not add up, warnings, and what is out of scope.
    fn notes(&self, run: &CheckRun, text: &mut String) {
        let before = text.len();
        for difference in &run.differences {
            let word = self.paint(AnsiColor::Red.on_default().bold(), "does not add up");
            let _ = writeln!(text, "{word}: {}", plain(difference));
        }
        for warning in &run.warnings {
            let word = self.paint(AnsiColor::Yellow.on_default().bold(), "warning");
            let _ = writeln!(text, "{word}: {}", plain(warning));
        }
        if run.out_of_scope > 0 {
            let word = plural(run.out_of_scope, "repository is", "repositories are");
            let _ = writeln!(text, "{} {word} out of scope", run.out_of_scope);
        }
        if text.len() > before {
            text.push('\n');
        }
    }

    fn colored(&self, status: Status, text: &str) -> String {
        self.paint(look(status).color.on_default(), text)
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.options.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// What failed in a repository, by check and reason.
#[derive(Default)]
struct Repository<'a> {
    count: usize,
    groups: BTreeMap<(&'a str, &'a str), Group<'a>>,
}

/// What failed for one reason: how often, and the first ones.
#[derive(Default)]
struct Group<'a> {
    count: usize,
    shown: Vec<Finding<'a>>,
}

fn repository(finding: &Finding<'_>) -> String {
    [Some(finding.organization), finding.project, finding.repository]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("/")
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

const fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// Shares `width` cells out over the statuses: what is there at all has a cell, the rest by largest remainder.
fn segments(counts: &Counts, width: usize) -> [usize; 5] {
    let total = counts.total().max(1) as f64;
    let exact = Status::ALL.map(|status| counts.of(status) as f64 / total * width as f64);
    let mut cells = [0; 5];
    for (index, status) in Status::ALL.into_iter().enumerate() {
        let is_there = counts.of(status) > 0;
        cells[index] = (exact[index] as usize).max(usize::from(is_there));
    }
    loop {
        let used: usize = cells.iter().sum();
        let lack = |index: usize| exact[index] - cells[index] as f64;
        let indices = 0..cells.len();
        if used < width {
            let most = indices.max_by(|&a, &b| lack(a).total_cmp(&lack(b)));
            cells[most.unwrap_or(0)] += 1;
        } else if used > width {
            let least =
                indices.filter(|&i| cells[i] > 1).min_by(|&a, &b| lack(a).total_cmp(&lack(b)));
            let Some(least) = least else { return cells };
            cells[least] -= 1;
        } else {
            return cells;
        }
    }
}

/// Breaks a sentence into lines of at most `width` characters where it has spaces.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(numbers: [u64; 5]) -> Counts {
        let mut counts = Counts::default();
        for (status, number) in Status::ALL.into_iter().zip(numbers) {
            (0..number).for_each(|_| counts.add(status));
        }
        counts
    }

    #[test]
    fn bars_are_full_and_show_what_is_rare() {
        assert_eq!(segments(&counts([10, 0, 0, 0, 0]), 20), [20, 0, 0, 0, 0]);
        assert_eq!(segments(&counts([998, 1, 1, 0, 0]), 20), [18, 1, 1, 0, 0]);
        assert_eq!(segments(&counts([1, 1, 1, 0, 0]), 20).iter().sum::<usize>(), 20);
        assert_eq!(segments(&counts([1, 1, 1, 1, 1]), 3), [1, 1, 1, 1, 1]);
    }

    #[test]
    fn sentences_are_wrapped_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), Vec::<String>::new());
    }
}
