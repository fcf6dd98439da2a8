//! `adolake login` and `adolake logout`.

use std::io::{IsTerminal as _, Read as _};
use std::process::Stdio;
use std::sync::Arc;

use secrecy::SecretString;

use super::Context;
use super::exit::Exit;
use super::failure::{Failure, Label};
use crate::ado::model::ConnectionData;
use crate::ado::{
    Call, Client, Endpoints, FixedToken, Gate, Kept, Login, Options, Patience, SignedIn,
};
use crate::config::{Auth, Config, Keyring, Organization, Secret, env};
use crate::event::Silent;
use crate::hint::nearest;

/// Longest secret that is read from stdin, bytes.
const LONGEST: u64 = 16 * 1024;

/// Arguments of `login`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake login
  adolake login contoso --browser
  adolake login contoso < token.txt

For organizations with `auth = { kind = \"user\", client-id = … }`; without a name, all of them. What is kept goes into the \
system's keyring or, where there is none, into a sealed file that only its owner can read. For an organization with \
`auth = { kind = \"pat\", keyring = … }` the personal access token is read from stdin and put into the keyring.")]
pub(super) struct Args {
    /// Organization [default: all that a person signs in to]
    #[arg(value_name = "ORG")]
    organization: Option<String>,
    /// Sign in with the browser of this machine instead of by a code
    #[arg(long)]
    browser: bool,
}

/// Arguments of `logout`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  adolake logout
  adolake logout contoso

What was kept on this machine is removed. The account's other sessions, and tokens of the last hour, live on: they end \
where the account is managed.")]
pub(super) struct Out {
    /// Organization [default: all that a person signs in to]
    #[arg(value_name = "ORG")]
    organization: Option<String>,
}

/// Signs in to one organization after the other.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    for organization in chosen(&config, args.organization.as_deref())? {
        if let Auth::Pat(Secret::Keyring(entry)) = &organization.auth {
            store_token(organization, entry, context)?;
            continue;
        }
        let endpoints = Endpoints::of(&organization.endpoints)?;
        let Some(login) = Login::of(organization, &endpoints, context.environment())? else {
            continue;
        };
        let signed_in = sign_in(&login, &organization.name, args.browser, context).await?;
        let who = who(organization, endpoints, &signed_in.access_token).await?;
        let name = &organization.name;
        let kept = match login.keep(&signed_in)? {
            Kept::Keyring => "kept in the system's keyring".to_owned(),
            Kept::File { file, reason } => format!(
                "kept in `{}`, sealed, as the system's keyring cannot be used ({reason})",
                file.display()
            ),
        };
        context.output.say(&format!("signed in to `{name}` as {who}; {kept}"));
    }
    Ok(Exit::CLEAN)
}

/// Forgets what was kept.
pub(super) fn out(args: &Out, context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    for organization in chosen(&config, args.organization.as_deref())? {
        let name = &organization.name;
        let was_there = if let Auth::Pat(Secret::Keyring(entry)) = &organization.auth {
            Keyring::of(context.environment()).remove(entry).map_err(|error| {
                Failure::user(format!("cannot remove `{entry}` from the system's keyring"))
                    .caused_by(error)
            })?
        } else {
            let endpoints = Endpoints::of(&organization.endpoints)?;
            match Login::of(organization, &endpoints, context.environment())? {
                Some(login) => login.forget()?,
                None => continue,
            }
        };
        context.output.say(&if was_there {
            format!("forgot who signed in to `{name}`")
        } else {
            format!("nobody was signed in to `{name}`")
        });
    }
    Ok(Exit::CLEAN)
}

/// Returns the organization of that name, or all that somebody signs in to by hand.
fn chosen<'a>(config: &'a Config, name: Option<&str>) -> anyhow::Result<Vec<&'a Organization>> {
    let organizations = config.organizations()?;
    let by_hand =
        |one: &&Organization| matches!(one.auth, Auth::User { .. } | Auth::Pat(Secret::Keyring(_)));
    let Some(name) = name else {
        let all: Vec<&Organization> = organizations.iter().filter(by_hand).collect();
        if all.is_empty() {
            let kinds: Vec<&str> = organizations.iter().map(|one| one.auth.kind()).collect();
            return Err(Failure::user(format!(
                "no configured organization is one that a person signs in to: `kind` is {}",
                kinds.join(", ")
            ))
            .hint("`auth = { kind = \"user\", client-id = \"…\" }` signs in as a person")
            .into());
        }
        return Ok(all);
    };
    let known = organizations.iter().map(|one| one.name.as_str());
    let Some(one) = organizations.iter().find(|one| one.name.eq_ignore_ascii_case(name)) else {
        let hint = match nearest(name, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("configured are {}", known.collect::<Vec<_>>().join(", ")),
        };
        return Err(Failure::user(format!("no organization `{name}` is configured"))
            .hint(hint)
            .into());
    };
    if !by_hand(&one) {
        let kind = one.auth.kind();
        return Err(Failure::user(format!(
            "organization `{}` signs in with `kind = \"{kind}\"`, for which nothing is kept",
            one.name
        ))
        .hint("`adolake sync` uses it as it is; `kind = \"user\"` signs in as a person")
        .into());
    }
    Ok(vec![one])
}

