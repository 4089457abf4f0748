//! Working keys: what a sign-in hands out to a terminal under its master key. They live in memory alone and are wiped when they
//! are replaced; after a restart every terminal signs in again.
//!
//! A key that was handed out is only offered until a message authenticated with it has come: its answer may have been lost, or
//! a stranger may have asked for it. Until then the one before it stays in use.

use super::builder::secrets;
use super::{Keyring, MacKey};
use crate::algorithm::Algorithm;
use crate::error::{CryptoError, KeyError};
use crate::hex;
use crate::key::KeyInfo;
use crate::legacy::master::WrappedKey;
use crate::secret::Secret;
use rand_core::CryptoRng;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::OffsetDateTime;

/// The MAC key of a terminal that has signed in.
pub struct WorkingKey {
    key: MacKey,
    algorithm: Algorithm,
    /// Tells it from the terminal's other ones; its check value.
    pub mark: String,
    /// Fingerprint of the master key that it came under: it ends with that.
    master: String,
}

/// What a terminal gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandedOut {
    /// For PINs, which nobody here opens: it is not kept.
    pub pin: WrappedKey,
    pub mac: WrappedKey,
}

/// Why a working key is not handed out, or not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotHanded {
    #[error(transparent)]
    Master(#[from] KeyError),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    #[error("working key {0}")]
    Unfit(String),
}

/// By link and terminal.
#[derive(Default)]
pub(super) struct WorkingKeys(Mutex<BTreeMap<(String, String), Seat>>);

#[derive(Default)]
struct Seat {
    in_use: Option<Arc<WorkingKey>>,
    offered: Option<Arc<WorkingKey>>,
}

impl WorkingKey {
    /// The key, if it is of this algorithm.
    pub fn of(&self, wanted: Algorithm) -> Result<&MacKey, KeyError> {
        if self.algorithm == wanted {
            return Ok(&self.key);
        }
        Err(KeyError::Algorithm {
            id: self.mark.clone(),
            algorithm: self.algorithm.name(),
            wanted: wanted.name(),
        })
    }
}

impl Keyring {
    /// Draws fresh working keys for a terminal and offers the MAC key to it.
    pub fn hand_out(
        &self,
        link: &str,
        holder: &str,
        algorithm: Algorithm,
        now: OffsetDateTime,
        rng: &mut dyn CryptoRng,
    ) -> Result<HandedOut, NotHanded> {
        let master = self.sealer_with(link, holder, now)?;
        let wrapper = master.key.master()?;
        let [pin, mac] = [drawn(algorithm, rng)?, drawn(algorithm, rng)?];
        let handed = HandedOut {
            pin: wrapper.wrap(pin.danger_expose())?,
            mac: wrapper.wrap(mac.danger_expose())?,
        };
        let key = working_key(algorithm, &mac, &handed.mac.check, master.info)?;
        self.working.lock().entry(place(link, holder)).or_default().offered = Some(Arc::new(key));
        Ok(handed)
    }

    /// The terminal's side: takes a MAC key into use, if its check value is right.
    pub fn take_handed(
        &self,
        link: &str,
        holder: &str,
        algorithm: Algorithm,
        handed: &WrappedKey,
        now: OffsetDateTime,
    ) -> Result<(), NotHanded> {
        let master = self.sealer_with(link, holder, now)?;
        let mac = master.key.master()?.unwrap(&handed.wrapped, &handed.check)?;
        let key = working_key(algorithm, &mac, &handed.check, master.info)?;
        let seat = Seat {
            in_use: Some(Arc::new(key)),
            offered: None,
        };
        self.working.lock().insert(place(link, holder), seat);
        Ok(())
    }

    /// The MAC keys that a terminal may use: the one in use, then the one that it was offered. None while its master key may not
    /// be used.
    pub fn working(&self, link: &str, holder: &str, now: OffsetDateTime) -> Vec<Arc<WorkingKey>> {
        let Ok(master) = self.sealer_with(link, holder, now) else {
            return Vec::new();
        };
        let working = self.working.lock();
        let seat = working.get(&place(link, holder));
        let keys = seat.into_iter().flat_map(|seat| [&seat.in_use, &seat.offered]).flatten();
        keys.filter(|key| key.master == master.info.fingerprint).cloned().collect()
    }

    /// A message came under this key of the terminal: if it was only offered, it replaces the one in use.
    pub fn take_into_use(&self, link: &str, holder: &str, mark: &str) {
        let mut working = self.working.lock();
        let Some(seat) = working.get_mut(&place(link, holder)) else {
            return;
        };
        if let Some(offered) = seat.offered.take_if(|offered| offered.mark == mark) {
            seat.in_use = Some(offered);
        }
    }

    /// Goes on with the working keys of the keyring that this one replaces.
    #[must_use]
    pub fn with_working_of(mut self, other: &Self) -> Self {
        self.working = Arc::clone(&other.working);
        self
    }
}

impl WorkingKeys {
    /// Each change is whole, so a panicked holder does not spoil it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Seat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(link: &str, holder: &str) -> (String, String) {
    (link.to_owned(), holder.to_owned())
}

fn working_key(algorithm: Algorithm, mac: &Secret, check: &[u8], master: &KeyInfo) -> Result<WorkingKey, NotHanded> {
    Ok(WorkingKey {
        key: secrets::mac(algorithm, mac.danger_expose()).map_err(NotHanded::Unfit)?,
        algorithm,
        mark: hex::encode(check),
        master: master.fingerprint.clone(),
    })
}

/// A fresh key; those of DES with odd parity in each byte, which terminals may insist on.
fn drawn(algorithm: Algorithm, rng: &mut dyn CryptoRng) -> Result<Secret, CryptoError> {
    let bytes = algorithm.secret_bytes().ok_or(CryptoError::Key)?;
    let mut key = vec![0; bytes];
    rng.fill_bytes(&mut key);
    if key.iter().all(|byte| Some(byte) == key.first()) {
        return Err(CryptoError::Random);
    }
    if matches!(algorithm, Algorithm::CupEcbDes | Algorithm::CupEcbTripleDes) {
        for byte in &mut key {
            *byte = (*byte & 0xfe) | u8::from((*byte & 0xfe).count_ones() % 2 == 0);
        }
    }
    Ok(Secret::new(key))
}
