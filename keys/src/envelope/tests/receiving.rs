use super::*;

/// Unwraps to a key made of the first bytes of C2, and counts.
struct Counting(AtomicUsize);

impl Unwrap for Counting {
    fn unwrap(&self, ciphertext: &Ciphertext) -> Result<Secret, CryptoError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Secret::new(ciphertext.c2.clone()))
    }
}

/// Envelopes beside a private key that counts how often it is used.
struct Stand {
    keyring: Keyring,
    envelopes: Envelopes,
    counting: Counting,
}

impl Stand {
    fn new(reuse: Reuse) -> Self {
        Self {
            keyring: keyring(1, Status::Primary, Reuse::default()),
            envelopes: Envelopes::new(reuse),
            counting: Counting(AtomicUsize::new(0)),
        }
    }

    fn info(&self) -> &KeyInfo {
        self.keyring.unwrapper("centre", "1", NOW).unwrap().info
    }

    /// How often the private key was used to open these, one after the other.
    fn uses(&self, wrapped: &[Ciphertext], now: OffsetDateTime) -> usize {
        self.uses_of(self.info(), wrapped, now)
    }

    fn uses_of(&self, info: &KeyInfo, wrapped: &[Ciphertext], now: OffsetDateTime) -> usize {
        let before = self.counting.0.load(Ordering::Relaxed);
        let ours = Usable::<dyn Unwrap> {
            info,
            key: &self.counting,
        };
        for wrapped in wrapped {
            let found = self.envelopes.inbound(&ours, wrapped, now).unwrap();
            let expected = Sm4Gcm::new(wrapped.c2.as_slice().try_into().unwrap());
            assert_eq!(found.seal(&[0; 12], b"", b"clear"), expected.seal(&[0; 12], b"", b"clear"));
        }
        self.counting.0.load(Ordering::Relaxed) - before
    }

    fn kept(&self) -> usize {
        locked(&self.envelopes.kept).len()
    }
}

fn envelope(byte: u8) -> Ciphertext {
    Ciphertext {
        c1: [byte; 64],
        c3: [byte; 32],
        c2: vec![byte; 16],
    }
}

#[test]
fn nothing_is_kept_by_default() {
    for reuse in [Reuse::default(), reuse(100, 0)] {
        let stand = Stand::new(reuse);
        assert_eq!(stand.uses(&[envelope(1), envelope(1)], NOW), 2);
        assert_eq!(stand.kept(), 0);
    }
}

#[test]
fn the_same_bytes_are_unwrapped_once() {
    let stand = Stand::new(reuse(1, 4));
    assert_eq!(stand.uses(&[envelope(1), envelope(2), envelope(1), envelope(2)], NOW), 2);
    assert_eq!(stand.kept(), 2);
}

/// Each byte of the envelope counts, and so does the private key.
#[test]
fn other_bytes_never_hit() {
    let stand = Stand::new(reuse(1, 1000));
    stand.uses(&[envelope(1)], NOW);
    for at in 0..64 + 32 + 16 {
        let mut other = envelope(1);
        match at {
            0..64 => other.c1[at] ^= 1,
            64..96 => other.c3[at - 64] ^= 1,
            _ => other.c2[at - 96] ^= 1,
        }
        assert_eq!(stand.uses(&[other], NOW), 1, "byte {at}");
    }
    let other = keyring(2, Status::Primary, Reuse::default());
    let other = other.unwrapper("centre", "2", NOW).unwrap().info;
    assert_eq!(stand.uses_of(other, &[envelope(1), envelope(1)], NOW), 1);
    assert_eq!(stand.uses(&[envelope(1)], NOW), 0);
}

#[test]
fn the_oldest_goes_first() {
    let stand = Stand::new(reuse(1, 2));
    assert_eq!(stand.uses(&[envelope(1), envelope(2), envelope(3)], NOW), 3);
    assert_eq!(stand.kept(), 2);
    assert_eq!(stand.uses(&[envelope(2), envelope(3)], NOW), 0);
    assert_eq!(stand.uses(&[envelope(1)], NOW), 1);
    assert_eq!(stand.uses(&[envelope(3)], NOW), 0);
    assert_eq!(stand.uses(&[envelope(2)], NOW), 1);
    assert_eq!(stand.kept(), 2);
}

