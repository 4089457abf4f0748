//! SM2 (GB/T 32918, GM/T 0003): the traits behind which an engine or an HSM stands, the protocol, and two engines.
//!
//! No encoding of signatures or ciphertexts is here: DER and the layouts of institutions belong to `codecs`.

use crate::error::CryptoError;
use crate::secret::Secret;
use rand_core::CryptoRng;
use std::sync::Arc;

mod curve; // what the protocol asks of curve arithmetic
mod encrypt; // GB/T 32918.4, over any curve arithmetic
pub mod engine; // which implementation prepares a key
mod identity; // Z and e of GB/T 32918.2
mod kdf; // the mask and C3 of GB/T 32918.4
mod key; // key pairs and their PEM files
mod native; // our own curve arithmetic, fast
mod nonce; // k, hedged against a bad random source
mod otherwise; // how a counterparty signs that does it wrong
mod reference; // the crate `sm2`'s curve arithmetic
mod reveal; // the only door by which a secret may steer
mod sign; // GB/T 32918.2, over any curve arithmetic

pub use engine::Engine;
pub(crate) use key::is_on_curve;
pub use key::{PrivateKey, PublicKey};
pub use otherwise::Otherwise;
#[cfg(test)]
pub(crate) use sign::signed_e;

/// Z and e for a device, which signs e alone.
pub(crate) mod digest {
    pub(crate) use super::identity::{e, z};
}

/// Default user id of GM/T 0009.
pub const DEFAULT_USER_ID: &[u8] = b"1234567812345678";

/// Longest user id: its length in bits is carried in 16 bits (GB/T 32918.2 5.5).
pub const USER_ID_BYTES_MAX: usize = 8191;

/// Longest clear text that `Wrap` takes and `Unwrap` gives. SM2 is for keys and single fields, not for documents.
pub const WRAP_BYTES_MAX: usize = 4096;

/// r||s, 32 bytes each, big-endian.
pub type Signature = [u8; 64];

/// C1 (x||y), C3, C2 of GB/T 32918.4.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ciphertext {
    pub c1: [u8; 64],
    pub c3: [u8; 32],
    pub c2: Vec<u8>,
}

/// Signs under one prepared key and user id (Z and (1+d)^-1 computed once).
pub trait Sign: Send + Sync {
    fn sign(&self, message: &[u8], rng: &mut dyn CryptoRng) -> Result<Signature, CryptoError>;
}

impl<T: Sign + ?Sized> Sign for Arc<T> {
    fn sign(&self, message: &[u8], rng: &mut dyn CryptoRng) -> Result<Signature, CryptoError> {
        (**self).sign(message, rng)
    }
}

/// Verifies under one prepared public key and user id (Z computed once).
pub trait Verify: Send + Sync {
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), CryptoError>;
}

/// Encrypts short secrets (data keys) for one public key.
pub trait Wrap: Send + Sync {
    fn wrap(&self, clear: &[u8], rng: &mut dyn CryptoRng) -> Result<Ciphertext, CryptoError>;
}

/// Decrypts what `Wrap` made for our private key; the clear text is released only after C3 fits.
pub trait Unwrap: Send + Sync {
    fn unwrap(&self, ciphertext: &Ciphertext) -> Result<Secret, CryptoError>;
}

impl<T: Unwrap + ?Sized> Unwrap for Arc<T> {
    fn unwrap(&self, ciphertext: &Ciphertext) -> Result<Secret, CryptoError> {
        (**self).unwrap(ciphertext)
    }
}

#[cfg(test)]
pub(crate) mod memcheck; // tells valgrind which bytes are secret
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
