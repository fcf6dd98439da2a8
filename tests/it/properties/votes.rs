//! Votes, resets, pushes and reviewer lists, replayed person by person (checks.md, section C).

mod history;

use std::collections::BTreeSet;

use adolake::config::Profile;

use super::random::Random;
use super::{Answer, Rows, answer, compare};
use history::history;

const CLOSED: i64 = 1_000;

/// Somebody who votes: identity id, unique name, descriptor.
type Person = (&'static str, &'static str, &'static str);

const ANN: Person = ("ann", "ann@contoso.com", "aad.ann");
const TWIN: Person = ("twin", "ANN@contoso.com", "aad.twin");
const BEN: Person = ("ben", "ben@contoso.com", "aad.ben");
const CAT: Person = ("cat", "cat@contoso.com", "aad.cat");
const GUS: Person = ("gus", "gus@guests.com", "aad.gus");
const BOT: Person = ("bot", "Build\\11111111-2222-3333-4444-555555555555", "svc.bot");
const NIL: Person = ("nil", "", "");
const PEOPLE: [Person; 9] = [BEN, CAT, BEN, CAT, GUS, ANN, TWIN, BOT, NIL];

#[derive(Debug, Clone, PartialEq)]
enum Event {
    Vote(Person, i64),
    ResetAll,
    Reset(Vec<Person>),
    /// A push, and who wrote its commit.
    Push(Person, Person),
    Retarget,
}

/// A row of the reviewer list as read after the merge.
#[derive(Debug)]
struct Listed {
    who: Person,
    vote: i64,
    has_declined: bool,
    is_removed: bool,
    /// The last vote listed while the pull request was active, and when.
    while_open: Option<(i64, i64)>,
}

#[derive(Debug)]
struct History {
    /// By minute, each at another one.
    events: Vec<(i64, Event)>,
    listed: Vec<Listed>,
    group_vote: Option<i64>,
    is_read: bool,
    is_bypassed: bool,
    is_external: bool,
}

/// What became of a person's vote by the merge.
struct Standing {
    vote: i64,
    is_lost: bool,
    is_late: bool,
    /// Since when it is known to have stood.
    since: Option<i64>,
    has_events: bool,
}

impl History {
    fn until_merge(&self) -> impl Iterator<Item = &(i64, Event)> {
        self.events.iter().filter(|(at, _)| *at <= CLOSED)
    }

    fn after_merge(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|(at, _)| *at > CLOSED).map(|(_, event)| event)
    }

    fn row(&self, who: Person) -> Option<&Listed> {
        self.listed.iter().find(|row| row.who == who)
    }

    fn standing(&self, who: Person) -> Standing {
        let is_own = |event: &Event| matches!(event, Event::Vote(voter, _) if *voter == who);
        let row = self.row(who);
        let list = row.filter(|row| !row.is_removed).map(|row| row.vote);
        if !self.events.iter().any(|(_, event)| is_own(event)) {
            return self.standing_by_list(row, list);
        }
        let (mut last, mut is_voided, mut is_doubtful) = (None, false, false);
        let mut was_approved = false;
        for (at, event) in self.until_merge() {
            match event {
                Event::Vote(voter, vote) if *voter == who => {
                    (last, is_voided, is_doubtful) = (Some((*at, *vote)), false, false);
                    was_approved = *vote >= 5 || (*vote == 0 && was_approved);
                }
                Event::ResetAll => is_voided = true,
                Event::Reset(named) if named.contains(&who) => is_voided = true,
                Event::Reset(_) => is_doubtful = true,
                _ => {}
            }
        }
        let late: Vec<&Event> = self.after_merge().filter(|event| is_own(event)).collect();
        let is_revoted = !late.is_empty();
        let is_late_approval = late.iter().any(|e| matches!(e, Event::Vote(_, vote) if *vote >= 5));
        let is_reset_later =
            self.after_merge().any(|e| matches!(e, Event::Reset(n) if n.contains(&who)));
        let is_any_reset_later =
            self.after_merge().any(|e| matches!(e, Event::ResetAll | Event::Reset(_)));
        // The list as it was at the merge: nothing changed it since.
        let list_then = list.filter(|_| !is_revoted && !is_any_reset_later);
        let vote = match last {
            None => 0,
            Some(_) if list_then.is_some_and(|vote| vote < 0) => list_then.unwrap(),
            Some(_) if is_voided => 0,
            Some((_, vote)) if is_doubtful => match list.filter(|_| !is_revoted && !is_reset_later)
            {
                Some(listed) if listed >= 5 => vote,
                Some(listed) => listed,
                None => 0,
            },
            Some((_, vote)) => list_then.filter(|listed| *listed < 5).unwrap_or(vote),
        };
        let was_ever_approved = self
            .until_merge()
            .any(|(_, e)| matches!(e, Event::Vote(voter, vote) if *voter == who && *vote >= 5));
        Standing {
            vote,
            is_lost: vote == 0 && was_approved,
            is_late: is_late_approval && !was_ever_approved,
            since: last.map(|(at, _)| at),
            has_events: true,
        }
    }

    fn standing_by_list(&self, row: Option<&Listed>, list: Option<i64>) -> Standing {
        let vote = list.unwrap_or(0);
        let seen = row.and_then(|row| row.while_open).filter(|(vote, _)| *vote >= 5);
        let is_undone = |at: i64| {
            self.until_merge().any(|(later, event)| {
                *later > at && matches!(event, Event::ResetAll | Event::Reset(_) | Event::Push(..))
            })
        };
        Standing {
            vote,
            is_lost: list == Some(0) && seen.is_some(),
            is_late: false,
            since: seen.map(|(_, at)| at).filter(|at| !is_undone(*at)),
            has_events: false,
        }
    }

    fn contributed(&self, who: Person) -> bool {
        self.events.iter().any(|(_, event)| match event {
            Event::Push(by, author) => *by == who || (*author == who && !who.1.is_empty()),
            _ => false,
        })
    }

    /// Why a person's vote does not count, and what there is to say about it where it does.
    fn judge(
        &self,
        who: Person,
        profile: Profile,
    ) -> Option<(Option<&'static str>, BTreeSet<&'static str>)> {
        let standing = self.standing(who);
        let row = self.row(who);
        if standing.vote < 5 && !standing.is_lost && !standing.is_late {
            return None;
        }
        let miss = if who == ANN || who == TWIN {
            Some("SELF_APPROVED")
        } else if who == BOT {
            Some("NON_HUMAN_APPROVER")
        } else if row.is_some_and(|row| row.has_declined) {
            Some("NO_APPROVAL")
        } else if standing.vote >= 5 {
            None
        } else if standing.is_late {
            Some("LATE_APPROVAL")
        } else {
            Some("APPROVAL_RESET")
        };
        if miss.is_some() {
            return Some((miss, BTreeSet::new()));
        }
        let since = standing.since;
        let is_later = |wanted: fn(&Event) -> bool| {
            self.events
                .iter()
                .any(|(at, event)| since.is_some_and(|since| *at > since) && wanted(event))
        };
        let is_removed = standing.has_events && row.is_none_or(|row| row.is_removed);
        // In the order in which strict asks.
        let doubts = [
            ("STALE_APPROVAL", is_later(|event| matches!(event, Event::Push(..)))),
            ("RETARGETED_AFTER_APPROVAL", is_later(|event| matches!(event, Event::Retarget))),
            ("APPROVER_CONTRIBUTED", self.contributed(who)),
            ("REVIEWER_REMOVED", is_removed),
            ("VOTE_TIME_UNPROVEN", since.is_none()),
            ("IDENTITY_UNPROVEN", who == NIL),
        ];
        let mut flags: BTreeSet<&str> =
            doubts.iter().filter(|(_, is_so)| *is_so).map(|(name, _)| *name).collect();
        if who == GUS {
            flags.insert("GUEST_APPROVER");
        }
        let miss = doubts.iter().find(|(_, is_so)| *is_so && profile == Profile::Strict);
        Some((miss.map(|(name, _)| *name), flags))
    }

    fn verdict(&self, profile: Profile) -> Answer {
        const ORDER: [&str; 11] = [
            "VOTE_TIME_UNPROVEN",
            "IDENTITY_UNPROVEN",
            "LATE_APPROVAL",
            "APPROVAL_RESET",
            "STALE_APPROVAL",
            "RETARGETED_AFTER_APPROVAL",
            "APPROVER_CONTRIBUTED",
            "REVIEWER_REMOVED",
            "NON_HUMAN_APPROVER",
            "SELF_APPROVED",
            "NO_APPROVAL",
        ];
        let people: BTreeSet<Person> = PEOPLE.into_iter().collect();
        let judged: Vec<_> =
            people.iter().filter_map(|person| self.judge(*person, profile)).collect();
        let mut flags = BTreeSet::new();
        if people.iter().any(|person| self.standing(*person).vote < 0) {
            flags.insert("DOWNVOTE_AT_MERGE");
        }
        if self.is_bypassed {
            flags.insert("POLICY_BYPASSED");
        }
        if !self.is_read {
            return answer("unknown", "EVIDENCE_UNREADABLE", &flags);
        }
        if self.is_external {
            flags.insert("MERGED_EXTERNALLY");
            if profile == Profile::Strict {
                return answer("fail", "MERGED_EXTERNALLY", &flags);
            }
        }
        let mut counting = judged.iter().filter(|(miss, _)| miss.is_none()).map(|(_, flags)| flags);
        if let Some(first) = counting.next() {
            let common = counting.fold(first.clone(), |common, own| &common & own);
            return answer("pass", "APPROVED", &(&flags | &common));
        }
        let misses: BTreeSet<&str> = judged.iter().filter_map(|(miss, _)| *miss).collect();
        let reason =
            ORDER.into_iter().find(|reason| misses.contains(reason)).unwrap_or("NO_APPROVAL");
        let status = if ORDER[..2].contains(&reason) { "unknown" } else { "fail" };
        answer(status, reason, &flags)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_votes_are_judged_as_a_plain_replay_does() {
    let mut random = Random::new();
    let histories: Vec<History> = (0..1_500).map(|_| history(&mut random)).collect();
    let mut rows = Rows::new();
    rows.repository("r1", "p1");
    for (identity, mail, descriptor) in [ANN, TWIN, BEN, CAT, GUS, BOT] {
        let meta_type = if identity == GUS.0 { "guest" } else { "member" };
        let own = [
            ("identity_id", identity),
            ("mail_address", mail),
            ("descriptor", descriptor),
            ("meta_type", meta_type),
        ];
        rows.add("users", &own);
    }
    for (number, history) in (1..).zip(&histories) {
        history.write(number, &mut rows);
    }
    let answers = rows.ask("pull_request_approved").await;
    compare(&answers, &histories, History::verdict);
}
