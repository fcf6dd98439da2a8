//! Applications, machines, pipelines, the Azure CLI: whoever signs in without a person at hand.

use std::fs;
use std::sync::Arc;

use adolake::ado::{Endpoints, TokenSource, sign_in};
use adolake::config::{Config, Environment};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use secrecy::ExposeSecret as _;

use super::{
    Adolake, CERTIFICATE, OTHER_CERTIFICATE, Simulator, adolake, asked, assert_refused,
    assert_syncs, world,
};

fn service_principal(tenant: &str, client: &str, credential: &str) -> String {
    format!(
        "kind = \"service-principal\", tenant-id = \"{tenant}\", client-id = \"{client}\", {credential}"
    )
}

fn with_secret(simulator: &Simulator, tenant: &str, client: &str, secret: &str) -> Adolake {
    let auth = service_principal(tenant, client, "secret = { env = \"SECRET\" }");
    adolake(simulator, &auth).env("SECRET", secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_principal_signs_in_once_with_its_secret() {
    let simulator = world(None).await;
    let (tenant, client) = (simulator.tenant(), simulator.client_id());
    let adolake = with_secret(&simulator, &tenant, &client, "simulated-secret");
    assert_syncs(&adolake);
    assert_eq!(asked(&simulator, "sign-in: token"), 1);
    assert_eq!(asked(&simulator, "refused token"), 0);
    let sql = "select o.organization, p.display_name is not null as named from organizations o, profiles p \
               where o.organization = 'contoso'";
    let rows = adolake.run(&["sql", "--format", "csv", sql]);
    assert_eq!(rows.stdout, "organization,named\ncontoso,true\n", "{}", rows.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_application_is_told_with_its_remedy() {
    let simulator = world(None).await;
    let (tenant, client) = (simulator.tenant(), simulator.client_id());
    let refused = |tenant: &str, client: &str, secret: &str, words: &[&str]| {
        assert_refused(&with_secret(&simulator, tenant, client, secret), words);
    };
    refused(&tenant, &client, "wrong-secret", &["AADSTS7000215", "not its id"]);
    refused(&tenant, &client, "simulated-secret-expired", &["AADSTS7000222", "has expired"]);
    let nowhere = "00000000-1111-2222-3333-444444444444";
    refused(nowhere, &client, "simulated-secret", &["AADSTS90002", "the tenant is wrong"]);
    refused(&tenant, nowhere, "simulated-secret", &["AADSTS700016", "`client-id`"]);
    let (other, stranger) = (simulator.other_tenant(), simulator.stranger_id());
    let not_added = ["TF400813", "Organization settings > Users", "Basic"];
    refused(&tenant, &stranger, "simulated-secret", &not_added);
    refused(&other, &client, "simulated-secret", &not_added);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reads_well() {
    let simulator = world(None).await;
    let (tenant, client) = (simulator.tenant(), simulator.client_id());
    let adolake = with_secret(&simulator, &tenant, &client, "wrong-secret");
    let told = super::sync(&adolake).told();
    let told = told.replace(&simulator.url(), "[login]").replace(&tenant, "[tenant]");
    let told = told.replace(&client, "[client]");
    insta::assert_snapshot!(told, @r#"
    exit 2
    --- stderr
    error: cannot read organization `contoso`
    caused by: cannot read who is signed in to `contoso`
    caused by: cannot sign in with `kind = "service-principal"`
    caused by: `[login]/[tenant]/oauth2/v2.0/token` refuses: AADSTS7000215: Invalid client secret provided (…). Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '[client]'
    hint: the client secret is wrong: use the secret's value, not its id, or make a new one in the app registration under Certificates & secrets
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_signs_a_statement_that_is_verified() {
    let simulator = world(None).await;
    let credential = "certificate = { file = \"app.pem\" }";
    let auth = service_principal(&simulator.tenant(), &simulator.client_id(), credential);
    let adolake = adolake(&simulator, &auth);
    adolake.write("app.pem", CERTIFICATE);
    assert_syncs(&adolake);

    fs::remove_dir_all(adolake.path().join("lake")).unwrap();
    adolake.write("app.pem", OTHER_CERTIFICATE);
    assert_refused(&adolake, &["AADSTS700027", "upload the certificate"]);
    // A certificate that is registered, with a key that does not belong to it.
    let key = OTHER_CERTIFICATE.split_inclusive("-----END CERTIFICATE-----\n").nth(1).unwrap();
    let own = CERTIFICATE.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    adolake.write("app.pem", &format!("{own}{key}"));
    assert_refused(&adolake, &["AADSTS700027"]);
    adolake.write("app.pem", own);
    assert_refused(&adolake, &["there is no private key in it", "openssl pkcs12"]);
    adolake.write("app.pem", "-----BEGIN CERTIFICATE-----\nx");
    assert_refused(&adolake, &["there is no certificate in it"]);
}

/// A token of the other issuer.
fn foreign_token(subject: &str) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = serde_json::json!({
        "iss": "https://issuer.simulated", "sub": subject, "aud": "api://AzureADTokenExchange",
        "exp": 9_999_999_999_u64,
    });
    format!("{}.{}.c2ln", part(serde_json::json!({"alg": "RS256"})), part(claims))
}

const SUBJECT: &str = "system:serviceaccount:evidence:adolake";

fn workload(simulator: &Simulator) -> String {
    let (tenant, client) = (simulator.tenant(), simulator.client_id());
    format!(
        "kind = \"workload-identity\", tenant-id = \"{tenant}\", client-id = \"{client}\", token-file = \"token\""
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_signs_in_with_the_token_of_another_issuer() {
    let simulator = world(None).await;
    let adolake = adolake(&simulator, &workload(&simulator));
    assert_refused(&adolake, &["cannot read the token of the other issuer", "token-file"]);
    adolake.write("token", &foreign_token("somebody else"));
    assert_refused(&adolake, &["AADSTS700213", "federated credential"]);
    adolake.write("token", &format!("{}\n", foreign_token(SUBJECT)));
    assert_syncs(&adolake);
}

/// The source that a config asks for.
fn source(simulator: &Simulator, folder: &Adolake, auth: &str) -> Arc<dyn TokenSource> {
    let (core, url) = (simulator.organization_url(), simulator.url());
    let text = format!(
        "[[organization]]\nname = \"contoso\"\nauth = {{ {auth} }}\nendpoints = {{ core = \"{core}\", login = \"{url}\" }}"
    );
    let environment = Environment::default();
    let config = Config::parse(&folder.path().join("adolake.toml"), &text, &environment).unwrap();
    let organization = &config.organizations[0];
    let endpoints = Endpoints::of(&organization.endpoints).unwrap();
    sign_in(organization, &endpoints, &environment).unwrap()
}

#[tokio::test]
async fn the_token_file_is_read_anew_at_each_renewal() {
    let simulator = world(None).await;
    let folder = Adolake::new();
    folder.write("token", &foreign_token(SUBJECT));
    let source = source(&simulator, &folder, &workload(&simulator));
    let first = source.header().await.unwrap();
    assert_eq!(source.header().await.unwrap().expose_secret(), first.expose_secret());
    assert!(source.renewed(&first).await.unwrap());
    let second = source.header().await.unwrap();
    assert_ne!(second.expose_secret(), first.expose_secret());
    fs::remove_file(folder.path().join("token")).unwrap();
    let error = source.renewed(&second).await.unwrap_err();
    assert!(error.is_signed_out() && !error.is_transient(), "{error}");
}

#[tokio::test]
async fn requests_that_are_refused_together_renew_once() {
    let simulator = world(None).await;
    let folder = Adolake::new();
    folder.write("secret", "simulated-secret");
    let credential = "secret = { file = \"secret\" }";
    let auth = service_principal(&simulator.tenant(), &simulator.client_id(), credential);
    let source = source(&simulator, &folder, &auth);
    let old = join_all((0..8).map(|_| source.header())).await.remove(0).unwrap();
    assert_eq!(asked(&simulator, "sign-in: token"), 1);
    simulator.end_access_tokens();
    for is_new in join_all((0..8).map(|_| source.renewed(&old))).await {
        assert!(is_new.unwrap());
    }
    assert_eq!(asked(&simulator, "sign-in: token"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_in_the_middle_of_a_run_is_renewed_once_for_all() {
    let simulator = world(Some(60)).await;
    let (tenant, client) = (simulator.tenant(), simulator.client_id());
    let adolake = with_secret(&simulator, &tenant, &client, "simulated-secret");
    let ended = adolake.run(&["sync", "--quiet"]);
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    assert!(asked(&simulator, "refused token") >= 1);
    assert_eq!(asked(&simulator, "sign-in: token"), 2);
    let incomplete = "select count(*) as n from sync_runs where status in ('partial', 'unreadable') and scope_name not in (select name from repositories)";
    let rows = adolake.run(&["sql", "--format", "csv", incomplete]);
    assert_eq!(rows.stdout, "n\n0\n", "{}", rows.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_lives_by_the_clock_of_the_service() {
    let simulator = world(None).await;
    let (tenant, client) = (simulator.tenant(), simulator.client_id());
    let folder = Adolake::new();
    folder.write("secret", "simulated-secret");
    let auth = service_principal(&tenant, &client, "secret = { file = \"secret\" }");
    let source = source(&simulator, &folder, &auth);
    let header = source.header().await.unwrap();
    let url = format!("{}/_apis/projects?api-version=7.1", simulator.organization_url());
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let ask = || http.get(&url).header("authorization", header.expose_secret()).send();
    simulator.advance(std::time::Duration::from_secs(3599));
    assert_eq!(ask().await.unwrap().status(), 200);
    simulator.advance(std::time::Duration::from_secs(1));
    assert_eq!(ask().await.unwrap().status(), 302);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_in_azure_gets_its_token_from_the_metadata_service() {
    let simulator = world(Some(2)).await;
    let host = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", simulator.url());
    let plain = "kind = \"managed-identity\"";
    let named = format!("{plain}, client-id = \"{}\"", simulator.client_id());
    assert_syncs(&adolake(&simulator, plain).env(host.0, &host.1));
    // The token ended early once, which the service noticed too.
    assert_eq!(asked(&simulator, "sign-in: machine"), 2);
    assert_syncs(&adolake(&simulator, &named).env(host.0, &host.1));
    let unknown = format!("{plain}, client-id = \"nobody\"");
    let adolake_of = |auth: &str| adolake(&simulator, auth).env(host.0, &host.1);
    assert_refused(&adolake_of(&unknown), &["Identity not found", "under Identity"]);
    let nowhere = adolake(&simulator, plain).env(host.0, "http://127.0.0.1:9");
    assert_refused(&nowhere, &["there is no managed identity here", "only on machines"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_in_azure_gets_its_token_from_the_service_beside_it() {
    let simulator = world(None).await;
    let endpoint = format!("{}/msi/token", simulator.url());
    let app = |header: &str| {
        adolake(&simulator, "kind = \"managed-identity\"")
            .env("IDENTITY_ENDPOINT", &endpoint)
            .env("IDENTITY_HEADER", header)
    };
    assert_syncs(&app("simulated-header"));
    assert_eq!(asked(&simulator, "sign-in: app"), 1);
    assert_refused(&app("another"), &["the header is wrong"]);
}

/// A folder with an `az` that runs this script, and nothing else on the path.
#[cfg(unix)]
fn with_az(simulator: &Simulator, script: &str) -> Adolake {
    use std::os::unix::fs::PermissionsExt as _;
    let adolake = adolake(simulator, "kind = \"azure-cli\"");
    adolake.write("bin/az", &format!("#!/bin/sh\n{script}\n"));
    let file = adolake.path().join("bin/az");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let path = adolake.path().join("bin").display().to_string();
    adolake.env("PATH", &path)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_azure_cli_is_asked_for_the_tenant_of_the_organization() {
    let simulator = world(None).await;
    let args =
        "account get-access-token --output json --resource 499b84ac-1321-427f-aa17-267ca6975798";
    let (tenant, token) = (simulator.tenant(), simulator.token());
    let answer = format!("echo '{{\"accessToken\": \"{token}\", \"expires_on\": 9999999999}}'");
    let good = format!("test \"$*\" = \"{args} --tenant {tenant}\" || exit 9\n{answer}");
    assert_syncs(&with_az(&simulator, &good));
    // An identity of a machine takes no tenant.
    let of_machine = format!(
        "test \"$*\" = \"{args}\" && {answer} && exit 0\necho \"ERROR: Tenant shouldn't be specified for managed identity account\" >&2\nexit 1"
    );
    assert_syncs(&with_az(&simulator, &of_machine));
    let signed_out =
        with_az(&simulator, "echo 'ERROR: Please run \"az login\" to setup account.' >&2\nexit 1");
    assert_refused(&signed_out, &["Please run", &format!("az login --tenant {tenant}")]);
    let spoilt = with_az(&simulator, "echo '{\"accessToken\": 5}'");
    assert_refused(&spoilt, &["is not understood"]);
    let missing = adolake(&simulator, "kind = \"azure-cli\"").env("PATH", "/nowhere");
    assert_refused(&missing, &["cannot run `az`", "install the Azure CLI"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_uses_the_token_of_its_job() {
    let simulator = world(None).await;
    let pipeline = || adolake(&simulator, "kind = \"pipeline\"");
    assert_syncs(&pipeline().env("SYSTEM_ACCESSTOKEN", simulator.token()));
    assert_refused(&pipeline(), &["`SYSTEM_ACCESSTOKEN`", "$(System.AccessToken)"]);
    assert_refused(&pipeline().env("SYSTEM_ACCESSTOKEN", "old"), &["TF400813", "looks wrong"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personal_access_token_of_one_organization_reads_all_but_the_profile() {
    let simulator = world(None).await;
    let pat = || adolake(&simulator, "kind = \"pat\", env = \"ADO_PAT\"");
    let adolake = pat().env("ADO_PAT", "simulated-token-scoped");
    assert_syncs(&adolake);
    let sql = "select scope_name, status, error like '%profile%' as why from sync_runs \
               where resource = 'organizations' order by 1";
    let rows = adolake.run(&["sql", "--format", "csv", sql]);
    insta::assert_snapshot!(rows.stdout, @r"
    scope_name,status,why
    contoso,ok,
    profile and accounts,skipped,true
    ");
    let count = "select count(*) as n from organizations where is_configured";
    assert_eq!(adolake.run(&["sql", "--format", "csv", count]).stdout, "n\n1\n");
    let words = ["Personal Access Token used is invalid or has expired", "make a new one"];
    assert_refused(&pat().env("ADO_PAT", "gone"), &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_ones_own_is_read_without_people_and_profile() {
    let simulator = world(None).await;
    let core = simulator.organization_url();
    let text = format!(
        "[[organization]]\nname = \"contoso\"\nauth = {{ kind = \"pat\", env = \"ADO_PAT\" }}\nendpoints = {{ core = \"{core}\" }}\n"
    );
    let adolake = Adolake::with_config(&text).env("ADO_PAT", simulator.token());
    let ended =
        adolake.run(&["sync", "--quiet", "--resource", "organizations", "--resource", "users"]);
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let sql = "select resource, scope_name, status, error like '%has no such API%' as why from sync_runs order by 1, 2";
    let rows = adolake.run(&["sql", "--format", "csv", sql]);
    insta::assert_snapshot!(rows.stdout, @r"
    resource,scope_name,status,why
    organizations,contoso,ok,
    organizations,profile and accounts,skipped,true
    users,contoso,skipped,true
    ");
    assert_eq!(asked(&simulator, "profile") + asked(&simulator, "users"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_service_that_is_away_is_an_outside_failure() {
    let simulator = world(None).await;
    let (core, url) = (simulator.organization_url(), "http://127.0.0.1:9");
    let auth = service_principal("t", "c", "secret = { env = \"SECRET\" }");
    let text = format!(
        "[[organization]]\nname = \"contoso\"\nauth = {{ {auth} }}\nendpoints = {{ core = \"{core}\", login = \"{url}\" }}\n"
    );
    let ended = super::sync(&Adolake::with_config(&text).env("SECRET", "x"));
    assert_eq!(ended.code, Some(3), "{}", ended.told());
    assert!(ended.stderr.contains("cannot reach `http://127.0.0.1:9/t/oauth2"), "{}", ended.told());
}
