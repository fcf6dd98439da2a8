//! The configuration: built-in defaults, then the file, then the environment; merged once, checked once.
//!
//! ```text
//! adolake.toml ─┐
//!               ├─▶ node (tree that knows its places) ─▶ load (types, all problems at once) ─▶ Config
//! ADOLAKE_… ────┘                                            │
//!                                    fields (every key) ◀────┘──▶ JSON schema, README table
//! ```
//!
//! A stage is handed its own section ([`Lake`], [`Organization`], [`Sync`]) or the [`Settings`]; only `cli` and
//! `serve` see [`Config`] whole. Secrets are references here ([`Secret`]); they are fetched by whoever uses them, from the
//! [`Environment`] that the program began with.

mod auth;
pub mod env;
mod error;
mod exception;
pub mod fields;
mod json_schema;
mod keyring;
mod load;
mod node;
mod read;
mod sections;
mod settings;
mod show;
mod solution;
mod store_options;
mod stored;

use std::path::PathBuf;

pub use auth::{Auth, Credential, Secret};
pub use env::Environment;
pub use error::{Error, Place, Problem, Problems};
pub use exception::{Exception, POLICY_CHECK, PULL_REQUEST_CHECKS, PUSH_CHECK, Subject};
pub use json_schema::json_schema;
pub use keyring::{Keyring, KeyringError};
pub use load::Loader;
pub use read::parse_duration;
pub use sections::{Detail, Endpoints, Lake, LakeOption, Organization, Projects, Sync, exposed};
pub use settings::{Fields, Override, Profile, RepositorySettings, Require, Settings};
pub use solution::{Selector, Solution};
pub(crate) use store_options::{RETRY_OPTIONS, store_takes};

/// Name of the config file in the working folder.
pub const FILE_NAME: &str = "adolake.toml";

/// The commented default file.
pub const DEFAULT_FILE: &str = include_str!("config/default.toml");

/// The merged configuration. Its `Display` is a TOML file with every value in force, secrets by reference.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from, if any.
    pub file: Option<PathBuf>,
    /// Where the tables live.
    pub lake: Lake,
    /// What is read; may be empty, as asking the lake needs none.
    pub organizations: Vec<Organization>,
    /// How it is read.
    pub sync: Sync,
    /// What is judged, and how.
    pub settings: Settings,
}

impl Config {
    /// Reads a configuration from text; `file` names it in messages, and relative paths start at its folder. Nothing
    /// is opened.
    ///
    /// # Errors
    /// With all problems at once.
    pub fn parse(
        file: &std::path::Path,
        text: &str,
        environment: &Environment,
    ) -> Result<Self, Error> {
        load::parse(Some(file), file, text, environment)
    }

    /// Returns the organizations.
    ///
    /// # Errors
    /// When there is none.
    pub fn organizations(&self) -> Result<&[Organization], Error> {
        if self.organizations.is_empty() {
            return Err(Error::NoOrganization { file: self.file.clone() });
        }
        Ok(&self.organizations)
    }
}
