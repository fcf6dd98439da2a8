//! Examines what a sync and a check depend on, and says of each thing how it is and what to do about it.
//!
//! ```text
//! Azure DevOps ──visible (read now)──┐
//!                                    ├──▶ session (views of the checks) ──▶ scope, branches, solutions, retention
//! lake (as it was synced) ───────────┘                                                     │
//! lake's store ──▶ storage (tables, race of puts)         access (who, which permissions) ─┴──▶ items
//! ```
//!
//! What fits what is decided by the same views that the checks read, so that both always agree. Nothing is written but
//! the probe of the store, which removes what it wrote.

mod access;
mod ask;
mod branches;
mod error;
mod permission;
mod retention;
mod sample;
mod scope;
mod session;
mod solutions;
mod storage;
mod visible;

use chrono::{DateTime, Utc};

use crate::config::{Projects, Settings};
use crate::extract::Source;
use crate::hint::Hint as _;
use crate::lake::Lake;

pub use self::access::Access;
pub use self::error::Error;
pub use self::permission::Permission;
pub use self::sample::{StatusName, status_names};
pub use self::storage::storage;
pub use self::visible::{Found, Visible};

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Not looked at, because something else has to be mended first.
    Skipped,
    /// Works, and should be looked at.
    Warning,
    /// Keeps adolake from working, or its verdicts from being right.
    Problem,
}

impl Status {
    /// Returns the word of the JSON form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What was found out about one thing. The names of items are stable: scripts may rely on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What was looked at, see [`ITEMS`].
    pub item: &'static str,
    /// Whose: a file, a lake, an organization, `organization/project` or `organization/project/repository`.
    pub subject: String,
    /// How it is.
    pub status: Status,
    /// A sentence without a full stop.
    pub message: String,
    /// What to do, in the imperative, without a full stop.
    pub remedy: Option<String>,
    /// Whether it may pass with time, without anybody changing anything.
    pub is_outside: bool,
}

/// The names of all items, in the order in which they are looked at.
pub const ITEMS: [&str; 22] = [
    "config",
    "queries",
    "lake-tables",
    "lake-store",
    "sign-in",
    "accounts",
    "permission-project-and-team",
    "permission-code",
    "permission-build",
    "permission-graph",
    "permission-user-profile",
    "projects",
    "repositories",
    "overrides",
    "exceptions",
    "start-date",
    "production-branches",
    "merged-pull-requests",
    "build-validation",
    "branch-policies",
    "solutions",
    "retention",
];

impl Item {
    fn new(
        item: &'static str,
        subject: impl Into<String>,
        status: Status,
        message: impl Into<String>,
    ) -> Self {
        let (subject, message) = (subject.into(), message.into());
        Self { item, subject, status, message, remedy: None, is_outside: false }
    }

    /// Something that is as it should be.
    pub fn ok(item: &'static str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(item, subject, Status::Ok, message)
    }

    /// Something that works, and should be looked at.
    pub fn warning(
        item: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(item, subject, Status::Warning, message)
    }

    /// Something that has to be mended.
    pub fn problem(
        item: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(item, subject, Status::Problem, message)
    }

    /// Something that was not looked at.
    pub fn skipped(
        item: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(item, subject, Status::Skipped, message)
    }

    /// Says what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says whether it may pass with time.
    #[must_use]
    pub fn outside(mut self, is_outside: bool) -> Self {
        self.is_outside = is_outside;
        self
    }
}

/// What the examination of one organization is handed.
#[derive(Debug)]
pub struct Input<'a> {
    /// Where answers come from.
    pub source: Source,
    /// `kind` of the way to sign in.
    pub auth: &'static str,
    /// The tables.
    pub catalog: &'a std::sync::Arc<crate::schema::Catalog>,
    /// The lake; none where it cannot be read.
    pub lake: Option<&'a Lake>,
    /// Which projects.
    pub projects: &'a Projects,
    /// What is judged.
    pub settings: &'a Settings,
    /// The time of this machine, for when the service tells none.
    pub clock: DateTime<Utc>,
}

impl Input<'_> {
    fn organization(&self) -> &str {
        self.source.organization()
    }

    /// Returns the time of the service.
    fn now(&self) -> DateTime<Utc> {
        self.source.client().now().unwrap_or(self.clock)
    }
}

/// Examines an organization: sign-in, permissions, scope, branches, solutions, retention. What was found before the
/// lake or a query broke off is told all the same.
pub async fn organization(input: &Input<'_>) -> Vec<Item> {
    let subject = input.organization();
    let mut items = Vec::new();
    if let Err(error) = examine(input, &mut items).await {
        let problem = Item::problem("lake-tables", subject, access::told(&error));
        let problem = problem.outside(error.is_transient());
        items.push(match error.hints().into_iter().next() {
            Some(hint) => problem.remedy(hint),
            None => problem.remedy("try again; if it stays, report it with this message"),
        });
    }
    // What concerns all comes first; what concerns one repository stands together.
    items.sort_by_key(|item| (item.subject != subject).then(|| item.subject.clone()));
    items
}

async fn examine(input: &Input<'_>, items: &mut Vec<Item>) -> Result<(), Error> {
    let Access { items: signed_in, is_signed_in } = access::sign_in(input).await;
    items.extend(signed_in);
    if !is_signed_in {
        let skipped = "not looked at: sign-in comes first";
        items.push(Item::skipped("repositories", input.organization(), skipped));
        return Ok(());
    }
    let visible = Visible::read(&input.source, input.projects, Some(input.settings)).await;
    items.extend(access::permissions(input, &visible).await);
    let Some(visible) = visible.found else {
        let skipped = "not looked at: what the identity can see comes first";
        items.push(Item::skipped("repositories", input.organization(), skipped));
        return Ok(());
    };
    let session = session::open(input, &visible).await?;
    let context = &session.context;
    items.extend(scope::projects(input, &visible));
    items.extend(scope::repositories(input, context).await?);
    items.extend(scope::overrides(input, context).await?);
    items.extend(scope::exceptions(input, &visible, context).await?);
    items.extend(scope::start_date(input));
    items.extend(branches::examine(input, &visible, context).await?);
    items.extend(solutions::examine(input, &session).await?);
    items.extend(retention::examine(input, &visible).await?);
    Ok(())
}
