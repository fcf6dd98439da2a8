//! What became of the verdicts of a stored run: which flipped, which are new, which are gone.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Format;
use super::csv::row;
use super::facts::link;
use super::markup::{escape, link as markdown_link};
use super::plain::plain;
use crate::checks::{
    Change, CheckRun, Counts, Diff, Finding, Recomputed, Status, StoredRun, instant_text,
};

/// A run beside a stored one.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// The stored run.
    pub before: &'a StoredRun,
    /// The same, computed again: what is compared.
    pub recomputed: &'a Recomputed,
    /// The run of now.
    pub after: &'a CheckRun,
    /// How they differ.
    pub diff: Diff<'a>,
}

impl Comparison<'_> {
    /// The forms that a comparison has.
    pub const FORMATS: [Format; 4] = [Format::Text, Format::Json, Format::Csv, Format::Markdown];

    /// Returns whether the stored run still comes out as it did.
    #[must_use]
    pub fn is_reproduced(&self) -> bool {
        self.before.findings_sha256 == self.recomputed.findings_sha256
    }

    /// What the runs were made of and do not have in common.
    fn differences(&self) -> Vec<&'static str> {
        let (before, after) = (self.before, self.after);
        let given: Vec<(String, String)> =
            after.given.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        [
            ("profile", before.profile != after.profile),
            ("settings", before.settings_hash != after.settings_hash),
            ("period", before.period != after.period),
            ("parameters", before.given != given),
            ("queries", !before.has_queries(&after.queries)),
            ("tables", !before.has_tables(&after.table_versions)),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }

    fn counts(&self, is_wanted: impl Fn(&Change<'_>) -> bool) -> Counts {
        let mut counts = Counts::default();
        let wanted = self.diff.changes.iter().filter(|change| is_wanted(change));
        wanted.for_each(|change| counts.add(change.finding().status));
        counts
    }

    fn flipped(&self) -> Counts {
        self.counts(|change| matches!(change, Change::Flipped { .. }))
    }

    fn appeared(&self) -> Counts {
        self.counts(|change| matches!(change, Change::Appeared(_)))
    }

    fn left(&self) -> Counts {
        self.counts(|change| matches!(change, Change::Left(_)))
    }

    /// Writes the comparison; one of [`Self::FORMATS`], any other as text.
    ///
    /// # Errors
    /// Fails when `out` does.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Json => self.json(out),
            Format::Csv => self.csv(out),
            Format::Markdown => self.markdown(out),
            _ => self.text(out),
        }
    }

    /// The stored run, and what is not the same about it, in two sentences.
    fn head(&self) -> [String; 2] {
        let at = self.before.started_at.format("%Y-%m-%d %H:%M UTC");
        let profile = self.before.profile.as_str();
        let run = format!("against run {} of {at}, profile {profile}", self.before.run_id);
        let differences = match self.differences() {
            names if names.is_empty() => "made of the same tables, settings and queries".to_owned(),
            names => format!("differs in {}", names.join(", ")),
        };
        [run, differences]
    }

    fn flips(&self) -> impl Iterator<Item = (&Finding<'_>, &Finding<'_>)> {
        self.diff.changes.iter().filter_map(|change| match change {
            Change::Flipped { before, after } => Some((&**before, after)),
            Change::Appeared(_) | Change::Left(_) => None,
        })
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let [run, differences] = self.head();
        writeln!(out, "{run}\n{differences}\n")?;
        for (before, after) in self.flips() {
            let flip = format!("{} → {}", before.status, after.status);
            writeln!(out, "{flip}  {}  {}", plain(&after.resource()), after.check_id)?;
            let subject = plain(after.subject.unwrap_or_default());
            if after.pull_request_id.is_some() && !subject.is_empty() {
                writeln!(out, "  {subject}")?;
            }
            writeln!(out, "  was  {}: {}", before.reason_code, plain(before.reason))?;
            writeln!(out, "  now  {}: {}", after.reason_code, plain(after.reason))?;
        }
        if self.flipped().total() > 0 {
            writeln!(out)?;
        }
        for (what, counts) in [("newly judged", self.appeared()), ("no longer judged", self.left())]
        {
            if counts.total() > 0 {
                writeln!(out, "{what}: {}; `--format json` lists them", told(&counts))?;
            }
        }
        if !self.diff.uncompared.is_empty() {
            writeln!(out, "only in one of the runs: {}", self.diff.uncompared.join(", "))?;
        }
        if self.diff.reworded > 0 {
            writeln!(
                out,
                "same status for another reason or with other flags: {}",
                self.diff.reworded
            )?;
        }
        writeln!(
            out,
            "Done. FLIPPED={} NEW={} GONE={} SAME={}",
            self.flipped().total(),
            self.appeared().total(),
            self.left().total(),
            self.diff.same
        )
    }

    fn markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        let [run, differences] = self.head();
        let count = self.flipped().total();
        let word = if count == 1 { "verdict" } else { "verdicts" };
        writeln!(out, "# adolake check: {count} {word} flipped\n")?;
        writeln!(out, "- {run}\n- {differences}")?;
        writeln!(out, "- newly judged: {}", told(&self.appeared()))?;
        writeln!(out, "- no longer judged: {}", told(&self.left()))?;
        writeln!(out, "- same: {}, {} for another reason", self.diff.same, self.diff.reworded)?;
        if self.flipped().total() == 0 {
            return Ok(());
        }
        writeln!(out, "\n| resource | subject | check | was | now |\n|---|---|---|---|---|")?;
        for (before, after) in self.flips() {
            let resource = markdown_link(&after.resource(), link(after).as_deref());
            let subject = escape(after.subject.unwrap_or_default());
            let verdict = |one: &Finding<'_>| {
                format!(
                    "{} `{}`: {}",
                    escape(one.status.as_str()),
                    one.reason_code,
                    escape(one.reason)
                )
            };
            let (was, now) = (verdict(before), verdict(after));
            writeln!(out, "| {resource} | {subject} | `{}` | {was} | {now} |", after.check_id)?;
        }
        Ok(())
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let before = json!({
            "run_id": self.before.run_id,
            "started_at": instant_text(self.before.started_at),
            "profile": self.before.profile.as_str(),
            "settings_hash": self.before.settings_hash,
            "findings_sha256": self.before.findings_sha256,
            "is_reproduced": self.is_reproduced(),
        });
        let after = json!({
            "profile": self.after.profile.as_str(),
            "as_of": instant_text(self.after.period.as_of),
            "settings_hash": self.after.settings_hash,
            "findings_sha256": self.after.findings_sha256,
        });
        let summary = json!({
            "flipped": self.flipped().total(),
            "appeared": self.appeared().total(),
            "left": self.left().total(),
            "same": self.diff.same,
            "reworded": self.diff.reworded,
        });
        writeln!(out, "{{\n\"before\": {before},\n\"after\": {after},")?;
        writeln!(out, "\"differs_in\": {},", json!(self.differences()))?;
        writeln!(out, "\"uncompared_checks\": {},", json!(self.diff.uncompared))?;
        write!(out, "\"summary\": {summary},\n\"changes\": [")?;
        for (index, change) in self.diff.changes.iter().enumerate() {
            write!(out, "{}{}", if index == 0 { "\n" } else { ",\n" }, entry(change))?;
        }
        writeln!(out, "\n]\n}}")
    }

    fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "change,check_id,resource,repository_id,subject,resource_url,status_before,reason_code_before,\
             status,reason_code,reason,flags"
        )?;
        for change in &self.diff.changes {
            let (word, before, after) = sides(change);
            let finding = change.finding();
            let resource = finding.resource();
            let cells = [
                Some(word),
                Some(finding.check_id),
                Some(&resource),
                finding.repository_id,
                finding.subject,
                finding.resource_url,
                before.map(|one| one.status.as_str()),
                before.map(|one| one.reason_code),
                after.map(|one| one.status.as_str()),
                after.map(|one| one.reason_code),
                after.map(|one| one.reason),
                after.map(|one| one.flags),
            ];
            row(cells, out)?;
        }
        Ok(())
    }
}

