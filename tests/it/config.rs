//! The configuration, from its door: text and variables in, values or problems out.

use std::path::Path;
use std::time::Duration;

use adolake::config::{
    Auth, Config, DEFAULT_FILE, Environment, Profile, RepositorySettings, Require, Secret,
    Selector, Settings, Sync, json_schema,
};
use adolake::hint::Hint as _;
use chrono::{NaiveDate, TimeZone as _, Utc};

/// The example of the README and of `default.toml`, every key used.
const FULL: &str = r#"
[lake]
url = "./lake"
keep-versions = "30d"
[lake.options]
azure_storage_use_emulator = "true"
azure_storage_account_key = { env = "STORAGE_KEY" }

[[organization]]
name = "contoso"
projects = ["*", "!sandbox-*"]
auth = { kind = "pat", env = "ADO_PAT" }
[organization.endpoints]
core = "http://127.0.0.1:8080/contoso/"
graph = "http://127.0.0.1:8080/graph/contoso"

[[organization]]
name = "fabrikam"
auth = { kind = "service-principal", tenant-id = "t", client-id = "c", secret = { file = "secret.txt" } }

[sync]
concurrency = 4
lag = "30m"
recheck = "7d"
detail = "production"

[checks]
start-date = 2026-01-01
time-zone = "Europe/Berlin"
profile = "strict"

[defaults]
production-branches = ["main", "release/*"]
emergency-label = " Hotfix "
service-identities = ["svc-*@contoso.com"]
sast = ["CodeQL"]
integration-tests = ["*/integration-*"]
dependency-checks = ["status:snyk/*"]

[[repository]]
match = "Contoso/payments/*"
production-branches = ["master"]
sast = [{ pipeline = "\\Security\\CodeQL" }, { job = "ci/Analyze/CodeQL", paths = ["/Services/**", "!services/docs/**"] }]
require = "all"

[[repository]]
match = "contoso/payments/old"
in-scope = false
gone-since = 2026-03-01

[[exception]]
match = "contoso/payments/api!4711"
checks = ["pull_request_sast_passed"]
reason = "hotfix for incident 812"
approved-by = "cto@contoso.com"
evidence = "scans/812.pdf"
expires = 2026-12-31
"#;

fn parse(text: &str) -> Config {
    parse_with(text, &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let environment: Environment = variables.iter().copied().collect();
    Config::parse(Path::new("/etc/adolake/adolake.toml"), text, &environment)
        .map_err(|error| error.to_string().replace("/etc/adolake/", ""))
}

fn problems(text: &str) -> String {
    parse_with(text, &[]).expect_err("there are problems")
}

#[test]
fn every_key_is_read() {
    let config = parse(FULL);
    assert_eq!(config.lake.url.as_str(), "file:///etc/adolake/lake/");
    assert_eq!(config.lake.keep_versions, Duration::from_secs(30 * 86_400));
    assert_eq!(config.lake.options.len(), 2);
    let contoso = &config.organizations[0];
    assert_eq!(contoso.auth, Auth::Pat(Secret::Env("ADO_PAT".to_owned())));
    assert!(contoso.projects.matches("Payments") && !contoso.projects.matches("Sandbox-1"));
    assert_eq!(contoso.endpoints.core, "http://127.0.0.1:8080/contoso");
    assert_eq!(contoso.endpoints.graph.as_deref(), Some("http://127.0.0.1:8080/graph/contoso"));
    // A token is never sent to a host that was not named.
    assert_eq!(contoso.endpoints.profile, None);
    let fabrikam = &config.organizations[1];
    assert_eq!(fabrikam.endpoints.core, "https://dev.azure.com/fabrikam");
    assert_eq!(fabrikam.endpoints.profile.as_deref(), Some("https://app.vssps.visualstudio.com"));
    assert_eq!(fabrikam.auth.kind(), "service-principal");
    assert_eq!(config.sync.concurrency, 4);
    assert_eq!(config.settings.profile, Profile::Strict);
    let exception = &config.settings.exceptions[0];
    assert_eq!(exception.subject.pull_request_pattern.as_deref(), Some("4711"));
    assert_eq!(exception.evidence_file.as_deref(), Some(Path::new("/etc/adolake/scans/812.pdf")));
}

#[test]
fn silence_means_the_built_in_defaults() {
    let config = parse("");
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.sync, Sync::default());
    assert_eq!(config.lake.keep_versions, Duration::from_secs(400 * 86_400));
    assert_eq!(config.settings.of("a", "b", "c"), RepositorySettings::default());
    let written = parse(DEFAULT_FILE);
    assert_eq!(written.settings, config.settings, "default.toml says what holds without it");
    assert_eq!(written.sync, config.sync);
    assert_eq!(written.lake.url, config.lake.url);
}

