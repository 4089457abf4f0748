//! Hostile SM2 signatures as they would stand in a message: what Wycheproof does to P-256 (its flags name the groups), done to
//! one good signature on this curve. Each is refused by its encoding or by both engines; the good one is not.

use codecs::envelope::signature_from_der;
use getrandom::SysRng;
use keys::sm2::{DEFAULT_USER_ID, Engine, PrivateKey, Verify};
use rand_core::UnwrapErr;
use std::collections::BTreeMap;

#[test]
fn no_hostile_signature_is_accepted() {
    let (signature, judges) = good();
    let encoded = der(&minimal(&signature[..32]), &minimal(&signature[32..]));
    assert!(accepted(&encoded, &judges), "the good one verifies");
    let vectors = vectors(&signature, &encoded);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (flag, bytes) in &vectors {
        assert_ne!(bytes, &encoded, "{flag} changed nothing");
        assert!(!accepted(bytes, &judges), "{flag} was accepted: {bytes:02x?}");
        *counts.entry(flag).or_default() += 1;
    }
    assert!(vectors.len() >= 700, "{counts:?}");
}

const TEXT: &[u8] = b"hostile";

fn good() -> ([u8; 64], [Box<dyn Verify>; 2]) {
    let key = PrivateKey::from_bytes(&[0x39; 32]).unwrap();
    let engines = [Engine::Native, Engine::Reference];
    let judges = engines.map(|engine| engine.verifier(key.public(), DEFAULT_USER_ID).unwrap());
    let signer = Engine::Native.signer(&key, DEFAULT_USER_ID).unwrap();
    (signer.sign(TEXT, &mut UnwrapErr(SysRng)).unwrap(), judges)
}

/// Whether any judge takes it; the two must agree.
fn accepted(bytes: &[u8], judges: &[Box<dyn Verify>; 2]) -> bool {
    let Ok(raw) = signature_from_der(bytes) else { return false };
    let [first, second] = judges.each_ref().map(|judge| judge.verify(TEXT, &raw).is_ok());
    assert_eq!(first, second, "the engines differ on {bytes:02x?}");
    first
}

