//! Which runs are evidence (checks.md, section D, the rows about pipelines and jobs).

use super::Who::{Author, Reviewer};
use super::book::Book;
use super::case::{Case, Pipe, RunSpec};
use super::check::{DEPENDENCIES, SAST, TESTS};
use crate::simulator::time::DAY;

/// Adds them.
pub(super) fn add(book: &mut Book<'_>) {
    plain(book);
    selectors(book);
    jobs(book);
    paths(book);
    evaluations(book);
}

fn no(case: Case, reason: &'static str) -> Case {
    case.fails(SAST, reason)
}

/// What standard accepts with flags, and strict does not.
fn no_strictly(case: Case, flags: &'static str) -> Case {
    case.flags(SAST, flags).strictly(SAST, "fail", "NOT_RUN")
}

fn plain(book: &mut Book<'_>) {
    book.group("runs", &[]);
    book.fork("runs-fork");
    let scan = |name: &'static str| book.case(name).without(Pipe::Scan);
    let long_ago = book.world.start.plus(-200 * DAY);
    let cases = vec![
        scan("run-succeeded").run(Pipe::Scan, |run| run),
        no(scan("run-failed").run(Pipe::Scan, |run| run.result("failed")), "RUN_FAILED"),
        no(scan("run-canceled").run(Pipe::Scan, |run| run.result("canceled")), "RUN_CANCELED"),
        no(
            scan("run-partially-succeeded").run(Pipe::Scan, |run| run.result("partiallySucceeded")),
            "RUN_PARTIALLY_SUCCEEDED",
        ),
        no(scan("not-run"), "NOT_RUN"),
        no(scan("other-pipeline-run").run(Pipe::Lint, |run| run), "NOT_RUN"),
        no(
            scan("run-on-older-commit")
                .push(-600, Author)
                .vote(-30, Reviewer, 10)
                .run(Pipe::Scan, |run| run.of(1).at(-1_000)),
            "STALE_RUN",
        ),
        scan("rerun-succeeded")
            .run(Pipe::Scan, |run| run.result("failed").at(-200))
            .run(Pipe::Scan, |run| run.at(-100))
            .flags(SAST, "RERUN"),
        no(
            scan("rerun-failed")
                .run(Pipe::Scan, |run| run.at(-200))
                .run(Pipe::Scan, |run| run.result("failed").at(-100)),
            "RUN_FAILED",
        ),
        no(
            scan("rerun-after-merge")
                .run(Pipe::Scan, |run| run.result("failed").at(-100))
                .run(Pipe::Scan, |run| run.at(60)),
            "RUN_FAILED",
        ),
        no(scan("run-after-merge").run(Pipe::Scan, |run| run.at(30)), "RUN_AFTER_MERGE"),
        no(scan("run-ended-after-merge").run(Pipe::Scan, |run| run.at(5)), "RUN_AFTER_MERGE"),
        no(scan("run-not-finished").run(Pipe::Scan, RunSpec::never_ends), "RUN_NOT_FINISHED"),
        scan("run-ended-at-merge").run(Pipe::Scan, |run| run.at(0)),
        no_strictly(scan("manual-run").run(Pipe::Scan, |run| run.because("manual")), "NON_PR_RUN"),
        no_strictly(
            scan("run-on-source-branch").run(Pipe::Scan, RunSpec::on_source),
            "LINKED_BY_BRANCH,NON_PR_RUN",
        ),
        no(
            scan("run-on-older-source")
                .push(-600, Author)
                .vote(-30, Reviewer, 10)
                .run(Pipe::Scan, |run| run.on_source().of(1).at(-1_000)),
            "NOT_RUN",
        ),
        no_strictly(
            scan("run-in-fork").forked().run(Pipe::Scan, RunSpec::on_source),
            "LINKED_BY_BRANCH,NON_PR_RUN",
        ),
        scan("run-without-commit")
            .run(Pipe::Scan, RunSpec::says_nothing)
            .flags(SAST, "COMMIT_UNPROVEN")
            .strictly(SAST, "unknown", "COMMIT_UNPROVEN"),
        no(
            scan("failed-run-without-commit")
                .run(Pipe::Scan, |run| run.says_nothing().result("failed")),
            "RUN_FAILED",
        )
        .flags(SAST, "COMMIT_UNPROVEN"),
        // Found among the deleted runs, which are kept a month longer.
        book.case("run-purged-but-found").merged(book.world.start.plus(-20 * DAY)),
        no(scan("run-on-github").run(Pipe::Scan, RunSpec::on_github), "NOT_RUN"),
        scan("stage-rerun-succeeded")
            .run(Pipe::Scan, |run| run.result("failed").at(-200).again(-100, "succeeded")),
        no(
            scan("stage-rerun-failed").run(Pipe::Scan, |run| run.at(-200).again(-100, "failed")),
            "RUN_FAILED",
        ),
        book.case("run-expired")
            .merged(long_ago)
            .expect(SAST, "unknown", "EVIDENCE_EXPIRED")
            .expect(TESTS, "unknown", "EVIDENCE_EXPIRED"),
    ];
    for case in cases {
        book.add(case);
    }

    book.group("lenient", &[]);
    book.settings("accept-partially-succeeded = true");
    let run = book
        .case("partially-succeeded-accepted")
        .run(Pipe::Scan, |run| run.result("partiallySucceeded"));
    book.add(run);

    book.group("unset", &[]);
    book.settings("sast = []\nintegration-tests = []\ndependency-checks = []");
    let case = no(book.case("nothing-configured"), "NOT_CONFIGURED");
    book.add(case.fails(TESTS, "NOT_CONFIGURED").fails(DEPENDENCIES, "NOT_CONFIGURED"));
}

