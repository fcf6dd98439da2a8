//! Users and service principals of the Graph, and which identity id belongs to which descriptor.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::error::reading;
use super::rows::{Id, Object, filled};
use super::{Error, Source};
use crate::ado::model::{GraphSubject, StorageKey, is_service_descriptor};
use crate::ado::{self, Call, Paging};
use crate::schema::Row;

/// What the Graph lists.
#[derive(Debug)]
pub struct Users {
    /// Rows of `users`; `identity_id` is null until [`Users::fill`].
    pub rows: Vec<Row>,
    /// Time of the first answer.
    pub seen_at: DateTime<Utc>,
    /// Set where users could be listed and service principals could not.
    pub unreadable: Option<Error>,
}

impl Users {
    /// Sets the identity ids that are known, by descriptor; returns the descriptors that are left.
    pub fn fill(&mut self, known: &HashMap<String, String>) -> Vec<String> {
        let mut left = Vec::new();
        for row in &mut self.rows {
            let Some(descriptor) = row.text("descriptor").map(str::to_owned) else { continue };
            match known.get(&descriptor) {
                Some(id) => {
                    row.set("identity_id", id.as_str());
                }
                None if row.get("identity_id").is_null() => left.push(descriptor),
                None => {}
            }
        }
        left
    }
}

/// Of a token that is not made for the Graph it says the same as of a wrong one. People are useful and no more: if the
/// token is wrong, the next call to the core tells.
fn out_of_scope(error: ado::Error) -> ado::Error {
    match error {
        ado::Error::SignedOut { address, reason } => {
            let message = format!("{reason} (is the token made with Graph (Read)?)");
            ado::Error::Forbidden { address, message }
        }
        other => other,
    }
}

/// Reads all users and service principals.
///
/// # Errors
/// Fails when the users cannot be read, or an answer is not understood.
pub async fn fetch(source: &Source) -> Result<Users, Error> {
    let list = async |kind: &'static str| {
        let call = Call::graph(&[kind]);
        let what = format!("{kind} of `{}`", source.organization());
        let answer = source.client().get_list::<GraphSubject>(call, Paging::Whole).await;
        answer.map_err(|error| reading(what)(out_of_scope(error)))
    };
    let users = list("users").await?;
    let seen_at = users.seen_at;
    let mut rows = Vec::with_capacity(users.value.len());
    for subject in users.value {
        rows.push(row(source, &users.url, subject, "user", seen_at)?);
    }
    let unreadable = match list("serviceprincipals").await {
        Ok(principals) => {
            for subject in principals.value {
                let at = principals.seen_at;
                rows.push(row(source, &principals.url, subject, "servicePrincipal", at)?);
            }
            None
        }
        Err(error) if error.is_unreadable() => Some(error),
        Err(error) => return Err(error),
    };
    Ok(Users { rows, seen_at, unreadable })
}

fn row(
    source: &Source,
    address: &str,
    subject: GraphSubject,
    kind: &str,
    seen_at: DateTime<Utc>,
) -> Result<Row, Error> {
    let id = Id(subject.display_name.clone());
    let object = Object { address, kind: "user", id: &id };
    let descriptor = object.need(filled(subject.descriptor), "descriptor")?;
    let subject_kind = filled(subject.subject_kind).unwrap_or_else(|| kind.to_owned());
    let is_service = subject_kind.eq_ignore_ascii_case("servicePrincipal")
        || kind == "servicePrincipal"
        || is_service_descriptor(&descriptor);
    let mut row = source.table("users")?.row();
    row.set("descriptor", descriptor)
        .set("display_name", subject.display_name)
        .set("mail_address", filled(subject.mail_address))
        .set("principal_name", filled(subject.principal_name))
        .set("domain", filled(subject.domain))
        .set("origin", subject.origin)
        .set("origin_id", subject.origin_id)
        .set("subject_kind", subject_kind)
        .set("meta_type", subject.meta_type)
        .set("is_service", is_service)
        .set("first_seen_at", seen_at);
    Ok(row)
}

/// Reads the identity id of a descriptor; none where the Graph does not know or tell it.
///
/// # Errors
/// Fails when the Graph does not answer, or with an answer that is not understood.
pub async fn storage_key(source: &Source, descriptor: &str) -> Result<Option<String>, Error> {
    let call = Call::graph(&["storagekeys", descriptor]);
    match source.client().get::<StorageKey>(call).await.map_err(out_of_scope) {
        Ok(answer) => Ok(answer.value.value),
        Err(error) if error.is_unreadable() => Ok(None),
        Err(error) => Err(reading(format!("the identity id of `{descriptor}`"))(error)),
    }
}
