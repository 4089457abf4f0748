#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::key::{KeyInfo, Side, Status, Usage};
use crate::keyring::Keyring;
use crate::secret::Secret;
use crate::sm2::PrivateKey;
use crate::testing::{NOW, SeededRng, entry};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;

mod receiving; // what is kept of envelopes that were unwrapped

const AGE: Duration = Duration::seconds(10);
const TICK: Duration = Duration::nanoseconds(1);

fn reuse(messages_max: u32, kept_max: usize) -> Reuse {
    Reuse {
        messages_max,
        kept_max,
        age_max: AGE,
    }
}

/// A keyring of one link whose counterparty and we have the same key, with this status.
fn keyring(seed: u64, status: Status, reuse: Reuse) -> Keyring {
    let key = PrivateKey::generate(&mut SeededRng::new(seed)).unwrap();
    let described = |side| entry("centre", side, Usage::Seal, status, &seed.to_string());
    let built = Keyring::builder()
        .add_private(described(Side::Ours), &key)
        .add_public(described(Side::Theirs), key.public())
        .build();
    built.unwrap().with_reuse("centre", reuse)
}

fn sent(keyring: &Keyring, now: OffsetDateTime, rng: &mut SeededRng) -> Arc<Envelope> {
    let receiver = keyring.wrapper("centre", now).unwrap().as_sm2().unwrap();
    keyring.envelopes("centre").outbound(&receiver, now, rng).unwrap()
}

/// Which message starts a new envelope.
fn starts(keyring: &Keyring, times: &[OffsetDateTime]) -> Vec<bool> {
    let mut rng = SeededRng::new(81);
    let envelopes: Vec<_> = times.iter().map(|now| sent(keyring, *now, &mut rng)).collect();
    let starts = envelopes.windows(2).map(|pair| {
        let is_new = pair[0].wrapped() != pair[1].wrapped();
        assert_eq!(is_new, !Arc::ptr_eq(&pair[0], &pair[1]));
        is_new
    });
    std::iter::once(true).chain(starts).collect()
}

#[test]
fn nothing_is_reused_by_default() {
    for reuse in [Reuse::default(), reuse(1, 0)] {
        let keyring = keyring(1, Status::Primary, reuse);
        assert_eq!(starts(&keyring, &[NOW; 4]), [true; 4]);
    }
    let unset = Envelopes::default();
    let keyring = keyring(1, Status::Primary, reuse(5, 5));
    let receiver = keyring.wrapper("centre", NOW).unwrap().as_sm2().unwrap();
    let mut rng = SeededRng::new(82);
    let mut of_none = || unset.outbound(&receiver, NOW, &mut rng).unwrap();
    assert_ne!(of_none().wrapped(), of_none().wrapped());
    assert!(std::ptr::eq(keyring.envelopes("elsewhere"), keyring.envelopes("nowhere")));
    assert_eq!(keyring.envelopes("elsewhere").reuse, Reuse::default());
}

#[test]
fn an_envelope_serves_so_many_messages() {
    let keyring = keyring(1, Status::Primary, reuse(3, 0));
    let expected = [true, false, false, true, false, false, true];
    assert_eq!(starts(&keyring, &[NOW; 7]), expected);
}

#[test]
fn an_envelope_serves_so_long() {
    let keyring = |seed| keyring(seed, Status::Primary, reuse(100, 0));
    let last = NOW + AGE - TICK;
    let times = [
        NOW,
        NOW + TICK,
        last,
        last,
        NOW + AGE,
        NOW + AGE + AGE - TICK,
        NOW + AGE + AGE,
    ];
    assert_eq!(starts(&keyring(1), &times), [true, false, false, false, true, false, true]);
    // A clock that goes back.
    assert_eq!(starts(&keyring(2), &[NOW, NOW - TICK, NOW]), [true, true, false]);
}

