//! A simulated Azure DevOps organization behind HTTP, for the demo, for trying things out and for tests.
//!
//! ```text
//! Options ──layout──▶ World (all facts, past and future)
//!                       │ cut at the clock
//!                       ▼
//! request ──server──▶ Snapshot ──routes──▶ JSON
//! ```
//!
//! Everything is a function of seed and size. The bulk of pull requests is an index of a few integers each; the
//! rest of a pull request is derived from its number when it is asked for. A fact dated after the clock does not
//! exist yet, so moving the clock is all it takes for the organization to live on.

mod answer;
mod bulk;
mod config;
mod directory;
mod examples;
mod faults;
mod json;
mod layout;
mod life;
mod lives;
mod people;
mod policies;
mod random;
mod routes;
mod runs;
mod server;
mod snapshot;
mod texts;
mod time;
mod timeline;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use directory::Identities;
pub use examples::{Example, Expected};
pub use faults::{Fault, Faults, Manners, PROFILES, UnknownFault, When};
pub use server::Requests;

use directory::Directory;
use faults::{Line, Lines};
use server::Shared;

/// How many pull requests the bulk holds at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 200.
    Tiny,
    /// 5,000.
    Small,
    /// 100,000.
    Medium,
    /// 1,000,000.
    Large,
}

impl Size {
    /// Pull requests opened before the simulation starts.
    pub const fn pull_requests(self) -> u64 {
        match self {
            Size::Tiny => 200,
            Size::Small => 5_000,
            Size::Medium => 100_000,
            Size::Large => 1_000_000,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Size::Tiny => "tiny",
            Size::Small => "small",
            Size::Medium => "medium",
            Size::Large => "large",
        })
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        [Size::Tiny, Size::Small, Size::Medium, Size::Large]
            .into_iter()
            .find(|size| size.to_string() == text)
            .ok_or_else(|| format!("`{text}` is not a size; known are tiny, small, medium, large"))
    }
}

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Everything that looks random comes from it.
    pub seed: u64,
    /// How much there is.
    pub size: Size,
    /// Name of the organization.
    pub organization: String,
    /// The token that is accepted, as a personal access token and as a bearer token; with `-scoped` behind it a personal
    /// access token of this organization alone, which profile and accounts refuse.
    pub token: String,
    /// What the directory behind sign-in accepts.
    pub identities: Identities,
    /// What that token may not read, of [`SCOPES`].
    pub denied: Vec<String>,
    /// What the clock shows at the start.
    pub start: DateTime<Utc>,
    /// Whether the named examples are there too.
    pub has_examples: bool,
    /// What goes wrong.
    pub faults: Faults,
    /// The newest API version that is taken, one of [`API_VERSIONS`]. Before 7.1 it is a server of one's own: without
    /// users, profile and accounts, and lists of pull requests do not heed times.
    pub api_version: &'static str,
}

/// The first words of scopes that a token may lack.
pub const SCOPES: [&str; 5] = ["code", "build", "graph", "project", "profile"];

/// API versions, oldest first.
pub const API_VERSIONS: [&str; 5] = ["5.0", "5.1", "6.0", "7.0", "7.1"];

impl Default for Options {
    /// A tiny `contoso` with the named examples, on 2026-10-01 at 08:00 UTC, on a free port.
    fn default() -> Options {
        Options {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            size: Size::Tiny,
            organization: "contoso".to_owned(),
            token: "simulated-token".to_owned(),
            identities: Identities::default(),
            denied: Vec::new(),
            start: DateTime::from_timestamp(1_790_841_600, 0).unwrap_or_default(),
            has_examples: true,
            faults: Faults::default(),
            api_version: "7.1",
        }
    }
}

