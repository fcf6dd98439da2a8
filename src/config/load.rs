//! Finds the file, merges the environment over it, and turns the tree into typed values.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use chrono_tz::Tz;
use url::Url;

use super::auth::{Auth, Credential, Secret};
use super::env::Environment;
use super::error::{Error, Place, Problem, Problems};
use super::exception::{self, Exception, Subject};
use super::fields;
use super::node::{self, Value};
use super::read::{Section, Text, list, nearest};
use super::sections::{Detail, Endpoints, Lake, LakeOption, Organization, Projects, Sync};
use super::settings::{Fields, Override, Profile, RepositorySettings, Require, Settings};
use super::solution::{Selector, Solution};
use super::{Config, FILE_NAME};
use crate::glob::{Glob, Rules};

/// Knows where the configuration comes from, and reads it when a command asks for it.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    /// The file that was asked for; none = look in the usual places.
    pub file: Option<PathBuf>,
    /// Working folder.
    pub folder: PathBuf,
    /// Variables.
    pub environment: Environment,
}

impl Loader {
    /// Returns the file that would be read: the one asked for, else `adolake.toml` here, else the user's.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        if let Some(file) = &self.file {
            return Some(file.clone());
        }
        let here = PathBuf::from(FILE_NAME);
        if self.folder.join(&here).is_file() {
            return Some(here);
        }
        let users = self.environment.config_home()?.join("adolake").join("config.toml");
        users.is_file().then_some(users)
    }

    /// Reads and checks the configuration; without a file it is made of defaults and variables.
    ///
    /// # Errors
    /// When the file is not to be had, or with all problems in it at once.
    pub fn load(&self) -> Result<Config, Error> {
        let Some(file) = self.file() else {
            return parse(None, &self.folder.join(FILE_NAME), "", &self.environment);
        };
        let path = self.folder.join(&file);
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { file: file.clone() },
            _ => Error::Unreadable { file: file.clone(), source },
        })?;
        let mut config = parse(Some(&file), &path, &text, &self.environment)?;
        config.file = Some(file);
        Ok(config)
    }
}

/// Reads a configuration; `shown` is said in messages, relative paths start at the folder of `path`.
pub(super) fn parse(
    shown: Option<&Path>,
    path: &Path,
    text: &str,
    environment: &Environment,
) -> Result<Config, Error> {
    let mut problems = Vec::new();
    let name = shown.unwrap_or(path).display().to_string();
    let mut root = node::parse(&name, text, &mut problems);
    node::overlay(&mut root, environment, &mut problems);
    let problems = RefCell::new(problems);
    let base = path.parent().unwrap_or(Path::new(""));
    let reader = Reader { base };
    let section = Section::root(&root, &problems);
    section.check_keys(fields::ROOT);
    let config = Config {
        file: shown.map(Path::to_path_buf),
        lake: reader.lake(&section.table("lake")),
        organizations: reader.organizations(&section),
        sync: reader.sync(&section.table("sync")),
        settings: reader.settings(&section),
    };
    let mut problems = problems.into_inner();
    if problems.is_empty() {
        return Ok(config);
    }
    // A stable sort by line; what has no line comes last.
    problems.sort_by_key(|problem: &Problem| match &problem.place {
        Some(Place::File { line, .. }) => *line,
        _ => usize::MAX,
    });
    problems.dedup();
    Err(Error::Invalid(Problems(problems)))
}

struct Reader<'a> {
    base: &'a Path,
}

