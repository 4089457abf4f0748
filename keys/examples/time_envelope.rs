//! Prints microseconds for the sealed part of one message, with an envelope of its own and with one that is reused: sealing is
//! the envelope and five fields of 24 bytes, opening the same from the other side. The median of the rounds and the best; the
//! two take turns within each round. Run with `cargo run --release -p keys --example time_envelope`.
#![allow(clippy::print_stdout, reason = "a command that measures and prints")]

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::algorithm::Algorithm;
use keys::envelope::{Envelope, Reuse, Sealed};
use keys::error::CryptoError;
use keys::key::{KeyEntry, Side, Status, Usage};
use keys::keyring::Keyring;
use keys::sm2::PrivateKey;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

fn main() -> Result<(), Box<dyn Error>> {
    let key = PrivateKey::generate(&mut UnwrapErr(SysRng))?;
    let reuse = Reuse {
        messages_max: u32::MAX,
        kept_max: 256,
        age_max: Duration::HOUR,
    };
    let (fresh, reusing) = (keyring(&key, Reuse::default())?, keyring(&key, reuse)?);
    let (envelope, fields) = sealed(&reusing)?;
    println!("operation      own      best     reused      best");
    print("seal", [&|| sealed(&fresh).is_ok(), &|| sealed(&reusing).is_ok()]);
    print(
        "open",
        [&|| opens(&fresh, &envelope, &fields), &|| opens(&reusing, &envelope, &fields)],
    );
    Ok(())
}

fn keyring(key: &PrivateKey, reuse: Reuse) -> Result<Keyring, Box<dyn Error>> {
    let described = |side| KeyEntry {
        id: format!("{side:?}"),
        link: LINK.to_owned(),
        side,
        usage: Usage::Seal,
        algorithm: Algorithm::Sm2,
        status: Status::Primary,
        serial: "1".to_owned(),
        primary_from: None,
        not_before: NOW,
        not_after: NOW,
        user_id: None,
    };
    let built = Keyring::builder()
        .add_private(described(Side::Ours), key)
        .add_public(described(Side::Theirs), key.public());
    Ok(built.build()?.with_reuse(LINK, reuse))
}

fn sealed(keyring: &Keyring) -> Result<(Arc<Envelope>, Vec<Sealed>), Box<dyn Error>> {
    let rng = &mut UnwrapErr(SysRng);
    let receiver = keyring.wrapper(LINK, NOW)?.as_sm2()?;
    let envelope = keyring.envelopes(LINK).outbound(&receiver, NOW, rng)?;
    let fields = (0..FIELDS).map(|_| envelope.seal(ADDITIONAL, black_box(&CLEAR), rng));
    let fields = fields.collect::<Result<_, CryptoError>>()?;
    Ok((envelope, fields))
}

fn opens(keyring: &Keyring, envelope: &Envelope, fields: &[Sealed]) -> bool {
    let Ok(ours) = keyring.unwrapper(LINK, "1", NOW).and_then(|found| found.as_sm2()) else {
        return false;
    };
    let key = keyring.envelopes(LINK).inbound(&ours, black_box(envelope.wrapped()), NOW);
    key.is_ok_and(|key| {
        fields
            .iter()
            .all(|field| key.open(&field.nonce, ADDITIONAL, &field.ciphertext, &field.tag).is_ok())
    })
}

fn print(operation: &str, runs: [&dyn Fn() -> bool; 2]) {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (run, times) in runs.iter().zip(&mut times) {
            times.push(round(run));
        }
    }
    let [own, reused] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        format!("{:6.2} us {:6.2} us", times[ROUNDS / 2], times[0])
    });
    println!("{operation:8} {own}  {reused}");
}

#[expect(clippy::disallowed_methods, reason = "a command that measures time")]
fn round(run: &dyn Fn() -> bool) -> f64 {
    let start = Instant::now();
    for _ in 0..RUNS {
        assert!(black_box(run()));
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS)
}

const LINK: &str = "centre";
const NOW: OffsetDateTime = datetime!(2026-06-15 10:00 UTC);
const ADDITIONAL: &[u8] = b"NPS.142.001.01 2026061500000001 DbtrAcct";
const CLEAR: [u8; 24] = [0x5a; 24];
const FIELDS: usize = 5;
/// Short enough to fall between two turns of other processes.
const RUNS: u32 = 16;
const ROUNDS: usize = 301;