#[test]
fn overrides_win_field_by_field() {
    let settings = parse(FULL).settings;
    let api = settings.of("contoso", "Payments", "API");
    assert_eq!(api.production_branches, ["master"]);
    assert_eq!(api.require, Require::All);
    assert_eq!(api.emergency_label.as_deref(), Some("Hotfix"));
    assert_eq!(api.sast[0].selector, Selector::Pipeline);
    assert_eq!(api.sast[0].pattern, "security/codeql");
    assert_eq!(api.sast[1].paths.as_deref().unwrap(), ["services/**", "!services/docs/**"]);
    assert_eq!(api.dependency_checks[0].pattern, "snyk/*");
    let old = settings.of("contoso", "payments", "old");
    assert!(!old.in_scope);
    assert_eq!(old.production_branches, ["master"], "the first override still holds");
    assert_eq!(old.gone_since, NaiveDate::from_ymd_opt(2026, 3, 1));
    assert_eq!(settings.of("contoso", "web", "shop").production_branches, ["main", "release/*"]);
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = parse_with(
        FULL,
        &[
            ("ADOLAKE_LAKE__URL", "az://bucket/lake"),
            ("ADOLAKE_LAKE__KEEP_VERSIONS", "10d"),
            ("ADOLAKE_LAKE__OPTIONS__AZURE_CLIENT_SECRET", "hidden"),
            ("ADOLAKE_ORGANIZATION__1__NAME", "tailspin"),
            ("ADOLAKE_ORGANIZATION__2__NAME", "wingtip"),
            ("ADOLAKE_ORGANIZATION__2__AUTH__KIND", "azure-cli"),
            ("ADOLAKE_SYNC__CONCURRENCY", "2"),
            ("ADOLAKE_DEFAULTS__IN_SCOPE", "false"),
            ("ADOLAKE_DEFAULTS__SAST", "[\"Semgrep\", { status = \"sonar/gate\" }]"),
            ("ADOLAKE_DEFAULTS__PRODUCTION_BRANCHES__1", "trunk"),
            ("ADOLAKE_PAT", "not a setting"),
        ],
    )
    .unwrap();
    assert_eq!(config.lake.url.as_str(), "az://bucket/lake");
    assert_eq!(config.lake.keep_versions, Duration::from_secs(10 * 86_400));
    assert_eq!(config.organizations[1].name, "tailspin");
    assert_eq!(config.organizations[2].auth, Auth::AzureCli);
    assert_eq!(config.sync.concurrency, 2);
    assert!(!config.settings.defaults.in_scope);
    assert_eq!(config.settings.defaults.sast.len(), 2);
    assert_eq!(config.settings.defaults.production_branches, ["main", "trunk"]);
    assert!(
        !config.to_string().contains("hidden"),
        "a secret is shown by the name of its variable"
    );
}

