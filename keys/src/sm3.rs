//! SM3 (GB/T 32905) and HMAC-SM3 (GM/T 0042).

use crate::error::CryptoError;
use ::sm3::{Digest, Sm3};
use hmac::{Hmac, KeyInit, Mac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Digest of the parts in order.
pub fn sm3(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Sm3::new();
    for part in parts {
        state.update(part);
    }
    state.finalize().into()
}

/// A prepared HMAC-SM3 key (inner and outer states computed once).
pub struct HmacSm3 {
    keyed: Hmac<Sm3>,
}

impl HmacSm3 {
    pub fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        if key.len() > BLOCK_BYTES {
            block[..32].copy_from_slice(&*Zeroizing::new(sm3(&[key])));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        Self {
            keyed: Hmac::new((&*block).into()),
        }
    }

    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut state = self.keyed.clone();
        for part in parts {
            state.update(part);
        }
        state.finalize().into_bytes().into()
    }

    /// Constant-time check.
    pub fn check(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), CryptoError> {
        let expected = self.tag(parts);
        if bool::from(expected.as_slice().ct_eq(tag)) {
            Ok(())
        } else {
            Err(CryptoError::Signature)
        }
    }
}

/// Input block of SM3; a longer HMAC key is replaced by its digest (RFC 2104).
const BLOCK_BYTES: usize = 64;

#[cfg(test)]
mod tests;
