//! Organizations and the profile: who is signed in, and what that identity belongs to.

use chrono::{DateTime, Utc};

use super::error::reading;
use super::rows::{Id, Object};
use super::{Error, Source};
use crate::ado::model::{Account, ConnectionData, Identity, Profile};
use crate::ado::{self, Answer, Call, Paging};
use crate::schema::Row;

/// What could be learnt about the identity.
#[derive(Debug, Clone)]
pub struct Organizations {
    /// Rows of `organizations`: the configured one always, the others where accounts can be read. Each has its own
    /// name in the partition column `organization`.
    pub organizations: Vec<Row>,
    /// Rows of `profiles`: one, or none where nothing says who is signed in.
    pub profiles: Vec<Row>,
    /// Time of the organization's own answer.
    pub seen_at: DateTime<Utc>,
    /// What the identity could not read, which is usual for tokens of one organization.
    pub absent: Vec<String>,
}

/// Asks the organization who is signed in, which shows that the token is accepted, and nothing else.
///
/// # Errors
/// Fails when the organization does not answer, above all when the token is not accepted.
pub async fn knock(source: &Source) -> Result<(), Error> {
    connection(source).await.map(drop)
}

async fn connection(source: &Source) -> Result<Answer<ConnectionData>, Error> {
    source
        .client()
        .get(Call::core(&["connectionData"]).preview())
        .await
        .map_err(reading(format!("who is signed in to `{}`", source.organization())))
}

/// Reads who is signed in, from the organization itself, and the profile and accounts where the token reaches so far.
///
/// # Errors
/// Fails when the organization does not answer, above all when the token is not accepted.
pub async fn fetch(source: &Source) -> Result<Organizations, Error> {
    let client = source.client();
    let mut absent = Vec::new();
    let connection = match connection(source).await {
        Err(error) if !error.is_unreadable() => return Err(error),
        connection => connection,
    };

    let call = Call::profile(&["profile", "profiles", "me"]);
    let what = "the profile of the identity";
    let profile = tolerated(client.get::<Profile>(call).await, what, &mut absent)?;
    let (seen_at, user) = match connection {
        Ok(answer) => (answer.seen_at, answer.value.authenticated_user.unwrap_or_default()),
        // Some tokens may not ask who they are; what the profile says of the identity is enough.
        Err(refusal) => {
            absent.push(refusal.to_string());
            let seen_at = profile.as_ref().map(|answer| answer.seen_at);
            (seen_at.or(client.first_answer_at()).ok_or(refusal)?, Identity::default())
        }
    };
    let mut profile = profile.map(|answer| answer.value).unwrap_or_default();
    profile.id = profile.id.or(user.id);
    profile.display_name =
        profile.display_name.or(user.custom_display_name).or(user.provider_display_name);

    let mut accounts = Vec::new();
    if let Some(id) = &profile.id {
        let call = Call::profile(&["accounts"]).query("memberId", id);
        let list = client.get_list::<Account>(call, Paging::Whole).await;
        let list = tolerated(list, "the accounts of the identity", &mut absent)?;
        accounts = list.map(|answer| answer.value).unwrap_or_default();
    }
    Ok(Organizations {
        organizations: organization_rows(source, accounts, seen_at)?,
        profiles: profile_row(source, profile)?.into_iter().collect(),
        seen_at,
        absent,
    })
}

/// Profile and accounts live on another host and want another kind of token: without them the work goes on.
fn tolerated<T>(
    result: Result<Answer<T>, ado::Error>,
    what: &str,
    absent: &mut Vec<String>,
) -> Result<Option<Answer<T>>, Error> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(error @ (ado::Error::Malformed { .. } | ado::Error::Endless { .. })) => {
            Err(reading(what)(error))
        }
        Err(error) => {
            absent.push(format!("{what}: {error}"));
            Ok(None)
        }
    }
}

fn organization_rows(
    source: &Source,
    accounts: Vec<Account>,
    seen_at: DateTime<Utc>,
) -> Result<Vec<Row>, Error> {
    let table = source.table("organizations")?;
    let configured = source.organization();
    let mut rows = Vec::new();
    let mut is_listed = false;
    for account in accounts {
        let id = Id(account.account_id.clone());
        let object = Object { address: "accounts", kind: "account", id: &id };
        let name = object.need(account.account_name, "accountName")?;
        let is_configured = name.eq_ignore_ascii_case(configured);
        is_listed |= is_configured;
        let mut row = table.row();
        row.set("organization", if is_configured { configured } else { &name })
            .set("account_id", account.account_id)
            .set("account_name", name.as_str())
            .set("account_uri", account.account_uri)
            .set("account_status", account.account_status)
            .set("is_configured", is_configured)
            .set("first_seen_at", seen_at);
        rows.push(row);
    }
    if !is_listed {
        let mut row = table.row();
        row.set("is_configured", true).set("first_seen_at", seen_at);
        rows.push(row);
    }
    Ok(rows)
}

fn profile_row(source: &Source, profile: Profile) -> Result<Option<Row>, Error> {
    let Some(id) = profile.id else { return Ok(None) };
    let mut row = source.table("profiles")?.row();
    row.set("id", id)
        .set("display_name", profile.display_name)
        .set("email_address", profile.email_address)
        .set("public_alias", profile.public_alias)
        .set("core_revision", profile.core_revision)
        .set("time_stamp", profile.time_stamp)
        .set("revision", profile.revision);
    Ok(Some(row))
}
