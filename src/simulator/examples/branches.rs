//! Branches: which policies protect them, and what was pushed to them (checks.md, sections B and E).

use super::Expected;
use super::book::Book;
use super::check::{POLICY, REVIEWED};
use super::day;
use crate::simulator::layout::add_policy;
use crate::simulator::policies::{self, Scope, kind};
use crate::simulator::time::DAY;
use crate::simulator::world::PushKind;

/// Adds them.
pub(super) fn add(book: &mut Book<'_>) {
    reviewer_policies(book);
    changed_policies(book);
    other_policies(book);
    unusual_branches(book);
    pushes(book);
    pushes_of_exceptions(book);
}

/// Adds the branch `release/<name>` with a policy and what is expected of it.
fn protect(
    book: &mut Book<'_>,
    index: usize,
    name: &'static str,
    kind: (&'static str, &'static str),
    settings: String,
    reason: &'static str,
) -> usize {
    let branch = format!("release/{name}");
    book.branch(&branch);
    let policy =
        add_policy(book.world, book.project, kind, settings, vec![Scope::exact(index, &branch)]);
    expect(book, index, name, reason);
    policy
}

fn expect(book: &mut Book<'_>, index: usize, name: &'static str, reason: &'static str) {
    let mut expected = Expected::new(POLICY, "fail", reason);
    if reason == "POLICY_ENFORCED" {
        // Strict wants votes reset by a push, and the last pusher kept from voting.
        expected.status = "pass";
        expected.strict = (name != "strictest").then_some(("fail", "NO_RESET_ON_PUSH"));
    }
    expect_as(book, index, name, expected);
}

fn expect_as(book: &mut Book<'_>, index: usize, name: &'static str, expected: Expected) {
    book.expect_branch_from(0, name, index, Some(&format!("release/{name}")), expected);
}

fn reviewer_policies(book: &mut Book<'_>) {
    let index = book.group("branch-policies", &[]);
    let reviewers = policies::reviewers;
    let enforced = "POLICY_ENFORCED";
    protect(book, index, "one-approver", kind::REVIEWERS, reviewers(1, false, &[]), enforced);
    protect(
        book,
        index,
        "strictest",
        kind::REVIEWERS,
        reviewers(2, false, &["resetOnSourcePush", "blockLastPusherVote"]),
        enforced,
    );
    protect(book, index, "two-with-creator", kind::REVIEWERS, reviewers(2, true, &[]), enforced);
    protect(
        book,
        index,
        "creator-can-approve",
        kind::REVIEWERS,
        reviewers(1, true, &[]),
        "CREATOR_CAN_APPROVE",
    );
    protect(
        book,
        index,
        "no-approver",
        kind::REVIEWERS,
        reviewers(0, false, &[]),
        "NO_APPROVER_REQUIRED",
    );
    let policy = protect(
        book,
        index,
        "policy-disabled",
        kind::REVIEWERS,
        reviewers(2, false, &[]),
        "POLICY_DISABLED",
    );
    book.world.policies[policy].revisions[0].is_enabled = false;
    let policy = protect(
        book,
        index,
        "policy-optional",
        kind::REVIEWERS,
        reviewers(2, false, &[]),
        "POLICY_NOT_BLOCKING",
    );
    book.world.policies[policy].revisions[0].is_blocking = false;
    let policy = protect(
        book,
        index,
        "policy-deleted",
        kind::REVIEWERS,
        reviewers(2, false, &[]),
        "NO_POLICY",
    );
    book.world.policies[policy].deleted = Some(book.world.start.plus(-20 * DAY));
    protect(
        book,
        index,
        "near-twin",
        kind::MERGE,
        format!("{},\"allowSquash\":true", reviewers(2, false, &[])),
        "NO_POLICY",
    );
    book.branch("release/no-policy");
    expect(book, index, "no-policy", "NO_POLICY");
    let policy =
        protect(book, index, "second-scope", kind::REVIEWERS, reviewers(1, false, &[]), enforced);
    book.world.policies[policy].revisions[0].scope.insert(0, Scope::exact(0, "elsewhere"));
    let policy = protect(
        book,
        index,
        "any-letter-case",
        kind::REVIEWERS,
        reviewers(1, false, &[]),
        enforced,
    );
    book.world.policies[policy].revisions[0].scope[0].match_kind = Some("EXACT");
    let policy =
        protect(book, index, "no-match-kind", kind::REVIEWERS, reviewers(1, false, &[]), enforced);
    book.world.policies[policy].revisions[0].scope[0].match_kind = None;
    let policy =
        protect(book, index, "everywhere", kind::REVIEWERS, reviewers(1, false, &[]), enforced);
    book.world.policies[policy].revisions[0].scope[0].repository = None;
    let policy = protect(
        book,
        index,
        "of-another-repository",
        kind::REVIEWERS,
        reviewers(1, false, &[]),
        "NO_POLICY",
    );
    book.world.policies[policy].revisions[0].scope[0].repository = Some(0);
    let policy = protect(
        book,
        index,
        "repository-level",
        kind::REVIEWERS,
        reviewers(1, false, &[]),
        "NO_POLICY",
    );
    book.world.policies[policy].revisions[0].scope[0] =
        Scope { repository: Some(index), ref_name: None, match_kind: None };
    for (name, start, reason) in [
        ("prefixed", "release/prefixed/", enforced),
        ("prefix-inside-name", "release/prefix-in", "NO_POLICY"),
    ] {
        let policy = protect(book, index, name, kind::REVIEWERS, reviewers(1, false, &[]), reason);
        book.world.policies[policy].revisions[0].scope[0] = Scope::prefix(Some(index), start);
    }
}

