//! The symmetric half of SM2 encryption: key derivation, mask and C3 (GB/T 32918.4 5.4.3, 6.1, 7.1). No curve arithmetic.

use super::WRAP_BYTES_MAX;
use super::reveal::reveal;
use crate::error::CryptoError;
use crate::secret::Secret;
use crate::sm3::sm3;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// x2 || y2, the coordinates of [k]P or [d]C1.
pub(crate) type Shared = Zeroizing<[u8; 64]>;

/// Refuses what an engine should not spend a scalar multiplication on.
pub(crate) fn check_length(length: usize) -> Result<(), CryptoError> {
    if (1..=WRAP_BYTES_MAX).contains(&length) {
        Ok(())
    } else {
        Err(CryptoError::TooLong)
    }
}

/// Gives (C3, C2), or `None` when the mask is all zero and another k must be drawn (step A5).
pub(crate) fn close(shared: &Shared, clear: &[u8]) -> Option<([u8; 32], Vec<u8>)> {
    let mask = mask(shared, clear.len());
    if reveal(is_zero(&mask)) {
        return None;
    }
    Some((check(shared, clear), xor(&mask, clear)))
}

/// Releases the clear bytes only if C3 fits; otherwise they are wiped unseen. All errors are one.
pub(crate) fn open(shared: &Shared, c3: &[u8; 32], c2: &[u8]) -> Result<Secret, CryptoError> {
    let mask = mask(shared, c2.len());
    let mut clear = Zeroizing::new(xor(&mask, c2));
    let fits = check(shared, &clear).ct_eq(c3) & !is_zero(&mask);
    if !reveal(fits) {
        return Err(CryptoError::Ciphertext);
    }
    Ok(Secret::new(std::mem::take(&mut *clear)))
}

/// KDF(x2 || y2, length): SM3 over a 32-bit counter from 1.
fn mask(shared: &Shared, length: usize) -> Zeroizing<Vec<u8>> {
    let mut mask = Zeroizing::new(vec![0; length]);
    for (counter, part) in (1u32..).zip(mask.chunks_mut(32)) {
        let block = Zeroizing::new(sm3(&[shared.as_slice(), &counter.to_be_bytes()]));
        part.copy_from_slice(&block[..part.len()]);
    }
    mask
}

/// C3 = SM3(x2 || M || y2).
fn check(shared: &Shared, clear: &[u8]) -> [u8; 32] {
    let (x, y) = shared.split_at(32);
    sm3(&[x, clear, y])
}

fn xor(mask: &[u8], bytes: &[u8]) -> Vec<u8> {
    mask.iter().zip(bytes).map(|(mask, byte)| mask ^ byte).collect()
}

fn is_zero(bytes: &[u8]) -> Choice {
    bytes.iter().fold(0, |all, byte| all | byte).ct_eq(&0)
}
