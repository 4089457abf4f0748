//! Every message of every spec: draft, seal, sign, write, parse, open, and the same payment comes out.

use crate::payments::{failed, finish, full, full_of, open, specs};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Role};
use codecs::spec::{MessageSpec, Spec};

fn there_and_back(spec: &Spec, message: &MessageSpec, sent: &Payment) -> Payment {
    let place = format!("{} {} {}", spec.codec, message.code, sent.operation);
    let draft = spec
        .draft(&message.code, sent)
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    let draft_scheme = draft.signature_scheme();
    let (signed, wire) = finish(draft);
    let mut parsed = spec
        .parse(&wire)
        .unwrap_or_else(|error| panic!("{place}: {error}\n{}", String::from_utf8_lossy(&wire.body)));
    assert_eq!(parsed.kind().code, message.code);
    assert_eq!(parsed.signed_text().unwrap(), signed, "{place}");
    let signs = !matches!(draft_scheme, codecs::envelope::SignatureScheme::None);
    assert_eq!(parsed.signature().unwrap().is_some(), signs, "{place}");
    open(&mut parsed);
    let found = parsed.payment().unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!((found.operation, found.role), (sent.operation, sent.role), "{place}");
    found
}

/// What came out is a part of what went in, but for the code, the value that selects the operation, and what a spec derives.
fn assert_part(place: &str, found: &Payment, sent: &Payment) {
    for (attribute, value) in found.present() {
        let own = matches!(
            attribute,
            Attribute::MessageCode | Attribute::BusinessType | Attribute::Serial | Attribute::OriginalOperation
        );
        assert!(
            own || sent.value(attribute) == Some(value),
            "{place}: {attribute} {value:?} {:?}",
            sent.value(attribute)
        );
    }
}

#[test]
fn every_message_of_every_spec_goes_there_and_back() {
    for spec in specs().iter().flat_map(Spec::suites) {
        for message in spec.messages() {
            for &operation in message.operations() {
                let mut sent = full_of(spec, operation, message.role);
                let found = there_and_back(spec, message, &sent);
                assert_part(&message.code, &found, &sent);
                if found.outcome.is_none() {
                    assert!(
                        message.role != Role::Reply || operation == Operation::Echo,
                        "{} has no outcome",
                        message.code
                    );
                    continue;
                }
                assert!(states(spec, &found, &sent), "{} {}", spec.codec, message.code);
                for outcome in [failed(), Outcome::Unknown] {
                    sent.outcome = Some(outcome);
                    let found = there_and_back(spec, message, &sent);
                    assert!(states(spec, &found, &sent), "{} {}", spec.codec, message.code);
                }
            }
        }
    }
}

/// Whether the outcome came through. UnionPay's first answer to an order only says that it was taken: unknown, whatever
/// becomes of it. Its terminals get a code, and no text.
fn states(spec: &Spec, found: &Payment, sent: &Payment) -> bool {
    if let ("unionpay-pos", Some(Outcome::Failed { reason, .. })) = (spec.codec.as_str(), &sent.outcome) {
        return found.outcome == Some(Outcome::failed(*reason, ""));
    }
    let taken = spec.codec == "unionpay-form" && sent.outcome == Some(Outcome::Success);
    found.outcome == sent.outcome || (taken && sent.operation != Operation::Query && found.outcome == Some(Outcome::Unknown))
}

#[test]
fn a_message_is_found_for_every_operation_that_a_spec_carries() {
    for spec in specs().iter() {
        for message in spec.messages() {
            for &operation in message.operations() {
                let found = spec.message_for(operation, message.role).unwrap();
                assert!(
                    found.code == message.code || message.is_alternative(),
                    "{} {operation}",
                    message.code
                );
            }
        }
    }
}

#[test]
fn what_a_payment_keeps_is_what_the_message_carries() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let sent = full(Operation::Debit, Role::Request);
    let found = there_and_back(spec, spec.message("NPS.142.001.01").unwrap(), &sent);
    for attribute in [
        Attribute::Amount,
        Attribute::Fee,
        Attribute::PayerName,
        Attribute::PayerAccount,
        Attribute::PayeeBank,
        Attribute::Agreement,
        Attribute::SettlementDate,
        Attribute::Batch,
        Attribute::OrderText,
        Attribute::Extras,
        Attribute::CreatedAt,
        Attribute::Initiator,
        Attribute::Channel,
        Attribute::InstitutionAccount,
    ] {
        assert_eq!(found.value(attribute), sent.value(attribute), "{attribute}");
    }
}