fn selectors(book: &mut Book<'_>) {
    book.group("ambiguous", &[]);
    book.settings("sast = [\"audit\"]");
    book.add(no(book.case("name-in-two-folders").run(Pipe::Red, |run| run), "AMBIGUOUS_SOLUTION"));
    book.group("by-folder", &[]);
    book.settings("sast = [\"Red/Audit\"]");
    book.add(book.case("name-with-folder").run(Pipe::Red, |run| run));
    book.add(no(book.case("name-in-other-folder").run(Pipe::Blue, |run| run), "NOT_RUN"));
    book.group("by-glob", &[]);
    book.settings("sast = [\"pipeline:*/audit\"]");
    book.add(book.case("one-of-glob").run(Pipe::Red, |run| run));
    book.add(no(
        book.case("one-of-glob-failed")
            .run(Pipe::Red, |run| run)
            .run(Pipe::Blue, |run| run.result("failed")),
        "RUN_FAILED",
    ));
    book.group("either-of", &[]);
    book.settings("sast = [\"lint\"]");
    let lint = |name: &'static str, run: &'static str, state: &'static str| {
        book.case(name)
            .run(Pipe::Lint, |own| own.result(run))
            .status(-100, "lint", state, None)
            .expect(DEPENDENCIES, "fail", "NOT_RUN")
    };
    let cases = vec![
        lint("either-by-status", "failed", "succeeded").expect(SAST, "pass", "STATUS_SUCCEEDED"),
        lint("either-by-run", "succeeded", "failed"),
        no(lint("neither-run-nor-status", "failed", "failed"), "RUN_FAILED"),
    ];
    for case in cases {
        book.add(case);
    }
    book.group("any-of", &[]);
    book.settings("sast = [\"CodeQL\", \"lint\"]");
    book.add(
        book.case("any-one-succeeded")
            .run(Pipe::Scan, |run| run.result("failed"))
            .run(Pipe::Lint, |run| run),
    );
    book.add(no(
        book.case("any-none-succeeded")
            .run(Pipe::Scan, |run| run.result("canceled"))
            .run(Pipe::Lint, |run| run.result("failed")),
        "RUN_CANCELED",
    ));
    book.group("all-of", &[]);
    book.settings("sast = [\"CodeQL\", \"lint\"]\nrequire = \"all\"");
    book.add(book.case("all-succeeded").with(Pipe::Lint));
    book.add(no(
        book.case("all-but-one").run(Pipe::Lint, |run| run.result("failed")),
        "RUN_FAILED",
    ));
    book.add(no(book.case("all-but-one-missing"), "NOT_RUN"));
}

