//! The plain twin of the fuzz target: samples and good messages, mutated from a fixed seed. Nothing may panic, and a mutation
//! that is accepted may change neither a signed value without the signed text nor the meaning of the text.

use crate::payments::{finish, full_of, specs};
use codecs::fuzz::parse_any;
use codecs::sample;
use codecs::wire::Wire;
use std::collections::BTreeSet;

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

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = sample::embedded()
        .unwrap()
        .into_iter()
        .map(|sample| sample.wire.body)
        .collect();
    for spec in specs().iter() {
        for message in spec.messages() {
            seeds.push(
                finish(
                    spec.draft(&message.code, &full_of(spec, message.operation, message.role))
                        .unwrap(),
                )
                .1
                .body,
            );
        }
    }
    seeds
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
fn mutated_messages_never_panic() {
    let seed = 0x48_61_6e_67_75;
    let mut dice = Dice(seed);
    let seeds = seeds();
    for _ in 0..4_000 {
        let mut bytes = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..=dice.roll(3) {
            mutate(&mut dice, &mut bytes);
        }
        parse_any(&bytes);
    }
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
