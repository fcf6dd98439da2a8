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
    // What standard accepts with a flag, strict does not, or asks proof of.
    let lax = |case: Case, flag: &'static str| {
        case.flags(APPROVED, flag).strictly(APPROVED, "fail", flag)
    };
    let doubtful = |case: Case, flag: &'static str| {
        case.flags(APPROVED, flag).strictly(APPROVED, "unknown", flag)
    };
    let cases = vec![
        case("approved").vote(-60, Reviewer, 10),
        case("approved-with-suggestions").vote(-60, Reviewer, 5),
        no(case("not-approved"), "NO_APPROVAL"),
        no(case("self-approved").vote(-60, Author, 10), "SELF_APPROVED"),
        no(case("approved-by-same-mail").vote(-60, Twin, 10), "SELF_APPROVED"),
        no(case("waiting").vote(-60, Reviewer, -5), "NO_APPROVAL"),
        no(case("rejected").vote(-60, Reviewer, -10), "NO_APPROVAL"),
        case("approved-beside-rejection")
            .vote(-60, Reviewer, 10)
            .vote(-50, Other, -10)
            .flags(APPROVED, "DOWNVOTE_AT_MERGE"),
        no(case("group-through-author").team_vote(-60, Author, 10), "SELF_APPROVED"),
        case("group-through-member").team_vote(-60, Reviewer, 10),
        no(case("group-alone").vote(-60, Team, 10), "NO_APPROVAL"),
        no(case("approved-by-build-service").vote(-60, Robot, 10), "NON_HUMAN_APPROVER"),
        no(case("approved-by-application").vote(-60, App, 10), "NON_HUMAN_APPROVER"),
        no(case("approved-by-listed-service").vote(-60, Listed, 10), "NON_HUMAN_APPROVER"),
        doubtful(case("approved-by-unknown-identity").vote(-60, Bare, 10), "IDENTITY_UNPROVEN"),
        case("bot-opened-human-approved").author(App).vote(-60, Reviewer, 10),
        no(case("bot-opened-bot-approved").author(App).vote(-60, Robot, 10), "NON_HUMAN_APPROVER"),
        case("approved-by-leaver").vote(-60, Gone, 10),
        case("approved-by-guest").vote(-60, Guest, 10).flags(APPROVED, "GUEST_APPROVER"),
        no(case("declined").decline(-60, Reviewer), "NO_APPROVAL"),
        case("approved-at-the-same-instant").vote(0, Reviewer, 10),
        no(case("approved-late").vote(60, Reviewer, 10), "LATE_APPROVAL"),
        doubtful(
            case("approved-without-thread").silent_vote(-60, Reviewer, 10),
            "VOTE_TIME_UNPROVEN",
        ),
        doubtful(
            case("approved-before-reset-without-thread")
                .silent_vote(-600, Reviewer, 10)
                .vote(-590, Other, 10)
                .reset(-299, Other),
            "VOTE_TIME_UNPROVEN",
        ),
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
        lax(
            case("reviewer-removed").vote(-600, Reviewer, 10).remove(-60, Reviewer),
            "REVIEWER_REMOVED",
        ),
        lax(case("stale-approval").vote(-600, Reviewer, 10).push(-300, Author), "STALE_APPROVAL"),
        case("stale-beside-fresh-approval")
            .vote(-600, Reviewer, 10)
            .push(-300, Author)
            .vote(-60, Other, 10)
            .flags(APPROVED, ""),
        lax(
            case("approver-pushed").push(-1_000, Reviewer).vote(-60, Reviewer, 10),
            "APPROVER_CONTRIBUTED",
        ),
        lax(
            case("approver-wrote-a-commit").push_of(-1_000, Reviewer).vote(-60, Reviewer, 10),
            "APPROVER_CONTRIBUTED",
        ),
        lax(
            case("retargeted-after-approval")
                .into("develop")
                .vote(-600, Reviewer, 10)
                .retarget(-300, "main"),
            "RETARGETED_AFTER_APPROVAL",
        ),
        case("retargeted-then-approved")
            .into("develop")
            .retarget(-600, "main")
            .vote(-300, Reviewer, 10),
        case("bypassed-but-approved")
            .vote(-60, Reviewer, 10)
            .bypassed()
            .flags(APPROVED, "POLICY_BYPASSED"),
        no(case("bypassed").bypassed(), "NO_APPROVAL").flags(APPROVED, "POLICY_BYPASSED"),
    ];
    for case in cases {
        book.add(case);
    }
}
