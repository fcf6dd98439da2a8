//! What somebody asks to be explained: a web address, or a name like `org/project/repo!123`.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::checks::error::Error;

/// A pull request, branch or repository as somebody names it; whether it exists is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// As it was written.
    pub(super) text: String,
    /// Where it may be, the likeliest first.
    pub(super) places: Vec<Place>,
    /// What is wanted of that place.
    pub(super) target: Target,
}

/// A repository by what is said about it; none = anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) organization: Option<String>,
    /// Name or id.
    pub(super) project: Option<String>,
    /// Name or id.
    pub(super) repository: Option<String>,
}

/// What is wanted of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    PullRequest(i64),
    /// Short name.
    Branch(String),
    Repository,
}

impl Wanted {
    /// Reads a web address or a name; `addresses` are organizations with the base address of their web pages.
    ///
    /// # Errors
    /// Fails for a text that is neither.
    pub fn parse(text: &str, addresses: &[(String, String)]) -> Result<Self, Error> {
        let text = text.trim();
        let parsed = if text.starts_with("https://") || text.starts_with("http://") {
            of_address(text, addresses)
        } else {
            of_name(text)
        };
        let unclear = || Error::NoResourceName { text: text.to_owned() };
        let (places, target) = parsed.ok_or_else(unclear)?;
        Ok(Self { text: text.to_owned(), places, target })
    }
}

/// `org/project/repo!123`, `org/project/repo@branch`, `org/project/repo`; leading parts may be left out, and of a
/// pull request all but the number.
fn of_name(text: &str) -> Option<(Vec<Place>, Target)> {
    // Neither sign may stand in the name of a project; `!` may in that of a repository.
    let (path, target) = if let Some((path, branch)) = text.split_once('@') {
        (path, Target::Branch(short(branch)?))
    } else if let Some((path, number)) = text.rsplit_once('!') {
        (path, Target::PullRequest(number_of(number)?))
    } else if let Some(number) = number_of(text.trim_start_matches('#')) {
        ("", Target::PullRequest(number))
    } else {
        (text, Target::Repository)
    };
    let path = decoded(path)?;
    let path = path.trim_matches('/');
    let mut parts = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).rev();
    let place =
        Place { repository: parts.next(), project: parts.next(), organization: parts.next() };
    let needs_repository = !matches!(target, Target::PullRequest(_));
    if parts.next().is_some() || (needs_repository && place.repository.is_none()) {
        return None;
    }
    Some((vec![place], target))
}

/// The address of a page, or of the API, below `…/_git/repo` or `…/_apis/git/repositories/repo`.
fn of_address(text: &str, addresses: &[(String, String)]) -> Option<(Vec<Place>, Target)> {
    let url = Url::parse(text).ok()?;
    let segments: Vec<String> =
        url.path_segments()?.filter(|part| !part.is_empty()).map(decoded).collect::<Option<_>>()?;
    let is = |part: &String, word: &str| part.eq_ignore_ascii_case(word);
    let at = segments.iter().position(|part| is(part, "_git") || is(part, "_apis"))?;
    let (before, rest) = segments.split_at(at);
    let rest = if is(&rest[0], "_git") {
        &rest[1..]
    } else if rest.len() > 3 && is(&rest[1], "git") && is(&rest[2], "repositories") {
        &rest[3..]
    } else {
        return None;
    };
    let repository = rest.first()?.clone();
    let target = match rest.get(1) {
        Some(word) if is(word, "pullrequest") || is(word, "pullrequests") => {
            Target::PullRequest(number_of(rest.get(2)?)?)
        }
        // What else is below a repository is not for a verdict: commits, pushes, settings.
        Some(_) => return None,
        None => match url.query_pairs().find(|(key, _)| key == "version") {
            Some((_, version)) => Target::Branch(short(version.strip_prefix("GB")?)?),
            None => Target::Repository,
        },
    };
    // A project's first repository has its name, and addresses leave the project out.
    let place = |organization: Option<&String>, project: Option<&String>| Place {
        organization: organization.cloned(),
        project: Some(project.unwrap_or(&repository).clone()),
        repository: Some(repository.clone()),
    };
    let mut places = Vec::new();
    for (organization, base) in addresses {
        let Ok(base) = Url::parse(base) else { continue };
        let own: Vec<&str> = base.path_segments()?.filter(|part| !part.is_empty()).collect();
        let is_below = base.host() == url.host()
            && base.port_or_known_default() == url.port_or_known_default()
            && before.len() >= own.len()
            && own.iter().zip(before).all(|(own, part)| is(part, own));
        if is_below {
            places.push(place(Some(organization), before.get(own.len())));
        }
    }
    let host = url.host_str().unwrap_or_default().to_lowercase();
    if let Some(organization) = host.strip_suffix(".visualstudio.com") {
        let project = before.iter().find(|part| !is(part, "DefaultCollection"));
        places.push(place(Some(&organization.to_owned()), project));
    } else if host == "dev.azure.com" {
        places.push(place(before.first(), before.get(1)));
    } else {
        let last = before.len().checked_sub(1);
        places.push(place(
            before.len().checked_sub(2).map(|one| &before[one]),
            last.map(|one| &before[one]),
        ));
        places.push(place(last.map(|one| &before[one]), None));
        // A server's collection need not have the name that the configuration gives it.
        places.push(place(None, last.map(|one| &before[one])));
    }
    Some((places, target))
}

