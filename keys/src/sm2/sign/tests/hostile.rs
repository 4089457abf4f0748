//! Hostile signatures, in the manner of Wycheproof: both engines give the same verdict, and where it can be told, the right one.

use super::*;
use crate::sm2::native::Native;
use crate::sm2::reference::Reference;
use crate::sm2::testing::{awkward, awkward_scalars, base, bytes, cases, number, random};

/// Both engines' verifiers of one key, and its private half.
struct Pair {
    d: Number,
    native: Verifier<Native>,
    reference: Verifier<Reference>,
}

impl Pair {
    fn new(d: Number) -> Self {
        let key = PublicKey::from_point(&base(&d).unwrap()).unwrap();
        Self {
            d,
            native: Verifier::new(&key, DEFAULT_USER_ID).unwrap(),
            reference: Verifier::new(&key, DEFAULT_USER_ID).unwrap(),
        }
    }

    fn verdict(&self, e: &[u8; 32], r: &[u8; 32], s: &[u8; 32]) -> bool {
        let signature = [*r, *s].concat().try_into().unwrap();
        let native = self.native.verify_digest(e, &signature);
        assert_eq!(native, self.reference.verify_digest(e, &signature), "{e:x?} {r:x?} {s:x?}");
        native.is_some()
    }

    /// The e for which (r, s) is a signature: any r and s are, unless r + s or the sum of points is nothing.
    fn fitting(&self, r: &Number, s: &Number) -> Option<Number> {
        let t = *r + *s;
        let x: [u8; 32] = base(&(*s + t * self.d))?[..32].try_into().unwrap();
        (t != Number::ZERO).then(|| *r - number(&x))
    }
}

/// Keys at which s G and t P meet: G itself, its opposite, small multiples; and one like any other.
fn pairs() -> Vec<Pair> {
    let small = [1u64, 2, 255].map(Number::from);
    let mut keys: Vec<_> = small.iter().flat_map(|d| [*d, -*d]).collect();
    keys.push(d());
    keys.into_iter().map(Pair::new).collect()
}

#[test]
fn signatures_made_for_awkward_values_verify_and_their_neighbours_do_not() {
    let scalars: Vec<_> = awkward_scalars().into_iter().step_by(31).collect();
    for pair in pairs() {
        for r in &scalars {
            for s in scalars.iter().step_by(3).chain([r]) {
                let Some(e) = pair.fitting(&number(r), &number(s)) else {
                    assert!(!pair.verdict(&[0; 32], r, s));
                    continue;
                };
                assert!(pair.verdict(&bytes(e), r, s), "{r:x?} {s:x?}");
                assert!(!pair.verdict(&bytes(e + Number::ONE), r, s), "{r:x?} {s:x?}");
            }
        }
    }
}

/// A value and what it is modulo n are not the same signature: nothing at n or above is let in.
#[test]
fn values_out_of_range_are_refused_by_both() {
    let n = hex::<32>(N);
    let (outside, inside): (Vec<_>, Vec<_>) = awkward().into_iter().partition(|value| *value == [0; 32] || *value >= n);
    let pair = Pair::new(d());
    for wrong in &outside {
        for right in inside.iter().step_by(41) {
            let e = pair.fitting(&number(wrong), &number(right)).map_or([0; 32], bytes);
            assert!(!pair.verdict(&e, wrong, right), "r {wrong:x?}");
            let e = pair.fitting(&number(right), &number(wrong)).map_or([0; 32], bytes);
            assert!(!pair.verdict(&e, right, wrong), "s {wrong:x?}");
        }
        assert!(!pair.verdict(&[0; 32], wrong, wrong));
    }
}

/// r + s = n for every key and any e: the key would not count.
#[test]
fn sums_of_n_are_refused_by_both() {
    for pair in pairs() {
        for s in awkward_scalars().into_iter().step_by(17) {
            let r = -number(&s);
            let x: [u8; 32] = base(&number(&s)).unwrap()[..32].try_into().unwrap();
            assert!(!pair.verdict(&bytes(r - number(&x)), &bytes(r), &s), "{s:x?}");
        }
    }
}

#[test]
fn verdicts_agree_on_broken_signatures() {
    let mut rng = SeededRng::new(39);
    let key = PrivateKey::from_bytes(&gmt_key().danger_bytes()).unwrap();
    let (native, reference) = (
        Signer::<Native>::new(&key, DEFAULT_USER_ID).unwrap(),
        Signer::<Reference>::new(&key, DEFAULT_USER_ID).unwrap(),
    );
    let pair = Pair::new(d());
    for case in 0..cases(600) {
        let (e, k) = (random(&mut rng), random(&mut rng));
        let signature = native.sign_drawn(&e, &mut Listed(vec![k]));
        let expected = reference.sign_drawn(&e, &mut Listed(vec![k]));
        assert_eq!(signature, expected, "seed 39, case {case}");
        let Ok(mut signature) = signature else { continue };
        for broken in [false, true] {
            if broken {
                let bit = usize::from(k[0]) << 1 | usize::from(k[1] & 1);
                signature[bit / 8] ^= 1 << (bit % 8);
            }
            let (r, s) = signature.split_at(32);
            let verdict = pair.verdict(&e, r.try_into().unwrap(), s.try_into().unwrap());
            assert_eq!(verdict, !broken, "seed 39, case {case}");
        }
    }
}
