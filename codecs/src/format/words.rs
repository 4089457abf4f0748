//! Bytes looked at eight at a time.

/// Where the first of some bytes stands, looked for in eight bytes at a time.
pub(super) fn first_of<const N: usize>(bytes: &[u8], wanted: [u8; N]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest mark is exact: a borrow can only set one above a byte that is found.
        let found = wanted.iter().fold(0, |found, &b| {
            let same = word ^ (u64::from(b) * LOW_BITS);
            found | (same.wrapping_sub(LOW_BITS) & !same & HIGH_BITS)
        });
        if found != 0 {
            return Some(at * 8 + (found.trailing_zeros() / 8) as usize);
        }
    }
    let at = rest.iter().position(|b| wanted.contains(b))?;
    Some(bytes.len() - rest.len() + at)
}

/// Whether any byte is below a bound of ASCII, eight at a time.
pub(super) fn any_below(bytes: &[u8], bound: u8) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let bounds = u64::from(bound) * LOW_BITS;
    // A borrow can only mark a byte above one that is below the bound itself.
    let below = words.iter().fold(0, |below, word| {
        let word = u64::from_le_bytes(*word);
        below | (word.wrapping_sub(bounds) & !word)
    });
    below & HIGH_BITS != 0 || rest.iter().any(|&b| b < bound)
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_agree_with_looking_at_each_byte() {
        let alphabet = [
            0, 0x1f, b' ', b'!', b'%', b'&', b'\'', b';', b'<', b'=', 0x7f, 0x80, 0x9f, 0xa6, 0xbc, 0xff,
        ];
        let mut state = 1_u32;
        for length in (0..40).cycle().take(4_000) {
            let drawn = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                alphabet.get((state >> 28) as usize).copied().unwrap_or_default()
            };
            let bytes: Vec<u8> = (0..length).map(drawn).collect();
            let first = bytes.iter().position(|b| matches!(b, b'<' | b'&'));
            assert_eq!(first_of(&bytes, [b'<', b'&']), first, "{bytes:02x?}");
            let visible = bytes.get(first.unwrap_or_default()..).unwrap_or_default();
            assert_eq!(any_below(visible, b' '), visible.iter().any(|&b| b < b' '), "{visible:02x?}");
        }
    }
}
