//! Checks of one's own, beside the built-in ones or in their place.

use adolake::checks::{self, Queries, Status};
use tempfile::TempDir;

use crate::support::world::{self, settings};

/// A check over `users`, its `select` as given.
pub fn check(select: &str) -> String {
    format!(
        "-- id: own\n-- title: An own check\n-- severity: low\n-- controls: none\n-- reads: repositories\n\
         -- rationale: r\n-- remediation: r\n\n{select}\n"
    )
}

pub const OWN: &str = "select organization, project, repository_id, name as repository, null as branch, \
     null as pull_request_id, name as subject, web_url as resource_url, 'pass' as status, 'SEEN' as reason_code, \
     'It is there.' as reason, '' as flags, '{}' as evidence_json, size_bytes from repositories";

/// Runs a check of one's own on the small organization.
pub async fn own(select: &str) -> Result<checks::CheckRun, String> {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("checks")).unwrap();
    std::fs::write(folder.path().join("checks/own.sql"), check(select)).unwrap();
    let told = |error: checks::Error| {
        error.to_string().replace(&*folder.path().to_string_lossy(), "[folder]")
    };
    let queries = Queries::load(folder.path()).map_err(told)?;
    let lake = world::lake().await;
    let ids = ["own".to_owned()];
    let request = checks::Request { checks: &ids, is_stored: false, ..world::request() };
    checks::run(&lake, &queries, &settings(), &request).await.map_err(told)
}

#[tokio::test]
async fn a_check_of_ones_own_runs() {
    let run = own(OWN).await.unwrap();
    assert_eq!(run.findings.len(), 1);
    let finding = run.findings[0].iter().next().unwrap();
    assert_eq!(finding.resource(), "contoso/payments/api");
    assert_eq!(finding.status, Status::Pass);
}

#[tokio::test]
async fn nothing_passes_by_a_table_that_no_sync_has_read() {
    let adolake = world::installed().await;
    // Nobody was ever listed, so nobody is found that should not be there.
    let select = format!("{OWN} where not exists (select 1 from guests)");
    let own = check(&select).replace("reads: repositories", "reads: repositories, guests");
    adolake.write("mine/checks/own.sql", &own);
    adolake.write(
        "mine/views/guests.sql",
        "-- id: guests\n-- title: Guests\n-- grain: one row per guest\n-- reads: users\n\n\
         select descriptor from users where meta_type = 'guest'\n",
    );
    let run = adolake.run(&["check", "own", "--queries", "mine", "--format", "json"]);
    let json = run.json();
    let finding = &json["findings"][0];
    assert_eq!(finding["status"], "unknown");
    assert_eq!(finding["reason_code"], "TABLE_NOT_READ");
    assert_eq!(finding["reason"], "No sync has read `users` in full; if it is empty: It is there.");
    let run_id = json["run"]["run_id"].as_str().unwrap();
    let verified = adolake.run(&["check", "--verify", run_id]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
}

#[tokio::test]
async fn further_checks_run_beside_the_built_in_ones_and_may_take_their_place() {
    let adolake = world::installed().await;
    adolake.write("mine/own.sql", &check(OWN));
    let with = |extra: &[&str]| {
        let arguments = ["check", "--no-store", "--format", "json", "--fail-on", "never"];
        let ended = adolake.run(&[&arguments, extra].concat());
        let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        json
    };
    let built_in = with(&[]);
    let both = with(&["--queries", "mine"]);
    let ids = |json: &serde_json::Value| -> Vec<String> {
        let summary = json["summary"].as_array().unwrap();
        summary.iter().map(|one| one["check_id"].as_str().unwrap().to_owned()).collect()
    };
    let mut expected = ids(&built_in);
    expected.insert(2, "own".to_owned());
    assert_eq!(ids(&both), expected);
    let id = "pull_request_approved";
    let mine = check(OWN).replace("-- id: own", &format!("-- id: {id}"));
    adolake.write(&format!("mine/checks/{id}.sql"), &mine);
    let replaced = with(&["--queries", "mine"]);
    assert_eq!(ids(&replaced), expected);
    let told = "`mine/checks/pull_request_approved.sql` stands in place of the built-in `pull_request_approved`";
    assert_eq!(replaced["run"]["warnings"], serde_json::json!([told]));
}

#[tokio::test]
async fn the_contract_of_checks_is_enforced() {
    let with = |from: &str, to: &str| OWN.replace(from, to);
    let breaches = [
        with("'pass' as status", "'passed' as status"),
        with("'pass' as status", "null as status"),
        with("null as branch, ", ""),
        with("null as pull_request_id", "'x' as pull_request_id"),
        with("'' as flags", "'B,A' as flags"),
        with("'' as flags", "'late' as flags"),
        with("'{}' as evidence_json", "'{' as evidence_json"),
        with("'It is there.' as reason", "'' as reason"),
        format!("{OWN} union all {OWN}"),
        with("size_bytes from", "size_bytes, 1 as size_bytes from"),
    ];
    let mut told = Vec::new();
    for select in breaches {
        told.push(own(&select).await.unwrap_err());
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn broken_queries_are_named_with_file_and_line() {
    let mut told = Vec::new();
    for select in [
        "select 1 frm repositories where",
        "select organization,\n    nonsense\nfrom repositories",
        "select nosuch(organization) as organization from repositories",
        "select * from repositories join nowhere on true",
        "select * from repositories where first_seen_at < now()",
        "select cast('x' as bigint) from repositories group by 1 having",
        "insert into repositories values (1)",
    ] {
        told.push(own(select).await.unwrap_err());
    }
    let parts = OWN.split(" as repository,").next().unwrap();
    let failing = OWN.replace(
        parts,
        "select organization, project, repository_id, cast(cast(name as bigint) as varchar)",
    );
    told.push(own(&failing).await.unwrap_err());
    insta::assert_snapshot!(told.join("\n"));
}
