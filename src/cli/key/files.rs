//! Which file holds which key, and who may read it. The keyring itself is read by `keys::store`, which alone decides.

use crate::cli::check::Check;
use serde::Deserialize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A key's file as keyring.toml lists it; the other fields are the store's business.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) side: String,
    pub(crate) file: PathBuf,
    pub(crate) user_id: Option<String>,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    key: Vec<Listed>,
}

/// The files of a folder; none when the list cannot be read, of which the store gives the reason.
pub(crate) fn listed(folder: &Path) -> Vec<Listed> {
    let text = std::fs::read_to_string(folder.join("keyring.toml")).unwrap_or_default();
    toml::from_str::<List>(&text).map(|list| list.key).unwrap_or_default()
}

/// Every file, not only the first that is wrong: a folder is mended in one go.
pub(super) fn mode_checks(folder: &Path) -> Vec<Check> {
    listed(folder).iter().map(|listed| mode_check(folder, listed)).collect()
}

fn mode_check(folder: &Path, listed: &Listed) -> Check {
    let file = folder.join(&listed.file);
    let subject = file.display().to_string();
    let mode = match std::fs::metadata(&file) {
        Ok(metadata) => metadata.permissions().mode() & 0o7777,
        Err(error) => return Check::fail("check.key.file", &subject, format!("{}: {error}", listed.id), "do.keyring"),
    };
    let detail = format!("{} mode {mode:04o}", listed.id);
    if listed.side != "theirs" && mode & 0o077 != 0 {
        return Check::fail(
            "check.key.file",
            &subject,
            format!("{detail} lets others read a secret"),
            "do.mode",
        );
    }
    Check::ok("check.key.file", &subject, detail)
}
