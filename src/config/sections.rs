//! The sections that stages are handed: where the lake is, which organizations are read, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::auth::{Auth, Secret};
use super::env::Environment;
use super::error::Error;
use crate::glob::Rules;

/// `[lake]`: where the tables live.
#[derive(Debug, Clone)]
pub struct Lake {
    /// Root of all tables; a folder is a `file:` address.
    pub url: Url,
    /// How far back old versions of the tables are kept.
    pub keep_versions: Duration,
    /// What the object store is told.
    pub options: BTreeMap<String, LakeOption>,
}

/// A value for the object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LakeOption {
    /// Not secret.
    Plain(String),
    /// A secret, by reference.
    Secret(Secret),
}

impl Lake {
    /// Returns a lake in a folder, with the built-in defaults.
    ///
    /// # Errors
    /// Returns the folder when it cannot be an address, e.g. because it is not absolute.
    pub fn in_folder(folder: PathBuf) -> Result<Self, PathBuf> {
        let url = Url::from_directory_path(&folder).map_err(|()| folder)?;
        Ok(Self { url, keep_versions: Duration::from_secs(400 * 86_400), options: BTreeMap::new() })
    }

    /// Returns the options with their secrets fetched.
    ///
    /// # Errors
    /// When a secret is not to be had.
    pub fn resolve_options(
        &self,
        environment: &Environment,
    ) -> Result<BTreeMap<String, SecretString>, Error> {
        self.options
            .iter()
            .map(|(key, option)| {
                let value = match option {
                    LakeOption::Plain(text) => SecretString::from(text.as_str()),
                    LakeOption::Secret(secret) => {
                        secret.resolve(environment, &format!("`lake.options.{key}`"))?
                    }
                };
                Ok((key.clone(), value))
            })
            .collect()
    }

    /// Returns the folder, unless the lake is on an object store.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        (self.url.scheme() == "file").then(|| self.url.to_file_path().ok()).flatten()
    }
}

/// Hands the fetched options over as plain text, as object stores take them.
#[must_use]
pub fn exposed(options: &BTreeMap<String, SecretString>) -> BTreeMap<String, String> {
    options.iter().map(|(key, value)| (key.clone(), value.expose_secret().to_owned())).collect()
}

/// `[[organization]]`: what is read.
#[derive(Debug, Clone)]
pub struct Organization {
    /// The `contoso` of `https://dev.azure.com/contoso`.
    pub name: String,
    /// Which projects, by name.
    pub projects: Projects,
    /// How to sign in.
    pub auth: Auth,
    /// Base addresses.
    pub endpoints: Endpoints,
}

/// Globs on project names, letters in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projects {
    patterns: Vec<String>,
    rules: Rules,
}

impl Projects {
    /// Parses a list of globs.
    ///
    /// # Errors
    /// When one of them is no glob.
    pub fn new(patterns: Vec<String>) -> Result<Self, crate::glob::Error> {
        let lowered: Vec<String> = patterns.iter().map(|pattern| pattern.to_lowercase()).collect();
        Ok(Self { rules: Rules::new(&lowered)?, patterns })
    }

    /// Tells whether a project is to be read.
    #[must_use]
    pub fn matches(&self, project: &str) -> bool {
        self.rules.matches(&project.to_lowercase())
    }

    /// Returns the globs as they were written.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }
}

/// Base addresses, none with a slash at its end.
///
/// With another `core` than the cloud's, `graph` and `profile` are none unless they are given: a token is never sent
/// to a host that was not named, and a server of one's own answers for every area at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Projects, code, builds and policies.
    pub core: String,
    /// Users and service principals.
    pub graph: Option<String>,
    /// The signed-in identity.
    pub profile: Option<String>,
    /// Sign-in.
    pub login: String,
}

impl Endpoints {
    /// Returns the addresses of the cloud.
    #[must_use]
    pub fn cloud(organization: &str) -> Self {
        Self {
            core: format!("https://dev.azure.com/{organization}"),
            graph: Some(format!("https://vssps.dev.azure.com/{organization}")),
            profile: Some("https://app.vssps.visualstudio.com".to_owned()),
            login: "https://login.microsoftonline.com".to_owned(),
        }
    }
}

/// `[sync]`: how Azure DevOps is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// Requests under way at once.
    pub concurrency: usize,
    /// How far a sync reads again behind its last window.
    pub lag: Duration,
    /// Closed pull requests younger than this are read again.
    pub recheck: Duration,
    /// Whose details are read.
    pub detail: Detail,
}

impl Default for Sync {
    fn default() -> Self {
        Self {
            concurrency: 8,
            lag: Duration::from_secs(3_600),
            recheck: Duration::from_secs(14 * 86_400),
            detail: Detail::Judged,
        }
    }
}

/// Pull requests whose details are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Those that a check would judge now.
    Judged,
    /// All that were merged into a production branch.
    Production,
    /// All.
    All,
}

impl Detail {
    /// Returns the word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Judged => "judged",
            Self::Production => "production",
            Self::All => "all",
        }
    }
}
