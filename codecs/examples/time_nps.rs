//! Prints what one NPS.142 of about 2 KB costs, in microseconds: `cargo run --release -p codecs --example time_nps`.
//!
//! Time is that of this thread on a processor (Linux), so that a busy machine does not spoil the figures.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program, not the gateway")]

use codecs::envelope::RawCiphertext;
use codecs::message::Draft;
use codecs::payment::Payment;
use codecs::spec::{Spec, Specs};
use codecs::wire::Wire;
use std::hint::black_box;
use time::OffsetDateTime;

const ROUNDS: u32 = 100_000;

fn main() {
    let specs = Specs::embedded().unwrap();
    let spec = specs.spec("nps").unwrap();
    let payment = payment(spec);
    let wire = write(spec, &payment);
    println!("bytes {}", wire.body.len());
    measure("parse", || drop(black_box(spec.parse(&wire).unwrap())));
    let message = spec.parse(&wire).unwrap();
    measure("signed_text", || drop(black_box(message.signed_text().unwrap())));
    measure("sealed_fields", || drop(black_box(message.sealed_fields().unwrap())));
    let clear = spec.with_sealing(false);
    let clear_wire = write(&clear, &payment);
    let clear_message = clear.parse(&clear_wire).unwrap();
    measure("payment", || drop(black_box(clear_message.payment().unwrap())));
    measure("draft + finish", || drop(black_box(write(spec, &payment))));
}

/// Median of ten runs.
fn measure(name: &str, mut run: impl FnMut()) {
    let mut times: Vec<f64> = (0..10)
        .map(|_| {
            let start = processor_us();
            (0..ROUNDS / 10).for_each(|_| run());
            (processor_us() - start) / f64::from(ROUNDS / 10)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<16} {:>8.2} us", times[5]);
}

/// Time of this thread on a processor: the first number of its scheduler statistics, in nanoseconds.
fn processor_us() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e3
}

/// The payment of the document's own sample.
fn payment(spec: &Spec) -> Payment {
    let text = include_str!("../nps/samples/142_document.txt");
    let body = text.split_once("\n---\n").unwrap().1.trim_end();
    let wire = Wire::queue(body.as_bytes().to_vec());
    spec.with_sealing(false).parse(&wire).unwrap().payment().unwrap()
}

fn write(spec: &Spec, payment: &Payment) -> Wire {
    let mut draft: Draft<'_> = spec.draft("NPS.142.001.01", payment).unwrap();
    let targets = draft.seal_targets();
    for target in &targets {
        draft.set_sealed(target.slot, &[1; 12], target.clear.as_bytes(), &[2; 16]);
    }
    if !targets.is_empty() {
        draft.set_envelope(
            "0001",
            &RawCiphertext {
                c1: [1; 64],
                c3: [2; 32],
                c2: vec![3; 16],
            },
        );
    }
    draft.set_signer("0001", OffsetDateTime::UNIX_EPOCH);
    black_box(draft.signed_text().unwrap());
    draft.finish_sm2(&[1; 64]).unwrap()
}