#[test]
fn options_that_the_store_does_not_take_are_told_with_the_nearest_it_does() {
    let told = parse_with(
        "[lake]\nurl = \"az://lake/a\"\n[lake.options]\nazure_storage_acount_name = \"x\"\naws_region = \"eu\"\nTIMEOUT = \"9s\"\nconnect_timeout = \"soon\"\nmax_retries = \"many\"\n",
        &[],
    )
    .unwrap_err();
    insta::assert_snapshot!(told, @r"
    4 problems in the configuration
      adolake.toml:4: `lake.options.azure_storage_acount_name` is no option of `az://`; did you mean `azure_storage_account_name`?
      adolake.toml:5: `lake.options.aws_region` is no option of `az://`
      adolake.toml:7: `lake.options.connect_timeout` must be a span of time such as `30s`, not `soon`
      adolake.toml:8: `lake.options.max_retries` must be a number, not `many`
    ");
}

#[test]
fn beside_a_folder_stand_options_of_the_store_that_is_published_to() {
    let options = "[lake.options]\naws_region = \"eu\"\nazure_storage_account_name = \"x\"\n";
    assert_eq!(parse_with(options, &[]).unwrap().lake.options.len(), 2);
    let told = parse_with(&format!("{options}aws_regoin = \"eu\"\n"), &[]).unwrap_err();
    assert!(told.contains("is no option of any store; did you mean `aws_region`?"), "{told}");
}

#[test]
fn a_value_that_the_store_cannot_use_is_told_by_its_option() {
    let adolake = crate::support::cmd::Adolake::with_config(
        "[lake]\nurl = \"az://lake/a\"\n[lake.options]\nazure_storage_account_name = \"x\"\nazure_storage_use_emulator = \"true\"\nallow_invalid_certificates = \"soon\"\n",
    );
    insta::assert_snapshot!(adolake.run(&["config", "check"]).told(), @r#"
    exit 2
    --- stderr
    error: cannot use lake address `az://lake/a`: option `allow_invalid_certificates`: Generic Config error: failed to parse "soon" as boolean
    hint: set `lake.url` to a folder, or to s3://…, az://…, abfss://… or gs://…, and `lake.options` to what that store needs
    "#);
}

#[test]
fn problems_of_variables_name_the_variable() {
    let told = parse_with(
        "",
        &[
            ("ADOLAKE_SYNC__LAGG", "1h"),
            ("ADOLAKE_SYNC__CONCURRENCY", "many"),
            ("ADOLAKE_ORGANIZATION__1__NAME", "contoso"),
            ("ADOLAKE_ORGANIZATION__NAME", "contoso"),
        ],
    )
    .unwrap_err();
    insta::assert_snapshot!(told, @r#"
    4 problems in the configuration
      ADOLAKE_ORGANIZATION__1__NAME: there is no entry 0 before entry 1
      ADOLAKE_ORGANIZATION__NAME: `name` stands where the number of an entry belongs, e.g. `__0__NAME`
      ADOLAKE_SYNC__LAGG: unknown key `sync.lagg`; did you mean `lag`?
      ADOLAKE_SYNC__CONCURRENCY: `sync.concurrency` must be a whole number from 1 to 64
    "#);
}

#[test]
fn all_problems_are_told_together() {
    let told = problems(
        r#"
[lake]
ulr = "./lake"
url = "ftp://host/lake"
options = { account_key = "abc", secret_access_key = { env = "A", file = "b" } }
[[organization]]
name = "https://dev.azure.com/contoso"
projects = ["pay[ments]"]
auth = { kind = "pat", token = "abcdef" }
endpoints = { core = "dev.azure.com" }
[[organization]]
name = "contoso"
auth = { kind = "pta" }
[[organization]]
name = "Contoso"
auth = { kind = "pat" }
[[organization]]
name = "fabrikam"
auth = { kind = "workload-identity", env = "X" }
[sync]
lag = 3
concurrency = 0
detail = "judge"
[checks]
start-date = "2026-02-30"
time-zone = "Europe/Berln"
[defaults]
production-branches = ["rel***"]
sast = ["", { pipeline = "a", job = "b" }, 5]
service-identities = "svc"
[[repository]]
match = "payments/api"
[[exception]]
match = "contoso/payments/api"
expires = 2026-12-31
[[exception]]
match = "contoso/payments/api!1"
checks = ["branch_policy_requires_approval", "pull_request_sast_pased"]
reason = " "
approved-by = "me"
expires = "soon"
[repositry]
"#,
    );
    insta::assert_snapshot!(told, @r#"
    31 problems in the configuration
      adolake.toml:3: unknown key `lake.ulr`; did you mean `url`?
      adolake.toml:4: `lake.url`: `ftp:` is no store that adolake knows; write a folder, `s3://…`, `az://…`, `abfss://…` or `gs://…`
      adolake.toml:5: `lake.options.account_key` is a secret and must not stand in the file: write `{ env = "…" }` or `{ file = "…" }`
      adolake.toml:5: a secret takes one of `env`, `file` and `keyring`
      adolake.toml:7: `organization.name` is a name, not an address: write `contoso`
      adolake.toml:8: `organization.projects`: `pay[ments]` can fit nothing, no name holds `[`: globs know `*` (inside a `/` segment) and `**`
      adolake.toml:9: `organization.auth.token`: a secret must not stand in the configuration; name a variable or a file that holds it
      adolake.toml:10: `organization.endpoints.core`: no address: relative URL without a base
      adolake.toml:13: `organization.auth.kind` must be one of `pat`, `service-principal`, `user`, `managed-identity`, `workload-identity`, `azure-cli`, `pipeline`; did you mean `pat`?
      adolake.toml:16: `kind = "pat"` takes one of `env`, `file` and `keyring`, e.g. `env = "ADO_PAT"`
      adolake.toml:19: `organization.auth.env` does not go with `kind = "workload-identity"`, which takes `tenant-id`, `client-id`, `token-file`
      adolake.toml:19: `organization.auth.tenant-id` is missing for `kind = "workload-identity"`
      adolake.toml:19: `organization.auth.client-id` is missing for `kind = "workload-identity"`
      adolake.toml:19: `organization.auth.token-file` is missing for `kind = "workload-identity"`
      adolake.toml:21: `sync.lag` must be a span of time such as "30m", "1h" or "14d"
      adolake.toml:22: `sync.concurrency` must be a whole number from 1 to 64
      adolake.toml:23: `sync.detail` must be one of `judged`, `production`, `all`; did you mean `judged`?
      adolake.toml:25: `checks.start-date` must be a day such as 2026-01-31
      adolake.toml:26: `Europe/Berln` is no time zone such as `Europe/Berlin`; did you mean `Europe/Berlin`?
      adolake.toml:28: `defaults.production-branches`: `rel***` has more than two `*` in a row: `*` stays inside a `/` segment, `**` does not
      adolake.toml:29: `defaults.sast`: `` is no solution: an empty pattern fits nothing
      adolake.toml:29: a solution takes one of `pipeline`, `status`, `job` and `name`, and maybe `paths`
      adolake.toml:29: `defaults.sast`: a solution is a text or a table such as `{ pipeline = "ci" }`
      adolake.toml:30: `defaults.service-identities` must be a list: ["…", "…"]
      adolake.toml:32: `repository.match`: `payments/api` is not `organization/project/repository`; any part may be `*`, and `**` stands for several
      adolake.toml:33: `exception.reason` is missing: why
      adolake.toml:33: `exception.approved-by` is missing: who allowed it
      adolake.toml:34: `exception.match`: `contoso/payments/api` names no pull request and no commit: write `org/project/repo!number` or `org/project/repo@commit`
      adolake.toml:39: `exception.reason` is empty
      adolake.toml:41: `exception.expires` must be a day such as 2026-01-31
      adolake.toml:42: unknown key `repositry`; did you mean `repository`?
    "#);
    assert!(!told.contains("abcdef"), "a secret is not repeated");
}

#[test]
fn broken_toml_names_the_line() {
    insta::assert_snapshot!(problems("[lake]\nurl = \"./lake\n[sync]\nlag = \"1h\"\n"), @r#"adolake.toml:2: invalid basic string, expected `"`"#);
}

#[test]
fn what_is_printed_reads_back_the_same() {
    let config = parse(FULL);
    let printed = config.to_string();
    let again = parse(&printed);
    assert_eq!(again.to_string(), printed);
    assert_eq!(again.settings, config.settings);
    assert!(printed.contains("azure_storage_account_key = { env = \"STORAGE_KEY\" }"), "{printed}");
}

#[test]
fn full_refs_mean_their_branches() {
    let config = parse("[defaults]\nproduction-branches = [\"refs/heads/main\", \"release/*\"]");
    assert_eq!(config.settings.defaults.production_branches, ["main", "release/*"]);
}

#[test]
fn the_address_of_a_store_is_not_taken_for_a_folder() {
    let problem = parse_with("[lake]\nurl = \"s3:/bucket/lake\"", &[]).unwrap_err();
    assert!(problem.contains("an address of a store begins with `s3://`"), "{problem}");
}

#[test]
fn settings_hash_alike_however_they_are_laid_out() {
    let one = parse(FULL).settings.to_json().to_string();
    let other = parse(&FULL.replace(
        "production-branches = [\"main\", \"release/*\"]",
        "production-branches = [\n  'main',\n  'release/*',\n]",
    ));
    assert_eq!(one, other.settings.to_json().to_string());
    assert_ne!(one, parse(&FULL.replace("Hotfix", "Other")).settings.to_json().to_string());
}

#[test]
fn days_begin_in_their_time_zone() {
    let settings = parse(FULL).settings;
    let day = NaiveDate::from_ymd_opt(2026, 7, 1).unwrap();
    assert_eq!(settings.start_of_day(day), Utc.with_ymd_and_hms(2026, 6, 30, 22, 0, 0).unwrap());
    assert_eq!(settings.end_of_day(day), Utc.with_ymd_and_hms(2026, 7, 1, 22, 0, 0).unwrap());
    let first_sync = Utc.with_ymd_and_hms(2026, 5, 5, 23, 30, 0).unwrap();
    assert_eq!(
        settings.start_at(first_sync),
        Utc.with_ymd_and_hms(2025, 12, 31, 23, 0, 0).unwrap()
    );
    let silent = Settings { start_date: None, ..settings };
    assert_eq!(silent.start_at(first_sync), Utc.with_ymd_and_hms(2026, 5, 5, 22, 0, 0).unwrap());
    // Clocks in Santiago jump from 24:00 to 01:00.
    let santiago = parse("[checks]\ntime-zone = \"America/Santiago\"").settings;
    let jump = NaiveDate::from_ymd_opt(2026, 9, 6).unwrap();
    assert_eq!(santiago.start_of_day(jump), Utc.with_ymd_and_hms(2026, 9, 6, 4, 0, 0).unwrap());
}

#[test]
fn secrets_are_found_or_missed_by_name() {
    let environment: Environment =
        [("SET", " token \n"), ("EMPTY", ""), ("ADOLAKE_KEYRING", "never")].into_iter().collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pat");
    std::fs::write(&file, "from file\n").unwrap();
    let text = |secret: &Secret| {
        use secrecy::ExposeSecret as _;
        secret
            .resolve(&environment, "the token of organization `contoso`")
            .map(|secret| secret.expose_secret().to_owned())
            .map_err(|error| format!("{error}; {}", error.hints().join("; ")))
    };
    assert_eq!(text(&Secret::Env("SET".to_owned())).unwrap(), "token");
    assert_eq!(text(&Secret::File(file)).unwrap(), "from file");
    insta::assert_snapshot!(text(&Secret::Env("EMPTY".to_owned())).unwrap_err(), @"the environment variable `EMPTY` for the token of organization `contoso` is not set; set it, for example `export EMPTY=…`, or name another variable in the config");
    let pasted = "a".repeat(84);
    let told = text(&Secret::Env(pasted.clone())).unwrap_err();
    assert!(!told.contains(&pasted), "{told}");
    insta::assert_snapshot!(text(&Secret::Keyring("ado".to_owned())).unwrap_err(), @r#"cannot read `ado` with the token of organization `contoso` from the system keyring: `ADOLAKE_KEYRING` says not to use one; put the secret in with `adolake login ORGANIZATION < FILE`, or by hand: service `adolake`, user `ado`; without a keyring name a variable or a file: `env = "…"` or `file = "…"`"#);
}

#[test]
fn the_schema_allows_what_is_read() {
    let schema = json_schema();
    let text = schema.to_string();
    for key in ["keep-versions", "service-identities", "gone-since", "token-file", "approved-by"] {
        assert!(text.contains(key), "{key}");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["sync"]["properties"]["concurrency"]["default"], 8);
}
