//! Prints microseconds per SM2 operation, each of the native engine, of the reference engine (our protocol over
//! `RustCrypto`'s arithmetic) and of the crate `sm2` as it comes: the median of the rounds, the best, and how many times
//! faster the native engine is. `sign` and `verify` take a message of 1 KiB, whose SM3 costs all of them the same;
//! `sign 32` and `verify 32` take 32 bytes, which leaves the curve's share. The three take turns within each round, so that
//! a change of the machine's pace meets all of them. Run with `cargo run --release -p keys --example time_sm2`.
#![allow(clippy::print_stdout, reason = "a command that measures and prints")]

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::sm2::{Ciphertext, DEFAULT_USER_ID, Engine, PrivateKey, Sign, Signature, Unwrap, Verify, Wrap};
use sm2::dsa::signature::{RandomizedSigner, Verifier};
use sm2::dsa::{SigningKey, VerifyingKey};
use sm2::pke::{DecryptingKey, EncryptingKey, Mode};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = UnwrapErr(SysRng);
    let key = PrivateKey::generate(&mut rng)?;
    let (native, reference) = (Engine::Native, Engine::Reference);
    println!("operation      native      best   reference  times   RustCrypto  times");
    for (operation, message) in OPERATIONS {
        let native = Prepared::new(native, &key, message)?;
        let reference = Prepared::new(reference, &key, message)?;
        let bare = Bare::new(message)?;
        let runs: [&dyn Fn() -> bool; 3] = [&|| native.run(operation), &|| reference.run(operation), &|| {
            bare.run(operation)
        }];
        print(operation, &times(&runs));
    }
    Ok(())
}

fn print(operation: &str, rounds: &[Vec<f64>; 3]) {
    let median = |times: &Vec<f64>| times[times.len() / 2];
    let [native, reference, bare] = rounds.each_ref().map(median);
    println!(
        "{operation:10} {native:7.2} us {:7.2} {reference:9.2} us {:6.2} {bare:9.2} us {:6.2}",
        rounds[0][0],
        reference / native,
        bare / native
    );
}

/// Sorted times of each, in microseconds.
fn times(runs: &[&dyn Fn() -> bool; 3]) -> [Vec<f64>; 3] {
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (run, times) in runs.iter().zip(&mut times) {
            times.push(round(run));
        }
    }
    for times in &mut times {
        times.sort_by(f64::total_cmp);
    }
    times
}

#[expect(clippy::disallowed_methods, reason = "a command that measures time")]
fn round(run: &dyn Fn() -> bool) -> f64 {
    let start = Instant::now();
    for _ in 0..RUNS {
        assert!(black_box(run()));
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS)
}

/// One engine's prepared keys and what they work on.
struct Prepared {
    message: &'static [u8],
    signer: Box<dyn Sign>,
    verifier: Box<dyn Verify>,
    wrapper: Box<dyn Wrap>,
    unwrapper: Box<dyn Unwrap>,
    signature: Signature,
    wrapped: Ciphertext,
}

impl Prepared {
    fn new(engine: Engine, key: &PrivateKey, message: &'static [u8]) -> Result<Self, Box<dyn Error>> {
        let (signer, wrapper) = (engine.signer(key, DEFAULT_USER_ID)?, engine.wrapper(key.public()));
        Ok(Self {
            signature: signer.sign(message, &mut UnwrapErr(SysRng))?,
            wrapped: wrapper.wrap(&DATA_KEY, &mut UnwrapErr(SysRng))?,
            verifier: engine.verifier(key.public(), DEFAULT_USER_ID)?,
            unwrapper: engine.unwrapper(key),
            signer,
            wrapper,
            message,
        })
    }

    fn run(&self, operation: &str) -> bool {
        let rng = &mut UnwrapErr(SysRng);
        match operation {
            "sign" | "sign 32" => self.signer.sign(black_box(self.message), rng).is_ok(),
            "verify" | "verify 32" => self.verifier.verify(black_box(self.message), &self.signature).is_ok(),
            "wrap" => self.wrapper.wrap(black_box(&DATA_KEY), rng).is_ok(),
            _ => self.unwrapper.unwrap(black_box(&self.wrapped)).is_ok(),
        }
    }
}

/// The crate's own signing and encryption.
struct Bare {
    message: &'static [u8],
    signing: SigningKey,
    verifying: VerifyingKey,
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
    signature: sm2::dsa::Signature,
    wrapped: Vec<u8>,
}

impl Bare {
    fn new(message: &'static [u8]) -> Result<Self, Box<dyn Error>> {
        let secret = sm2::SecretKey::from_slice(&[0x42; 32])?;
        let signing = SigningKey::new("1234567812345678", &secret)?;
        let encrypting = EncryptingKey::new_with_mode(secret.public_key(), Mode::C1C3C2);
        Ok(Self {
            verifying: signing.verifying_key().clone(),
            decrypting: DecryptingKey::new_with_mode(secret.to_nonzero_scalar(), Mode::C1C3C2),
            signature: signing.try_sign_with_rng(&mut UnwrapErr(SysRng), message)?,
            wrapped: encrypting.encrypt(&mut UnwrapErr(SysRng), &DATA_KEY)?,
            signing,
            encrypting,
            message,
        })
    }

    fn run(&self, operation: &str) -> bool {
        let rng = &mut UnwrapErr(SysRng);
        match operation {
            "sign" | "sign 32" => self.signing.try_sign_with_rng(rng, black_box(self.message)).is_ok(),
            "verify" | "verify 32" => self.verifying.verify(black_box(self.message), &self.signature).is_ok(),
            "wrap" => self.encrypting.encrypt(rng, black_box(&DATA_KEY)).is_ok(),
            _ => self.decrypting.decrypt(black_box(&self.wrapped)).is_ok(),
        }
    }
}

/// Each operation with the message that it signs or verifies.
const OPERATIONS: [(&str, &[u8]); 6] = [
    ("sign", &LONG),
    ("sign 32", &SHORT),
    ("verify", &LONG),
    ("verify 32", &SHORT),
    ("wrap", &SHORT),
    ("unwrap", &SHORT),
];
const LONG: [u8; 1024] = [0x5a; 1024];
const SHORT: [u8; 32] = [0x5a; 32];
const DATA_KEY: [u8; 16] = [0xa5; 16];
/// Short enough to fall between two turns of other processes.
const RUNS: u32 = 8;
const ROUNDS: usize = 301;
