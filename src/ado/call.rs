//! Addresses: which host, which path, which query, which api-version.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::error::Error;

/// What a path segment or query value keeps as it is.
pub(super) const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The api-version of what is released.
pub const RELEASED: &str = VERSIONS[0].0;
/// The api-version of what is still a preview.
pub const PREVIEW: &str = VERSIONS[0].1;
/// The api-versions that are tried in turn where a server is older than the newest, released and preview.
pub(super) const VERSIONS: [(&str, &str); 5] = [
    ("7.1", "7.1-preview.1"),
    ("7.0", "7.0-preview.1"),
    ("6.0", "6.0-preview.1"),
    ("5.1", "5.1-preview.1"),
    ("5.0", "5.0-preview.1"),
];

/// Base addresses of one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Projects, git, policies, builds; the organization is part of it.
    pub core: Url,
    /// Users and service principals; the organization is part of it. None on a server of one's own, which has none.
    pub graph: Option<Url>,
    /// Profile and accounts. None on a server of one's own, which has none.
    pub profile: Option<Url>,
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
            graph: Some(base(graph)?),
            profile: Some(base(profile)?),
            login: base(login)?,
        })
    }

    /// Reads the base addresses of the configuration.
    ///
    /// # Errors
    /// Fails as [`Endpoints::parse`] does.
    pub fn of(section: &crate::config::Endpoints) -> Result<Self, Error> {
        Ok(Self {
            core: base(&section.core)?,
            graph: section.graph.as_deref().map(base).transpose()?,
            profile: section.profile.as_deref().map(base).transpose()?,
            login: base(&section.login)?,
        })
    }

    /// Returns where users are asked for, which is also where the tenant of the organization is told.
    pub fn graph_host(&self) -> Option<&Url> {
        self.graph.as_ref()
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
        is_loopback(&self.core)
    }
}

/// Returns whether an address is on this machine.
pub(super) fn is_loopback(address: &Url) -> bool {
    match address.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
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
    is_preview: bool,
    pub(super) body: Option<Bytes>,
    pub(super) keeps_raw: bool,
    /// Whether an answer may say that there is nothing with other words than 204.
    pub(super) may_be_blank: bool,
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
        let (is_preview, keeps_raw, may_be_blank) = (false, false, false);
        Self { host, path, query, is_preview, body, keeps_raw, may_be_blank }
    }

    /// Asks with the api-version of a preview.
    #[must_use]
    pub fn preview(mut self) -> Self {
        self.is_preview = true;
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

    /// Returns the api-version that the call carries, `level` steps below the newest.
    pub(super) fn version(&self, level: usize) -> &'static str {
        let (released, preview) = VERSIONS[level.min(VERSIONS.len() - 1)];
        if self.is_preview { preview } else { released }
    }

    pub(super) fn flip_version(&mut self) {
        self.is_preview = !self.is_preview;
    }

    /// Returns the whole address; none where the host does not exist.
    pub(super) fn address(&self, endpoints: &Endpoints, level: usize) -> Result<String, Error> {
        let base = match self.host {
            Host::Core => Some(&endpoints.core),
            Host::Graph => endpoints.graph.as_ref(),
            Host::Profile => endpoints.profile.as_ref(),
        };
        let base = base.ok_or_else(|| Error::NoHost { path: self.path.clone() })?;
        let mut address = base.as_str().trim_end_matches('/').to_owned();
        address.push_str(&self.path);
        for (index, (name, value)) in self.query.iter().enumerate() {
            let _ =
                write!(address, "{}{name}={}", if index == 0 { '?' } else { '&' }, escaped(value));
        }
        let mark = if self.query.is_empty() { '?' } else { '&' };
        let _ = write!(address, "{mark}api-version={}", self.version(level));
        Ok(address)
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
            call.address(&endpoints, 0).unwrap(),
            "https://dev.azure.com/contoso/Two%20Words/_apis/git/repositories/a%2Fb%23c/refs\
             ?$top=1000&filter=heads%2F%C3%A9%2B%26&api-version=7.1"
        );
        assert_eq!(
            Call::graph(&["users"]).address(&endpoints, 0).unwrap(),
            "https://vssps.dev.azure.com/contoso/_apis/graph/users?api-version=7.1-preview.1"
        );
    }

    #[test]
    fn a_server_of_ones_own_has_one_host_and_older_versions() {
        let section = crate::config::Endpoints {
            core: "https://tfs.example/tfs/Main".to_owned(),
            graph: None,
            profile: None,
            login: "https://login.example".to_owned(),
        };
        let endpoints = Endpoints::of(&section).unwrap();
        let call = Call::core(&["projects"]);
        assert_eq!(
            call.address(&endpoints, 2).unwrap(),
            "https://tfs.example/tfs/Main/_apis/projects?api-version=6.0"
        );
        assert_eq!(call.preview().version(9), "5.0-preview.1");
        for call in [Call::graph(&["users"]), Call::profile(&["accounts"])] {
            assert!(matches!(call.address(&endpoints, 0), Err(Error::NoHost { .. })));
        }
    }

    #[test]
    fn a_base_address_with_a_password_is_refused_without_showing_it() {
        let error = base("https://me:hunter2@example.com/x").unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("example.com"), "{error}");
        assert!(base("ftp://example.com").is_err() && base("nonsense").is_err());
    }
}