/// A running simulation; it ends when this value is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    addr: SocketAddr,
    token: String,
    size: Size,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl Simulator {
    /// Builds the organization and starts to serve it.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(options: Options) -> io::Result<Simulator> {
        let listener = TcpListener::bind(options.addr).await?;
        let addr = listener.local_addr()?;
        let base = format!("http://{addr}/{}", options.organization);
        let world = layout::build(&options, &base);
        let directory = Directory::new(options.seed, options.identities.clone());
        let (token, denied) = (options.token.clone(), options.denied.clone());
        let shared = Shared::new(world, token, denied, directory, options.faults);
        let shared = Arc::new(shared);
        let router = server::router(Arc::clone(&shared));
        let router = router.into_make_service_with_connect_info::<Line>();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let until = async { _ = stopped.await };
            axum::serve(Lines(listener), router).with_graceful_shutdown(until).await
        });
        Ok(Simulator {
            shared,
            addr,
            token: options.token,
            size: options.size,
            stop: Some(stop),
            task,
        })
    }

    /// The base address of everything: `http://127.0.0.1:PORT`. Also the profile endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The base address of the organization: the core and the graph endpoint.
    pub fn organization_url(&self) -> String {
        self.shared.world.base.clone()
    }

    /// The token that is accepted.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The tenant that the organization is connected to.
    pub fn tenant(&self) -> String {
        self.shared.directory.tenant()
    }

    /// A tenant whose tokens the organization does not take.
    pub fn other_tenant(&self) -> String {
        self.shared.directory.other_tenant()
    }

    /// The application that may read the organization, for itself and for its user.
    pub fn client_id(&self) -> String {
        self.shared.directory.client()
    }

    /// An application of the tenant that was not added to the organization.
    pub fn stranger_id(&self) -> String {
        self.shared.directory.stranger()
    }

    /// Ends all access tokens before their time.
    pub fn end_access_tokens(&self) {
        self.shared.directory.end_access();
    }

    /// Ends all refresh tokens, as a changed password does.
    pub fn revoke_refresh_tokens(&self) {
        self.shared.directory.revoke();
    }

    /// The name of the organization.
    pub fn organization(&self) -> &str {
        &self.shared.world.organization
    }

    /// How much there is.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// What the clock shows; it stands still unless it is moved.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.snapshot().now.to_utc()
    }

    /// Moves the clock on: whatever happens until then has happened.
    pub fn advance(&self, by: Duration) {
        let ticks = i64::try_from(by.as_nanos() / 100).unwrap_or(i64::MAX / 4);
        self.shared.advance(ticks);
    }

    /// The named examples with the verdicts that are expected of them.
    pub fn examples(&self) -> &[Example] {
        &self.shared.world.examples.list
    }

    /// A config file that reads this organization into `lake` (a path or URL), with everything the named examples
    /// need; the token is taken from the environment variable `token_variable`.
    pub fn config(&self, lake: &str, token_variable: &str) -> String {
        config::text(&self.shared.world, &self.url(), lake, token_variable)
    }

    /// How often each route was asked so far.
    pub fn requests(&self) -> Requests {
        self.shared.requests()
    }

    /// How many requests have arrived, answered or not.
    pub fn arrived(&self) -> u64 {
        self.shared.injector.arrived()
    }

    /// Waits until so many requests have arrived in all.
    pub async fn wait_for(&self, requests: u64) {
        self.shared.injector.wait_for(requests).await;
    }

    /// Lets other things go wrong from now on; what was counted of faults begins anew.
    pub fn disturb(&self, faults: Faults) {
        self.shared.injector.change(faults);
    }

    /// How often each fault was shown since they were last changed.
    pub fn faults_shown(&self) -> BTreeMap<&'static str, u64> {
        self.shared.injector.now().shown()
    }

    /// How clients behaved since then when they were asked to wait.
    pub fn manners(&self) -> Manners {
        self.shared.injector.now().manners()
    }

    /// Serves until the process ends or the listener fails.
    ///
    /// # Errors
    /// Serving failed.
    pub async fn wait(mut self) -> io::Result<()> {
        (&mut self.task).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Stops serving.
    pub async fn stop(mut self) {
        self.end();
        _ = (&mut self.task).await;
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            _ = stop.send(());
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.end();
    }
}
