//! What the system's threads tell of a pull request: votes, resets, and its completion.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::rows::{Id, Object};
use super::{Error, Maker};
use crate::ado::model::{IdentityRef, Property, Thread, guid_of};
use crate::schema::Row;

/// What the threads of one pull request say.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// Rows of `pull_request_votes`, without the columns of the pull request.
    pub votes: Vec<Row>,
    /// When the thread of the completion was published, the last one if there are several.
    pub completed_at: Option<DateTime<Utc>>,
    /// Whether a completion thread says that policies were bypassed.
    pub is_bypass: bool,
}

/// Reads the threads; `blank` makes vote rows.
///
/// # Errors
/// Fails on a thread without id, and on a vote or reset that does not say who, what or when.
pub(super) fn read(blank: &Maker, address: &str, threads: &[Thread]) -> Result<Story, Error> {
    let mut story = Story::default();
    for thread in threads {
        let id = Id(thread.id);
        let object = Object { address, kind: "thread", id: &id };
        // Also of one that no row needs: the answer is kept as evidence, and a broken one must not stand for whole.
        object.need(thread.id, "id")?;
        let kind = text(thread, "CodeReviewThreadType").unwrap_or_default();
        match kind.as_str() {
            "VoteUpdate" => story.votes.push(vote_row(blank, &object, thread)?),
            "ResetAllVotes" => story.votes.push(reset_row(blank, &object, thread, Voter::all())?),
            "ResetMultipleVotes" => {
                for voter in named_voters(thread) {
                    story.votes.push(reset_row(blank, &object, thread, voter)?);
                }
            }
            "StatusUpdate" if text(thread, "CodeReviewStatus").as_deref() == Some("Completed") => {
                let at = object.need(thread.published_date, "publishedDate")?;
                story.completed_at = story.completed_at.max(Some(at));
                let bypass = text(thread, "BypassPolicy");
                story.is_bypass |= bypass.is_some_and(|text| text.eq_ignore_ascii_case("true"));
            }
            _ => {}
        }
    }
    Ok(story)
}

/// Somebody whose vote was cast or reset.
#[derive(Debug, Default)]
struct Voter {
    id: String,
    unique_name: Option<String>,
    descriptor: Option<String>,
}

impl Voter {
    fn all() -> Self {
        Self { id: "*".to_owned(), ..Self::default() }
    }

    fn of(identity: &IdentityRef, fallback: Option<String>) -> Option<Self> {
        let unique_name = identity.unique_name.clone().filter(|text| !text.is_empty());
        let descriptor = identity.descriptor.clone().filter(|text| !text.is_empty());
        let id = identity.id.clone().or(fallback);
        let id = id.or_else(|| descriptor.clone()).or_else(|| unique_name.clone())?;
        Some(Self { id, unique_name, descriptor })
    }

    fn by_id(id: &str) -> Option<Self> {
        Some(Self { id: guid_of(id)?, ..Self::default() })
    }
}

fn text(thread: &Thread, property: &str) -> Option<String> {
    thread.properties.as_ref()?.get(property).and_then(Property::text)
}

/// Resolves a property that holds a key into the thread's identities, or in old data the id itself in another one.
fn person(thread: &Thread, by_identity: &str, by_id: &str) -> Option<Voter> {
    let old = text(thread, by_id);
    let Some(key) = text(thread, by_identity) else { return Voter::by_id(&old?) };
    let identity = thread.identities.as_ref().and_then(|identities| identities.get(&key));
    match identity {
        Some(identity) => Voter::of(identity, old.as_deref().and_then(guid_of)),
        None => Voter::by_id(old.as_deref().unwrap_or(&key)).filter(|voter| voter.id.len() > 30),
    }
}

