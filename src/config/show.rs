//! Prints the merged configuration as a TOML file; secrets stay references.

use std::fmt;
use std::time::Duration;

use super::Config;
use super::auth::{Auth, Credential};
use super::read::format_duration;
use super::sections::{LakeOption, Organization};
use super::settings::{Fields, RepositorySettings};
use super::solution::{Selector, Solution};

/// Writes a text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list<T: AsRef<str>>(texts: &[T]) -> String {
    let items: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

fn solutions(solutions: &[Solution]) -> String {
    let items: Vec<String> = solutions
        .iter()
        .map(|solution| match &solution.paths {
            None => quoted(&solution.solution),
            Some(paths) => {
                let (key, name) = match solution.selector {
                    Selector::Any => ("name", solution.solution.as_str()),
                    other => {
                        let text = solution.solution.as_str();
                        (other.as_str(), text.split_once(':').map_or(text, |(_, name)| name))
                    }
                };
                format!("{{ {key} = {}, paths = {} }}", quoted(name), list(paths))
            }
        })
        .collect();
    format!("[{}]", items.join(", "))
}

fn span(duration: Duration) -> String {
    quoted(&format_duration(duration))
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[lake]")?;
        writeln!(f, "url = {}", quoted(self.lake.url.as_str()))?;
        writeln!(f, "keep-versions = {}", span(self.lake.keep_versions))?;
        if !self.lake.options.is_empty() {
            writeln!(f, "\n[lake.options]")?;
            for (key, option) in &self.lake.options {
                match option {
                    LakeOption::Plain(text) => writeln!(f, "{} = {}", key_text(key), quoted(text))?,
                    LakeOption::Secret(secret) => {
                        writeln!(f, "{} = {{ {secret} }}", key_text(key))?;
                    }
                }
            }
        }
        for organization in &self.organizations {
            write_organization(f, organization)?;
        }
        writeln!(f, "\n[sync]")?;
        writeln!(f, "concurrency = {}", self.sync.concurrency)?;
        writeln!(f, "lag = {}", span(self.sync.lag))?;
        writeln!(f, "recheck = {}", span(self.sync.recheck))?;
        writeln!(f, "detail = {}", quoted(self.sync.detail.as_str()))?;
        writeln!(f, "\n[checks]")?;
        if let Some(day) = self.settings.start_date {
            writeln!(f, "start-date = {day}")?;
        }
        writeln!(f, "time-zone = {}", quoted(self.settings.time_zone.name()))?;
        writeln!(f, "profile = {}", quoted(self.settings.profile.as_str()))?;
        writeln!(f, "\n[defaults]")?;
        write_fields(f, &written(&self.settings.defaults))?;
        for entry in &self.settings.overrides {
            writeln!(f, "\n[[repository]]")?;
            writeln!(f, "match = {}", quoted(&entry.pattern))?;
            write_fields(f, &entry.fields)?;
        }
        for exception in &self.settings.exceptions {
            writeln!(f, "\n[[exception]]")?;
            writeln!(f, "match = {}", quoted(&exception.pattern))?;
            writeln!(f, "checks = {}", list(&exception.checks))?;
            writeln!(f, "reason = {}", quoted(&exception.reason))?;
            writeln!(f, "approved-by = {}", quoted(&exception.approved_by))?;
            if let Some(evidence) = &exception.evidence {
                writeln!(f, "evidence = {}", quoted(evidence))?;
            }
            writeln!(f, "expires = {}", exception.expires)?;
        }
        Ok(())
    }
}

fn key_text(key: &str) -> String {
    let is_bare = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare && !key.is_empty() { key.to_owned() } else { quoted(key) }
}

fn write_organization(f: &mut fmt::Formatter<'_>, organization: &Organization) -> fmt::Result {
    writeln!(f, "\n[[organization]]")?;
    writeln!(f, "name = {}", quoted(&organization.name))?;
    writeln!(f, "projects = {}", list(organization.projects.patterns()))?;
    writeln!(f, "auth = {{ {} }}", auth(&organization.auth))?;
    writeln!(f, "\n[organization.endpoints]")?;
    let endpoints = &organization.endpoints;
    writeln!(f, "core = {}", quoted(&endpoints.core))?;
    if let Some(graph) = &endpoints.graph {
        writeln!(f, "graph = {}", quoted(graph))?;
    }
    if let Some(profile) = &endpoints.profile {
        writeln!(f, "profile = {}", quoted(profile))?;
    }
    writeln!(f, "login = {}", quoted(&endpoints.login))
}

fn auth(auth: &Auth) -> String {
    let mut parts = vec![format!("kind = {}", quoted(auth.kind()))];
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            parts.push(format!("{key} = {}", quoted(value)));
        }
    };
    match auth {
        Auth::Pat(secret) => parts.push(secret.to_string()),
        Auth::ServicePrincipal { tenant_id, client_id, credential } => {
            put("tenant-id", Some(tenant_id));
            put("client-id", Some(client_id));
            parts.push(match credential {
                Credential::Secret(secret) => format!("secret = {{ {secret} }}"),
                Credential::Certificate(secret) => format!("certificate = {{ {secret} }}"),
            });
        }
        Auth::User { client_id, tenant_id } => {
            put("client-id", Some(client_id));
            put("tenant-id", tenant_id.as_deref());
        }
        Auth::ManagedIdentity { client_id } => put("client-id", client_id.as_deref()),
        Auth::WorkloadIdentity { tenant_id, client_id, token_file } => {
            put("tenant-id", Some(tenant_id));
            put("client-id", Some(client_id));
            put("token-file", Some(&token_file.to_string_lossy()));
        }
        Auth::AzureCli => {}
        Auth::Pipeline { env } => put("env", Some(env)),
    }
    parts.join(", ")
}

fn written(settings: &RepositorySettings) -> Fields {
    let settings = settings.clone();
    Fields {
        in_scope: Some(settings.in_scope),
        production_branches: Some(settings.production_branches),
        emergency_label: Some(settings.emergency_label),
        service_identities: Some(settings.service_identities),
        sast: Some(settings.sast),
        integration_tests: Some(settings.integration_tests),
        dependency_checks: Some(settings.dependency_checks),
        require: Some(settings.require),
        accept_partially_succeeded: Some(settings.accept_partially_succeeded),
        gone_since: settings.gone_since,
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &Fields) -> fmt::Result {
    let lines = [
        ("in-scope", fields.in_scope.map(|value| value.to_string())),
        ("production-branches", fields.production_branches.as_deref().map(list)),
        (
            "emergency-label",
            fields
                .emergency_label
                .as_ref()
                .map(|label| quoted(label.as_deref().unwrap_or_default())),
        ),
        ("service-identities", fields.service_identities.as_deref().map(list)),
        ("sast", fields.sast.as_deref().map(solutions)),
        ("integration-tests", fields.integration_tests.as_deref().map(solutions)),
        ("dependency-checks", fields.dependency_checks.as_deref().map(solutions)),
        ("require", fields.require.map(|require| quoted(require.as_str()))),
        (
            "accept-partially-succeeded",
            fields.accept_partially_succeeded.map(|value| value.to_string()),
        ),
        ("gone-since", fields.gone_since.map(|day| day.to_string())),
    ];
    for (key, value) in lines {
        if let Some(value) = value {
            writeln!(f, "{key} = {value}")?;
        }
    }
    Ok(())
}
