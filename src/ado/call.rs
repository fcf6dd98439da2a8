//! Addresses: which host, which path, which query, which api-version.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::error::Error;

/// What a path segment or query value keeps as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The api-version of what is released.
pub const RELEASED: &str = "7.1";
/// The api-version of what is still a preview.
pub const PREVIEW: &str = "7.1-preview.1";

/// Base addresses of one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Projects, git, policies, builds; the organization is part of it.
    pub core: Url,
    /// Users and service principals; the organization is part of it.
    pub graph: Url,
    /// Profile and accounts.
    pub profile: Url,
    /// Sign-in.
    pub login: Url,
}

impl Endpoints {
    /// Reads base addresses, one per host.
    ///
    /// # Errors
    /// Fails on what is not `http` or `https`, and on an address that holds a user name, password, query or fragment.
    pub fn parse(core: &str, graph: &str, profile: &str, login: &str) -> Result<Self, Error> {
        Ok(Self {
            core: base(core)?,
            graph: base(graph)?,
            profile: base(profile)?,
            login: base(login)?,
        })
    }

    /// Returns the addresses of Azure DevOps Services for an organization.
    ///
    /// # Errors
    /// Fails when the name makes no address.
    pub fn services(organization: &str) -> Result<Self, Error> {
        let name = escaped(organization);
        Self::parse(
            &format!("https://dev.azure.com/{name}"),
            &format!("https://vssps.dev.azure.com/{name}"),
            "https://app.vssps.visualstudio.com",
            "https://login.microsoftonline.com",
        )
    }

    pub(super) fn is_loopback(&self) -> bool {
        match self.core.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

fn base(address: &str) -> Result<Url, Error> {
    let bad = |address: &str, problem: &str| Error::Address {
        address: address.to_owned(),
        problem: problem.to_owned(),
    };
    let url = Url::parse(address).map_err(|source| bad(address, &source.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        let host = url.host_str().unwrap_or_default();
        return Err(bad(host, "it holds a user name or password"));
    }
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad(address, "it does not begin with http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad(address, "a base address has no ? and no #"));
    }
    Ok(url)
}

/// Returns the text with everything escaped that has a meaning in an address.
pub fn escaped(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, ESCAPED)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    Core,
    Graph,
    Profile,
}

/// A request to be sent, as often as it takes.
#[derive(Debug, Clone)]
pub struct Call {
    host: Host,
    path: String,
    query: Vec<(Cow<'static, str>, String)>,
    version: &'static str,
    pub(super) body: Option<Bytes>,
    pub(super) keeps_raw: bool,
}

impl Call {
    /// Returns a call to `{core}/_apis/{segments}`.
    pub fn core(segments: &[&str]) -> Self {
        Self::new(Host::Core, None, segments)
    }

    /// Returns a call to `{core}/{project}/_apis/{segments}`; `project` is best its id, since names change.
    pub fn project(project: &str, segments: &[&str]) -> Self {
        Self::new(Host::Core, Some(project), segments)
    }

    /// Returns a call to `{core}/{project}/_apis/git/repositories/{repository}/{segments}`.
    pub fn repository(project: &str, repository: &str, segments: &[&str]) -> Self {
        let mut all = vec!["git", "repositories", repository];
        all.extend_from_slice(segments);
        Self::project(project, &all)
    }

    /// Returns a call to `{graph}/_apis/graph/{segments}`, a preview.
    pub fn graph(segments: &[&str]) -> Self {
        let mut all = vec!["graph"];
        all.extend_from_slice(segments);
        Self::new(Host::Graph, None, &all).preview()
    }

    /// Returns a call to `{profile}/_apis/{segments}`.
    pub fn profile(segments: &[&str]) -> Self {
        Self::new(Host::Profile, None, segments)
    }

    fn new(host: Host, project: Option<&str>, segments: &[&str]) -> Self {
        let mut path = String::new();
        for segment in project.iter().chain([&"_apis"]).chain(segments) {
            // Writing into a string cannot fail.
            let _ = write!(path, "/{}", escaped(segment));
        }
        let (query, body) = (Vec::new(), None);
        Self { host, path, query, version: RELEASED, body, keeps_raw: false }
    }

    /// Asks with the api-version of a preview.
    #[must_use]
    pub fn preview(mut self) -> Self {
        self.version = PREVIEW;
        self
    }

    /// Adds a query parameter, or replaces the one of that name.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.set(name, value);
        self
    }

    pub(super) fn set(&mut self, name: &'static str, value: impl ToString) {
        self.query.retain(|(own, _)| own != name);
        self.query.push((Cow::Borrowed(name), value.to_string()));
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.query.retain(|(own, _)| own != name);
    }

    /// Keeps the bytes of the answer beside its value.
    #[must_use]
    pub fn raw(mut self) -> Self {
        self.keeps_raw = true;
        self
    }

    /// Posts a JSON body; only for questions, adolake changes nothing in Azure DevOps.
    #[must_use]
    pub fn asking(mut self, body: &serde_json::Value) -> Self {
        self.body = Some(Bytes::from(body.to_string()));
        self
    }

    pub(super) fn version(&self) -> &'static str {
        self.version
    }

    pub(super) fn flip_version(&mut self) {
        self.version = if self.version == RELEASED { PREVIEW } else { RELEASED };
    }

    /// Returns the whole address.
    pub(super) fn address(&self, endpoints: &Endpoints) -> String {
        let base = match self.host {
            Host::Core => &endpoints.core,
            Host::Graph => &endpoints.graph,
            Host::Profile => &endpoints.profile,
        };
        let mut address = base.as_str().trim_end_matches('/').to_owned();
        address.push_str(&self.path);
        for (index, (name, value)) in self.query.iter().enumerate() {
            let _ =
                write!(address, "{}{name}={}", if index == 0 { '?' } else { '&' }, escaped(value));
        }
        let mark = if self.query.is_empty() { '?' } else { '&' };
        let _ = write!(address, "{mark}api-version={}", self.version);
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_and_values_are_escaped() {
        let endpoints = Endpoints::services("contoso").unwrap();
        let call = Call::repository("Two Words", "a/b#c", &["refs"])
            .query("filter", "heads/")
            .query("$top", 1000)
            .query("filter", "heads/é+&");
        assert_eq!(
            call.address(&endpoints),
            "https://dev.azure.com/contoso/Two%20Words/_apis/git/repositories/a%2Fb%23c/refs\
             ?$top=1000&filter=heads%2F%C3%A9%2B%26&api-version=7.1"
        );
        assert_eq!(
            Call::graph(&["users"]).address(&endpoints),
            "https://vssps.dev.azure.com/contoso/_apis/graph/users?api-version=7.1-preview.1"
        );
    }

    #[test]
    fn a_base_address_with_a_password_is_refused_without_showing_it() {
        let error = base("https://me:hunter2@example.com/x").unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("example.com"), "{error}");
        assert!(base("ftp://example.com").is_err() && base("nonsense").is_err());
    }
}
