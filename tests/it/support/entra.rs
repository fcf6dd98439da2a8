//! A token endpoint as Microsoft Entra has it, for one application, whose tokens are for storage.

use std::collections::HashMap;

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use serde_json::{Value, json};

/// Directory of the application.
pub const TENANT: &str = "6b1c4d0e-58a2-4f0d-9c7b-2a1f3e4d5c6b";
/// The application.
pub const CLIENT_ID: &str = "0d9f8e7c-1a2b-4c3d-8e5f-6a7b8c9d0e1f";
/// Its secret.
pub const SECRET: &str = "the-secret-of-the-application";
/// What a federated issuer says of it.
pub const ASSERTION: &str = "the-word-of-a-federated-issuer";

/// An endpoint under way.
pub struct Entra {
    /// Address, without a slash at its end.
    pub url: String,
}

impl Entra {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let route = axum::routing::post(answer);
        let app = axum::Router::new().route("/{tenant}/oauth2/v2.0/token", route);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url }
    }
}

async fn answer(Path(tenant): Path<String>, body: String) -> Response {
    let form: HashMap<String, String> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let said = |name: &str| form.get(name).map(String::as_str);
    let is_known = match (said("client_secret"), said("client_assertion")) {
        (Some(secret), None) => secret == SECRET,
        (None, Some(assertion)) => assertion == ASSERTION,
        _ => false,
    };
    let is_right = tenant == TENANT
        && said("client_id") == Some(CLIENT_ID)
        && said("grant_type") == Some("client_credentials")
        && said("scope").is_some_and(|scope| scope.starts_with("https://storage.azure.com"));
    if !is_known || !is_right {
        let said = json!({ "error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided." });
        return (StatusCode::UNAUTHORIZED, Json(said)).into_response();
    }
    Json(json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": token() }))
        .into_response()
}

/// A token whose signature nobody can check.
fn token() -> String {
    let now = Utc::now().timestamp();
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({ "typ": "JWT", "alg": "RS256", "kid": "tests" }));
    let body = part(json!({
        "aud": "https://storage.azure.com",
        "iss": format!("https://sts.windows.net/{TENANT}/"),
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + 3_600,
        "appid": CLIENT_ID,
        "tid": TENANT,
        "ver": "1.0",
    }));
    format!("{head}.{body}.{}", BASE64_URL_SAFE_NO_PAD.encode("unsigned"))
}
