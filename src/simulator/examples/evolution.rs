//! What the clock brings: entries that are open at the start of the simulation and change in the week after it.

use super::Who::{Author, Reviewer};
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
    let unapproved = |name: &'static str| case(name).unapproved().fails(APPROVED, "NO_APPROVAL");
    let cases = vec![
        case("merged-tomorrow"),
        case("opened-tomorrow").merged(later).opened(-day),
        case("abandoned-tomorrow").abandoned().out(),
        case("reopened-tomorrow").merged(later).pause(-4_000, -day),
        // The list showed the approval while the pull request was open.
        case("approved-while-open")
            .unapproved()
            .silent_vote(-2 * day, Reviewer, 10)
            .flags(APPROVED, ""),
        case("approved-while-open-then-pushed")
            .merged(later)
            .unapproved()
            .silent_vote(-3 * day, Reviewer, 10)
            .push(-400, Author)
            .flags(APPROVED, "VOTE_TIME_UNPROVEN")
            .strictly(APPROVED, "unknown", "VOTE_TIME_UNPROVEN"),
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
        unapproved("emergency-seen-open").label(-2 * day, "emergency").exempt_by_label(true, ""),
        // Seen before and after the merge, gone later.
        unapproved("emergency-removed-later")
            .label(-2 * day, "emergency")
            .unlabel(day + day / 2, "emergency")
            .exempt_by_label(true, ""),
        // Gone in an answer in which the pull request was still active.
        unapproved("emergency-removed-open")
            .merged(later)
            .label(-4 * day, "emergency")
            .unlabel(-day - day / 2, "emergency"),
        // Gone between the last such answer and the first one after the merge.
        unapproved("emergency-removed-around")
            .merged(later)
            .label(-4 * day, "emergency")
            .unlabel(-day / 4, "emergency")
            .exempt_by_label(true, "LABEL_TIME_UNPROVEN"),
        unapproved("emergency-put-on-late")
            .label(day, "emergency")
            .settled(day)
            .exempt_by_label(false, "LABEL_TIME_UNPROVEN"),
        unapproved("emergency-put-on-and-off-late")
            .label(day / 2, "emergency")
            .unlabel(day + day / 2, "emergency")
            .settled(2 * day),
        case("stage-rerun-later")
            .run(Pipe::Scan, |run| run.at(-5).again(day / 2, "failed"))
            .settled(day)
            .flags(SAST, "RERUN_AFTER_MERGE"),
        // What a caller deletes later was there at the merge.
        case("status-deleted-later")
            .status(-100, "snyk/open-source", "succeeded", Some(1))
            .unpost(day / 2, "snyk/open-source"),
        case("status-fails-later").status(day / 2, "snyk/open-source", "failed", Some(1)).status(
            -100,
            "snyk/open-source",
            "succeeded",
            Some(1),
        ),
        case("reviewer-removed-later")
            .remove(day / 2, Reviewer)
            .settled(day)
            .flags(APPROVED, "REVIEWER_REMOVED")
            .strictly(APPROVED, "fail", "REVIEWER_REMOVED"),
    ];
    for case in cases {
        book.add(case);
    }
    // Repositories that somebody hides for a day, and deletes: what landed stays as it was judged.
    let (from, to) = (start.plus(DAY + DAY / 2), start.plus(2 * DAY + DAY / 2));
    let index = book.group("hidden-later", &[]);
    book.world.repositories[index].hidden = Some((from, to));
    book.add(book.case("repository-hidden-later"));
    let index = book.group("deleted-later", &[]);
    book.world.repositories[index].deleted = Some(from);
    book.add(book.case("repository-deleted-later"));
}
