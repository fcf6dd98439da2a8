//! Extraction against canned answers: what rows come out, and what is refused.

mod simulated;

use std::collections::HashMap;

use adolake::extract::pull_request_details::{self, Details, Parts, Target};
use adolake::extract::{
    Resource, branches, organizations, pipelines, policies, projects, pull_requests, pushes,
    repositories, retention, run_jobs, runs, users,
};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::support::canned::{
    ANNA, BEN, PROJECT, REPOSITORY, assert_whole, at, canned, cells, january, seen_at,
};

fn pull_request(number: i64, status: &str) -> Value {
    json!({
        "pullRequestId": number, "status": status, "title": format!("Change {number}"),
        "repository": {"id": REPOSITORY.to_uppercase(), "name": "api é", "project": {
            "id": PROJECT, "name": "Web Shop", "state": "unchanged", "lastUpdateTime": "0001-01-01T00:00:00"}},
        "createdBy": {"id": ANNA, "displayName": "Anna", "uniqueName": "anna@contoso.com", "descriptor": "aad.anna"},
        "creationDate": "2025-12-31T23:59:59.1234567Z",
        "sourceRefName": "refs/heads/topic", "targetRefName": "refs/heads/main", "mergeStatus": "succeeded",
        "lastMergeSourceCommit": {"commitId": "AA11"}, "lastMergeCommit": {"commitId": "bb22"},
        "reviewers": [
            {"id": BEN, "displayName": "Ben", "uniqueName": "ben@contoso.com", "vote": 10, "isRequired": true,
             "votedFor": [{"id": "dddddddd-0000-0000-0000-000000000001"}]},
            {"id": "dddddddd-0000-0000-0000-000000000001", "displayName": "Team", "isContainer": true, "vote": 10}
        ],
        "labels": [{"id": "e", "name": "emergency", "active": true}]
    })
}

#[tokio::test]
async fn projects_repositories_branches_and_pipelines() {
    let canned = canned(json!({
        "projects": [{"id": PROJECT.to_uppercase(), "name": "Web Shop", "state": "wellFormed", "revision": 12.0,
            "lastUpdateTime": "2026-01-01T00:00:00.1234567Z", "visibility": "private"},
            {"id": "gone", "name": "Old", "state": "deleted"}],
        "git/repositories": [
            {"id": REPOSITORY, "name": "api", "project": {"id": PROJECT, "name": "Web Shop", "visibility": "private"},
             "defaultBranch": "refs/heads/main", "size": 12, "isDisabled": true},
            {"id": "r2", "name": "empty", "project": {"id": PROJECT, "name": "Web Shop"}}],
        "git/deletedrepositories": [{"id": "R9", "name": "x"}],
        "git/recycleBin/repositories": [{"id": "r9"}, {"id": "r8"}],
        format!("git/repositories/{REPOSITORY}/refs"): [
            {"name": "refs/heads/main", "objectId": "a1"}, {"name": "refs/heads/rel/1", "objectId": "a2", "isLocked": true}],
        "build/definitions": [{"id": 5, "name": "CodeQL", "path": "\\security", "revision": 3,
            "repository": {"id": REPOSITORY.to_uppercase(), "type": "TfsGit"}}, {"id": 6, "name": "x"}],
        "build/retention": {"purgeRuns": {"min": 30, "value": 60}, "purgePullRequestRuns": {"value": 10}},
    }))
    .await;
    let source = &canned.source;
    let mut rows = projects::fetch(source).await.unwrap().rows;
    rows.extend(repositories::fetch(source).await.unwrap().rows);
    rows.extend(branches::fetch(source, PROJECT, REPOSITORY, Some("main")).await.unwrap().rows);
    rows.extend(pipelines::fetch(source, PROJECT).await.unwrap().rows);
    rows.extend(retention::fetch(source, PROJECT).await.unwrap().rows);
    assert_whole(&rows);
    let printed: Vec<String> = rows.iter().map(cells).collect();
    insta::assert_snapshot!(printed.join("\n"));
    let deleted = repositories::deleted(source, PROJECT).await.unwrap();
    assert_eq!(
        (deleted.repository_ids, deleted.seen_at),
        (vec!["r8".into(), "r9".into()], seen_at())
    );
    let missing = branches::fetch(source, PROJECT, "r2", None).await.unwrap_err();
    assert!(missing.is_unreadable() && !missing.is_signed_out(), "{missing}");
}

