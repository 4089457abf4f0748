//! Galois/Counter Mode (NIST SP 800-38D) with SM4 (RFC 8998): 12-byte nonces, 16-byte tags.

use super::cipher::{Block, Cipher};
use crate::error::CryptoError;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// SM4-GCM under one key.
pub struct Sm4Gcm {
    cipher: Cipher,
    hash: GHash,
}

impl Sm4Gcm {
    pub fn new(key: &[u8; 16]) -> Self {
        let cipher = Cipher::new(key);
        let mut zero = Zeroizing::new([Block::default()]);
        cipher.encrypt(zero.as_mut_slice());
        let mut subkey = Zeroizing::new([0; BLOCK_BYTES]);
        write(&zero[0], subkey.as_mut_slice());
        Self {
            cipher,
            hash: GHash::new((&*subkey).into()),
        }
    }

    /// Gives the ciphertext, as long as the clear bytes, and the tag. A nonce serves once under a key.
    pub fn seal(&self, nonce: &[u8; 12], additional: &[u8], clear: &[u8]) -> (Vec<u8>, [u8; 16]) {
        // What is returned then holds no clear byte and does not open.
        if too_long(clear) {
            return (Vec::new(), [0; 16]);
        }
        let mut bytes = clear.to_vec();
        let tag = self.seal_in_place(nonce, additional, &mut bytes);
        (bytes, tag)
    }

    /// Turns clear bytes into the ciphertext where they lie, and gives the tag. Too many of them are wiped and do not open.
    pub fn seal_in_place(&self, nonce: &[u8; 12], additional: &[u8], bytes: &mut [u8]) -> [u8; 16] {
        if too_long(bytes) {
            bytes.fill(0);
            return [0; 16];
        }
        let stream = Stream::new(&self.cipher, nonce, bytes.len());
        stream.apply(bytes);
        self.tag(&stream, additional, bytes)
    }

    pub fn open(&self, nonce: &[u8; 12], additional: &[u8], ciphertext: &[u8], tag: &[u8; 16]) -> Result<Vec<u8>, CryptoError> {
        if too_long(ciphertext) {
            return Err(CryptoError::Ciphertext);
        }
        let stream = Stream::new(&self.cipher, nonce, ciphertext.len());
        let expected = self.tag(&stream, additional, ciphertext);
        if !bool::from(expected.ct_eq(tag)) {
            return Err(CryptoError::Ciphertext);
        }
        let mut bytes = ciphertext.to_vec();
        stream.apply(&mut bytes);
        Ok(bytes)
    }

    /// GCTR over GHASH (7.1, steps 5 and 6).
    fn tag(&self, stream: &Stream<'_>, additional: &[u8], ciphertext: &[u8]) -> [u8; 16] {
        let mut hash = self.hash.clone();
        hash.update_padded(additional);
        hash.update_padded(ciphertext);
        let mut lengths = [0; BLOCK_BYTES];
        lengths[..8].copy_from_slice(&bits(additional));
        lengths[8..].copy_from_slice(&bits(ciphertext));
        hash.update(&[lengths.into()]);
        let mut tag: [u8; 16] = hash.finalize().into();
        mask(&mut tag, &stream.first[..1]);
        tag
    }
}

/// The encrypted counters of one message. Those of the tag and of the first bytes are computed together, as most sealed
/// values are short.
struct Stream<'a> {
    cipher: &'a Cipher,
    nonce: [u32; 3],
    first: Zeroizing<[Block; PIECE_BLOCKS]>,
}

impl<'a> Stream<'a> {
    fn new(cipher: &'a Cipher, nonce: &[u8; 12], length: usize) -> Self {
        let (words, _) = nonce.as_chunks();
        let nonce = [0, 1, 2].map(|at: usize| u32::from_be_bytes(words[at]));
        let mut first = Zeroizing::new([Block::default(); PIECE_BLOCKS]);
        let count = 1 + length.div_ceil(BLOCK_BYTES);
        count_up(cipher, nonce, 1, &mut first[..count.min(PIECE_BLOCKS)]);
        Self { cipher, nonce, first }
    }

    fn apply(&self, bytes: &mut [u8]) {
        let (start, rest) = bytes.split_at_mut(bytes.len().min(PIECE_BYTES - BLOCK_BYTES));
        mask(start, &self.first[1..]);
        let mut blocks = Zeroizing::new([Block::default(); PIECE_BLOCKS]);
        for (piece, counter) in rest.chunks_mut(PIECE_BYTES).zip((PIECE_COUNT + 1..).step_by(PIECE_BLOCKS)) {
            let blocks = &mut blocks[..piece.len().div_ceil(BLOCK_BYTES)];
            count_up(self.cipher, self.nonce, counter, blocks);
            mask(piece, blocks);
        }
    }
}

/// Encrypts the counters from one on.
fn count_up(cipher: &Cipher, [first, second, third]: [u32; 3], counter: u32, blocks: &mut [Block]) {
    for (block, counter) in blocks.iter_mut().zip(counter..) {
        *block = [first, second, third, counter];
    }
    cipher.encrypt(blocks);
}

fn mask(bytes: &mut [u8], stream: &[Block]) {
    for (bytes, block) in bytes.chunks_mut(BLOCK_BYTES).zip(stream) {
        let mut key = [0; BLOCK_BYTES];
        write(block, &mut key);
        for (byte, key) in bytes.iter_mut().zip(key) {
            *byte ^= key;
        }
    }
}

fn write(block: &Block, bytes: &mut [u8]) {
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(block) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
}

fn bits(bytes: &[u8]) -> [u8; 8] {
    (bytes.len() as u64 * 8).to_be_bytes()
}

/// Beyond it the counter would come back to its start (5.2.1.1).
const fn too_long(bytes: &[u8]) -> bool {
    bytes.len() as u64 > CLEAR_BYTES_MAX
}

const CLEAR_BYTES_MAX: u64 = (1 << 36) - 32;
const BLOCK_BYTES: usize = 16;
const PIECE_BLOCKS: usize = 32;
const PIECE_COUNT: u32 = 32;
const PIECE_BYTES: usize = PIECE_BLOCKS * BLOCK_BYTES;
