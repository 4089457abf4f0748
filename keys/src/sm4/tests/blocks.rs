//! The block cipher: the standard's vectors, and each form against the crate `sm4` and the crate `aes-gcm` over it.

use super::super::cipher::{Block, Cipher, round_keys, words};
use super::super::{Sm4Gcm, sliced};
use super::KEY;
use crate::testing::{SeededRng, hex};
use ::sm4::Sm4;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AeadInOut, AesGcm, KeyInit};
use cbc::cipher::BlockCipherEncrypt;
use rand_core::Rng;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// GB/T 32907 appendix A: once, and 1,000,000 times.
#[test]
fn blocks_of_the_standard() {
    let cipher = Cipher::new(&hex(KEY));
    let mut block = [words(&hex(KEY))];
    cipher.encrypt(&mut block);
    assert_eq!(block, [words(&hex("681edf34d206965e86b3e94f536e4246"))]);
    for _ in 1..1_000_000 {
        cipher.encrypt(&mut block);
    }
    assert_eq!(block, [words(&hex("595298c7c6fd271f0402f804c33d3f66"))]);
}

/// Every byte through the circuit, as the crate's key schedule and rounds see it: 256 keys and as many blocks.
#[test]
fn each_form_agrees_with_the_crate() {
    const SEED: u64 = 71;
    let mut rng = SeededRng::new(SEED);
    for length in 0..=100 {
        let mut key = [0; 16];
        rng.fill_bytes(&mut key);
        let clear: Vec<[u8; 16]> = (0..length).map(|_| random(&mut rng)).collect();
        let reference = Sm4::new(&key.into());
        let expected: Vec<Block> = clear.iter().map(|clear| words(&encrypted(&reference, *clear))).collect();
        let cipher = Cipher::new(&key);
        let (mut chosen, mut plain): (Vec<Block>, Vec<Block>) = clear.iter().map(|clear| (words(clear), words(clear))).unzip();
        cipher.encrypt(&mut chosen);
        cipher.encrypt_sliced(&mut plain);
        assert_eq!(chosen, expected, "{length} blocks, seed {SEED}");
        assert_eq!(plain, expected, "{length} blocks, seed {SEED}");
        assert!(cipher.has_keys(&round_keys(&key, sliced::substitute_word)), "seed {SEED}");
    }
}

fn random(rng: &mut SeededRng) -> [u8; 16] {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn encrypted(reference: &Sm4, clear: [u8; 16]) -> [u8; 16] {
    let mut block = clear.into();
    reference.encrypt_block(&mut block);
    block.into()
}

/// What the drop of a key does, seen on one that is still there.
#[test]
fn keys_are_wiped() {
    const fn wiped_when_dropped<T: ZeroizeOnDrop>(_: &T) {}
    let mut cipher = Cipher::new(&hex(KEY));
    wiped_when_dropped(&cipher);
    assert!(!cipher.has_keys(&[0; 32]));
    cipher.zeroize();
    assert!(cipher.has_keys(&[0; 32]));
}

/// Lengths around every boundary of blocks and pieces.
#[test]
fn gcm_agrees_with_the_crate() {
    const SEED: u64 = 72;
    let mut rng = SeededRng::new(SEED);
    for length in (0..=80).chain(470..=550).chain([1000, 1007, 1008, 1009, 2000, 5000]) {
        let (key, nonce): ([u8; 16], [u8; 12]) = (
            random(&mut rng),
            rng.next_u64().to_be_bytes().repeat(2)[..12].try_into().unwrap(),
        );
        let mut bytes = vec![0; length];
        rng.fill_bytes(&mut bytes);
        let additional = bytes[..length / 3].to_vec();
        let (ciphertext, tag) = Sm4Gcm::new(&key).seal(&nonce, &additional, &bytes);
        let opened = Sm4Gcm::new(&key).open(&nonce, &additional, &ciphertext, &tag);
        assert_eq!(opened.as_ref(), Ok(&bytes), "{length} bytes, seed {SEED}");
        let expected = AesGcm::<Sm4, U12, U16>::new(&key.into())
            .encrypt_inout_detached(&nonce.into(), &additional, bytes.as_mut_slice().into())
            .unwrap();
        assert_eq!((ciphertext, tag), (bytes, expected.into()), "{length} bytes, seed {SEED}");
    }
}