#[tokio::test]
async fn who_is_signed_in_and_where_with_and_without_the_profile_host() {
    let user =
        json!({"authenticatedUser": {"id": ANNA.to_uppercase(), "providerDisplayName": "Anna"}});
    let canned_all = canned(json!({
        "connectionData": user,
        "profile/profiles/me": {"id": ANNA, "displayName": "Anna A", "coreRevision": 3, "timeStamp": "2014-05-12T22:23:07.727+00:00"},
        "accounts": [{"accountId": "a1", "accountName": "Contoso"}, {"accountId": "a2", "accountName": "other"}],
    }))
    .await;
    let all = organizations::fetch(&canned_all.source).await.unwrap();
    assert_whole(&all.organizations);
    assert_whole(&all.profiles);
    let names: Vec<_> = all
        .organizations
        .iter()
        .map(|row| (row.text("organization").unwrap(), row.bool("is_configured").unwrap()))
        .collect();
    assert_eq!(names, [("contoso", true), ("other", false)]);
    assert_eq!(all.profiles[0].text("display_name"), Some("Anna A"));

    let alone =
        canned(json!({"connectionData": user, "profile/profiles/me": 401, "accounts": 401})).await;
    let alone = organizations::fetch(&alone.source).await.unwrap();
    assert_eq!((alone.organizations.len(), alone.absent.len()), (1, 2));
    assert_eq!(alone.profiles[0].text("id"), Some(ANNA));
}

#[tokio::test]
async fn users_know_services_and_are_filled_with_identity_ids() {
    let canned = canned(json!({
        "graph/users": [
            {"descriptor": "aad.anna", "displayName": "Anna", "mailAddress": "", "subjectKind": "user", "metaType": "guest"},
            {"descriptor": "svc.build", "displayName": "Build", "subjectKind": "user"}],
        "graph/serviceprincipals": 403,
        "graph/storagekeys/svc.build": {"value": BEN.to_uppercase()},
    }))
    .await;
    let mut users = users::fetch(&canned.source).await.unwrap();
    assert_whole(&users.rows);
    assert!(users.unreadable.as_ref().is_some_and(adolake::extract::Error::is_unreadable));
    let services: Vec<_> = users.rows.iter().map(|row| row.bool("is_service").unwrap()).collect();
    assert_eq!(services, [false, true]);
    let known = HashMap::from([("aad.anna".to_owned(), ANNA.to_owned())]);
    assert_eq!(users.fill(&known), ["svc.build"]);
    assert_eq!(users.rows[0].text("identity_id"), Some(ANNA));
    let key = users::storage_key(&canned.source, "svc.build").await.unwrap();
    assert_eq!(key.as_deref(), Some(BEN));
    assert_eq!(users::storage_key(&canned.source, "aad.nobody").await.unwrap(), None);
}

#[tokio::test]
async fn pull_requests_give_reviewers_labels_and_the_population() {
    let list = [pull_request(1, "active"), pull_request(2, "completed")];
    let mut list = json!(list);
    list[1]["closedDate"] = json!("2026-01-31T23:00:00Z");
    list[1]["labels"] = Value::Null;
    list[1]["repository"]["webUrl"] = json!("https://dev.azure.com/contoso/Web%20Shop/_git/api");
    let canned = canned(json!({"git/pullrequests": list})).await;
    let pages: Vec<_> = pull_requests::closed(&canned.source, PROJECT, "completed", january())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(pages.len(), 1);
    let page = &pages[0];
    for rows in [&page.pull_requests, &page.reviewers, &page.labels] {
        assert_whole(rows);
    }
    let rows = page.pull_requests.iter().chain(&page.reviewers).chain(&page.labels);
    let printed: Vec<String> = rows.map(cells).collect();
    let port = canned.source.client().endpoints().core.port().unwrap().to_string();
    insta::assert_snapshot!(printed.join("\n").replace(&port, "PORT"));
    assert_eq!(page.parents[0].landed, None);
    assert_eq!(page.parents[1].landed.as_ref().unwrap().closed_month, "2026-01");
    assert!(page.parents[0].is_active && !page.parents[1].is_active);
    let asked = canned.asked.lock().unwrap();
    assert_eq!(
        asked[0],
        format!(
            "/contoso/{PROJECT}/_apis/git/pullrequests?searchCriteria.status=completed\
             &searchCriteria.queryTimeRangeType=closed&searchCriteria.minTime=2026-01-01T00%3A00%3A00.000000Z\
             &searchCriteria.maxTime=2026-02-01T00%3A00%3A00.000000Z&$top=1000&api-version=7.1"
        )
    );
    assert!(asked[1].contains("&$skip=1&") && asked.len() == 2, "{asked:?}");
}

