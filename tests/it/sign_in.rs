//! Signing in, each way against the simulator's token endpoints: what works, what ends in the middle, what is refused.

mod applications;
mod directory;
mod people;

use adolake::simulator::{Identities, Options, Simulator};

use crate::support::cmd::{Adolake, Ended};

const CERTIFICATE: &str = include_str!("sign_in/certificate.pem");
const OTHER_CERTIFICATE: &str = include_str!("sign_in/other_certificate.pem");

/// A tiny organization, and what the directory behind it accepts.
async fn world(end_at: Option<u64>) -> Simulator {
    let certificate = Some(CERTIFICATE.to_owned());
    let identities = Identities { certificate, end_at, ..Identities::default() };
    Simulator::start(Options { identities, ..Options::default() }).await.unwrap()
}

/// A folder with a config that signs in to the organization so.
fn adolake(simulator: &Simulator, auth: &str) -> Adolake {
    let (core, url) = (simulator.organization_url(), simulator.url());
    let text = format!(
        "[[organization]]\nname = \"contoso\"\nauth = {{ {auth} }}\n\
         [organization.endpoints]\ncore = \"{core}\"\ngraph = \"{core}\"\nprofile = \"{url}\"\nlogin = \"{url}\"\n"
    );
    Adolake::with_config(&text).env("ADOLAKE_KEYRING", "never")
}

/// Reads a little, which takes three kinds of questions to two hosts.
fn sync(adolake: &Adolake) -> Ended {
    adolake.run(&["sync", "--quiet", "--resource", "organizations", "--resource", "projects"])
}

/// How often a route was asked.
fn asked(simulator: &Simulator, route: &str) -> u64 {
    simulator.requests().routes.get(route).copied().unwrap_or(0)
}

/// Asserts that a sync works.
fn assert_syncs(adolake: &Adolake) {
    let ended = sync(adolake);
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    assert_eq!(ended.stderr, "");
}

/// Asserts that a sync ends as something the user can fix, and that it says so.
fn assert_refused(adolake: &Adolake, words: &[&str]) {
    let ended = sync(adolake);
    assert_eq!(ended.code, Some(2), "{}", ended.told());
    for word in words {
        assert!(ended.stderr.contains(word), "`{word}` is not in {}", ended.told());
    }
    for secret in ["simulated-access", "simulated-refresh", "simulated-secret", "wrong-secret"] {
        assert!(!ended.stderr.contains(secret), "{}", ended.told());
    }
    assert!(
        !adolake.path().join("lake").exists(),
        "nothing is written before somebody is signed in"
    );
}
