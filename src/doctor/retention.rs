//! Retention: whether Azure DevOps deletes runs before the next sync can read them.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::access::core;
use super::ask::{counted, listed};
use super::error::Error;
use super::visible::Found;
use super::{Input, Item, Status};
use crate::lake::state::Run;

const ITEM: &str = "retention";
/// Gaps between syncs that are looked back at: a single long one is forgiven once the rhythm is back.
const GAPS: usize = 3;

/// Compares how long projects keep runs of pull requests with how often was synced.
pub(super) async fn examine(input: &Input<'_>, found: &Found) -> Result<Vec<Item>, Error> {
    let mut days: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for row in &found.retention {
        let Some(kept) = row.int("purge_pull_request_runs_days") else { continue };
        let project =
            found.projects.iter().find(|(id, _)| Some(id.as_str()) == row.text("project_id"));
        if let Some((_, name)) = project {
            days.entry(kept).or_default().push(name);
        }
    }
    let runs = match input.lake {
        Some(lake) => {
            let progress = lake.progress(input.organization()).await;
            progress.map_err(|source| Error::Lake { source: Box::new(source) })?.runs
        }
        None => Vec::new(),
    };
    let rhythm = Rhythm::of(&runs, input);
    Ok(days
        .into_iter()
        .map(|(kept, projects)| told(input, rhythm.as_ref(), kept, &projects))
        .collect())
}

/// How often was synced.
#[derive(Debug)]
struct Rhythm {
    since_last: TimeDelta,
    /// The longest time between two of the latest syncs.
    longest: TimeDelta,
}

impl Rhythm {
    /// `runs` are sorted, the newest first; none without any.
    fn of(runs: &[Run], input: &Input<'_>) -> Option<Self> {
        let since_last = input.now() - runs.first()?.started_at;
        let gaps = runs.windows(2).take(GAPS).map(|pair| pair[0].started_at - pair[1].started_at);
        Some(Self { since_last, longest: gaps.max().unwrap_or_default() })
    }

    fn judge(&self, kept: i64) -> (Status, String) {
        let limit = TimeDelta::days(kept);
        let near = TimeDelta::hours(kept * 24 * 7 / 10);
        if self.since_last >= limit {
            let ago = days(self.since_last);
            return (
                Status::Problem,
                format!("the last sync was {ago} ago: some may be lost already"),
            );
        }
        if self.longest >= limit {
            let gap = days(self.longest);
            let text =
                format!("between the latest syncs lay up to {gap}: the next one may come too late");
            return (Status::Problem, text);
        }
        if self.since_last >= near || self.longest >= near {
            let text = match self.since_last >= near {
                true => format!("the last sync was {} ago", days(self.since_last)),
                false => format!("between the latest syncs lay up to {}", days(self.longest)),
            };
            return (Status::Warning, format!("{text}: that is close"));
        }
        (Status::Ok, format!("the last sync was {} ago", days(self.since_last)))
    }
}

fn told(input: &Input<'_>, rhythm: Option<&Rhythm>, kept: i64, projects: &[&str]) -> Item {
    let names = listed(projects.iter().copied());
    let kept_days = counted(usize::try_from(kept).unwrap_or(0), "day");
    let message = format!("runs of pull requests in {names} are deleted after {kept_days}");
    let subject = input.organization();
    let Some(rhythm) = rhythm else {
        return Item::ok(ITEM, subject, format!("{message}: sync more often than that"));
    };
    let (status, judged) = rhythm.judge(kept);
    let message = format!("{message}; {judged}");
    let remedy = || {
        let project = projects.first().copied().unwrap_or_default();
        format!(
            "sync now and from then on daily, or raise `Days to keep pull request runs` at {}/{}/_settings/settings",
            core(input),
            crate::ado::escaped(project)
        )
    };
    match status {
        Status::Problem => Item::problem(ITEM, subject, message).remedy(remedy()),
        Status::Warning => Item::warning(ITEM, subject, message).remedy(remedy()),
        Status::Ok | Status::Skipped => Item::ok(ITEM, subject, message),
    }
}

/// Returns a span in words.
fn days(span: TimeDelta) -> String {
    match span.num_days() {
        0 if span.num_hours() == 0 => "less than an hour".to_owned(),
        0 => counted(usize::try_from(span.num_hours()).unwrap_or(0), "hour"),
        days => counted(usize::try_from(days).unwrap_or(0), "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_die_unread_are_a_problem() {
        let judged = |since_last: i64, longest: i64, kept: i64| {
            let rhythm = Rhythm {
                since_last: TimeDelta::hours(since_last),
                longest: TimeDelta::hours(longest),
            };
            rhythm.judge(kept).0
        };
        assert_eq!(judged(2, 26, 10), Status::Ok);
        assert_eq!(judged(240, 0, 10), Status::Problem);
        assert_eq!(judged(2, 240, 10), Status::Problem);
        assert_eq!(judged(170, 24, 10), Status::Warning);
        assert_eq!(judged(1, 17, 1), Status::Warning);
        assert_eq!(judged(1, 24, 1), Status::Problem);
    }
}
