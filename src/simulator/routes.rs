//! Finds the answer to a request: one arm per documented address.

pub(crate) mod build;
pub(crate) mod core;
mod definitions;
pub(crate) mod git;
pub(crate) mod graph;
pub(crate) mod policy;
pub(crate) mod pull_parts;
pub(crate) mod pulls;
pub(crate) mod pushes;
mod run;
pub(crate) mod threads;

use axum::http::{Method, StatusCode};

use super::API_VERSIONS;
use super::answer::{Answer, Request};
use super::snapshot::{ProjectLists, Snapshot};
use super::time::Time;
use super::world::{Repository, World};

/// What an answer is made from.
pub(crate) struct Context<'a> {
    pub(crate) world: &'a World,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) request: &'a Request,
    pub(crate) now: Time,
    /// Index of the project in the address, if any.
    pub(crate) project: Option<usize>,
}

/// The name of a route and its answer.
pub(crate) type Routed = (&'static str, Answer);

impl Context<'_> {
    /// The lists of the projects that the address covers.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &ProjectLists> {
        let one = self.project;
        self.snapshot
            .projects
            .iter()
            .enumerate()
            .filter(move |(index, _)| one.is_none_or(|own| own == *index))
            .map(|(_, lists)| lists)
    }

    /// The repository with this id or name, as long as it may be read.
    fn repository(&self, text: &str) -> Result<(usize, &Repository), Answer> {
        let missing = || {
            let message = format!(
                "TF401019: The Git repository with name or identifier {text} does not exist or you do not have \
                 permissions for the operation you are attempting."
            );
            Answer::not_found("GitRepositoryNotFoundException", &message)
        };
        let index = self.world.repository(self.project, text, self.now).ok_or_else(missing)?;
        let repository = &self.world.repositories[index];
        if repository.is_disabled(self.now) { Err(missing()) } else { Ok((index, repository)) }
    }
}

/// The API version that a request asks for: in the query or in `Accept`.
fn version(request: &Request) -> Option<&str> {
    let in_accept = || {
        request
            .header("accept")?
            .split(';')
            .find_map(|part| part.trim().strip_prefix("api-version="))
    };
    request.query("api-version").or_else(in_accept)
}

/// Checks the API version against what the resource needs.
fn check_version(request: &Request, rest: &[&str], newest: &str) -> Result<(), Answer> {
    let refuse =
        |key: &str, message: &str| Err(Answer::error(StatusCode::BAD_REQUEST, key, message));
    let Some(version) = version(request) else {
        return refuse(
            "VssVersionNotSpecifiedException",
            "No api-version was supplied for the request. The version must be supplied either as part of the Accept \
             header (e.g. \"application/json; api-version=1.0\") or as a query parameter (e.g. \"?api-version=1.0\").",
        );
    };
    let (number, preview) = version
        .split_once('-')
        .map_or((version, None), |(number, preview)| (number, Some(preview)));
    let known = |number: &str| API_VERSIONS.contains(&number) && number <= newest;
    let is_preview = preview.is_some_and(|text| text == "preview" || text.starts_with("preview."));
    if !known(number) || (preview.is_some() && !is_preview) {
        return refuse(
            "VssVersionOutOfRangeException",
            &format!(
                "The requested REST API version of {version} is out of range for this server. The latest REST API version this server supports is {newest}."
            ),
        );
    }
    let needs_preview = matches!(
        rest,
        ["graph", "users" | "groups" | "serviceprincipals" | "memberships", ..]
            | ["policy", "evaluations", ..]
    );
    if needs_preview && preview.is_none() {
        return refuse(
            "VssInvalidPreviewVersionException",
            &format!(
                "The requested version \"{version}\" of the resource is under preview. The -preview flag must be supplied in the api-version for such requests. For example: \"{version}-preview\""
            ),
        );
    }
    Ok(())
}

/// Answers a request that is signed in.
pub(crate) fn answer(world: &World, snapshot: &Snapshot, request: &Request) -> Routed {
    let lower: Vec<String> =
        request.path.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let Some(split) = lower.iter().position(|segment| segment == "_apis") else {
        return ("unknown", no_page());
    };
    let rest: Vec<&str> = lower[split + 1..].iter().map(String::as_str).collect();
    if let Err(refused) = check_version(request, &rest, world.api_version) {
        return ("refused version", refused);
    }
    if world.is_old_server() && matches!(rest.first(), Some(&("graph" | "profile" | "accounts"))) {
        return ("unknown", no_page());
    }
    let mut context = Context { world, snapshot, request, now: snapshot.now, project: None };
    if split == 0 {
        return core::deployment(&context, &rest).unwrap_or_else(|| ("unknown", no_page()));
    }
    if !request.path[0].eq_ignore_ascii_case(&world.organization) {
        let message = format!("TF200016: The organization {} does not exist.", request.path[0]);
        return ("unknown organization", Answer::not_found("HostDoesNotExistException", &message));
    }
    if split > 1 {
        context.project = world.project(&request.path[1]);
        if context.project.is_none() {
            let name = &request.path[1];
            let message = format!(
                "TF200016: The following project does not exist: {name}. Verify that the name of the project is correct and that the project exists on the specified Azure DevOps Server."
            );
            return (
                "unknown project",
                Answer::not_found("ProjectDoesNotExistWithNameException", &message),
            );
        }
    }
    // Ids keep the letter case they were sent in.
    let raw: Vec<&str> = request.path[split + 1..].iter().map(String::as_str).collect();
    let is_post = request.method == Method::POST;
    let found = match (context.project, rest.first().copied()) {
        (None, Some("projects" | "connectiondata")) => core::organization(&context, &rest),
        (None, Some("graph")) => graph::answer(&context, &rest, &raw),
        (_, Some("git")) if is_post => pushes::post(&context, &rest),
        (_, Some("git")) => git::answer(&context, &rest),
        (Some(project), Some("policy")) => policy::answer(&context, project, &rest),
        (Some(project), Some("build")) => build::answer(&context, project, &rest),
        (Some(project), Some("pipelines")) => build::pipelines(&context, project, &rest),
        _ => None,
    };
    found.unwrap_or_else(|| ("unknown", no_page()))
}

/// What is answered for an address that leads nowhere.
fn no_page() -> Answer {
    Answer::not_found(
        "VssResourceNotFoundException",
        "The controller for path was not found or does not implement IController.",
    )
}
