//! A zlib stream (RFC 1950) of blocks that are stored and not compressed: every reader takes them, and statements are small.

/// The stream of some bytes.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut stream = HEADER.to_vec();
    let mut blocks = bytes.chunks(usize::from(u16::MAX)).peekable();
    if blocks.peek().is_none() {
        stream.extend(block(&[], true));
    }
    while let Some(part) = blocks.next() {
        stream.extend(block(part, blocks.peek().is_none()));
    }
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

/// RFC 1951 3.2.4: the final bit, the length and its complement, the bytes.
fn block(part: &[u8], is_last: bool) -> Vec<u8> {
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    [
        &[u8::from(is_last)][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        part,
    ]
    .concat()
}

/// RFC 1950 8.2.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    let (mut one, mut two) = (1_u32, 0_u32);
    for byte in bytes {
        one = (one + u32::from(*byte)) % MODULUS;
        two = (two + one) % MODULUS;
    }
    two << 16 | one
}

/// Deflate with a window of 32 KiB, at the lowest level.
const HEADER: [u8; 2] = [0x78, 0x01];
const MODULUS: u32 = 65_521;
