//! Addresses of pages, rewritten: another size, another place in the list.

use axum::http::Uri;

const SIZES: [&str; 3] = ["$top", "%24top", "searchcriteria.$top"];
const PLACES: [&str; 4] = ["$skip", "%24skip", "searchcriteria.$skip", "searchcriteria.%24skip"];
const TOKEN: &str = "continuationtoken";

/// Marks the token of an empty page; what stands before it names the same place.
const EMPTY: &str = "~empty";

/// Where in a list a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At its begin.
    First,
    /// After so many rows.
    Skip(u64),
    /// Where a token says.
    Token,
}

/// Where the page of an address begins.
pub(super) fn place(uri: &Uri) -> Place {
    let pairs = || uri.query().into_iter().flat_map(|query| query.split('&'));
    if value(pairs(), &[TOKEN]).is_some_and(|token| !token.is_empty()) {
        return Place::Token;
    }
    match value(pairs(), &PLACES).and_then(|skip| skip.parse().ok()) {
        None | Some(0) => Place::First,
        Some(skip) => Place::Skip(skip),
    }
}

/// Whether an address asks for pages at all.
pub(super) fn is_paged(uri: &Uri) -> bool {
    let pairs = uri.query().into_iter().flat_map(|query| query.split('&'));
    value(pairs, &SIZES).is_some()
}

/// The token that an address asks with, as it was given.
pub(super) fn token(uri: &Uri) -> Option<String> {
    let pairs = uri.query().into_iter().flat_map(|query| query.split('&'));
    let raw = value(pairs, &[TOKEN])?;
    Some(percent_encoding::percent_decode_str(raw).decode_utf8_lossy().into_owned())
}

/// The address of the first page of the same list.
pub(super) fn first(uri: &Uri) -> Option<Uri> {
    changed(
        uri,
        |name, _| if name == TOKEN || PLACES.contains(&name) { Change::Drop } else { Change::Keep },
    )
}

/// The address of the page after so many rows.
pub(super) fn at(uri: &Uri, skip: u64) -> Option<Uri> {
    changed(
        uri,
        |name, _| {
            if PLACES.contains(&name) { Change::To(skip.to_string()) } else { Change::Keep }
        },
    )
}

/// The address of a page of at most so many rows.
pub(super) fn of_size(uri: &Uri, most: u64) -> Option<Uri> {
    changed(uri, |name, value| {
        let is_more = value.parse::<u64>().is_ok_and(|rows| rows > most);
        if SIZES.contains(&name) && is_more { Change::To(most.to_string()) } else { Change::Keep }
    })
}

/// The token of an empty page before the page of a token.
pub(super) fn empty_token(token: &str) -> String {
    format!("{token}{EMPTY}")
}

/// The address with the token that the simulated organization knows.
pub(super) fn with_known_token(uri: &Uri) -> Option<Uri> {
    changed(uri, |name, value| {
        let plain = value.strip_suffix("~empty").or_else(|| value.strip_suffix("%7Eempty"));
        match plain.filter(|_| name == TOKEN) {
            Some("") => Change::Drop,
            Some(plain) => Change::To(plain.to_owned()),
            None => Change::Keep,
        }
    })
}

enum Change {
    Keep,
    Drop,
    To(String),
}

fn changed(uri: &Uri, change: impl Fn(&str, &str) -> Change) -> Option<Uri> {
    let parts: Vec<String> = uri
        .query()?
        .split('&')
        .filter_map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match change(&name.to_ascii_lowercase(), value) {
                Change::Keep => Some(part.to_owned()),
                Change::Drop => None,
                Change::To(value) => Some(format!("{name}={value}")),
            }
        })
        .collect();
    format!("{}?{}", uri.path(), parts.join("&")).parse().ok()
}

fn value<'a>(pairs: impl Iterator<Item = &'a str>, names: &[&str]) -> Option<&'a str> {
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| names.contains(&name.to_ascii_lowercase().as_str()))
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_rewritten() {
        let uri: Uri =
            "/c/_apis/x?$top=1000&searchCriteria.$skip=5&api-version=7.1".parse().unwrap();
        assert_eq!(place(&uri), Place::Skip(5));
        assert_eq!(first(&uri).unwrap(), "/c/_apis/x?$top=1000&api-version=7.1");
        assert_eq!(
            at(&uri, 3).unwrap(),
            "/c/_apis/x?$top=1000&searchCriteria.$skip=3&api-version=7.1"
        );
        assert_eq!(
            of_size(&uri, 7).unwrap(),
            "/c/_apis/x?$top=7&searchCriteria.$skip=5&api-version=7.1"
        );
        let uri: Uri = "/c?continuationToken=a%2Fb~empty&$top=2".parse().unwrap();
        assert_eq!((place(&uri), token(&uri).as_deref()), (Place::Token, Some("a/b~empty")));
        assert_eq!(with_known_token(&uri).unwrap(), "/c?continuationToken=a%2Fb&$top=2");
    }
}
