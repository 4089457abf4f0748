//! Entry points for fuzzing, each also run by a plain test with a fixed seed. They must return, whatever the bytes.

use crate::envelope::SealingScheme;
use crate::error::ParseError;
use crate::spec::{Spec, Specs};
use crate::wire::{Start, Wire};
use std::sync::OnceLock;

/// Reads bytes as a message of every embedded codec in each of its suites, sealed and not, over a queue and over HTTP, and
/// asks for everything that it can say.
pub fn parse_any(bytes: &[u8]) {
    static SPECS: OnceLock<Vec<Spec>> = OnceLock::new();
    let mut wire = Wire {
        start: Start::Queue,
        headers: headers(),
        body: bytes.to_vec(),
    };
    for spec in SPECS.get_or_init(specs) {
        for start in [Start::Queue, Start::Status(200)].into_iter().chain(spec.targets()) {
            wire.start = start;
            // Refusals are the expected result here; only panics and endless loops are of interest.
            drop(everything(spec, &wire));
        }
    }
}

fn specs() -> Vec<Spec> {
    let embedded = Specs::embedded().unwrap_or_default();
    embedded
        .iter()
        .flat_map(Spec::suites)
        .flat_map(|spec| [spec.with_sealing(true), spec.with_sealing(false)])
        .collect()
}

fn headers() -> Vec<(String, String)> {
    let pairs = [
        ("idempotency-key", "K1"),
        ("hangu-key", "k1"),
        ("hangu-timestamp", "2030-01-02T18:30:05+08:00"),
        ("hangu-signature", "00"),
    ];
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn everything(spec: &Spec, wire: &Wire) -> Result<(), ParseError> {
    drop(spec.peek(wire));
    let mut message = spec.parse(wire)?;
    drop((
        message.describe(false),
        message.signed_fields(),
        message.signature(),
        message.envelope(),
        message.wrapped_key(),
        message.signed_text(),
        message.sealed_whole(),
    ));
    if message.sealed_whole()?.is_some() {
        drop(message.set_whole(&wire.body));
    }
    match message.sealing_scheme() {
        Some(SealingScheme::TextKey(_) | SealingScheme::Session(_)) => {
            for sealed in message.sealed_blocks()? {
                drop(message.set_opened(sealed.slot, &sealed.ciphertext));
            }
        }
        Some(SealingScheme::Sm4Gcm) | None => {
            for sealed in message.sealed_fields()? {
                drop(message.set_opened(sealed.slot, &sealed.ciphertext));
            }
        }
    }
    message.payment().map(drop)
}
