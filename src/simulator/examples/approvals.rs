//! Who approved (checks.md, section C).

use super::Who::{App, Author, Bare, Gone, Guest, Listed, Other, Reviewer, Robot, Team, Twin};
use super::book::Book;
use super::case::Case;
use super::check::APPROVED;

/// Adds them.
pub(super) fn add(book: &mut Book<'_>) {
    book.group("approvals", &["develop"]);
    book.settings("service-identities = [\"svc-*@examples.example\"]");
    let case = |name: &'static str| book.case(name).unapproved();
    let no = |case: Case, reason: &'static str| case.fails(APPROVED, reason);
    let cases = vec![
        case("approved").vote(-60, Reviewer, 10),
        case("approved-with-suggestions").vote(-60, Reviewer, 5),
        no(case("not-approved"), "NO_APPROVAL"),
        no(case("self-approved").vote(-60, Author, 10), "SELF_APPROVED"),
        no(case("approved-by-same-mail").vote(-60, Twin, 10), "SELF_APPROVED"),
        no(case("waiting").vote(-60, Reviewer, -5), "NO_APPROVAL"),
        no(case("rejected").vote(-60, Reviewer, -10), "NO_APPROVAL"),
        case("approved-beside-rejection").vote(-60, Reviewer, 10).vote(-50, Other, -10),
        no(case("group-through-author").team_vote(-60, Author, 10), "SELF_APPROVED"),
        case("group-through-member").team_vote(-60, Reviewer, 10),
        no(case("group-alone").vote(-60, Team, 10), "NO_APPROVAL"),
        no(case("approved-by-build-service").vote(-60, Robot, 10), "NON_HUMAN_APPROVER"),
        no(case("approved-by-application").vote(-60, App, 10), "NON_HUMAN_APPROVER"),
        no(case("approved-by-listed-service").vote(-60, Listed, 10), "NON_HUMAN_APPROVER"),
        case("approved-by-unknown-identity").vote(-60, Bare, 10),
        case("bot-opened-human-approved").author(App).vote(-60, Reviewer, 10),
        no(case("bot-opened-bot-approved").author(App).vote(-60, Robot, 10), "NON_HUMAN_APPROVER"),
        case("approved-by-leaver").vote(-60, Gone, 10),
        case("approved-by-guest").vote(-60, Guest, 10),
        no(case("declined").decline(-60, Reviewer), "NO_APPROVAL"),
        case("approved-at-the-same-instant").vote(0, Reviewer, 10),
        no(case("approved-late").vote(60, Reviewer, 10), "LATE_APPROVAL"),
        case("approved-without-thread").silent_vote(-60, Reviewer, 10),
        no(
            case("reset-by-push").vote(-600, Reviewer, 10).push(-300, Author).reset(-299, Reviewer),
            "APPROVAL_RESET",
        ),
        no(
            case("all-reset-by-push").vote(-600, Reviewer, 10).push(-300, Author).reset_all(-299),
            "APPROVAL_RESET",
        ),
        no(
            case("approval-taken-back").vote(-600, Reviewer, 10).vote(-100, Reviewer, 0),
            "APPROVAL_RESET",
        ),
        no(
            case("reset-without-thread").vote(-600, Reviewer, 10).silent_reset(-299, Reviewer),
            "APPROVAL_RESET",
        ),
        case("approved-again-after-reset")
            .vote(-600, Reviewer, 10)
            .push(-300, Author)
            .reset_all(-299)
            .vote(-60, Reviewer, 10),
        case("reset-of-another").vote(-600, Other, 10).vote(-590, Reviewer, 10).reset(-299, Other),
        no(
            case("approved-then-rejected").vote(-600, Reviewer, 10).vote(-60, Reviewer, -10),
            "NO_APPROVAL",
        ),
        case("rejected-then-approved").vote(-600, Reviewer, -10).vote(-60, Reviewer, 10),
        case("reviewer-removed").vote(-600, Reviewer, 10).remove(-60, Reviewer),
        case("stale-approval").vote(-600, Reviewer, 10).push(-300, Author),
        case("approver-pushed").push(-1_000, Reviewer).vote(-60, Reviewer, 10),
        case("retargeted-after-approval")
            .into("develop")
            .vote(-600, Reviewer, 10)
            .retarget(-300, "main"),
        case("retargeted-then-approved")
            .into("develop")
            .retarget(-600, "main")
            .vote(-300, Reviewer, 10),
        case("bypassed-but-approved").vote(-60, Reviewer, 10).bypassed(),
        no(case("bypassed").bypassed(), "NO_APPROVAL"),
    ];
    for case in cases {
        book.add(case);
    }
}
