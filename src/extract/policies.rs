//! Policy configurations of a project with their history: what was demanded, where, and from when to when.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::error::reading;
use super::rows::{Id, Object, filled};
use super::{Error, Maker, Source};
use crate::ado::model::{Configuration, Scope, Settings};
use crate::ado::{Answer, Call, Paging};
use crate::schema::Row;

/// Configurations, and where and when they were read.
pub type Configurations = Answer<Vec<Configuration>>;

/// Reads the latest revision of every configuration of a project, branch and repository policies alike.
///
/// # Errors
/// Fails when they cannot be read or the answer is not understood.
pub async fn fetch(source: &Source, project_id: &str) -> Result<Configurations, Error> {
    let call = Call::project(project_id, &["policy", "configurations"]);
    source
        .client()
        .get_list(call, Paging::Token { top: 1000 })
        .await
        .map_err(reading(format!("policies of project `{project_id}`")))
}

/// Reads all revisions of one configuration.
///
/// # Errors
/// Fails when they cannot be read or the answer is not understood.
pub async fn revisions(
    source: &Source,
    project_id: &str,
    policy_id: i64,
) -> Result<Configurations, Error> {
    let path = ["policy", "configurations", &policy_id.to_string(), "revisions"];
    source
        .client()
        .get_list(Call::project(project_id, &path), Paging::Skip { top: 1000 })
        .await
        .map_err(reading(format!("revisions of policy `{policy_id}`")))
}

/// Asks for one configuration by id, to show that it was deleted: an error that is unreadable by 404 shows it, if a
/// complete list lacks it too.
///
/// # Errors
/// Fails when it cannot be read or the answer is not understood.
pub async fn one(
    source: &Source,
    project_id: &str,
    policy_id: i64,
) -> Result<Answer<Configuration>, Error> {
    let path = ["policy", "configurations", &policy_id.to_string()];
    let answer = source.client().get(Call::project(project_id, &path)).await;
    answer.map_err(reading(format!("policy `{policy_id}`")))
}

/// What the lake knows of a configuration's revisions.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// When each revision was first listed.
    pub first_seen_at: BTreeMap<i64, DateTime<Utc>>,
    /// When its deletion was shown; none where it stands, or the answer itself says that it is deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Makes the rows of one configuration from all its revisions, in any order.
///
/// # Errors
/// Fails when a revision lacks what its rows cannot do without.
pub fn rows(
    source: &Source,
    project_id: &str,
    history: &Configurations,
    known: &Known,
) -> Result<Vec<Row>, Error> {
    let table = source.table("branch_policies")?;
    let mut revisions: BTreeMap<i64, (&Configuration, DateTime<Utc>)> = BTreeMap::new();
    for configuration in &history.value {
        let id = Id(configuration.id);
        let object = Object { address: &history.url, kind: "policy", id: &id };
        let revision = object.need(configuration.revision, "revision")?;
        let first_seen_at = known.first_seen_at.get(&revision).copied().unwrap_or(history.seen_at);
        revisions.insert(revision, (configuration, first_seen_at));
    }
    let dates: Vec<Dates> = revisions
        .iter()
        .map(|(revision, (configuration, first_seen_at))| Dates {
            revision: *revision,
            created_at: configuration.created_date,
            first_seen_at: *first_seen_at,
        })
        .collect();
    let spans = spans(&dates);
    let mut rows = Vec::new();
    for (index, (configuration, first_seen_at)) in revisions.values().enumerate() {
        let id = Id(configuration.id);
        let object = Object { address: &history.url, kind: "policy", id: &id };
        let is_last = index + 1 == spans.len();
        let valid_to = if is_last { known.deleted_at } else { Some(spans[index + 1].valid_from) };
        let settings = configuration
            .known_settings()
            .map_err(|error| object.wrong("settings", &format!("is of another form: {error}")))?;
        let mut row = revision_row(&table, &object, configuration, &settings)?;
        row.set("project_id", project_id)
            .set(
                "is_deleted",
                configuration.is_deleted == Some(true) || (is_last && valid_to.is_some()),
            )
            .set("first_seen_at", *first_seen_at)
            .set("created_at", configuration.created_date)
            .set("valid_from", spans[index].valid_from)
            .set("is_valid_from_proven", spans[index].is_proven)
            .set("valid_to", valid_to);
        let scopes = settings.scope.filter(|scopes| !scopes.is_empty());
        for (scope_index, scope) in
            scopes.unwrap_or_else(|| vec![Scope::default()]).into_iter().enumerate()
        {
            let mut row = row.clone();
            row.set(
                "scope_index",
                object.small(i64::try_from(scope_index).ok(), "settings.scope")?,
            )
            .set("repository_id", scope.repository_id)
            .set("ref_name", filled(scope.ref_name))
            .set("match_kind", filled(scope.match_kind));
            rows.push(row);
        }
    }
    Ok(rows)
}

