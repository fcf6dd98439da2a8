//! Whoever is signed in with `az login`: the Azure CLI is asked for a token.

use std::time::Duration;

use chrono::{Local, NaiveDateTime, TimeZone as _};
use futures::future::{BoxFuture, FutureExt as _};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::process::Command;

use super::error::SignInError;
use super::renewing::Grant;
use super::tenant::Tenant;
use super::token::{Lease, RESOURCE, seconds, secret, until};
use crate::program::{self, Refusal};

/// How long the Azure CLI may take; its start alone takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The Azure CLI.
#[derive(Debug)]
pub(super) struct AzureCli {
    tenant: Tenant,
}

/// What it prints.
#[derive(Deserialize)]
struct Printed {
    #[serde(rename = "accessToken", deserialize_with = "secret")]
    access_token: SecretString,
    /// Seconds since 1970; in newer versions.
    #[serde(default, deserialize_with = "seconds")]
    expires_on: Option<u64>,
    /// Local time without an offset; in all versions.
    #[serde(default, rename = "expiresOn")]
    expires_on_text: Option<String>,
}

impl AzureCli {
    /// Returns the source; nothing is run yet.
    pub(super) fn new(tenant: Tenant) -> Self {
        Self { tenant }
    }

    async fn lease(&self) -> Result<Lease, SignInError> {
        let tenant = self.tenant.known().await;
        let printed = match run(tenant).await {
            // Identities of machines and Cloud Shell have one tenant and take no other word.
            Err(Refusal::Failed { text, .. }) if tenant.is_some() && wants_no_tenant(&text) => {
                run(None).await
            }
            other => other,
        };
        let printed = printed.map_err(|refusal| match refusal {
            Refusal::NotRun(source) => SignInError::NoAzureCli { source },
            Refusal::Slow => SignInError::AzureCliSlow { patience: PATIENCE },
            Refusal::Failed { line, .. } => {
                SignInError::AzureCli { message: line, tenant: tenant.map(str::to_owned) }
            }
        })?;
        read(&printed)
    }
}

fn wants_no_tenant(complaint: &str) -> bool {
    let complaint = complaint.to_lowercase();
    complaint.contains("tenant") && complaint.contains("shouldn't be specified")
}

fn read(printed: &[u8]) -> Result<Lease, SignInError> {
    let not_understood = || SignInError::NotUnderstood {
        address: "az account get-access-token".to_owned(),
        problem: "it is not the JSON of a token".to_owned(),
    };
    let printed: Printed = serde_json::from_slice(printed).map_err(|_| not_understood())?;
    super::checked(&printed.access_token)
        .map_err(|problem| SignInError::Token { problem: problem.to_owned() })?;
    let local = printed.expires_on_text.and_then(|text| {
        let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
        u64::try_from(Local.from_local_datetime(&time).earliest()?.timestamp()).ok()
    });
    let ends_at = printed.expires_on.or(local);
    let lives = ends_at.map_or(Duration::from_secs(300), until);
    Ok(Lease { token: printed.access_token, lives })
}

async fn run(tenant: Option<&str>) -> Result<Vec<u8>, Refusal> {
    // On Windows the command is a batch file, which has to be named as one.
    let mut command = Command::new(if cfg!(windows) { "az.cmd" } else { "az" });
    command.args(["account", "get-access-token", "--output", "json", "--resource", RESOURCE]);
    if let Some(tenant) = tenant {
        command.args(["--tenant", tenant]);
    }
    program::ask(&mut command, PATIENCE).await
}

impl Grant for AzureCli {
    fn kind(&self) -> &'static str {
        "azure-cli"
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Lease, SignInError>> {
        self.lease().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_end_are_read() {
        let lives = |more: &str| {
            read(format!(r#"{{"accessToken":"abc"{more}}}"#).as_bytes()).unwrap().lives
        };
        assert_eq!(lives(""), Duration::from_secs(300));
        let hour = Local::now() + chrono::TimeDelta::hours(1);
        let near = |lives: Duration| (3500..=3600).contains(&lives.as_secs());
        assert!(near(lives(&format!(r#","expiresOn":"x","expires_on":{}"#, hour.timestamp()))));
        let text = hour.format("%Y-%m-%d %H:%M:%S.000000");
        assert!(near(lives(&format!(r#","expiresOn":"{text}""#))));
        assert!(read(b"Please run 'az login'").is_err());
    }
}
