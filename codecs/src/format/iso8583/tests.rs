//! Digits by published vectors, one published frame, and that what is read is written again byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::bcd::{Fault, decode, encode};
use crate::field::hex_decode;
use crate::sample::embedded;
use crate::spec::{Spec, Specs};
use crate::wire::Wire;
use std::sync::Arc;

const SPEC: &str = include_str!("../../../unionpay-pos/spec.toml");

/// `moov-io/iso8583 : encoding/{bcd,lbcd}_test.go`.
#[test]
fn odd_digits_have_their_filler_before_or_behind_them() {
    let check = |bytes: &[u8], text: &str, is_left: bool| {
        assert_eq!(decode(bytes, text.len(), is_left, None).as_deref(), Ok(text));
        assert_eq!(encode(text, is_left, None).as_deref(), Some(bytes));
    };
    check(&[0x01, 0x23], "123", false);
    check(&[0x12, 0x30], "123", true);
    check(&[0x12, 0x34], "1234", true);
    check(&[], "", true);
    assert_eq!(decode(&[0x12, 0xab], 4, true, None), Err((1, Fault::Digit)));
    assert_eq!(decode(&[0x12, 0x31], 3, true, None), Err((1, Fault::Filler)));
    assert_eq!(decode(&[0x91, 0x23], 3, false, None), Err((0, Fault::Filler)));
    assert_eq!(decode(&[0x12, 0xd4], 4, true, Some(b'D')).as_deref(), Ok("12D4"));
    assert_eq!(encode("12D4", true, Some(b'D')).as_deref(), Some(&[0x12, 0xd4][..]));
    for wrong in ["12D4", "12a4", "1 34", "12\u{e9}"] {
        assert_eq!(encode(wrong, true, None), None, "{wrong}");
    }
}

/// Vector 8a of the facts, a frame as a terminal sent it; only the kind of its message is put in place of another.
#[test]
fn a_published_frame_is_read_and_written_again() {
    let text = SPEC.replace("0200-000000-00-22", "0200-000000-99-26");
    let spec = spec(&text).unwrap();
    let wire = Wire::queue(hex_decode(PUBLISHED).unwrap());
    let message = spec.parse(&wire).unwrap();
    let described = message.describe(true);
    for (path, value, offset) in [
        ("header", "603210320072", 0),
        ("4", "000000001234", 19),
        ("22", "030", 28),
        ("42/41", "952718182217875-00000001", 39),
        ("42/41/60.2/11", "952718182217875-00000001-000001-000002", 39),
        ("60.4", "60000000", 59),
        ("49", "156", 54),
        ("64", "4233413039324145", 114),
    ] {
        let field = described.iter().find(|field| field.path == path).unwrap();
        assert_eq!((field.value.as_str(), field.offset), (value, Some(offset)), "{path}");
    }
    assert_eq!(message.signed_text().unwrap(), wire.body[6..114]);
    assert_eq!(again(&spec, &wire), wire.body);
}

#[test]
fn what_is_read_is_written_again_byte_for_byte() {
    let spec = spec(SPEC).unwrap();
    let mut count = 0;
    for sample in embedded().unwrap() {
        if sample.codec != "unionpay-pos" || sample.expect != "ok" {
            continue;
        }
        let spec = sample.suited(&spec).unwrap();
        assert_eq!(again(spec, &sample.wire), sample.wire.body, "{}", sample.file);
        count += 1;
    }
    assert!(count > 20, "{count} samples");
}

/// No cut of a message is a message, and whatever else is taken is written again as it was: nothing in it is lost or made up.
#[test]
fn every_cut_is_refused_and_every_change_that_is_taken_is_kept() {
    let spec = spec(SPEC).unwrap();
    for sample in embedded().unwrap() {
        if sample.codec != "unionpay-pos" || sample.expect != "ok" {
            continue;
        }
        let (spec, body) = (sample.suited(&spec).unwrap(), &sample.wire.body);
        let signed = spec.parse(&sample.wire).unwrap().signed_text().unwrap();
        for at in 0..body.len() {
            assert!(
                spec.parse(&Wire::queue(body[..at].to_vec())).is_err(),
                "{} cut at {at}",
                sample.file
            );
            for bit in 0..8 {
                let mut wire = Wire::queue(body.clone());
                wire.body[at] ^= 1 << bit;
                let Ok(changed) = spec.parse(&wire) else { continue };
                assert_eq!(again(spec, &wire), wire.body, "{} byte {at} bit {bit}", sample.file);
                let is_outside = at < 6 || at >= body.len() - 8;
                let is_same = changed.signed_text().unwrap() == signed;
                assert_eq!(is_same, is_outside, "{} byte {at} bit {bit}", sample.file);
            }
        }
    }
}

