//! Prints microseconds per SM4-GCM operation, each of ours and of the crate `aes-gcm` over the crate `sm4`: the median of the
//! rounds, the best, and how many times faster ours is. The two take turns within each round. Run with
//! `cargo run --release -p keys --example time_sm4`.
#![allow(clippy::print_stdout, reason = "a command that measures and prints")]

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AeadInOut, AesGcm, KeyInit};
use keys::sm4::Sm4Gcm;
use std::hint::black_box;
use std::time::Instant;

type Crate = AesGcm<sm4::Sm4, U12, U16>;

fn main() {
    let (ours, theirs) = (Sm4Gcm::new(&KEY), Crate::new(&KEY.into()));
    println!("operation         bytes      ours      best        crate      best  times");
    print(
        "key",
        0,
        &|| Sm4Gcm::new(black_box(&KEY)).open(&NONCE, b"", b"", &NONE).is_err(),
        &|| {
            let key = Crate::new(black_box(&KEY).into());
            key.decrypt_inout_detached(&NONCE.into(), b"", [].as_mut_slice().into(), &NONE.into())
                .is_err()
        },
    );
    for length in [16, 64, 256, 1024, 2560] {
        let clear = vec![0x5a; length];
        print(
            "seal",
            length,
            &|| ours.seal(&NONCE, b"", black_box(&clear)).0.len() == length,
            &|| {
                let mut bytes = black_box(&clear).clone();
                theirs
                    .encrypt_inout_detached(&NONCE.into(), b"", bytes.as_mut_slice().into())
                    .is_ok()
            },
        );
        let (sealed, tag) = ours.seal(&NONCE, b"", &clear);
        print(
            "open",
            length,
            &|| ours.open(&NONCE, b"", black_box(&sealed), &tag).is_ok(),
            &|| {
                let mut bytes = black_box(&sealed).clone();
                theirs
                    .decrypt_inout_detached(&NONCE.into(), b"", bytes.as_mut_slice().into(), &tag.into())
                    .is_ok()
            },
        );
    }
}

fn print(operation: &str, bytes: usize, ours: &dyn Fn() -> bool, theirs: &dyn Fn() -> bool) {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        our_times.push(round(ours));
        their_times.push(round(theirs));
    }
    our_times.sort_by(f64::total_cmp);
    their_times.sort_by(f64::total_cmp);
    let (ours, theirs) = (our_times[ROUNDS / 2], their_times[ROUNDS / 2]);
    println!(
        "{operation:12} {bytes:10} {ours:6.2} us {:6.2} us {theirs:9.2} us {:6.2} us {:6.2}",
        our_times[0],
        their_times[0],
        theirs / ours
    );
}

#[expect(clippy::disallowed_methods, reason = "a command that measures time")]
fn round(run: &dyn Fn() -> bool) -> f64 {
    let start = Instant::now();
    for _ in 0..RUNS {
        assert!(black_box(run()));
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS)
}

const KEY: [u8; 16] = [0xa5; 16];
const NONCE: [u8; 12] = [7; 12];
/// No tag that fits.
const NONE: [u8; 16] = [0; 16];
/// Short enough to fall between two turns of other processes.
const RUNS: u32 = 32;
const ROUNDS: usize = 301;
