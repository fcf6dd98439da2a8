//! What an HTTP answer means: data, nothing, try again, signed out, or an error for good.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::Semaphore;

use super::error::Error;
use crate::task::outcome;

/// Longest message of the service that is passed on, characters.
const MESSAGE: usize = 400;

/// Bytes from which on reading a body would keep other answers waiting.
const LONG_BODY: usize = 64 << 10;

/// How many of those are read at once, in all of the process.
static LONG_AT_ONCE: Semaphore = Semaphore::const_new(2);

/// A value that Azure DevOps answered, with where it comes from.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The answer, read.
    pub value: T,
    /// Time of the service when it answered: the `Date` header, else that of the latest answer moved on.
    pub seen_at: DateTime<Utc>,
    /// Address that was asked; holds no secrets.
    pub url: String,
    /// The api-version that was asked for.
    pub api_version: &'static str,
    /// The answer as text, where the call kept it.
    pub raw: Option<Bytes>,
    /// `x-ms-continuationtoken`: names the next page.
    pub continuation: Option<String>,
}

impl<T> Answer<T> {
    /// Returns the same answer with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: change(self.value),
            seen_at: self.seen_at,
            url: self.url,
            api_version: self.api_version,
            raw: self.raw,
            continuation: self.continuation,
        }
    }
}

impl<T> Answer<Option<T>> {
    /// Returns the answer with its content; no content counts as missing.
    pub(super) fn present(self) -> Result<Answer<T>, Error> {
        let Self { value, seen_at, url, api_version, raw, continuation } = self;
        match value {
            Some(value) => Ok(Answer { value, seen_at, url, api_version, raw, continuation }),
            None => {
                Err(Error::NotFound { address: url, message: "status 204, no content".to_owned() })
            }
        }
    }
}

/// Why an attempt gave no data, and whether another may.
#[derive(Debug)]
pub(super) enum Failure {
    /// Try again after a wait of our own.
    Retry(Error),
    /// Refused for the moment: the gate decides when to try again.
    Throttled,
    /// Looks signed out: once more, maybe with a new token.
    SignedOut(Error),
    /// Trying again would not help.
    Final(Error),
}

/// The part of a [TFS error](https://learn.microsoft.com/rest/api/azure/devops/) that is of use.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Complaint {
    message: Option<String>,
    type_key: Option<String>,
    value: Option<Wrapped>,
}

/// The form of older servers: `{"count": 1, "value": {"Message": "…"}}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapped {
    message: String,
}

/// Sorts an answer by status and content type; `None` is a success without content.
pub(super) fn classify(
    address: &str,
    status: u16,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Option<Bytes>, Failure> {
    let address = || address.to_owned();
    let body = without_mark(body);
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("no content type");
    let is_page = content_type.contains("html") || first_sign(&body) == Some(b'<');
    let named = || service_error(headers).or_else(|| page_error(&body).filter(|_| is_page));
    let signed_out = |what: String| {
        let reason = named().unwrap_or(what);
        Failure::SignedOut(Error::SignedOut { address: address(), reason })
    };
    match status {
        204 => return Ok(None),
        203 => return Err(signed_out("status 203, a sign-in page".to_owned())),
        200..=299 if is_page => return Err(signed_out("an HTML page instead of data".to_owned())),
        200..=299 if !content_type.contains("json") => {
            let content_type = tame(content_type);
            return Err(Failure::Final(Error::NotJson { address: address(), content_type }));
        }
        200..=299 if !is_whole(&body) => {
            return Err(Failure::Retry(Error::CutOff { address: address() }));
        }
        200..=299 => return Ok(Some(body)),
        300..=399 => {
            let to = header(headers, LOCATION.as_str()).unwrap_or_default();
            let to = to.split(['?', '#']).next().unwrap_or_default().to_owned();
            return Err(signed_out(format!("status {status}, redirected to `{to}`")));
        }
        429 => return Err(Failure::Throttled),
        503 if headers.contains_key(RETRY_AFTER) => return Err(Failure::Throttled),
        _ => {}
    }
    let complaint: Complaint = serde_json::from_slice(&body).unwrap_or_default();
    let type_key = complaint.type_key.unwrap_or_default();
    let is_text = content_type.starts_with("text/plain");
    let message = named()
        .or(complaint.message.or(complaint.value.map(|value| value.message)))
        .or_else(|| is_text.then(|| String::from_utf8_lossy(&body).into_owned()))
        .map(|message| tame(&message))
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| format!("status {status}"));
    let is_missing = |key: &str| key.ends_with("NotFoundException") || key.contains("DoesNotExist");
    Err(match status {
        401 => signed_out(message),
        403 => Failure::Final(Error::Forbidden { address: address(), message }),
        404 | 410 => Failure::Final(Error::NotFound { address: address(), message }),
        400 if is_missing(&type_key) => {
            Failure::Final(Error::NotFound { address: address(), message })
        }
        400 => Failure::Final(Error::BadRequest { address: address(), type_key, message }),
        408 | 500..=599 => {
            Failure::Retry(Error::Server { address: address(), status, attempts: 1, message })
        }
        _ => Failure::Final(Error::Unexpected { address: address(), status, message }),
    })
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(tame(&String::from_utf8_lossy(value.as_bytes()))).filter(|text| !text.is_empty())
}

