//! SM4 (GB/T 32907): GCM (RFC 8998) and CBC with PKCS#7 padding.

mod cbc; // the chained mode
mod cipher; // blocks, and which form runs them
mod gcm; // the mode that seals
mod sbox; // the substitution as a circuit
mod sliced; // plain form
#[cfg(target_arch = "x86_64")]
mod vector; // the same by vector instructions

pub use cbc::Sm4Cbc;
pub use gcm::Sm4Gcm;

#[cfg(test)]
mod tests;
