//! Random votes on pull requests, and the rows that tell of them.

use std::collections::BTreeSet;

use super::super::random::Random;
use super::super::{Rows, minute};
use super::{ANN, CLOSED, Event, History, Listed, PEOPLE, Person};

pub(super) fn history(random: &mut Random) -> History {
    let votes = [10, 10, 10, 5, 0, -5, -10];
    let cast: Vec<Person> = (0..random.between(1, 3)).map(|_| random.one(&PEOPLE)).collect();
    let mut minutes = BTreeSet::new();
    for _ in 0..random.between(0, 7) {
        minutes.insert(random.between(10, 1_150));
    }
    if random.percent(10) {
        minutes.insert(CLOSED);
    }
    let mut events = Vec::new();
    for at in minutes {
        let who = random.one(&cast);
        let event = match random.between(1, 20) {
            1..=11 => Event::Vote(who, random.one(&votes)),
            12 => Event::ResetAll,
            13 => Event::Reset(vec![who]),
            14 => Event::Reset(vec![random.one(&PEOPLE)]),
            15 => Event::Reset(Vec::new()),
            // Nothing is pushed to what is closed.
            16 if at < CLOSED => Event::Retarget,
            17 if at < CLOSED => Event::Push(who, who),
            18 if at < CLOSED => Event::Push(ANN, who),
            _ if at < CLOSED => Event::Push(ANN, ANN),
            _ => Event::Vote(who, 10),
        };
        events.push((at, event));
    }
    let mut listed: Vec<Listed> = Vec::new();
    for who in cast {
        if random.percent(10) || listed.iter().any(|row| row.who == who) {
            continue;
        }
        let mut now = 0;
        for (_, event) in &events {
            match event {
                Event::Vote(voter, vote) if *voter == who => now = *vote,
                Event::ResetAll => now = 0,
                Event::Reset(named) if named.contains(&who) => now = 0,
                _ => {}
            }
        }
        let vote = if random.percent(70) { now } else { random.one(&votes) };
        let seen = if random.percent(70) { vote } else { random.one(&votes) };
        let seen_at = random.between(1, CLOSED - 1);
        listed.push(Listed {
            who,
            vote,
            has_declined: random.percent(5),
            is_removed: random.percent(10),
            while_open: random.percent(50).then_some((seen, seen_at)),
        });
    }
    History {
        events,
        listed,
        group_vote: random.percent(15).then(|| random.one(&votes)),
        is_read: random.percent(97),
        is_bypassed: random.percent(5),
        is_external: random.percent(5),
    }
}

impl History {
    pub(super) fn write(&self, number: i64, rows: &mut Rows) {
        let number = number.to_string();
        let number = number.as_str();
        let (at, read_at) = (minute(CLOSED), minute(3_000));
        rows.add(
            "pull_requests",
            &[
                ("repository_id", "r1"),
                ("project_id", "p1"),
                ("pull_request_id", number),
                ("title", "Random"),
                ("status", "completed"),
                ("author_id", ANN.0),
                ("author_unique_name", ANN.1),
                ("author_descriptor", ANN.2),
                ("source_ref", "refs/heads/topic"),
                ("target_ref", "refs/heads/main"),
                ("created_at", &minute(0)),
                ("closed_at", &at),
                ("completion_thread_at", if self.is_external { "" } else { &at }),
                ("bypass_policy", if self.is_bypassed { "true" } else { "" }),
                ("threads_read_at", if self.is_read { &read_at } else { "" }),
                ("iterations_read_at", &read_at),
            ],
        );
        let of = [("repository_id", "r1"), ("pull_request_id", number)];
        let first = (0, Event::Push(ANN, ANN));
        let mut iteration = 0;
        for (thread, (at, event)) in std::iter::once(&first).chain(&self.events).enumerate() {
            let (thread, at) = (thread.to_string(), minute(*at));
            let mut event_row = |kind: &str, vote: &str, who: Person| {
                let own = [
                    ("thread_id", thread.as_str()),
                    ("kind", kind),
                    ("vote", vote),
                    ("at", &at),
                    ("voter_id", who.0),
                    ("voter_unique_name", who.1),
                    ("voter_descriptor", who.2),
                ];
                rows.add("pull_request_votes", &[&of[..], &own[..]].concat());
            };
            match event {
                Event::Vote(who, vote) => event_row("vote", &vote.to_string(), *who),
                Event::ResetAll => event_row("reset", "", ("*", "", "")),
                Event::Reset(named) if named.is_empty() => event_row("reset", "", ("", "", "")),
                Event::Reset(named) => named.iter().for_each(|who| event_row("reset", "", *who)),
                Event::Push(..) | Event::Retarget => {
                    iteration += 1;
                    let (by, author) = match event {
                        Event::Push(by, author) => (*by, *author),
                        _ => (ANN, ANN),
                    };
                    let reason = if *event == Event::Retarget { "retarget" } else { "push" };
                    let own = [
                        ("iteration_id", &*iteration.to_string()),
                        ("at", &at),
                        ("reason", reason),
                        ("pushed_by_id", by.0),
                        ("pushed_by_unique_name", by.1),
                    ];
                    rows.add("pull_request_iterations", &[&of[..], &own[..]].concat());
                    if *event != Event::Retarget {
                        let own = [("commit_id", thread.as_str()), ("author_mail", author.1)];
                        rows.add("pull_request_commits", &[&of[..], &own[..]].concat());
                    }
                }
            }
        }
        for row in &self.listed {
            let (seen, seen_at) =
                row.while_open.map_or((String::new(), String::new()), |(vote, at)| {
                    (vote.to_string(), minute(at))
                });
            let own = [
                ("reviewer_id", row.who.0),
                ("unique_name", row.who.1),
                ("vote", &*row.vote.to_string()),
                ("has_declined", if row.has_declined { "true" } else { "false" }),
                ("removed_at", if row.is_removed { &read_at } else { "" }),
                ("vote_while_open", &seen),
                ("vote_while_open_at", &seen_at),
            ];
            rows.add("pull_request_reviewers", &[&of[..], &own[..]].concat());
        }
        if let Some(vote) = self.group_vote {
            let vote = vote.to_string();
            let own = [("reviewer_id", "team"), ("is_group", "true"), ("vote", vote.as_str())];
            rows.add("pull_request_reviewers", &[&of[..], &own[..]].concat());
        }
    }
}
