//! The keys of a folder one by one, for a tool that finds out why a message fails.
//!
//! Nothing is taken under them: what a gateway takes is decided by the keyring alone, which never tries several keys.

use super::{KEYRING_FILE, StoreError, entries, files, material};
use crate::key::KeyEntry;
use crate::keyring::KeyringBuilder;
use crate::legacy::{RsaPrivate, RsaPublic};
use crate::provider::{Devices, Placed};
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
    /// Private keys and MAC keys that lie in a device.
    Sm2Placed(PublicKey, Placed),
    RsaPlaced(RsaPublic, Placed),
    MacPlaced(Placed),
}

impl Material {
    /// A public half as the one of a private key in a device.
    pub(super) fn placed(self, placed: Placed) -> Self {
        match self {
            Self::Sm2Public(key) => Self::Sm2Placed(key, placed),
            Self::RsaPublic(key) => Self::RsaPlaced(key, placed),
            Self::Sm2Private(_)
            | Self::RsaPrivate(_)
            | Self::Secret(_)
            | Self::Sm2Placed(..)
            | Self::RsaPlaced(..)
            | Self::MacPlaced(_) => self,
        }
    }
}

/// Every key of a folder in the order of its list, whatever its status and validity.
pub fn held(folder: &Path, devices: &Devices) -> Result<Vec<Held>, StoreError> {
    let list = folder.join(KEYRING_FILE);
    let entries = entries::parse(&files::read_public(&list)?).map_err(|detail| StoreError::new(&list, detail))?;
    entries
        .into_iter()
        .map(|listed| material::read(listed, folder, devices))
        .collect()
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
            Material::Sm2Placed(key, placed) => builder.add_placed(self.entry, &key, placed),
            Material::RsaPlaced(key, placed) => builder.add_placed_rsa(self.entry, &key, placed),
            Material::MacPlaced(placed) => builder.add_placed_mac(self.entry, placed),
        }
    }
}
