//! An officer's own key: a file that the officer keeps, with an SM2 private key under a passphrase (Argon2id, SM4-GCM).

use super::change::{Officer, Role};
use super::record::{Kind, Signed};
use super::refusal::Refusal;
use super::rules::is_name;
use crate::error::CryptoError;
use crate::hex;
use crate::secret::Secret;
use crate::sm2::{Ciphertext, DEFAULT_USER_ID, Engine, PrivateKey};
use crate::sm4::Sm4Gcm;
use argon2::{Algorithm, Argon2, Params, Version};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// An opened officer's key. No `Debug`, no `Clone`; wiped when dropped.
pub struct OfficerKey {
    name: String,
    key: PrivateKey,
}

/// What Argon2id costs (RFC 9106): memory in KiB, passes, lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Default for Cost {
    /// The second choice of RFC 9106 4, for machines without 2 GiB to spare.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 4,
        }
    }
}

/// The file, as TOML.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: String,
    name: String,
    public_key: String,
    salt: String,
    nonce: String,
    /// d, then the tag.
    sealed: String,
    argon2id: Cost,
}

impl OfficerKey {
    pub fn generate(name: &str, rng: &mut dyn CryptoRng) -> Result<Self, Refusal> {
        if !is_name(name) {
            return Err(Refusal::Officers(format!(
                "{name} needs a name of letters, digits, `-`, `_` and `.`"
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            key: PrivateKey::generate(rng).map_err(of_crypto)?,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// x || y in hex.
    pub fn public_key(&self) -> String {
        hex::encode(&self.key.public().point())
    }

    pub fn officer(&self, roles: BTreeSet<Role>) -> Officer {
        Officer {
            name: self.name.clone(),
            public_key: self.public_key(),
            roles,
        }
    }

    pub fn sign(&self, kind: Kind, content: &str, rng: &mut dyn CryptoRng) -> Result<Signed, CryptoError> {
        let signer = Engine::default().signer(&self.key, DEFAULT_USER_ID)?;
        let signature = signer.sign(kind.signed_text(content).as_bytes(), rng)?;
        Ok(Signed {
            officer: self.name.clone(),
            signature: hex::encode(&signature),
        })
    }

    pub(super) fn open(&self, ciphertext: &Ciphertext) -> Result<Secret, CryptoError> {
        Engine::default().unwrapper(&self.key).unwrap(ciphertext)
    }

    /// The text of the officer's file.
    pub fn to_file(&self, passphrase: &str, cost: Cost, rng: &mut dyn CryptoRng) -> Result<String, Refusal> {
        if passphrase.chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(Refusal::Form(format!(
                "a passphrase has at least {PASSPHRASE_CHARS_MIN} characters"
            )));
        }
        let (mut salt, mut nonce) = ([0; 16], [0; 12]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut nonce);
        let mut file = KeyFile {
            format: FORMAT.to_owned(),
            name: self.name.clone(),
            public_key: self.public_key(),
            salt: hex::encode(&salt),
            nonce: hex::encode(&nonce),
            sealed: String::new(),
            argon2id: cost,
        };
        let (sealed, tag) = cipher(passphrase, &salt, cost)?.seal(&nonce, file.bound().as_bytes(), &*self.key.danger_bytes());
        file.sealed = hex::encode(&[sealed.as_slice(), &tag].concat());
        toml::to_string(&file).map_err(|error| Refusal::Form(error.to_string()))
    }

    pub fn from_file(text: &str, passphrase: &str) -> Result<Self, Refusal> {
        let unreadable = || Refusal::Form("is no officer's key file of a version that this program reads".to_owned());
        let file: KeyFile = toml::from_str(text).map_err(|_| unreadable())?;
        if file.format != FORMAT {
            return Err(unreadable());
        }
        let bytes = |digits: &str| hex::decode(digits).ok_or_else(unreadable);
        let (salt, nonce, sealed) = (bytes(&file.salt)?, bytes(&file.nonce)?, bytes(&file.sealed)?);
        let nonce = nonce.as_slice().try_into().map_err(|_| unreadable())?;
        let (sealed, tag) = sealed.split_last_chunk().ok_or_else(unreadable)?;
        let opened = cipher(passphrase, &salt, file.argon2id)?.open(nonce, file.bound().as_bytes(), sealed, tag);
        let opened =
            Zeroizing::new(opened.map_err(|_| Refusal::Form("does not open: another passphrase, or altered".to_owned()))?);
        let d: &[u8; 32] = opened.as_slice().try_into().map_err(|_| unreadable())?;
        Ok(Self {
            name: file.name,
            key: PrivateKey::from_bytes(d).map_err(of_crypto)?,
        })
    }
}

impl KeyFile {
    /// Everything but what is sealed: nobody can put another name or a lower cost over the same key.
    fn bound(&self) -> String {
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = self.argon2id;
        let (name, public_key, salt) = (&self.name, &self.public_key, &self.salt);
        format!("{FORMAT}\n{name}\n{public_key}\n{memory_kib}\n{passes}\n{lanes}\n{salt}")
    }
}

fn cipher(passphrase: &str, salt: &[u8], cost: Cost) -> Result<Sm4Gcm, Refusal> {
    // A file may not ask for more than a machine has.
    if cost.memory_kib > MEMORY_KIB_MAX || cost.passes > PASSES_MAX || cost.lanes > LANES_MAX {
        return Err(Refusal::Form("asks for more memory or time than is allowed".to_owned()));
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(16));
    let params = params.map_err(|error| Refusal::Form(error.to_string()))?;
    let mut key = Zeroizing::new([0; 16]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
        .map_err(|error| Refusal::Form(error.to_string()))?;
    Ok(Sm4Gcm::new(&key))
}

fn of_crypto(error: CryptoError) -> Refusal {
    Refusal::Form(error.to_string())
}

/// Shorter ones are guessed, whatever a guess costs.
pub const PASSPHRASE_CHARS_MIN: usize = 12;

const FORMAT: &str = "hangu-officer-key 1";
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 16;
