//! People: `adolake login` by a code and through a browser, then syncs, renewals, revocation and `adolake logout`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use super::{Adolake, Simulator, adolake, asked, assert_refused, assert_syncs, world};

fn user(simulator: &Simulator) -> Adolake {
    adolake(simulator, &format!("kind = \"user\", client-id = \"{}\"", simulator.client_id()))
        .env("BROWSER", "true")
        .env("PATH", "/usr/bin:/bin")
}

/// A login under way.
struct Login {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    told: String,
}

impl Login {
    fn start(adolake: &Adolake, args: &[&str]) -> Login {
        let mut command = adolake.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Login { child, stderr, told: String::new() }
    }

    /// Reads until a line tells what the person has to do; returns its words.
    fn instruction(&mut self) -> Vec<String> {
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "{}", self.told);
            self.told.push_str(&line);
            if line.contains("to sign in to `contoso`") {
                return line.split_whitespace().map(str::to_owned).collect();
            }
        }
    }

    /// Waits for the end; returns the exit code and all that was told.
    fn end(mut self) -> (Option<i32>, String) {
        let output = self.child.wait().unwrap();
        std::io::Read::read_to_string(&mut self.stderr, &mut self.told).unwrap();
        assert!(!self.told.contains("simulated-"), "{}", self.told);
        (output.code(), self.told)
    }
}

/// Signs in by a code, as a person with another device does.
async fn login_by_code(adolake: &Adolake, more: &str) -> (Option<i32>, String) {
    let mut login = Login::start(adolake, &["login", "--quiet"]);
    let (login, page) = tokio::task::spawn_blocking(move || {
        let words = login.instruction();
        let page = words.iter().find(|word| word.starts_with("http")).unwrap();
        let code = words.last().unwrap();
        let page = format!("{page}?otc={code}");
        (login, page)
    })
    .await
    .unwrap();
    let text = reqwest::get(format!("{page}{more}")).await.unwrap().text().await.unwrap();
    assert!(text.contains("You have signed in"), "{text}");
    tokio::task::spawn_blocking(|| login.end()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_a_code_and_stays_signed_in_until_revoked() {
    let simulator = world(None).await;
    let adolake = user(&simulator);
    assert_refused(&adolake, &["nobody is signed in", "hint: run `adolake login contoso`"]);

    let (code, told) = login_by_code(&adolake, "").await;
    assert_eq!(code, Some(0), "{told}");
    // The tenant was found from the name of the organization.
    assert!(asked(&simulator, "tenant") >= 1);
    let kept = adolake.path().join(".local/state/adolake/login");
    for file in std::fs::read_dir(&kept).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("simulated-refresh"), "{text}");
    }

    // Each run uses a refresh token up and keeps the next one.
    for _ in 0..3 {
        assert_syncs(&adolake);
    }
    std::fs::remove_dir_all(adolake.path().join("lake")).unwrap();
    simulator.revoke_refresh_tokens();
    assert_refused(&adolake, &["no longer accepted", "AADSTS50173", "run `adolake login contoso`"]);

    let out = adolake.run(&["logout", "contoso"]);
    assert_eq!(out.stderr, "forgot who signed in to `contoso`\n");
    assert_refused(&adolake, &["nobody is signed in"]);
    assert_eq!(adolake.run(&["logout"]).stderr, "nobody was signed in to `contoso`\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_says_no_is_not_signed_in() {
    let simulator = world(None).await;
    let adolake = user(&simulator);
    let (code, told) = login_by_code(&adolake, "&decline=true").await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("the sign-in was declined"), "{told}");
    assert_refused(&adolake, &["nobody is signed in"]);
}

/// Signs in through the browser; the test is the browser.
async fn login_by_browser(adolake: &Adolake, more: &str) -> (Option<i32>, String) {
    let mut login = Login::start(adolake, &["login", "contoso", "--browser"]);
    let (login, page) = tokio::task::spawn_blocking(move || {
        let page = login.instruction().pop().unwrap();
        (login, page)
    })
    .await
    .unwrap();
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = http.get(format!("{page}{more}")).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap().replace("localhost", "127.0.0.1");
    // Somebody who guesses the port but not the state changes nothing.
    let place = back.split('?').next().unwrap();
    let forged = http.get(format!("{place}?code=forged&state=guessed")).send().await.unwrap();
    assert_eq!(forged.status(), 400);
    let page = http.get(&back).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("This window can be closed"), "{page}");
    tokio::task::spawn_blocking(|| login.end()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_through_the_browser() {
    let simulator = world(None).await;
    let adolake = user(&simulator);
    let (code, told) = login_by_browser(&adolake, "").await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("signed in to `contoso` as "), "{told}");
    assert!(told.contains(", sealed, as the system's keyring cannot be used"), "{told}");
    assert_syncs(&adolake);
    assert_eq!(asked(&simulator, "sign-in: device code"), 0);

    let other = user(&simulator);
    let (code, told) = login_by_browser(&other, "&decline=true").await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("the sign-in was declined: the user declined"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_seals_what_is_kept() {
    let simulator = world(None).await;
    let adolake = user(&simulator).env("ADOLAKE_LOGIN_PASSPHRASE", "correct horse");
    let (code, told) = login_by_code(&adolake, "").await;
    assert_eq!(code, Some(0), "{told}");
    assert!(!adolake.path().join(".local/state/adolake/login/key").exists());
    let adolake = adolake.env("ADOLAKE_LOGIN_PASSPHRASE", "another");
    assert_refused(&adolake, &["passphrase or key are others than when it was written"]);
    assert_syncs(&adolake.env("ADOLAKE_LOGIN_PASSPHRASE", "correct horse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_share_what_is_kept() {
    let simulator = world(None).await;
    let adolake = user(&simulator);
    assert_eq!(login_by_code(&adolake, "").await.0, Some(0));
    let args = ["sync", "--quiet", "--plan"];
    let runs: Vec<Child> = (0..3)
        .map(|_| {
            adolake.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn login_is_for_people() {
    let simulator = world(None).await;
    let pat = adolake(&simulator, "kind = \"pat\", env = \"ADO_PAT\"");
    insta::assert_snapshot!(pat.run(&["login"]).told(), @r#"
    exit 2
    --- stderr
    error: no configured organization is one that a person signs in to: `kind` is pat
    hint: `auth = { kind = "user", client-id = "…" }` signs in as a person
    "#);
    insta::assert_snapshot!(pat.run(&["login", "contoso"]).told(), @r#"
    exit 2
    --- stderr
    error: organization `contoso` signs in with `kind = "pat"`, for which nothing is kept
    hint: `adolake sync` uses it as it is; `kind = "user"` signs in as a person
    "#);
    insta::assert_snapshot!(user(&simulator).run(&["login", "contso"]).told(), @r"
    exit 2
    --- stderr
    error: no organization `contso` is configured
    hint: did you mean `contoso`?
    ");
    let wrong = adolake(&simulator, "kind = \"user\", client-id = \"nobody\"");
    let ended = wrong.run(&["login"]);
    assert_eq!(ended.code, Some(2), "{}", ended.told());
    assert!(ended.stderr.contains("AADSTS700016"), "{}", ended.told());
    let elsewhere = format!(
        "kind = \"user\", client-id = \"{}\", tenant-id = \"{}\"",
        simulator.client_id(),
        simulator.other_tenant()
    );
    let (code, told) = login_by_code(&adolake(&simulator, &elsewhere), "").await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("see that `tenant-id` is that of the organization"), "{told}");
}
