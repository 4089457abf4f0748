//! What institutions outside the SM suite still name: RSA (PKCS #1), AES, DES, SHA-1, SHA-2, MD5 and MACs made of them.
//!
//! Only a spec and a keyring that name one of these reach it; SM2, SM3 and SM4 are the default everywhere. Which crate does
//! what, and why, is in `docs/algorithms.md`. No encoding of signatures or messages is here: that belongs to `codecs`.

pub mod aead; // AES-GCM, and SM4-GCM under a key that is agreed as text
pub mod aes; // AES in CBC and ECB
mod block; // block modes and padding over any cipher
pub mod des; // triple DES as messages use it
pub mod digest; // MD5, SHA-1, SHA-256
mod hedged; // randomness that a broken source does not spoil
pub mod mac; // HMAC-SHA256, digests with a key behind the text, block ciphers over a terminal message
pub mod master; // keys that wrap other keys, and check values
mod rsa; // PKCS #1 signatures and wrapping
pub mod sm4_ecb; // SM4 in ECB
pub mod zero_padded; // CBC with a zero IV and zero padding

pub use rsa::{RSA_BITS_MAX, RSA_BITS_MIN, RsaPadding, RsaPrivate, RsaPublic, RsaScheme, RsaSign};

#[cfg(test)]
mod tests;