/// The same envelopes see another primary key, as they would if the keyring did not begin anew.
#[test]
fn another_receiver_ends_reuse_at_once() {
    let envelopes = Envelopes::new(reuse(100, 0));
    let (first, second) = (
        keyring(1, Status::Primary, Reuse::default()),
        keyring(2, Status::Primary, Reuse::default()),
    );
    let mut rng = SeededRng::new(83);
    let mut to = |keyring: &Keyring| {
        let receiver = keyring.wrapper("centre", NOW).unwrap().as_sm2().unwrap();
        let envelope = envelopes.outbound(&receiver, NOW, &mut rng).unwrap();
        let ours = keyring
            .unwrapper("centre", &receiver.info.serial, NOW)
            .unwrap()
            .as_sm2()
            .unwrap();
        let clear = unwrapped(ours.key, envelope.wrapped()).unwrap();
        let sealed = envelope.seal(b"a", b"clear", &mut rng).unwrap();
        assert_eq!(
            clear.open(&sealed.nonce, b"a", &sealed.ciphertext, &sealed.tag).unwrap(),
            b"clear"
        );
        envelope.wrapped().c1
    };
    let points = [to(&first), to(&first), to(&second), to(&first)];
    assert_eq!(points[0], points[1]);
    assert_eq!(BTreeSet::from(points).len(), 3);
}

#[test]
fn each_keyring_has_envelopes_of_its_own() {
    let (one, other) = (
        keyring(1, Status::Primary, reuse(100, 0)),
        keyring(1, Status::Primary, reuse(100, 0)),
    );
    let mut rng = SeededRng::new(84);
    let mut of = |keyring| sent(keyring, NOW, &mut rng).wrapped().c1;
    let points = [of(&one), of(&other), of(&one), of(&other)];
    assert_eq!((points[0], points[1]), (points[2], points[3]));
    assert_ne!(points[0], points[1]);
}

#[test]
fn each_field_has_a_nonce_of_its_own() {
    let keyring = keyring(1, Status::Primary, reuse(100, 0));
    let mut rng = SeededRng::new(85);
    let mut nonces = BTreeSet::new();
    for _ in 0..100 {
        let envelope = sent(&keyring, NOW, &mut rng);
        for _ in 0..5 {
            nonces.insert(envelope.seal(b"", b"the same", &mut rng).unwrap().nonce);
        }
    }
    assert_eq!(nonces.len(), 500);
}

#[test]
fn nonces_under_one_key_are_bounded() {
    let keyring = keyring(1, Status::Primary, reuse(100, 0));
    let mut rng = SeededRng::new(86);
    let envelope = sent(&keyring, NOW, &mut rng);
    envelope.nonces.store(NONCES_MAX / 2 - 1, Ordering::Relaxed);
    assert!(Arc::ptr_eq(&envelope, &sent(&keyring, NOW, &mut rng)));
    envelope.seal(b"", b"", &mut rng).unwrap();
    assert!(!Arc::ptr_eq(&envelope, &sent(&keyring, NOW, &mut rng)));
    envelope.nonces.store(NONCES_MAX - 1, Ordering::Relaxed);
    envelope.seal(b"", b"", &mut rng).unwrap();
    for _ in 0..2 {
        assert_eq!(envelope.seal(b"", b"", &mut rng).err(), Some(CryptoError::TooLong));
    }
}

/// What is replaced is dropped at once, and dropping wipes.
#[test]
fn an_envelope_that_is_replaced_is_gone() {
    let keyring = keyring(1, Status::Primary, reuse(2, 0));
    let mut rng = SeededRng::new(87);
    let first = Arc::downgrade(&sent(&keyring, NOW, &mut rng));
    assert_eq!(first.strong_count(), 1);
    sent(&keyring, NOW, &mut rng);
    sent(&keyring, NOW, &mut rng);
    assert_eq!(first.strong_count(), 0);
}

/// A random source or a key that fails leaves nothing to be used again.
#[test]
fn a_failure_leaves_nothing() {
    struct Fails;
    impl Wrap for Fails {
        fn wrap(&self, _: &[u8], _: &mut dyn CryptoRng) -> Result<Ciphertext, CryptoError> {
            Err(CryptoError::Random)
        }
    }
    let keyring = keyring(1, Status::Primary, reuse(100, 0));
    let envelopes = keyring.envelopes("centre");
    let mut rng = SeededRng::new(88);
    sent(&keyring, NOW, &mut rng);
    let failing = Usable::<dyn Wrap> {
        info: keyring.wrapper("centre", NOW).unwrap().info,
        key: &Fails,
    };
    assert_eq!(
        envelopes.outbound(&failing, NOW + AGE, &mut rng).err(),
        Some(CryptoError::Random)
    );
    assert!(locked(&envelopes.sent).is_none());
}