#[tokio::test]
async fn a_pull_request_that_is_not_understood_is_an_error_that_says_where() {
    let mut bad = pull_request(7, "active");
    bad.as_object_mut().unwrap().remove("creationDate");
    let canned_one = canned(json!({"git/pullrequests": [bad]})).await;
    let pages: Result<Vec<_>, _> =
        pull_requests::active(&canned_one.source, PROJECT).try_collect().await;
    let error = pages.unwrap_err().to_string();
    assert!(error.ends_with("`creationDate` of pull request `7` is missing"), "{error}");

    let mut bad = pull_request(8, "active");
    bad["reviewers"][1]["vote"] = json!(99_999_999_999_i64);
    let canned_one = canned(json!({"git/pullrequests": [bad]})).await;
    let pages: Result<Vec<_>, _> =
        pull_requests::active(&canned_one.source, PROJECT).try_collect().await;
    let error = pages.unwrap_err().to_string();
    assert!(error.contains("`reviewers.vote` of pull request `8` is out of range"), "{error}");
}

fn property(value: &str) -> Value {
    json!({"$type": "System.String", "$value": value})
}

fn details() -> Value {
    let mut single = pull_request(1, "completed");
    single["closedDate"] = json!("2026-01-01T10:00:00Z");
    single["closedBy"] =
        json!({"id": BEN, "uniqueName": "ben@contoso.com", "descriptor": "aad.ben"});
    single["completionOptions"] = json!({"mergeStrategy": "squash"});
    single["forkSource"] = json!({"repository": {"id": "FORK"}});
    single.as_object_mut().unwrap().remove("labels");
    let base = format!("git/repositories/{REPOSITORY}/pullRequests/1");
    json!({
        "git/pullrequests/1": single,
        format!("{base}/threads"): [
            {"id": 1, "publishedDate": "2026-01-01T09:00:00Z", "identities": {"1": {"id": BEN, "descriptor": "aad.ben"}},
             "properties": {"CodeReviewThreadType": property("VoteUpdate"), "CodeReviewVoteResult": property("10"),
                "CodeReviewVotedByIdentity": property("1")}},
            {"id": 2, "publishedDate": "2026-01-01T10:00:00.5Z", "properties": {"BypassPolicy": property("True"),
                "CodeReviewThreadType": property("StatusUpdate"), "CodeReviewStatus": property("Completed")}}],
        format!("{base}/iterations"): [
            {"id": 1, "createdDate": "2026-01-01T08:00:00Z", "author": {"id": ANNA}, "reason": "push",
             "sourceRefCommit": {"commitId": "aa11"}},
            {"id": 2, "createdDate": "2026-01-01T08:30:00Z", "push": {"pushId": 4, "pushedBy": {"id": BEN}},
             "reason": "retarget", "oldTargetRefName": "refs/heads/a", "newTargetRefName": "refs/heads/main"}],
        format!("{base}/statuses"): [
            {"id": 1, "context": {"name": "gate", "genre": "sonar"}, "creationDate": "2026-01-01T08:00:00Z"},
            {"id": 2, "state": "succeeded", "iterationId": 2, "context": {"name": "gate"},
             "creationDate": "2026-01-01T08:40:00Z", "createdBy": {"displayName": "Bot"}}],
        "policy/evaluations": [
            {"evaluationId": "E1", "status": "approved", "configuration": {"id": 3, "revision": 2, "isBlocking": true,
                "type": {"id": "T"}, "settings": {"buildDefinitionId": 5.0, "validDuration": 720.0}},
             "context": {"buildId": 77, "lastMergeSourceCommitId": "AA11", "isExpired": false}},
            {"evaluationId": "e2", "configuration": null, "context": null}],
        format!("{base}/commits"): [{"commitId": "AA11", "author": {"name": "Anna", "email": "anna@contoso.com",
            "date": "2026-01-01T07:00:00Z"}}],
        format!("{base}/iterations/2/changes$skip=0"): {"nextSkip": 1, "nextTop": 1, "changeEntries": [
            {"changeType": "edit", "item": {"path": "/src/a.rs"}}]},
        format!("{base}/iterations/2/changes$skip=1"): {"nextSkip": 0, "nextTop": 0, "changeEntries": [
            {"changeType": "rename", "item": {"path": "/src/c.rs"}, "originalPath": "/src/b.rs"}]},
    })
}