/// Lets a person sign in, by a code or in the browser of this machine.
async fn sign_in(
    login: &Login,
    organization: &str,
    wants_browser: bool,
    context: &Context,
) -> anyhow::Result<SignedIn> {
    // What the person has to do is told also when told to be quiet: without it nothing can go on.
    let tell = |text: &str| context.output.label(Label::Hint, text);
    if wants_browser {
        let loopback = login.browser().await?;
        if open(loopback.address(), context) {
            tell(&format!(
                "to sign in to `{organization}` go on in the browser; if none opened, open {}",
                loopback.address()
            ));
            return Ok(login.come_back(loopback).await?);
        }
        context.output.say("there is no browser here; sign in by a code on any device instead");
    }
    let code = login.device_code().await?;
    tell(&format!(
        "to sign in to `{organization}` open {} and enter the code {}",
        code.address, code.user_code
    ));
    Ok(login.wait(code).await?)
}

/// Opens a page in a browser; returns whether there is one.
fn open(address: &str, context: &Context) -> bool {
    let environment = context.environment();
    let named = environment.get(env::BROWSER);
    let has_screen = [env::DISPLAY, env::WAYLAND_DISPLAY]
        .iter()
        .any(|variable| environment.get(variable).is_some());
    let programs: Vec<&str> = match named {
        Some(list) => list.split(':').collect(),
        None if cfg!(target_os = "macos") => vec!["open"],
        None if cfg!(windows) => vec!["rundll32 url.dll,FileProtocolHandler"],
        None if has_screen => vec!["xdg-open"],
        None => Vec::new(),
    };
    programs.iter().any(|program| {
        let mut words = program.split_whitespace();
        let Some(name) = words.next() else { return false };
        let mut command = std::process::Command::new(name);
        let is_placed = program.contains("%s");
        command.args(words.map(|word| word.replace("%s", address)));
        if !is_placed {
            command.arg(address);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
    })
}

/// Asks the organization who signed in, which also shows that it lets them in.
async fn who(
    organization: &Organization,
    endpoints: Endpoints,
    token: &SecretString,
) -> anyhow::Result<String> {
    let client = Client::new(Options {
        organization: organization.name.clone(),
        endpoints,
        auth: Arc::new(FixedToken::bearer(token)?),
        gate: Gate::new(1, Patience::default()),
        patience: Patience::default(),
        observer: Arc::new(Silent),
    })?;
    let answer = client.get::<ConnectionData>(Call::core(&["connectionData"]).preview()).await?;
    let user = answer.value.authenticated_user.unwrap_or_default();
    let name = user.custom_display_name.or(user.provider_display_name);
    Ok(name.or(user.id).unwrap_or_else(|| "somebody without a name".to_owned()))
}

/// Puts a personal access token from stdin into the keyring.
fn store_token(organization: &Organization, entry: &str, context: &Context) -> anyhow::Result<()> {
    let name = &organization.name;
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::user(format!(
            "the token of organization `{name}` is read from stdin"
        ))
        .hint(format!("`adolake login {name} < FILE`, so that it shows on no screen"))
        .into());
    }
    let mut text = String::new();
    stdin.by_ref().take(LONGEST).read_to_string(&mut text).map_err(|error| {
        Failure::user("stdin holds no text that could be a token").caused_by(error)
    })?;
    let token = SecretString::from(text.trim());
    // Says what is wrong with a token that cannot be sent.
    FixedToken::pat(&token)?;
    Keyring::of(context.environment()).set(entry, &token).map_err(|error| {
        Failure::user(format!("cannot put `{entry}` into the system's keyring"))
            .caused_by(error)
            .hint("without a keyring name a variable or a file: `env = \"…\"` or `file = \"…\"`")
    })?;
    context.output.say(&format!("the token of `{name}` is in the system's keyring as `{entry}`"));
    Ok(())
}
