//! `[lake]` and references to secrets.

use std::collections::BTreeMap;

use url::Url;

use super::{Reader, absolute};
use crate::config::auth::Secret;
use crate::config::error::Place;
use crate::config::fields;
use crate::config::node::Value;
use crate::config::read::Section;
use crate::config::sections::{Lake, LakeOption};
use crate::config::store_options::{nearest_option, store_takes, wanted_value};

/// Schemes of object stores.
const STORES: [&str; 7] = ["s3", "s3a", "az", "azure", "abfs", "abfss", "gs"];

impl Reader<'_> {
    pub(super) fn lake(&self, section: &Section<'_>) -> Lake {
        section.check_keys(fields::LAKE);
        let default = Lake::in_folder(absolute(self.base).join("lake"))
            .unwrap_or_else(|folder| unreachable!("`{}` was made absolute", folder.display()));
        let url = match section.filled_text("url") {
            Some(text) => match self.lake_url(&text.text) {
                Ok(url) => url,
                Err(message) => {
                    section.problem(&text.place, format!("`lake.url`: {message}"));
                    default.url
                }
            },
            None => default.url,
        };
        Lake {
            keep_versions: section.duration("keep-versions").unwrap_or(default.keep_versions),
            options: self.lake_options(&section.table("options"), &url),
            url,
        }
    }

    fn lake_url(&self, text: &str) -> Result<Url, String> {
        // A single letter before the colon is a drive, not a scheme.
        let scheme =
            text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| scheme.len() > 1);
        let has_scheme = text.contains("://") || scheme == Some("file");
        if let Some(known) = scheme.filter(|scheme| !has_scheme && STORES.contains(scheme)) {
            return Err(format!("an address of a store begins with `{known}://`"));
        }
        if !has_scheme {
            let folder = absolute(&self.path(text));
            return Url::from_directory_path(&folder)
                .map_err(|()| format!("`{}` is no folder name", folder.display()));
        }
        let url = Url::parse(text).map_err(|error| format!("no address: {error}"))?;
        match url.scheme() {
            "file" => {}
            scheme if STORES.contains(&scheme) => {}
            other => {
                return Err(format!(
                    "`{other}:` is no store that adolake knows; write a folder, `s3://…`, `az://…`, `abfss://…` or `gs://…`"
                ));
            }
        }
        if url.password().is_some() || url.query().is_some() {
            return Err("holds a secret or a query; give credentials as `lake.options` or as the store's own environment variables".to_owned());
        }
        Ok(url)
    }

    fn lake_options(&self, section: &Section<'_>, url: &Url) -> BTreeMap<String, LakeOption> {
        let mut options = BTreeMap::new();
        for (key, place, node) in section.entries() {
            let name = section.path_of(key);
            if !store_takes(url.scheme(), key) {
                let near = nearest_option(url.scheme(), key);
                let near = near.map(|near| format!("; did you mean `{near}`?"));
                let store = match url.scheme() {
                    "file" => "any store".to_owned(),
                    scheme => format!("`{scheme}://`"),
                };
                section.problem(
                    place,
                    format!("`{name}` is no option of {store}{}", near.unwrap_or_default()),
                );
                continue;
            }
            let option = match (&node.value, &node.place) {
                (Value::Table(_), _) => self.secret(&section.table(key)).map(LakeOption::Secret),
                // A variable is a reference already: it names itself.
                (Value::Text(_), Place::Variable(variable)) if holds_secret(key) => {
                    Some(LakeOption::Secret(Secret::Env(variable.to_string())))
                }
                (_, _) if holds_secret(key) => {
                    section.problem(
                        place,
                        format!("`{name}` is a secret and must not stand in the file: write `{{ env = \"…\" }}` or `{{ file = \"…\" }}`"),
                    );
                    None
                }
                (Value::Text(text), _) => Some(LakeOption::Plain(text.clone())),
                (Value::Boolean(value), _) => Some(LakeOption::Plain(value.to_string())),
                (Value::Integer(value), _) => Some(LakeOption::Plain(value.to_string())),
                (Value::Other(_) | Value::List(_), _) => {
                    section.problem(place, format!("`{name}` must be text in quotes"));
                    None
                }
            };
            if let Some(LakeOption::Plain(value)) = &option
                && let Some(wanted) = wanted_value(key, value)
            {
                section.problem(place, format!("`{name}` must be {wanted}, not `{value}`"));
                continue;
            }
            if let Some(option) = option {
                options.insert(key.to_owned(), option);
            }
        }
        options
    }

    pub(super) fn secret(&self, section: &Section<'_>) -> Option<Secret> {
        section.check_keys(fields::SECRET);
        let given = [
            section.filled_text("env").map(|text| Secret::Env(text.text)),
            section.filled_text("file").map(|text| Secret::File(self.path(&text.text))),
            section.filled_text("keyring").map(|text| Secret::Keyring(text.text)),
        ];
        let mut given: Vec<Secret> = given.into_iter().flatten().collect();
        if given.len() != 1 {
            section.problem(&section.place, "a secret takes one of `env`, `file` and `keyring`");
        }
        given.pop()
    }
}

fn holds_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    // `…_key_id` and the like speak of a secret without being one.
    let speaks_of_one = ["_id", "_file", "_path", "_url", "_uri", "_endpoint", "_enabled"]
        .iter()
        .any(|end| key.ends_with(end));
    !speaks_of_one
        && ["key", "token", "sas", "password", "secret"].iter().any(|word| key.contains(word))
}
