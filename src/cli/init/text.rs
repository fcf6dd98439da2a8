//! The text of a new config file: what was answered, what is proposed, and the rest as comments.

use std::fmt::Write as _;

use super::answers::Answers;
use super::propose::Proposal;

/// Renders the file.
pub(super) fn render(answers: &Answers, proposal: Option<&Proposal>) -> String {
    let mut text = String::from(
        "# adolake.toml, written by `adolake init`. `adolake config schema` lists every key, `adolake doctor` tells what\n\
         # does not fit. Values can also be set by environment: ADOLAKE_LAKE__URL. Secrets are never written here.\n",
    );
    if proposal.is_some() {
        text.push_str("# Lines marked `proposed` were guessed from names: check them before you rely on a verdict.\n");
    }
    text.push('\n');
    lake(&mut text, answers);
    organization(&mut text, answers);
    text.push_str(
        "# [sync]\n\
         # concurrency = 8               # requests under way at once\n\
         # lag = \"1h\"                    # how far a sync reads again behind its last window\n\
         # recheck = \"14d\"               # closed pull requests younger than this are read again\n\
         # detail = \"judged\"             # details of which pull requests: judged | production | all\n\n",
    );
    checks(&mut text, answers);
    defaults(&mut text, proposal);
    overrides(&mut text, answers, proposal);
    let name = example(answers);
    let _ = write!(
        text,
        "# [[exception]]                 # exempt, with a reason, until a day\n\
         # match = {}\n\
         # reason = \"hotfix for incident 812, scanned afterwards\"\n\
         # approved-by = \"cto@contoso.com\"\n\
         # expires = 2026-12-31\n",
        quoted(&format!("{name}/payments/api!4711"))
    );
    text
}

/// Quotes a text as TOML does.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A name for examples in comments.
fn example(answers: &Answers) -> &str {
    match answers.organization.chars().any(char::is_control) {
        true => "contoso",
        false => &answers.organization,
    }
}

fn lake(text: &mut String, answers: &Answers) {
    let _ = write!(
        text,
        "[lake]\n\
         url = {}\n\
         # keep-versions = \"400d\"        # how far back --as-of and --verify reach\n\n\
         # [lake.options]                # passed to the object store; a key that holds a secret takes a reference\n\
         # azure_storage_account_key = {{ env = \"STORAGE_KEY\" }}\n\n",
        quoted(&answers.lake)
    );
}

fn organization(text: &mut String, answers: &Answers) {
    let mut auth = format!("kind = {}", quoted(&answers.auth));
    for (key, value) in [("tenant-id", &answers.tenant_id), ("client-id", &answers.client_id)] {
        if let Some(value) = value {
            let _ = write!(auth, ", {key} = {}", quoted(value));
        }
    }
    match (&answers.env, answers.auth.as_str()) {
        (Some(env), "service-principal") => {
            let _ = write!(auth, ", secret = {{ env = {} }}", quoted(env));
        }
        (Some(env), _) => {
            let _ = write!(auth, ", env = {}", quoted(env));
        }
        (None, _) => {}
    }
    if let Some(file) = &answers.token_file {
        let _ = write!(auth, ", token-file = {}", quoted(file));
    }
    let _ = write!(
        text,
        "[[organization]]\n\
         name = {}\n\
         projects = [\"*\"]                # globs, also exclusions: \"!sandbox-*\"\n\
         auth = {{ {auth} }}\n\n",
        quoted(&answers.organization)
    );
    if answers.endpoints.is_empty() {
        return;
    }
    text.push_str("[organization.endpoints]\n");
    for (key, address) in &answers.endpoints {
        let _ = writeln!(text, "{key} = {}", quoted(address));
    }
    text.push('\n');
}

fn checks(text: &mut String, answers: &Answers) {
    text.push_str("[checks]\n");
    let _ = match answers.start_date {
        Some(day) => {
            writeln!(text, "start-date = {day}         # merges from this day on are judged")
        }
        None => writeln!(
            text,
            "# start-date = 2026-01-01       # merges from this day on are judged; none: the day of the first sync"
        ),
    };
    text.push_str(
        "time-zone = \"UTC\"               # in which that day begins\n\
         profile = \"standard\"            # standard | strict\n\n",
    );
}

/// What is proposed for one kind of solutions.
type Names = fn(&Proposal) -> &[String];

fn defaults(text: &mut String, proposal: Option<&Proposal>) {
    text.push_str(
        "[defaults]                      # every repository, also those created tomorrow\n",
    );
    match proposal.and_then(|proposal| proposal.branch.as_ref()) {
        Some((branch, count)) => {
            let _ = writeln!(
                text,
                "# proposed: the default branch of {count} of the repositories; add \"release/*\" if you release from there\n\
                 production-branches = [{}]",
                quoted(branch)
            );
        }
        None => text.push_str(
            "production-branches = [\"main\"]  # names or globs: * stays inside a path segment, ** does not\n",
        ),
    }
    text.push_str(
        "emergency-label = \"emergency\"   # label that exempts a pull request\n\
         # service-identities = []       # globs on unique names: never count as approvers\n",
    );
    let kinds: [(&str, &str, Names); 3] = [
        ("sast", "[\"CodeQL\"]", |proposal| &proposal.sast),
        ("integration-tests", "[\"*/integration-*\"]", |proposal| &proposal.integration_tests),
        ("dependency-checks", "[\"status:snyk/*\"]", |proposal| &proposal.dependency_checks),
    ];
    for (key, example, of) in kinds {
        match proposal.map(of) {
            Some(names) if !names.is_empty() => {
                let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
                let list = format!("{key} = [{}]", names.join(", "));
                let list = if list.chars().count() > 110 {
                    format!("{key} = [\n    {},\n]", names.join(",\n    "))
                } else {
                    list
                };
                let _ =
                    writeln!(text, "# proposed: by the names of pipelines and statuses\n{list}");
            }
            Some(_) => {
                let _ = writeln!(
                    text,
                    "# no pipeline and no status has a name that tells\n# {key} = {example}"
                );
            }
            None => {
                let _ = writeln!(text, "# {key} = {example}");
            }
        }
    }
    text.push_str(
        "# require = \"any\"               # of several solutions: any | all\n\
         # accept-partially-succeeded = false\n\n",
    );
}

fn overrides(text: &mut String, answers: &Answers, proposal: Option<&Proposal>) {
    let none = Proposal::default();
    let proposal = proposal.unwrap_or(&none);
    for (pattern, branch) in &proposal.overrides {
        let _ = writeln!(
            text,
            "[[repository]]                  # proposed: its default branch has another name\n\
             match = {}\n\
             production-branches = [{}]\n",
            quoted(pattern),
            quoted(branch)
        );
    }
    if proposal.left_out > 0 {
        let _ = writeln!(
            text,
            "# {} more of the repositories have a default branch of another name; `adolake doctor` names them.\n",
            proposal.left_out
        );
    }
    if proposal.overrides.is_empty() {
        let _ = writeln!(
            text,
            "# [[repository]]                # overrides, field by field; the last match wins\n\
             # match = {}\n\
             # production-branches = [\"main\", \"release/*\"]\n",
            quoted(&format!("{}/payments/*", example(answers)))
        );
    }
}