fn set(payment: &mut Payment, attribute: Attribute, text: &str) {
    payment.set_text(attribute, text);
}

#[test]
fn an_attribute_that_is_missing_or_too_long_stops_the_draft() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let check = |change: fn(&mut Payment), rule: &str, field: &str| {
        let mut payment = full(Operation::Debit, Role::Request);
        change(&mut payment);
        let error = spec.draft("NPS.142.001.01", &payment).unwrap_err();
        assert_eq!((error.rule, error.field.as_str()), (rule, field));
    };
    check(|p| p.clear(Attribute::Amount), "field.missing", "DrctDbtTxInf/IntrBkSttlmAmt");
    check(|p| set(p, Attribute::MsgId, "1"), "field.length", "GrpHdr/MsgId");
    check(
        |p| set(p, Attribute::Agreement, "a-b"),
        "field.charset",
        "DrctDbtTxInf/RmtInf/Ustrd/AuthInfo",
    );
    check(
        |p| set(p, Attribute::Remark, "a\u{1e}b"),
        "field.charset",
        "DrctDbtTxInf/RmtInf/Ustrd/Remark",
    );
    check(|p| p.operation = Operation::Credit, "message.operation", "NPS.142.001.01");
    let mut payment = full(Operation::Debit, Role::Request);
    payment
        .put(
            Attribute::Extras,
            codecs::payment::Value::List(vec!["/SttlmDt/2030-01-09".to_owned()]),
        )
        .unwrap();
    assert_eq!(spec.draft("NPS.142.001.01", &payment).unwrap_err().rule, "field.duplicate");
}

#[test]
fn a_separator_in_a_signed_value_stops_the_signing_unless_it_is_counted() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let mut payment = full(Operation::Cancel, Role::Request);
    payment.set_text(Attribute::Remark, "a|b");
    let mut draft = spec.draft("NPS.300.001.01", &payment).unwrap();
    draft.set_signer("sign-1", time::OffsetDateTime::UNIX_EPOCH);
    assert_eq!(draft.signed_text().unwrap_err().rule, "signed.separator");
}

#[test]
fn a_refusal_without_a_known_code_keeps_its_text() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let mut sent = full(Operation::Debit, Role::Reply);
    sent.outcome = Some(Outcome::failed(
        codecs::payment::Reason::InsufficientFunds,
        "x|\n".repeat(200),
    ));
    let (_, mut wire) = finish(spec.draft("NPS.143.001.01", &sent).unwrap());
    let text = String::from_utf8(wire.body).unwrap().replace("RJ01", "RJ77");
    wire.body = text.into_bytes();
    let mut message = spec.parse(&wire).unwrap();
    open(&mut message);
    let Some(Outcome::Failed { reason, text }) = message.payment().unwrap().outcome else {
        panic!("not failed")
    };
    assert_eq!((reason, text.chars().count()), (codecs::payment::Reason::Other, 105));
}

#[test]
fn a_status_that_is_not_known_settles_nothing() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let (_, mut wire) = finish(spec.draft("NPS.143.001.01", &full(Operation::Debit, Role::Reply)).unwrap());
    wire.body = String::from_utf8(wire.body).unwrap().replace("PR05", "PR77").into_bytes();
    let mut message = spec.parse(&wire).unwrap();
    open(&mut message);
    assert_eq!(message.payment().unwrap().outcome, Some(Outcome::Unknown));
}

#[test]
fn a_query_reply_tells_not_found_from_failed() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let mut sent = full(Operation::Query, Role::Reply);
    sent.outcome = Some(Outcome::failed(codecs::payment::Reason::OriginalNotFound, ""));
    let (_, wire) = finish(spec.draft("NPS.317.001.01", &sent).unwrap());
    assert!(String::from_utf8(wire.body.clone()).unwrap().contains("<StsId>PR09</StsId>"));
    assert_eq!(spec.parse(&wire).unwrap().payment().unwrap().outcome, sent.outcome);
}

#[test]
fn an_unknown_selector_names_its_field() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let (_, mut wire) = finish(spec.draft("NPS.321.001.01", &full(Operation::Refund, Role::Request)).unwrap());
    wire.body = String::from_utf8(wire.body).unwrap().replace(">C105<", ">C999<").into_bytes();
    let error = spec.parse(&wire).unwrap_err();
    assert_eq!(
        (error.rule, error.field.as_deref()),
        ("field.operation", Some("CdtTrfTxInf/PmtTpInf/CtgyPurp/Prtry"))
    );
}
