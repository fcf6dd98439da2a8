//! How many completed pull requests Azure DevOps lists by branch and month, and whether as many stand in the lake.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::Run;
use super::ask::instant;
use super::error::Error;
use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::extract::pull_requests::Landed;
use crate::extract::{Resource, short_name};
use crate::schema::Row;
use crate::window::{Window, month_of, month_start, next_month};

/// What was counted of one branch and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    count: i64,
    is_final: bool,
    /// Upper bound of that listing.
    at: DateTime<Utc>,
}

/// Returns what the lake has counted.
pub(super) async fn known(run: &Run) -> Result<HashMap<Landed, Counted>, Error> {
    let sql = "select * from population_counts where organization = $organization";
    let rows = run.query("population_counts", sql, "what was counted").await?;
    let counted = |row: &Row| {
        let landed = Landed {
            repository_id: row.text("repository_id")?.to_owned(),
            ref_name: row.text("ref_name")?.to_owned(),
            closed_month: row.text("closed_month")?.to_owned(),
        };
        let (count, is_final) = (row.int("listed_count")?, row.bool("is_final")?);
        Some((landed, Counted { count, is_final, at: row.time("counted_at")? }))
    };
    Ok(rows.iter().filter_map(counted).collect())
}

/// Returns the months of a project that are to be counted once more, for good: `sync.recheck` has passed since their end.
pub(super) fn due(
    run: &Run,
    project_id: &str,
    known: &HashMap<Landed, Counted>,
) -> BTreeSet<DateTime<Utc>> {
    let open = known.iter().filter(|(landed, counted)| {
        !counted.is_final && counted.at < run.upper && is_listed(run, project_id, landed)
    });
    open.filter_map(|(landed, _)| first_of(&landed.closed_month))
        .filter(|month| is_past_recheck(run, *month))
        .collect()
}

/// Counts the completed pull requests of the months that a window holds in full, up to the upper bound; gives rows for
/// counts that differ from the known ones.
pub(super) fn rows(
    run: &Run,
    project_id: &str,
    window: Window,
    landed: &HashMap<Landed, HashSet<i64>>,
    known: &HashMap<Landed, Counted>,
) -> Vec<Row> {
    let Some(table) = run.input.lake.catalog().table("population_counts") else {
        return Vec::new();
    };
    let whole: BTreeMap<String, DateTime<Utc>> = window
        .months()
        .into_iter()
        .filter(|month| {
            *month >= window.from && (next_month(*month) <= window.to || window.to == run.upper)
        })
        .map(|month| (month_of(month), month))
        .collect();
    let mut counts: BTreeMap<&Landed, i64> = BTreeMap::new();
    // A branch that was counted and of which nothing is listed any more counts none, if its repository can be read.
    let vanished = known.keys().filter(|landed| is_listed(run, project_id, landed));
    counts.extend(vanished.map(|landed| (landed, 0)));
    counts.extend(
        landed
            .iter()
            .map(|(landed, numbers)| (landed, i64::try_from(numbers.len()).unwrap_or(i64::MAX))),
    );
    let mut rows = Vec::new();
    for (key, count) in counts {
        let Some(month) = whole.get(&key.closed_month) else { continue };
        let before = known.get(key);
        // A hidden or disabled repository may be missing from the list: that says nothing of what was listed before.
        let is_lost =
            !is_listed(run, project_id, key) && before.is_some_and(|own| count < own.count);
        if is_lost || before.is_some_and(|own| own.at > run.upper) {
            continue;
        }
        let is_final = before.is_some_and(|own| own.is_final) || is_past_recheck(run, *month);
        // A bound that moves on alone changes nothing: what was counted up to the old one still holds.
        if before.is_some_and(|own| (own.count, own.is_final) == (count, is_final)) {
            continue;
        }
        let mut row = Row::new(table);
        row.set("organization", run.organization())
            .set("repository_id", key.repository_id.as_str())
            .set("ref_name", key.ref_name.as_str())
            .set("closed_month", key.closed_month.as_str())
            .set("listed_count", count)
            .set("counted_at", run.upper)
            .set("is_final", is_final);
        rows.push(row);
    }
    rows
}

/// Returns whether the list of a project names what was completed here.
fn is_listed(run: &Run, project_id: &str, landed: &Landed) -> bool {
    let rules = run.judge.repositories.get(&landed.repository_id);
    rules.is_some_and(|rules| rules.is_readable() && rules.project_id == project_id)
}