fn revision_row(
    table: &Maker,
    object: &Object<'_>,
    configuration: &Configuration,
    settings: &Settings,
) -> Result<Row, Error> {
    let kind = configuration.kind.as_ref();
    let reviewers = settings.required_reviewer_ids.as_ref().map(Vec::len);
    let reviewers = reviewers.and_then(|count| i64::try_from(count).ok());
    let patterns = settings.filename_patterns.as_ref().filter(|patterns| !patterns.is_empty());
    let mut row = table.row();
    row.set("policy_id", object.need(configuration.id, "id")?)
        .set("revision", object.need(configuration.revision, "revision")?)
        .set("type_id", object.need(kind.and_then(|kind| kind.id.clone()), "type.id")?)
        .set("type_name", kind.and_then(|kind| kind.display_name.clone()))
        .set("is_enabled", configuration.is_enabled.unwrap_or(false))
        .set("is_blocking", configuration.is_blocking.unwrap_or(false))
        .set(
            "minimum_approver_count",
            object.small(settings.minimum_approver_count, "settings.minimumApproverCount")?,
        )
        .set("creator_vote_counts", settings.creator_vote_counts)
        .set("allow_downvotes", settings.allow_downvotes)
        .set("reset_on_source_push", settings.reset_on_source_push)
        .set("reset_rejections_on_source_push", settings.reset_rejections_on_source_push)
        .set("require_vote_on_last_iteration", settings.require_vote_on_last_iteration)
        .set("require_vote_on_each_iteration", settings.require_vote_on_each_iteration)
        .set("block_last_pusher_vote", settings.block_last_pusher_vote)
        .set("required_reviewer_count", object.small(reviewers, "settings.requiredReviewerIds")?)
        .set("build_definition_id", settings.build_definition_id)
        .set("status_name", settings.status_name.clone())
        .set("status_genre", filled(settings.status_genre.clone()))
        .set(
            "filename_patterns_json",
            patterns.map(|patterns| serde_json::json!(patterns).to_string()),
        )
        .set("settings_json", configuration.settings.as_ref().map(ToString::to_string));
    Ok(row)
}

/// The dates of a revision, in the order of revisions.
struct Dates {
    revision: i64,
    created_at: Option<DateTime<Utc>>,
    first_seen_at: DateTime<Utc>,
}

#[derive(Debug, PartialEq)]
struct Span {
    valid_from: DateTime<Utc>,
    is_proven: bool,
}

/// Tells from when each revision held. The first has its own date. A later one has its own date only where that is
/// later than the date of the one before (the service may give all revisions the date of the configuration); else all
/// that is known is when it was first listed. It never held from later than a proven one after it.
fn spans(dates: &[Dates]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::with_capacity(dates.len());
    for (index, own) in dates.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| dates[before].created_at);
        let is_own = match (own.created_at, before) {
            (None, _) => false,
            (Some(_), None) => own.revision == 1,
            (Some(own), Some(before)) => own > before,
        };
        let valid_from = own.created_at.filter(|_| is_own).unwrap_or(own.first_seen_at);
        spans.push(Span { valid_from, is_proven: is_own });
    }
    for index in (1..spans.len()).rev() {
        let next = spans[index].valid_from;
        let earlier = &mut spans[index - 1];
        if earlier.valid_from > next {
            *earlier = Span { valid_from: next, is_proven: false };
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> DateTime<Utc> {
        let date = chrono::NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
        date.and_time(chrono::NaiveTime::MIN).and_utc()
    }

    fn spans_of(dates: &[(i64, u32, u32)]) -> Vec<(u32, bool)> {
        use chrono::Datelike as _;
        let dates: Vec<Dates> = dates
            .iter()
            .map(|&(revision, created, seen)| Dates {
                revision,
                created_at: Some(day(created)),
                first_seen_at: day(seen),
            })
            .collect();
        spans(&dates).iter().map(|span| (span.valid_from.day(), span.is_proven)).collect()
    }

    #[test]
    fn the_first_revision_has_its_own_date() {
        assert_eq!(spans_of(&[(1, 3, 20)]), [(3, true)]);
    }

    #[test]
    fn a_later_revision_has_its_own_date_only_if_it_is_later() {
        assert_eq!(spans_of(&[(1, 3, 20), (2, 9, 20)]), [(3, true), (9, true)]);
        assert_eq!(spans_of(&[(1, 3, 20), (2, 3, 21)]), [(3, true), (21, false)]);
    }

    #[test]
    fn a_lone_later_revision_proves_nothing() {
        assert_eq!(spans_of(&[(4, 3, 20)]), [(20, false)]);
    }

    #[test]
    fn no_revision_holds_from_later_than_the_next() {
        let dates = [(1, 3, 20), (2, 3, 20), (3, 9, 20)];
        assert_eq!(spans_of(&dates), [(3, true), (9, false), (9, true)]);
    }
}
