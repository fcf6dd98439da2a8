//! Comment threads, most of them written by the system: the timeline of votes, pushes and states.

use std::fmt::Write as _;

use super::Context;
use crate::simulator::answer::Answer;
use crate::simulator::json::Json;
use crate::simulator::life::{View, What};
use crate::simulator::people::PersonId;
use crate::simulator::random::Commit;
use crate::simulator::time::{DAY, Time};

/// Threads per pull request at most, for their numbers.
const THREADS: u32 = 100;
/// Older pull requests carry the older form: ids instead of an identities map.
const OLD_FORM_DAYS: i64 = 900;

/// What a thread says.
#[derive(Default)]
struct Thread {
    kind: &'static str,
    /// Names and texts of further properties; a number says so by its first letter `#`.
    properties: Vec<(&'static str, String)>,
    /// Names of properties that stand for people.
    people: Vec<(&'static str, Vec<PersonId>)>,
    text: String,
}

/// All threads of a pull request.
pub(crate) fn list(context: &Context<'_>, view: &View<'_>, base: &str) -> Answer {
    let mut iteration = 0;
    let mut found = Vec::new();
    for (index, (at, what)) in view.past.iter().enumerate() {
        if matches!(what, What::Push { .. } | What::Retarget { .. }) {
            iteration += 1;
        }
        if let Some(thread) = thread(context, view, what, iteration) {
            let number =
                view.life.id * THREADS + u32::try_from(index).unwrap_or(0).min(THREADS - 1);
            found.push((number, *at, thread));
        }
    }
    Answer::list(found.into_iter(), |json, (number, at, thread)| {
        write(context, json, (number, at), &thread, base)
    })
}

fn thread(context: &Context<'_>, view: &View<'_>, what: &What, iteration: u8) -> Option<Thread> {
    let (world, id) = (context.world, view.life.id);
    let name = |who: PersonId| world.people.get(who).name.as_str();
    let is_old = view.life.created() < world.start.plus(-OLD_FORM_DAYS * DAY);
    Some(match what {
        What::Push { by, commits, .. } if iteration > 1 => {
            let head = Commit::Source(id, iteration).sha(world.seed);
            let mut all = head.clone();
            for earlier in (1..*commits).rev() {
                let _ = write!(all, ";{}", Commit::Extra(id, iteration, earlier).sha(world.seed));
            }
            Thread {
                kind: "RefUpdate",
                properties: vec![
                    ("CodeReviewRefName", view.life.source.clone()),
                    ("CodeReviewRefNewCommits", all),
                    ("CodeReviewRefNewCommitsCount", format!("#{commits}")),
                    ("CodeReviewRefNewHeadCommit", head),
                ],
                people: vec![("CodeReviewRefUpdatedByIdentity", vec![*by])],
                text: "The reference was updated.".to_owned(),
            }
        }
        What::Retarget { by, target } => Thread {
            kind: "TargetChanged",
            properties: vec![("CodeReviewTargetChangedNewRefName", target.clone())],
            people: vec![("CodeReviewTargetChangedByIdentity", vec![*by])],
            text: format!("{} changed the target branch to {target}", name(*by)),
        },
        What::Invite { who, .. } => Thread {
            kind: "ReviewersUpdate",
            properties: vec![
                ("CodeReviewReviewersUpdatedNumAdded", "#1".to_owned()),
                ("CodeReviewReviewersUpdatedNumRemoved", "#0".to_owned()),
            ],
            people: vec![
                ("CodeReviewReviewersUpdatedAddedIdentity", vec![*who]),
                ("CodeReviewReviewersUpdatedByIdentity", vec![view.life.author]),
            ],
            text: format!("{} added {} as a reviewer", name(view.life.author), name(*who)),
        },
        What::Remove { who } => Thread {
            kind: "ReviewersUpdate",
            properties: vec![
                ("CodeReviewReviewersUpdatedNumAdded", "#0".to_owned()),
                ("CodeReviewReviewersUpdatedNumRemoved", "#1".to_owned()),
            ],
            people: vec![
                ("CodeReviewReviewersUpdatedRemovedIdentity", vec![*who]),
                ("CodeReviewReviewersUpdatedByIdentity", vec![view.life.author]),
            ],
            text: format!("{} removed {} as a reviewer", name(view.life.author), name(*who)),
        },
        What::Vote { who, vote, in_threads: true, .. } if is_old => Thread {
            kind: "VoteUpdate",
            properties: vec![
                ("CodeReviewVoteResult", vote.to_string()),
                ("CodeReviewVotedByDisplayName", name(*who).to_owned()),
                ("CodeReviewVotedByTfId", world.people.get(*who).id.clone()),
            ],
            people: Vec::new(),
            text: format!("{} voted {vote}", name(*who)),
        },
        What::Vote { who, vote, in_threads: true, .. } => Thread {
            kind: "VoteUpdate",
            properties: vec![("CodeReviewVoteResult", vote.to_string())],
            people: vec![
                ("CodeReviewVotedByInitiatorIdentity", vec![*who]),
                ("CodeReviewVotedByIdentity", vec![*who]),
            ],
            text: format!("{} voted {vote}", name(*who)),
        },
        What::Reset { who: None, by } => Thread {
            kind: "ResetAllVotes",
            properties: Vec::new(),
            people: vec![("CodeReviewResetAllVotesInitiatorIdentity", vec![*by])],
            text: "All votes were reset".to_owned(),
        },
        What::Reset { who: Some(named), by } => Thread {
            kind: "ResetMultipleVotes",
            properties: vec![(
                "CodeReviewResetMultipleVotesNumVoters",
                format!("#{}", named.len()),
            )],
            people: vec![
                ("CodeReviewResetMultipleVotesInitiatorIdentity", vec![*by]),
                ("CodeReviewResetMultipleVotesExampleVoterIdentities", named.clone()),
            ],
            text: "Votes were reset: the source branch changed".to_owned(),
        },
        What::Publish { by } => Thread {
            kind: "IsDraftUpdate",
            properties: vec![("CodeReviewIsDraftNewValue", "False".to_owned())],
            people: vec![("CodeReviewIsDraftUpdatedByIdentity", vec![*by])],
            text: format!("{} published the pull request", name(*by)),
        },
        What::Abandon { by } => status(name(*by), *by, "Abandoned", Vec::new()),
        What::Reactivate { by } => status(name(*by), *by, "Active", Vec::new()),
        What::Complete { by, bypass, external: false } => {
            let bypass = if bypass.is_some() { "True" } else { "False" };
            let commit = Commit::Landed(id).sha(world.seed);
            let more = vec![
                ("BypassPolicy", bypass.to_owned()),
                ("CodeReviewStatusUpdateAssociatedCommit", commit),
            ];
            status(name(*by), *by, "Completed", more)
        }
        What::Comment { by, text } => Thread {
            kind: "",
            properties: Vec::new(),
            people: vec![("", vec![*by])],
            text: text.clone(),
        },
        _ => return None,
    })
}

fn status(name: &str, by: PersonId, word: &str, more: Vec<(&'static str, String)>) -> Thread {
    let mut properties = vec![("CodeReviewStatus", word.to_owned())];
    properties.extend(more);
    Thread {
        kind: "StatusUpdate",
        properties,
        people: vec![("CodeReviewStatusUpdatedByIdentity", vec![by])],
        text: format!("{name} updated the pull request status to {word}"),
    }
}

fn write(
    context: &Context<'_>,
    json: &mut Json,
    (number, at): (u32, Time),
    thread: &Thread,
    base: &str,
) {
    let people = &context.world.people;
    let is_system = !thread.kind.is_empty();
    json.object(|json| {
        json.null("pullRequestThreadContext").int("id", number);
        json.time("publishedDate", at).time("lastUpdatedDate", at);
        json.key("comments").array(|json| {
            json.object(|json| {
                json.int("id", 1_i64).int("parentCommentId", 0_i64);
                match (is_system, thread.people.first().and_then(|(_, who)| who.first())) {
                    (false, Some(who)) => people.get(*who).write(json.key("author")),
                    _ => json.key("author").object(|json| {
                        json.str("displayName", "Microsoft.VisualStudio.Services.TFS");
                        json.str("id", "00000002-0000-8888-8000-000000000000");
                        json.str("uniqueName", "").str(
                            "descriptor",
                            "s2s.MDAwMDAwMDItMDAwMC04ODg4LTgwMDAtMDAwMDAwMDAwMDAwQDJjODk1OTA4",
                        );
                    }),
                }
                json.str("content", &thread.text)
                    .time("publishedDate", at)
                    .time("lastUpdatedDate", at);
                json.time("lastContentUpdatedDate", at);
                json.plain("commentType", &[if is_system { "system" } else { "text" }])
                    .key("usersLiked")
                    .array(|_| {});
            });
        });
        if !is_system {
            json.plain("status", &["active"])
                .null("threadContext")
                .key("properties")
                .object(|_| {});
            json.null("identities");
        } else {
            json.null("threadContext");
            write_properties(context, json, thread);
        }
        json.bool("isDeleted", false).key("_links").object(|json| {
            json.key("self")
                .object(|json| _ = json.str("href", &format!("{base}/threads/{number}")));
        });
    });
}

/// Writes the properties, and the map that their people are keys into.
fn write_properties(context: &Context<'_>, json: &mut Json, thread: &Thread) {
    let mut named: Vec<PersonId> = Vec::new();
    let pair = |json: &mut Json, name: &str, value: &str| {
        json.key(name).object(|json| match value.strip_prefix('#') {
            Some(number) => {
                json.str("$type", "System.Int32").key("$value").raw(number);
            }
            None => _ = json.str("$type", "System.String").str("$value", value),
        });
    };
    json.key("properties").object(|json| {
        pair(json, "CodeReviewThreadType", thread.kind);
        for (name, value) in &thread.properties {
            pair(json, name, value);
        }
        for (name, who) in &thread.people {
            let keys: Vec<String> = who
                .iter()
                .map(|person| {
                    let place = named.iter().position(|own| own == person).unwrap_or_else(|| {
                        named.push(*person);
                        named.len() - 1
                    });
                    (place + 1).to_string()
                })
                .collect();
            if name.ends_with("Identities") {
                pair(json, name, &format!("[\"{}\"]", keys.join("\",\"")));
            } else {
                pair(json, name, keys.first().map_or("", String::as_str));
            }
        }
    });
    if named.is_empty() {
        json.null("identities");
        return;
    }
    json.key("identities").object(|json| {
        for (place, who) in named.iter().enumerate() {
            context.world.people.get(*who).write(json.key(&(place + 1).to_string()));
        }
    });
}
