//! Named examples: pull requests, branches and pushes whose verdicts are known beforehand.
//!
//! They live in the project `examples`, one repository per group; each case of checks.md is one entry in a file below
//! `examples/`. An entry begins as a flawless pull request, and says only what is different about it:
//!
//! ```text
//! book.add(book.case("late-approval").unapproved().vote(60, Reviewer, 10).fails(APPROVED, "LATE_APPROVAL"));
//! ```
//!
//! Times are minutes, counted from the merge. Entries that merge after the start show what the clock brings.

mod approvals;
mod book;
mod branches;
mod case;
mod evolution;
mod population;
mod runs;
mod statuses;

use chrono::{DateTime, Utc};

use super::people::Kind;
use super::time::{DAY, Time};
use super::world::{PushEntry, PushKind, World};
use book::Book;

/// The id of a check.
pub(crate) mod check {
    pub(crate) const POLICY: &str = "branch_policy_requires_approval";
    pub(crate) const APPROVED: &str = "pull_request_approved";
    pub(crate) const SAST: &str = "pull_request_sast_passed";
    pub(crate) const TESTS: &str = "pull_request_integration_tests_passed";
    pub(crate) const DEPENDENCIES: &str = "pull_request_dependency_check_passed";
    pub(crate) const REVIEWED: &str = "change_has_pull_request";
}

/// What a check should answer about an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Id of the check.
    pub check: &'static str,
    /// `pass`, `fail`, `exempt`, `not_applicable` or `unknown`; `none` where there is no row.
    pub status: &'static str,
    /// The reason code; empty where there is no row.
    pub reason: &'static str,
    /// The flags, where the example is about them.
    pub flags: Option<&'static str>,
    /// Status and reason code under profile `strict`, where they are others.
    pub strict: Option<(&'static str, &'static str)>,
}

impl Expected {
    pub(crate) const fn new(
        check: &'static str,
        status: &'static str,
        reason: &'static str,
    ) -> Self {
        Expected { check, status, reason, flags: None, strict: None }
    }
}

/// A named example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Its name, unique among all.
    pub name: &'static str,
    /// The project it is in.
    pub project: String,
    /// The repository it is in; the first part of what groups them.
    pub repository: String,
    /// Number of the pull request, for those that are about one.
    pub pull_request: Option<u32>,
    /// Short name of the branch, for those that are about one.
    pub branch: Option<String>,
    /// From when on the verdicts hold: after a sync at or after this instant.
    pub settled_at: DateTime<Utc>,
    /// The verdicts after one sync that first saw everything at the start of the simulation and, where `settled_at` is
    /// later, further ones.
    pub expected: Vec<Expected>,
}

/// People who act in the examples, in the order in which they are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Author,
    Reviewer,
    Other,
    Guest,
    /// Left the company.
    Gone,
    /// Shown with neither descriptor nor unique name.
    Bare,
    /// A build service.
    Robot,
    /// A service principal.
    App,
    /// A group.
    Team,
    /// Another identity with the author's mail address.
    Twin,
    /// A person by kind, a machine by the setting `service-identities`.
    Listed,
}

const CAST: [(Kind, &str, &str); 11] = [
    (Kind::Member, "Ada Author", "ada.author@examples.example"),
    (Kind::Member, "Rita Reviewer", "rita.reviewer@examples.example"),
    (Kind::Member, "Otto Other", "otto.other@examples.example"),
    (Kind::Guest, "Gia Guest", "gia@guests.example"),
    (Kind::Gone, "Gil Gone", "gil.gone@examples.example"),
    (Kind::Bare, "Nobody Known", ""),
    (Kind::BuildService, "examples Robot", ""),
    (Kind::ServicePrincipal, "approve-o-matic", ""),
    (
        Kind::Group,
        "[examples]\\Everybody",
        "vstfs:///Classification/TeamProject/examples/Everybody",
    ),
    (Kind::Member, "A. Author", "ADA.AUTHOR@examples.example"),
    (Kind::Member, "merge-helper", "svc-merge@examples.example"),
];

/// What the world keeps of the examples.
#[derive(Default)]
pub(crate) struct Examples {
    /// All of them.
    pub(crate) list: Vec<Example>,
    /// Overrides and exceptions for the config file, as TOML.
    pub(crate) config: String,
    /// Pushes to branches: repository, branch, ticks from the start, kind, and the pull request they belong to.
    pushes: Vec<(usize, usize, Time, PushKind, Option<u32>)>,
    /// Numbers of pushed commits and the position of the pull request they belong to.
    pub(crate) explained: Vec<(u32, u32)>,
}

/// Adds the examples to the organization.
pub(crate) fn add(world: &mut World) {
    let cast = world.people.all.len();
    for (kind, name, unique_name) in CAST {
        world.people.add(kind, name, unique_name);
    }
    let mut book = Book::new(world, cast);
    population::add(&mut book);
    approvals::add(&mut book);
    runs::add(&mut book);
    statuses::add(&mut book);
    branches::add(&mut book);
    evolution::add(&mut book);
    let examples = book.finish();
    world.examples = examples;
}

/// Adds the pushes that examples are about.
pub(crate) fn add_pushes(world: &mut World, pushes: &mut [Vec<Vec<PushEntry>>], number: &mut u32) {
    let by = u32::try_from(world.people.authors[0]).unwrap_or(0);
    for (repository, branch, at, kind, pull) in std::mem::take(&mut world.examples.pushes) {
        *number += 1;
        if let Some(position) = pull {
            world.examples.explained.push((*number, position));
        }
        pushes[repository][branch].push(PushEntry { at, kind, number: *number, by });
    }
}

/// The day, as the config file writes it, that many days after the start.
fn day(world: &World, days: i64) -> String {
    world.start.plus(days * DAY).to_utc().format("%Y-%m-%d").to_string()
}
