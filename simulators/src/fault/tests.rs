#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Fault, When};
use crate::testing::request;
use crate::world::Dice;
use codecs::payment::Operation;

const BODY: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><t><MsgId>203001026600000001</MsgId></t>";

#[test]
fn names_are_stable() {
    for fault in Fault::ALL {
        assert_eq!(Fault::parse(fault.name()), Some(fault));
        assert_eq!(serde_json::to_string(&fault).unwrap(), format!("\"{}\"", fault.name()));
    }
    assert_eq!(Fault::parse("none"), None);
}

#[test]
fn each_change_of_bytes_changes_them_and_repeats_by_seed() {
    for fault in [Fault::CorruptByte, Fault::Truncate, Fault::Gbk, Fault::Doctype] {
        let changed = |seed| {
            let mut body = BODY.to_vec();
            fault.change(&mut body, &mut Dice::new(seed, 1));
            body
        };
        assert_ne!(changed(1), BODY, "{}", fault.name());
        assert_eq!(changed(1), changed(1), "{}", fault.name());
    }
    let mut gbk = BODY.to_vec();
    Fault::Gbk.change(&mut gbk, &mut Dice::new(1, 1));
    assert!(std::str::from_utf8(&gbk).is_err());
    for fault in Fault::ALL {
        let mut nothing = Vec::new();
        fault.change(&mut nothing, &mut Dice::new(1, 1));
    }
}

#[test]
fn all_conditions_must_hold() {
    let debit = request(Operation::Debit, 1, 7, 500, None);
    let when = When {
        operation: Some(Operation::Debit),
        amount_fen: Some(500),
        nth: Some(3),
    };
    assert_eq!((0..6).filter(|seen| when.holds(&debit, *seen)).collect::<Vec<_>>(), [2, 5]);
    assert!(
        !When {
            amount_fen: Some(501),
            ..when
        }
        .holds(&debit, 2)
    );
    assert!(
        !When {
            operation: Some(Operation::Credit),
            ..when
        }
        .holds(&debit, 2)
    );
    assert!(!When { nth: Some(0), ..when }.holds(&debit, 2));
    assert!(When::default().holds(&debit, 0));
}

#[test]
fn a_named_value_is_changed_wherever_it_stands_whole() {
    let check = |body: &str, value: &str, expected: &str| {
        let mut bytes = body.as_bytes().to_vec();
        let is_changed = super::corrupt_value(&mut bytes, value);
        assert_eq!(
            (is_changed, String::from_utf8(bytes).unwrap().as_str()),
            (body != expected, expected)
        );
    };
    check(
        "<A>12.34</A><B>112.34</B><C>12.34</C>",
        "12.34",
        "<A>12.37</A><B>112.34</B><C>12.37</C>",
    );
    check("{\"a\":1237,\"b\":\"1237\"}", "1237", "{\"a\":1238,\"b\":\"1238\"}");
    check("<A>12.34</A>", "99", "<A>12.34</A>");
    check("<A></A>", "", "<A></A>");
}
