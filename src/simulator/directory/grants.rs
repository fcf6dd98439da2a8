//! The ways to a token: an application's own, a person's by a code or through a browser, and a refresh token's.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::assertion::{self, Claimed};
use super::{Code, Device, Directory, RESOURCE, State, refusal};
use crate::simulator::answer::{Answer, Request};
use crate::simulator::time::{MINUTE, Time};

const BAD: StatusCode = StatusCode::BAD_REQUEST;
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Fields of a form.
struct Form(HashMap<String, String>);

impl Form {
    fn of(request: &Request) -> Form {
        Form(url::form_urlencoded::parse(&request.body).into_owned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn has_scope(&self, wanted: &str) -> bool {
        self.get("scope").split(' ').any(|scope| scope == wanted)
    }
}

impl Directory {
    /// Checks tenant and application; tells whether the token is one of a stranger.
    fn known(&self, tenant: &str, client: &str) -> Result<bool, Answer> {
        let is_home = tenant.eq_ignore_ascii_case(&self.tenant()) || tenant == "organizations";
        if !is_home && !tenant.eq_ignore_ascii_case(&self.other_tenant()) {
            let text = format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into \
                 the correct cloud."
            );
            return Err(refusal(BAD, "invalid_request", Some(90_002), &text));
        }
        if client != self.client() && client != self.stranger() {
            let text = format!(
                "Application with identifier '{client}' was not found in the directory 'Contoso'. This can happen if \
                 the application has not been installed by the administrator of the tenant."
            );
            return Err(refusal(BAD, "unauthorized_client", Some(700_016), &text));
        }
        Ok(!is_home || client == self.stranger())
    }

    pub(super) fn token(&self, tenant: &str, request: &Request, now: Time) -> Answer {
        let form = Form::of(request);
        let client = form.get("client_id");
        let is_stranger = match self.known(tenant, client) {
            Ok(is_stranger) => is_stranger,
            Err(refused) => return refused,
        };
        let mut state = self.lock();
        let allowed = match form.get("grant_type") {
            "client_credentials" => self.application(&form, request).map(|()| false),
            DEVICE => self.device(&mut state, &form, now).map(|()| true),
            "refresh_token" => refresh(&mut state, &form).map(|()| true),
            "authorization_code" => code(&mut state, &form).map(|()| true),
            other => {
                let text = format!("The app requested an unsupported grant type '{other}'.");
                Err(refusal(BAD, "unsupported_grant_type", Some(70_003), &text))
            }
        };
        let is_person = match allowed {
            Ok(is_person) => is_person,
            Err(refused) => return refused,
        };
        let access = self.issue(&mut state, now, is_stranger);
        // A person gets a new refresh token each time, and the used one is no good any more.
        let refresh = is_person.then(|| {
            let token = state.name(self.seed, "refresh");
            state.refresh.insert(token.clone(), client.to_owned());
            token
        });
        let lifetime = i64::try_from(self.accepted.token_lifetime.as_secs()).unwrap_or(i64::MAX);
        Answer::object(|json| {
            json.str("token_type", "Bearer")
                .int("expires_in", lifetime)
                .int("ext_expires_in", lifetime);
            json.str("access_token", &access);
            if let Some(refresh) = &refresh {
                json.str("scope", &format!("{RESOURCE}/.default")).str("refresh_token", refresh);
            }
        })
    }

    /// An application proves itself with a secret, a certificate, or the token of another issuer.
    fn application(&self, form: &Form, request: &Request) -> Result<(), Answer> {
        let unauthorized = StatusCode::UNAUTHORIZED;
        let client = form.get("client_id");
        if form.get("scope") != format!("{RESOURCE}/.default") {
            let text = "The provided value for scope is not valid. Client credential flows must have a scope value with /.default.";
            return Err(refusal(BAD, "invalid_scope", Some(1_002_012), text));
        }
        let (secret, statement) = (form.get("client_secret"), form.get("client_assertion"));
        if !secret.is_empty() {
            if secret == self.accepted.secret {
                return Ok(());
            }
            if secret == format!("{}-expired", self.accepted.secret) {
                let text =
                    format!("The provided client secret keys for app '{client}' are expired.");
                return Err(refusal(unauthorized, "invalid_client", Some(7_000_222), &text));
            }
            // The real service does not echo the secret; a client must be safe from one that does.
            let text = format!(
                "Invalid client secret provided ({secret}). Ensure the secret being sent in the request is the client \
                 secret value, not the client secret ID, for a secret added to app '{client}'."
            );
            return Err(refusal(unauthorized, "invalid_client", Some(7_000_215), &text));
        }
        if statement.is_empty() || form.get("client_assertion_type") != ASSERTION {
            let text = "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.";
            return Err(refusal(BAD, "invalid_request", Some(7_000_216), text));
        }
        let address = format!("/{}", request.path.join("/"));
        match assertion::check(statement, client, &address, self.accepted.certificate.as_deref()) {
            Claimed::Good => Ok(()),
            Claimed::Bad(code, text) => {
                Err(refusal(unauthorized, "invalid_client", Some(code), text))
            }
        }
    }

    pub(super) fn device_code(&self, tenant: &str, request: &Request, now: Time) -> Answer {
        let form = Form::of(request);
        if let Err(refused) = self.known(tenant, form.get("client_id")) {
            return refused;
        }
        if !form.has_scope("offline_access") || !form.has_scope(&format!("{RESOURCE}/.default")) {
            return refusal(
                BAD,
                "invalid_scope",
                Some(70_011),
                "The provided value for scope is not valid.",
            );
        }
        let mut state = self.lock();
        let code = state.name(self.seed, "device");
        let user_code: String =
            code.chars().rev().filter(char::is_ascii_alphanumeric).take(9).collect();
        let user_code = user_code.to_uppercase();
        let page = request
            .header("host")
            .map_or_else(String::new, |host| format!("http://{host}/devicelogin"));
        let device = Device {
            user_code: user_code.clone(),
            client: form.get("client_id").to_owned(),
            ends: now.plus(15 * MINUTE),
            decision: None,
            asked_at: None,
        };
        state.devices.insert(code.clone(), device);
        let interval = i64::try_from(self.accepted.interval_s).unwrap_or(i64::MAX);
        Answer::object(|json| {
            json.str("user_code", &user_code)
                .str("device_code", &code)
                .str("verification_uri", &page);
            json.int("expires_in", 900).int("interval", interval);
            json.str("message", &format!("To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."));
        })
    }

    fn device(&self, state: &mut State, form: &Form, now: Time) -> Result<(), Answer> {
        let name = form.get("device_code");
        let Some(device) =
            state.devices.get_mut(name).filter(|one| one.client == form.get("client_id"))
        else {
            return Err(refusal(
                BAD,
                "bad_verification_code",
                Some(70_018),
                "Invalid verification code.",
            ));
        };
        if device.ends <= now {
            return Err(refusal(
                BAD,
                "expired_token",
                Some(70_020),
                "The provided value for the 'code' is expired.",
            ));
        }
        let pause = Duration::from_secs(self.accepted.interval_s);
        // Half the pause is allowed: clocks of clients are coarse.
        let is_hasty = device.asked_at.is_some_and(|at| at.elapsed() < pause / 2);
        device.asked_at = Some(Instant::now());
        match device.decision {
            None if is_hasty => Err(refusal(BAD, "slow_down", None, "asked too often")),
            None => {
                let text =
                    "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
                Err(refusal(BAD, "authorization_pending", Some(70_016), text))
            }
            Some(false) => {
                Err(refusal(BAD, "authorization_declined", Some(70_019), "The user declined."))
            }
            Some(true) => {
                state.devices.remove(name);
                Ok(())
            }
        }
    }

    /// The page on which a person enters the code: `?otc=CODE`, with `&decline=true` to say no.
    pub(super) fn enter(&self, request: &Request) -> Answer {
        let mut state = self.lock();
        let entered = request.query("otc").unwrap_or_default();
        match state.devices.values_mut().find(|device| device.user_code == entered) {
            Some(device) => {
                device.decision = Some(!request.flag("decline"));
                Answer::html(StatusCode::OK, "<html><body>You have signed in.</body></html>")
            }
            None => {
                Answer::html(StatusCode::OK, "<html><body>That code did not work.</body></html>")
            }
        }
    }

    /// The page on which a person signs in; here it sends the browser back at once.
    pub(super) fn authorize(&self, tenant: &str, request: &Request) -> Answer {
        let field = |name: &str| request.query(name).unwrap_or_default().to_owned();
        let redirect = field("redirect_uri");
        let wrong =
            |text: &str| Answer::html(StatusCode::OK, &format!("<html><body>{text}</body></html>"));
        if self.known(tenant, &field("client_id")).is_err() {
            return wrong("AADSTS700016");
        }
        let is_loopback = url::Url::parse(&redirect)
            .is_ok_and(|url| url.scheme() == "http" && url.host_str() == Some("localhost"));
        if !is_loopback {
            return wrong("AADSTS50011: The redirect URI does not match.");
        }
        if field("code_challenge_method") != "S256" || field("response_type") != "code" {
            return wrong("AADSTS900144");
        }
        let mut state = self.lock();
        let name = state.name(self.seed, "code");
        let place = if request.flag("decline") {
            format!(
                "{redirect}/?error=access_denied&error_description=the+user+declined&state={}",
                field("state")
            )
        } else {
            format!("{redirect}/?code={name}&state={}", field("state"))
        };
        let code =
            Code { client: field("client_id"), redirect, challenge: field("code_challenge") };
        state.codes.insert(name, code);
        Answer::html(StatusCode::FOUND, "").with("location", place)
    }
}

fn refresh(state: &mut State, form: &Form) -> Result<(), Answer> {
    match state.refresh.remove(form.get("refresh_token")) {
        Some(client) if client == form.get("client_id") => Ok(()),
        _ => {
            let text = "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user \
                        might have changed or reset their password.";
            Err(refusal(BAD, "invalid_grant", Some(50_173), text))
        }
    }
}

fn code(state: &mut State, form: &Form) -> Result<(), Answer> {
    let Some(code) = state.codes.remove(form.get("code")) else {
        let text =
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code.";
        return Err(refusal(BAD, "invalid_grant", Some(54_005), text));
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier").as_bytes()));
    if challenge != code.challenge {
        let text = "The Code_Verifier does not match the code_challenge supplied in the authorization request.";
        return Err(refusal(BAD, "invalid_grant", Some(501_481), text));
    }
    if code.client != form.get("client_id") || code.redirect != form.get("redirect_uri") {
        let text = "Reply address does not match the one of the authorization request.";
        return Err(refusal(BAD, "invalid_grant", Some(500_112), text));
    }
    Ok(())
}
