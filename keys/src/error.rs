//! Errors of this package. None carries secret bytes.

use crate::provider::DeviceFault;

/// A cryptographic check or computation failed. The variants are coarse so that they give an attacker no oracle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CryptoError {
    #[error("signature does not verify")]
    Signature,
    #[error("ciphertext does not open")]
    Ciphertext,
    #[error("not a valid key")]
    Key,
    #[error("random source failed")]
    Random,
    #[error("input empty or too long")]
    TooLong,
    /// The key lies in a device, and the device did not do it. Says nothing of the message.
    #[error("the device that holds the key {0}")]
    Device(#[from] DeviceFault),
}

/// Which key was wanted and why there is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    #[error("no key of link {link} has serial {serial} for {usage}")]
    UnknownSerial {
        link: String,
        usage: &'static str,
        serial: String,
    },
    #[error("key {id} is {status} and may not be used")]
    Unusable { id: String, status: &'static str },
    #[error("key {id} is outside its validity")]
    Expired { id: String },
    #[error("link {link} has no primary key for {usage}")]
    NoPrimary { link: String, usage: &'static str },
    #[error("key {id} is of algorithm {algorithm}, but the message asks for {wanted}")]
    Algorithm {
        id: String,
        algorithm: &'static str,
        wanted: &'static str,
    },
}