fn target() -> Target {
    Target {
        project_id: PROJECT.to_owned(),
        repository_id: REPOSITORY.to_owned(),
        pull_request_id: 1,
        created_month: "2025-12".to_owned(),
    }
}

#[tokio::test]
async fn details_give_all_children_and_what_the_list_does_not_know() {
    let canned = canned(details()).await;
    let parts = Parts { changes: true, ..Parts::ALL };
    let details = pull_request_details::fetch(&canned.source, &target(), parts).await.unwrap();
    assert!(details.missing.is_empty(), "{:?}", details.missing);
    assert_eq!(details.seen_at, Some(seen_at()));
    let mut printed = Vec::new();
    for rows in details.tables.values() {
        assert_whole(rows);
        printed.extend(rows.iter().map(cells));
    }
    let single = &details.single.as_ref().unwrap().pull_requests[0];
    assert_whole(std::slice::from_ref(single));
    let port = canned.source.client().endpoints().core.port().unwrap().to_string();
    printed.push(cells(single).replace(&port, "PORT"));
    insta::assert_snapshot!(printed.join("\n"));

    assert_whole(&details.raw);
    let resources: Vec<_> = details.raw.iter().map(|row| row.text("resource").unwrap()).collect();
    assert_eq!(
        resources,
        [
            "pull_requests",
            "threads",
            "iterations",
            "statuses",
            "evaluations",
            "commits",
            "changes",
            "changes"
        ]
    );
    assert_eq!(details.raw[0].text("object_key"), Some(&*format!("{REPOSITORY}!1")));
    let body: Value = serde_json::from_str(details.raw[0].text("body_json").unwrap()).unwrap();
    assert_eq!(body["pullRequestId"], 1);
    let asked = canned.asked.lock().unwrap();
    let evaluations = asked.iter().find(|address| address.contains("evaluations")).unwrap();
    assert!(
        evaluations.contains(&format!(
            "artifactId=vstfs%3A%2F%2F%2FCodeReview%2FCodeReviewId%2F{PROJECT}%2F1"
        )) && evaluations.ends_with("api-version=7.1-preview.1"),
        "{evaluations}"
    );
}

fn missing(details: &Details) -> Vec<&'static str> {
    details.missing.iter().map(|(part, _)| *part).collect()
}

#[tokio::test]
async fn a_part_that_is_not_understood_leaves_the_others_as_they_are() {
    let base = format!("git/repositories/{REPOSITORY}/pullRequests/1");
    for (part, wrong, why) in [
        (
            "threads",
            json!([{"id": 1, "publishedDate": "2026-01-01T09:00:00Z", "identities": null,
            "properties": {"CodeReviewThreadType": property("VoteUpdate"), "CodeReviewVoteResult": property("10"),
                "CodeReviewVotedByIdentity": property("1")}}]),
            "properties.CodeReviewVotedByIdentity",
        ),
        ("statuses", json!([{"id": 1, "creationDate": "2026-01-01T08:00:00Z"}]), "context.name"),
        ("iterations", json!({"count": 1, "value": "none"}), "value"),
        ("commits", json!(500), "500"),
    ] {
        let mut answers = details();
        answers[format!("{base}/{part}")] = wrong;
        let canned = canned(answers).await;
        let details =
            pull_request_details::fetch(&canned.source, &target(), Parts::ALL).await.unwrap();
        assert_eq!(missing(&details), [part]);
        let told = format!("{:?}", details.missing[0].1);
        assert!(told.contains(why), "{told}");
        let row = &details.single.as_ref().unwrap().pull_requests[0];
        let all = ["single", "threads", "iterations", "statuses", "evaluations", "commits"];
        for other in all {
            let column = if other == "single" { "details" } else { other };
            let read_at = row.time(&format!("{column}_read_at"));
            assert_eq!(read_at, (other != part).then(seen_at), "{other} beside {part}");
        }
        assert_eq!(details.tables.len() + 1, all.len() - 1, "{:?}", details.tables.keys());
        assert_eq!(details.raw.len(), all.len() - 1);
    }
}

