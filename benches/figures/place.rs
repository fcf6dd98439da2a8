//! Where the measured lake is, and the simulated organization that it is read from.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use adolake::config::{Config, Environment};
use adolake::lake::Lake;
use adolake::schema::Catalog;
use adolake::simulator::Size;
use anyhow::{Context as _, bail};
use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::process::{ADOLAKE, Background, Ran, run};

/// The variable that the simulator's config names for the token.
pub const TOKEN_VARIABLE: &str = "ADO_PAT";
/// The token that the simulator accepts.
pub const TOKEN: &str = "figures-token";

const START: &str = "start-date =";

/// A folder with a config file and a lake.
pub struct Place {
    /// The folder.
    pub folder: PathBuf,
    /// How large the organization is.
    pub size: Size,
    /// How many days before the simulated now the start date lies.
    pub days: u64,
}

impl Place {
    /// Tells whether something was read into the lake.
    pub fn has_lake(&self) -> bool {
        self.folder.join("lake/sync_runs").is_dir()
    }

    /// The config file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("adolake.toml")
    }

    /// Reads the config file, with the start date so many days earlier where they are given.
    ///
    /// # Errors
    /// When it is not there or wrong.
    pub fn config(&self, earlier: Option<u64>) -> anyhow::Result<Config> {
        let file = self.config_file();
        let mut text = std::fs::read_to_string(&file)?;
        if let Some(days) = earlier {
            let start = text
                .lines()
                .find_map(|line| line.strip_prefix(START))
                .context("the config has no start date")?;
            text = with_start_date(&text, start.trim().parse()?, days)?;
        }
        let environment = Environment::from_iter([(TOKEN_VARIABLE, TOKEN)]);
        Ok(Config::parse(&file, &text, &environment)?)
    }

    /// Opens the lake.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn lake(&self) -> anyhow::Result<Lake> {
        let url = self.folder.join("lake").display().to_string();
        let keep = Duration::from_secs(400 * 86_400);
        Ok(Lake::open(&url, &Default::default(), keep, Arc::new(Catalog::embedded()?))?)
    }

    /// A command of the program on this lake.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ADOLAKE);
        command.arg("--config").arg(self.config_file()).args(arguments);
        command.env(TOKEN_VARIABLE, TOKEN).current_dir(&self.folder);
        command
    }

    /// Moves the simulator's clock on.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn advance(&self, seconds: u64) -> anyhow::Result<()> {
        let config = self.config(None)?;
        let core = config.organizations[0].endpoints.core.clone();
        let clock = reqwest::Url::parse(&core.to_string())?.join("/_simulator/clock")?;
        let body = format!("{{\"advance_s\": {seconds}}}");
        reqwest::Client::new().post(clock).body(body).send().await?.error_for_status()?;
        Ok(())
    }

    /// Reads the organization into the lake; gives what it took and the events of its log.
    ///
    /// # Errors
    /// When the sync fails.
    pub fn logged_sync(&self) -> anyhow::Result<(Ran, Vec<serde_json::Value>)> {
        let log = self.folder.join("sync.log");
        let mut command =
            self.command(&["--quiet", "--log-level", "debug", "--log-format", "json", "sync"]);
        command.stderr(File::create(&log)?);
        let ran = run(&mut command, &self.folder)?;
        let mut events = Vec::new();
        for line in BufReader::new(File::open(&log)?).lines() {
            events.extend(serde_json::from_str(&line?));
        }
        Ok((ran, events))
    }

    /// Starts the simulator as a process of its own and writes the config for it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn simulate(&self) -> anyhow::Result<Background> {
        let printed = self.folder.join("simulator.toml");
        let child = Command::new(ADOLAKE)
            .args(["simulate", "--token", TOKEN, "--size", &self.size.to_string()])
            .stdin(Stdio::null())
            .stdout(File::create(&printed)?)
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the simulator")?;
        let mut simulator = Background(child);
        let environment = Environment::from_iter([(TOKEN_VARIABLE, TOKEN)]);
        loop {
            if let Some(status) = simulator.0.try_wait()? {
                bail!("the simulator ended with {status}");
            }
            let text = std::fs::read_to_string(&printed)?;
            if !text.is_empty() && Config::parse(&printed, &text, &environment).is_ok() {
                let now = now(&text).await?;
                let config = with_start_date(&text, now.date_naive(), self.days)?;
                std::fs::write(self.config_file(), config)?;
                return Ok(simulator);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Puts the start date so many days before a day.
fn with_start_date(config: &str, day: NaiveDate, days: u64) -> anyhow::Result<String> {
    let start = day.checked_sub_days(Days::new(days)).context("the start date is out of range")?;
    let line = format!("{START} {start}");
    let lines = config.lines().map(|own| if own.starts_with(START) { line.as_str() } else { own });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// Asks the simulator what its clock shows.
async fn now(config: &str) -> anyhow::Result<DateTime<Utc>> {
    let core = config.lines().find_map(|line| line.strip_prefix("core = "));
    let url = core.context("the simulator's config names no address")?.trim_matches('"');
    let answer = reqwest::get(url).await?;
    let date = answer.headers().get("date").context("the simulator's answer has no date")?;
    Ok(DateTime::parse_from_rfc2822(date.to_str()?)?.to_utc())
}
