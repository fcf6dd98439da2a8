//! Every environment variable that adolake looks at, and the snapshot through which it looks.
//!
//! Beside these, any value of the configuration can be set as `ADOLAKE_` and its path in capitals, with `__` for the
//! next level, `_` for `-` and numbers for places in lists: `ADOLAKE_LAKE__URL`, `ADOLAKE_ORGANIZATION__0__NAME`. And
//! the configuration names the variables that hold secrets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Starts the name of every variable that sets a value of the configuration.
pub const PREFIX: &str = "ADOLAKE_";

/// Separates the levels of a path in the name of a variable.
pub const LEVEL: &str = "__";

/// Config file, as `--config`.
pub const CONFIG: &str = "ADOLAKE_CONFIG";

/// Log level, as `--log-level`.
pub const LOG_LEVEL: &str = "ADOLAKE_LOG_LEVEL";

/// Log format, as `--log-format`.
pub const LOG_FORMAT: &str = "ADOLAKE_LOG_FORMAT";

/// `never` leaves the system's keyring alone: what `adolake login` keeps goes into an encrypted file.
pub const KEYRING: &str = "ADOLAKE_KEYRING";

/// Passphrase of the files with what `adolake login` keeps; without it the key lies beside them.
pub const LOGIN_PASSPHRASE: &str = "ADOLAKE_LOGIN_PASSPHRASE";

/// Address of the metadata service that gives tokens to machines in Azure, as the SDKs of Azure have it;
/// `http://169.254.169.254` where it is not set. For tests and proxies.
pub const METADATA_HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

/// Address of the service that gives tokens to apps, functions and containers in Azure.
pub const IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";

/// What the request to [`IDENTITY_ENDPOINT`] has to carry.
pub const IDENTITY_HEADER: &str = "IDENTITY_HEADER";

/// Programs that open a web page, the first that works is taken; else that of the system.
pub const BROWSER: &str = "BROWSER";

/// Screen of X11; without one and [`WAYLAND_DISPLAY`] no browser is opened on Linux.
pub const DISPLAY: &str = "DISPLAY";

/// Screen of Wayland.
pub const WAYLAND_DISPLAY: &str = "WAYLAND_DISPLAY";

/// Patience with a single request in seconds, `100` unless set. Azure DevOps alone may hold an answer back for 30 s, so
/// less than 45 is for tests.
pub const REQUEST_TIMEOUT: &str = "ADOLAKE_REQUEST_TIMEOUT";

/// Wait before a failed request is sent again in seconds, `0.5` unless set; doubled from then on.
pub const RETRY_WAIT: &str = "ADOLAKE_RETRY_WAIT";

/// Any text switches colours off, see <https://no-color.org>.
pub const NO_COLOR: &str = "NO_COLOR";

/// `dumb` switches colours and live progress off.
pub const TERM: &str = "TERM";

/// Folder of the user's settings; `~/.config` where it is not set.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";

/// Folder of the user's state, where the history of `adolake sql` lives; `~/.local/state` where it is not set.
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";

/// The user's home.
pub const HOME: &str = "HOME";

/// The environment as it was when the program began.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Names of own variables whose value is not Unicode.
    undecodable: Vec<String>,
}

impl Environment {
    /// Returns the environment of this process; variables that are not Unicode are left out, and own ones noted.
    #[must_use]
    pub fn of_process() -> Self {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(environment.variables.insert(name, value)),
                Err(_) if name.starts_with(PREFIX) => environment.undecodable.push(name),
                Err(_) => {}
            }
        }
        environment
    }

    /// Returns the names of own variables whose value is not Unicode: nobody may take them for not set.
    #[must_use]
    pub fn undecodable(&self) -> &[String] {
        &self.undecodable
    }

    /// Returns the value of a variable; an empty one counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns the value of a variable that is a number of seconds.
    ///
    /// # Errors
    /// Gives back the text where it is no number above 0 and at most a day.
    pub fn seconds(&self, name: &str) -> Result<Option<Duration>, String> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let seconds: Option<f64> = text.trim().parse().ok();
        let is_usable = |seconds: &f64| *seconds > 0.0 && *seconds <= 86_400.0;
        match seconds.filter(is_usable) {
            Some(seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
            None => Err(text.to_owned()),
        }
    }

    /// Returns all variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the folder for the user's settings of all programs, if the environment says where.
    #[must_use]
    pub fn config_home(&self) -> Option<PathBuf> {
        self.home_of(XDG_CONFIG_HOME, ".config")
    }

    /// Returns the folder for the user's state of all programs, if the environment says where.
    #[must_use]
    pub fn state_home(&self) -> Option<PathBuf> {
        self.home_of(XDG_STATE_HOME, ".local/state")
    }

    fn home_of(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        self.get(variable)
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .or_else(|| self.get(HOME).map(|home| PathBuf::from(home).join(below_home)))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            undecodable: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_numbers_above_zero() {
        let seconds = |text: &str| Environment::from_iter([("X", text)]).seconds("X");
        assert_eq!(seconds(" 2.5 "), Ok(Some(Duration::from_millis(2_500))));
        assert_eq!(seconds(""), Ok(None));
        for wrong in ["0", "-1", "soon", "NaN", "1e9", "2s"] {
            assert_eq!(seconds(wrong), Err(wrong.to_owned()));
        }
    }
}
