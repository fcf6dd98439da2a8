//! Projects, the signed-in identity, accounts.

use super::{Context, Routed};
use crate::simulator::answer::Answer;
use crate::simulator::json::Json;
use crate::simulator::people::Person;
use crate::simulator::time::DAY;

/// How much of a project an answer shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// As inside a pull request list: hardly anything is true.
    Stub,
    /// As everywhere else.
    Full,
}

/// Who the token belongs to.
fn me<'a>(context: &'a Context<'_>) -> &'a Person {
    context.world.people.get(context.world.people.authors[0])
}

/// Writes a project as a whole object.
pub(crate) fn write_project(context: &Context<'_>, json: &mut Json, index: usize, shown: Shown) {
    let project = &context.world.projects[index];
    json.object(|json| {
        json.plain("id", &[&project.id]).str("name", &project.name);
        if shown == Shown::Stub {
            json.plain("state", &["unchanged"]).plain("visibility", &["unchanged"]);
            json.plain("lastUpdateTime", &["0001-01-01T00:00:00"]);
            return;
        }
        if !project.description.is_empty() {
            json.str("description", project.description);
        }
        json.plain("url", &[&context.world.base, "/_apis/projects/", &project.id]);
        json.plain("state", &["wellFormed"])
            .int("revision", 40 + i64::try_from(index).unwrap_or(0));
        json.plain("visibility", &[project.visibility]).time("lastUpdateTime", project.updated);
    });
}

/// Addresses below the organization without a project.
pub(crate) fn organization(context: &Context<'_>, rest: &[&str]) -> Option<Routed> {
    Some(match rest {
        ["projects"] => ("projects", projects(context)),
        ["projects", text] => match context.world.project(text) {
            Some(index) => {
                let mut json = Json::default();
                write_project(context, &mut json, index, Shown::Full);
                ("project", Answer::json(json.finish()))
            }
            None => {
                let message = format!(
                    "VS800075: The project with id 'vstfs:///Classification/TeamProject/{text}' does not exist, or you do not have permission to access it."
                );
                ("project", Answer::not_found("ProjectDoesNotExistException", &message))
            }
        },
        ["connectiondata"] => ("connection data", connection_data(context)),
        _ => return None,
    })
}

fn projects(context: &Context<'_>) -> Answer {
    let request = context.request;
    let filter = request.query("stateFilter").unwrap_or("wellFormed");
    let is_listed = ["wellformed", "all"].contains(&filter.to_ascii_lowercase().as_str());
    let all: Vec<usize> = (0..context.world.projects.len()).filter(|_| is_listed).collect();
    let skip = match request.query("continuationToken") {
        Some(token) => match token.parse() {
            Ok(number) => number,
            Err(_) => return Answer::bad_request("The continuation token is not valid."),
        },
        None => request.skip(),
    };
    let top = request.top(100, 1_000);
    let page: Vec<usize> = all.iter().copied().skip(skip).take(top).collect();
    let next = skip + page.len();
    let token = (next < all.len()).then(|| next.to_string());
    Answer::list(page.into_iter(), |json, index| write_project(context, json, index, Shown::Full))
        .continued(token)
}

fn connection_data(context: &Context<'_>) -> Answer {
    let (world, me) = (context.world, me(context));
    Answer::object(|json| {
        for key in ["authenticatedUser", "authorizedUser"] {
            json.key(key).object(|json| {
                json.str("id", &me.id).str(
                    "descriptor",
                    &format!("Microsoft.IdentityModel.Claims.ClaimsIdentity;{}", me.unique_name),
                );
                json.str("subjectDescriptor", &me.descriptor)
                    .str("providerDisplayName", &me.name)
                    .bool("isActive", true);
                json.key("properties").object(|json| {
                    json.key("Account").object(|json| {
                        _ = json.str("$type", "System.String").str("$value", &me.unique_name)
                    });
                });
                json.int("resourceVersion", 2).int("metaTypeId", 0);
            });
        }
        json.str("instanceId", &world.organization_id).str("deploymentId", &world.guid(5, 0));
        json.str("deploymentType", "hosted");
        json.key("locationServiceData").object(|json| {
            json.str("serviceOwner", &world.guid(5, 1))
                .str("defaultAccessMappingMoniker", "PublicAccessMapping");
            json.int("lastChangeId", 1).int("lastChangeId64", 1);
        });
    })
}

/// Addresses without an organization.
pub(crate) fn deployment(context: &Context<'_>, rest: &[&str]) -> Option<Routed> {
    let me = me(context);
    Some(match rest {
        ["profile", "profiles", id] if *id == "me" || id.eq_ignore_ascii_case(&me.id) => {
            let answer = Answer::object(|json| {
                json.str("displayName", &me.name)
                    .str("publicAlias", &me.id)
                    .str("emailAddress", &me.unique_name);
                json.int("coreRevision", 1647)
                    .time("timeStamp", context.world.start.plus(-200 * DAY));
                json.str("id", &me.id).int("revision", 1647);
            });
            ("profile", answer)
        }
        ["accounts"] => ("accounts", accounts(context)),
        _ => return None,
    })
}

fn accounts(context: &Context<'_>) -> Answer {
    let (world, me) = (context.world, me(context));
    let Some(who) = context.request.query("memberId").or_else(|| context.request.query("ownerId"))
    else {
        return Answer::bad_request("One of memberId or ownerId must be given.");
    };
    let found: &[(String, &String)] = &[
        (world.organization_id.clone(), &world.organization),
        (world.guid(5, 2), &"contoso-archive".to_owned()),
    ];
    let shown = if who.eq_ignore_ascii_case(&me.id) { found } else { &[] };
    Answer::list(shown.iter(), |json, (id, name)| {
        json.object(|json| {
            json.str("accountId", id)
                .str("accountUri", &format!("https://vssps.dev.azure.com/{name}/"));
            json.str("accountName", name).key("properties").object(|_| {});
        });
    })
}
