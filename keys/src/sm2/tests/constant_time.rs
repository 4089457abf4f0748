//! No secret of the native engine steers a branch or an address, shown on the compiled code by valgrind's memcheck.
//!
//! This test binary runs itself under valgrind with one of the tests of `watched`, which declare their secrets undefined.
//! Only what goes through `reveal` is excepted. The same by command for the release build: `cargo test --release -p keys
//! constant_time`.

use crate::sm2::memcheck::{self, REPORTED};

fn check(name: &str) {
    memcheck::check(&format!("{WATCHED}::{name}"));
}

#[test]
fn signing_is_constant_time() {
    check("signing");
}

#[test]
fn wrapping_is_constant_time() {
    check("wrapping");
}

#[test]
fn unwrapping_is_constant_time() {
    check("unwrapping");
}

/// The judge is awake: what depends on a secret is reported.
#[test]
fn a_leak_is_reported() {
    for name in ["a_branch", "an_address"] {
        let output = memcheck::watch(&format!("{WATCHED}::{name}"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(REPORTED), "{name}\n{told}");
        let expected = "uninitialised value";
        assert!(told.contains(expected), "{name}\n{told}");
    }
}

const WATCHED: &str = "sm2::tests::constant_time::watched";

/// Run by `check` under valgrind; without it they hold the results only.
mod watched {
    use crate::sm2::encrypt::{Unwrapper, Wrapper};
    use crate::sm2::memcheck::{poison, publish};
    use crate::sm2::native::Native;
    use crate::sm2::sign::{Signer, Verifier};
    use crate::sm2::{DEFAULT_USER_ID, PrivateKey, Sign, Unwrap, Verify, Wrap};
    use crate::testing::{SeededRng, gmt_key, gmt_public};
    use rand_core::{TryCryptoRng, TryRng};
    use std::convert::Infallible;
    use std::hint::black_box;

    /// Its bytes are secret.
    struct SecretRng(SeededRng);

    impl TryRng for SecretRng {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            self.0.try_next_u32()
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            self.0.try_next_u64()
        }

        fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
            self.0.try_fill_bytes(target)?;
            poison(target);
            Ok(())
        }
    }

    impl TryCryptoRng for SecretRng {}

    /// The private half is secret.
    fn secret_key() -> PrivateKey {
        let mut key = gmt_key();
        poison(key.secret_mut());
        key
    }

    #[test]
    fn signing() {
        let signer = Signer::<Native>::new(&secret_key(), DEFAULT_USER_ID).unwrap();
        let verifier = Verifier::<Native>::new(&gmt_public(), DEFAULT_USER_ID).unwrap();
        let mut rng = SecretRng(SeededRng::new(41));
        for message in 0..8u8 {
            let mut signature = signer.sign(&[message], &mut rng).unwrap();
            publish(&mut signature);
            assert_eq!(verifier.verify(&[message], &signature), Ok(()));
        }
    }

    #[test]
    fn wrapping() {
        let wrapper = Wrapper::<Native>::new(&gmt_public());
        let unwrapper = Unwrapper::<Native>::new(&gmt_key());
        let mut rng = SecretRng(SeededRng::new(42));
        for round in 0..8u8 {
            let mut clear = [round; 16];
            poison(&mut clear);
            let mut ciphertext = wrapper.wrap(&clear, &mut rng).unwrap();
            publish(&mut ciphertext.c1);
            publish(&mut ciphertext.c3);
            publish(ciphertext.c2.as_mut_slice());
            assert_eq!(unwrapper.unwrap(&ciphertext).unwrap().danger_expose(), [round; 16]);
        }
    }

    #[test]
    fn unwrapping() {
        let wrapper = Wrapper::<Native>::new(&gmt_public());
        let unwrapper = Unwrapper::<Native>::new(&secret_key());
        for round in 0..8u8 {
            let mut ciphertext = wrapper.wrap(&[round; 16], &mut SeededRng::new(43)).unwrap();
            let opened = unwrapper.unwrap(&ciphertext).unwrap();
            let mut opened = opened.danger_expose().to_vec();
            publish(opened.as_mut_slice());
            assert_eq!(opened, [round; 16]);
            ciphertext.c3[0] ^= 1;
            assert!(unwrapper.unwrap(&ciphertext).is_err());
        }
    }

    #[test]
    fn a_branch() {
        let (mut secret, mut count) = (3u64, 0);
        poison(&mut secret);
        while count < secret {
            count = black_box(count + 1);
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn an_address() {
        let (mut secret, table) = (3usize, black_box([1u8, 2, 3, 4]));
        poison(&mut secret);
        let mut found = table[secret & 3];
        publish(&mut found);
        assert_eq!(found, 4);
    }
}
