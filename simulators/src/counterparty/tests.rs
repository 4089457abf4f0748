#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Party, Step, Twist};
use crate::people::Person;
use crate::testing::{NOW, parties, request, world};
use codecs::payment::{Attribute, Operation, Payment, Reason, Role};
use codecs::wire::Wire;

fn emit(party: &Party, payment: &Payment, twist: Twist) -> Wire {
    let code = party.code(payment.operation, payment.role).unwrap();
    party.emit_twisted(&code, payment, NOW, &mut world(21).rng(), twist).unwrap()
}

/// Every business value that a message type carries comes back as it was sent.
#[test]
fn every_request_survives_the_wire() {
    let parties = parties(20);
    let debit = {
        let mut debit = request(Operation::Debit, 1, 7, 500, None);
        debit.set_text(Attribute::MessageCode, "NPS.142.001.01");
        debit
    };
    let operations = [
        Operation::Sign,
        Operation::Terminate,
        Operation::Verify,
        Operation::Debit,
        Operation::Credit,
        Operation::Refund,
        Operation::Cancel,
        Operation::Query,
        Operation::Echo,
    ];
    for (serial, operation) in (2..).zip(operations) {
        let sent = request(operation, serial, 7, 500, Some(&debit));
        let received = parties.bank.receive(&emit(&parties.centre, &sent, Twist::None), NOW).unwrap();
        assert_eq!((received.operation, received.role), (operation, Role::Request));
        let carried = received
            .present()
            .filter(|(attribute, _)| sent.value(*attribute).is_some())
            .count();
        assert!(operation == Operation::Echo || carried >= 15, "{operation} carries {carried}");
        for (attribute, value) in received.present() {
            let kept = sent.value(attribute).is_none_or(|own| own == value);
            // The moment gets its offset on the way, and the code is the message's own.
            assert!(
                kept || attribute == Attribute::CreatedAt,
                "{operation} {attribute}: {value:?}"
            );
        }
    }
}

#[test]
fn sensitive_values_are_not_in_the_bytes() {
    let parties = parties(22);
    let person = Person::at(7);
    let wire = emit(&parties.centre, &request(Operation::Sign, 1, 7, 0, None), Twist::None);
    let text = String::from_utf8(wire.body).unwrap();
    for secret in [&person.account, &person.name, &person.id_number, &person.mobile] {
        assert!(!text.contains(secret.as_str()));
    }
    assert!(text.contains("<ncrptnSN>") && text.contains("<dgtlEnvlp>"));
}

#[test]
fn each_twist_is_refused_at_its_step() {
    let parties = parties(23);
    let sign = request(Operation::Sign, 1, 7, 0, None);
    assert!(parties.bank.receive(&emit(&parties.centre, &sign, Twist::None), NOW).is_ok());
    for (twist, step, reason) in [
        (Twist::BadSignature, Step::Verify, Reason::SignatureInvalid),
        (Twist::UnknownSerial, Step::Verify, Reason::SignatureInvalid),
        (Twist::WrongSealKey, Step::Open, Reason::InvalidMessage),
    ] {
        let refusal = parties.bank.receive(&emit(&parties.centre, &sign, twist), NOW).unwrap_err();
        assert_eq!((refusal.step, refusal.reason()), (step, reason), "{twist:?}: {refusal}");
        assert!(!refusal.text.contains(&Person::at(7).account));
    }
}

/// A message is for one receiver: nobody else can open it, and it is nobody's own.
#[test]
fn another_party_cannot_read_it() {
    let parties = parties(24);
    let others = self::parties(25);
    let wire = emit(&parties.centre, &request(Operation::Sign, 1, 7, 0, None), Twist::None);
    assert_eq!(others.bank.receive(&wire, NOW).unwrap_err().step, Step::Verify);
    assert_eq!(parties.centre.receive(&wire, NOW).unwrap_err().step, Step::Verify);
}

/// No change of one byte goes unseen, wherever it is.
#[test]
fn every_changed_byte_is_seen_or_means_the_same() {
    let parties = parties(26);
    let sent = request(Operation::Debit, 1, 7, 500, None);
    let wire = emit(&parties.centre, &sent, Twist::None);
    let original = parties.bank.receive(&wire, NOW).unwrap();
    for place in (0..wire.body.len()).step_by(37) {
        let mut changed = wire.clone();
        changed.body[place] ^= 1;
        if let Ok(payment) = parties.bank.receive(&changed, NOW) {
            assert_eq!(payment.business_text(), original.business_text(), "byte {place}");
        }
    }
}
