//! Credentials of S3 from a profile of the AWS tools: the AWS CLI, which knows every form that profiles have, is asked.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use serde::Deserialize;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::program::{self, Refusal};

/// How long the AWS CLI may take; behind a profile may stand another program, or a server.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long before their end credentials are fetched anew.
const EARLY: TimeDelta = TimeDelta::minutes(5);

/// Lets the AWS CLI give credentials and region, where the settings hold no key and there is a profile: one that
/// `AWS_PROFILE` names, or on AWS itself any. Whatever else may give credentials comes after profiles.
pub(super) fn with_profile(mut builder: AmazonS3Builder) -> AmazonS3Builder {
    let value = |key| builder.get_config_value(&key);
    let is_signed = value(AmazonS3ConfigKey::SkipSignature).is_none_or(|skip| skip != "true");
    if value(AmazonS3ConfigKey::AccessKeyId).is_some() || !is_signed {
        return builder;
    }
    let is_aws = value(AmazonS3ConfigKey::Endpoint).is_none();
    if !(is_named() || (is_aws && has_files() && is_installed())) {
        return builder;
    }
    let cli = AwsCli::new("aws");
    if value(AmazonS3ConfigKey::Region).is_none()
        && let Some(region) = cli.region()
    {
        builder = builder.with_region(region);
    }
    builder.with_credentials(Arc::new(cli))
}

fn is_named() -> bool {
    env::var_os("AWS_PROFILE").is_some_and(|name| !name.is_empty())
}

/// Tells whether there are profiles, in files where the AWS tools look for them.
fn has_files() -> bool {
    [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")].iter().any(
        |(variable, name)| match env::var_os(variable) {
            Some(file) => PathBuf::from(file).is_file(),
            None => env::home_dir().is_some_and(|home| home.join(".aws").join(name).is_file()),
        },
    )
}

fn is_installed() -> bool {
    let program = format!("aws{}", env::consts::EXE_SUFFIX);
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(&program).is_file())
}

/// The AWS CLI; it follows the environment to the profile.
struct AwsCli {
    program: OsString,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    credential: Arc<AwsCredential>,
    ends_at: Option<DateTime<Utc>>,
}

/// What it prints, in the form of [credential processes](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<DateTime<Utc>>,
}

/// Why the AWS CLI gave no credentials.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(
        "the AWS CLI (`aws`, version 2), which knows the profile, cannot be run: {0}; install it, or set `aws_access_key_id` and `aws_secret_access_key`"
    )]
    NoCli(std::io::Error),
    #[error("the AWS CLI did not answer within {} s", PATIENCE.as_secs())]
    Slow,
    #[error("the AWS CLI gives no credentials: {0}")]
    Failed(String),
    #[error(
        "what the AWS CLI printed is not the JSON of credentials; version 2.9 or later is needed"
    )]
    NotUnderstood,
}

impl AwsCli {
    fn new(program: impl AsRef<OsStr>) -> Self {
        Self { program: program.as_ref().to_owned(), kept: Mutex::new(None) }
    }

    /// Returns the region of the profile.
    fn region(&self) -> Option<String> {
        let mut command = std::process::Command::new(&self.program);
        let output = command.args(["configure", "get", "region"]).stdin(Stdio::null()).output();
        let region = String::from_utf8(output.ok()?.stdout).ok()?;
        Some(region.trim().to_owned()).filter(|region| !region.is_empty())
    }

    async fn fetch(&self) -> Result<Kept, Problem> {
        let mut command = Command::new(&self.program);
        command.args(["configure", "export-credentials", "--format", "process"]);
        let printed =
            program::ask(&mut command, PATIENCE).await.map_err(|refusal| match refusal {
                Refusal::NotRun(source) => Problem::NoCli(source),
                Refusal::Slow => Problem::Slow,
                Refusal::Failed { line, .. } => Problem::Failed(line),
            })?;
        // The text of the parser's error may quote a value.
        let Printed { access_key_id, secret_access_key, session_token, expiration } =
            serde_json::from_slice(&printed).map_err(|_| Problem::NotUnderstood)?;
        let credential = AwsCredential {
            key_id: access_key_id,
            secret_key: secret_access_key,
            token: session_token.filter(|token| !token.is_empty()),
        };
        Ok(Kept { credential: Arc::new(credential), ends_at: expiration })
    }
}

impl fmt::Debug for AwsCli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCli").finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialProvider for AwsCli {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = &*kept
            && kept.ends_at.is_none_or(|end| Utc::now() + EARLY < end)
        {
            return Ok(Arc::clone(&kept.credential));
        }
        let fetched = self.fetch().await.map_err(|problem| {
            let path = "the lake".to_owned();
            object_store::Error::Unauthenticated { path, source: Box::new(problem) }
        })?;
        let credential = Arc::clone(&fetched.credential);
        *kept = Some(fetched);
        Ok(credential)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn cli(folder: &Path, script: &str) -> AwsCli {
        let program = folder.join("aws");
        fs::write(&program, format!("#!/bin/sh\necho x >> \"$0.log\"\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        AwsCli::new(program)
    }

    fn times(folder: &Path) -> usize {
        fs::read_to_string(folder.join("aws.log")).unwrap().lines().count()
    }

    fn printed(expiration: Option<DateTime<Utc>>) -> String {
        let mut answer = serde_json::json!({
            "Version": 1, "AccessKeyId": "id", "SecretAccessKey": "secret", "SessionToken": "token",
        });
        if let Some(expiration) = expiration {
            answer["Expiration"] = expiration.to_rfc3339().into();
        }
        format!("echo '{answer}'")
    }

    #[tokio::test]
    async fn credentials_are_asked_for_until_they_hold() {
        for (lives, asked) in
            [(None, 1), (Some(TimeDelta::hours(1)), 1), (Some(TimeDelta::minutes(4)), 2)]
        {
            let folder = tempfile::tempdir().unwrap();
            let cli = cli(folder.path(), &printed(lives.map(|lives| Utc::now() + lives)));
            for _ in 0..2 {
                let credential = cli.get_credential().await.unwrap();
                let token = credential.token.as_deref();
                assert_eq!((credential.key_id.as_str(), token), ("id", Some("token")));
            }
            assert_eq!(times(folder.path()), asked, "{lives:?}");
        }
    }

    #[tokio::test]
    async fn why_there_are_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let refused = async |cli: AwsCli| cli.get_credential().await.unwrap_err().to_string();
        let told =
            refused(cli(folder.path(), "echo; echo 'Token has expired' >&2; exit 255")).await;
        assert!(told.contains("gives no credentials: Token has expired"), "{told}");
        let told = refused(cli(folder.path(), "echo 'secret'")).await;
        assert!(told.contains("not the JSON") && !told.contains("secret"), "{told}");
        let told = refused(AwsCli::new(folder.path().join("none"))).await;
        assert!(told.contains("cannot be run") && told.contains("aws_access_key_id"), "{told}");
    }
}
