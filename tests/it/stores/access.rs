//! Who may read and write a lake on a store, and what is told to those who may not.

use std::collections::BTreeMap;

use adolake::simulator::{Options, Simulator};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;

use super::{AZURITE_KEY, Kind, Store, assert_clean, assert_same, calm, told};
use crate::support::entra::{self, Entra};
use crate::support::siege::Place;

/// Options of the store, and further ones in place of its key.
fn with(store: &Store, further: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut options = store.options();
    options.remove("azure_storage_account_key");
    options.extend(further.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())));
    options
}

/// A shared access signature of Azurite's account.
fn access_signature(permissions: &str, begins: &str, ends: &str) -> String {
    let (services, kinds, version) = ("b", "sco", "2019-12-12");
    let text = format!(
        "devstoreaccount1\n{permissions}\n{services}\n{kinds}\n{begins}\n{ends}\n\nhttps,http\n{version}\n"
    );
    let key = BASE64_STANDARD.decode(AZURITE_KEY).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signature = BASE64_STANDARD.encode(ring::hmac::sign(&key, text.as_bytes()));
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("sv", version)
        .append_pair("ss", services)
        .append_pair("srt", kinds)
        .append_pair("sp", permissions)
        .append_pair("st", begins)
        .append_pair("se", ends)
        .append_pair("spr", "https,http")
        .append_pair("sig", &signature)
        .finish()
}

