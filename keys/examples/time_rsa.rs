//! Time of RSA operations, best of several rounds: `cargo run --release -p keys --example time_rsa`.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a command that measures and prints"
)]

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::error::CryptoError;
use keys::legacy::{RsaPadding, RsaPrivate, RsaScheme};
use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), CryptoError> {
    let mut rng = UnwrapErr(SysRng);
    println!("bits       sign     verify     unwrap       wrap   (us)");
    for bits in [2048, 3072, 4096] {
        let key = RsaPrivate::generate(bits, &mut rng)?;
        let signature = key.sign(RsaScheme::Pkcs1Sha256, TEXT, &mut rng)?;
        let wrapped = key.public().wrap(RsaPadding::OaepSha1, DATA_KEY, &mut rng)?;
        let mut unwrap_rng = UnwrapErr(SysRng);
        let mut wrap_rng = UnwrapErr(SysRng);
        let row = [
            best(|| key.sign(RsaScheme::Pkcs1Sha256, TEXT, &mut rng).map(black_box).is_ok()),
            best(|| key.public().verify(RsaScheme::Pkcs1Sha256, TEXT, &signature).is_ok()),
            best(|| key.unwrap(RsaPadding::OaepSha1, &wrapped, &mut unwrap_rng).is_ok()),
            best(|| {
                key.public()
                    .wrap(RsaPadding::OaepSha1, DATA_KEY, &mut wrap_rng)
                    .map(black_box)
                    .is_ok()
            }),
        ];
        println!("{bits} {:>10.0} {:>10.0} {:>10.0} {:>10.0}", row[0], row[1], row[2], row[3]);
    }
    Ok(())
}

/// The shortest of many single runs: what the machine's other work does not touch.
fn best(mut operation: impl FnMut() -> bool) -> f64 {
    let mut shortest = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        assert!(operation(), "every operation succeeds");
        shortest = shortest.min(start.elapsed().as_secs_f64() * 1e6);
    }
    shortest
}

const RUNS: usize = 60;
const TEXT: &[u8] = &[b'x'; 1024];
const DATA_KEY: &[u8] = &[7; 16];
