//! `adolake simulate`.

use std::net::SocketAddr;

use super::Context;
use super::exit::Exit;
use super::failure::Failure;
use crate::simulator::{API_VERSIONS, Faults, Options, SCOPES, Simulator, Size};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake simulate --addr 127.0.0.1:8090 > adolake.toml &
  ADO_PAT=simulated-token adolake sync
  curl -X POST -d '{\"advance_s\": 604800}' http://127.0.0.1:8090/_simulator/clock

The config file for it is printed to stdout; /_simulator/stats tells its clock and what was asked of it.
Faults are joined by commas: profiles such as throttled, flaky, signed-out, restless-pages, odd-answers, strange-values, \
hidden, broken-answers, everything; single ones such as error=7 (the 7th request) or error=2.5% (of addresses, once \
each); and seed=N, retry-after=SECONDS, bucket=REQUESTS/SECONDS, page-rows=N, times=N, only=PATH.
A wrong name lists all.

Other ways to sign in work too, with `login` in `[organization.endpoints]` set to the simulator's address: an application \
with the secret `simulated-secret`, its user by `adolake login`, and AZURE_POD_IDENTITY_AUTHORITY_HOST for a machine's identity.
POST /_simulator/sign-in with {\"end\": \"access\"} or {\"end\": \"refresh\"} ends their tokens.")]
pub(super) struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddr,
    /// Where everything that looks random comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many pull requests: tiny (200), small (5,000), medium (100,000) or large (1,000,000)
    #[arg(long, value_name = "SIZE", default_value_t = Size::Small)]
    size: Size,
    /// The token that is accepted
    #[arg(long, default_value = "simulated-token")]
    token: String,
    /// What the token may not read; repeatable
    #[arg(long = "deny", value_name = "SCOPE", value_parser = SCOPES)]
    denied: Vec<String>,
    /// Name of the organization
    #[arg(long, value_name = "NAME", default_value = "contoso")]
    organization: String,
    /// The newest API version that is taken; before 7.1 it is a server of one's own, with its narrower API
    #[arg(long, value_name = "VERSION", default_value = "7.1", value_parser = api_version)]
    api_version: &'static str,
    /// What goes wrong, such as flaky,seed=7 or throttle=50,truncate=7
    #[arg(long, default_value = "")]
    faults: Faults,
}

fn api_version(text: &str) -> Result<&'static str, String> {
    let known = API_VERSIONS.into_iter().find(|known| *known == text);
    known.ok_or_else(|| format!("there are {}", API_VERSIONS.join(", ")))
}

/// Serves until it is stopped.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let options = Options {
        addr: args.addr,
        seed: args.seed,
        size: args.size,
        organization: args.organization,
        token: args.token,
        denied: args.denied,
        faults: args.faults,
        api_version: args.api_version,
        ..Options::default()
    };
    let addr = options.addr;
    let simulator = Simulator::start(options).await.map_err(|error| {
        Failure::user(format!("cannot listen on `{addr}`"))
            .caused_by(error)
            .hint("give an address of this machine and a free port, such as `--addr 127.0.0.1:0`")
    })?;
    context.output.say(&format!(
        "simulating `{}` ({} pull requests and the named examples) at {}; its clock stands at {}",
        simulator.organization(),
        simulator.size().pull_requests(),
        simulator.url(),
        simulator.now().format("%Y-%m-%d %H:%M UTC"),
    ));
    context.output.say(&format!(
        "core and graph: {}; profile: {}",
        simulator.organization_url(),
        simulator.url()
    ));
    context.output.say(&format!(
        "sign in with: export ADO_PAT={}; or tenant {}, application {}",
        simulator.token(),
        simulator.tenant(),
        simulator.client_id()
    ));
    context.output.print(&simulator.config("./lake", "ADO_PAT"))?;
    simulator.wait().await?;
    Ok(Exit::CLEAN)
}
