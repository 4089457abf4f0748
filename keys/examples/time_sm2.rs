//! Prints microseconds of CPU per SM2 operation of the reference engine: the median of nine rounds and the best.
//! CPU time and not the clock, so that other work on the machine counts less (Linux only).
//! Run with `cargo run --release -p keys --example time_sm2`.
#![allow(clippy::print_stdout, reason = "a command that measures and prints")]

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::sm2::{DEFAULT_USER_ID, Engine, PrivateKey};
use std::error::Error;
use std::hint::black_box;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = UnwrapErr(SysRng);
    let key = PrivateKey::generate(&mut rng)?;
    let engine = Engine::Reference;
    let signer = engine.signer(&key, DEFAULT_USER_ID)?;
    let verifier = engine.verifier(key.public(), DEFAULT_USER_ID)?;
    let (wrapper, unwrapper) = (engine.wrapper(key.public()), engine.unwrapper(&key));
    let message = [0x5a; 1024];
    let signature = signer.sign(&message, &mut rng)?;
    let wrapped = wrapper.wrap(&message[..16], &mut rng)?;
    time("sign", || signer.sign(&message, &mut rng).is_ok())?;
    time("verify", || verifier.verify(&message, &signature).is_ok())?;
    time("wrap", || wrapper.wrap(&message[..16], &mut rng).is_ok())?;
    time("unwrap", || unwrapper.unwrap(&wrapped).is_ok())?;
    Ok(())
}

/// One message has 1 KiB, one data key 16 bytes.
fn time(name: &str, mut operation: impl FnMut() -> bool) -> Result<(), Box<dyn Error>> {
    let mut rounds = (0..9).map(|_| round(&mut operation)).collect::<Result<Vec<_>, _>>()?;
    rounds.sort_unstable();
    if let (Some(best), Some(median)) = (rounds.first(), rounds.get(rounds.len() / 2)) {
        println!("{name:8} {median:6} us (best {best})");
    }
    Ok(())
}

fn round(operation: &mut impl FnMut() -> bool) -> Result<u64, Box<dyn Error>> {
    let start = cpu_ns()?;
    for _ in 0..OPERATIONS {
        assert!(black_box(operation()));
    }
    Ok((cpu_ns()? - start) / OPERATIONS / 1000)
}

/// What the scheduler has given this thread.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

const OPERATIONS: u64 = 200;
