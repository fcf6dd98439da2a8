//! Pull requests: lists and single ones.

use super::Context;
use super::core::Shown;
use super::git::{encode, write_commit, write_repository};
use crate::simulator::answer::Answer;
use crate::simulator::json::Json;
use crate::simulator::life::{Life, View};
use crate::simulator::random::Commit;
use crate::simulator::time::{MINUTE, SECOND, Time};

/// Whether a pull request is shown in a list or alone; each shows something that the other does not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    List,
    Single,
}

/// The pull request of this number if it can be seen at this address.
pub(crate) fn find(
    context: &Context<'_>,
    repository: Option<usize>,
    number: &str,
) -> Result<Life, Answer> {
    let missing = || {
        let message = format!("TF401180: The requested pull request was not found: {number}.");
        Answer::not_found("GitPullRequestNotFoundException", &message)
    };
    let world = context.world;
    let position =
        number.parse().ok().and_then(|number| world.position(number)).ok_or_else(missing)?;
    let brief = &world.bulk.briefs[position as usize];
    let own = &world.repositories[usize::from(brief.repository)];
    let is_here = brief.created <= context.now
        && own.exists(context.now)
        && repository.is_none_or(|index| index == usize::from(brief.repository))
        && context.project.is_none_or(|project| project == own.project);
    if is_here { Ok(world.life(position)) } else { Err(missing()) }
}

/// One pull request.
pub(crate) fn single(context: &Context<'_>, repository: Option<usize>, number: &str) -> Answer {
    match find(context, repository, number) {
        Ok(life) => {
            let mut json = Json::with_capacity(4_096);
            write(context, &mut json, &life.at(context.now), Form::Single);
            Answer::json(json.finish())
        }
        Err(missing) => missing,
    }
}

/// What a list asks for.
struct Search<'a> {
    repository: Option<usize>,
    target: Option<&'a str>,
    source: Option<&'a str>,
    creator: Option<&'a str>,
    reviewer: Option<&'a str>,
    from: Time,
    to: Time,
    is_by_created: bool,
}

impl Search<'_> {
    /// Decides by the index alone where it can; a life is derived only for the rarer questions.
    fn fits(&self, context: &Context<'_>, position: u32) -> bool {
        let world = context.world;
        let brief = &world.bulk.briefs[position as usize];
        let repository = usize::from(brief.repository);
        if self.repository.is_some_and(|own| own != repository) {
            return false;
        }
        if self.is_by_created && !(self.from <= brief.created && brief.created <= self.to) {
            return false;
        }
        let is_scripted = (position as usize) < world.scripted.len();
        if let (Some(target), false) = (self.target, is_scripted) {
            let branch = world.repositories[repository].branches.get(usize::from(brief.target));
            if branch.is_none_or(|branch| target.strip_prefix("refs/heads/") != Some(&branch.name))
            {
                return false;
            }
        }
        let needs_life = self.source.is_some() || self.creator.is_some() || self.reviewer.is_some();
        if !(needs_life || is_scripted && self.target.is_some()) {
            return true;
        }
        let life = world.life(position);
        let view = life.at(context.now);
        let is_person = |who: usize, id: &str| world.people.get(who).id.eq_ignore_ascii_case(id);
        self.target.is_none_or(|target| view.target == target)
            && self.source.is_none_or(|source| life.source == source)
            && self.creator.is_none_or(|id| is_person(life.author, id))
            && self
                .reviewer
                .is_none_or(|id| view.reviewers.iter().any(|own| is_person(own.who, id)))
    }
}

