//! Which pull requests are judged at all (checks.md, section A).

use super::Expected;
use super::book::Book;
use super::check::{APPROVED, DEPENDENCIES, POLICY, REVIEWED, SAST, TESTS};
use super::day;
use crate::simulator::config::start_date;
use crate::simulator::time::{DAY, SECOND};

/// Adds them.
pub(super) fn add(book: &mut Book<'_>) {
    let start = book.world.start;
    let midnight = start_date(start);
    book.group("population", &["develop", "release/1.0", "release/a/b"]);
    book.fork("population-fork");
    book.add(book.case("merged"));
    book.add(book.case("abandoned").abandoned().out());
    book.add(book.case("active").open().out());
    book.add(book.case("draft").open().draft().out());
    book.add(book.case("into-develop").into("develop").out());
    book.add(book.case("into-release").into("release/1.0"));
    book.add(book.case("into-nested-release").into("release/a/b").out());
    book.add(book.case("reopened").pause(-2_000, -1_500));
    book.add(book.case("from-fork").forked());
    let external = book.case("merged-externally").external();
    let external = external.flags(APPROVED, "MERGED_EXTERNALLY").flags(SAST, "MERGED_EXTERNALLY");
    book.add(external.strictly(APPROVED, "fail", "MERGED_EXTERNALLY"));
    // The start date of the config file is this midnight.
    let expired = |case: super::case::Case| {
        case.expect(SAST, "unknown", "EVIDENCE_EXPIRED").expect(
            TESTS,
            "unknown",
            "EVIDENCE_EXPIRED",
        )
    };
    book.add(expired(book.case("merged-at-start-date").merged(midnight)));
    book.add(book.case("merged-before-start-date").merged(midnight.plus(-1)).out());
    book.add(
        book.case("opened-before-start-date")
            .opened(-390 * 1_440)
            .merged(start.plus(-3 * DAY - SECOND))
            .expect(SAST, "unknown", "EVIDENCE_EXPIRED")
            .expect(TESTS, "unknown", "EVIDENCE_EXPIRED"),
    );

    let unfit = "NO_APPROVAL";
    book.add(
        book.case("emergency")
            .unapproved()
            .label(-100, "emergency")
            .fails(APPROVED, unfit)
            .exempt_by_label(false, "LABEL_TIME_UNPROVEN"),
    );
    book.add(
        book.case("emergency-any-case")
            .unapproved()
            .label(-100, " Emergency ")
            .fails(APPROVED, unfit)
            .exempt_by_label(false, "LABEL_TIME_UNPROVEN"),
    );
    book.add(
        book.case("emergency-inactive")
            .unapproved()
            .inactive_label(-100, "emergency")
            .fails(APPROVED, unfit),
    );
    book.add(
        book.case("emergency-removed")
            .unapproved()
            .label(-100, "emergency")
            .unlabel(-50, "emergency")
            .fails(APPROVED, unfit),
    );
    book.add(
        book.case("other-label").unapproved().label(-100, "emergency-drill").fails(APPROVED, unfit),
    );

    except(book, 400, "hotfix, approved on the phone");
    book.add(book.case("exception").unapproved().all("exempt", "EXCEPTION"));
    except(book, -30, "expired before the merge");
    let expired = book.case("exception-expired").unapproved().fails(APPROVED, unfit);
    book.add(expired.flags(APPROVED, "EXCEPTION_EXPIRED").flags(SAST, "EXCEPTION_EXPIRED"));

    let index = book.group("out-of-scope", &[]);
    book.settings("in-scope = false");
    book.add(book.case("out-of-scope").unapproved().out());
    book.expect_branch("out-of-scope-branch", index, None, (POLICY, "none", ""));

    let index = book.group("no-branches", &[]);
    book.settings("production-branches = []");
    book.add(book.case("no-production-branch").out());
    for (name, check) in [
        ("no-branches-policy", POLICY),
        ("no-branches-approved", APPROVED),
        ("no-branches-sast", SAST),
        ("no-branches-tests", TESTS),
        ("no-branches-dependencies", DEPENDENCIES),
    ] {
        book.expect_branch(name, index, None, (check, "fail", "NOT_CONFIGURED"));
    }

    let index = book.group("disabled", &[]);
    book.world.repositories[index].disabled = Some(start.plus(-100 * DAY));
    book.expect_branch(
        "repository-disabled",
        index,
        None,
        (POLICY, "not_applicable", "REPOSITORY_GONE"),
    );
    let index = book.group("disabled-later", &[]);
    book.world.repositories[index].disabled = Some(start.plus(DAY + DAY / 2));
    book.add(book.case("merged-before-disabled"));
    let gone = Expected::new(POLICY, "not_applicable", "REPOSITORY_GONE");
    book.expect_branch_from(2, "repository-disabled-later", index, Some("main"), gone);
    let landed = Expected::new(REVIEWED, "pass", "ALL_CHANGES_REVIEWED");
    book.expect_branch_from(2, "pushed-before-disabled", index, Some("main"), landed);

    let index = book.group("branch-gone", &[]);
    let branch = book.branch("release/gone");
    book.world.repositories[index].branches[branch].deleted = Some(start.plus(-DAY));
    book.add(book.case("merged-into-deleted-branch").into("release/gone"));
    for (name, check) in [("branch-gone-policy", POLICY), ("branch-gone-pushes", REVIEWED)] {
        book.expect_branch(name, index, Some("release/gone"), (check, "none", ""));
    }

    let index = book.group("empty", &[]);
    let repository = &mut book.world.repositories[index];
    (repository.default, repository.branches) = (None, Vec::new());
    book.expect_branch(
        "repository-empty",
        index,
        None,
        (POLICY, "not_applicable", "EMPTY_REPOSITORY"),
    );
}

/// Registers an exception for the next entry.
fn except(book: &mut Book<'_>, days: i64, reason: &str) {
    let (organization, number, expires) =
        (&book.world.organization, book.next_number(), day(book.world, days));
    let text = format!(
        "[[exception]]\nmatch = \"{organization}/examples/population!{number}\"\nreason = \"{reason}\"\n\
         approved-by = \"cto@{organization}.example\"\nexpires = {expires}\n"
    );
    book.config(&text);
}
