//! Sign-in, versions, errors, headers, faults.

use adolake::simulator::{Faults, Options};
use serde_json::Value;

use super::Door;

#[tokio::test]
async fn a_bad_token_is_sent_to_the_sign_in_page() {
    let door = Door::tiny().await;
    let url = format!("{}/_apis/projects?api-version=7.1", door.simulator.organization_url());
    let answer = door.client.get(&url).basic_auth("", Some("wrong")).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    assert!(answer.headers()["x-tfs-serviceerror"].to_str().unwrap().contains("expired"));
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    let page = door.client.get(place).send().await.unwrap();
    assert_eq!(page.status(), 203);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));

    let suppressed =
        door.client.get(&url).header("X-TFS-FedAuthRedirect", "Suppress").send().await.unwrap();
    assert_eq!(suppressed.status(), 401);
    let body: Value = suppressed.json().await.unwrap();
    assert_eq!(body["typeKey"], "UnauthorizedRequestException");
    let patch = door.client.patch(&url).send().await.unwrap();
    assert_eq!(patch.status(), 401);
}

#[tokio::test]
async fn both_kinds_of_token_are_taken_and_sloppy_base64_is_not() {
    let door = Door::tiny().await;
    let url = format!("{}/_apis/projects?api-version=7.1", door.simulator.organization_url());
    let with = |value: &str| door.client.get(&url).header("authorization", value).send();
    assert_eq!(with("Bearer simulated-token").await.unwrap().status(), 200);
    assert_eq!(with("Basic OnNpbXVsYXRlZC10b2tlbg==").await.unwrap().status(), 200);
    assert_eq!(with("Basic OnNpbXVsYXRlZC10b2tlbg===").await.unwrap().status(), 302);
}

#[tokio::test]
async fn the_api_version_is_demanded() {
    let door = Door::tiny().await;
    let base = door.simulator.organization_url();
    let ask = |path: &str| {
        door.client
            .get(format!("{base}/{path}"))
            .basic_auth("", Some(door.simulator.token()))
            .send()
    };
    assert_eq!(ask("_apis/projects").await.unwrap().status(), 400);
    assert_eq!(ask("_apis/projects?api-version=9.9").await.unwrap().status(), 400);
    let in_accept = door
        .client
        .get(format!("{base}/_apis/projects"))
        .header("accept", "application/json;api-version=7.1")
        .basic_auth("", Some(door.simulator.token()))
        .send();
    assert_eq!(in_accept.await.unwrap().status(), 200);
    for path in ["graph/users", "graph/serviceprincipals"] {
        assert_eq!(ask(&format!("_apis/{path}?api-version=7.1")).await.unwrap().status(), 400);
        assert_eq!(
            ask(&format!("_apis/{path}?api-version=7.1-preview.1")).await.unwrap().status(),
            200
        );
    }
    let refused: Value = ask("payments/_apis/policy/evaluations?api-version=7.1")
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(refused["typeKey"], "VssInvalidPreviewVersionException");
}

#[tokio::test]
async fn errors_have_the_documented_shape() {
    let door = Door::tiny().await;
    let missing = door.ask("payments/_apis/git/repositories/nothing/refs").await;
    assert_eq!(missing.status(), 404);
    let body: Value = missing.json().await.unwrap();
    assert!(body["message"].as_str().unwrap().starts_with("TF401019"));
    assert_eq!(body["typeKey"], "GitRepositoryNotFoundException");
    assert_eq!(door.ask("nowhere/_apis/git/repositories").await.status(), 404);
    let wrong = door.ask("payments/_apis/build/builds?repositoryId=abc").await;
    assert_eq!(wrong.status(), 400);
    let disabled = door.repository("examples", "disabled").await;
    assert_eq!(
        door.ask(&format!("examples/_apis/git/repositories/{disabled}/refs")).await.status(),
        404
    );
    assert_eq!(
        door.json(&format!("examples/_apis/git/repositories/{disabled}")).await["isDisabled"],
        true
    );
}