/// A list of pull requests, newest first.
pub(crate) fn list(context: &Context<'_>, repository: Option<usize>) -> Answer {
    let request = context.request;
    let status = request.criterion("status").unwrap_or("active").to_ascii_lowercase();
    let asks_closed = request
        .criterion("queryTimeRangeType")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("closed"));
    let mut times = [None, None];
    let heeds_times = !context.world.is_old_server();
    for (name, time) in ["minTime", "maxTime"].into_iter().zip(&mut times) {
        if let Some(text) = request.criterion(name).filter(|_| heeds_times) {
            *time = Time::parse(text);
            if time.is_none() {
                return Answer::bad_request(&format!(
                    "The value '{text}' is not valid for {name}."
                ));
            }
        }
    }
    let repository = match (repository, request.criterion("repositoryId")) {
        (None, Some(id)) => match context.world.repository(context.project, id, context.now) {
            Some(index) => Some(index),
            None => return Answer::list(std::iter::empty::<()>(), |_, ()| {}),
        },
        (own, _) => own,
    };
    let search = Search {
        repository,
        target: request.criterion("targetRefName"),
        source: request.criterion("sourceRefName"),
        creator: request.criterion("creatorId"),
        reviewer: request.criterion("reviewerId"),
        // A row slightly older than asked for may come.
        from: times[0].map_or(Time(i64::MIN), |at| at.plus(-2 * SECOND / 1000)),
        to: times[1].unwrap_or(Time::NEVER),
        is_by_created: !asks_closed || (times[0].is_none() && times[1].is_none()),
    };
    let (skip, top) = (request.skip(), request.top(101, 1_000));
    let page: Vec<u32> = match status.as_str() {
        "active" => {
            candidates(context, &search, (true, false, false)).skip(skip).take(top).collect()
        }
        "completed" => {
            candidates(context, &search, (false, true, false)).skip(skip).take(top).collect()
        }
        "abandoned" => {
            candidates(context, &search, (false, false, true)).skip(skip).take(top).collect()
        }
        "all" => {
            let mut all: Vec<u32> = candidates(context, &search, (true, true, true)).collect();
            all.sort_unstable_by_key(|position| {
                std::cmp::Reverse(context.world.bulk.briefs[*position as usize].created)
            });
            all.into_iter().skip(skip).take(top).collect()
        }
        "notset" => Vec::new(),
        other => {
            return Answer::bad_request(&format!(
                "The value '{other}' is not valid for searchCriteria.status."
            ));
        }
    };
    Answer::list(page.into_iter(), |json, position| {
        let life = context.world.life(position);
        write(context, json, &life.at(context.now), Form::List);
    })
}

/// Positions that fit, newest first within each status (active, completed, abandoned).
fn candidates<'a>(
    context: &'a Context<'_>,
    search: &'a Search<'_>,
    (active, completed, abandoned): (bool, bool, bool),
) -> impl Iterator<Item = u32> + 'a {
    let cut = move |closed: &'a [(Time, u32)]| {
        let (from, to) = if search.is_by_created {
            (0, closed.len())
        } else {
            (
                closed.partition_point(|(at, _)| *at < search.from),
                closed.partition_point(|(at, _)| *at <= search.to),
            )
        };
        closed[from..to.max(from)].iter().rev().map(|(_, position)| *position)
    };
    let empty: &[(Time, u32)] = &[];
    context
        .lists()
        .flat_map(move |lists| {
            let open: &[u32] = if active && search.is_by_created { &lists.active } else { &[] };
            open.iter()
                .copied()
                .chain(cut(if completed { &lists.completed } else { empty }))
                .chain(cut(if abandoned { &lists.abandoned } else { empty }))
        })
        .filter(move |position| search.fits(context, *position))
}

/// Writes a commit of a pull request: id and address, and in single answers author and comment too.
fn write_merge(
    context: &Context<'_>,
    json: &mut Json,
    name: &str,
    view: &View<'_>,
    commit: Commit,
    form: Form,
) {
    let world = context.world;
    let repository = view.life.repository;
    json.key(name).object(|json| match form {
        Form::List => {
            json.commit("commitId", world.seed, commit);
            let sha = commit.sha(world.seed);
            let own = &world.repositories[repository];
            json.plain(
                "url",
                &[
                    &world.base,
                    "/",
                    &world.projects[own.project].id,
                    "/_apis/git/repositories/",
                    &own.id,
                    "/commits/",
                    &sha,
                ],
            );
        }
        Form::Single => {
            let at = view.iterations.last().map_or(view.life.created(), |iteration| iteration.at);
            write_commit(
                context,
                json,
                repository,
                commit,
                view.life.author,
                at.plus(-MINUTE),
                &view.life.title,
            );
        }
    });
}