type Vectors = Vec<(&'static str, Vec<u8>)>;

fn vectors(signature: &[u8; 64], encoded: &[u8]) -> Vectors {
    let (r, s) = signature.split_at(32);
    [
        ranges(r, s),
        types(r, s),
        lengths(encoded),
        paddings(r, s),
        additions(r, s, encoded),
        bits(encoded),
    ]
    .concat()
}

/// `RangeCheck`, `ArithmeticError`, `ModifiedInteger`, `SmallRandS`, `IntegerOverflow`.
fn ranges(r: &[u8], s: &[u8]) -> Vectors {
    let special: Vec<Vec<u8>> = [
        "00", "01", "02", "03", "ff", "0100", N_LESS, N, N_MORE, P_LESS, P, P_MORE, OVER, HUGE, HALF,
    ]
    .into_iter()
    .map(hex)
    .collect();
    let mut found: Vectors = Vec::new();
    for first in &special {
        found.push(("ModifiedInteger", der(first, &minimal(s))));
        found.push(("ModifiedInteger", der(&minimal(r), first)));
        found.extend(special.iter().map(|second| ("ArithmeticError", der(first, second))));
    }
    for (own, other, first) in [(r, s, true), (s, r, false)] {
        for changed in neighbours(own) {
            let pair = if first {
                der(&changed, &minimal(other))
            } else {
                der(&minimal(other), &changed)
            };
            found.push(("RangeCheck", pair));
        }
    }
    found.push(("ModifiedSignature", der(&minimal(s), &minimal(r))));
    found
}

/// The same number modulo n, modulo p, modulo 2^256, and negative.
fn neighbours(own: &[u8]) -> Vec<Vec<u8>> {
    let (n, p) = (hex(N), hex(P));
    let one = |byte: u8| [vec![byte], vec![0; 32]].concat();
    vec![
        add(own, &n),
        add(own, &p),
        add(own, &one(1)),
        subtract(own, &n),
        subtract(&n, own),
        subtract(&[0], own),
        subtract(own, &one(1)),
        subtract(&[0], &add(own, &n)),
        [own, &[0]].concat(),
        [minimal(own), vec![0; 32]].concat(),
    ]
}

/// `InvalidTypesInSignature`: r and s are integers and nothing else.
fn types(r: &[u8], s: &[u8]) -> Vectors {
    let (r, s) = (integer(&minimal(r)), integer(&minimal(s)));
    let others: [&[u8]; 12] = [
        &[0x01, 0x01, 0x00],
        &[0x01, 0x01, 0xff],
        &[0x05, 0x00],
        &[0x0a, 0x01, 0x01],
        &[0x09, 0x01, 0x40],
        &[0x09, 0x00],
        &[0x0c, 0x01, 0x30],
        &[0x06, 0x02, 0x2a, 0x03],
        &[0x30, 0x00],
        &[0x31, 0x00],
        &[0x30, 0x03, 0x02, 0x01, 0x00],
        &[],
    ];
    let mut found: Vectors = Vec::new();
    for other in others {
        found.push(("InvalidTypes", sequence(&[other, &s].concat())));
        found.push(("InvalidTypes", sequence(&[&r, other].concat())));
        found.extend(
            others
                .iter()
                .map(|second| ("InvalidTypes", sequence(&[other, second].concat()))),
        );
    }
    for tag in (0u8..=255).filter(|&tag| tag != 0x02) {
        found.push(("InvalidEncoding", sequence(&[retagged(&r, tag), s.clone()].concat())));
        found.push(("InvalidEncoding", sequence(&[r.clone(), retagged(&s, tag)].concat())));
    }
    for tag in (0u8..=255).filter(|&tag| tag != 0x30) {
        found.push(("InvalidEncoding", retagged(&sequence(&[r.clone(), s.clone()].concat()), tag)));
    }
    found
}

/// `InvalidEncoding`, `BerEncodedSignature`: every length that a sequence or an integer could claim, and every cut.
fn lengths(encoded: &[u8]) -> Vectors {
    let second = 4 + usize::from(encoded[3]);
    let mut found: Vectors = Vec::new();
    for at in [1, 3, second + 1] {
        for length in (0u8..=255).filter(|&length| length != encoded[at]) {
            let mut changed = encoded.to_vec();
            changed[at] = length;
            found.push(("InvalidEncoding", changed));
        }
        for long in [
            &[0x81][..],
            &[0x82, 0],
            &[0x83, 0, 0],
            &[0x84, 0, 0, 0],
            &[0x85, 0, 0, 0, 0],
            &[0x80 | 9; 1],
        ] {
            let claimed = [long, &[encoded[at]]].concat();
            found.push(("BerEncodedSignature", [&encoded[..at], &claimed, &encoded[at + 1..]].concat()));
        }
        let indefinite = [&encoded[..at], &[0x80], &encoded[at + 1..], &[0, 0]].concat();
        found.push(("BerEncodedSignature", indefinite));
    }
    found.extend((0..encoded.len()).map(|cut| ("InvalidEncoding", encoded[..cut].to_vec())));
    found
}

/// `MissingZero`, and zeros that nobody needs.
fn paddings(r: &[u8], s: &[u8]) -> Vectors {
    let mut found: Vectors = Vec::new();
    for zeros in 1..=8 {
        let longer = |number: &[u8]| [vec![0; zeros + 1], minimal(number)].concat();
        found.push(("BerEncodedSignature", der(&longer(r), &minimal(s))));
        found.push(("BerEncodedSignature", der(&minimal(r), &longer(s))));
    }
    for (first, second) in [(negative(r), minimal(s)), (minimal(r), negative(s))] {
        found.push(("MissingZero", der(&first, &second)));
    }
    found
}

/// `ModifiedSignature`: something before, between, behind, or around.
fn additions(r: &[u8], s: &[u8], encoded: &[u8]) -> Vectors {
    let (r, s) = (integer(&minimal(r)), integer(&minimal(s)));
    let pieces: [&[u8]; 6] = [&[0], &[0, 0], &[5, 0], &[2, 1, 0], &[0x30, 0], &[0xff]];
    let mut found: Vectors = Vec::new();
    for piece in pieces {
        found.push(("ModifiedSignature", [encoded, piece].concat()));
        found.push(("ModifiedSignature", [piece, encoded].concat()));
        for parts in [[piece, &r, &s], [&r, piece, &s], [&r, &s, piece]] {
            found.push(("ModifiedSignature", sequence(&parts.concat())));
        }
    }
    found.push(("ModifiedSignature", sequence(encoded)));
    found.push(("ModifiedSignature", [encoded, encoded].concat()));
    found.push(("ModifiedSignature", sequence(&r)));
    found.push(("ModifiedSignature", [r, s].concat()));
    found
}

fn bits(encoded: &[u8]) -> Vectors {
    let flipped = |bit: usize| {
        let mut changed = encoded.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        ("ModifiedSignature", changed)
    };
    (0..encoded.len() * 8).map(flipped).collect()
}

fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    sequence(&[integer(r), integer(s)].concat())
}

