//! Questions as they arrive and answers as they leave, in the shapes of Azure DevOps.

use axum::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::json::{Json, quoted};

/// A request, taken apart.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Decoded path segments.
    pub(crate) path: Vec<String>,
    /// Query parameters: names in lower case, values decoded.
    query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// Takes a request apart.
    pub(crate) fn new(
        method: Method,
        path: &str,
        query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Request {
        let path = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let query = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
            .collect();
        Request { method, path, query, headers, body }
    }

    /// The value of a query parameter; an empty one counts as absent.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A query parameter of search criteria, with or without the prefix.
    pub(crate) fn criterion(&self, name: &str) -> Option<&str> {
        self.query(&format!("searchCriteria.{name}")).or_else(|| self.query(name))
    }

    /// A query parameter that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.query(name)?.parse().ok()
    }

    /// `$top` (or `top`) within `most`, or `usual` where it is absent.
    pub(crate) fn top(&self, usual: usize, most: usize) -> usize {
        self.number("$top").or_else(|| self.number("top")).unwrap_or(usual).clamp(1, most)
    }

    /// `$skip` (or `skip`).
    pub(crate) fn skip(&self) -> usize {
        self.number("$skip").or_else(|| self.number("skip")).unwrap_or(0)
    }

    /// Whether a query parameter says true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The text of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// JSON with status 200.
    pub(crate) fn json(body: String) -> Answer {
        Answer {
            status: StatusCode::OK,
            content_type: "application/json; charset=utf-8; api-version=7.1",
            headers: Vec::new(),
            body: Bytes::from(body),
        }
    }

    /// One object.
    pub(crate) fn object(fill: impl FnOnce(&mut Json)) -> Answer {
        let mut json = Json::with_capacity(2048);
        json.object(fill);
        Answer::json(json.finish())
    }

    /// A page: `{"count": n, "value": […]}`.
    pub(crate) fn list<T>(
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Json, T),
    ) -> Answer {
        let count = items.len();
        let mut json = Json::with_capacity(512 + count.min(2_000) * 1_200);
        json.object(|json| {
            json.int("count", i64::try_from(count).unwrap_or(i64::MAX));
            json.key("value").array(|json| items.for_each(|item| write(json, item)));
        });
        Answer::json(json.finish())
    }

    /// A page of `$top` items after `$skip`.
    pub(crate) fn page<T>(
        request: &Request,
        items: Vec<T>,
        usual: usize,
        most: usize,
        write: impl FnMut(&mut Json, T),
    ) -> Answer {
        let (skip, top) = (request.skip().min(items.len()), request.top(usual, most));
        let page: Vec<T> = items.into_iter().skip(skip).take(top).collect();
        Answer::list(page.into_iter(), write)
    }

    /// No content.
    pub(crate) fn empty(status: StatusCode) -> Answer {
        Answer { status, content_type: "", headers: Vec::new(), body: Bytes::new() }
    }

    /// A page of HTML.
    pub(crate) fn html(status: StatusCode, body: &str) -> Answer {
        Answer {
            status,
            content_type: "text/html; charset=utf-8",
            headers: Vec::new(),
            body: Bytes::from(body.to_owned()),
        }
    }

    /// The same answer with a header more.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }

    /// The same answer with the token that asks for the next page, if there is one.
    pub(crate) fn continued(self, token: Option<String>) -> Answer {
        match token {
            Some(token) => self.with("x-ms-continuationtoken", token),
            None => self,
        }
    }

    /// An error in the documented shape.
    pub(crate) fn error(status: StatusCode, type_key: &str, message: &str) -> Answer {
        let body = format!(
            "{{\"$id\":\"1\",\"innerException\":null,\"message\":{},\
             \"typeName\":\"Microsoft.TeamFoundation.Framework.Server.{type_key}, Microsoft.TeamFoundation.Framework.Server\",\
             \"typeKey\":\"{type_key}\",\"errorCode\":0,\"eventId\":3000}}",
            quoted(message)
        );
        Answer { status, ..Answer::json(body) }
    }

    /// 404 for something that cannot be seen.
    pub(crate) fn not_found(type_key: &str, message: &str) -> Answer {
        Answer::error(StatusCode::NOT_FOUND, type_key, message)
    }

    /// 400 for a wrong parameter.
    pub(crate) fn bad_request(message: &str) -> Answer {
        Answer::error(StatusCode::BAD_REQUEST, "VssPropertyValidationException", message)
    }
}
