//! What can be wrong about a sync, through the built binary: each a clear error with its exit code, and nothing
//! half-written.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use adolake::simulator::{Options as World, Simulator};

use crate::support::cmd::Adolake;

/// Organization `contoso` at an address.
fn config(core: &str) -> String {
    format!(
        "[[organization]]\nname = \"contoso\"\nauth = {{ kind = \"pat\", env = \"ADO_PAT\" }}\n\
         endpoints = {{ core = \"{core}\", profile = \"{core}\" }}\n"
    )
}

fn at(core: &str) -> Adolake {
    Adolake::with_config(&config(core)).env("ADO_PAT", "abc")
}

/// A service that gives every request the same bytes; returns its address.
fn always(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let mut request = Vec::new();
            let mut bytes = [0; 4096];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match connection.read(&mut bytes) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => request.extend_from_slice(&bytes[..count]),
                }
            }
            // A client that has gone away wants no answer.
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

/// Runs a sync, shows what it told with the address of the service replaced, and demands that no lake came of it.
fn refused(adolake: &Adolake, core: &str) -> String {
    let told = adolake.run(&["sync"]).told();
    let lake = adolake.path().join("lake");
    assert!(!lake.is_dir() || fs::read_dir(lake).unwrap().next().is_none(), "{told}");
    told.replace(core.trim_start_matches("http://"), "[address]")
}

