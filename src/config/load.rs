//! Finds the file, merges the environment over it, and turns the tree into typed values.

mod lake;
mod organizations;
mod settings;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::env::Environment;
use super::error::{Error, Place, Problem, Problems};
use super::read::{Section, Text};
use super::{Config, FILE_NAME, exception, fields, node};
use crate::glob::Rules;

/// Knows where the configuration comes from, and reads it when a command asks for it.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    /// The file that was asked for; none = look in the usual places.
    pub file: Option<PathBuf>,
    /// Working folder.
    pub folder: PathBuf,
    /// Variables.
    pub environment: Environment,
}

impl Loader {
    /// Returns the file that would be read: the one asked for, else `adolake.toml` here, else the user's.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        if let Some(file) = &self.file {
            return Some(file.clone());
        }
        let here = PathBuf::from(FILE_NAME);
        if self.folder.join(&here).is_file() {
            return Some(here);
        }
        let users = self.environment.config_home()?.join("adolake").join("config.toml");
        users.is_file().then_some(users)
    }

    /// Reads and checks the configuration; without a file it is made of defaults and variables.
    ///
    /// # Errors
    /// When the file is not to be had, or with all problems in it at once.
    pub fn load(&self) -> Result<Config, Error> {
        let Some(file) = self.file() else {
            return parse(None, &self.folder.join(FILE_NAME), "", &self.environment);
        };
        let path = self.folder.join(&file);
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { file: file.clone() },
            _ => Error::Unreadable { file: file.clone(), source },
        })?;
        let mut config = parse(Some(&file), &path, &text, &self.environment)?;
        config.file = Some(file);
        Ok(config)
    }
}

/// Reads a configuration; `shown` is said in messages, relative paths start at the folder of `path`.
pub(super) fn parse(
    shown: Option<&Path>,
    path: &Path,
    text: &str,
    environment: &Environment,
) -> Result<Config, Error> {
    let mut problems = Vec::new();
    let name = shown.unwrap_or(path).display().to_string();
    let mut root = node::parse(&name, text, &mut problems);
    node::overlay(&mut root, environment, &mut problems);
    let problems = RefCell::new(problems);
    let base = path.parent().unwrap_or(Path::new(""));
    let reader = Reader { base };
    let section = Section::root(&root, &problems);
    section.check_keys(fields::ROOT);
    let config = Config {
        file: shown.map(Path::to_path_buf),
        lake: reader.lake(&section.table("lake")),
        organizations: reader.organizations(&section),
        sync: reader.sync(&section.table("sync")),
        settings: reader.settings(&section),
    };
    let mut problems = problems.into_inner();
    if problems.is_empty() {
        return Ok(config);
    }
    // A stable sort by line; what has no line comes last.
    problems.sort_by_key(|problem: &Problem| match &problem.place {
        Some(Place::File { line, .. }) => *line,
        _ => usize::MAX,
    });
    problems.dedup();
    Err(Error::Invalid(Problems(problems)))
}

struct Reader<'a> {
    base: &'a Path,
}

impl Reader<'_> {
    fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }
}

fn names(section: &Section<'_>, key: &str, forbidden: &[char]) -> Option<Vec<String>> {
    let texts = section.texts(key)?;
    for text in &texts {
        let glob = text.text.as_str();
        let wrong = match Rules::new(&[glob]) {
            Err(error) => Some(error.to_string()),
            Ok(_) => {
                let name =
                    if forbidden.contains(&'!') { glob } else { glob.trim_start_matches('!') };
                exception::check_name_glob(name, forbidden).err()
            }
        };
        if let Some(message) = wrong {
            section.problem(&text.place, format!("`{}`: {message}", section.path_of(key)));
        }
    }
    Some(plain(texts))
}

fn plain(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(|text| text.text).collect()
}

fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| Path::new("/").join(path));
    // `a/./b` and `a/../b` would stay in the address.
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}
