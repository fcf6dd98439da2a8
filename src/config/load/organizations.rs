//! `[[organization]]`: names, sign-in, addresses; and `[sync]`.

use url::Url;

use super::{Reader, names};
use crate::config::auth::{Auth, Credential, Secret};
use crate::config::fields;
use crate::config::node::Value;
use crate::config::read::{Section, list};
use crate::config::sections::{Detail, Endpoints, Organization, Projects, Sync};

impl Reader<'_> {
    pub(super) fn organizations(&self, root: &Section<'_>) -> Vec<Organization> {
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

    pub(super) fn sync(&self, section: &Section<'_>) -> Sync {
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
