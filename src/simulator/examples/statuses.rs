//! Which statuses are evidence (checks.md, section D, the rows about statuses).

use super::Who::{Author, Reviewer};
use super::book::Book;
use super::case::Case;
use super::check::DEPENDENCIES;

const SNYK: &str = "snyk/open-source";

/// Adds them.
pub(super) fn add(book: &mut Book<'_>) {
    book.group("statuses", &[]);
    let bare = |name: &'static str| book.case(name).without_status();
    let one = |name: &'static str, state: &'static str| {
        book.case(name).status(-100, SNYK, state, Some(1))
    };
    let pushed = |name: &'static str| bare(name).push(-600, Author).vote(-30, Reviewer, 10);
    let no = |case: Case, reason: &'static str| case.fails(DEPENDENCIES, reason);
    let cases = vec![
        one("status-succeeded", "succeeded"),
        no(one("status-failed", "failed"), "STATUS_FAILED"),
        no(one("status-error", "error"), "STATUS_FAILED"),
        no(one("status-pending", "pending"), "STATUS_PENDING"),
        no(one("status-not-set", "notSet"), "STATUS_PENDING"),
        one("status-not-applicable", "notApplicable").expect(
            DEPENDENCIES,
            "not_applicable",
            "STATUS_NOT_APPLICABLE",
        ),
        no(bare("status-missing"), "NOT_RUN"),
        no(
            bare("status-of-another-genre").status(-100, "sonar/open-source", "succeeded", Some(1)),
            "NOT_RUN",
        ),
        bare("status-posted-again").status(-200, SNYK, "failed", Some(1)).status(
            -100,
            SNYK,
            "succeeded",
            Some(1),
        ),
        no(
            bare("status-failed-later").status(-200, SNYK, "succeeded", Some(1)).status(
                -100,
                SNYK,
                "failed",
                Some(1),
            ),
            "STATUS_FAILED",
        ),
        bare("status-failed-after-merge").status(-100, SNYK, "succeeded", Some(1)).status(
            60,
            SNYK,
            "failed",
            Some(1),
        ),
        no(
            pushed("status-on-older-code").status(-1_000, SNYK, "succeeded", Some(1)),
            "STALE_STATUS",
        ),
        pushed("status-on-final-code").status(-1_000, SNYK, "failed", Some(1)).status(
            -100,
            SNYK,
            "succeeded",
            Some(2),
        ),
        pushed("unbound-status-after-push").status(-100, SNYK, "succeeded", None),
        no(
            pushed("unbound-status-before-push").status(-1_000, SNYK, "succeeded", None),
            "STALE_STATUS",
        ),
        no(bare("status-after-merge").status(60, SNYK, "succeeded", Some(1)), "STATUS_AFTER_MERGE"),
    ];
    for case in cases {
        book.add(case);
    }
    book.group("genreless", &[]);
    book.settings("dependency-checks = [\"status:audit\"]");
    book.add(book.case("status-without-genre").status(-100, "audit", "succeeded", None));
    book.group("genreless-slash", &[]);
    book.settings("dependency-checks = [\"status:/audit\"]");
    book.add(book.case("status-without-genre-slash").status(-100, "audit", "succeeded", None));
}
