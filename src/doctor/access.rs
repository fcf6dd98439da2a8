//! Who is signed in, and what that identity may read; refusals told apart by what mends them.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use super::ask::listed;
use super::permission::Permission;
use super::visible::{Refused, Visible};
use super::{Input, Item, visible};
use crate::ado::model::{Account, ConnectionData, GraphSubject, Profile};
use crate::ado::{self, Call, Paging};
use crate::extract::Error;
use crate::hint::Hint as _;

/// What signing in showed.
#[derive(Debug)]
pub struct Access {
    /// What to tell.
    pub items: Vec<Item>,
    /// Whether there is any use in asking further.
    pub is_signed_in: bool,
}

/// Asks who is signed in, and which organizations that identity belongs to.
pub(super) async fn sign_in(input: &Input<'_>) -> Access {
    let (client, subject) = (input.source.client(), input.organization());
    let call = Call::core(&["connectionData"]).preview();
    let connection = match client.get::<ConnectionData>(call).await {
        Ok(answer) => answer.value,
        Err(error) => {
            let items = vec![refused_sign_in(input, &error)];
            return Access { items, is_signed_in: false };
        }
    };
    let user = connection.authenticated_user.unwrap_or_default();
    let profile = client.get::<Profile>(Call::profile(&["profile", "profiles", "me"])).await;
    let profile = profile.map(|answer| answer.value).unwrap_or_default();
    let name = user.custom_display_name.or(user.provider_display_name).or(profile.display_name);
    let name = name.unwrap_or_else(|| "an identity without a name".to_owned());
    let message = match profile.email_address.filter(|mail| !mail.is_empty()) {
        Some(mail) => format!("signed in as {name} <{mail}>"),
        None => format!("signed in as {name}"),
    };
    let mut items = vec![Item::ok("sign-in", subject, message)];
    let accounts = match profile.id.or(user.id) {
        Some(id) => {
            let call = Call::profile(&["accounts"]).query("memberId", id);
            client.get_list::<Account>(call, Paging::Whole).await.map(|answer| answer.value).ok()
        }
        None => None,
    };
    let names: BTreeSet<String> =
        accounts.into_iter().flatten().filter_map(|account| account.account_name).collect();
    items.push(if names.is_empty() {
        let message = "the organizations of the identity are not listed, as is usual for a token of one organization";
        Item::skipped("accounts", subject, message)
    } else {
        let message = format!("belongs to {}", listed(names.iter().map(String::as_str)));
        Item::ok("accounts", subject, message)
    });
    Access { items, is_signed_in: true }
}

fn refused_sign_in(input: &Input<'_>, error: &ado::Error) -> Item {
    let subject = input.organization();
    let core = core(input);
    let problem = |message: String| Item::problem("sign-in", subject, message);
    if let Some(item) = conditional_access("sign-in", subject, error) {
        return item;
    }
    match error {
        ado::Error::SignedOut { reason, .. } => {
            problem(format!("the sign-in is not accepted: {}", readable(reason)))
                .remedy(sign_in_remedy(input.auth, &core))
        }
        ado::Error::Forbidden { message, .. } => {
            problem(format!("the organization may not be entered: {message}"))
                .remedy(sign_in_remedy(input.auth, &core))
        }
        ado::Error::NotFound { .. } => problem(format!("there is no organization at {core}"))
            .remedy("check `name` of the organization and `endpoints.core`: the name is the last part of https://dev.azure.com/contoso"),
        error => other(problem(told(error)), error),
    }
}