#[tokio::test]
async fn a_part_that_may_not_be_read_is_reported_and_stays_unread() {
    let mut answers = details();
    let base = format!("git/repositories/{REPOSITORY}/pullRequests/1");
    answers[format!("{base}/threads")] = json!(403);
    answers.as_object_mut().unwrap().remove("policy/evaluations");
    let canned = canned(answers).await;
    let details = pull_request_details::fetch(&canned.source, &target(), Parts::ALL).await.unwrap();
    assert_eq!(missing(&details), ["threads", "evaluations"]);
    assert!(!details.tables.contains_key("pull_request_votes"));
    let row = &details.single.as_ref().unwrap().pull_requests[0];
    assert!(row.get("threads_read_at").is_null() && row.get("bypass_policy").is_null());
    assert_eq!(row.time("statuses_read_at"), Some(seen_at()));

    let details =
        pull_request_details::fetch(&canned.source, &target(), Parts::RECHECK).await.unwrap();
    let columns: Vec<_> = details.update.iter().map(|(column, _)| *column).collect();
    assert_eq!((columns, details.single.is_none()), (vec!["statuses_read_at"], true));
}

#[tokio::test]
async fn runs_give_finishes_and_links() {
    let parameters = json!({"system.pullRequest.pullRequestId": "42", "system.pullRequest.sourceCommitId": "AB"});
    let canned = canned(json!({
        "build/builds": [
            {"id": 1, "buildNumber": "2026.1", "status": "completed", "result": "succeeded", "reason": "pullRequest",
             "queueTime": "2026-01-01T00:00:00Z", "startTime": "2026-01-01T00:01:00Z", "finishTime": "2026-01-01T00:02:00Z",
             "sourceBranch": "refs/pull/42/merge", "sourceVersion": "FF", "parameters": parameters.to_string(),
             "definition": {"id": 5, "name": "CodeQL", "path": "\\security"},
             "repository": {"id": REPOSITORY.to_uppercase(), "type": "TfsGit"}, "triggerInfo": {},
             "requestedFor": {"uniqueName": "anna@contoso.com"}, "url": "https://x/1",
             "_links": {"web": {"href": "https://x/web/1"}}},
            {"id": 2, "status": "inProgress", "queueTime": "2026-01-01T00:00:00Z", "definition": {"id": 5},
             "sourceBranch": "refs/pull/42/merge", "repository": {"id": "Contoso/API", "type": "GitHub"}},
            {"id": 3, "status": "completed", "queueTime": "2026-01-01T00:00:00Z", "finishTime": "2026-01-01T00:09:00Z",
             "deleted": true, "definition": {"id": 6}}],
        "build/builds/1/timeline": {"records": [
            {"id": "S", "type": "Stage", "name": "ci"}, {"id": "p", "parentId": "s", "type": "Phase", "name": "x"},
            {"id": "j", "parentId": "p", "type": "Job", "name": "Analyze", "attempt": 2, "result": "succeeded"}]},
        "build/builds/2/timeline": 204,
    }))
    .await;
    let pages: Vec<_> =
        runs::finished(&canned.source, PROJECT, january()).try_collect().await.unwrap();
    let page = &pages[0];
    assert_whole(&page.runs);
    assert_whole(&page.finishes);
    let printed: Vec<String> = page.runs.iter().chain(&page.finishes).map(cells).collect();
    insta::assert_snapshot!(printed.join("\n"));
    let asked = canned.asked.lock().unwrap()[0].clone();
    assert!(
        asked.contains("queryOrder=finishTimeAscending") && asked.contains("$top=1000"),
        "{asked}"
    );

    let jobs = run_jobs::fetch(&canned.source, PROJECT, 1, "2026-01").await.unwrap();
    let run_jobs::Jobs::Read(rows, _) = jobs else { panic!("{jobs:?}") };
    assert_whole(&rows);
    let paths: Vec<_> = rows.iter().map(|row| row.text("path").unwrap()).collect();
    assert_eq!(paths, ["ci", "ci/Analyze"]);
    let gone = run_jobs::fetch(&canned.source, PROJECT, 2, "2026-01").await.unwrap();
    assert!(matches!(gone, run_jobs::Jobs::Gone(at) if at == seen_at()));
    let missing = runs::one(&canned.source, PROJECT, 9).await.unwrap_err();
    assert!(missing.is_unreadable());
}

