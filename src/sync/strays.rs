//! Pull requests that were active and that no list names any more: each is asked for by its number.

use std::sync::PoisonError;

use super::error::Error;
use super::judge::Rules;
use super::listed::Listed;
use super::pull_requests::{Shared, take_page};
use super::run::Project;
use super::scope::{Outcome, Scope};
use crate::extract::Resource;
use crate::extract::pull_requests;
use crate::window::Window;

/// Asks by number for pull requests that were active and that no list names any more: pages may have shifted while they
/// were read, or the identity may see less than before.
pub(super) async fn read(
    shared: &Shared<'_>,
    project: &Project,
    list: &Listed,
) -> Result<(), Error> {
    let run = shared.run;
    if list.is_unchanged() {
        // None was missing from the same list.
        list.complete();
        return Ok(());
    }
    let known = shared.known().await?;
    let mut missing: Vec<i64> = {
        let listed = shared.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_readable = |repository: &String| {
            run.judge.repositories.get(repository).is_some_and(Rules::is_readable)
        };
        let is_missing = |(id, (owner, repository)): (&i64, &(String, String))| {
            // Of a repository that cannot be read every one is missing; it is named itself.
            (*owner == project.id && !listed.contains(id) && is_readable(repository)).then_some(*id)
        };
        known.active.iter().filter_map(is_missing).collect()
    };
    if missing.is_empty() {
        list.complete();
        return Ok(());
    }
    missing.sort_unstable();
    let (id, name) = (format!("{}@unlisted", project.id), format!("{} (in no list)", project.name));
    let scope = Scope::new(Resource::PullRequests, id, name, Window::new(run.upper, run.upper));
    let source = run.metered(&scope.meter);
    let (mut open, mut outcome, mut unreachable) = (shared.open(), Outcome::Ok, Vec::new());
    for id in missing {
        let mut page = match pull_requests::one(&source, &project.id, id).await {
            Ok(page) => page,
            // Missing or hidden: not shown to be deleted, so the row stays as it was.
            Err(error) if error.is_unreadable() => {
                unreachable.push(id.to_string());
                continue;
            }
            Err(error) => {
                outcome = outcome.max(run.sort_out::<()>(Err(error))?.err().unwrap_or(Outcome::Ok));
                continue;
            }
        };
        page.drop_closed_after(run.upper);
        if page.pull_requests.is_empty() {
            continue;
        }
        // The single answer carries no labels; without them those in the lake stay as they are.
        let labels = pull_requests::add_labels(&source, &project.id, &mut page).await;
        let has_labels = match run.sort_out(labels)? {
            Ok(()) => true,
            Err(worse) => {
                outcome = outcome.max(worse);
                false
            }
        };
        take_page(shared, &mut open, page, None, has_labels).await?;
    }
    if !unreachable.is_empty() {
        let numbers = unreachable.join(", ");
        let text = format!(
            "in no list and not to be reached by number, so they stay as they were last read: {numbers}"
        );
        run.warn(format!("pull requests of `{}`: {text}", project.name));
        outcome = outcome.max(Outcome::Skipped(text));
    }
    shared.close(project, scope, open, outcome).await;
    Ok(())
}