#[tokio::test]
async fn the_date_is_that_of_its_own_clock() {
    let door = Door::tiny().await;
    let date = |answer: reqwest::Response| answer.headers()["date"].to_str().unwrap().to_owned();
    assert_eq!(date(door.ask("_apis/projects").await), "Thu, 01 Oct 2026 08:00:00 GMT");
    door.simulator.advance(super::DAY);
    assert_eq!(date(door.ask("_apis/projects").await), "Fri, 02 Oct 2026 08:00:00 GMT");
    let control = format!("{}/_simulator/clock", door.simulator.url());
    let answer = door.client.post(control).body("{\"advance_s\": 60}").send().await.unwrap();
    let stats: Value = answer.json().await.unwrap();
    assert_eq!(stats["now"], "2026-10-02T08:01:00Z");
    assert_eq!(
        (stats["requests"].as_u64(), stats["routes"]["projects"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!(door.simulator.requests().routes["projects"], 2);
}

#[tokio::test]
async fn the_clock_goes_no_further_than_times_can_be_written() {
    let door = Door::tiny().await;
    let control = format!("{}/_simulator/clock", door.simulator.url());
    for seconds in ["-1", "1000000000000", "9200000000000000000"] {
        let body = format!("{{\"advance_s\": {seconds}}}");
        let answer = door.client.post(&control).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{seconds}");
    }
    let answer = door.ask("_apis/projects").await;
    assert_eq!(answer.headers()["date"], "Thu, 01 Oct 2026 08:00:00 GMT");
}

#[tokio::test]
async fn the_tenant_is_told_without_a_token() {
    let door = Door::tiny().await;
    let answer = door.client.head(door.simulator.organization_url()).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["x-vss-resourcetenant"].len(), 36);
}

#[tokio::test]
async fn who_am_i_and_where() {
    let door = Door::tiny().await;
    let me = door.ask_url(&format!("{}/_apis/profile/profiles/me", door.simulator.url())).await;
    let me: Value = me.json().await.unwrap();
    let data = door.json("_apis/connectionData").await;
    assert_eq!(data["authenticatedUser"]["id"], me["id"]);
    let url =
        format!("{}/_apis/accounts?memberId={}", door.simulator.url(), me["id"].as_str().unwrap());
    let accounts: Value = door.ask_url(&url).await.json().await.unwrap();
    assert_eq!(accounts["value"][0]["accountName"], "contoso");
}

#[tokio::test]
async fn faults_come_when_asked_for() {
    let faults: Faults = "throttle=3,sign-in=1,error=2,truncate=4,reset=5,drop=7".parse().unwrap();
    let door = Door::open(Options { faults, ..Options::default() }).await;
    assert_eq!(door.ask("_apis/projects").await.status(), 203);
    assert_eq!(door.ask("_apis/projects").await.status(), 500);
    let throttled = door.ask("_apis/projects").await;
    assert_eq!(
        (throttled.status().as_u16(), throttled.headers()["retry-after"].to_str().unwrap()),
        (429, "0")
    );
    let cut = door.ask("_apis/projects").await.text().await.unwrap();
    assert!(serde_json::from_str::<Value>(&cut).is_err());
    let url = format!("{}/_apis/projects?api-version=7.1", door.simulator.organization_url());
    let broken = async || {
        door.client.get(&url).bearer_auth(door.simulator.token()).send().await?.text().await
    };
    assert!(broken().await.is_err());
    assert_eq!(door.ask("_apis/projects").await.status(), 429);
    assert!(broken().await.is_err());
    assert_eq!(door.ask("_apis/projects").await.status(), 200);
}

#[tokio::test]
async fn answers_are_compressed_for_who_takes_them() {
    let faults: Faults = "short=3,reset=4".parse().unwrap();
    let door = Door::open(Options { faults, ..Options::default() }).await;
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let url = format!("{}/_apis/projects?api-version=7.1", door.simulator.organization_url());
    let ask = async |accepted: &str| {
        let request = plain.get(&url).basic_auth("", Some(door.simulator.token()));
        let answer = request.header("accept-encoding", accepted).send().await?;
        let encoding = answer.headers().get("content-encoding").cloned();
        answer.bytes().await.map(|body| (encoding, body))
    };
    let (encoding, whole) = ask("identity").await.unwrap();
    assert_eq!((encoding, whole.starts_with(b"{\"count\":")), (None, true));
    let (encoding, packed) = ask("gzip").await.unwrap();
    assert_eq!((encoding.unwrap().to_str().unwrap(), &packed[..2]), ("gzip", &[0x1f, 0x8b][..]));
    assert!(packed.len() < whole.len() / 2, "{} of {}", packed.len(), whole.len());
    // Broken lines break in the middle of what is packed.
    assert!(ask("gzip").await.is_err());
    assert!(ask("gzip").await.is_err());
    assert_eq!(door.ask("_apis/projects").await.bytes().await.unwrap(), whole);
}

#[tokio::test]
async fn who_comes_inside_a_pause_is_refused_and_counted() {
    let faults: Faults = "throttle=2,retry-after=7".parse().unwrap();
    let door = Door::open(Options { faults, ..Options::default() }).await;
    assert_eq!(door.ask("_apis/projects").await.status(), 200);
    for _ in 0..2 {
        let refused = door.ask("_apis/projects").await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["retry-after"], "7");
        assert_eq!(refused.headers()["date"], "Thu, 01 Oct 2026 08:00:00 GMT");
    }
    let manners = door.simulator.manners();
    assert_eq!((manners.pauses, manners.early), (1, 1));
    let stats = door.ask_url(&format!("{}/_simulator/stats", door.simulator.url())).await;
    let stats: Value = stats.json().await.unwrap();
    assert_eq!(
        (&stats["sent_during_pauses"], &stats["faults"]["throttle"]),
        (&1.into(), &1.into())
    );
    door.simulator.disturb(Faults::default());
    assert_eq!(door.ask("_apis/projects").await.status(), 200);
    assert_eq!(door.simulator.arrived(), 4);
}

#[tokio::test]
async fn a_page_can_be_repeated() {
    let faults: Faults = "repeat-page=1".parse().unwrap();
    let door = Door::open(Options { faults, ..Options::default() }).await;
    let first = door.rows("_apis/projects?$top=1").await;
    let second = door.rows("_apis/projects?$top=1&continuationToken=1").await;
    let again = door.rows("_apis/projects?$top=1&continuationToken=1").await;
    assert_eq!(first, second);
    assert_ne!(first, again);
}