fn vote_row(blank: &Maker, object: &Object<'_>, thread: &Thread) -> Result<Row, Error> {
    let voter = person(thread, "CodeReviewVotedByIdentity", "CodeReviewVotedByTfId");
    let voter = object.need(voter, "properties.CodeReviewVotedByIdentity")?;
    let result =
        object.need(text(thread, "CodeReviewVoteResult"), "properties.CodeReviewVoteResult")?;
    let vote: i32 = result
        .parse()
        .map_err(|_| object.wrong("properties.CodeReviewVoteResult", "is not a whole number"))?;
    let by = person(thread, "CodeReviewVotedByInitiatorIdentity", "CodeReviewVotedByInitiatorTfId");
    let mut row = event_row(blank, object, thread, voter, by)?;
    row.set("kind", "vote").set("vote", vote);
    Ok(row)
}

fn reset_row(
    blank: &Maker,
    object: &Object<'_>,
    thread: &Thread,
    voter: Voter,
) -> Result<Row, Error> {
    let by = ["CodeReviewResetAllVotesInitiator", "CodeReviewResetMultipleVotesInitiator"]
        .into_iter()
        .find_map(|name| person(thread, &format!("{name}Identity"), &format!("{name}TfId")));
    let mut row = event_row(blank, object, thread, voter, by)?;
    row.set("kind", "reset");
    Ok(row)
}

fn event_row(
    blank: &Maker,
    object: &Object<'_>,
    thread: &Thread,
    voter: Voter,
    by: Option<Voter>,
) -> Result<Row, Error> {
    let mut row = blank.row();
    row.set("thread_id", object.need(thread.id, "id")?)
        .set("voter_id", voter.id)
        .set("at", object.need(thread.published_date, "publishedDate")?)
        .set("voter_unique_name", voter.unique_name)
        .set("voter_descriptor", voter.descriptor)
        .set("initiator_id", by.map(|by| by.id));
    Ok(row)
}

