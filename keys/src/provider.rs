//! What a key store does with secrets that do not leave it: the seam for devices (PKCS #11, GM/T 0018).
//!
//! A `Provider` is one session of such a store; its calls block, and only a `Device`'s own threads make them. `Placed` is a key
//! of it, `keys.rs` gives such a key the traits that a key from a file has, so that nobody who signs or opens knows where the
//! key lies. A device's trouble is `CryptoError::Device` and nothing else: it never looks like a signature that does not verify.

use crate::legacy::RsaPadding;
use crate::secret::Secret;
use crate::sm2::{Ciphertext, Signature};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

mod keys; // a device's keys behind the traits of keys from files
mod password; // offered once, never again while it is the same
mod pool; // threads, sessions, calls that hang
mod wrapped; // a secret in a file, under a key of a device

pub use keys::{DeviceMac, Placed, Probe};
pub(crate) use keys::{DeviceRsaSigner, DeviceSigner, DeviceUnwrapper};
pub use password::DevicePassword;
pub use pool::{Device, Health};
pub(crate) use wrapped::open_text;
pub use wrapped::{WrapScheme, seal_for, seal_for_rsa};

/// One session with a key store. What a store cannot do it need not name.
pub trait Provider {
    /// SM2 over e of GB/T 32918.2, made by the caller.
    fn sign_sm2(&mut self, _label: &str, _e: &[u8; 32]) -> Result<Signature, DeviceFault> {
        Err(DeviceFault::Unsupported)
    }

    /// An envelope of GB/T 32918.4; clear text only if C3 fits.
    fn unwrap_sm2(&mut self, _label: &str, _ciphertext: &Ciphertext) -> Result<Secret, DeviceFault> {
        Err(DeviceFault::Unsupported)
    }

    /// A PKCS #1 signature of type 1 over what it is to pad: a `DigestInfo`, or bytes without one.
    fn sign_rsa(&mut self, _label: &str, _content: &[u8]) -> Result<Vec<u8>, DeviceFault> {
        Err(DeviceFault::Unsupported)
    }

    /// A data key under our RSA key. Only OAEP is ever asked for: an error for wrong v1.5 padding would be an oracle.
    fn unwrap_rsa(&mut self, _label: &str, _padding: RsaPadding, _ciphertext: &[u8]) -> Result<Secret, DeviceFault> {
        Err(DeviceFault::Unsupported)
    }

    fn hmac_sha256(&mut self, _label: &str, _text: &[u8]) -> Result<Vec<u8>, DeviceFault> {
        Err(DeviceFault::Unsupported)
    }

    /// AES-GCM: ciphertext, then 16 bytes of tag.
    fn wrap_secret(&mut self, _label: &str, _nonce: [u8; 12], _clear: &[u8]) -> Result<Vec<u8>, DeviceFault> {
        Err(DeviceFault::Unsupported)
    }

    /// What `wrap_secret` made.
    fn unwrap_secret(&mut self, _label: &str, _nonce: [u8; 12], _wrapped: &[u8]) -> Result<Secret, DeviceFault> {
        Err(DeviceFault::Unsupported)
    }

    /// SM2 public halves that the store gives out: x then y.
    fn public_sm2(&mut self, _label: &str, _is_signing: bool) -> Result<[u8; 64], DeviceFault> {
        Err(DeviceFault::Unsupported)
    }

    /// Fills with the device's random bytes.
    fn random(&mut self, _target: &mut [u8]) -> Result<(), DeviceFault> {
        Err(DeviceFault::Unsupported)
    }
}

/// Opens sessions with one store. Called again whenever a session is lost.
pub trait Open: Send + Sync {
    fn open(&self) -> Result<Box<dyn Provider>, DeviceFault>;
}

/// Why a device did not do what was asked of it. Says nothing of the message in hand, which therefore stays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum DeviceFault {
    /// No library, no device, no session, or lost within a call.
    #[error("cannot be reached")]
    Gone,
    /// It is not offered again while it is the same, because devices count wrong ones and lock.
    #[error("refuses the password")]
    Denied,
    #[error("has no such key, or more than one")]
    NoKey,
    #[error("does not do this with this key")]
    Unsupported,
    /// By the device's own number.
    #[error("answers with error {0:#010x}")]
    Code(u64),
    #[error("did not answer in time")]
    Hung,
    #[error("has more calls waiting than may wait")]
    Busy,
    /// What it gave does not verify under the public half that the keyring has.
    #[error("gave a result that does not fit the key's public half")]
    Wrong,
}

impl DeviceFault {
    /// A word for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Denied => "denied",
            Self::NoKey => "no_key",
            Self::Unsupported => "unsupported",
            Self::Code(_) => "code",
            Self::Hung => "hung",
            Self::Busy => "busy",
            Self::Wrong => "wrong",
        }
    }

    /// Whether the device as a whole is away, not one key or one call.
    const fn is_away(self) -> bool {
        match self {
            Self::Gone | Self::Denied | Self::Hung | Self::Busy => true,
            Self::NoKey | Self::Unsupported | Self::Code(_) | Self::Wrong => false,
        }
    }
}

/// How much of a device is used at once, and how long a call may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Sessions, each on a thread of its own.
    pub sessions: usize,
    /// From the question to the answer, waiting for a session included.
    pub call: Duration,
}

/// The devices that a configuration names, by name.
#[derive(Clone, Default)]
pub struct Devices {
    named: BTreeMap<String, Arc<Device>>,
    /// Stands for every name, and cannot be reached.
    assumed: Option<Arc<Device>>,
}

impl Devices {
    pub fn of(devices: impl IntoIterator<Item = Device>) -> Self {
        let named = |device: Device| (device.name().to_owned(), Arc::new(device));
        Self {
            named: devices.into_iter().map(named).collect(),
            assumed: None,
        }
    }

    /// For looking at a list of keys where no configuration says what its devices are.
    pub(crate) fn assumed() -> Self {
        let limits = Limits {
            sessions: 1,
            call: Duration::ZERO,
        };
        Self {
            named: BTreeMap::new(),
            assumed: Some(Arc::new(Device::new("assumed", limits, Nowhere))),
        }
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Device>> {
        self.named.get(name).or(self.assumed.as_ref())
    }

    /// Ends the threads of every device. Nothing is asked of them after that.
    pub fn close(&self) {
        self.named.values().for_each(|device| device.close());
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Device>> {
        self.named.values()
    }

    pub(crate) fn are_assumed(&self) -> bool {
        self.assumed.is_some()
    }
}

struct Nowhere;

impl Open for Nowhere {
    fn open(&self) -> Result<Box<dyn Provider>, DeviceFault> {
        Err(DeviceFault::Gone)
    }
}

#[cfg(test)]
pub(crate) mod soft; // a store in memory that fails as it is told
#[cfg(test)]
mod tests;