/// The same messages where a table goes to 128: the MAC is in the second half, so every message has both bitmaps.
#[test]
fn a_second_bitmap_is_read_and_written_where_the_table_has_one() {
    let text = SPEC
        .replace("elements_max = 64", "elements_max = 128")
        .replace("number = 64", "number = 128")
        .replace("path = \"64\"", "path = \"128\"")
        .replace("at = \"64\"", "at = \"128\"");
    let (one, two) = (spec(SPEC).unwrap(), spec(&text).unwrap());
    let sample = embedded()
        .unwrap()
        .into_iter()
        .find(|sample| sample.file == "debit_3des.txt")
        .unwrap();
    let payment = one.parse(&sample.wire).unwrap().payment().unwrap();
    let mac = &[7; 8];
    let (short, long) = (
        one.draft("0200-000000-00-22", &payment)
            .unwrap()
            .finish_bytes(mac)
            .unwrap()
            .body,
        two.draft("0200-000000-00-22", &payment)
            .unwrap()
            .finish_bytes(mac)
            .unwrap()
            .body,
    );
    assert_eq!(long.len(), short.len() + 8);
    assert_eq!((long[8] & 0x80, &long[16..24]), (0x80, &[0, 0, 0, 0, 0, 0, 0, 1][..]));
    let wire = Wire::queue(long.clone());
    assert_eq!(two.parse(&wire).unwrap().payment().unwrap(), payment);
    let mut third = long;
    third[16] |= 0x80;
    let error = two.parse(&Wire::queue(third)).unwrap_err();
    assert_eq!(
        (error.rule, error.field.as_deref(), error.offset),
        ("iso.bitmap", Some("65"), Some(16))
    );
}

#[test]
fn what_cannot_be_read_again_is_not_written() {
    let spec = spec(SPEC).unwrap();
    let sample = embedded()
        .unwrap()
        .into_iter()
        .find(|sample| sample.file == "debit_3des.txt")
        .unwrap();
    let check = |initiator: &str, serial: &str, rule: &str| {
        let mut payment = spec.parse(&sample.wire).unwrap().payment().unwrap();
        payment.set_text(crate::payment::Attribute::Initiator, initiator);
        payment.set_text(crate::payment::Attribute::Serial, serial);
        let error = spec
            .draft("0200-000000-00-22", &payment)
            .and_then(|draft| draft.signed_text().map(drop));
        assert_eq!(error.unwrap_err().rule, rule, "{initiator} {serial}");
    };
    let (terminal, other) = ("900000000000001-T0000001", "900000000000001-T0000002");
    check(terminal, &format!("{other}-000001-000002"), "iso.conflict");
    check(terminal, &format!("{terminal}-00000a-000002"), "iso.text");
    check(terminal, &format!("{terminal}-00001-0000002"), "iso.length");
    check(terminal, &format!("{terminal}_000001-000002"), "iso.pieces");
    check(
        "90000000000001-T00000011",
        "90000000000001-T00000011-000001-000002",
        "iso.length",
    );
}

#[test]
fn a_spec_whose_fields_have_no_place_in_its_table_is_refused() {
    let check = |from: &str, to: &str, expected: &str| {
        let text = SPEC.replacen(from, to, 1);
        assert_ne!(text, SPEC, "{from}");
        let error = spec(&text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check("path = \"60.3\"", "path = \"60.9\"", "`60.9` is neither");
    check("path = \"60.4\"", "path = \"60\"", "has parts");
    check("path = \"14\"", "path = \"17\"", "`17` is neither");
    check("path = \"14\"", "path = \"@tpdu\"", "elements of the message");
    check("parts = [2, 6, 3, 8]", "parts = [2, 6, 3]", "`parts`");
    check(
        "number = 64, content = \"bytes\", length = \"8\"",
        "number = 64, content = \"bytes\", length = \"LL..8\"",
        "the MAC is the last",
    );
    check("length = \"LL..19\"", "length = \"LL..100\"", "`length`");
    check("number = 3,", "number = 2,", "another row");
    check("number = 2,", "number = 1,", "elements are 2");
    check("elements_max = 64", "elements_max = 96", "64 or 128");
    check("content = \"track\"", "content = \"trac\"", "did you mean `track`?");
    check("header_bytes = 6", "header_bytes = 0", "`header` is neither");
}

fn spec(text: &str) -> Result<Arc<Spec>, String> {
    let mut specs = Specs::default();
    specs.insert("unionpay-pos", text).map_err(|error| error.to_string())?;
    Ok(specs.spec("unionpay-pos").unwrap().clone())
}

/// Read, and written with the very MAC that it had.
fn again(spec: &Spec, wire: &Wire) -> Vec<u8> {
    let mac = &wire.body[wire.body.len() - 8..];
    spec.redraft(wire).unwrap().finish_bytes(mac).unwrap().body
}

const PUBLISHED: &str = concat!(
    "603210320072",
    "02003020048000c08015",
    "000000",
    "000000001234",
    "000002",
    "0300",
    "99",
    "3030303030303031",
    "393532373138313832323137383735",
    "313536",
    "001926000001000600000000",
    "00435f01123238343431323334353637383930313233345f03063136303033365f04063230303832365c023031",
    "4233413039324145",
);