/// Syncs twice and checks with these options, and compares with a lake on disk.
async fn goes(store: &Store, options: BTreeMap<String, String>, what: &str) {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let (expected, _) = calm(&simulator).await;
    let place = Place::on(&simulator, &store.url(), options);
    assert_clean(&place.synced(&simulator).await);
    assert_clean(&place.synced(&simulator).await);
    assert_same(&expected, &place.content().await, what);
    let check = ["check", "--fail-on", "never"];
    assert_clean(&place.command(&simulator, &check).output().await.unwrap());
    let output = place.command(&simulator, &["doctor"]).output().await.unwrap();
    assert!(told(&output).contains("conditional put"), "{}", told(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_takes_the_tokens_of_a_service_principal() {
    let Some(store) = Store::find(Kind::AzuriteTls) else { return };
    let entra = Entra::start().await;
    let principal = with(
        &store,
        &[
            ("azure_authority_host", &entra.url),
            ("azure_tenant_id", entra::TENANT),
            ("azure_client_id", entra::CLIENT_ID),
            ("azure_client_secret", entra::SECRET),
        ],
    );
    goes(&store, principal.clone(), "a service principal").await;

    let simulator = Simulator::start(Options::default()).await.unwrap();
    let mut wrong = principal;
    wrong.insert("azure_client_secret".to_owned(), "not-the-secret".to_owned());
    let (code, text) = refused(&simulator, "az://lake/wrong-secret", wrong).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("credentials of the storage") || text.contains("right to"), "{text}");
    assert!(!text.contains("not-the-secret"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_takes_the_tokens_of_a_federated_workload() {
    let Some(store) = Store::find(Kind::AzuriteTls) else { return };
    let entra = Entra::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), entra::ASSERTION).unwrap();
    let workload = with(
        &store,
        &[
            ("azure_authority_host", &entra.url),
            ("azure_tenant_id", entra::TENANT),
            ("azure_client_id", entra::CLIENT_ID),
            ("azure_federated_token_file", file.path().to_str().unwrap()),
        ],
    );
    goes(&store, workload, "a federated workload").await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_the_aws_cli_opens_the_lake() {
    use std::os::unix::fs::PermissionsExt as _;

    const CLI: &str = r#"#!/bin/sh
test "$AWS_PROFILE" = audit || { echo "The config profile ($AWS_PROFILE) could not be found" >&2; exit 255; }
case "$*" in
"configure get region") echo us-east-1 ;;
"configure export-credentials --format process")
    echo '{"Version": 1, "AccessKeyId": "AKIAPROFILE", "SecretAccessKey": "hidden", "SessionToken": "t"}' ;;
*) exit 252 ;;
esac
"#;
    let Some(store) = Store::find(Kind::Moto) else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("aws");
    std::fs::write(&program, CLI).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let (expected, _) = calm(&simulator).await;
    let mut options = store.options();
    options.retain(|key, _| ["aws_endpoint", "aws_allow_http"].contains(&key.as_str()));
    let url = store.url();
    let place = Place::on(&simulator, &url, options);
    let sync = async |profile: &str, path: &std::path::Path| {
        let mut command = place.sync(&simulator);
        command.env("AWS_PROFILE", profile).env("PATH", path).output().await.unwrap()
    };
    let text = told(&sync("other", folder.path()).await);
    assert!(text.contains("The config profile (other) could not be found"), "{text}");
    let output = sync("audit", std::path::Path::new("/nowhere")).await;
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("`aws`, version 2"), "{}", told(&output));
    assert_clean(&sync("audit", folder.path()).await);

    let keyed = Place::on(&simulator, &url, store.options());
    assert_same(&expected, &keyed.content().await, "a profile");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_only_read_can_ask_but_not_sync() {
    let Some(store) = Store::find(Kind::Azurite) else { return };
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let url = store.url();
    let owner = store.place(&simulator, &url);
    assert_clean(&owner.synced(&simulator).await);
    let before = owner.content().await;

    let signature = access_signature("rl", "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
    let reader = with(&store, &[("azure_storage_sas_key", &signature)]);
    let place = Place::on(&simulator, &url, reader.clone());
    let count = ["sql", "--format", "csv", "select count(*) as n from projects"];
    let output = place.command(&simulator, &count).output().await.unwrap();
    assert_clean(&output);
    let number: usize = told(&output).trim().trim_start_matches("n\n").trim().parse().unwrap();
    assert_eq!(number, before["projects"].len());

    simulator.advance(super::DAY);
    for args in [&["sync"][..], &["check"], &["maintain"], &["publish"]] {
        let output = place.command(&simulator, args).output().await.unwrap();
        let text = told(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains("cannot write to `az://"), "{args:?}: {text}");
        assert!(text.contains("the right to write there"), "{args:?}: {text}");
        assert!(!text.contains("sig="), "{args:?}: {text}");
    }
    let (code, text) = refused(&simulator, "az://lake/reader", reader).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("the right to write there"), "{text}");
    assert_same(&before, &owner.content().await, "a reader");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_told() {
    // Neither server minds the clock in signed requests: what Amazon and Azure answer.
    let answers = [
        (
            "s3://lake/skewed",
            "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current \
             time is too large.</Message></Error>",
        ),
        (
            "az://lake/skewed",
            "<Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.</Message>\
             <AuthenticationErrorDetail>Request date header too old: 'Fri, 02 Jan 2026 03:04:05 GMT'\
             </AuthenticationErrorDetail></Error>",
        ),
    ];
    let simulator = Simulator::start(Options::default()).await.unwrap();
    for (url, answer) in answers {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(async move || (StatusCode::FORBIDDEN, answer));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let kind = if url.starts_with("az") { Kind::Azurite } else { Kind::Moto };
        let (code, text) = refused(&simulator, url, Store { address, kind }.options()).await;
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("the clock of this machine"), "{text}");
    }
}

/// What a sync says to a store that refuses it.
async fn refused(
    simulator: &Simulator,
    url: &str,
    options: BTreeMap<String, String>,
) -> (Option<i32>, String) {
    let output = Place::on(simulator, url, options).synced(simulator).await;
    (output.status.code(), told(&output))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_gets_wrong_about_a_store_is_told() {
    let Some(store) = Store::find(Kind::Azurite) else { return };
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let wrong_key = with(&store, &[("azure_storage_account_key", "bm90IHRoZSBrZXk=")]);
    let (code, text) = refused(&simulator, "az://lake/wrong-key", wrong_key).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("credentials of the storage") || text.contains("right to"), "{text}");
    assert!(!text.contains("bm90IHRoZSBrZXk"), "{text}");

    let (code, text) = refused(&simulator, "az://nowhere/lake", store.options()).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("nowhere"), "{text}");

    let signature = access_signature("rwdlac", "2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z");
    let expired = with(&store, &[("azure_storage_sas_key", &signature)]);
    let (code, text) = refused(&simulator, "az://lake/expired", expired).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(!text.contains("sig="), "{text}");

    let misspelt = with(&store, &[("azure_storage_acount_name", "x")]);
    let (code, text) = refused(&simulator, "az://lake/misspelt", misspelt).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains(
            "`lake.options.azure_storage_acount_name` is no option of `az://`; did you mean `azure_storage_account_name`?"
        ), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_cut_is_named() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    for kind in [Kind::Azurite, Kind::Moto] {
        let Some(store) = Store::find(kind) else { continue };
        let url = store.url();
        let place = store.place(&simulator, &url);
        assert_clean(&place.synced(&simulator).await);
        let options = store.options();
        let (objects, folder) =
            object_store::parse_url_opts(&url.parse().unwrap(), options).unwrap();
        let users: Vec<_> = objects.list(Some(&folder.join("users"))).try_collect().await.unwrap();
        let is_rows = |path: &object_store::path::Path| path.as_ref().ends_with(".parquet");
        let file = users.into_iter().map(|user| user.location).find(is_rows).unwrap();
        let name = file.filename().unwrap();
        let whole = objects.get(&file).await.unwrap().bytes().await.unwrap();
        for length in [whole.len() / 2, 500, 0] {
            objects.put(&file, whole.slice(..length).into()).await.unwrap();
            for args in
                [&["sql", "select max(display_name) from users"][..], &["check"], &["publish"]]
            {
                let output = place.command(&simulator, args).output().await.unwrap();
                let text = told(&output);
                assert_eq!(output.status.code(), Some(2), "{kind:?} {length} {args:?}: {text}");
                assert!(text.contains(name), "{kind:?} {length} {args:?}: {text}");
                assert!(text.contains("restore them"), "{kind:?} {length} {args:?}: {text}");
            }
        }
    }
}
