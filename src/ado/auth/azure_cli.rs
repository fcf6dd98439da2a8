//! Whoever is signed in with `az login`: the Azure CLI is asked for a token.

use std::process::{Output, Stdio};
use std::time::Duration;

use chrono::{Local, NaiveDateTime, TimeZone as _};
use futures::future::{BoxFuture, FutureExt as _};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::process::Command;

use super::door::tame;
use super::error::SignInError;
use super::renewing::Grant;
use super::tenant::Tenant;
use super::token::{Lease, RESOURCE, seconds, secret, until};

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
        let mut output = run(tenant).await?;
        if tenant.is_some() && !output.status.success() {
            // Identities of machines and Cloud Shell have one tenant and take no other word.
            let text = String::from_utf8_lossy(&output.stderr).to_lowercase();
            if text.contains("tenant") && text.contains("shouldn't be specified") {
                output = run(None).await?;
            }
        }
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let line = text.lines().map(str::trim).find(|line| !line.is_empty());
            let message = line.map_or_else(|| output.status.to_string(), |line| tame(line, &[]));
            return Err(SignInError::AzureCli { message, tenant: tenant.map(str::to_owned) });
        }
        read(&output.stdout)
    }
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

async fn run(tenant: Option<&str>) -> Result<Output, SignInError> {
    // On Windows the command is a batch file, which has to be named as one.
    let mut command = Command::new(if cfg!(windows) { "az.cmd" } else { "az" });
    command
        .args(["account", "get-access-token", "--output", "json", "--resource", RESOURCE])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(tenant) = tenant {
        command.args(["--tenant", tenant]);
    }
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(source)) => Err(SignInError::NoAzureCli { source }),
        Err(_) => Err(SignInError::AzureCliSlow { patience: PATIENCE }),
    }
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
