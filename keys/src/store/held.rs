//! The keys of a folder one by one, for a tool that finds out why a message fails.
//!
//! Nothing is taken under them: what a gateway takes is decided by the keyring alone, which never tries several keys.

use super::{KEYRING_FILE, StoreError, entries, files, material};
use crate::key::KeyEntry;
use crate::keyring::KeyringBuilder;
use crate::legacy::{RsaPrivate, RsaPublic};
use crate::secret::Secret;
use crate::sm2::{PrivateKey, PublicKey};
use std::path::Path;

/// One key with its description. Has no `Debug` and no `Clone`.
pub struct Held {
    pub entry: KeyEntry,
    pub material: Material,
}

/// The key itself.
pub enum Material {
    Sm2Private(Box<PrivateKey>),
    Sm2Public(PublicKey),
    RsaPrivate(Box<RsaPrivate>),
    RsaPublic(RsaPublic),
    Secret(Secret),
}

/// Every key of a folder in the order of its list, whatever its status and validity.
pub fn held(folder: &Path) -> Result<Vec<Held>, StoreError> {
    let list = folder.join(KEYRING_FILE);
    let entries = entries::parse(&files::read_public(&list)?).map_err(|detail| StoreError::new(&list, detail))?;
    entries.into_iter().map(|listed| material::read(listed, folder)).collect()
}

impl Held {
    /// Files it in a keyring, which checks it.
    #[must_use]
    pub fn add_to(self, builder: KeyringBuilder) -> KeyringBuilder {
        match self.material {
            Material::Sm2Private(key) => builder.add_private(self.entry, &key),
            Material::Sm2Public(key) => builder.add_public(self.entry, &key),
            Material::RsaPrivate(key) => builder.add_rsa_private(self.entry, *key),
            Material::RsaPublic(key) => builder.add_rsa_public(self.entry, key),
            Material::Secret(secret) => builder.add_secret(self.entry, secret.danger_expose()),
        }
    }
}
