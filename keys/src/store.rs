//! Key files: a folder with `keyring.toml` and PEM (PKCS#8, SPKI) or hex secret files.
//!
//! `keyring.toml` is a list of `[[key]]` tables with `id`, `link`, `side`, `usage`, `serial`, `status`, `not_before`,
//! `not_after`, `file`, and if wanted `user_id`, `primary_from` (when a primary key takes its place), `algorithm` (SM2, HMAC-SM3
//! and SM4-GCM go without saying) and `encoding` of a secret. Nothing is guessed; whatever is unknown is refused. A
//! counterparty's key may be a certificate, which must then bear the serial number and be valid as long as the entry says.

use crate::keyring::Keyring;
use crate::provider::Devices;
use crate::sm2::Engine;
use std::path::Path;

mod change; // statuses in keyring.toml
mod create; // a fresh key and its entry
mod demo; // throw-away key folders
mod entries; // keyring.toml
pub(crate) mod files; // reading and writing with the right permissions
mod held; // the keys one by one
pub(crate) mod material; // from a key's file to the key
mod source; // looked at again and again

pub use change::{Applied, Change, Changes};
pub(crate) use create::made;
pub use create::{Created, NewKey, create, import};
pub use demo::{DemoKey, DemoKeys, DemoLink, generate_demo};
pub use entries::Encoding;
pub use held::{Held, Material, held};
pub use source::{Mark, OpenFolder, Source};

/// Why a key folder was refused: file, entry, rule.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {detail}")]
pub struct StoreError {
    pub file: String,
    pub detail: String,
}

impl StoreError {
    pub(crate) fn new(file: &Path, detail: impl Into<String>) -> Self {
        Self {
            file: file.display().to_string(),
            detail: detail.into(),
        }
    }
}

/// Loads and wholly checks a key folder. Private and secret files must be mode 0600 (or stricter).
pub fn load(folder: &Path) -> Result<Keyring, StoreError> {
    load_for(folder, Engine::default())
}

/// As `load`, with the keys prepared for a chosen engine.
pub fn load_for(folder: &Path, engine: Engine) -> Result<Keyring, StoreError> {
    load_with(folder, engine, &Devices::default())
}

/// As `load_for`, with the devices that entries may name.
pub fn load_with(folder: &Path, engine: Engine, devices: &Devices) -> Result<Keyring, StoreError> {
    if crate::guarded::is_guarded(folder) {
        return Err(StoreError::new(
            folder,
            "is a guarded store, which a master key opens: name it in [keys.master]",
        ));
    }
    let list = folder.join(KEYRING_FILE);
    let text = files::read_public(&list)?;
    build(folder, &text, engine, devices)
}

/// The keyring of a list's text and the key files in a folder.
fn build(folder: &Path, text: &str, engine: Engine, devices: &Devices) -> Result<Keyring, StoreError> {
    let list = folder.join(KEYRING_FILE);
    let entries = entries::parse(text).map_err(|detail| StoreError::new(&list, detail))?;
    let mut builder = Keyring::builder().engine(engine);
    for listed in entries {
        // What only a device can open is checked where there is one.
        if devices.are_assumed() && listed.is_wrapped() {
            continue;
        }
        builder = material::read(listed, folder, devices)?.add_to(builder);
    }
    builder.build().map_err(|error| StoreError::new(&list, error.to_string()))
}

const KEYRING_FILE: &str = "keyring.toml";

#[cfg(test)]
mod tests;