/// The real reason of a refusal, which the service writes as in a form: `Access+Denied%3a+…`.
fn service_error(headers: &HeaderMap) -> Option<String> {
    let text = header(headers, "x-tfs-serviceerror")?;
    if text.contains(' ') {
        return Some(text);
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy();
    Some(tame(&decoded))
}

/// Returns whether an answer comes from Azure DevOps itself and not from a proxy on the way, which has a clock of its own.
pub(super) fn is_of_service(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .any(|name| name.as_str().starts_with("x-tfs-") || name.as_str().starts_with("x-vss-"))
}

/// The reason that a page shows: that of a conditional access policy may come as one.
fn page_error(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let reason = &text[text.find("VS403463")?..];
    Some(tame(reason.split('<').next().unwrap_or_default()))
}

/// Returns the token that names the next page; one that cannot be read is an error, for without it the list would end.
pub(super) fn continuation(address: &str, headers: &HeaderMap) -> Result<Option<String>, Error> {
    const NAME: &str = "x-ms-continuationtoken";
    let token = headers.get(NAME).map(|token| token.as_bytes().to_vec()).unwrap_or_default();
    match String::from_utf8(token) {
        Ok(token) => Ok(Some(token).filter(|token| !token.is_empty())),
        Err(_) => Err(Error::Malformed {
            address: address.to_owned(),
            object: "the answer".to_owned(),
            field: NAME.to_owned(),
            problem: "no UTF-8".to_owned(),
        }),
    }
}

/// Returns whether a good answer says outright that there is nothing: an empty body that was announced as such, or `null`.
pub(super) fn is_blank(status: u16, headers: &HeaderMap, body: &[u8]) -> bool {
    let is_announced = headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
    status == 200 && (body.trim_ascii() == b"null" || (body.is_empty() && is_announced))
}

/// Text of the service made safe for one line: no control characters, not too long.
fn tame(text: &str) -> String {
    let line: String = text.trim().chars().filter(|c| !c.is_control()).take(MESSAGE).collect();
    line
}

fn without_mark(body: Bytes) -> Bytes {
    if body.starts_with(b"\xEF\xBB\xBF") { body.slice(3..) } else { body }
}

fn first_sign(body: &[u8]) -> Option<u8> {
    body.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Every answer that we ask for is an object or a list; a cut one seldom ends like one, and if so the parser notices.
fn is_whole(body: &[u8]) -> bool {
    let last = body.iter().rev().copied().find(|byte| !byte.is_ascii_whitespace());
    matches!(last, Some(b'}' | b']'))
}

/// Reads JSON as [`parse`] does, beside other work where that takes long.
pub(super) async fn read<T: DeserializeOwned + Send + 'static>(
    address: &str,
    body: &Bytes,
) -> Result<T, Failure> {
    if body.len() < LONG_BODY {
        return parse(address, body);
    }
    // What comes of a body takes more memory than the body: it is better that some wait.
    let permit = LONG_AT_ONCE.acquire().await;
    let (address, body) = (address.to_owned(), body.clone());
    let read = tokio::task::spawn_blocking(move || {
        let read = parse(&address, &body);
        // Not only once somebody looks: whoever asked may be busy with other things.
        drop(permit);
        read
    });
    outcome(read.await)
}

/// Reads JSON; on failure says whether the text ended too early.
fn parse<T: DeserializeOwned>(address: &str, body: &Bytes) -> Result<T, Failure> {
    // Checked as a whole, text need not be checked string by string; what is no text fails below.
    let read = match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    };
    let error = match read {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // A wrong field may stand before the place where the text was cut.
    let is_cut = |error: serde_json::Error| error.is_eof();
    if serde_json::from_slice::<IgnoredAny>(body).is_err_and(is_cut) {
        return Err(Failure::Retry(Error::CutOff { address: address.to_owned() }));
    }
    // A text cut in the middle of a character pair holds half of it as an escape, which is no Unicode.
    let mended = mended_surrogates(body);
    if let Some(value) = mended.as_deref().and_then(|text| serde_json::from_slice(text).ok()) {
        return Ok(value);
    }
    let (object, field) = locate::<T>(mended.as_deref().unwrap_or(body));
    let problem = error.to_string();
    Err(Failure::Final(Error::Malformed { address: address.to_owned(), object, field, problem }))
}

/// Replaces `\uD800` to `\uDFFF` that stand alone; none where there are none.
fn mended_surrogates(body: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| {
        let escape = body.get(at..at + 6)?;
        let digits = escape.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut mended = Vec::with_capacity(body.len());
    let (mut at, mut is_changed) = (0, false);
    while at < body.len() {
        let step = match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => 12,
            Some(0xD800..=0xDFFF) => {
                mended.extend_from_slice(b"\\uFFFD");
                (at, is_changed) = (at + 6, true);
                continue;
            }
            Some(_) => 6,
            None if body[at] == b'\\' => 2,
            None => 1,
        };
        let end = (at + step).min(body.len());
        mended.extend_from_slice(&body[at..end]);
        at = end;
    }
    is_changed.then_some(mended)
}

/// Finds the object and the field that keep a body from being read as `T`.
///
/// Every field of our types may be absent, so a body stripped down to one path fails exactly when that path is at
/// fault. Slow, and only used once reading has failed.
fn locate<T: DeserializeOwned>(body: &[u8]) -> (String, String) {
    let Ok(whole) = serde_json::from_slice::<serde_json::Value>(body) else {
        return ("the answer".to_owned(), "JSON syntax".to_owned());
    };
    let mut path: Vec<Step> = Vec::new();
    let mut here = &whole;
    while let Some((step, next)) = culprit::<T>(&path, here) {
        path.push(step);
        here = next;
    }
    let object_end = path.iter().rposition(|step| step.id.is_some()).map_or(0, |at| at + 1);
    let (object, field) = path.split_at(object_end);
    let object = if object.is_empty() { "the answer".to_owned() } else { joined(object) };
    let field = if field.is_empty() { "the whole".to_owned() } else { joined(field) };
    (object, field)
}

#[derive(Debug, Clone)]
struct Step {
    name: Name,
    /// Key and value that identify the object reached by this step.
    id: Option<String>,
}

#[derive(Debug, Clone)]
enum Name {
    Key(String),
    Index(usize),
}

fn culprit<'v, T: DeserializeOwned>(
    path: &[Step],
    here: &'v serde_json::Value,
) -> Option<(Step, &'v serde_json::Value)> {
    let children: Vec<(Name, &serde_json::Value)> = match here {
        serde_json::Value::Object(map) => {
            map.iter().map(|(key, value)| (Name::Key(key.clone()), value)).collect()
        }
        serde_json::Value::Array(list) => {
            list.iter().enumerate().map(|(at, value)| (Name::Index(at), value)).collect()
        }
        _ => return None,
    };
    children.into_iter().find_map(|(name, value)| {
        let step = Step { name, id: identity(value) };
        let stripped =
            path.iter().chain([&step]).rev().fold(value.clone(), |inner, step| match &step.name {
                Name::Key(key) => serde_json::json!({ key: inner }),
                Name::Index(_) => serde_json::json!([inner]),
            });
        serde_json::from_value::<T>(stripped).is_err().then_some((step, value))
    })
}

