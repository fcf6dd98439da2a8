//! Statements by which an application proves itself: signed with its registered certificate, or from another issuer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use webpki::{EndEntityCert, ring::RSA_PKCS1_2048_8192_SHA256};

use super::real_now;

/// The other issuer that the application trusts, and the subject it trusts there. Its signatures are not looked at.
const ISSUER: &str = "https://issuer.simulated";
const SUBJECT: &str = "system:serviceaccount:evidence:adolake";
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// What came of it.
pub(super) enum Claimed {
    Good,
    /// The number of the error and its text.
    Bad(u32, &'static str),
}

/// Checks a statement that `client` makes to the endpoint with this path.
pub(super) fn check(
    statement: &str,
    client: &str,
    path: &str,
    certificate: Option<&str>,
) -> Claimed {
    let malformed = Claimed::Bad(50_027, "JWT token is invalid or malformed.");
    let parts: Vec<&str> = statement.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { return malformed };
    let read = |part: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let (Some(header), Some(claims)) = (read(header), read(claims)) else { return malformed };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return malformed };
    let now = real_now();
    let is_timely = claims["exp"].as_u64().is_some_and(|end| end > now)
        && claims["nbf"].as_u64().is_none_or(|start| start <= now + 300);
    if !is_timely {
        return Claimed::Bad(700_024, "Client assertion is not within its valid time range.");
    }
    if claims["iss"] != client {
        return foreign(&claims);
    }
    if claims["sub"] != client || !claims["aud"].as_str().is_some_and(|aud| aud.ends_with(path)) {
        return Claimed::Bad(
            50_027,
            "Client assertion audience claim does not match Realm issuer.",
        );
    }
    let signed = &statement[..statement.rfind('.').unwrap_or(0)];
    match certificate.map(|pem| is_signed(pem, &header, signed, &signature)) {
        Some(Some(true)) => Claimed::Good,
        _ => Claimed::Bad(
            700_027,
            "The certificate with identifier used to sign the client assertion is not registered on application, or the \
             key was not found.",
        ),
    }
}

fn is_signed(pem: &str, header: &Value, signed: &str, signature: &[u8]) -> Option<bool> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let thumb = URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate));
    if header["alg"] != "RS256" || header["x5t#S256"] != thumb.as_str() || header["x5t"].is_null() {
        return Some(false);
    }
    let certificate = EndEntityCert::try_from(&certificate).ok()?;
    let verified =
        certificate.verify_signature(RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), signature);
    Some(verified.is_ok())
}

fn foreign(claims: &Value) -> Claimed {
    if claims["iss"] != ISSUER {
        return Claimed::Bad(
            700_211,
            "No matching federated identity record found for presented assertion issuer.",
        );
    }
    if claims["aud"] != AUDIENCE {
        return Claimed::Bad(
            700_212,
            "No matching federated identity record found for presented assertion audience.",
        );
    }
    if claims["sub"] != SUBJECT {
        return Claimed::Bad(
            700_213,
            "No matching federated identity record found for presented assertion subject.",
        );
    }
    Claimed::Good
}
