//! Block modes and paddings that institutions name, over any block cipher. Callers choose; nothing here knows a message.

use crate::error::CryptoError;
use cbc::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser};
use subtle::{ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};

/// Encrypts whole blocks, each by itself.
pub(super) fn encrypt_ecb<C: BlockCipherEncrypt>(cipher: &C, bytes: &mut [u8]) -> Result<(), CryptoError> {
    each_block::<C>(bytes, |block| cipher.encrypt_block(block))
}

pub(super) fn decrypt_ecb<C: BlockCipherDecrypt>(cipher: &C, bytes: &mut [u8]) -> Result<(), CryptoError> {
    each_block::<C>(bytes, |block| cipher.decrypt_block(block))
}

/// Encrypts whole blocks, each xored with the ciphertext before it; the first with `iv`.
pub(super) fn encrypt_cbc<C: BlockCipherEncrypt>(cipher: &C, iv: &Block<C>, bytes: &mut [u8]) -> Result<(), CryptoError> {
    let mut previous = iv.clone();
    each_block::<C>(bytes, |block| {
        xor(block, &previous);
        cipher.encrypt_block(block);
        previous.clone_from(block);
    })
}

pub(super) fn decrypt_cbc<C: BlockCipherDecrypt>(cipher: &C, iv: &Block<C>, bytes: &mut [u8]) -> Result<(), CryptoError> {
    let mut previous = iv.clone();
    each_block::<C>(bytes, |block| {
        let ciphertext = block.clone();
        cipher.decrypt_block(block);
        xor(block, &previous);
        previous = ciphertext;
    })
}

/// All blocks xored into one, the last filled up with zeroes.
pub(super) fn folded<C: BlockSizeUser>(bytes: &[u8]) -> Block<C> {
    let mut folded = Block::<C>::default();
    for chunk in bytes.chunks(C::block_size()) {
        xor(&mut folded, chunk);
    }
    folded
}

pub(super) fn xor(target: &mut [u8], other: &[u8]) {
    for (byte, other) in target.iter_mut().zip(other) {
        *byte ^= other;
    }
}

/// Appends PKCS #7 padding: 1 to `block_bytes` bytes, each saying how many they are.
pub(super) fn pad_pkcs7(clear: &[u8], block_bytes: u8) -> Vec<u8> {
    let size = usize::from(block_bytes);
    let whole = (clear.len() / size + 1) * size;
    let filling = u8::try_from(whole - clear.len()).unwrap_or(block_bytes);
    let mut padded = Vec::with_capacity(whole);
    padded.extend_from_slice(clear);
    padded.resize(whole, filling);
    padded
}

/// How many bytes are left when PKCS #7 padding is taken off. Read in constant time, so that neither the error nor its time
/// tells which byte was wrong.
pub(super) fn unpadded_pkcs7(padded: &[u8], block_bytes: u8) -> Result<usize, CryptoError> {
    let size = usize::from(block_bytes);
    let start = padded.len().checked_sub(size).ok_or(CryptoError::Ciphertext)?;
    let (_, block) = padded.split_at(start);
    let length = *block.last().ok_or(CryptoError::Ciphertext)?;
    let mut valid = length.ct_gt(&0) & !length.ct_gt(&block_bytes);
    for (distance, byte) in (0u8..).zip(block.iter().rev()) {
        valid &= !distance.ct_lt(&length) | byte.ct_eq(&length);
    }
    if bool::from(valid) {
        padded.len().checked_sub(usize::from(length)).ok_or(CryptoError::Ciphertext)
    } else {
        Err(CryptoError::Ciphertext)
    }
}

/// Fills up with zeroes to whole blocks; what is whole stays as it is.
pub(super) fn pad_zero(clear: &[u8], block_bytes: usize) -> Vec<u8> {
    let whole = clear.len().div_ceil(block_bytes) * block_bytes;
    let mut padded = Vec::with_capacity(whole);
    padded.extend_from_slice(clear);
    padded.resize(whole, 0);
    padded
}

fn each_block<C: BlockSizeUser>(bytes: &mut [u8], mut step: impl FnMut(&mut Block<C>)) -> Result<(), CryptoError> {
    if !bytes.len().is_multiple_of(C::block_size()) {
        return Err(CryptoError::Ciphertext);
    }
    for chunk in bytes.chunks_exact_mut(C::block_size()) {
        step(chunk.try_into().map_err(|_| CryptoError::Ciphertext)?);
    }
    Ok(())
}