fn jobs(book: &mut Book<'_>) {
    book.group("jobs", &[]);
    book.settings("sast = [{ job = \"ci/Analyze/Static analysis\" }]");
    const JOB: &str = "Static analysis";
    let case = |name: &'static str, record: &'static str| {
        book.case(name)
            .run(Pipe::Multi, |run| if record.is_empty() { run } else { run.record(JOB, record) })
    };
    let cases = vec![
        case("job-succeeded", "").expect(SAST, "pass", "JOB_SUCCEEDED"),
        no(case("job-failed", "failed"), "JOB_FAILED"),
        no(case("job-skipped", "skipped"), "JOB_SKIPPED"),
        no(case("job-with-issues", "succeededWithIssues"), "JOB_WITH_ISSUES"),
        no(case("job-not-found", "absent"), "JOB_NOT_FOUND"),
        book.case("job-succeeded-in-failed-run")
            .run(Pipe::Multi, |run| {
                run.result("failed").record("Build", "succeeded").record("Analyze", "succeeded")
            })
            .expect(SAST, "pass", "JOB_SUCCEEDED"),
        no(book.case("job-of-no-run"), "NOT_RUN"),
        // The run is still found among the deleted ones, its timeline is not.
        case("job-timeline-gone", "").merged(book.world.start.plus(-20 * DAY)).expect(
            SAST,
            "unknown",
            "EVIDENCE_EXPIRED",
        ),
    ];
    for case in cases {
        book.add(case);
    }
}

fn paths(book: &mut Book<'_>) {
    book.group("paths", &[]);
    book.settings("sast = [{ pipeline = \"CodeQL\", paths = [\"services/pay/**\", \"!services/pay/docs/**\"] }]");
    let case = |name: &'static str, path: &str| {
        book.case(name).without(Pipe::Scan).changes(path, "edit", None)
    };
    let out = |case: Case| case.expect(SAST, "not_applicable", "PATHS_NOT_TOUCHED");
    let cases = vec![
        out(case("path-not-touched", "/web/index.html")),
        out(case("path-excluded", "/services/pay/docs/index.md")),
        no(case("path-touched", "/services/pay/src/main.rs"), "NOT_RUN"),
        no(case("path-touched-in-other-case", "/Services/Pay/Main.cs"), "NOT_RUN"),
        no(
            book.case("path-left-by-rename").without(Pipe::Scan).changes(
                "/web/a.rs",
                "rename",
                Some("/services/pay/a.rs"),
            ),
            "NOT_RUN",
        ),
        book.case("path-touched-and-run").changes("/services/pay/src/main.rs", "edit", None),
    ];
    for case in cases {
        book.add(case);
    }
}

fn evaluations(book: &mut Book<'_>) {
    book.group("evaluations", &[]);
    book.validate();
    let scan = |name: &'static str| book.case(name).without(Pipe::Scan);
    let long_ago = book.world.start.plus(-200 * DAY);
    let cases = vec![
        book.case("run-expired-evaluation-approved")
            .merged(long_ago)
            .expect(SAST, "pass", "EVALUATION_APPROVED")
            .flags(SAST, "RUN_EXPIRED")
            .expect(TESTS, "unknown", "EVIDENCE_EXPIRED"),
        no(scan("evaluation-queued"), "NOT_RUN"),
        scan("policy-not-applicable").policy_not_applicable().expect(
            SAST,
            "not_applicable",
            "POLICY_NOT_APPLICABLE",
        ),
        scan("stage-rerun-after-merge")
            .run(Pipe::Scan, |run| run.at(-100).again(60, "failed"))
            .expect(SAST, "pass", "EVALUATION_APPROVED")
            .flags(SAST, "RERUN_AFTER_MERGE"),
        book.case("run-and-evaluation"),
    ];
    for case in cases {
        book.add(case);
    }
}
