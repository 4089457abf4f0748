//! Base64 of signatures and ciphertexts, strictly: no white space, no other alphabet, no stray bits.

/// Strict base64 with padding: no white space, no other alphabet, no stray bits.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    if !is_base64(text) {
        return None;
    }
    let bytes = text.as_bytes();
    let quads = bytes.as_chunks::<4>().0;
    let mut decoded = vec![0; quads.len() * 3];
    // What is decoded are signatures and ciphertexts, which are no secrets: a table may be asked for their characters.
    for (quad, three) in quads.iter().zip(decoded.as_chunks_mut::<3>().0) {
        let bits = quad.iter().fold(0, |bits, &b| bits << 6 | u32::from(sextet(b) & 63));
        let [_, first, second, third] = bits.to_be_bytes();
        *three = [first, second, third];
    }
    decoded.truncate(decoded.len() - padding(bytes));
    Some(decoded)
}

fn padding(bytes: &[u8]) -> usize {
    bytes.iter().rev().take(2).take_while(|&&b| b == b'=').count()
}

/// Whether `decode` would succeed, without decoding: length, alphabet, padding, no stray bits.
pub(crate) fn is_base64(text: &str) -> bool {
    let bytes = text.as_bytes();
    let padding = padding(bytes);
    let Some((last, rest)) = bytes.get(..bytes.len() - padding).and_then(<[u8]>::split_last) else {
        return bytes.is_empty();
    };
    let stray = match padding {
        0 => 0,
        1 => 0b11,
        _ => 0b1111,
    };
    bytes.len().is_multiple_of(4)
        && rest.iter().fold(0, |found, &b| found | sextet(b)) < NO_SEXTET
        && sextet(*last) & (stray | NO_SEXTET) == 0
}

/// Value of a character of the base64 alphabet (RFC 4648 clause 4); `NO_SEXTET` for any other.
fn sextet(byte: u8) -> u8 {
    SEXTETS.get(usize::from(byte)).copied().unwrap_or(NO_SEXTET)
}

const NO_SEXTET: u8 = 0x80;
static SEXTETS: [u8; 256] = sextets();

const fn sextets() -> [u8; 256] {
    let mut table = [NO_SEXTET; 256];
    let mut byte = 0u8;
    while byte < 128 {
        #[expect(clippy::indexing_slicing, reason = "a byte is an index of 256 places")]
        let place = &mut table[byte as usize];
        *place = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => NO_SEXTET,
        };
        byte += 1;
    }
    table
}

/// With padding (RFC 4648 clause 4).
pub(crate) fn encode(bytes: &[u8]) -> String {
    let (triples, rest) = bytes.as_chunks::<3>();
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for &three in triples {
        text.extend_from_slice(&quad(three));
    }
    let last = match *rest {
        [first] => Some((quad([first, 0, 0]), 2)),
        [first, second] => Some((quad([first, second, 0]), 3)),
        _ => None,
    };
    if let Some((quad, kept)) = last {
        text.extend(quad.into_iter().take(kept).chain([b'='; 2]).take(4));
    }
    // Its bytes are of the alphabet.
    String::from_utf8(text).unwrap_or_default()
}

fn quad([first, second, third]: [u8; 3]) -> [u8; 4] {
    let bits = u32::from_be_bytes([0, first, second, third]);
    [18, 12, 6, 0].map(|shift| {
        let [sextet, ..] = (bits >> shift).to_le_bytes();
        ALPHABET.get(usize::from(sextet & 63)).copied().unwrap_or_default()
    })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
