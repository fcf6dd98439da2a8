//! Tokens as the services of Microsoft Entra and of Azure's machines hand them out.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::error::SignInError;

/// Who the token is for: Azure DevOps, by the id that it has in every tenant.
pub(super) const RESOURCE: &str = "499b84ac-1321-427f-aa17-267ca6975798";

/// Returns the scope that stands for whatever the application was granted of Azure DevOps.
pub(super) fn scope() -> String {
    format!("{RESOURCE}/.default")
}

/// A token and how long it lives from now on.
#[derive(Debug)]
pub(super) struct Lease {
    /// Bearer token.
    pub token: SecretString,
    /// From now on.
    pub lives: Duration,
}

/// An answer with tokens. The numbers are texts in some services.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "seconds")]
    expires_on: Option<u64>,
    /// For `user` only.
    #[serde(default, deserialize_with = "any_secret")]
    pub refresh_token: Option<SecretString>,
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAnswer").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

impl TokenAnswer {
    /// Returns the access token.
    pub(super) fn lease(self) -> Result<Lease, SignInError> {
        super::checked(&self.access_token)
            .map_err(|problem| SignInError::Token { problem: problem.to_owned() })?;
        let lives = match (self.expires_in, self.expires_on) {
            (Some(seconds), _) => Duration::from_secs(seconds),
            (None, Some(epoch)) => until(epoch),
            // Whoever does not say gets the least that Azure gives.
            (None, None) => Duration::from_secs(300),
        };
        Ok(Lease { token: self.access_token, lives })
    }
}

/// Returns the time from now to an instant of this machine's clock, in seconds since 1970.
pub(super) fn until(epoch: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(epoch).saturating_sub(now)
}

/// Reads a text that is a secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// Reads a text that is a secret, where there is one.
pub(super) fn any_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

/// Reads seconds, written as a number or as a text.
pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Number(u64),
        Text(String),
    }
    Ok(match Option::<Form>::deserialize(deserializer)? {
        Some(Form::Number(number)) => Some(number),
        // App Service of old wrote dates; without a number the shortest life is taken.
        Some(Form::Text(text)) => text.trim().parse().ok(),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn lives_are_read_in_any_form() {
        let lives = |text: &str| {
            let answer: TokenAnswer = serde_json::from_str(text).unwrap();
            let shown = format!("{answer:?}");
            let lease = answer.lease().unwrap();
            assert_eq!(lease.token.expose_secret(), "abc");
            assert!(!shown.contains("abc") && !format!("{lease:?}").contains("abc"));
            lease.lives.as_secs()
        };
        assert_eq!(lives(r#"{"access_token":"abc","expires_in":3599}"#), 3599);
        assert_eq!(
            lives(r#"{"access_token":"abc","expires_in":"86399","expires_on":"1"}"#),
            86_399
        );
        assert_eq!(lives(r#"{"access_token":"abc","expires_on":"1"}"#), 0);
        assert_eq!(lives(r#"{"access_token":"abc","expires_on":"12/31/2026 1:00:00 PM"}"#), 300);
        let far = lives(r#"{"access_token":"abc","expires_on":99999999999}"#);
        assert!(far > 90_000_000_000, "{far}");
        let spoilt: TokenAnswer = serde_json::from_str(r#"{"access_token":"a b"}"#).unwrap();
        assert!(spoilt.lease().is_err());
    }
}