fn decoded(text: &str) -> Option<String> {
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

/// A branch without `refs/heads/`; none for the empty name.
fn short(branch: &str) -> Option<String> {
    let branch = branch.strip_prefix("refs/heads/").unwrap_or(branch);
    (!branch.is_empty()).then(|| branch.to_owned())
}

fn number_of(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let server = ("corp".to_owned(), "https://ado.corp.example/tfs/Main".to_owned());
        let Ok(wanted) = Wanted::parse(text, &[server]) else { return "nothing".to_owned() };
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        let target = match wanted.target {
            Target::PullRequest(number) => format!("!{number}"),
            Target::Branch(branch) => format!("@{branch}"),
            Target::Repository => String::new(),
        };
        let places: Vec<String> = wanted
            .places
            .iter()
            .map(|place| {
                let (organization, project) = (part(&place.organization), part(&place.project));
                format!("{organization}/{project}/{}{target}", part(&place.repository))
            })
            .collect();
        places.join(" or ")
    }

    #[test]
    fn names_are_read() {
        assert_eq!(told("contoso/payments/api!4711"), "contoso/payments/api!4711");
        assert_eq!(
            told("contoso/Shop Frontend/api@refs/heads/release/1"),
            "contoso/Shop Frontend/api@release/1"
        );
        assert_eq!(told("contoso/Shop%20Frontend/what!?!7"), "contoso/Shop Frontend/what!?!7");
        assert_eq!(told("contoso/payments/api@main"), "contoso/payments/api@main");
        assert_eq!(told("payments/api@user@home!"), "*/payments/api@user@home!");
        assert_eq!(told("contoso/payments/api"), "contoso/payments/api");
        assert_eq!(told("api!7"), "*/*/api!7");
        assert_eq!(told("#7"), "*/*/*!7");
        assert_eq!(told("!7"), "*/*/*!7");
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!(
            told("https://dev.azure.com/contoso/Shop%20Frontend/_git/api/pullrequest/12?_a=files"),
            "contoso/Shop Frontend/api!12"
        );
        assert_eq!(
            told("https://dev.azure.com/contoso/_git/api/pullrequest/12"),
            "contoso/api/api!12"
        );
        assert_eq!(
            told("https://contoso.visualstudio.com/DefaultCollection/pay/_git/api/pullrequest/12"),
            "contoso/pay/api!12"
        );
        assert_eq!(
            told("https://contoso.visualstudio.com/_git/api?version=GBrelease%2F1"),
            "contoso/api/api@release/1"
        );
        assert_eq!(
            told("https://dev.azure.com/contoso/pay/_apis/git/repositories/api/pullRequests/3"),
            "contoso/pay/api!3"
        );
        assert_eq!(
            told("https://ado.corp.example/tfs/Main/pay/_git/api/pullrequest/12"),
            "corp/pay/api!12 or Main/pay/api!12 or pay/api/api!12 or */pay/api!12"
        );
    }

    #[test]
    fn what_names_nothing_is_told() {
        for text in [
            "",
            "!",
            "@main",
            "contoso/payments/api@",
            "contoso/payments/api!0",
            "contoso/payments/api!x",
            "a/b/c/d",
            "https://dev.azure.com/contoso",
            "https://dev.azure.com/contoso/pay/_git/api/commit/abc",
            "https://dev.azure.com/contoso/pay/_git/api?version=GCabc",
            "https://dev.azure.com/contoso/pay/_git/api/pullrequest/new",
            "https://[",
            "%FF!1",
        ] {
            assert_eq!(told(text), "nothing", "{text}");
        }
    }
}
