#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Numbering, communication_key, reference_key, stamp, time_digits};
use crate::testing::{NOW, request, sending};
use codecs::payment::{Attribute, Operation, Outcome};
use time::macros::date;

/// The shapes of facts/clearing.md 1.1.
#[test]
fn identifiers_have_the_networks_shapes() {
    let numbering = Numbering {
        mfe: 'B',
        settlement_date: date!(2030 - 01 - 02),
    };
    assert_eq!(numbering.msg_id(1234), "203001026600001234");
    assert_eq!(numbering.serial(1234), "BBE00001234");
    assert_eq!(numbering.end_to_end_id(1).len(), 31);
    assert_eq!(numbering.batch(19_000), "B203001020020");
    assert_eq!(
        (stamp(NOW).as_str(), time_digits(NOW).as_str()),
        ("2030-01-01T18:30:05", "183005")
    );
    assert_eq!(
        request(Operation::Cancel, 1299, 7, 0, None).text(Attribute::Serial),
        Some("N203001026600001299")
    );
}

#[test]
fn a_reply_refers_to_its_request() {
    let mut debit = request(Operation::Debit, 1, 7, 500, None);
    debit.set_text(Attribute::MessageCode, "NPS.142.001.01");
    let reply = sending().reply(&debit, Outcome::Success, 9, NOW);
    assert_eq!(reference_key(&reply), Some(communication_key(&debit)));
    assert_eq!(
        communication_key(&debit),
        "900584099999|NPS|20300101|BBE00000001|NPS.142.001.01"
    );
    assert_eq!(reference_key(&debit), None);
    assert_ne!(communication_key(&reply), communication_key(&debit));
}
