//! The config file that fits a simulated organization.

use std::fmt::Write as _;

use super::json::quoted;
use super::time::{DAY, Time};
use super::world::World;

/// The midnight from which on merges are judged: 273 days back, which is New Year for the usual start.
pub(crate) fn start_date(start: Time) -> Time {
    Time(start.plus(-273 * DAY).day() * DAY)
}

/// The text of the file; `url` is the simulator's base address.
pub(crate) fn text(world: &World, url: &str, lake: &str, token_variable: &str) -> String {
    let hosts = if world.is_old_server() {
        String::new()
    } else {
        format!("graph = {}\nprofile = {}\n", quoted(&world.base), quoted(url))
    };
    let mut text = format!(
        "[lake]\nurl = {}\n\n\
         [[organization]]\nname = {}\nauth = {{ kind = \"pat\", env = {} }}\n\n\
         [organization.endpoints]\ncore = {core}\n{hosts}\n\
         [checks]\nstart-date = {}\n\n\
         [defaults]\nproduction-branches = [\"main\", \"release/*\"]\nemergency-label = \"emergency\"\n\
         sast = [\"CodeQL\"]\nintegration-tests = [\"*/integration-*\"]\ndependency-checks = [\"status:snyk/*\"]\n\n",
        quoted(lake),
        quoted(&world.organization),
        quoted(token_variable),
        start_date(world.start).to_utc().format("%Y-%m-%d"),
        core = quoted(&world.base),
    );
    // Whose default branch has another name says so.
    for repository in world.repositories.iter().filter(|repository| repository.weight > 0.0) {
        let main = repository.default.and_then(|index| repository.branches.get(index));
        if let Some(branch) = main.filter(|branch| branch.name != "main") {
            let project = &world.projects[repository.project].name;
            let place = format!("{}/{project}/{}", world.organization, repository.names[0].1);
            let _ = writeln!(
                text,
                "[[repository]]\nmatch = {}\nproduction-branches = [{}, \"release/*\"]\n",
                quoted(&place),
                quoted(&branch.name)
            );
        }
    }
    text.push_str(&world.examples.config);
    text
}