/// Policies that changed since the start date.
fn changed_policies(book: &mut Book<'_>) {
    let index = book.group("policy-history", &[]);
    let strict = policies::reviewers(1, false, &["resetOnSourcePush", "blockLastPusherVote"]);
    let flags = |more: &'static str| Some(more);
    for (name, states, flags, reason) in [
        (
            "switched-off-for-a-month",
            [(-50, false), (-20, true)],
            flags("NO_BUILD_VALIDATION,NO_MERGED_PULL_REQUEST,POLICY_GAP"),
            Some(("fail", "POLICY_GAP")),
        ),
        (
            "switched-off-before-the-start-date",
            [(-400, false), (-350, true)],
            flags("NO_BUILD_VALIDATION,NO_MERGED_PULL_REQUEST"),
            None,
        ),
    ] {
        let branch = format!("release/{name}");
        book.branch(&branch);
        let scope = vec![Scope::exact(index, &branch)];
        let policy = add_policy(book.world, book.project, kind::REVIEWERS, strict.clone(), scope);
        let mut revision = book.world.policies[policy].revisions[0].clone();
        for (days, is_enabled) in states {
            (revision.at, revision.is_enabled) = (book.world.start.plus(days * DAY), is_enabled);
            book.world.policies[policy].revisions.push(revision.clone());
        }
        let expected =
            Expected { flags, strict: reason, ..Expected::new(POLICY, "pass", "POLICY_ENFORCED") };
        expect_as(book, index, name, expected);
    }
}

fn other_policies(book: &mut Book<'_>) {
    let index = book.group("required-reviewers", &[]);
    let id = book.world.people.get(book.world.people.authors[0]).id.clone();
    let ids: &[&str] = &[&id];
    protect(
        book,
        index,
        "required-reviewer",
        kind::REQUIRED,
        policies::required(ids, 1, &[]),
        "POLICY_ENFORCED",
    );
    protect(
        book,
        index,
        "required-on-a-path",
        kind::REQUIRED,
        policies::required(ids, 1, &["/src/*"]),
        "NO_POLICY",
    );
    protect(
        book,
        index,
        "required-but-nobody",
        kind::REQUIRED,
        policies::required(&[], 1, &[]),
        "NO_POLICY",
    );
    protect(book, index, "build-only", kind::BUILD, policies::build(1, "CodeQL", &[]), "NO_POLICY");
}

