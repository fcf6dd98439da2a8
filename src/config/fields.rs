//! The one list of every key of the configuration: unknown keys are found against it, and the JSON schema and the
//! table in the README are printed from it.

/// What may stand in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text with the address of something.
    Url,
    /// A whole number between two bounds, both included.
    Integer(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// A span of time: `"30m"`, `"1h"`, `"14d"`.
    Duration,
    /// A day: `2026-01-31`.
    Date,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A list of solutions: texts or tables.
    Solutions,
    /// A reference to a secret: `{ env = "…" }`, `{ file = "…" }` or `{ keyring = "…" }`.
    Secret,
    /// A table with keys of somebody else: texts or references to secrets.
    Options,
    /// A table with these keys.
    Table(&'static [Field]),
    /// A list of tables with these keys.
    Tables(&'static [Field]),
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// As it is written, kebab-case.
    pub key: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// The value where nothing is written, as TOML; empty = none; `required` where one has to be written.
    pub default: &'static str,
    /// What it is for, without a full stop.
    pub about: &'static str,
}

const fn field(key: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Field {
    Field { key, kind, default, about }
}

/// Marks a field that has to be written.
pub const REQUIRED: &str = "required";

/// Kinds of solutions a repository can have; each is a key of `[defaults]` and `[[repository]]`.
pub const SOLUTION_KINDS: [&str; 3] = ["sast", "integration-tests", "dependency-checks"];

/// Keys at the top of the file.
pub const ROOT: &[Field] = &[
    field("lake", Kind::Table(LAKE), "", "where the tables live"),
    field(
        "organization",
        Kind::Tables(ORGANIZATION),
        "",
        "what is read, once for each organization",
    ),
    field("sync", Kind::Table(SYNC), "", "how it is read"),
    field("checks", Kind::Table(CHECKS), "", "what is judged"),
    field(
        "defaults",
        Kind::Table(DEFAULTS),
        "",
        "settings of every repository, also of those created tomorrow",
    ),
    field(
        "repository",
        Kind::Tables(REPOSITORY),
        "",
        "overrides, field by field; the last match wins",
    ),
    field(
        "exception",
        Kind::Tables(EXCEPTION),
        "",
        "registered exceptions: exempt, with a reason, until a day",
    ),
];

/// Keys of `[lake]`.
pub const LAKE: &[Field] = &[
    field(
        "url",
        Kind::Url,
        "\"./lake\"",
        "folder (relative to the config file), `s3://…`, `az://…`, `abfss://…` or `gs://…`",
    ),
    field(
        "keep-versions",
        Kind::Duration,
        "\"400d\"",
        "how far back `--as-of` and `--verify` reach",
    ),
    field(
        "options",
        Kind::Options,
        "",
        "passed to the object store; keys that hold a secret take `{ env = \"…\" }` or `{ file = \"…\" }`",
    ),
];

/// Keys of `[[organization]]`.
pub const ORGANIZATION: &[Field] = &[
    field("name", Kind::Text, REQUIRED, "the `contoso` of `https://dev.azure.com/contoso`"),
    field("projects", Kind::Texts, "[\"*\"]", "globs on project names; `!` excludes"),
    field("auth", Kind::Table(AUTH), REQUIRED, "how to sign in"),
    field(
        "endpoints",
        Kind::Table(ENDPOINTS),
        "",
        "only for Azure DevOps Server, proxies and simulators",
    ),
];

/// Keys of `organization.auth`, over all kinds.
pub const AUTH: &[Field] = &[
    field(
        "kind",
        Kind::Choice(&super::auth::Auth::KINDS),
        REQUIRED,
        "the way to sign in: `pat`, `service-principal`, `user`, `managed-identity`, `workload-identity`, `azure-cli`, `pipeline`",
    ),
    field(
        "env",
        Kind::Text,
        "",
        "variable that holds the token (`pat`; `pipeline`: else `SYSTEM_ACCESSTOKEN`)",
    ),
    field("file", Kind::Text, "", "file that holds the token (`pat`)"),
    field("keyring", Kind::Text, "", "name of the token in the system's keyring (`pat`)"),
    field(
        "tenant-id",
        Kind::Text,
        "",
        "directory (`service-principal`, `workload-identity`; `user`: else found from the organization)",
    ),
    field(
        "client-id",
        Kind::Text,
        "",
        "application (`service-principal`, `user`, `managed-identity`, `workload-identity`)",
    ),
    field("secret", Kind::Secret, "", "client secret (`service-principal`)"),
    field(
        "certificate",
        Kind::Secret,
        "",
        "certificate with its RSA key, as PEM (`service-principal`)",
    ),
    field(
        "token-file",
        Kind::Text,
        "",
        "token of the other issuer, read anew at each renewal (`workload-identity`)",
    ),
];

/// Keys of `[organization.endpoints]`.
pub const ENDPOINTS: &[Field] = &[
    field(
        "core",
        Kind::Url,
        "\"https://dev.azure.com/<name>\"",
        "base address of projects, code, builds and policies",
    ),
    field(
        "graph",
        Kind::Url,
        "\"https://vssps.dev.azure.com/<name>\"",
        "base address of users; with another `core`, none unless it is given",
    ),
    field(
        "profile",
        Kind::Url,
        "\"https://app.vssps.visualstudio.com\"",
        "base address of the own profile; with another `core`, none unless it is given",
    ),
    field("login", Kind::Url, "\"https://login.microsoftonline.com\"", "base address of sign-in"),
];

/// Keys of `[sync]`.
pub const SYNC: &[Field] = &[
    field("concurrency", Kind::Integer(1, 64), "8", "requests under way at once"),
    field("lag", Kind::Duration, "\"1h\"", "how far a sync reads again behind its last window"),
    field(
        "recheck",
        Kind::Duration,
        "\"14d\"",
        "closed pull requests younger than this are read again",
    ),
    field(
        "detail",
        Kind::Choice(&["judged", "production", "all"]),
        "\"judged\"",
        "pull requests whose details are read: those a check would judge, all into production, or all",
    ),
];

/// Keys of `[checks]`.
pub const CHECKS: &[Field] = &[
    field(
        "start-date",
        Kind::Date,
        "",
        "first day that is judged, compared with the merge; none = the day of the first sync",
    ),
    field("time-zone", Kind::Text, "\"UTC\"", "in which that day begins, e.g. `Europe/Berlin`"),
    field("profile", Kind::Choice(&["standard", "strict"]), "\"standard\"", "how strictly"),
];

/// Keys of `[defaults]`.
pub const DEFAULTS: &[Field] = &[
    field("in-scope", Kind::Boolean, "true", "whether the repository is judged"),
    field(
        "production-branches",
        Kind::Texts,
        "[\"main\"]",
        "names or globs: `*` stays inside a path segment, `**` does not",
    ),
    field(
        "emergency-label",
        Kind::Text,
        "\"emergency\"",
        "label that exempts a pull request; empty = none does",
    ),
    field(
        "service-identities",
        Kind::Texts,
        "[]",
        "globs on unique names that never count as approvers",
    ),
    field("sast", Kind::Solutions, "[]", "static analysis: pipelines, statuses or jobs"),
    field("integration-tests", Kind::Solutions, "[]", "integration tests, likewise"),
    field("dependency-checks", Kind::Solutions, "[]", "dependency checks, likewise"),
    field("require", Kind::Choice(&["any", "all"]), "\"any\"", "of several solutions"),
    field(
        "accept-partially-succeeded",
        Kind::Boolean,
        "false",
        "whether a partially succeeded run passes",
    ),
];

/// Keys of `[[repository]]`: a match, those of `[defaults]`, and what only one repository can have.
pub const REPOSITORY: &[Field] = &[
    field(
        "match",
        Kind::Text,
        REQUIRED,
        "glob on `organization/project/repository`, letters in any case",
    ),
    DEFAULTS[0],
    DEFAULTS[1],
    DEFAULTS[2],
    DEFAULTS[3],
    DEFAULTS[4],
    DEFAULTS[5],
    DEFAULTS[6],
    DEFAULTS[7],
    DEFAULTS[8],
    field("gone-since", Kind::Date, "", "acknowledges that the repository is no longer visible"),
];

/// Keys of a solution in table form.
pub const SOLUTION: &[Field] = &[
    field("name", Kind::Text, "", "a pipeline or a status, as in plain text"),
    field("pipeline", Kind::Text, "", "a pipeline: name, `folder/name` or id"),
    field("status", Kind::Text, "", "a status: `genre/name`"),
    field("job", Kind::Text, "", "a job: `pipeline/stage/job`"),
    field(
        "paths",
        Kind::Texts,
        "",
        "applies only to pull requests that touch such a path; `!` excludes",
    ),
];

/// Keys of `[[exception]]`.
pub const EXCEPTION: &[Field] = &[
    field(
        "match",
        Kind::Text,
        REQUIRED,
        "`org/project/repo!number`, or `org/project/repo@commit`; parts may be globs",
    ),
    field("checks", Kind::Texts, "", "ids of checks; none = checks 2 to 5, for a commit check 6"),
    field("reason", Kind::Text, REQUIRED, "why"),
    field("approved-by", Kind::Text, REQUIRED, "who allowed it"),
    field(
        "evidence",
        Kind::Text,
        "",
        "an address, or a file (relative to the config file) that is hashed",
    ),
    field(
        "expires",
        Kind::Date,
        REQUIRED,
        "last day on which a merge is covered, in `checks.time-zone`",
    ),
];

/// Keys of a reference to a secret.
pub const SECRET: &[Field] = &[
    field("env", Kind::Text, "", "variable that holds the secret"),
    field("file", Kind::Text, "", "file that holds the secret"),
    field("keyring", Kind::Text, "", "name of the secret in the system's keyring"),
];

impl Field {
    /// Tells whether a value has to be written.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.default == REQUIRED
    }
}

/// Prints all keys as a Markdown table, as the README shows it.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| key | default | |\n|---|---|---|\n");
    rows("", ROOT, &mut text);
    text
}

fn rows(prefix: &str, fields: &[Field], text: &mut String) {
    for field in fields {
        let path = if prefix.is_empty() {
            field.key.to_owned()
        } else {
            format!("{prefix}.{}", field.key)
        };
        // Overrides take the keys of the defaults; listing them twice helps nobody.
        if path.starts_with("repository.") && DEFAULTS.contains(field) {
            continue;
        }
        match field.kind {
            Kind::Table(inner) => rows(&path, inner, text),
            Kind::Tables(inner) => rows(&path, inner, text),
            _ => {
                let default = match field.default {
                    "" => String::new(),
                    REQUIRED => "*required*".to_owned(),
                    value => format!("`{value}`"),
                };
                text.push_str(&format!("| `{path}` | {default} | {} |\n", field.about));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_take_every_key_of_the_defaults() {
        for field in DEFAULTS {
            assert!(REPOSITORY.contains(field), "{}", field.key);
        }
    }
}
