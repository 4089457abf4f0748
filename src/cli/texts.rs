//! Texts in English and Chinese, looked up by a stable key, and the table of hangu.toml's keys.

mod table;

pub(crate) use table::table;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// One text in both languages; printed as `English (Chinese)`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
pub(crate) struct Text {
    pub(crate) en: String,
    pub(crate) zh: String,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.en, self.zh)
    }
}

/// One key of hangu.toml; `*` stands for a link's name.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
pub(crate) struct ConfigKey {
    pub(crate) key: String,
    /// As TOML writes it; `none` for "absent", nothing for a key that must be given.
    pub(crate) default: Option<String>,
    pub(crate) example: String,
    pub(crate) en: String,
    pub(crate) zh: String,
}

/// The text with this key. A test holds that every key used exists.
pub(crate) fn text(key: &str) -> Text {
    all().text.get(key).cloned().unwrap_or_else(|| Text {
        en: key.to_owned(),
        zh: key.to_owned(),
    })
}

/// Every key of hangu.toml, in the order of the file.
pub(crate) fn config_keys() -> &'static [ConfigKey] {
    &all().config
}

/// A row of column titles.
pub(crate) fn titles(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| text(key).to_string()).collect()
}

#[derive(Deserialize, Default)]
struct Texts {
    text: BTreeMap<String, Text>,
    config: Vec<ConfigKey>,
}

fn all() -> &'static Texts {
    static TEXTS: OnceLock<Texts> = OnceLock::new();
    TEXTS.get_or_init(|| toml::from_str(SOURCE).unwrap_or_default())
}

const SOURCE: &str = include_str!("texts.toml");

#[cfg(test)]
mod tests;