#[test]
fn a_sync_says_what_it_lacks() {
    let core = "http://127.0.0.1:9/contoso";
    insta::assert_snapshot!(refused(&Adolake::new(), core), @r"
    exit 2
    --- stderr
    error: no organization is configured
    hint: write an `adolake.toml` (the README shows one), or name yours with `--config FILE`
    hint: `adolake demo` needs no config
    ");
    insta::assert_snapshot!(refused(&Adolake::with_config(&config(core)), core), @r"
    exit 2
    --- stderr
    error: the environment variable `ADO_PAT` for the token of organization `contoso` is not set
    hint: set it, for example `export ADO_PAT=…`, or name another variable in the config
    ");
    let unusable = Adolake::with_config(&config(core)).env("ADO_PAT", "tökén");
    insta::assert_snapshot!(refused(&unusable, core), @r#"
    exit 2
    --- stderr
    error: the token of organization `contoso` (env = "ADO_PAT") holds spaces, line ends or characters outside ASCII
    hint: set the token anew; surrounding spaces and line ends do no harm
    "#);
    let adolake = at(core);
    insta::assert_snapshot!(adolake.run(&["sync", "--resource", "pull_request"]).told(), @r"
    exit 2
    --- stderr
    error: there is no resource `pull_request`
    hint: did you mean `pull_requests`?
    ");
    adolake.write("lake", "a file");
    insta::assert_snapshot!(adolake.run(&["sync"]).told(), @r"
    exit 2
    --- stderr
    error: the lake cannot be at `[folder]/lake`: it is not a folder
    hint: set `lake.url` to another folder, or move `[folder]/lake` away
    ");
    assert_eq!(adolake.read("lake"), "a file");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_cannot_be_written_is_named() {
    let simulator = Simulator::start(World::default()).await.unwrap();
    let adolake = Adolake::with_config(&simulator.config("/proc/lake", "ADO_PAT"))
        .env("ADO_PAT", simulator.token());
    let told = refused(&adolake, &simulator.url());
    insta::with_settings!({filters => vec![("[0-9a-f]{32}", "[id]")]}, {
        insta::assert_snapshot!(told, @r"
        exit 2
        --- stderr
        error: cannot begin a lake at `/proc/lake/`
        caused by: cannot write to `/proc/lake/`
        caused by: Generic LocalFileSystem error: Unable to create dir /proc/lake/_adolake/probe/[id]: No such file or directory (os error 2)
        hint: give the identity that runs adolake the right to write there, or set `lake.url` to another place
        ");
    });
}

#[test]
fn a_sign_in_page_is_no_answer() {
    let core = always(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>Sign In</html>",
    );
    insta::assert_snapshot!(refused(&at(&core), &core), @r"
    exit 2
    --- stderr
    error: cannot read organization `contoso`
    caused by: cannot read who is signed in to `contoso`
    caused by: `http://[address]/_apis/connectionData?api-version=7.1-preview.1` answers as to somebody who is not signed in: an HTML page instead of data
    hint: the token looks wrong, expired or revoked, or is meant for another organization: make a new one with Code (Read), Build (Read), Project and Team (Read), Graph (Read); without a personal access token see that `tenant-id` is that of the organization
    ");
}

#[test]
fn json_of_another_shape_is_named_by_address_object_and_field() {
    let core = always(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\n\
         Connection: close\r\n\r\n{\"count\": 1, \"value\": [{\"id\": 7}]}",
    );
    insta::assert_snapshot!(refused(&at(&core), &core), @r"
    exit 2
    --- stderr
    error: cannot read organization `contoso`
    caused by: cannot read projects of `contoso`
    caused by: the answer of `http://[address]/_apis/projects?stateFilter=all&$top=500&api-version=7.1` is not understood: `id` of value[0] (id 7): invalid type: integer `7`, expected an id at line 1 column 31
    hint: report this with the address and the field: adolake does not skip what it does not understand
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_told_with_what_to_do() {
    let simulator = Simulator::start(World::default()).await.unwrap();
    let core = simulator.organization_url();
    let adolake = at(&core);
    let told = refused(&adolake, &simulator.url());
    insta::assert_snapshot!(told, @r"
    exit 2
    --- stderr
    error: cannot read organization `contoso`
    caused by: cannot read who is signed in to `contoso`
    caused by: `http://[address]/contoso/_apis/connectionData?api-version=7.1-preview.1` answers as to somebody who is not signed in: Access Denied: The Personal Access Token used is invalid or has expired.
    hint: the personal access token has expired, was revoked, or is of another organization: make a new one with Code (Read), Build (Read), Project and Team (Read), Graph (Read)
    ");
}

/// A config, a lake that was filled by it, and a simulator that is still there.
async fn synced() -> (Simulator, Adolake) {
    let simulator = Simulator::start(World::default()).await.unwrap();
    let adolake = Adolake::with_config(&simulator.config("./lake", "ADO_PAT"))
        .env("ADO_PAT", simulator.token());
    let first = adolake.run(&["--quiet", "sync"]);
    assert_eq!(first.code, Some(0), "{}", first.told());
    (simulator, adolake)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_a_newer_version_is_left_alone() {
    let (_simulator, adolake) = synced().await;
    let log = adolake.path().join("lake/projects/_delta_log/00000000000000000000.json");
    let text = fs::read_to_string(&log).unwrap();
    let newer = text.replace(r#""adolake.schemaVersion":"1""#, r#""adolake.schemaVersion":"9""#);
    assert_ne!(text, newer);
    fs::write(&log, newer).unwrap();
    let commits = || fs::read_dir(log.parent().unwrap()).unwrap().count();
    let before = commits();
    for command in [["sync", "--quiet"], ["check", "--quiet"], ["maintain", "--quiet"]] {
        insta::assert_snapshot!(command[0], adolake.run(&command).told());
    }
    assert_eq!(commits(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_of_which_the_lake_holds_nothing_is_no_clean_run() {
    let (_simulator, adolake) = synced().await;
    let other = "\n[[organization]]\nname = \"fabrikam\"\nauth = { kind = \"pat\", env = \"B\" }\n";
    let config = adolake.path().join("adolake.toml");
    fs::write(&config, fs::read_to_string(&config).unwrap() + other).unwrap();
    let ended = adolake.run(&["check", "--no-store", "--fail-on", "never", "--format", "json"]);
    assert_eq!(ended.code, Some(4), "{}", ended.told());
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let told = document["run"]["differences"][0].as_str().unwrap().to_owned();
    assert!(told.starts_with("organization `fabrikam`: the lake holds no repository"), "{told}");
    // What the format has no place for is told beside it.
    for (format, is_untold) in [("csv", true), ("ocsf", true), ("junit", false)] {
        let ended = adolake.run(&["check", "--no-store", "--fail-on", "never", "--format", format]);
        assert_eq!(ended.code, Some(4), "{}", ended.told());
        assert_eq!(ended.stderr.contains(&told), is_untold, "{format}: {}", ended.stderr);
        assert_eq!(ended.stdout.contains("fabrikam"), !is_untold, "{format}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_reading_still_learns_what_was_found() {
    let (_simulator, adolake) = synced().await;
    for format in ["csv", "junit"] {
        let arguments =
            ["check", "--no-store", "--quiet", "--format", format, "--export", "findings.json"];
        let mut child =
            adolake.command(&arguments).stdout(std::process::Stdio::piped()).spawn().unwrap();
        // More is printed than a pipe holds, so that writing meets its closed end.
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(1), "{format}");
        let exported = fs::read_to_string(adolake.path().join("findings.json")).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&exported).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_that_refuses_the_token_keeps_no_other_from_being_read() {
    let simulator = Simulator::start(World::default()).await.unwrap();
    let core = simulator.organization_url();
    let refusing = format!(
        "[[organization]]\nname = \"fabrikam\"\nauth = {{ kind = \"pat\", env = \"OTHER_PAT\" }}\n\
         endpoints = {{ core = \"{core}\" }}\n"
    );
    let config = format!("{}\n{refusing}", simulator.config("./lake", "ADO_PAT"));
    let adolake = Adolake::with_config(&config)
        .env("ADO_PAT", simulator.token())
        .env("OTHER_PAT", "no-longer-good");
    let ended = adolake.run(&["--quiet", "sync", "--format", "json"]);
    assert_eq!(ended.code, Some(4), "{}", ended.told());
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["run"]["organization"], simulator.organization());
    assert!(
        ended.stderr.contains("error: cannot read organization `fabrikam`"),
        "{}",
        ended.stderr
    );
}
