//! Hostile ciphertexts: both engines open the same and refuse the same.

use super::*;
use crate::sm2::native::Native;
use crate::sm2::reference::Reference;
use crate::sm2::testing::{awkward, base, cases, random};

/// Both engines' unwrappers of the standard's key.
struct Pair {
    native: Unwrapper<Native>,
    reference: Unwrapper<Reference>,
}

impl Pair {
    fn new() -> Self {
        let key = gmt_key();
        Self {
            native: Unwrapper::new(&key),
            reference: Unwrapper::new(&key),
        }
    }

    fn verdict(&self, ciphertext: &Ciphertext) -> Result<Vec<u8>, CryptoError> {
        let opened = |secret: Secret| secret.danger_expose().to_vec();
        let native = self.native.unwrap(ciphertext).map(opened);
        assert_eq!(native, self.reference.unwrap(ciphertext).map(opened), "{ciphertext:x?}");
        native
    }
}

/// A ciphertext that opens, whatever point C1 is, if it is one: made with the private key.
fn closed(c1: [u8; 64], clear: &[u8]) -> Option<Ciphertext> {
    let d = Number::from_repr((*gmt_key().danger_bytes()).into()).unwrap();
    let shared = shared_point(&key::affine(&c1)?.into(), &d);
    let (c3, c2) = kdf::close(&Zeroizing::new(shared), clear)?;
    Some(Ciphertext { c1, c3, c2 })
}

#[test]
fn points_off_the_curve_are_refused_by_both() {
    let (pair, mut points) = (Pair::new(), 0);
    let some = standard().c1;
    for x in awkward() {
        for y in awkward().into_iter().step_by(61).chain([some[32..].try_into().unwrap()]) {
            for c1 in [[x, y], [y, x]].map(|pair| pair.concat().try_into().unwrap()) {
                let expected = closed(c1, b"clear text");
                let ciphertext = expected.clone().unwrap_or_else(|| Ciphertext { c1, ..standard() });
                let verdict = pair.verdict(&ciphertext);
                assert_eq!(verdict.is_ok(), expected.is_some(), "{c1:x?}");
                points += u32::from(expected.is_some());
            }
        }
    }
    assert!(points < 10, "awkward coordinates are hardly ever points: {points}");
}

/// Small multiples of G and their opposites, where formulas meet equal and opposite points.
#[test]
fn awkward_points_open() {
    let pair = Pair::new();
    for multiple in (1..80u64).map(Number::from).flat_map(|k| [k, -k]) {
        let ciphertext = closed(base(&multiple).unwrap(), b"clear text").unwrap();
        assert_eq!(pair.verdict(&ciphertext), Ok(b"clear text".to_vec()));
        let flipped = Ciphertext {
            c3: ciphertext.c3.map(|byte| !byte),
            ..ciphertext
        };
        assert_eq!(pair.verdict(&flipped), Err(CryptoError::Ciphertext));
    }
}

#[test]
fn both_close_and_open_alike() {
    let (pair, mut rng) = (Pair::new(), SeededRng::new(40));
    let (native, reference) = (
        Wrapper::<Native>::new(&gmt_public()),
        Wrapper::<Reference>::new(&gmt_public()),
    );
    for case in 0..cases(400) {
        let (k, clear) = (random(&mut rng), random(&mut rng));
        let clear = &clear[..=usize::from(clear[0] % 32)];
        let ciphertext = native.wrap_drawn(clear, &mut Listed(vec![k]));
        let expected = reference.wrap_drawn(clear, &mut Listed(vec![k]));
        assert_eq!(ciphertext, expected, "seed 40, case {case}");
        let Ok(mut ciphertext) = ciphertext else { continue };
        assert_eq!(pair.verdict(&ciphertext), Ok(clear.to_vec()), "seed 40, case {case}");
        match k[0] % 3 {
            0 => ciphertext.c1[usize::from(k[1] % 64)] ^= 1 << (k[2] % 8),
            1 => ciphertext.c3[usize::from(k[1] % 32)] ^= 1 << (k[2] % 8),
            _ => ciphertext.c2[0] ^= 1 << (k[2] % 8),
        }
        assert_eq!(
            pair.verdict(&ciphertext),
            Err(CryptoError::Ciphertext),
            "seed 40, case {case}"
        );
    }
}
