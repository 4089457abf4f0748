//! Digital envelopes of a link: an SM4 key, wrapped for one receiver, and what may be kept of it.
//!
//! Unless a policy says otherwise every message has an envelope of its own. With one, a wrapped key serves several messages that
//! follow each other, and the unwrapped keys of envelopes just seen are kept: within bounds of messages, entries and time, and
//! always for one receiver's key only. No clock and no random source is here; both are arguments. What is dropped is wiped.

use crate::error::CryptoError;
use crate::keyring::Usable;
use crate::sm2::{Ciphertext, Unwrap, Wrap};
use crate::sm4::Sm4Gcm;
use rand_core::CryptoRng;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

mod kept; // unwrapped keys, for a while

use kept::Kept;

/// What may be reused on a link. The default is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reuse {
    /// Messages that one wrapped key serves, at least 1.
    pub messages_max: u32,
    /// Unwrapped keys that are kept.
    pub kept_max: usize,
    /// How long either is used, from the moment it was made.
    pub age_max: Duration,
}

impl Default for Reuse {
    fn default() -> Self {
        Self {
            messages_max: 1,
            kept_max: 0,
            age_max: Duration::ZERO,
        }
    }
}

/// The envelopes of one link. Lives in the keyring: another keyring begins with none.
#[derive(Default)]
pub struct Envelopes {
    reuse: Reuse,
    sent: Mutex<Option<Sent>>,
    kept: Mutex<Kept>,
}

impl Envelopes {
    pub(crate) fn new(reuse: Reuse) -> Self {
        Self {
            reuse,
            ..Self::default()
        }
    }

    /// The key to seal one message with.
    pub fn outbound(
        &self,
        receiver: &Usable<'_, dyn Wrap>,
        now: OffsetDateTime,
        rng: &mut dyn CryptoRng,
    ) -> Result<Arc<Envelope>, CryptoError> {
        if self.reuse.messages_max <= 1 {
            return Envelope::new(receiver.key, rng).map(Arc::new);
        }
        let mut sent = locked(&self.sent);
        if let Some(sent) = sent.as_mut().filter(|sent| sent.serves(receiver, now, &self.reuse)) {
            sent.messages += 1;
            return Ok(sent.envelope.clone());
        }
        // Before the next one is made, so that nothing stays if that fails.
        *sent = None;
        let envelope = Arc::new(Envelope::new(receiver.key, rng)?);
        *sent = Some(Sent {
            receiver: receiver.info.fingerprint.clone(),
            envelope: envelope.clone(),
            since: now,
            messages: 1,
        });
        Ok(envelope)
    }

    /// The key that was wrapped for us. The caller has found that our private key may be used now.
    pub fn inbound(
        &self,
        ours: &Usable<'_, dyn Unwrap>,
        wrapped: &Ciphertext,
        now: OffsetDateTime,
    ) -> Result<Arc<Sm4Gcm>, CryptoError> {
        if self.reuse.kept_max == 0 {
            return unwrapped(ours.key, wrapped).map(Arc::new);
        }
        let name = kept::name(ours.info, wrapped);
        if let Some(key) = locked(&self.kept).find(&name, now, &self.reuse) {
            return Ok(key);
        }
        // Not under the lock: others need not wait for a multiplication.
        let key = Arc::new(unwrapped(ours.key, wrapped)?);
        locked(&self.kept).keep(name, key.clone(), now, &self.reuse);
        Ok(key)
    }
}

/// A wrapped key and its prepared form.
pub struct Envelope {
    wrapped: Ciphertext,
    cipher: Sm4Gcm,
    nonces: AtomicU64,
}

/// A value sealed under an envelope's key.
pub struct Sealed {
    pub nonce: [u8; 12],
    pub ciphertext: Vec<u8>,
    pub tag: [u8; 16],
}

impl Envelope {
    fn new(receiver: &dyn Wrap, rng: &mut dyn CryptoRng) -> Result<Self, CryptoError> {
        let mut key = Zeroizing::new([0; 16]);
        rng.fill_bytes(key.as_mut_slice());
        Ok(Self {
            wrapped: receiver.wrap(key.as_slice(), rng)?,
            cipher: Sm4Gcm::new(&key),
            nonces: AtomicU64::new(0),
        })
    }

    pub const fn wrapped(&self) -> &Ciphertext {
        &self.wrapped
    }

    /// Seals under a nonce of its own, and refuses once so many were drawn under this key that two might be equal.
    pub fn seal(&self, additional: &[u8], clear: &[u8], rng: &mut dyn CryptoRng) -> Result<Sealed, CryptoError> {
        if self.nonces.fetch_add(1, Ordering::Relaxed) >= NONCES_MAX {
            return Err(CryptoError::TooLong);
        }
        let mut nonce = [0; 12];
        rng.fill_bytes(&mut nonce);
        let (ciphertext, tag) = self.cipher.seal(&nonce, additional, clear);
        Ok(Sealed { nonce, ciphertext, tag })
    }
}

/// The envelope under which the last message went.
struct Sent {
    receiver: String,
    envelope: Arc<Envelope>,
    since: OffsetDateTime,
    messages: u32,
}

impl Sent {
    fn serves(&self, receiver: &Usable<'_, dyn Wrap>, now: OffsetDateTime, reuse: &Reuse) -> bool {
        self.receiver == receiver.info.fingerprint
            && self.messages < reuse.messages_max
            && is_young(self.since, now, reuse)
            && self.envelope.nonces.load(Ordering::Relaxed) < NONCES_MAX / 2
    }
}

/// A clock that was set back ends reuse too.
fn is_young(since: OffsetDateTime, now: OffsetDateTime, reuse: &Reuse) -> bool {
    since <= now && now - since < reuse.age_max
}

/// The key in an envelope, with nothing kept of it.
pub fn unwrapped(ours: &dyn Unwrap, wrapped: &Ciphertext) -> Result<Sm4Gcm, CryptoError> {
    let secret = ours.unwrap(wrapped)?;
    let key = secret.danger_expose().try_into().map_err(|_| CryptoError::Ciphertext)?;
    Ok(Sm4Gcm::new(key))
}

/// Who panicked while holding it left a whole value behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Random nonces of 96 bits under one key (NIST SP 800-38D 8.3 allows 2^32). The second half is for the fields of messages that
/// share the key at one moment.
const NONCES_MAX: u64 = 1 << 31;

#[cfg(test)]
mod tests;
