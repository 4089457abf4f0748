//! The block cipher of GB/T 32907: key schedule, and many blocks at a time by what the processor offers.
//!
//! No branch and no address depends on a key or a block.

use super::sliced;
#[cfg(target_arch = "x86_64")]
use super::vector;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Four words, the first from the first four bytes, big-endian.
pub(super) type Block = [u32; 4];

pub(super) type RoundKeys = [u32; 32];

/// Wiped when dropped; no `Debug`, no `Clone`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Cipher {
    keys: RoundKeys,
}

impl Cipher {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(keys) = vector::round_keys(key) {
            return Self { keys };
        }
        Self {
            keys: round_keys(key, sliced::substitute_word),
        }
    }

    /// Encrypts each block in place. All that are at hand should come in one call.
    pub(super) fn encrypt(&self, blocks: &mut [Block]) {
        #[cfg(target_arch = "x86_64")]
        if vector::run(&self.keys, blocks) {
            return;
        }
        self.encrypt_sliced(blocks);
    }

    #[cfg(test)]
    pub(super) fn has_keys(&self, keys: &RoundKeys) -> bool {
        self.keys == *keys
    }

    pub(super) fn encrypt_sliced(&self, blocks: &mut [Block]) {
        in_groups(blocks, |group| sliced::run(&self.keys, group));
    }
}

/// Runs on groups of N blocks; the last one is filled up.
#[expect(clippy::inline_always, reason = "carries the features of its caller")]
#[inline(always)]
pub(super) fn in_groups<const N: usize>(blocks: &mut [Block], run: impl Fn(&mut [Block; N])) {
    let (groups, rest) = blocks.as_chunks_mut();
    groups.iter_mut().for_each(&run);
    if !rest.is_empty() {
        let mut group = [Block::default(); N];
        group[..rest.len()].copy_from_slice(rest);
        run(&mut group);
        rest.copy_from_slice(&group[..rest.len()]);
    }
}

/// GB/T 32907 7.3, over any form of the substitution.
#[expect(clippy::inline_always, reason = "carries the features of its caller")]
#[inline(always)]
pub(super) fn round_keys(key: &[u8; 16], substitute: impl Fn(u32) -> u32) -> RoundKeys {
    let mut words = words(key);
    for (word, system) in words.iter_mut().zip(SYSTEM) {
        *word ^= system;
    }
    let mut keys = [0; 32];
    for (round, key) in keys.iter_mut().enumerate() {
        let [first, second, third, fourth] = words;
        let b = substitute(second ^ third ^ fourth ^ FIXED[round]);
        *key = first ^ b ^ b.rotate_left(13) ^ b.rotate_left(23);
        words = [second, third, fourth, *key];
    }
    words.zeroize();
    keys
}

pub(super) fn words(bytes: &[u8; 16]) -> Block {
    let (words, _) = bytes.as_chunks();
    [0, 1, 2, 3].map(|at: usize| u32::from_be_bytes(words[at]))
}

/// FK.
const SYSTEM: Block = [0xa3b1_bac6, 0x56aa_3350, 0x677d_9197, 0xb270_22dc];

/// CK: byte j of word i is (4i + j) * 7 modulo 256.
const FIXED: RoundKeys = {
    let mut fixed = [0; 32];
    let (mut at, mut byte) = (0, 0u8);
    while at < 4 * 32 {
        fixed[at / 4] = (fixed[at / 4] << 8) | byte as u32;
        byte = byte.wrapping_add(7);
        at += 1;
    }
    fixed
};
