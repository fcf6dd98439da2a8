//! What the clock brings: entries that are open at the start of the simulation and change in the week after it.

use super::Who::Reviewer;
use super::book::Book;
use super::case::Pipe;
use super::check::{APPROVED, SAST};
use crate::simulator::time::DAY;

/// Adds them. Minutes count from the merge, which is a day or two after the start.
pub(super) fn add(book: &mut Book<'_>) {
    book.group("evolution", &[]);
    let start = book.world.start;
    let (tomorrow, later) = (start.plus(DAY), start.plus(2 * DAY));
    let case = |name: &'static str| book.case(name).merged(tomorrow);
    let day = 1_440;
    let cases = vec![
        case("merged-tomorrow"),
        case("opened-tomorrow").merged(later).opened(-day),
        case("abandoned-tomorrow").abandoned().out(),
        case("reopened-tomorrow").merged(later).pause(-4_000, -day),
        // The list showed the approval while the pull request was open.
        case("approved-while-open").unapproved().silent_vote(-2 * day, Reviewer, 10),
        case("approved-after-tomorrow")
            .unapproved()
            .vote(day, Reviewer, 10)
            .settled(day)
            .fails(APPROVED, "LATE_APPROVAL"),
        case("run-finishes-tomorrow").run(Pipe::Scan, |run| run.at(-5)),
        case("run-fails-tomorrow")
            .run(Pipe::Scan, |run| run.result("failed").at(-5))
            .fails(SAST, "RUN_FAILED"),
        case("run-deleted-later").run(Pipe::Scan, |run| run.at(-2 * day).deleted(3 * day)),
        case("emergency-seen-open")
            .unapproved()
            .label(-2 * day, "emergency")
            .all("exempt", "EMERGENCY_LABEL"),
        case("emergency-removed-later")
            .unapproved()
            .label(-2 * day, "emergency")
            .unlabel(10 * day, "emergency")
            .all("exempt", "EMERGENCY_LABEL"),
        case("emergency-put-on-late")
            .unapproved()
            .label(day, "emergency")
            .settled(day)
            .all("exempt", "EMERGENCY_LABEL"),
    ];
    for case in cases {
        book.add(case);
    }
}
