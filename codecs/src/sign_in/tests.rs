#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::spec::Specs;
use std::sync::Arc;
use time::macros::datetime;

const SERIAL: &str = "900000000000001-T0000001-000001-000002";
/// Header, type, bitmap (11, 41, 42, 60, 63), then the elements, packed by hand.
const REQUEST: &str = "602200000000 0800 0020000000c00012 000002 5430303030303031 393030303030303030303030303031 \
                       0011000000010030 0003303031";

fn spec() -> Arc<Spec> {
    Specs::embedded().unwrap().spec("unionpay-pos").unwrap().clone()
}

fn bytes(digits: &str) -> Wire {
    Wire::queue(hex_decode(&digits.replace(' ', "")).unwrap())
}

fn key(byte: u8, length: usize) -> HandedKey {
    HandedKey {
        wrapped: vec![byte; length],
        check: vec![byte + 1; CHECK_BYTES],
    }
}

#[test]
fn a_request_is_what_was_packed_by_hand_and_names_its_terminal() {
    let spec = spec();
    assert_eq!(spec.ask_to_sign_in(SERIAL).unwrap().unwrap().body, bytes(REQUEST).body);
    let asked = bytes(REQUEST);
    assert_eq!(spec.sign_in(&asked).unwrap().unwrap().holder, "900000000000001-T0000001");
}

#[test]
fn an_answer_hands_over_both_keys_to_whom_it_answers() {
    let spec = spec();
    let asked = bytes(REQUEST);
    for length in [8, 16, 24] {
        let (pin, mac) = (key(1, length), key(5, length));
        let sign_in = spec.sign_in(&asked).unwrap().unwrap();
        let answer = sign_in.answer(&pin, &mac, datetime!(2030-01-02 18:30:05 +8)).unwrap();
        let texts = iso_unpack(spec.sign_in_plan().unwrap().0, &answer.body).unwrap();
        let text = |path: &str| texts[&Place::parse(path).unwrap()].as_str();
        assert_eq!(["type", "12", "13", "39"].map(text), ["0810", "183005", "0102", "00"]);
        assert_eq!(spec.handed_keys(&asked, &answer).unwrap().unwrap(), [pin, mac]);

        let other = spec
            .ask_to_sign_in("900000000000001-T0000001-000001-000003")
            .unwrap()
            .unwrap();
        assert_eq!(spec.handed_keys(&other, &answer).unwrap().unwrap_err().rule, "sign_in.answer");
        let itself = spec.handed_keys(&asked, &asked).unwrap();
        assert_eq!(itself.unwrap_err().rule, "sign_in.answer");
    }
}

#[test]
fn what_a_sign_in_does_not_have_is_refused_and_other_messages_are_none() {
    let spec = spec();
    // With an amount; without a batch; then a purchase, another network code, a byte too many and nothing at all.
    let amount = REQUEST.replace("0020000000c00012 ", "1020000000c00012 000000001234 ");
    assert_eq!(spec.sign_in(&bytes(&amount)).unwrap().unwrap_err().rule, "iso.unexpected");
    let nameless = REQUEST
        .replace("0020000000c00012", "0020000000800012")
        .replace("393030303030303030303030303031 ", "");
    assert_eq!(spec.sign_in(&bytes(&nameless)).unwrap().unwrap_err().rule, "field.missing");
    for other in [
        REQUEST.replace(" 0800 ", " 0200 "),
        REQUEST.replace("0011000000010030", "0011000000010010"),
        format!("{REQUEST} 00"),
        String::new(),
    ] {
        assert!(spec.sign_in(&bytes(&other)).is_none(), "{other}");
    }
    assert!(
        Specs::embedded()
            .unwrap()
            .spec("nps")
            .unwrap()
            .sign_in(&bytes(REQUEST))
            .is_none()
    );
}
