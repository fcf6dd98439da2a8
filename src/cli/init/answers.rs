//! What a new config file is made of: given by flags, asked for on a terminal, or usual.

use std::io::{self, BufRead, IsTerminal as _, Write};

use chrono::NaiveDate;

use super::Args;
use crate::cli::failure::Failure;
use crate::config::Auth;

/// Everything that the file says of one organization and the lake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Answers {
    pub organization: String,
    pub auth: String,
    /// Variable with the token or the secret; none where the kind needs none.
    pub env: Option<String>,
    pub tenant_id: Option<String>,
    pub client_id: Option<String>,
    pub token_file: Option<String>,
    pub lake: String,
    pub start_date: Option<NaiveDate>,
    /// Key and address of each endpoint that is given.
    pub endpoints: Vec<(&'static str, String)>,
}

/// Keys beside `kind` that a way to sign in takes: key, whether it must be given, what is usual.
fn keys(kind: &str) -> &'static [(&'static str, bool, &'static str)] {
    match kind {
        "pat" => &[("env", true, "ADO_PAT")],
        "pipeline" => &[("env", true, "SYSTEM_ACCESSTOKEN")],
        "service-principal" => &[
            ("tenant-id", true, ""),
            ("client-id", true, ""),
            ("env", true, "AZURE_CLIENT_SECRET"),
        ],
        "user" => &[("client-id", true, ""), ("tenant-id", false, "")],
        "managed-identity" => &[("client-id", false, "")],
        "workload-identity" => {
            &[("tenant-id", true, ""), ("client-id", true, ""), ("token-file", true, "")]
        }
        _ => &[],
    }
}

impl Answers {
    /// Takes the flags, and asks for the rest where somebody can answer.
    ///
    /// # Errors
    /// When something that cannot be guessed is missing, or an answer cannot be read.
    pub fn collect(args: Args) -> Result<Self, Failure> {
        if io::stdin().is_terminal() && io::stderr().is_terminal() {
            let asked = Asker { answers: io::stdin().lock(), questions: io::stderr() };
            return Self::fill(args, Some(asked));
        }
        Self::fill(args, None::<Asker<io::Empty, io::Sink>>)
    }

    fn fill<R: BufRead, W: Write>(
        args: Args,
        mut asker: Option<Asker<R, W>>,
    ) -> Result<Self, Failure> {
        let mut need = |given: Option<String>, flag: &str, question: &str, usual: &str| match (
            given,
            asker.as_mut(),
        ) {
            (Some(given), _) => Ok(given),
            (None, Some(asker)) => asker.ask(question, usual),
            (None, None) if !usual.is_empty() => Ok(usual.to_owned()),
            (None, None) => Err(Failure::user(format!("`--{flag}` is missing"))
                .hint(format!("give `--{flag}`, or run `adolake init` on a terminal to be asked"))),
        };
        let question = "Organization, the last part of https://dev.azure.com/contoso";
        let name = need(args.organization, "organization", question, "")?;
        let mut answers = Self { organization: short_name(&name), ..Self::default() };
        let kinds = Auth::KINDS.join(", ");
        answers.auth = need(args.auth, "auth", &format!("Way to sign in ({kinds})"), "pat")?;
        let mut given = [
            ("env", args.env, "Variable that holds the token or the secret"),
            ("tenant-id", args.tenant_id, "Directory (tenant) id"),
            ("client-id", args.client_id, "Application (client) id"),
            ("token-file", args.token_file, "File with the token of the other issuer"),
        ];
        for (key, is_needed, usual) in keys(&answers.auth) {
            let Some((_, value, question)) = given.iter_mut().find(|(name, ..)| name == key) else {
                continue;
            };
            let value = match (value.take(), is_needed) {
                (None, false) => None,
                (value, _) => Some(need(value, key, question, usual)?),
            };
            match *key {
                "env" => answers.env = value,
                "tenant-id" => answers.tenant_id = value,
                "client-id" => answers.client_id = value,
                _ => answers.token_file = value,
            }
        }
        if let Some((key, ..)) = given.iter().find(|(_, value, _)| value.is_some()) {
            let message = format!("`--{key}` is not for `--auth {}`", answers.auth);
            return Err(
                Failure::user(message).hint("`adolake init --help` tells which goes with which")
            );
        }
        let question = "Lake, a folder or s3://…, az://…, abfss://…, gs://…";
        answers.lake = need(args.lake, "lake", question, "./lake")?;
        answers.start_date = match (args.start_date, asker.as_mut()) {
            (Some(day), _) => Some(day),
            (None, None) => None,
            (None, Some(asker)) => {
                asker.day("First day whose merges are judged, such as 2026-01-31")?
            }
        };
        let addresses = [
            ("core", args.core),
            ("graph", args.graph),
            ("profile", args.profile),
            ("login", args.login),
        ];
        let given = addresses.into_iter().filter_map(|(key, address)| Some((key, address?)));
        answers.endpoints = given.collect();
        Ok(answers)
    }
}