impl Reader<'_> {
    fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    fn lake(&self, section: &Section<'_>) -> Lake {
        section.check_keys(fields::LAKE);
        let default = Lake::in_folder(absolute(self.base).join("lake"))
            .unwrap_or_else(|folder| unreachable!("`{}` was made absolute", folder.display()));
        let url = match section.filled_text("url") {
            Some(text) => match self.lake_url(&text.text) {
                Ok(url) => url,
                Err(message) => {
                    section.problem(&text.place, format!("`lake.url`: {message}"));
                    default.url
                }
            },
            None => default.url,
        };
        Lake {
            url,
            keep_versions: section.duration("keep-versions").unwrap_or(default.keep_versions),
            options: self.lake_options(&section.table("options")),
        }
    }

    fn lake_url(&self, text: &str) -> Result<Url, String> {
        // A single letter before the colon is a drive, not a scheme.
        let scheme =
            text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| scheme.len() > 1);
        let has_scheme = text.contains("://") || scheme == Some("file");
        if !has_scheme {
            let folder = absolute(&self.path(text));
            return Url::from_directory_path(&folder)
                .map_err(|()| format!("`{}` is no folder name", folder.display()));
        }
        let url = Url::parse(text).map_err(|error| format!("no address: {error}"))?;
        match url.scheme() {
            "file" | "s3" | "s3a" | "az" | "azure" | "abfs" | "abfss" | "gs" => {}
            other => {
                return Err(format!(
                    "`{other}:` is no store that adolake knows; write a folder, `s3://…`, `az://…`, `abfss://…` or `gs://…`"
                ));
            }
        }
        if url.password().is_some() || url.query().is_some() {
            return Err("holds a secret or a query; give credentials as `lake.options` or as the store's own environment variables".to_owned());
        }
        Ok(url)
    }

    fn lake_options(&self, section: &Section<'_>) -> BTreeMap<String, LakeOption> {
        let mut options = BTreeMap::new();
        for (key, place, node) in section.entries() {
            let name = section.path_of(key);
            let option = match (&node.value, &node.place) {
                (Value::Table(_), _) => self.secret(&section.table(key)).map(LakeOption::Secret),
                // A variable is a reference already: it names itself.
                (Value::Text(_), Place::Variable(variable)) if holds_secret(key) => {
                    Some(LakeOption::Secret(Secret::Env(variable.to_string())))
                }
                (_, _) if holds_secret(key) => {
                    section.problem(
                        place,
                        format!("`{name}` is a secret and must not stand in the file: write `{{ env = \"…\" }}` or `{{ file = \"…\" }}`"),
                    );
                    None
                }
                (Value::Text(text), _) => Some(LakeOption::Plain(text.clone())),
                (Value::Boolean(value), _) => Some(LakeOption::Plain(value.to_string())),
                (Value::Integer(value), _) => Some(LakeOption::Plain(value.to_string())),
                (Value::Other(_) | Value::List(_), _) => {
                    section.problem(place, format!("`{name}` must be text in quotes"));
                    None
                }
            };
            if let Some(option) = option {
                options.insert(key.to_owned(), option);
            }
        }
        options
    }

    fn secret(&self, section: &Section<'_>) -> Option<Secret> {
        section.check_keys(fields::SECRET);
        let given = [
            section.filled_text("env").map(|text| Secret::Env(text.text)),
            section.filled_text("file").map(|text| Secret::File(self.path(&text.text))),
            section.filled_text("keyring").map(|text| Secret::Keyring(text.text)),
        ];
        let mut given: Vec<Secret> = given.into_iter().flatten().collect();
        if given.len() != 1 {
            section.problem(&section.place, "a secret takes one of `env`, `file` and `keyring`");
        }
        given.pop()
    }

    fn organizations(&self, root: &Section<'_>) -> Vec<Organization> {
        let mut organizations: Vec<Organization> = Vec::new();
        for section in root.tables("organization") {
            section.check_keys(fields::ORGANIZATION);
            let name = section.filled_text("name");
            if let Some(name) = &name {
                if let Err(message) = check_organization_name(&name.text) {
                    section.problem(&name.place, message);
                }
                if organizations.iter().any(|other| other.name.eq_ignore_ascii_case(&name.text)) {
                    section.problem(
                        &name.place,
                        format!("the organization `{}` is configured twice", name.text),
                    );
                }
            }
            let name = name.map_or_else(String::new, |name| name.text);
            let projects =
                names(&section, "projects", &['/', '\\']).unwrap_or_else(|| vec!["*".to_owned()]);
            // `names` has told what is wrong with them.
            let projects = Projects::new(projects).or_else(|_| Projects::new(vec!["*".to_owned()]));
            let auth_section = section.table("auth");
            let auth = section.get("auth").and_then(|_| self.auth(&auth_section));
            let endpoints = self.endpoints(&name, &section.table("endpoints"));
            if let (Ok(projects), Some(auth)) = (projects, auth) {
                organizations.push(Organization { name, projects, auth, endpoints });
            }
        }
        organizations
    }

    fn auth(&self, section: &Section<'_>) -> Option<Auth> {
        for (key, place, node) in section.entries() {
            let inline =
                !matches!(node.value, Value::Table(_)) && ["secret", "certificate"].contains(&key);
            if inline || ["token", "pat", "password", "key"].contains(&key) {
                section.problem(
                    place,
                    format!("`{}`: a secret must not stand in the configuration; name a variable or a file that holds it", section.path_of(key)),
                );
                return None;
            }
        }
        section.check_keys(fields::AUTH);
        let kind = section.choice(&fields::AUTH[0])?;
        let taken: &[&str] = match kind {
            "pat" => &["env", "file", "keyring"],
            "service-principal" => &["tenant-id", "client-id", "secret", "certificate"],
            "user" => &["tenant-id", "client-id"],
            "managed-identity" => &["client-id"],
            "workload-identity" => &["tenant-id", "client-id", "token-file"],
            "pipeline" => &["env"],
            _ => &[],
        };
        for (key, place, _) in section.entries() {
            let is_known = fields::AUTH.iter().any(|field| field.key == key);
            if key != "kind" && is_known && !taken.contains(&key) {
                let takes = if taken.is_empty() {
                    "nothing else".to_owned()
                } else {
                    list(taken.iter().copied())
                };
                section.problem(
                    place,
                    format!(
                        "`{}` does not go with `kind = \"{kind}\"`, which takes {takes}",
                        section.path_of(key)
                    ),
                );
            }
        }
        let optional = |key: &str| section.filled_text(key).map(|text| text.text);
        let required = |key: &str| {
            if section.get(key).is_none() {
                section.problem(
                    &section.place,
                    format!("`{}` is missing for `kind = \"{kind}\"`", section.path_of(key)),
                );
            }
            optional(key)
        };
        match kind {
            "pat" => self.pat(section).map(Auth::Pat),
            "service-principal" => {
                let credential = match (section.get("secret"), section.get("certificate")) {
                    (Some(_), None) => {
                        self.secret(&section.table("secret")).map(Credential::Secret)
                    }
                    (None, Some(_)) => {
                        self.secret(&section.table("certificate")).map(Credential::Certificate)
                    }
                    _ => {
                        section.problem(&section.place, "`kind = \"service-principal\"` takes one of `secret` and `certificate`");
                        None
                    }
                };
                let (tenant_id, client_id) = (required("tenant-id"), required("client-id"));
                Some(Auth::ServicePrincipal {
                    tenant_id: tenant_id?,
                    client_id: client_id?,
                    credential: credential?,
                })
            }
            "user" => Some(Auth::User {
                client_id: required("client-id")?,
                tenant_id: optional("tenant-id"),
            }),
            "managed-identity" => Some(Auth::ManagedIdentity { client_id: optional("client-id") }),
            "workload-identity" => {
                let (tenant_id, client_id) = (required("tenant-id"), required("client-id"));
                let token_file = required("token-file").map(|file| self.path(&file));
                Some(Auth::WorkloadIdentity {
                    tenant_id: tenant_id?,
                    client_id: client_id?,
                    token_file: token_file?,
                })
            }
            "pipeline" => Some(Auth::Pipeline {
                env: optional("env").unwrap_or_else(|| "SYSTEM_ACCESSTOKEN".to_owned()),
            }),
            _ => Some(Auth::AzureCli),
        }
    }

    fn pat(&self, section: &Section<'_>) -> Option<Secret> {
        let given: Vec<Secret> = [
            section.filled_text("env").map(|text| Secret::Env(text.text)),
            section.filled_text("file").map(|text| Secret::File(self.path(&text.text))),
            section.filled_text("keyring").map(|text| Secret::Keyring(text.text)),
        ]
        .into_iter()
        .flatten()
        .collect();
        if given.len() == 1 {
            return given.into_iter().next();
        }
        if section.entries().all(|(key, ..)| key == "kind") || given.len() > 1 {
            section.problem(
                &section.place,
                "`kind = \"pat\"` takes one of `env`, `file` and `keyring`, e.g. `env = \"ADO_PAT\"`",
            );
        }
        None
    }

    fn endpoints(&self, organization: &str, section: &Section<'_>) -> Endpoints {
        section.check_keys(fields::ENDPOINTS);
        let address = |key: &str| {
            let text = section.filled_text(key)?;
            match base_address(&text.text) {
                Ok(address) => Some(address),
                Err(message) => {
                    section.problem(&text.place, format!("`{}`: {message}", section.path_of(key)));
                    None
                }
            }
        };
        let cloud = Endpoints::cloud(organization);
        let core = address("core");
        let is_cloud = core.as_ref().is_none_or(|core| {
            Url::parse(core).is_ok_and(|url| url.host_str() == Some("dev.azure.com"))
        });
        Endpoints {
            core: core.unwrap_or(cloud.core),
            graph: address("graph").or(cloud.graph.filter(|_| is_cloud)),
            profile: address("profile").or(cloud.profile.filter(|_| is_cloud)),
            login: address("login").unwrap_or(cloud.login),
        }
    }

    fn sync(&self, section: &Section<'_>) -> Sync {
        section.check_keys(fields::SYNC);
        let default = Sync::default();
        let concurrency = section.integer(&fields::SYNC[0]);
        Sync {
            concurrency: concurrency
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or(default.concurrency),
            lag: section.duration("lag").unwrap_or(default.lag),
            recheck: section.duration("recheck").unwrap_or(default.recheck),
            detail: match section.choice(&fields::SYNC[3]) {
                Some("production") => Detail::Production,
                Some("all") => Detail::All,
                _ => Detail::Judged,
            },
        }
    }

    fn settings(&self, root: &Section<'_>) -> Settings {
        let checks = root.table("checks");
        checks.check_keys(fields::CHECKS);
        let time_zone = checks.filled_text("time-zone").map_or(Tz::UTC, |text| {
            text.text.parse().unwrap_or_else(|_| {
                let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
                let hint = nearest_zone(&text.text, known)
                    .map_or_else(String::new, |zone| format!("; did you mean `{zone}`?"));
                checks.problem(
                    &text.place,
                    format!("`{}` is no time zone such as `Europe/Berlin`{hint}", text.text),
                );
                Tz::UTC
            })
        });
        let section = root.table("defaults");
        section.check_keys(fields::DEFAULTS);
        let mut defaults = RepositorySettings::default();
        defaults.apply(&self.fields(&section));
        Settings {
            start_date: checks.date("start-date"),
            time_zone,
            profile: match checks.choice(&fields::CHECKS[2]) {
                Some("strict") => Profile::Strict,
                _ => Profile::Standard,
            },
            defaults,
            overrides: self.overrides(root),
            exceptions: self.exceptions(root),
        }
    }

    fn fields(&self, section: &Section<'_>) -> Fields {
        Fields {
            in_scope: section.boolean("in-scope"),
            production_branches: names(
                section,
                "production-branches",
                &['^', '~', ':', '\\', ' ', '!'],
            ),
            emergency_label: section
                .text("emergency-label")
                .map(|text| Some(text.text.trim().to_owned()).filter(|label| !label.is_empty())),
            service_identities: section.texts("service-identities").map(|texts| {
                for text in &texts {
                    if let Err(error) = Glob::new(&text.text) {
                        section.problem(
                            &text.place,
                            format!("`{}`: {error}", section.path_of("service-identities")),
                        );
                    }
                }
                plain(texts)
            }),
            sast: self.solutions(section, "sast"),
            integration_tests: self.solutions(section, "integration-tests"),
            dependency_checks: self.solutions(section, "dependency-checks"),
            require: section.choice(&fields::DEFAULTS[7]).map(|word| match word {
                "all" => Require::All,
                _ => Require::Any,
            }),
            accept_partially_succeeded: section.boolean("accept-partially-succeeded"),
            gone_since: None,
        }
    }

    fn solutions(&self, section: &Section<'_>, key: &str) -> Option<Vec<Solution>> {
        let mut solutions = Vec::new();
        for item in section.items(key)? {
            let solution =
                match &item.value {
                    Value::Text(text) => Solution::parse(text),
                    Value::Table(_) => match table_solution(&section.inner(key, item)) {
                        Some(solution) => solution,
                        None => continue,
                    },
                    _ => Err("a solution is a text or a table such as `{ pipeline = \"ci\" }`"
                        .to_owned()),
                };
            match solution {
                Ok(solution) => solutions.push(solution),
                Err(message) => {
                    section.problem(&item.place, format!("`{}`: {message}", section.path_of(key)));
                }
            }
        }
        Some(solutions)
    }

    fn overrides(&self, root: &Section<'_>) -> Vec<Override> {
        let mut overrides = Vec::new();
        for section in root.tables("repository") {
            section.check_keys(fields::REPOSITORY);
            let fields = Fields { gone_since: section.date("gone-since"), ..self.fields(&section) };
            let Some(pattern) = section.filled_text("match") else { continue };
            let glob = exception::check_repository_glob(&pattern.text).and_then(|()| {
                Glob::new(&pattern.text.to_lowercase()).map_err(|error| error.to_string())
            });
            match glob {
                Ok(glob) => overrides.push(Override { pattern: pattern.text, glob, fields }),
                Err(message) => {
                    section.problem(&pattern.place, format!("`repository.match`: {message}"));
                }
            }
        }
        overrides
    }

    fn exceptions(&self, root: &Section<'_>) -> Vec<Exception> {
        let mut exceptions = Vec::new();
        for section in root.tables("exception") {
            section.check_keys(fields::EXCEPTION);
            let subject = section.filled_text("match").and_then(|text| {
                Subject::parse(&text.text)
                    .map_err(|message| {
                        section.problem(&text.place, format!("`exception.match`: {message}"));
                    })
                    .map(|subject| (text.text, subject))
                    .ok()
            });
            let reason = section.filled_text("reason");
            let approved_by = section.filled_text("approved-by");
            let expires = section.date("expires");
            let evidence = section.filled_text("evidence").map(|text| text.text);
            let checks = section.texts("checks");
            let (Some((pattern, subject)), Some(reason), Some(approved_by), Some(expires)) =
                (subject, reason, approved_by, expires)
            else {
                continue;
            };
            exceptions.push(Exception {
                pattern,
                checks: excepted_checks(&section, &subject, checks),
                subject,
                reason: reason.text,
                approved_by: approved_by.text,
                evidence_file: evidence
                    .as_ref()
                    .filter(|text| !text.contains("://"))
                    .map(|text| self.path(text)),
                evidence,
                expires,
            });
        }
        exceptions
    }
}

