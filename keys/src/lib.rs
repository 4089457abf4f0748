//! Every secret and no layout: SM2, SM3, SM4, what older institutions name beside them, key files and the keyring.
//!
//! Read in this order.

pub mod algorithm; // what a key is a key of, and which are weak
pub mod announcement; // keys that one side of a link announces to the other
pub mod certificate; // X.509: public keys and serial numbers
pub mod chain; // from a certificate to an authority that counts
pub mod envelope; // wrapped SM4 keys, and what is reused of them
pub mod error; // what can go wrong with a key or a computation
pub mod guarded; // the store that officers keep: a log of proposals, wrapped keys
pub mod hex; // key files, digests and fingerprints as text
pub mod intake; // the forms in which keys are handed over
pub mod key; // a key's description: owner, usage, serial, status, validity
pub mod keyring; // which key signs, verifies, seals, opens
pub mod legacy; // RSA, AES, DES, SHA, MD5 for institutions that name them
mod pem; // PEM blocks as they come
pub mod pkcs11; // devices by PKCS #11
pub mod provider; // keys that lie in devices, and what a device is asked for
pub mod request; // certificate requests
pub mod revocation; // which certificates count no more
pub mod rotation; // the stages from one key to the next
pub mod sdf; // devices by GM/T 0018
pub mod secret; // bytes that are wiped, never printed, never cloned
pub mod sm2; // GB/T 32918: traits, protocol, native and reference engine
pub mod sm3; // GB/T 32905 digest and HMAC
pub mod sm4; // GB/T 32907 block cipher in GCM and CBC
pub mod store; // keyring.toml and PEM files

#[cfg(test)]
mod testing; // vectors and random sources that several tests share
