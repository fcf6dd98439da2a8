//! The directory: users, service principals, and how descriptors and storage keys belong together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Context, Routed};
use crate::simulator::answer::Answer;
use crate::simulator::json::Json;
use crate::simulator::people::{Kind, Person};
use crate::simulator::random::mix;

/// People a page of the directory holds; the server decides.
const PAGE: usize = 150;

/// Addresses of the directory; `raw` keeps the letter case of descriptors.
pub(crate) fn answer(context: &Context<'_>, rest: &[&str], raw: &[&str]) -> Option<Routed> {
    let people = &context.world.people;
    Some(match rest {
        ["graph", "users"] => (
            "users",
            list(context, |kind| matches!(kind, Kind::Member | Kind::Guest | Kind::BuildService)),
        ),
        ["graph", "serviceprincipals"] => {
            ("service principals", list(context, |kind| kind == Kind::ServicePrincipal))
        }
        ["graph", "groups"] => ("groups", list(context, |kind| kind == Kind::Group)),
        ["graph", "users" | "serviceprincipals", _] => {
            let found = people.by_descriptor(raw[2]).filter(|person| person.kind != Kind::Gone);
            (
                "graph subject",
                found.map_or_else(
                    || unknown(raw[2]),
                    |person| {
                        let mut json = Json::default();
                        write(context, &mut json, person);
                        Answer::json(json.finish())
                    },
                ),
            )
        }
        ["graph", "storagekeys", _] => {
            let found = people.by_descriptor(raw[2]);
            (
                "storage key",
                found.map_or_else(
                    || unknown(raw[2]),
                    |person| value(context, &person.id, &person.descriptor, "StorageKeys"),
                ),
            )
        }
        ["graph", "descriptors", id] => {
            let found = people.by_id(id);
            (
                "descriptor",
                found.map_or_else(
                    || unknown(id),
                    |person| value(context, &person.descriptor, &person.id, "Descriptors"),
                ),
            )
        }
        _ => return None,
    })
}

fn unknown(what: &str) -> Answer {
    Answer::not_found(
        "GraphSubjectNotFoundException",
        &format!("VS860016: Could not find subject with key {what}."),
    )
}

fn value(context: &Context<'_>, value: &str, of: &str, area: &str) -> Answer {
    Answer::object(|json| {
        json.str("value", value);
        json.key("_links").object(|json| {
            let href = format!("{}/_apis/Graph/{area}/{of}", context.world.base);
            json.key("self").object(|json| _ = json.str("href", &href));
        });
    })
}

fn list(context: &Context<'_>, wanted: impl Fn(Kind) -> bool) -> Answer {
    let people = &context.world.people;
    let from: usize = match context.request.query("continuationToken") {
        None => 0,
        Some(token) => {
            match STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(text) if text.starts_with("?>~") => text[3..].parse().unwrap_or(usize::MAX),
                _ => return Answer::bad_request("The continuation token is not valid."),
            }
        }
    };
    let mut found =
        people.all.iter().enumerate().skip(from).filter(|(_, person)| wanted(person.kind));
    let page: Vec<(usize, &Person)> = found.by_ref().take(PAGE).collect();
    // The prefix makes tokens that need encoding in an address.
    let token = found.next().map(|(next, _)| STANDARD.encode(format!("?>~{next}")));
    Answer::list(page.into_iter(), |json, (_, person)| write(context, json, person))
        .continued(token)
}

fn write(context: &Context<'_>, json: &mut Json, person: &Person) {
    let world = context.world;
    let base = &world.base;
    let tenant = world.guid(14, 0);
    json.object(|json| {
        let (kind, area) = match person.kind {
            Kind::ServicePrincipal => ("servicePrincipal", "ServicePrincipals"),
            Kind::Group => ("group", "Groups"),
            _ => ("user", "Users"),
        };
        json.str("subjectKind", kind);
        match person.kind {
            Kind::Guest => _ = json.str("metaType", "guest"),
            Kind::Member | Kind::Gone => _ = json.str("metaType", "member"),
            Kind::ServicePrincipal => {
                json.str("metaType", "application")
                    .str("applicationId", &world.guid(15, hash(&person.id)));
            }
            Kind::BuildService | Kind::Group | Kind::Bare => {}
        }
        let subject = person
            .unique_name
            .split_once('\\')
            .map_or(person.unique_name.as_str(), |(_, subject)| subject);
        match person.kind {
            Kind::BuildService => _ = json.str("domain", "Build").str("principalName", subject),
            Kind::Group => {
                _ = json
                    .str("domain", "vstfs:///Framework/IdentityDomain")
                    .str("principalName", &person.name)
            }
            Kind::ServicePrincipal => {
                json.str("domain", &tenant)
                    .str("principalName", subject.split('@').next().unwrap_or(subject));
            }
            _ => _ = json.str("domain", &tenant).str("principalName", &person.unique_name),
        }
        match person.kind {
            Kind::Member | Kind::Guest => _ = json.str("mailAddress", &person.unique_name),
            Kind::BuildService => _ = json.str("mailAddress", ""),
            _ => _ = json.null("mailAddress"),
        }
        let is_own = matches!(person.kind, Kind::BuildService | Kind::Group);
        json.str("origin", if is_own { "vsts" } else { "aad" });
        json.str("originId", &world.guid(16, hash(&person.id)));
        json.str("displayName", &person.name);
        let own = format!("{base}/_apis/Graph/{area}/{}", person.descriptor);
        json.key("_links").object(|json| {
            json.key("self").object(|json| _ = json.str("href", &own));
        });
        json.str("url", &own).str("descriptor", &person.descriptor);
    });
}

/// A number that stands for a text.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)))
}