fn excepted_checks(
    section: &Section<'_>,
    subject: &Subject,
    checks: Option<Vec<Text>>,
) -> Vec<String> {
    let possible = subject.checks();
    let Some(checks) = checks else {
        return possible.iter().map(|check| (*check).to_owned()).collect();
    };
    for check in &checks {
        if possible.contains(&check.text.as_str()) {
            continue;
        }
        let message = if check.text == exception::POLICY_CHECK {
            format!("`{}` cannot be excepted", check.text)
        } else if check.text == exception::PUSH_CHECK {
            format!("`{}` is excepted for a commit: `org/project/repo@commit`", check.text)
        } else if exception::PULL_REQUEST_CHECKS.contains(&check.text.as_str()) {
            format!("`{}` is excepted for a pull request: `org/project/repo!number`", check.text)
        } else {
            let hint = nearest(&check.text.replace('-', "_"), possible.iter().copied())
                .map_or_else(
                    || format!("; known are {}", list(possible.iter().copied())),
                    |check| format!("; did you mean `{check}`?"),
                );
            format!("`{}` is no check{hint}", check.text)
        };
        section.problem(&check.place, format!("`exception.checks`: {message}"));
    }
    plain(checks)
}

/// Reads a list of globs on names, of which those that begin with `!` exclude where that sign is allowed.
fn names(section: &Section<'_>, key: &str, forbidden: &[char]) -> Option<Vec<String>> {
    let texts = section.texts(key)?;
    for text in &texts {
        let glob = text.text.as_str();
        let wrong = match Rules::new(&[glob]) {
            Err(error) => Some(error.to_string()),
            Ok(_) => {
                let name =
                    if forbidden.contains(&'!') { glob } else { glob.trim_start_matches('!') };
                exception::check_name_glob(name, forbidden).err()
            }
        };
        if let Some(message) = wrong {
            section.problem(&text.place, format!("`{}`: {message}", section.path_of(key)));
        }
    }
    Some(plain(texts))
}