/// INTEGER with exactly this content.
fn integer(content: &[u8]) -> Vec<u8> {
    element(0x02, content)
}

fn sequence(content: &[u8]) -> Vec<u8> {
    element(0x30, content)
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let length = if length < 0x80 { vec![length] } else { vec![0x81, length] };
    [vec![tag], length, content.to_vec()].concat()
}

fn retagged(element: &[u8], tag: u8) -> Vec<u8> {
    [&[tag], &element[1..]].concat()
}

/// The content of a positive INTEGER.
fn minimal(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|&byte| byte != 0).unwrap_or(number.len() - 1);
    let digits = &number[start..];
    if digits[0] < 0x80 {
        digits.to_vec()
    } else {
        [&[0], digits].concat()
    }
}

/// The same digits without the zero that keeps them positive; where none is needed, two's complement.
fn negative(number: &[u8]) -> Vec<u8> {
    let content = minimal(number);
    if content[0] == 0 {
        content[1..].to_vec()
    } else {
        subtract(&[0], number)
    }
}

/// Sum and difference in two's complement, 36 bytes wide, then as short as DER wants them.
fn add(left: &[u8], right: &[u8]) -> Vec<u8> {
    let (left, right) = (wide(left), wide(right));
    let mut carry = 0u16;
    let mut sum = [0; WIDE];
    for at in (0..WIDE).rev() {
        carry += u16::from(left[at]) + u16::from(right[at]);
        sum[at] = u8::try_from(carry & 0xff).unwrap();
        carry >>= 8;
    }
    shortest(&sum)
}

fn subtract(left: &[u8], right: &[u8]) -> Vec<u8> {
    let inverted = wide(right).map(|byte| !byte);
    let negated = wide_sum(&inverted);
    add(left, &negated)
}

/// One more.
fn wide_sum(number: &[u8; WIDE]) -> [u8; WIDE] {
    let mut more = *number;
    for byte in more.iter_mut().rev() {
        let (next, over) = byte.overflowing_add(1);
        *byte = next;
        if !over {
            break;
        }
    }
    more
}

const WIDE: usize = 36;

fn wide(number: &[u8]) -> [u8; WIDE] {
    let mut wide = [0; WIDE];
    wide[WIDE - number.len()..].copy_from_slice(number);
    wide
}

fn shortest(number: &[u8; WIDE]) -> Vec<u8> {
    let spare = |pair: &[u8]| (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xff && pair[1] >= 0x80);
    let skip = number.windows(2).take_while(|pair| spare(pair)).count();
    number[skip..].to_vec()
}

fn hex(digits: &str) -> Vec<u8> {
    let nibble = |digit: u8| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap();
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}

/// GB/T 32918.5: n and p, each with its neighbours; a zero keeps them positive.
const N_LESS: &str = "00fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54122";
const N: &str = "00fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";
const N_MORE: &str = "00fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54124";
const P_LESS: &str = "00fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffe";
const P: &str = "00fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff";
const P_MORE: &str = "00fffffffeffffffffffffffffffffffffffffffff000000010000000000000000";
/// 2^256, 2^512 - 1, and half of n.
const OVER: &str = "010000000000000000000000000000000000000000000000000000000000000000";
const HUGE: &str = "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
const HALF: &str = concat!("7fffffff7fffffff", "ffffffffffffffffb901efb590e30295a9ddfa049ceaa092");