fn is_past_recheck(run: &Run, month: DateTime<Utc>) -> bool {
    let from = next_month(month).checked_add_signed(run.recheck());
    from.is_some_and(|from| run.upper >= from)
}

/// Returns the first instant of a month that is named `YYYY-MM`.
fn first_of(month: &str) -> Option<DateTime<Utc>> {
    let day = NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d").ok()?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}

/// Compares what was listed with what stands in the lake; where they differ, the sync is not complete. `oldest` is before
/// all windows that this sync has read and all closes of the pull requests that it has written.
pub(super) async fn compare(run: &Run, oldest: DateTime<Utc>) -> Result<(), Error> {
    let was_compared = was_compared(run);
    if was_compared && !run.has_changed("pull_requests") && !run.has_changed("population_counts") {
        return Ok(());
    }
    let from = if was_compared { oldest } else { DateTime::UNIX_EPOCH };
    let mut found = differences(run, from).await?;
    if !found.is_empty() {
        // Another sync may have committed between the snapshots of two tables: then both stand there at a second look.
        found = differences(run, from).await?;
    }
    let differing = found.into_iter().map(|(project, differences)| {
        let name = run.project_name(&project);
        let id = format!("{project}@counted");
        let window = Window::new(run.upper, run.upper);
        let text = format!("{} counts do not agree: {}", differences.len(), differences[0]);
        (Scope::new(Resource::PullRequests, id, name, window), Outcome::Partial(text))
    });
    run.record(differing.collect()).await
}

/// Returns whether the last sync compared both sides and found no difference.
fn was_compared(run: &Run) -> bool {
    let Some(last) = run.progress_so_far.runs.first() else { return false };
    // What comes after the comparison is on record: it was made.
    let went_on = |project: &Project| {
        let key = (Resource::PullRequestDetails.name().to_owned(), project.id.clone());
        run.progress_so_far.read_at.get(&key) == Some(&last.started_at)
    };
    // The service tells its time in seconds: two syncs may have begun at the same.
    let mut latest =
        run.progress_so_far.runs.iter().take_while(|one| one.started_at == last.started_at);
    latest.all(|one| one.is_complete) && run.projects.iter().all(went_on)
}

/// Returns by project where the numbers of months that end after an instant differ, as sentences; no list is empty.
async fn differences(
    run: &Run,
    from: DateTime<Utc>,
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let from = month_start(from);
    let (month, begins) = (month_of(from), instant(from));
    let sql = format!(
        "select c.repository_id, c.ref_name, c.closed_month, c.listed_count, count(p.pull_request_id) as landed \
               from population_counts c left join pull_requests p \
               on p.organization = c.organization and p.repository_id = c.repository_id \
               and p.target_ref = c.ref_name and p.status = 'completed' and p.closed_at <= c.counted_at \
               and date_part('year', p.closed_at) * 12 + date_part('month', p.closed_at) \
               = cast(substr(c.closed_month, 1, 4) as int) * 12 + cast(substr(c.closed_month, 6) as int) \
               and p.closed_at >= {begins} \
               where c.organization = $organization and c.closed_month >= '{month}' \
               group by c.repository_id, c.ref_name, c.closed_month, c.listed_count \
               having count(p.pull_request_id) <> c.listed_count order by 1, 2, 3"
    );
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    run.each_batch(&sql, "whether all that was listed is there", |batch| {
        let texts = |column: usize| {
            arrow::compute::cast(batch.column(column), &arrow::datatypes::DataType::Utf8)
        };
        let failed = |source: arrow::error::ArrowError| Error::Query {
            what: "whether all that was listed is there",
            source: Box::new(source.into()),
        };
        let columns = [texts(0), texts(1), texts(2)];
        let [repositories, refs, months] = columns.map(|column| column.map_err(failed));
        let (repositories, refs, months) = (repositories?, refs?, months?);
        let number =
            |column: usize, row: usize| batch.column(column).as_primitive::<Int64Type>().value(row);
        for row in 0..batch.num_rows() {
            let text =
                |column: &arrow::array::ArrayRef| column.as_string::<i32>().value(row).to_owned();
            let id = text(&repositories);
            let repository = run.repositories.iter().find(|own| own.id == id);
            // What cannot be seen now is named as such.
            let Some(repository) = repository else { continue };
            found.entry(repository.project_id.clone()).or_default().push(format!(
                "{} merged into `{}` of `{}` in {} were listed, {} stand in the lake",
                number(3, row),
                short_name(&text(&refs)),
                repository.name,
                text(&months),
                number(4, row)
            ));
        }
        Ok(())
    })
    .await?;
    Ok(found)
}