/// Writes a pull request as a whole object.
pub(crate) fn write(context: &Context<'_>, json: &mut Json, view: &View<'_>, form: Form) {
    let world = context.world;
    let life = view.life;
    let id = i64::from(life.id);
    let own = &world.repositories[life.repository];
    let base = format!(
        "{}/{}/_apis/git/repositories/{}/pullRequests/{id}",
        world.base, world.projects[own.project].id, own.id
    );
    json.object(|json| {
        let shown = if form == Form::List { Shown::Stub } else { Shown::Full };
        write_repository(context, json.key("repository"), life.repository, shown);
        json.int("pullRequestId", id).int("codeReviewId", id).plain("status", &[view.status()]);
        world.people.get(life.author).write(json.key("createdBy"));
        json.time("creationDate", life.created());
        if let Some(closed) = &view.closed {
            json.time("closedDate", closed.at);
            if form == Form::Single {
                world.people.get(closed.by).write(json.key("closedBy"));
            }
        }
        json.str("title", &life.title);
        if !life.description.is_empty() {
            let cut: String = life
                .description
                .chars()
                .take(if form == Form::List { 400 } else { 4_000 })
                .collect();
            json.str("description", &cut);
        }
        json.str("sourceRefName", &life.source).str("targetRefName", &view.target);
        let is_completed = view.closed.as_ref().is_some_and(|closed| closed.is_completed);
        let has_merge = is_completed || (view.closed.is_none() && id % 17 != 3);
        match (has_merge, view.closed.is_none()) {
            (true, _) => _ = json.plain("mergeStatus", &["succeeded"]),
            (false, true) => _ = json.plain("mergeStatus", &["conflicts"]),
            // A merge that was never tried has the default status, which is left out.
            (false, false) => {}
        }
        json.bool("isDraft", view.is_draft).str("mergeId", &world.guid(61, u64::from(life.id)));
        write_merge(context, json, "lastMergeSourceCommit", view, view.source_commit(), form);
        write_merge(context, json, "lastMergeTargetCommit", view, view.base_commit(), form);
        if has_merge {
            write_merge(context, json, "lastMergeCommit", view, view.merge_commit(), form);
        }
        write_reviewers(context, json.key("reviewers"), view, &base);
        if form == Form::List && !view.labels.is_empty() {
            write_labels(context, json.key("labels"), view);
        }
        json.plain("url", &[&base]);
        write_completion(json, view);
        json.bool("supportsIterations", true);
        if form == Form::Single {
            if let Some(fork) = life.fork {
                json.key("forkSource").object(|json| {
                    json.str("name", &life.source);
                    write_repository(context, json.key("repository"), fork, Shown::Full);
                });
            }
            let project = &world.projects[own.project].id;
            json.str(
                "artifactId",
                &format!("vstfs:///Git/PullRequestId/{project}%2f{}%2f{id}", own.id),
            );
            json.key("_links").object(|json| {
                json.key("self").object(|json| _ = json.plain("href", &[&base]));
                let web = format!(
                    "{}/{}/_git/{}/pullrequest/{id}",
                    world.base,
                    encode(&world.projects[own.project].name),
                    encode(own.name(context.now))
                );
                json.key("web").object(|json| _ = json.plain("href", &[&web]));
            });
        }
    });
}

/// What was chosen for the completion, where anything was.
fn write_completion(json: &mut Json, view: &View<'_>) {
    let Some(closed) = view.closed.as_ref().filter(|closed| closed.is_completed) else { return };
    let Some(strategy) = view.life.strategy else { return };
    json.key("completionOptions").object(|json| {
        json.str("mergeCommitMessage", &format!("Merged PR {}: {}", view.life.id, view.life.title));
        json.bool("deleteSourceBranch", true);
        if strategy.word() == "squash" {
            json.bool("squashMerge", true);
        }
        json.plain("mergeStrategy", &[strategy.word()]);
        if let Some(reason) = &closed.bypass {
            json.bool("bypassPolicy", true).str("bypassReason", reason);
        }
        json.bool("transitionWorkItems", true).key("autoCompleteIgnoreConfigIds").array(|_| {});
    });
    json.time("completionQueueTime", closed.at.plus(-2 * SECOND));
}

/// Writes the labels as an array.
pub(crate) fn write_labels(context: &Context<'_>, json: &mut Json, view: &View<'_>) {
    json.array(|json| {
        for (name, active) in &view.labels {
            let item =
                name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(131) + u64::from(byte));
            json.object(|json| {
                _ = json
                    .str("id", &context.world.guid(62, item))
                    .str("name", name)
                    .bool("active", *active)
            });
        }
    });
}

/// Writes the reviewers as an array; `base` is the address of the pull request.
pub(crate) fn write_reviewers(context: &Context<'_>, json: &mut Json, view: &View<'_>, base: &str) {
    let people = &context.world.people;
    json.array(|json| {
        for reviewer in &view.reviewers {
            let person = people.get(reviewer.who);
            json.object(|json| {
                json.plain("reviewerUrl", &[base, "/reviewers/", &person.id])
                    .int("vote", reviewer.vote);
                if !reviewer.voted_for.is_empty() {
                    json.key("votedFor").array(|json| {
                        for group in &reviewer.voted_for {
                            let person = people.get(*group);
                            json.object(|json| {
                                json.plain("reviewerUrl", &[base, "/reviewers/", &person.id])
                                    .int("vote", 0);
                                person.write_brief(json);
                            });
                        }
                    });
                }
                json.bool("hasDeclined", reviewer.has_declined);
                if reviewer.is_required {
                    json.bool("isRequired", true);
                }
                json.bool("isFlagged", false);
                person.write_brief(json);
            });
        }
    });
}
