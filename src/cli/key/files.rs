//! Which file holds which key, and who may read it. The keyring itself is read by `keys::store`, which alone decides.

use crate::cli::check::Check;
use crate::cli::output::{Exit, Failure};
use hangu::config::KeysConfig;
use serde::Deserialize;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A key's file as keyring.toml lists it; the other fields are the store's business.
#[derive(Clone, Debug, Deserialize)]
struct Listed {
    id: String,
    side: String,
    file: PathBuf,
    user_id: Option<String>,
}

/// Of a key pair; empty where the folder has none.
pub(crate) struct PublicHalf {
    pub(crate) user_id: Option<String>,
    pub(crate) pem: String,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    key: Vec<Listed>,
}

/// The files of a folder; none when the list cannot be read, of which the store gives the reason.
fn listed(folder: &Path) -> Vec<Listed> {
    let text = std::fs::read_to_string(folder.join("keyring.toml")).unwrap_or_default();
    toml::from_str::<List>(&text).map(|list| list.key).unwrap_or_default()
}

/// Writes a new file of mode 0600; what is there is never replaced.
pub(super) fn write_new(path: &Path, content: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| Failure::new(Exit::Usage, path.display().to_string(), error))
}

/// Puts other content into a file of mode 0600, whole or not at all.
pub(super) fn replace(path: &Path, content: &str) -> Result<(), Failure> {
    let failed = |error| Failure::new(Exit::Usage, path.display().to_string(), error);
    let fresh = path.with_added_extension("new");
    write_new(&fresh, content)?;
    std::fs::rename(&fresh, path).map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or_else(|| Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Takes a file away that was written a moment ago for nothing.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    std::fs::remove_file(path).map_err(|error| Failure::new(Exit::Usage, path.display().to_string(), error))
}

/// What a folder says of a key's owner, and the public half that it holds.
pub(crate) fn public_half(keys: &KeysConfig, id: &str) -> Option<PublicHalf> {
    if keys.is_guarded() {
        let (_, state) = keys::guarded::read(&keys.folder).ok()?;
        let held = state.key(id)?;
        return Some(PublicHalf {
            user_id: held.entry.user_id.clone(),
            pem: held.material.public.clone().unwrap_or_default(),
        });
    }
    let listed = listed(&keys.folder).into_iter().find(|listed| listed.id == id)?;
    Some(PublicHalf {
        pem: std::fs::read_to_string(keys.folder.join(&listed.file)).unwrap_or_default(),
        user_id: listed.user_id,
    })
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
