//! SM4 on 32 blocks at a time, bit by bit: plain Rust that a compiler turns into vector instructions, on any processor.
//!
//! Word w of the blocks is eight planes; plane p holds bit p of every byte of that word: byte j of block 8e + k is bit 8j + k
//! of element e. So a rotation of words by bytes is one of the elements, and by bits another order of planes. Elements do not
//! meet, and the innermost loops run over them: it is these that become vectors.

use super::cipher::{Block, RoundKeys};
use super::sbox::substitute;
use std::array::from_fn;

pub(super) const BLOCKS: usize = 8 * ELEMENTS;

/// The block cipher in place, under round keys in their order (or the other, which decrypts).
pub(super) fn run(keys: &RoundKeys, blocks: &mut [Block; BLOCKS]) {
    let mut words: [Planes; 4] = from_fn(|word| from_fn(|k| from_fn(|e| blocks[8 * e + k][word])));
    words.iter_mut().for_each(transpose);
    let [a, b, c, d] = &mut words;
    for [first, second, third, fourth] in keys.as_chunks().0 {
        round(a, [b, c, d], *first);
        round(b, [c, d, a], *second);
        round(c, [d, a, b], *third);
        round(d, [a, b, c], *fourth);
    }
    words.iter_mut().for_each(transpose);
    for (at, block) in blocks.iter_mut().enumerate() {
        *block = from_fn(|word| words[3 - word][at % 8][at / 8]);
    }
}

/// The substitution on the four bytes of one word, for the key schedule.
pub(super) fn substitute_word(word: u32) -> u32 {
    let bits = substitute(&from_fn(|p| word >> p & LOW_BITS));
    (0..).zip(bits).fold(0, |word, (p, bit)| word | (bit & LOW_BITS) << p)
}

type Planes = [[u32; ELEMENTS]; 8];

/// X ^ T(A ^ B ^ C ^ key) in place of X.
#[inline(never)]
fn round(x: &mut Planes, [a, b, c]: [&Planes; 3], key: u32) {
    // Bit p of each byte of the key, for all eight blocks of an element.
    let key: [u32; 8] = from_fn(|p| (key >> p & LOW_BITS).wrapping_mul(0xff));
    for e in 0..ELEMENTS {
        let mixed = mix(&substitute(&from_fn(|p| a[p][e] ^ b[p][e] ^ c[p][e] ^ key[p])));
        for (plane, mixed) in x.iter_mut().zip(mixed) {
            plane[e] ^= mixed;
        }
    }
}

/// L of GB/T 32907 6.2: B ^ B<<<2 ^ B<<<10 ^ B<<<18 ^ B<<<24. What is rotated by two bits comes from plane p - 2, or for the
/// lowest two from the byte below.
#[expect(clippy::inline_always, reason = "a call would end the vector")]
#[inline(always)]
fn mix(b: &[u32; 8]) -> [u32; 8] {
    from_fn(|p| {
        let source = b[(p + 6) % 8];
        let three = source ^ source.rotate_left(8) ^ source.rotate_left(16);
        let three = if p < 2 { three.rotate_left(8) } else { three };
        b[p] ^ b[p].rotate_left(24) ^ three
    })
}

/// Between words and planes, both ways: transposes the 8 x 8 bits of each byte by exchanging halves, quarters and bits (Warren,
/// "Hacker's Delight", 7-3).
#[expect(clippy::needless_range_loop, reason = "the loop that becomes a vector runs over two rows")]
fn transpose(rows: &mut Planes) {
    for (distance, mask) in [(1, 0x5555_5555), (2, 0x3333_3333), (4, 0x0f0f_0f0f)] {
        for low in (0..8).filter(|row| row & distance == 0) {
            for e in 0..ELEMENTS {
                let differing = (rows[low][e] >> distance ^ rows[low + distance][e]) & mask;
                rows[low][e] ^= differing << distance;
                rows[low + distance][e] ^= differing;
            }
        }
    }
}

const ELEMENTS: usize = 4;

/// The lowest bit of each byte.
const LOW_BITS: u32 = 0x0101_0101;