#[tokio::test]
async fn pushes_of_a_branch_and_what_explains_them() {
    let zero = "0".repeat(40);
    let canned = canned(json!({
        format!("git/repositories/{REPOSITORY}/pushes"): [
            {"pushId": 3, "date": "2026-01-03T00:00:00Z", "pushedBy": {"id": BEN, "uniqueName": "ben@contoso.com"},
             "refUpdates": [{"name": "refs/heads/main", "oldObjectId": "A1", "newObjectId": "a2"},
                {"name": "refs/heads/other", "oldObjectId": "a1", "newObjectId": "a2"}]},
            {"pushId": 2, "date": "2026-01-02T00:00:00Z", "refUpdates": [
                {"name": "refs/heads/main", "oldObjectId": zero, "newObjectId": "a1"}]},
            {"pushId": 1, "date": "2026-01-01T00:00:00Z", "refUpdates": [
                {"name": "refs/heads/main", "oldObjectId": "a0", "newObjectId": zero}]}],
        format!("git/repositories/{REPOSITORY}/pullrequestquery"): {"queries": [], "results": [{"A2": [
            {"pullRequestId": 9, "status": "completed", "targetRefName": "refs/heads/main"},
            {"pullRequestId": 7, "status": "completed", "targetRefName": "refs/heads/main"},
            {"pullRequestId": 8, "status": "active", "targetRefName": "refs/heads/main"},
            {"pullRequestId": 6, "status": "completed", "targetRefName": "refs/heads/other"}]}]},
        format!("git/repositories/{REPOSITORY}/diffs/commits"): {"commonCommit": "a0"},
    }))
    .await;
    let source = &canned.source;
    let pages: Vec<_> = pushes::fetch(source, PROJECT, REPOSITORY, "refs/heads/main", january())
        .try_collect()
        .await
        .unwrap();
    assert_whole(&pages[0].pushes);
    let kinds: Vec<_> = pages[0]
        .pushes
        .iter()
        .map(|row| (row.int("push_id").unwrap(), row.text("kind").unwrap()))
        .collect();
    assert_eq!(kinds, [(3, "update"), (2, "create"), (1, "delete")]);
    let commits = ["a2".to_owned(), "a1".to_owned()];
    let explained = pushes::explained(source, PROJECT, REPOSITORY, &commits).await.unwrap();
    assert_eq!(pushes::joined(&explained["a2"]), "6,7,9");
    assert_eq!(pushes::joined(&explained["a1"]), "");
    let forced = pushes::is_force(source, PROJECT, REPOSITORY, "a1", "a2").await.unwrap();
    assert_eq!(forced, Some(true));
}

#[tokio::test]
async fn policies_give_a_row_per_scope_with_the_time_it_held() {
    let revision = |revision: i64, count: f64, created: &str| {
        json!({"id": 3, "revision": revision, "type": {"id": "FA4E907D-c16b-4a4c-9dfa-4906e5d171dd"}, "isEnabled": true,
            "isBlocking": true, "createdDate": created, "settings": {"minimumApproverCount": count, "scope": [
                {"repositoryId": null, "refName": "refs/heads/main", "matchKind": "exact"},
                {"repositoryId": REPOSITORY.to_uppercase(), "refName": "refs/heads/rel/", "matchKind": "Prefix"}]}})
    };
    let canned = canned(json!({
        "policy/configurations": [revision(2, 2.0, "2025-06-01T00:00:00Z"),
            {"id": 4, "revision": 1, "type": {"id": "t"}, "createdDate": "2025-06-01T00:00:00Z", "settings": {}}],
        "policy/configurations/3/revisions": [revision(2, 2.0, "2025-06-01T00:00:00Z"), revision(1, 1.0, "2025-06-01T00:00:00Z")],
    }))
    .await;
    let source = &canned.source;
    let all = policies::fetch(source, PROJECT).await.unwrap();
    assert_eq!(all.value.len(), 2);
    let history = policies::revisions(source, PROJECT, 3).await.unwrap();
    let known = policies::Known {
        first_seen_at: [(2, at("2025-09-01T00:00:00Z"))].into(),
        deleted_at: Some(seen_at()),
    };
    let mut rows = policies::rows(source, PROJECT, &history, &known).unwrap();
    let bare = all.map(|list| list.into_iter().filter(|policy| policy.id == Some(4)).collect());
    rows.extend(policies::rows(source, PROJECT, &bare, &policies::Known::default()).unwrap());
    assert_whole(&rows);
    let printed: Vec<String> = rows.iter().map(cells).collect();
    insta::assert_snapshot!(printed.join("\n"));
    assert!(policies::one(source, PROJECT, 5).await.unwrap_err().is_unreadable());
}

#[test]
fn every_resource_has_its_own_name() {
    for resource in Resource::ALL {
        assert_eq!(Resource::named(resource.name()), Some(resource));
    }
}
