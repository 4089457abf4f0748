//! SM4 by vector instructions of x86-64 (GFNI and AVX2), two groups of eight blocks side by side.
//!
//! GFNI computes an affine map of bits, and an inversion in AES's field followed by one; SM4's substitution is one of each
//! (Markku-Juhani Saarinen, "sm4ni", 2019, has the idea for AES's round instruction). Its twin is `sliced.rs`.
#![allow(
    unsafe_code,
    reason = "instructions that not every processor has: two to three times the speed of the plain form"
)]

use super::cipher::{self, Block, RoundKeys};
use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm_cvtsi128_si32, _mm_gf2p8affine_epi64_epi8, _mm_gf2p8affineinv_epi64_epi8, _mm_set1_epi64x,
    _mm256_gf2p8affine_epi64_epi8, _mm256_gf2p8affineinv_epi64_epi8, _mm256_or_si256, _mm256_set1_epi32, _mm256_set1_epi64x,
    _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_xor_si256,
};
use std::array::from_fn;
use std::mem::transmute;

/// Encrypts in place; false, and nothing done, where the processor cannot.
pub(super) fn run(keys: &RoundKeys, blocks: &mut [Block]) -> bool {
    let can = is_available();
    if can {
        // SAFETY: the processor has what the function is compiled for.
        unsafe { run_all(keys, blocks) }
    }
    can
}

/// `None` where the processor cannot.
pub(super) fn round_keys(key: &[u8; 16]) -> Option<RoundKeys> {
    // SAFETY: the processor has what the function is compiled for.
    is_available().then(|| unsafe { expand(key) })
}

/// Remembered after the first question.
fn is_available() -> bool {
    is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2")
}

#[target_feature(enable = "gfni,avx2")]
fn run_all(keys: &RoundKeys, blocks: &mut [Block]) {
    cipher::in_groups(blocks, |group| run_group(keys, group));
}

#[target_feature(enable = "gfni,avx2")]
fn expand(key: &[u8; 16]) -> RoundKeys {
    cipher::round_keys(key, |word| substitute_word(word))
}

#[target_feature(enable = "gfni,avx2")]
#[inline]
fn run_group(keys: &RoundKeys, blocks: &mut [Block; 16]) {
    let load = |half: usize| from_fn(|word| from_lanes(from_fn(|lane| blocks[8 * half + lane][word])));
    let (mut a, mut b): ([__m256i; 4], [__m256i; 4]) = (load(0), load(1));
    for key in keys.as_chunks().0 {
        four_rounds(key, &mut a, &mut b);
    }
    for (half, words) in [a, b].into_iter().enumerate() {
        let words = words.map(into_lanes);
        for lane in 0..8 {
            blocks[8 * half + lane] = from_fn(|word| words[3 - word][lane]);
        }
    }
}

#[target_feature(enable = "gfni,avx2")]
#[inline]
fn four_rounds(keys: &[u32; 4], a: &mut [__m256i; 4], b: &mut [__m256i; 4]) {
    for (round, key) in keys.iter().enumerate() {
        let key = _mm256_set1_epi32(key.cast_signed());
        for words in [&mut *a, &mut *b] {
            let word = |offset: usize| words[(round + offset) % 4];
            let sum = xor(xor(word(1), word(2)), xor(word(3), key));
            words[round] = xor(words[round], mix(substitute(sum)));
        }
    }
}

#[target_feature(enable = "gfni,avx2")]
#[inline]
fn substitute(bytes: __m256i) -> __m256i {
    let inner = _mm256_gf2p8affine_epi64_epi8::<INNER_CONSTANT>(bytes, _mm256_set1_epi64x(INNER));
    _mm256_gf2p8affineinv_epi64_epi8::<OUTER_CONSTANT>(inner, _mm256_set1_epi64x(OUTER))
}

#[target_feature(enable = "gfni,avx2")]
#[inline]
fn substitute_word(word: u32) -> u32 {
    let word = _mm_cvtsi32_si128(word.cast_signed());
    let inner = _mm_gf2p8affine_epi64_epi8::<INNER_CONSTANT>(word, _mm_set1_epi64x(INNER));
    let outer = _mm_gf2p8affineinv_epi64_epi8::<OUTER_CONSTANT>(inner, _mm_set1_epi64x(OUTER));
    _mm_cvtsi128_si32(outer).cast_unsigned()
}

/// L of GB/T 32907 6.2, as B ^ B<<<24 ^ (B ^ B<<<8 ^ B<<<16)<<<2.
#[target_feature(enable = "gfni,avx2")]
#[inline]
fn mix(b: __m256i) -> __m256i {
    let by_8 = rotate_bytes::<8>(b);
    let by_16 = rotate_bytes::<16>(b);
    let three = xor(b, xor(by_8, by_16));
    let by_2 = _mm256_or_si256(_mm256_slli_epi32::<2>(three), _mm256_srli_epi32::<30>(three));
    xor(xor(b, rotate_bytes::<24>(b)), by_2)
}

/// Each word rotated left by whole bytes.
#[target_feature(enable = "gfni,avx2")]
#[inline]
fn rotate_bytes<const BITS: u8>(words: __m256i) -> __m256i {
    let order = 0x0302_0100_u32.rotate_left(u32::from(BITS));
    let orders = [0, 0x0404_0404, 0x0808_0808, 0x0c0c_0c0c].map(|start| order + start);
    _mm256_shuffle_epi8(words, from_lanes(from_fn(|lane| orders[lane % 4])))
}

#[target_feature(enable = "gfni,avx2")]
#[inline]
fn xor(a: __m256i, b: __m256i) -> __m256i {
    _mm256_xor_si256(a, b)
}

#[inline]
fn from_lanes(lanes: [u32; 8]) -> __m256i {
    // SAFETY: both are 32 bytes, and any bytes are a value of either.
    unsafe { transmute(lanes) }
}

#[inline]
fn into_lanes(vector: __m256i) -> [u32; 8] {
    // SAFETY: as above.
    unsafe { transmute(vector) }
}

/// Before the inversion: rows of the matrix from bit 7 down in bytes from the lowest up, and what is added.
const INNER: i64 = 0x46f7_5404_4817_78b9;
const INNER_CONSTANT: i32 = 0xfe;

/// After it.
const OUTER: i64 = 0x07d7_52e1_41e5_7d65;
const OUTER_CONSTANT: i32 = 0xd3;
