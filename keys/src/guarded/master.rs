//! The master key, and what is wrapped under it.
//!
//! The key itself wraps nothing: for each store a wrapping key is derived from it. A wrapped key names in its additional data
//! what the key is for, so that no file can take another's place.

use super::record::HEADER;
use super::shares::{self, Share};
use crate::error::CryptoError;
use crate::hex;
use crate::key::KeyEntry;
use crate::sm3::HmacSm3;
use crate::sm4::Sm4Gcm;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// 32 bytes over all keys of a store. No `Debug`, no `Clone`; wiped when dropped.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    pub fn generate(rng: &mut dyn CryptoRng) -> Result<Self, CryptoError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(CryptoError::Random);
        }
        Ok(Self(bytes))
    }

    /// From 64 hex digits, with blanks around them.
    pub fn from_hex(text: &str) -> Result<Self, CryptoError> {
        let bytes = hex::decode(text.trim_ascii()).ok_or(CryptoError::Key)?;
        Self::from_slice(&bytes)
    }

    /// One line, for a file of mode 0600.
    pub fn danger_to_hex(&self) -> Zeroizing<String> {
        let digits = Zeroizing::new(hex::encode(self.0.as_slice()));
        Zeroizing::new([digits.as_str(), "\n"].concat())
    }

    /// Tells whether this is the master key of a store, and nothing else about it.
    pub fn check(&self, store: &str) -> String {
        let tag = Zeroizing::new(self.derived("check", store));
        hex::encode(&tag[..16])
    }

    /// Shares of which `threshold` give the key again.
    pub fn split(&self, store: &str, threshold: u8, count: u8, rng: &mut dyn CryptoRng) -> Result<Vec<Share>, CryptoError> {
        shares::split(self.0.as_slice(), store, threshold, count, rng)
    }

    pub fn combine(parts: &[Share]) -> Result<Self, CryptoError> {
        Self::from_slice(&shares::combine(parts)?)
    }

    /// Nonce, ciphertext and tag as one line of text.
    pub(super) fn wrap(&self, store: &str, entry: &KeyEntry, clear: &[u8], rng: &mut dyn CryptoRng) -> String {
        let mut nonce = [0; 12];
        rng.fill_bytes(&mut nonce);
        let (sealed, tag) = self.wrapping(store).seal(&nonce, bound(store, entry).as_bytes(), clear);
        format!(
            "{WRAPPED} {} {} {}\n",
            hex::encode(&nonce),
            hex::encode(&sealed),
            hex::encode(&tag)
        )
    }

    pub(super) fn unwrap(&self, store: &str, entry: &KeyEntry, text: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let rest = text.strip_prefix(WRAPPED).and_then(|rest| rest.strip_suffix('\n'));
        let mut parts = rest.ok_or(CryptoError::Ciphertext)?.split(' ').skip(1).map(hex::decode);
        let mut part = || parts.next().flatten().ok_or(CryptoError::Ciphertext);
        let (nonce, sealed, tag) = (part()?, part()?, part()?);
        let nonce = nonce.as_slice().try_into().map_err(|_| CryptoError::Ciphertext)?;
        let tag = tag.as_slice().try_into().map_err(|_| CryptoError::Ciphertext)?;
        let opened = self
            .wrapping(store)
            .open(nonce, bound(store, entry).as_bytes(), &sealed, tag)?;
        Ok(Zeroizing::new(opened))
    }

    fn wrapping(&self, store: &str) -> Sm4Gcm {
        let derived = Zeroizing::new(self.derived("wrapping", store));
        let mut key = Zeroizing::new([0; 16]);
        key.copy_from_slice(&derived[..16]);
        Sm4Gcm::new(&key)
    }

    fn derived(&self, label: &str, store: &str) -> [u8; 32] {
        HmacSm3::new(self.0.as_slice()).tag(&[HEADER.as_bytes(), b"\n", label.as_bytes(), b"\n", store.as_bytes()])
    }

    fn from_slice(bytes: &[u8]) -> Result<Self, CryptoError> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return Err(CryptoError::Key);
        }
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }
}

/// What a wrapped key is tied to: everything about it that never changes. None of it holds a line feed.
fn bound(store: &str, entry: &KeyEntry) -> String {
    let parts = [
        WRAPPED,
        store,
        &entry.id,
        &entry.link,
        entry.side.name(),
        entry.usage.name(),
        entry.algorithm.name(),
        &entry.serial,
    ];
    parts.join("\n")
}

const WRAPPED: &str = "hangu-wrapped-key 1";
