//! A certificate with its key, and the signed statements by which an application proves that it has both.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::SignInError;

/// How long a statement is good for, seconds; Microsoft Entra asks for a few minutes.
const LIVES: u64 = 600;
/// By how much clocks may differ, seconds.
const SKEW: u64 = 60;

/// A certificate and the key that belongs to it.
pub(super) struct Certificate {
    sha1: String,
    sha256: String,
    key: RsaKeyPair,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("sha1", &self.sha1).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the first certificate and the key from PEM.
    pub(super) fn parse(pem: &SecretString) -> Result<Self, SignInError> {
        let bad = |problem: &str| SignInError::Certificate { problem: problem.to_owned() };
        let text = pem.expose_secret();
        if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(bad("its key is locked with a passphrase"));
        }
        let certificate = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|_| bad("there is no certificate in it"))?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| bad("there is no private key in it"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(bad("its key is not an RSA key")),
        };
        // The library's words name what is wrong with the key, never the key.
        let key = key.map_err(|error| bad(&format!("its RSA key is not taken: {error}")))?;
        let thumb = |algorithm| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, &certificate));
        Ok(Self {
            sha1: thumb(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            sha256: thumb(&digest::SHA256),
            key,
        })
    }

    /// Returns a statement that `client_id` makes to the token endpoint at `address`, signed with the key.
    pub(super) fn assertion(&self, client_id: &str, address: &str) -> Result<String, SignInError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = serde_json::json!({
            "alg": "RS256", "typ": "JWT", "x5t": self.sha1, "x5t#S256": self.sha256,
        });
        let claims = serde_json::json!({
            "aud": address, "iss": client_id, "sub": client_id,
            "jti": uuid::Uuid::new_v4().to_string(),
            "iat": now, "nbf": now.saturating_sub(SKEW), "exp": now + LIVES,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let statement = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), statement.as_bytes(), &mut signature)
            .map_err(|_| SignInError::Certificate {
                problem: "its key does not sign".to_owned(),
            })?;
        Ok(format!("{statement}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
