//! The plain twin of the fuzz target: samples and good messages, mutated from a fixed seed. Nothing may panic, and a mutation
//! that is accepted may change neither a signed value without the signed text nor the meaning of the text.

use crate::payments::{finish, full_of, specs, try_open};
use codecs::fuzz::targets;
use codecs::payment::Payment;
use codecs::sample;
use codecs::spec::{MessageSpec, Spec};
use codecs::wire::Wire;
use std::collections::BTreeSet;
use std::sync::Arc;

/// xorshift64*: the same seed gives the same run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % below.max(1)
    }
}

/// The corpus: every sample, and a whole message of every kind.
fn seeds() -> Vec<Vec<u8>> {
    let samples = sample::embedded().unwrap().into_iter().map(|sample| sample.wire);
    let drafts = specs().iter().flat_map(drafts_of);
    samples.chain(drafts).map(|wire| wire.body).collect()
}

fn drafts_of(spec: &Arc<Spec>) -> Vec<Wire> {
    let draft = |message: &MessageSpec| {
        let payment = full_of(spec, message.operation, message.role);
        finish(spec.draft(&message.code, &payment).unwrap()).1
    };
    spec.messages().map(draft).collect()
}

fn mutated(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[dice.roll(seeds.len())].clone();
    for _ in 0..=dice.roll(3) {
        mutate(dice, &mut bytes);
    }
    bytes
}

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    const PIECES: &[&[u8]] = &[
        b"<", b">", b"</", b"/>", b"&", b"]]>", b"<!--", b"<?", b"\"", b"|", b"\0", b"\xff", b"{", b"}", b"[", b",", b"\\u0000",
        b"/",
    ];
    let at = dice.roll(bytes.len() + 1);
    match dice.roll(5) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
        1 => bytes.truncate(at),
        2 => {
            let end = (at + dice.roll(40)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            let to = dice.roll(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        3 => {
            let end = (at + dice.roll(20)).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => {
            let piece = PIECES[dice.roll(PIECES.len())];
            bytes.splice(at..at, piece.iter().copied());
        }
    }
}

#[test]
fn every_target_survives_its_corpus_and_thousands_of_mutations() {
    let seeds = seeds();
    let targets = targets();
    assert!(targets.len() >= 20, "{} targets", targets.len());
    for (number, target) in targets.iter().enumerate() {
        for bytes in &seeds {
            target.run(bytes);
        }
        let mut dice = Dice(0x48_61_6e_67_75 + number as u64);
        for _ in 0..2_000 {
            target.run(&mutated(&mut dice, &seeds));
        }
    }
}

/// What is read is written again and read again: it means the same. Sealed and signed by the toy that the tests have.
#[test]
fn what_a_mutated_message_means_survives_another_writing() {
    let (mut dice, mut accepted, mut written) = (Dice(0x4875), 0, 0);
    for spec in specs().iter().flat_map(Spec::suites) {
        let seeds = drafts_of(spec);
        for _ in 0..3_000 {
            let seed = &seeds[dice.roll(seeds.len())];
            let mut wire = seed.clone();
            for _ in 0..dice.roll(3) {
                mutate(&mut dice, &mut wire.body);
            }
            let Some((code, payment)) = meaning(spec, &wire) else {
                continue;
            };
            accepted += 1;
            let completed = completed(spec, &payment);
            let Ok(draft) = spec.draft(&code, &payment).or_else(|_| spec.draft(&code, &completed)) else {
                continue;
            };
            written += 1;
            let (_, again) = finish(draft);
            let (found, meant) = meaning(spec, &again).unwrap();
            let kept = payment
                .present()
                .all(|(attribute, value)| meant.value(attribute) == Some(value));
            assert!(
                kept && found == code && meant.outcome == payment.outcome,
                "{payment:?} {meant:?}"
            );
        }
    }
    assert!(
        written * 100 > accepted * 99,
        "{written} of {accepted} could be written again"
    );
}

/// With what our side adds to every message of its own, which a message from there does not say.
fn completed(spec: &Spec, payment: &Payment) -> Payment {
    let mut whole = full_of(spec, payment.operation, payment.role);
    for (attribute, value) in payment.present() {
        whole.put(attribute, value.clone()).unwrap();
    }
    whole.outcome.clone_from(&payment.outcome);
    whole
}

fn meaning(spec: &Spec, wire: &Wire) -> Option<(String, Payment)> {
    let mut message = spec.parse(wire).ok()?;
    try_open(&mut message)?;
    let payment = message.payment().ok()?;
    Some((message.kind().code.clone(), payment))
}

#[test]
fn every_cut_and_every_flipped_bit_of_a_message_is_survived() {
    let spec = specs().spec("nps").unwrap();
    let message = spec.message("NPS.143.001.01").unwrap();
    let (signed, wire) = finish(
        spec.draft(&message.code, &full_of(spec, message.operation, message.role))
            .unwrap(),
    );
    let covered: BTreeSet<String> = spec
        .parse(&wire)
        .unwrap()
        .signed_fields()
        .into_iter()
        .map(|field| field.path)
        .collect();
    let values = |wire: &Wire| -> Option<Vec<(String, String)>> {
        let fields = spec
            .parse(wire)
            .ok()?
            .describe(true)
            .into_iter()
            .filter(|field| covered.contains(&field.path));
        Some(fields.map(|field| (field.path, field.value)).collect())
    };
    let original = values(&wire);
    for at in 0..wire.body.len() {
        assert!(spec.parse(&Wire::queue(wire.body[..at].to_vec())).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = Wire::queue(wire.body.clone());
            flipped.body[at] ^= 1 << bit;
            let Ok(parsed) = spec.parse(&flipped) else { continue };
            let same = values(&flipped) == original;
            assert!(same == (parsed.signed_text().unwrap() == signed), "byte {at} bit {bit}");
        }
    }
}