#[test]
fn a_key_is_kept_so_long() {
    let stand = Stand::new(reuse(1, 4));
    assert_eq!(stand.uses(&[envelope(1)], NOW), 1);
    // Its use does not prolong its time.
    assert_eq!(stand.uses(&[envelope(1)], NOW + AGE - TICK), 0);
    assert_eq!(stand.uses(&[envelope(2)], NOW + AGE), 1);
    assert_eq!(stand.kept(), 1);
    assert_eq!(stand.uses(&[envelope(1)], NOW + AGE), 1);
    // A clock that goes back.
    assert_eq!(stand.uses(&[envelope(1)], NOW), 1);
}

/// Two messages at work at a time: the later one is kept first, and time ends for each by itself.
#[test]
fn time_ends_for_each_by_itself() {
    let stand = Stand::new(reuse(1, 4));
    assert_eq!(stand.uses(&[envelope(1)], NOW + TICK), 1);
    assert_eq!(stand.uses(&[envelope(2)], NOW), 1);
    assert_eq!(stand.uses(&[envelope(2)], NOW + AGE), 1);
    assert_eq!(stand.uses(&[envelope(1)], NOW + AGE), 0);
}

#[test]
fn a_key_that_goes_is_dropped() {
    let stand = Stand::new(reuse(1, 1));
    let ours = Usable::<dyn Unwrap> {
        info: stand.info(),
        key: &stand.counting,
    };
    let opened = |byte, now| Arc::downgrade(&stand.envelopes.inbound(&ours, &envelope(byte), now).unwrap());
    let first = opened(1, NOW);
    assert_eq!(first.strong_count(), 1);
    let second = opened(2, NOW);
    assert_eq!((first.strong_count(), second.strong_count()), (0, 1));
    opened(3, NOW + AGE);
    assert_eq!(second.strong_count(), 0);
}

#[test]
fn what_does_not_open_is_not_kept() {
    let keyring = keyring(1, Status::Primary, reuse(1, 4));
    let ours = keyring.unwrapper("centre", "1", NOW).unwrap().as_sm2().unwrap();
    let envelopes = keyring.envelopes("centre");
    for _ in 0..2 {
        assert_eq!(
            envelopes.inbound(&ours, &envelope(1), NOW).err(),
            Some(CryptoError::Ciphertext)
        );
    }
    assert_eq!(locked(&envelopes.kept).len(), 0);
    // Opens, but is no SM4 key.
    let receiver = keyring.wrapper("centre", NOW).unwrap().as_sm2().unwrap();
    let short = receiver.key.wrap(&[7; 15], &mut SeededRng::new(91)).unwrap();
    assert_eq!(envelopes.inbound(&ours, &short, NOW).err(), Some(CryptoError::Ciphertext));
    assert_eq!(locked(&envelopes.kept).len(), 0);
}

/// The private key is asked for before what is kept: one that is revoked, retired or past its validity serves nothing.
#[test]
fn a_revoked_key_serves_nothing() {
    let live = keyring(1, Status::Primary, reuse(1, 4));
    let wrapped = sent(&live, NOW, &mut SeededRng::new(92)).wrapped().clone();
    let ours = live.unwrapper("centre", "1", NOW).unwrap().as_sm2().unwrap();
    live.envelopes("centre").inbound(&ours, &wrapped, NOW).unwrap();
    assert_eq!(locked(&live.envelopes("centre").kept).len(), 1);
    assert!(live.unwrapper("centre", "1", ours.info.not_after + TICK).is_err());
    for status in [Status::Revoked, Status::Retired] {
        let replaced = keyring(1, status, reuse(1, 4));
        assert!(replaced.unwrapper("centre", "1", NOW).is_err());
        assert_eq!(locked(&replaced.envelopes("centre").kept).len(), 0);
    }
}
