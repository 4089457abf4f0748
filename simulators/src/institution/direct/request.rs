//! Requests as a spec wants them: its own examples, with ids, dates, amounts and customers of this very request.

use super::habits::example;
use crate::ids::{digits, stamp, time_digits};
use crate::people::Person;
use codecs::payment::{Attribute, Money, Operation, Payment, Role, Value};
use codecs::spec::Spec;
use time::OffsetDateTime;

/// What a request is about.
#[derive(Clone)]
pub struct Order {
    /// Tells this request from every other of the run.
    pub serial: u64,
    pub person: Person,
    pub amount: Money,
}

/// A request for an operation; refund, cancel and query are about an original. Messages take of it what they have fields for.
pub fn request(spec: &Spec, operation: Operation, order: &Order, original: Option<&Payment>, at: OffsetDateTime) -> Payment {
    let mut request = Payment::new(operation, Role::Request);
    for (attribute, value) in spec.examples().iter().filter(|(attribute, _)| belongs(*attribute)) {
        // An example has the shape of its attribute, which the spec's loading saw to.
        drop(request.put(*attribute, renewed(value, at)));
    }
    let kind = spec.message_for(operation, Role::Request);
    let maps = |attribute| kind.is_some_and(|kind| kind.maps(attribute));
    let id = end_to_end_id(spec, operation, order, at);
    request
        .set_text(Attribute::EndToEndId, id.clone())
        .set_text(Attribute::MsgId, id.clone())
        .set_text(Attribute::Serial, id)
        .set_text(Attribute::CreatedAt, stamp(at))
        .set_date(Attribute::SettlementDate, at.date())
        .set_text(Attribute::Remark, "test");
    if operation.moves_money() || maps(Attribute::Amount) {
        request.set_money(Attribute::Amount, order.amount);
    }
    add_person(&mut request, &order.person);
    if operation == Operation::Debit && maps(Attribute::PayerAccount) && !maps(Attribute::Agreement) {
        request.set_text(Attribute::PayerAccount, order.person.account.clone());
    }
    if let Some(original) = original {
        refer(&mut request, original);
        let source = kind.and_then(|kind| kind.derives(Attribute::OriginalEndToEndId));
        if let (Some(source), Some(id)) = (source, original.text(Attribute::EndToEndId)) {
            request.set_text(source, id);
        }
    }
    request
}

/// An identifier like the spec's example of it: as long, with this moment where the example has its own, numbered at its end.
pub(super) fn numbered(spec: &Spec, attribute: Attribute, serial: u64, at: OffsetDateTime) -> String {
    let like = example(spec, attribute).unwrap_or(PLAIN_ID);
    let (renewed, after) = renewed_text(like, at);
    let (head, tail) = renewed.split_at_checked(after).unwrap_or((&renewed, ""));
    let mut digits = format!("{serial:0SERIAL_DIGITS_MAX$}").into_bytes();
    digits.drain(..digits.len() - SERIAL_DIGITS_MAX);
    // From the last one; a dash stands between parts of an identifier and stays.
    let digit = |kept: char| match kept {
        '-' => kept,
        _ => digits.pop().map_or(kept, char::from),
    };
    let numbered: Vec<char> = tail.chars().rev().map(digit).collect();
    head.chars().chain(numbered.into_iter().rev()).collect()
}

/// What ends an agreement is known by the agreement: some institutions carry nothing else.
fn end_to_end_id(spec: &Spec, operation: Operation, order: &Order, at: OffsetDateTime) -> String {
    let carried = spec.message_for(operation, Role::Request);
    let nameless = carried.is_some_and(|message| !message.maps(Attribute::EndToEndId) && message.maps(Attribute::Agreement));
    if nameless {
        order.person.agreement()
    } else {
        numbered(spec, Attribute::EndToEndId, order.serial, at)
    }
}

fn add_person(request: &mut Payment, person: &Person) {
    if request.operation == Operation::Credit {
        request
            .set_text(Attribute::PayeeName, person.name.clone())
            .set_text(Attribute::PayeeAccount, person.account.clone());
        return;
    }
    if matches!(request.operation, Operation::Sign | Operation::Verify) {
        request
            .set_text(Attribute::PayerName, person.name.clone())
            .set_text(Attribute::PayerAccount, person.account.clone())
            .set_text(Attribute::IdNumber, person.id_number.clone())
            .set_text(Attribute::Mobile, person.mobile.clone());
        return;
    }
    request.set_text(Attribute::Agreement, person.agreement());
}

fn refer(request: &mut Payment, original: &Payment) {
    let names = [
        (Attribute::EndToEndId, Attribute::OriginalEndToEndId),
        (Attribute::MsgId, Attribute::OriginalMsgId),
        (Attribute::MsgId, Attribute::OriginalTxId),
        (Attribute::MessageCode, Attribute::OriginalCode),
        (Attribute::Sender, Attribute::OriginalInitiator),
    ];
    crate::institution::copy_as(request, original, &names);
    request.set_text(Attribute::OriginalOperation, original.operation.name());
}

/// Originals and results are no part of what is asked.
fn belongs(attribute: Attribute) -> bool {
    !attribute.name().starts_with("original.") && attribute != Attribute::BankTxId
}

fn renewed(value: &Value, at: OffsetDateTime) -> Value {
    match value {
        Value::Text(text) => Value::text(renewed_text(text, at).0),
        Value::Date(_) => Value::Date(at.date()),
        Value::Money(_) | Value::List(_) => value.clone(),
    }
}

/// The text with this moment, or this day, in the place of the examples' own, and where it ends.
fn renewed_text(text: &str, at: OffsetDateTime) -> (String, usize) {
    let moment = format!("{}{}", digits(at.date()), time_digits(at));
    for (old, new) in [(EXAMPLE_MOMENT, moment.as_str()), (EXAMPLE_DAY, &digits(at.date()))] {
        if let Some((before, after)) = text.split_once(old) {
            return (format!("{before}{new}{after}"), before.len() + new.len());
        }
    }
    (text.to_owned(), 0)
}

/// Every spec writes its examples of this moment.
const EXAMPLE_MOMENT: &str = "20300102183005";
const EXAMPLE_DAY: &str = "20300102";
/// For a spec without an example of an identifier.
const PLAIN_ID: &str = "20300102183005000001";
const SERIAL_DIGITS_MAX: usize = 9;