fn unusual_branches(book: &mut Book<'_>) {
    let index = book.group("trunk-based", &[]);
    book.world.repositories[index].branches[0].name = "trunk".to_owned();
    book.settings("production-branches = [\"trunk\"]");
    add_policy(
        book.world,
        book.project,
        kind::REVIEWERS,
        policies::reviewers(1, false, &[]),
        vec![Scope::default_branch()],
    );
    let mut expected = Expected::new(POLICY, "pass", "POLICY_ENFORCED");
    expected.strict = Some(("fail", "NO_RESET_ON_PUSH"));
    book.expect_branch_from(0, "default-branch", index, Some("trunk"), expected);
    let index = book.group("branch-missing", &[]);
    book.settings("production-branches = [\"production\"]");
    book.expect_branch(
        "branch-missing",
        index,
        Some("production"),
        (POLICY, "fail", "NOT_CONFIGURED"),
    );
    let index = book.group("pattern-missing", &[]);
    book.settings("production-branches = [\"hotfix/*\"]");
    book.expect_branch("pattern-fits-no-branch", index, None, (POLICY, "fail", "NOT_CONFIGURED"));
}

fn pushes(book: &mut Book<'_>) {
    let index = book.group("pushes", &[]);
    let merged = book.add(book.case("merged-before-pushed"));
    let expect = |book: &mut Book<'_>, name: &'static str, status: &'static str| {
        let reason = match status {
            "pass" => "ALL_CHANGES_REVIEWED",
            "fail" => "DIRECT_PUSH",
            _ => "",
        };
        book.expect_branch(
            name,
            index,
            Some(&format!("release/{name}")),
            (REVIEWED, status, reason),
        );
    };
    book.expect_branch(
        "only-pull-requests",
        index,
        Some("main"),
        (REVIEWED, "pass", "ALL_CHANGES_REVIEWED"),
    );
    let branch = book.branch("release/direct-push");
    book.push(branch, -10, PushKind::Direct, None);
    expect(book, "direct-push", "fail");
    let branch = book.branch("release/forced-push");
    book.push(branch, -12, PushKind::Force, None);
    expect(book, "forced-push", "fail");
    let branch = book.branch("release/pushed-before-start-date");
    book.push(branch, -400, PushKind::Direct, None);
    expect(book, "pushed-before-start-date", "pass");
    let branch = book.branch("release/pushed-commit-of-pull-request");
    book.push(branch, -8, PushKind::Direct, Some(merged));
    expect(book, "pushed-commit-of-pull-request", "fail");
    let branch = book.branch("release/created-lately");
    book.world.repositories[index].branches[branch].created = book.world.start.plus(-20 * DAY);
    expect(book, "created-lately", "pass");
    let branch = book.branch("release/recreated");
    book.push(branch, -50, PushKind::Delete, None);
    book.push(branch, -40, PushKind::Create, None);
    expect(book, "recreated", "fail");
    let branch = book.branch("release/deleted");
    book.push(branch, -30, PushKind::Direct, None);
    book.world.repositories[index].branches[branch].deleted =
        Some(book.world.start.plus(-15 * DAY));
    expect(book, "deleted", "none");
}

/// One repository whose pushes an exception covers, and one whose exception came too late.
fn pushes_of_exceptions(book: &mut Book<'_>) {
    for (name, days, status, reason, flags) in [
        ("pushes-excepted", 400, "pass", "ALL_CHANGES_REVIEWED", ""),
        ("pushes-excepted-too-late", -30, "fail", "DIRECT_PUSH", "EXCEPTION_EXPIRED"),
    ] {
        let index = book.group(name, &[]);
        let (organization, expires) = (&book.world.organization, day(book.world, days));
        let text = format!(
            "[[exception]]\nmatch = \"{organization}/examples/{name}@*\"\nreason = \"restored after an outage\"\n\
             approved-by = \"cto@{organization}.example\"\nexpires = {expires}\n"
        );
        book.config(&text);
        let branch = book.branch("release/restored");
        book.push(branch, -10, PushKind::Direct, None);
        let expected = Expected { flags: Some(flags), ..Expected::new(REVIEWED, status, reason) };
        book.expect_branch_from(0, name, index, Some("release/restored"), expected);
    }
}
