//! Codecs that are not in the binary: a folder of folders, each with a `spec.toml`, read at start.

use super::{Config, ConfigError};
use codecs::spec::Specs;
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodecsConfig {
    /// Folder of further codecs: `NAME/spec.toml` for each.
    #[serde(default)]
    pub folder: Option<PathBuf>,
}

impl Config {
    /// The specs of the binary and those of the configured folder.
    pub fn specs(&self) -> Result<Specs, ConfigError> {
        specs(self.codecs.folder.as_deref())
    }
}

/// The specs of the binary and those of a folder. A codec of the binary is never replaced.
pub fn specs(folder: Option<&Path>) -> Result<Specs, ConfigError> {
    let mut specs = Specs::embedded().map_err(|error| refused("codecs", error))?;
    let Some(folder) = folder else { return Ok(specs) };
    let unreadable = |error| refused("codecs.folder", format!("{}: {error}", folder.display()));
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(unreadable)?;
    found.sort();
    for path in found.iter().filter(|path| path.join(SPEC).is_file()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if specs.spec(&name).is_some() {
            return Err(refused(
                "codecs.folder",
                format!("{name} is a codec of the binary; choose another name"),
            ));
        }
        let text = std::fs::read_to_string(path.join(SPEC)).map_err(unreadable)?;
        specs.insert(&name, &text).map_err(|error| refused("codecs.folder", error))?;
    }
    Ok(specs)
}

fn refused(place: &str, detail: impl ToString) -> ConfigError {
    ConfigError {
        place: place.to_owned(),
        detail: detail.to_string(),
    }
}

const SPEC: &str = "spec.toml";
