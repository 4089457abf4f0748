//! Key files: a folder with `keyring.toml` and PEM (PKCS#8, SPKI) or hex secret files.
//!
//! `keyring.toml` is a list of `[[key]]` tables with `id`, `link`, `side`, `usage`, `serial`, `status`, `not_before`,
//! `not_after`, `file`, and if wanted `user_id` and `algorithm`. Nothing is filled in or guessed; whatever is unknown is refused.

use crate::hex;
use crate::key::{KeyEntry, Side};
use crate::keyring::{Keyring, KeyringBuilder};
use crate::sm2::{Engine, PrivateKey, PublicKey};
use std::path::Path;
use zeroize::Zeroizing;

mod demo; // throw-away key folders
mod entries; // keyring.toml
mod files; // reading and writing with the right permissions

pub use demo::generate_demo;

/// Why a key folder was refused: file, entry, rule.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {detail}")]
pub struct StoreError {
    pub file: String,
    pub detail: String,
}

impl StoreError {
    fn new(file: &Path, detail: impl Into<String>) -> Self {
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
    let list = folder.join(KEYRING_FILE);
    let text = files::read_public(&list)?;
    let entries = entries::parse(&text).map_err(|detail| StoreError::new(&list, detail))?;
    let mut builder = Keyring::builder().engine(engine);
    for listed in entries {
        let file = folder.join(&listed.file);
        builder = add(builder, listed.entry, &file)?;
    }
    builder.build().map_err(|error| StoreError::new(&list, error.to_string()))
}

fn add(builder: KeyringBuilder, entry: KeyEntry, file: &Path) -> Result<KeyringBuilder, StoreError> {
    let refuse = |rule: &str| StoreError::new(file, format!("key {} {rule}", entry.id));
    match entry.side {
        Side::Ours => {
            let key = PrivateKey::from_pem(&files::read_secret(file)?).map_err(|_| refuse(NOT_PRIVATE))?;
            Ok(builder.add_private(entry, &key))
        }
        Side::Theirs => {
            let key = PublicKey::from_pem(&files::read_public(file)?).map_err(|_| refuse(NOT_PUBLIC))?;
            Ok(builder.add_public(entry, &key))
        }
        Side::Shared => {
            let text: Zeroizing<String> = files::read_secret(file)?;
            let secret = hex::decode(text.trim_ascii()).ok_or_else(|| refuse(NOT_HEX))?;
            Ok(builder.add_secret(entry, &secret))
        }
    }
}

const KEYRING_FILE: &str = "keyring.toml";

const NOT_PRIVATE: &str =
    "needs an SM2 private key: PEM, `PRIVATE KEY` (PKCS#8) or `EC PRIVATE KEY` (SEC1), not encrypted, public half fitting";
const NOT_PUBLIC: &str = "needs an SM2 public key: PEM, `PUBLIC KEY` (SPKI), with a point on the curve";
const NOT_HEX: &str = "needs a secret written as hex digits on one line";

#[cfg(test)]
mod tests;