fn sign_in_remedy(auth: &str, core: &str) -> String {
    match auth {
        "pat" => format!(
            "make a new token at {core}/_usersSettings/tokens with {}, and set it where `auth` says",
            Permission::ALL.map(Permission::name).join(", ")
        ),
        "user" => format!(
            "sign in again with `adolake login`; if that does not help, let an administrator switch on `Third-party \
             application access via OAuth` at {core}/_settings/organizationPolicy"
        ),
        "azure-cli" => {
            "sign in again with `az login`, into the directory of the organization".to_owned()
        }
        "pipeline" => {
            "hand the job's token over: `env: { SYSTEM_ACCESSTOKEN: $(System.AccessToken) }`"
                .to_owned()
        }
        _ => format!(
            "add the service principal at {core}/_settings/users (by its own object id, not that of the application) \
             with access level Basic; its directory has to be the organization's"
        ),
    }
}

/// Tells each permission: granted, or what is refused and where it is granted.
pub(super) async fn permissions(input: &Input<'_>, visible: &Visible) -> Vec<Item> {
    let mut more = Vec::new();
    if let Err(error) =
        visible::first::<GraphSubject>(&input.source, Call::graph(&["users"]), "users").await
    {
        let permission = Permission::Graph;
        more.push(Refused { permission, what: "users", scope: None, error });
    }
    let call = Call::profile(&["profile", "profiles", "me"]);
    if let Err(source) = input.source.client().get::<Profile>(call).await {
        let error = Error::Fetch { what: "the profile".to_owned(), source };
        let (permission, what) = (Permission::UserProfile, "the own profile");
        more.push(Refused { permission, what, scope: None, error });
    }
    let is_known = visible.found.is_some();
    Permission::ALL
        .into_iter()
        .filter_map(|permission| {
            let refused: Vec<&Refused> = visible
                .refused
                .iter()
                .chain(&more)
                .filter(|refused| refused.permission == permission)
                .collect();
            if let Some(first) = refused.first() {
                return Some(refused_permission(input, permission, &refused, first));
            }
            // Without projects nothing of them was asked for.
            let is_tried =
                is_known || matches!(permission, Permission::Graph | Permission::UserProfile);
            let message = format!("{} is granted", permission.name());
            is_tried.then(|| Item::ok(permission.item(), input.organization(), message))
        })
        .collect()
}

fn refused_permission(
    input: &Input<'_>,
    permission: Permission,
    refused: &[&Refused],
    first: &Refused,
) -> Item {
    let (item, subject, core) = (permission.item(), input.organization(), core(input));
    let what: BTreeSet<&str> = refused.iter().map(|refused| refused.what).collect();
    let what = what.into_iter().collect::<Vec<_>>().join(", ");
    let scopes: BTreeSet<&str> =
        refused.iter().filter_map(|refused| refused.scope.as_deref()).collect();
    let place = if scopes.is_empty() {
        String::new()
    } else {
        format!(" of {}", listed(scopes.iter().copied()))
    };
    let Error::Fetch { source: error, .. } = &first.error else {
        let text = format!("{what}{place} cannot be read: {}", first.error);
        let problem = Item::problem(item, subject, text);
        return match first.error.hints().into_iter().next() {
            Some(hint) => problem.remedy(hint),
            None => problem,
        };
    };
    if let Some(item) = conditional_access(item, subject, error) {
        return item;
    }
    if error.is_absent() {
        return absent(item, subject, permission);
    }
    let make = if permission == Permission::UserProfile { Item::warning } else { Item::problem };
    let Some(reason) = reason(error) else {
        let text = format!("{what}{place} cannot be read: {}", told(error));
        return other(make(item, subject, text), error);
    };
    let message =
        format!("{} is missing, {}: {what}{place}: {reason}", permission.name(), permission.loss());
    make(item, subject, message).remedy(permission.remedy(input.auth, &core))
}

/// Tells of an API that a server of one's own does not have, which no permission mends.
fn absent(item: &'static str, subject: &str, permission: Permission) -> Item {
    match permission {
        Permission::Graph => Item::warning(
            item,
            subject,
            "this server has no Graph: people are known by what pull requests say of them",
        )
        .remedy("name machines that approve in `service-identities`, or set `endpoints.graph`"),
        _ => Item::skipped(item, subject, "this server has no such API"),
    }
}

