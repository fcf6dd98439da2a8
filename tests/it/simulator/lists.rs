//! Lists and single answers: what each shows, pages, filters.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Door;

fn numbers(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["pullRequestId"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn pull_requests_come_active_and_in_pages_of_101() {
    let door = Door::small().await;
    let active = door.rows("payments/_apis/git/pullrequests").await;
    assert!(active.iter().all(|row| row["status"] == "active"));
    let completed = "payments/_apis/git/pullrequests?searchCriteria.status=completed";
    assert_eq!(door.rows(completed).await.len(), 101);
    assert_eq!(door.rows(&format!("{completed}&$top=5000")).await.len(), 1_000);
    let mut all = BTreeSet::new();
    let mut skip = 0;
    loop {
        let page = numbers(&door.rows(&format!("{completed}&$top=400&$skip={skip}")).await);
        skip += page.len();
        if page.is_empty() {
            break;
        }
        let before = all.len();
        all.extend(page.iter().copied());
        assert_eq!(all.len(), before + page.len(), "no row comes twice");
    }
    assert!(all.len() > 1_000, "{}", all.len());
}

#[tokio::test]
async fn closed_windows_are_cut_by_closing() {
    let door = Door::small().await;
    let window = "searchCriteria.queryTimeRangeType=closed&searchCriteria.minTime=2026-06-01T00:00:00Z\
                  &searchCriteria.maxTime=2026-06-30T23:59:59Z&$top=1000";
    let rows = door
        .rows(&format!("payments/_apis/git/pullrequests?searchCriteria.status=completed&{window}"))
        .await;
    assert!(!rows.is_empty());
    let closed: Vec<&str> = rows.iter().map(|row| row["closedDate"].as_str().unwrap()).collect();
    assert!(closed.iter().all(|at| at.starts_with("2026-06")));
    assert!(closed.is_sorted_by(|one, other| one >= other), "newest first");
    let target = "searchCriteria.targetRefName=refs/heads/main";
    let narrowed = door
        .rows(&format!(
            "payments/_apis/git/pullrequests?searchCriteria.status=completed&{window}&{target}"
        ))
        .await;
    let wanted: Vec<&Value> =
        rows.iter().filter(|row| row["targetRefName"] == "refs/heads/main").collect();
    assert_eq!(narrowed.iter().collect::<Vec<_>>(), wanted);
    let none = door.rows(&format!("payments/_apis/git/pullrequests?{window}")).await;
    assert!(none.is_empty(), "active ones have no closing");
}

#[tokio::test]
async fn list_and_single_show_different_things() {
    let door = Door::tiny().await;
    let path = door.example("emergency").await;
    let (repository, number) = path.split_once("/pullRequests/").unwrap();
    let list = door
        .rows(&format!("{repository}/pullrequests?searchCriteria.status=completed&$top=1000"))
        .await;
    let listed =
        list.iter().find(|row| row["pullRequestId"].as_i64() == number.parse().ok()).unwrap();
    let single = door.json(&path).await;
    assert_eq!(listed["labels"][0]["name"], "emergency");
    assert!(single.get("labels").is_none());
    assert!(listed.get("closedBy").is_none());
    assert_eq!(single["closedBy"]["displayName"], "Otto Other");
    assert!(listed["createdBy"]["descriptor"].as_str().unwrap().starts_with("aad."));
    assert_eq!(listed["repository"]["project"]["lastUpdateTime"], "0001-01-01T00:00:00");
    assert_eq!(listed["repository"]["project"]["visibility"], "unchanged");
    assert!(
        list.iter()
            .flat_map(|row| row["reviewers"].as_array().unwrap())
            .all(|own| own.get("descriptor").is_none())
    );
    let forked = door.json(&door.example("from-fork").await).await;
    assert_eq!(forked["forkSource"]["repository"]["name"], "population-fork");
}

#[tokio::test]
async fn descriptions_are_cut_in_lists() {
    let door = Door::small().await;
    let rows = door
        .rows("payments/_apis/git/pullrequests?searchCriteria.status=completed&$top=1000")
        .await;
    let long = rows
        .iter()
        .find(|row| row["description"].as_str().is_some_and(|text| text.chars().count() == 400))
        .unwrap();
    let whole = door.json(&format!("_apis/git/pullrequests/{}", long["pullRequestId"])).await;
    assert!(whole["description"].as_str().unwrap().chars().count() > 400);
}

#[tokio::test]
async fn refs_are_found_by_their_start() {
    let door = Door::tiny().await;
    let id = door.repository("payments", "api").await;
    let refs = |query: &str| format!("payments/_apis/git/repositories/{id}/refs?{query}");
    let names = |rows: Vec<Value>| -> Vec<String> {
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    let found = names(door.rows(&refs("filter=heads/main")).await);
    assert_eq!(found, ["refs/heads/main", "refs/heads/main-2"]);
    assert!(door.rows(&refs("filter=refs/heads/main")).await.is_empty());
    let all = names(door.rows(&refs("filter=heads/")).await);
    assert_eq!(names(door.pages(&refs("filter=heads/&$top=2")).await), all);
    assert!(all.contains(&"refs/heads/release/2026.1".to_owned()));
    assert!(!all.contains(&"refs/heads/release/2025.2".to_owned()), "deleted before");
}

#[tokio::test]
async fn runs_page_by_token_and_by_finish() {
    let door = Door::small().await;
    let path = "payments/_apis/build/builds?statusFilter=completed&queryOrder=finishTimeAscending&minTime=2026-09-20T00:00:00Z";
    let whole = door.rows(&format!("{path}&$top=5000")).await;
    let paged = door.pages(&format!("{path}&$top=50")).await;
    assert!(whole.len() > 100);
    assert_eq!(whole, paged);
    let finish: Vec<&str> = whole.iter().map(|row| row["finishTime"].as_str().unwrap()).collect();
    let parsed: Vec<_> =
        finish.iter().map(|text| chrono::DateTime::parse_from_rfc3339(text).unwrap()).collect();
    assert!(parsed.is_sorted());
    let both =
        door.rows("payments/_apis/build/builds?statusFilter=completed,inProgress&$top=5000").await;
    let all = door.rows("payments/_apis/build/builds?$top=5000").await;
    assert_eq!(both.len(), all.len());
    assert!(all.iter().any(|row| row["repository"]["type"] == "GitHub"
        && row["sourceBranch"].as_str().unwrap().starts_with("refs/pull/")));
}

#[tokio::test]
async fn a_run_of_a_pull_request_hides_its_source_commit() {
    let door = Door::tiny().await;
    let path = door.example("run-succeeded").await;
    let pull = door.json(&path).await;
    let number = pull["pullRequestId"].as_i64().unwrap();
    let runs = door.rows(&format!("examples/_apis/build/builds?branchName=refs/pull/{number}/merge&reasonFilter=pullRequest")).await;
    let run = runs.iter().find(|run| run["definition"]["name"] == "CodeQL").unwrap();
    let source = pull["lastMergeSourceCommit"]["commitId"].as_str().unwrap();
    assert_ne!(run["sourceVersion"], source);
    let parameters: Value = serde_json::from_str(run["parameters"].as_str().unwrap()).unwrap();
    assert_eq!(parameters["system.pullRequest.sourceCommitId"], source);
    assert_eq!(parameters["system.pullRequest.pullRequestId"], number.to_string());
    assert_eq!(run["triggerInfo"]["pr.number"], number.to_string());
    assert!(run["triggerInfo"].get("pr.sourceSha").is_none());
}

#[tokio::test]
async fn threads_tell_votes_through_the_identities_map() {
    let door = Door::tiny().await;
    let path = door.example("approved").await;
    let threads = door.rows(&format!("{path}/threads")).await;
    let vote = threads
        .iter()
        .find(|own| own["properties"]["CodeReviewThreadType"]["$value"] == "VoteUpdate")
        .unwrap();
    let key = vote["properties"]["CodeReviewVotedByIdentity"]["$value"].as_str().unwrap();
    assert_eq!(vote["identities"][key]["displayName"], "Rita Reviewer");
    assert!(vote["identities"][key]["descriptor"].as_str().unwrap().starts_with("aad."));
    assert_eq!(
        vote["properties"]["CodeReviewVoteResult"],
        json!({"$type": "System.String", "$value": "10"})
    );
    let end = threads
        .iter()
        .find(|own| own["properties"]["CodeReviewThreadType"]["$value"] == "StatusUpdate")
        .unwrap();
    assert_eq!(end["properties"]["BypassPolicy"]["$value"], "False");
    let external = door.rows(&format!("{}/threads", door.example("merged-externally").await)).await;
    assert!(
        external
            .iter()
            .all(|own| own["properties"]["CodeReviewThreadType"]["$value"] != "StatusUpdate")
    );
}

#[tokio::test]
async fn an_unset_state_is_left_out() {
    let door = Door::tiny().await;
    let statuses = door.rows(&format!("{}/statuses", door.example("status-not-set").await)).await;
    assert!(statuses[0].get("state").is_none());
    assert_eq!(statuses[0]["context"]["genre"], "snyk");
}

#[tokio::test]
async fn changes_and_commits_page() {
    let door = Door::tiny().await;
    let path = door.example("path-left-by-rename").await;
    let changes = door.json(&format!("{path}/iterations/1/changes?$compareTo=0&$top=2000")).await;
    assert_eq!(changes["changeEntries"][0]["originalPath"], "/services/pay/a.rs");
    assert_eq!(changes["nextSkip"], 0);
    let path = door.example("run-on-older-commit").await;
    let commits = door.pages(&format!("{path}/commits?$top=1")).await;
    assert_eq!(commits, door.rows(&format!("{path}/commits")).await);
    assert_eq!(commits.len(), 3);
    let iterations = door.rows(&format!("{path}/iterations")).await;
    assert_eq!(iterations[1]["reason"], "push");
    assert_eq!(commits[0]["commitId"], iterations[1]["sourceRefCommit"]["commitId"]);
}

#[tokio::test]
async fn evaluations_want_the_project_id() {
    let door = Door::tiny().await;
    let path = door.example("run-expired-evaluation-approved").await;
    let number = path.rsplit('/').next().unwrap();
    let ask = |project: &str| {
        format!(
            "examples/_apis/policy/evaluations?artifactId=vstfs:///CodeReview/CodeReviewId/{project}/{number}&api-version=7.1-preview.1"
        )
    };
    assert!(door.rows(&ask("examples")).await.is_empty());
    let rows = door.rows(&ask(&door.project("examples").await)).await;
    let build =
        rows.iter().find(|row| row["configuration"]["type"]["displayName"] == "Build").unwrap();
    assert_eq!(build["status"], "approved");
    let pull = door.json(&path).await;
    assert_eq!(
        build["context"]["lastMergeSourceCommitId"],
        pull["lastMergeSourceCommit"]["commitId"]
    );
    let run =
        door.ask(&format!("examples/_apis/build/builds/{}", build["context"]["buildId"])).await;
    assert_eq!(run.status(), 404, "purged long ago");
}

#[tokio::test]
async fn pushes_are_explained_by_pull_requests() {
    let door = Door::small().await;
    let id = door.repository("payments", "api").await;
    let base = format!("payments/_apis/git/repositories/{id}");
    let query = "searchCriteria.refName=refs/heads/main&searchCriteria.includeRefUpdates=true&searchCriteria.fromDate=2026-06-01T00:00:00Z";
    let pushes = door.rows(&format!("{base}/pushes?{query}&$top=100")).await;
    let ids: Vec<i64> = pushes.iter().map(|push| push["pushId"].as_i64().unwrap()).collect();
    assert!(ids.len() > 10 && ids.is_sorted_by(|one, other| one > other), "{ids:?}");
    for pair in pushes.windows(2) {
        assert_eq!(
            pair[0]["refUpdates"][0]["oldObjectId"],
            pair[1]["refUpdates"][0]["newObjectId"]
        );
    }
    let items: Vec<&Value> =
        pushes.iter().map(|push| &push["refUpdates"][0]["newObjectId"]).collect();
    let body = json!({"queries": [{"type": "lastMergeCommit", "items": items}]});
    let url =
        format!("{}/{base}/pullrequestquery?api-version=7.1", door.simulator.organization_url());
    let answer = door
        .client
        .post(url)
        .basic_auth("", Some(door.simulator.token()))
        .json(&body)
        .send()
        .await
        .unwrap();
    let answer: Value = answer.json().await.unwrap();
    let found = answer["results"][0].as_object().unwrap();
    assert!(found.len() > 10);
    for (sha, pulls) in found {
        assert_eq!(pulls[0]["lastMergeCommit"]["commitId"], sha.as_str());
    }
}

#[tokio::test]
async fn a_forced_push_leaves_its_old_commit_behind() {
    let door = Door::tiny().await;
    let id = door.repository("examples", "pushes").await;
    let base = format!("examples/_apis/git/repositories/{id}");
    for (branch, behind) in [("forced-push", 1), ("direct-push", 0)] {
        let push = format!(
            "{base}/pushes?searchCriteria.refName=refs/heads/release/{branch}&searchCriteria.includeRefUpdates=true"
        );
        let update = door.rows(&push).await[0]["refUpdates"][0].clone();
        let (old, new) =
            (update["oldObjectId"].as_str().unwrap(), update["newObjectId"].as_str().unwrap());
        let diff = format!(
            "{base}/diffs/commits?baseVersion={old}&baseVersionType=commit&targetVersion={new}&targetVersionType=commit"
        );
        assert_eq!(door.json(&diff).await["behindCount"], behind, "{branch}");
    }
}

#[tokio::test]
async fn people_are_found_by_descriptor_and_by_id() {
    let door = Door::small().await;
    let users = door.pages("_apis/graph/users?api-version=7.1-preview.1").await;
    assert!(users.len() > 80 && users.iter().any(|user| user["metaType"] == "guest"));
    let services = door.rows("_apis/graph/serviceprincipals?api-version=7.1-preview.1").await;
    assert!(services.iter().all(|own| own["descriptor"].as_str().unwrap().starts_with("aadsp.")));
    let descriptor = users[0]["descriptor"].as_str().unwrap();
    let id = door.json(&format!("_apis/graph/storagekeys/{descriptor}")).await["value"].clone();
    let back =
        door.json(&format!("_apis/graph/descriptors/{}", id.as_str().unwrap())).await["value"]
            .clone();
    assert_eq!(back, descriptor);
}