/// The word for a change, the verdict before and the verdict now.
fn sides<'a, 'b>(
    change: &'b Change<'a>,
) -> (&'static str, Option<&'b Finding<'a>>, Option<&'b Finding<'a>>) {
    match change {
        Change::Flipped { before, after } => ("flipped", Some(&**before), Some(after)),
        Change::Appeared(after) => ("appeared", None, Some(after)),
        Change::Left(before) => ("left", Some(before), None),
    }
}

fn entry(change: &Change<'_>) -> Value {
    let (word, before, after) = sides(change);
    let verdict = |one: &Finding<'_>| {
        json!({
            "status": one.status.as_str(),
            "reason_code": one.reason_code,
            "reason": one.reason,
            "flags": one.flags,
        })
    };
    let finding = change.finding();
    json!({
        "change": word,
        "check_id": finding.check_id,
        "resource": finding.resource(),
        "repository_id": finding.repository_id,
        "subject": finding.subject,
        "resource_url": finding.resource_url,
        "before": before.map(verdict),
        "after": after.map(verdict),
    })
}

/// `12 (10 pass, 2 fail)`.
fn told(counts: &Counts) -> String {
    let parts: Vec<String> = Status::ALL
        .into_iter()
        .filter(|status| counts.of(*status) > 0)
        .map(|status| format!("{} {}", counts.of(status), status.as_str()))
        .collect();
    match parts.as_slice() {
        [] => "0".to_owned(),
        parts => format!("{} ({})", counts.total(), parts.join(", ")),
    }
}