/// Returns the voters that a reset of several names. The service calls the list an example: it may be shorter than
/// what was reset, and where it is empty one voter without id stands for the event.
fn named_voters(thread: &Thread) -> Vec<Voter> {
    let examples = thread.properties.iter().flatten().filter(|(name, _)| {
        name.starts_with("CodeReviewResetMultipleVotes") && name.contains("ExampleVoter")
    });
    let identities = thread.identities.as_ref();
    let mut seen = BTreeSet::new();
    let mut voters: Vec<Voter> = examples
        .flat_map(|(_, value)| value.texts())
        .filter_map(|key| match identities.and_then(|identities| identities.get(&key)) {
            Some(identity) => Voter::of(identity, None),
            None => Voter::by_id(&key).filter(|voter| voter.id.len() > 30),
        })
        .filter(|voter| seen.insert(voter.id.clone()))
        .collect();
    if voters.is_empty() {
        voters.push(Voter::default());
    }
    voters
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::Catalog;

    const ANNA: &str = "11111111-1111-1111-1111-111111111111";
    const BEN: &str = "22222222-2222-2222-2222-222222222222";

    fn story(threads: serde_json::Value) -> Result<Story, Error> {
        let catalog = Catalog::embedded().unwrap();
        let blank = Row::new(&Arc::clone(catalog.require("pull_request_votes").unwrap()));
        let threads: Vec<Thread> = serde_json::from_value(threads).unwrap();
        read(&Maker { blank }, "http://x/", &threads)
    }

    fn property(value: &str) -> serde_json::Value {
        serde_json::json!({"$type": "System.String", "$value": value})
    }

    #[test]
    fn votes_name_people_by_key_or_by_id() {
        let story = story(serde_json::json!([
            {"id": 1, "publishedDate": "2026-01-01T00:00:00Z",
             "identities": {"1": {"id": ANNA, "uniqueName": "anna@x", "descriptor": "aad.1"}, "2": {"id": BEN}},
             "properties": {"CodeReviewThreadType": property("VoteUpdate"), "CodeReviewVoteResult": property("10"),
                "CodeReviewVotedByIdentity": property("1"), "CodeReviewVotedByInitiatorIdentity": property("2")}},
            {"id": 2, "publishedDate": "2016-01-01T00:00:00Z", "identities": null,
             "properties": {"CodeReviewThreadType": property("VoteUpdate"), "CodeReviewVoteResult": property("-5"),
                "CodeReviewVotedByTfId": property(&ANNA.replace('-', "").to_uppercase())}},
            {"id": 3, "properties": null},
            {"id": 4, "properties": {"Microsoft.X": {"$type": "System.Int32", "$value": 1}}}
        ]))
        .unwrap();
        let seen: Vec<_> = story
            .votes
            .iter()
            .map(|row| (row.text("voter_id").unwrap(), row.int("vote"), row.text("initiator_id")))
            .collect();
        assert_eq!(seen, [(ANNA, Some(10), Some(BEN)), (ANNA, Some(-5), None)]);
    }

    #[test]
    fn resets_give_a_row_per_named_voter_or_one_for_all() {
        let story = story(serde_json::json!([
            {"id": 1, "publishedDate": "2026-01-01T00:00:00Z", "identities": {"1": {"id": ANNA}, "2": {"id": BEN}},
             "properties": {"CodeReviewThreadType": property("ResetMultipleVotes"),
                "CodeReviewResetMultipleVotesExampleVoterIdentities": property("[\"1\",\"2\"]")}},
            {"id": 2, "publishedDate": "2026-01-01T00:00:00Z",
             "properties": {"CodeReviewThreadType": property("ResetAllVotes")}},
            {"id": 3, "publishedDate": "2026-01-01T00:00:00Z",
             "properties": {"CodeReviewThreadType": property("ResetMultipleVotes")}},
            {"id": 4, "publishedDate": "2026-01-01T00:00:00Z",
             "properties": {"CodeReviewThreadType": property("ResetMultipleVotes"),
                "CodeReviewResetMultipleVotesExampleVoterTfIds": property(&BEN.replace('-', ""))}}
        ]))
        .unwrap();
        let seen: Vec<_> = story
            .votes
            .iter()
            .map(|row| (row.int("thread_id").unwrap(), row.text("voter_id").unwrap()))
            .collect();
        assert_eq!(seen, [(1, ANNA), (1, BEN), (2, "*"), (3, ""), (4, BEN)]);
    }

    #[test]
    fn the_completion_thread_tells_time_and_bypass() {
        let story = story(serde_json::json!([
            {"id": 1, "publishedDate": "2026-01-01T00:00:00Z", "properties": {
                "CodeReviewThreadType": property("StatusUpdate"), "CodeReviewStatus": property("Completed"),
                "BypassPolicy": property("True")}},
            {"id": 2, "publishedDate": "2026-01-02T00:00:00Z", "properties": {
                "CodeReviewThreadType": property("StatusUpdate"), "CodeReviewStatus": property("Active")}}
        ]))
        .unwrap();
        assert_eq!(story.completed_at.unwrap().to_rfc3339(), "2026-01-01T00:00:00+00:00");
        assert!(story.is_bypass);
    }

    #[test]
    fn a_thread_without_id_is_an_error_also_where_no_row_needs_it() {
        let error =
            story(serde_json::json!([{"publishedDate": "2026-01-01T00:00:00Z"}])).unwrap_err();
        assert!(error.to_string().contains("`id` of thread"), "{error}");
    }

    #[test]
    fn a_vote_without_a_voter_is_an_error_with_its_place() {
        let error = story(serde_json::json!([
            {"id": 9, "publishedDate": "2026-01-01T00:00:00Z", "properties": {
                "CodeReviewThreadType": property("VoteUpdate"), "CodeReviewVoteResult": property("10")}}
        ]))
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the answer of `http://x/` is not understood: `properties.CodeReviewVotedByIdentity` of thread `9` is missing"
        );
    }
}