/// Returns how a refusal looks that a permission mends; none for any other error.
fn reason(error: &ado::Error) -> Option<String> {
    match error {
        // Whoever is signed in elsewhere has a token that is not made for this.
        ado::Error::SignedOut { reason, .. } => {
            Some(format!("not with this sign-in ({})", readable(reason)))
        }
        ado::Error::Forbidden { message, .. } => Some(format!("forbidden ({message})")),
        ado::Error::NotFound { message, .. } => Some(format!("missing or hidden ({message})")),
        _ => None,
    }
}

/// Tells a refusal by conditional access, which neither a new token nor a permission mends.
fn conditional_access(item: &'static str, subject: &str, error: &ado::Error) -> Option<Item> {
    let (ado::Error::SignedOut { reason: text, .. }
    | ado::Error::Forbidden { message: text, .. }
    | ado::Error::Unexpected { message: text, .. }
    | ado::Error::BadRequest { message: text, .. }) = error
    else {
        return None;
    };
    let text = readable(text);
    let is_conditional =
        text.contains("VS403463") || text.to_lowercase().contains("conditional access");
    is_conditional.then(|| {
        Item::problem(item, subject, format!("conditional access of the directory refuses it: {text}"))
            .remedy("sign in from a network and a device that the policy allows, or let an Entra administrator exempt the identity")
    })
}

/// An error that is neither about sign-in nor about permissions.
fn other(item: Item, error: &ado::Error) -> Item {
    let item = item.outside(error.is_transient());
    match error.hints().into_iter().next() {
        Some(hint) => item.remedy(hint),
        None => item,
    }
}

/// Returns an error with its causes in one line.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// `X-TFS-ServiceError` comes escaped as in a form.
fn readable(reason: &str) -> String {
    if reason.contains(' ') || !reason.contains('+') {
        return reason.to_owned();
    }
    let spaced = reason.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8_lossy();
    text.chars().filter(|c| !c.is_control()).collect()
}

pub(super) fn core(input: &Input<'_>) -> String {
    input.source.client().endpoints().core.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn conditional_access_is_told_from_a_wrong_token() {
        let error = ado::Error::SignedOut {
            address: "https://dev.azure.com/contoso/_apis/connectionData".to_owned(),
            reason: "VS403463%3a+The+conditional+access+policy+has+failed.".to_owned(),
        };
        let item = conditional_access("sign-in", "contoso", &error).unwrap();
        assert_eq!(item.status, Status::Problem);
        assert_eq!(
            item.message,
            "conditional access of the directory refuses it: VS403463: The conditional access policy has failed."
        );
        let wrong = ado::Error::SignedOut {
            address: String::new(),
            reason: "Access+Denied%3a+The+token+has+expired.".to_owned(),
        };
        assert_eq!(conditional_access("sign-in", "contoso", &wrong), None);
    }

    #[test]
    fn refusals_are_told_apart() {
        let (address, message) = (String::new(), "no".to_owned());
        let told = [
            ado::Error::SignedOut { address: address.clone(), reason: message.clone() },
            ado::Error::Forbidden { address: address.clone(), message: message.clone() },
            ado::Error::NotFound { address: address.clone(), message: message.clone() },
            ado::Error::Server { address, status: 500, attempts: 6, message },
        ]
        .map(|error| reason(&error).unwrap_or_default());
        assert_eq!(
            told,
            ["not with this sign-in (no)", "forbidden (no)", "missing or hidden (no)", ""]
        );
    }

    #[test]
    fn each_way_to_sign_in_has_a_remedy_of_its_own() {
        let remedies: BTreeSet<String> =
            ["pat", "user", "azure-cli", "pipeline", "service-principal"]
                .into_iter()
                .map(|kind| sign_in_remedy(kind, "https://dev.azure.com/contoso"))
                .collect();
        assert_eq!(remedies.len(), 5);
    }
}
