//! The search of a row by vector instructions of x86-64 (AVX2): left to itself the compiler makes single words of it, with a
//! branch on the mask if it may. Its twin is `search::find_plain`.
#![allow(
    unsafe_code,
    reason = "instructions that not every processor has: a fifth of the time of a search"
)]

use super::limbs::{Limbs, opaque};
use super::point::Affine;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_cmpeq_epi32, _mm256_extract_epi64, _mm256_or_si256, _mm256_set_epi64x,
    _mm256_set1_epi32, _mm256_setzero_si256,
};

/// `None` where the processor cannot.
#[inline]
pub(super) fn find(row: &[Affine], index: u64) -> Option<Affine> {
    // SAFETY: the processor has what the function is compiled for.
    is_x86_feature_detected!("avx2").then(|| unsafe { search(row, opaque(index)) })
}

#[expect(clippy::cast_possible_truncation, reason = "an index has a few bits")]
#[target_feature(enable = "avx2")]
fn search(row: &[Affine], index: u64) -> Affine {
    let wanted = _mm256_set1_epi32(index as i32);
    let (mut at, one) = (_mm256_setzero_si256(), _mm256_set1_epi32(1));
    let (mut x, mut y) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    for entry in row {
        let mask = _mm256_cmpeq_epi32(at, wanted);
        at = _mm256_add_epi32(at, one);
        let (entry_x, entry_y) = entry.stored();
        x = _mm256_or_si256(x, _mm256_and_si256(mask, packed(entry_x)));
        y = _mm256_or_si256(y, _mm256_and_si256(mask, packed(entry_y)));
    }
    Affine::from_stored(unpacked(x), unpacked(y))
}

#[target_feature(enable = "avx2")]
#[inline]
fn packed(limbs: Limbs) -> __m256i {
    let [l0, l1, l2, l3] = limbs.map(u64::cast_signed);
    _mm256_set_epi64x(l3, l2, l1, l0)
}

#[target_feature(enable = "avx2")]
#[inline]
fn unpacked(limbs: __m256i) -> Limbs {
    [
        _mm256_extract_epi64::<0>(limbs),
        _mm256_extract_epi64::<1>(limbs),
        _mm256_extract_epi64::<2>(limbs),
        _mm256_extract_epi64::<3>(limbs),
    ]
    .map(i64::cast_unsigned)
}
