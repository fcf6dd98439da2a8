//! The directory (tenant) that an organization is connected to: configured, or found from the organization's name.

use tokio::sync::OnceCell;
use url::Url;

use super::door::Door;
use super::error::SignInError;

/// Tells the tenant without a token.
const HEADER: &str = "x-vss-resourcetenant";

/// The tenant of an organization.
#[derive(Debug)]
pub(super) struct Tenant {
    organization: String,
    graph: Option<Url>,
    known: OnceCell<String>,
}

impl Tenant {
    /// Returns the tenant: the configured one, else the one that the organization's graph address names when asked.
    pub(super) fn new(organization: &str, configured: Option<&str>, graph: Option<&Url>) -> Self {
        Self {
            organization: organization.to_owned(),
            graph: graph.cloned(),
            known: OnceCell::new_with(configured.map(str::to_owned)),
        }
    }

    /// Returns the tenant's id, or the domain that was configured.
    pub(super) async fn id(&self) -> Result<&str, SignInError> {
        self.known.get_or_try_init(|| self.discover()).await.map(String::as_str)
    }

    /// Returns the tenant where it is configured or can be found.
    pub(super) async fn known(&self) -> Option<&str> {
        self.id().await.ok()
    }

    async fn discover(&self) -> Result<String, SignInError> {
        let none = |problem: &str| SignInError::NoTenant {
            organization: self.organization.clone(),
            problem: problem.to_owned(),
        };
        let graph = self.graph.as_ref().ok_or_else(|| {
            none("a server of one's own has none, and no `graph` address is configured")
        })?;
        let address = graph.as_str().trim_end_matches('/');
        let found = Door::to(address)?.head(address, HEADER).await?;
        match found.as_deref() {
            // An organization of personal accounts.
            Some("00000000-0000-0000-0000-000000000000") => {
                Err(none("it is not connected to Microsoft Entra"))
            }
            Some(id) if uuid::Uuid::try_parse(id).is_ok() => Ok(id.to_owned()),
            Some(_) => Err(none(&format!("`{address}` names one that is no id"))),
            None => Err(none(&format!("`{address}` does not name it"))),
        }
    }
}