fn identity(value: &serde_json::Value) -> Option<String> {
    ["pullRequestId", "pushId", "id", "evaluationId", "descriptor", "commitId", "name"]
        .into_iter()
        .find_map(|key| match value.get(key)? {
            serde_json::Value::String(text) => Some(format!("{key} {}", tame(text))),
            serde_json::Value::Number(number) => Some(format!("{key} {number}")),
            _ => None,
        })
}

fn joined(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match &step.name {
            Name::Key(key) if text.is_empty() => text.push_str(key),
            Name::Key(key) => text = format!("{text}.{key}"),
            Name::Index(at) => text = format!("{text}[{at}]"),
        }
    }
    match steps.last().and_then(|step| step.id.as_ref()) {
        Some(id) => format!("{text} ({id})"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ado::model::{List, PullRequest};

    fn failure(text: &'static str) -> String {
        match parse::<List<PullRequest>>("http://x/", &Bytes::from_static(text.as_bytes())) {
            Err(Failure::Final(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_understood_names_object_and_field() {
        let text = r#"{"count":2,"value":[{"pullRequestId":1},
            {"pullRequestId":7,"createdBy":{"displayName":[]},"title":"x"}]}"#;
        assert_eq!(
            failure(text).split(": invalid").next().unwrap(),
            "the answer of `http://x/` is not understood: `createdBy.displayName` of value[1] (pullRequestId 7)"
        );
        let text = r#"{"value":[{"pullRequestId":7,"closedDate":"yesterday"}]}"#;
        assert!(
            failure(text).contains("`closedDate` of value[0] (pullRequestId 7)"),
            "{}",
            failure(text)
        );
    }

    #[test]
    fn half_a_character_pair_does_not_spoil_the_page() {
        let text = Bytes::from_static(
            br#"{"value":[{"pullRequestId":7,"title":"a\ud83d b\\ud83d \ud83d\ude00"}]}"#,
        );
        let list: List<PullRequest> = parse("http://x/", &text).unwrap();
        let title = list.value.unwrap()[0].title.clone().unwrap();
        assert_eq!(title, "a\u{FFFD} b\\ud83d \u{1F600}");
    }

    #[test]
    fn statuses_are_sorted_by_what_they_mean() {
        let json = |text: &str| (text.to_owned(), "application/json");
        let page = ("<html>".to_owned(), "text/html");
        let sorted = |status: u16, (body, content_type): (String, &str)| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            match classify("http://x/", status, &headers, Bytes::from(body)) {
                Ok(Some(_)) => "data".to_owned(),
                Ok(None) => "nothing".to_owned(),
                Err(Failure::Throttled) => "throttled".to_owned(),
                Err(Failure::Retry(error)) => format!("again: {error}"),
                Err(Failure::SignedOut(error)) => format!("signed out: {error}"),
                Err(Failure::Final(error)) => format!("final: {error}"),
            }
        };
        assert_eq!(sorted(200, json("\u{FEFF}{} ")), "data");
        assert_eq!(sorted(204, json("")), "nothing");
        assert_eq!(sorted(429, json("")), "throttled");
        assert!(sorted(200, json("{\"value\":[")).starts_with("again:"));
        assert!(sorted(200, json("")).starts_with("again:"));
        assert!(sorted(502, page.clone()).starts_with("again:"));
        assert!(sorted(203, json("{}")).starts_with("signed out:"));
        assert!(sorted(302, page.clone()).starts_with("signed out:"));
        assert!(sorted(200, page).starts_with("signed out:"));
        assert!(sorted(200, ("hello".to_owned(), "text/plain")).starts_with("final:"));
        assert!(sorted(500, ("busy\u{7}".to_owned(), "text/plain")).ends_with(": busy"));
        let wrapped = r#"{"count":1,"value":{"Message":"too busy"}}"#;
        assert!(sorted(500, json(wrapped)).ends_with(": too busy"));
        let refused = "<html><p>VS403463: The conditional access policy has failed.</p></html>";
        for status in [200, 203, 302, 401, 403] {
            let told = sorted(status, (refused.to_owned(), "text/html"));
            assert!(told.contains("VS403463: The conditional access policy has failed."), "{told}");
            assert!(!told.contains("</p>"), "{told}");
        }
        let gone = r#"{"typeKey":"BuildNotFoundException","message":"no\nbuild"}"#;
        assert_eq!(sorted(400, json(gone)), "final: `http://x/` is missing or hidden: nobuild");
    }
}
