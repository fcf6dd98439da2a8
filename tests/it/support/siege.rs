//! Disturbs real syncs of a simulated organization through the built program, and compares what they leave behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use adolake::lake::Lake;
use adolake::schema::Catalog;
use adolake::simulator::Simulator;
use datafusion::arrow::json::LineDelimitedWriter;
use tempfile::TempDir;
use tokio::process::Command;

/// Variable and value of the token.
const TOKEN_VARIABLE: &str = "ADO_PAT";

/// Selectors that make a sync read every kind of detail.
const SETTINGS: &str = r#"
[[repository]]
match = "**"
sast = [{ job = "CodeQL/*/*" }, { pipeline = "CodeQL", paths = ["src/**"] }]
"#;

/// Rows of all tables as text, but for those that tell of runs.
pub type Content = BTreeMap<String, Vec<String>>;

/// A folder with a config file, and a lake in it or on a store.
pub struct Place {
    folder: TempDir,
    lake: String,
    /// What the store is told.
    options: BTreeMap<String, String>,
}

/// What ended a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was killed.
    Killed,
    /// It ended by itself before that.
    Over,
}

impl Place {
    /// Makes a folder for syncs of an organization.
    pub fn new(simulator: &Simulator) -> Place {
        Place::on(simulator, "./lake", BTreeMap::new())
    }

    /// Makes a folder for syncs of an organization into a lake at an address.
    pub fn on(simulator: &Simulator, url: &str, options: BTreeMap<String, String>) -> Place {
        let folder = TempDir::new().expect("a temporary folder");
        let lake = match url.strip_prefix("./") {
            Some(inside) => folder.path().join(inside).display().to_string(),
            None => url.to_owned(),
        };
        let config = simulator.config(url, TOKEN_VARIABLE);
        let told: String = options
            .iter()
            .map(|(key, value)| match secret_variable(key) {
                Some(variable) => format!("{key} = {{ env = \"{variable}\" }}\n"),
                None => format!("{key} = \"{value}\"\n"),
            })
            .collect();
        let place = Place { folder, lake, options };
        let text = format!("{config}\n{SETTINGS}\n[lake.options]\n{told}");
        fs::write(place.path("adolake.toml"), text).expect("a config file");
        place
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A sync that is not started yet.
    pub fn sync(&self, simulator: &Simulator) -> Command {
        self.command(simulator, &["sync", "--progress", "never"])
    }

    /// A command that is not started yet; impatient, as nothing is far away.
    pub fn command(&self, simulator: &Simulator, args: &[&str]) -> Command {
        let secrets = self.options.iter();
        let secrets = secrets.filter_map(|(key, value)| Some((secret_variable(key)?, value)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_adolake"));
        command
            .args(args)
            .env_clear()
            .envs(secrets)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env(TOKEN_VARIABLE, simulator.token())
            .env("ADOLAKE_REQUEST_TIMEOUT", "2")
            .env("ADOLAKE_RETRY_WAIT", "0.01")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a sync to its end.
    pub async fn synced(&self, simulator: &Simulator) -> Output {
        self.sync(simulator).output().await.expect("the program runs")
    }

    /// Runs a sync and kills it so long after so many requests have arrived.
    pub async fn killed(&self, simulator: &Simulator, requests: u64, delay: Duration) -> End {
        let from = simulator.arrived();
        let mut command = self.sync(simulator);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs");
        let moment = async {
            simulator.wait_for(from + requests).await;
            tokio::time::sleep(delay).await;
        };
        tokio::select! {
            () = moment => {
                child.kill().await.expect("a child can be killed");
                End::Killed
            }
            _ = child.wait() => End::Over,
        }
    }

    /// All rows of all tables, but for the tables and columns that tell one run from another: `sync_runs`, `_run_id`,
    /// and `_synced_at`, which follows the clock between two answers.
    pub async fn content(&self) -> Content {
        content(&self.lake()).await
    }

    /// Opens the lake.
    pub fn lake(&self) -> Lake {
        self.lake_that_keeps(Duration::from_secs(400 * 86_400))
    }

    /// Opens the lake with another `keep-versions`.
    pub fn lake_that_keeps(&self, keep: Duration) -> Lake {
        let catalog = Arc::new(Catalog::embedded().expect("schemas"));
        Lake::open(&self.lake, &self.options, keep, catalog).expect("a lake")
    }
}

/// Returns the variable that holds an option which must not stand in a file; none for any other option.
fn secret_variable(option: &str) -> Option<String> {
    let is_secret = ["_key", "_secret", "_token"].iter().any(|end| option.ends_with(end));
    is_secret.then(|| format!("STORE_{}", option.to_uppercase()))
}

/// See [`Place::content`].
pub async fn content(lake: &Lake) -> Content {
    let session = lake.session().await.expect("a lake that can be read");
    let mut content = Content::new();
    for table in lake.catalog().tables().filter(|table| table.name != "sync_runs") {
        let columns = table.columns.iter().map(|column| column.name.as_str());
        let columns: Vec<&str> =
            columns.filter(|name| !["_run_id", "_synced_at"].contains(name)).collect();
        let sql = format!("select {} from {}", columns.join(", "), table.name);
        let frame = session.ctx.sql(&sql).await.expect("a query");
        let mut writer = LineDelimitedWriter::new(Vec::new());
        for batch in frame.collect().await.expect("a table that can be read") {
            writer.write(&batch).expect("rows that can be written");
        }
        writer.finish().expect("rows that can be written");
        let text = String::from_utf8(writer.into_inner()).expect("JSON");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        content.insert(table.name.clone(), lines);
    }
    content
}

/// What tells two contents apart, a few rows of each table; empty where nothing does.
pub fn differences(expected: &Content, found: &Content) -> String {
    let mut text = String::new();
    for (table, expected) in expected {
        let found = found.get(table).map_or(&[][..], Vec::as_slice);
        if expected == found {
            continue;
        }
        text.push_str(&format!(
            "{table}: {} rows expected, {} found\n",
            expected.len(),
            found.len()
        ));
        for (mark, rows, others) in
            [("missing", &expected[..], found), ("added", found, &expected[..])]
        {
            let lacking = rows.iter().filter(|row| others.binary_search(row).is_err());
            for row in lacking.take(3) {
                // Of a row that is nearly the same, what differs is enough.
                let near = others.iter().max_by_key(|other| common(row, other));
                let start = near.map_or(0, |other| common(row, other));
                let (head, rest) = row.split_at(start.min(row.len()));
                let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
                text.push_str(&format!("  {mark} {} … {}\n", cut(head, 160), cut(rest, 240)));
            }
        }
    }
    text
}

/// Bytes that two texts begin with alike, up to a character's end.
fn common(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    (0..=same).rev().find(|at| a.is_char_boundary(*at)).unwrap_or(0)
}

/// Numbers that look random and follow from a seed.
pub struct Dice(u64);

impl Dice {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from `low` to below `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + (self.0 >> 8) % (high - low).max(1)
    }
}