/// Takes the name out of an address, for those who paste it.
fn short_name(text: &str) -> String {
    let text = text.trim().trim_end_matches('/');
    let path = text.split_once("://dev.azure.com/").map(|(_, path)| path);
    let legacy = text.split_once("://").and_then(|(_, host)| host.split_once(".visualstudio.com"));
    let name = path.or(legacy.map(|(name, _)| name)).unwrap_or(text);
    name.split('/').next().unwrap_or_default().to_owned()
}

/// Somebody who answers.
struct Asker<R, W> {
    answers: R,
    questions: W,
}

impl<R: BufRead, W: Write> Asker<R, W> {
    /// Asks until there is an answer; an empty one takes what is usual.
    fn ask(&mut self, question: &str, usual: &str) -> Result<String, Failure> {
        loop {
            let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
            let answer = self.line(&format!("{question}{shown}: "))?;
            match (answer.as_str(), usual) {
                ("", "") => {}
                ("", usual) => return Ok(usual.to_owned()),
                (answer, _) => return Ok(answer.to_owned()),
            }
        }
    }

    /// Asks for a day, until there is one or the answer is empty.
    fn day(&mut self, question: &str) -> Result<Option<NaiveDate>, Failure> {
        loop {
            let answer = self.line(&format!("{question} [the day of the first sync]: "))?;
            if answer.is_empty() {
                return Ok(None);
            }
            if let Ok(day) = answer.parse() {
                return Ok(Some(day));
            }
        }
    }

    fn line(&mut self, question: &str) -> Result<String, Failure> {
        let cannot =
            |error: io::Error| Failure::user("cannot ask for what is missing").caused_by(error);
        write!(self.questions, "{question}")
            .and_then(|()| self.questions.flush())
            .map_err(cannot)?;
        let mut line = String::new();
        if self.answers.read_line(&mut line).map_err(cannot)? == 0 {
            return Err(Failure::user("stopped before all was answered; nothing was written"));
        }
        Ok(line.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    fn args(words: &[&str]) -> Args {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Cli {
            #[command(flatten)]
            args: Args,
        }
        Cli::parse_from(std::iter::once("init").chain(words.iter().copied())).args
    }

    fn asked(words: &[&str], text: &'static str) -> (Result<Answers, Failure>, String) {
        let mut questions = Vec::new();
        let asker = Asker { answers: text.as_bytes(), questions: &mut questions };
        let answers = Answers::fill(args(words), Some(asker));
        (answers, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn what_is_given_is_not_asked_for() {
        let (answers, questions) =
            asked(&["--organization", "contoso", "--lake", "./l"], "\nMY_PAT\nsoon\n2026-01-31\n");
        let answers = answers.unwrap();
        assert_eq!((answers.auth.as_str(), answers.env.as_deref()), ("pat", Some("MY_PAT")));
        assert_eq!(answers.start_date.unwrap().to_string(), "2026-01-31");
        assert!(!questions.contains("Organization") && !questions.contains("Lake"), "{questions}");
        assert_eq!(questions.matches("First day").count(), 2, "{questions}");
    }

    #[test]
    fn an_unfinished_answer_is_an_error() {
        let (answers, _) = asked(&[], "contoso\n");
        assert!(answers.unwrap_err().to_string().contains("nothing was written"));
    }

    #[test]
    fn without_a_terminal_only_what_cannot_be_guessed_is_missing() {
        let silent = |words| Answers::fill(args(words), None::<Asker<io::Empty, io::Sink>>);
        let answers = silent(&["--organization", "https://dev.azure.com/contoso/web"]).unwrap();
        assert_eq!((answers.organization.as_str(), answers.lake.as_str()), ("contoso", "./lake"));
        let error = silent(&[]).unwrap_err();
        assert_eq!(error.to_string(), "`--organization` is missing");
        let error = silent(&["--organization", "c", "--auth", "service-principal"]).unwrap_err();
        assert_eq!(error.to_string(), "`--tenant-id` is missing");
        let error =
            silent(&["--organization", "c", "--auth", "azure-cli", "--env", "X"]).unwrap_err();
        assert_eq!(error.to_string(), "`--env` is not for `--auth azure-cli`");
        let exit = crate::cli::failure::exit_of(&error.into());
        assert_eq!(exit, Exit::USER);
    }
}