fn plain(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(|text| text.text).collect()
}

fn table_solution(section: &Section<'_>) -> Option<Result<Solution, String>> {
    section.check_keys(fields::SOLUTION);
    let kinds = [
        (Selector::Any, "name"),
        (Selector::Pipeline, "pipeline"),
        (Selector::Status, "status"),
        (Selector::Job, "job"),
    ];
    let mut given: Vec<(Selector, String)> = kinds
        .into_iter()
        .filter_map(|(selector, key)| Some((selector, section.filled_text(key)?.text)))
        .collect();
    let paths = section.texts("paths").map(plain);
    if given.len() != 1 {
        section.problem(
            &section.place,
            "a solution takes one of `pipeline`, `status`, `job` and `name`, and maybe `paths`",
        );
        return None;
    }
    let (selector, pattern) = given.pop()?;
    Some(Solution::of(selector, &pattern, paths.as_deref()))
}

fn holds_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    // `…_key_id` and the like speak of a secret without being one.
    let speaks_of_one = ["_id", "_file", "_path", "_url", "_uri", "_endpoint", "_enabled"]
        .iter()
        .any(|end| key.ends_with(end));
    !speaks_of_one
        && ["key", "token", "sas", "password", "secret"].iter().any(|word| key.contains(word))
}

fn check_organization_name(name: &str) -> Result<(), String> {
    if name.contains("://") || name.contains('/') {
        let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        return Err(format!("`organization.name` is a name, not an address: write `{last}`"));
    }
    let is_valid = name.len() <= 128
        && name.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.', ' '].contains(&c))
        && !name.starts_with('.');
    if is_valid {
        Ok(())
    } else {
        Err(format!("`{}` is no name of an organization", name.escape_debug()))
    }
}

fn base_address(text: &str) -> Result<String, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("no address: {error}"))?;
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err("must begin with `https://` or `http://`".to_owned());
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("must be a plain base address, without user, query or fragment".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn nearest_zone<'z>(text: &str, known: impl Iterator<Item = &'z str>) -> Option<&'z str> {
    let text = text.to_lowercase();
    known
        .map(|zone| (strsim::damerau_levenshtein(&text, &zone.to_lowercase()), zone))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, zone)| zone)
}

/// Makes a path absolute without looking at the disk's links.
fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| Path::new("/").join(path));
    // `a/./b` and `a/../b` would stay in the address.
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}
