//! The simulated directory itself: what it demands of clients, adolake or not.

use std::time::Duration;

use serde_json::Value;

use super::{Simulator, world};

const SCOPE: &str = "499b84ac-1321-427f-aa17-267ca6975798/.default offline_access";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Posts a form to an endpoint of the tenant; the application is added.
async fn post(simulator: &Simulator, endpoint: &str, form: &[(&str, &str)]) -> Value {
    let url = format!("{}/{}/oauth2/v2.0/{endpoint}", simulator.url(), simulator.tenant());
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &simulator.client_id())
        .extend_pairs(form)
        .finish();
    let answer = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

async fn get(url: &str) -> reqwest::Response {
    let policy = reqwest::redirect::Policy::none();
    reqwest::Client::builder().redirect(policy).build().unwrap().get(url).send().await.unwrap()
}

#[tokio::test]
async fn a_device_code_has_its_pace_its_end_and_one_use() {
    let simulator = world(None).await;
    let begin = async || post(&simulator, "devicecode", &[("scope", SCOPE)]).await;
    let ask = async |code: &Value| {
        let code = code["device_code"].as_str().unwrap();
        let form = [("grant_type", DEVICE), ("device_code", code)];
        let answer = post(&simulator, "token", &form).await;
        answer["error"].as_str().unwrap_or("token").to_owned()
    };
    let code = begin().await;
    assert_eq!(ask(&code).await, "authorization_pending");
    assert_eq!(ask(&code).await, "slow_down");
    let page = code["verification_uri"].as_str().unwrap();
    get(&format!("{page}?otc={}", code["user_code"].as_str().unwrap())).await;
    assert_eq!(ask(&code).await, "token");
    assert_eq!(ask(&code).await, "bad_verification_code");

    let late = begin().await;
    simulator.advance(Duration::from_secs(900));
    assert_eq!(ask(&late).await, "expired_token");
}

/// Goes through the sign-in page; returns the code that the browser brings back.
async fn code(simulator: &Simulator, challenge: &str) -> String {
    let page = format!(
        "{}/{}/oauth2/v2.0/authorize?client_id={}&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A5&state=s\
         &code_challenge={challenge}&code_challenge_method=S256",
        simulator.url(),
        simulator.tenant(),
        simulator.client_id()
    );
    let place = get(&page).await.headers()["location"].to_str().unwrap().to_owned();
    let query = url::Url::parse(&place).unwrap();
    query.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

#[tokio::test]
async fn a_code_is_good_once_and_only_with_its_verifier() {
    let simulator = world(None).await;
    // RFC 7636, appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let redeem = async |code: &str, verifier: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", "http://localhost:5"),
            ("code_verifier", verifier),
        ];
        post(&simulator, "token", &form).await
    };
    let first = code(&simulator, challenge).await;
    assert_eq!(redeem(&first, "guessed").await["error_codes"][0], 501_481);
    let second = code(&simulator, challenge).await;
    let answer = redeem(&second, verifier).await;
    assert!(answer["access_token"].is_string(), "{answer}");
    assert_eq!(redeem(&second, verifier).await["error_codes"][0], 54_005);

    let refresh = async |token: &Value| {
        let token = token["refresh_token"].as_str().unwrap();
        post(&simulator, "token", &[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    };
    let next = refresh(&answer).await;
    assert_ne!(next["refresh_token"], answer["refresh_token"]);
    assert_eq!(refresh(&answer).await["error"], "invalid_grant");
    simulator.revoke_refresh_tokens();
    assert_eq!(refresh(&next).await["error"], "invalid_grant");
}

#[tokio::test]
async fn only_a_redirect_to_this_machine_is_taken() {
    let simulator = world(None).await;
    let page = format!(
        "{}/{}/oauth2/v2.0/authorize?client_id={}&response_type=code&redirect_uri=https%3A%2F%2Fevil.example\
         &code_challenge=x&code_challenge_method=S256",
        simulator.url(),
        simulator.tenant(),
        simulator.client_id()
    );
    let answer = get(&page).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("AADSTS50011"));
}
