//! Tokens and the header that carries them.
//!
//! A [`TokenSource`] is the only thing the client knows about signing in. Nothing here prints a token: headers travel
//! as secrets and are marked sensitive before they reach the HTTP client.

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::{BoxFuture, FutureExt as _};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::Error;

/// Something that can name the `Authorization` header of the moment.
pub trait TokenSource: Debug + Send + Sync {
    /// Returns the value of the header; a source with short-lived tokens gets a new one here before the old expires.
    fn header(&self) -> BoxFuture<'_, Result<SecretString, Error>>;

    /// Is called after an answer as to somebody signed out; returns whether the next header is a new one.
    fn renewed(&self) -> BoxFuture<'_, Result<bool, Error>> {
        async { Ok(false) }.boxed()
    }
}

/// A token that does not change: a personal access token, or a bearer token handed over for the length of a run.
#[derive(Debug)]
pub struct FixedToken {
    header: SecretString,
}

impl FixedToken {
    /// Returns the source for a personal access token, sent as Basic with an empty user name.
    ///
    /// # Errors
    /// Fails when the token is empty or holds characters that no token has.
    pub fn pat(token: &SecretString) -> Result<Self, Error> {
        let token = checked(token)?;
        let encoded = STANDARD.encode(format!(":{token}"));
        Ok(Self { header: SecretString::from(format!("Basic {encoded}")) })
    }

    /// Returns the source for a bearer token.
    ///
    /// # Errors
    /// Fails when the token is empty or holds characters that no token has.
    pub fn bearer(token: &SecretString) -> Result<Self, Error> {
        Ok(Self { header: SecretString::from(format!("Bearer {}", checked(token)?)) })
    }
}

fn checked(token: &SecretString) -> Result<&str, Error> {
    let token = token.expose_secret().trim();
    if token.is_empty() {
        return Err(Error::Token { problem: "is empty".to_owned() });
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = "holds spaces, line ends or characters outside ASCII".to_owned();
        return Err(Error::Token { problem });
    }
    Ok(token)
}

impl TokenSource for FixedToken {
    fn header(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        async { Ok(self.header.clone()) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_trimmed_encoded_and_never_shown() {
        let source = FixedToken::pat(&SecretString::from("s3cret\n")).unwrap();
        assert_eq!(source.header().await.unwrap().expose_secret(), "Basic OnMzY3JldA==");
        assert!(!format!("{source:?}").contains("OnMz"));
        let error = FixedToken::bearer(&SecretString::from("two words")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the token holds spaces, line ends or characters outside ASCII"
        );
        assert!(FixedToken::pat(&SecretString::from(" \n")).is_err());
    }
}
