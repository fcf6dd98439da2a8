//! Settings and arguments that fit nothing, contradict each other, or are wrong.

use super::own::{OWN, check};
use crate::support::world;

#[tokio::test]
async fn settings_that_fit_nothing_are_warned_of() {
    let adolake = world::installed().await;
    let exception = |subject: &str| {
        format!(
            "[[exception]]\nmatch = \"{subject}\"\nreason = \"r\"\napproved-by = \"a\"\nexpires = 2031-01-01\n\n"
        )
    };
    let text = adolake.read("adolake.toml").replace("2026-01-01", "2030-01-01")
        + "\n[[repository]]\nmatch = \"contoso/paymens/*\"\nin-scope = false\n\n[[repository]]\nmatch = \"contoso/*/API\"\nrequire = \"all\"\n\n"
        + &exception("contoso/payments/api!1")
        + &exception("contoso/payments/api!99")
        + &exception("contoso/payments/*!*")
        + &exception("contoso/payments/api@abcdef0123456789abcdef0123456789abcdef01");
    adolake.write("slips.toml", &text);
    let ended = adolake.run(&["check", "--config", "slips.toml", "--no-store", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let warnings: Vec<&str> = json["run"]["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| warning.as_str().unwrap())
        .collect();
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
    assert!(
        warnings[0].starts_with("the start date 2030-01-01T00:00:00Z lies after the last sync")
    );
    assert!(warnings[1].contains("`contoso/paymens/*` fits no repository"));
    assert!(warnings[2].contains("`contoso/payments/api!99` names nothing"));
    assert!(
        warnings[3].contains(
            "`contoso/payments/api@abcdef0123456789abcdef0123456789abcdef01` names nothing"
        )
    );
    assert_eq!(
        json["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["pull_request_id"].is_number())
            .count(),
        0
    );
}

#[tokio::test]
async fn settings_that_contradict_what_is_there_are_warned_of() {
    let adolake = world::installed().await;
    let exception = |subject: &str, expires: &str| {
        format!(
            "[[exception]]\nmatch = \"{subject}\"\nreason = \"r\"\napproved-by = \"a\"\nexpires = {expires}\n\n"
        )
    };
    let text = adolake.read("adolake.toml")
        + "\n[[repository]]\nmatch = \"contoso/payments/api\"\ngone-since = 2026-03-01\n\
           service-identities = [\"ANN@*\", \"dependabot@*\"]\n\n"
        + &exception("contoso/payments/api!1", "2025-12-31")
        + &exception("contoso/paymens/*!*", "2027-01-01")
        + &exception("contoso/payments/*!4*", "2027-01-01");
    adolake.write("adolake.toml", &text);
    let select = format!("{OWN} where repository_id in (select repository_id from pushes)");
    let own = check(&select).replace("reads: repositories", "reads: repositories, pushes");
    adolake.write("mine/own.sql", &own);
    let arguments = [
        "check",
        "own",
        "--no-store",
        "--fail-on",
        "never",
        "--format",
        "json",
        "--queries",
        "mine",
    ];
    let warnings = |extra: &[&str]| {
        let json = adolake.run(&[&arguments, extra].concat()).json();
        let warnings = json["run"]["warnings"].as_array().unwrap().clone();
        warnings.iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings(&["--since", "2026-09-01"]),
        [
            "the period begins at 2026-09-01T00:00:00Z, after what is judged ends, 2026-06-01T08:00:00Z: nothing is judged",
            "exception `contoso/payments/api!1` expired on 2025-12-31, before the start date: it covers nothing",
            "exception `contoso/paymens/*!*` fits no repository that was read",
            "`service-identities` names `dependabot@*`, which fits nobody that was read",
            "`gone-since` is set for `contoso/payments/api`, which can be seen",
            "`own` reads table `pushes`, which no sync of `contoso` has read in full: what would pass is unknown",
        ]
    );
}

#[tokio::test]
async fn what_a_user_gets_wrong_is_told() {
    let adolake = world::installed().await;
    adolake.write("mine/checks/own.sql", &check("select nonsense from repositories"));
    adolake.write("bad/checks/own.sql", "-- id: own\n-- titel: x\n");
    let unknown = check("select $floor from repositories");
    adolake.write("loose/own.sql", &unknown);
    let declared = OWN.replace("'SEEN'", "concat('SEEN_', $floor)");
    let declared =
        check(&declared).replace("-- rationale", "-- params: floor bigint\n-- rationale");
    adolake.write("given/own.sql", &declared);
    adolake.write("twice/own.sql", &check(OWN));
    adolake.write("twice/checks/own.sql", &check(OWN));
    let view = "-- id: users\n-- title: t\n-- grain: g\n-- reads: repositories\n\nselect 1 as one from repositories\n";
    adolake.write("hiding/views/users.sql", view);
    adolake.write("named/other.sql", &check(OWN));
    adolake.write("vague/own.sql", &check(OWN).replace("controls: none", "controls: SOC2"));
    adolake.write("empty/readme.md", "");
    let mut told = Vec::new();
    for args in [
        &["check", "pull_request_aproved"][..],
        &["check", "--queries", "mine"],
        &["check", "--queries", "bad"],
        &["check", "--queries", "loose"],
        &["check", "own", "--queries", "given"],
        &["check", "own", "--queries", "given", "--set", "floor=low"],
        &["check", "--queries", "twice"],
        &["check", "--queries", "hiding"],
        &["check", "--queries", "named"],
        &["check", "--queries", "vague"],
        &["check", "--queries", "empty"],
        &["check", "--queries", "nowhere"],
        &["check", "--since", "yesterday"],
        &["check", "--set", "floor=3"],
        &["check", "--set", "floor"],
        &["check", "--set", "floor=1", "--set", "floor=2"],
        &["check", "--as-of", "2999-01-01"],
        &["check", "--export", "x.xls"],
    ] {
        told.push(format!("$ adolake {}\n{}", args.join(" "), adolake.run(args).told()));
    }
    insta::assert_snapshot!(told.join("\n"));
}
