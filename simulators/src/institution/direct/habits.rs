//! What a spec does not say and whoever stands in for its institution must know. It is little, and all of it is here.

use codecs::payment::{Attribute, Value};
use codecs::spec::Spec;

/// The customs of one institution.
struct Habits {
    codec: &'static str,
    /// The number by which it knows the bank, where that is not the one in its examples.
    member: Option<&'static str>,
    /// A signer's serial number is its SM2 user id.
    named_by_serial: bool,
}

const HABITS: [Habits; 2] = [
    Habits {
        codec: "epcc",
        member: Some("C1099999000051"),
        named_by_serial: false,
    },
    Habits {
        codec: "unionpay-quick",
        member: Some("03080000"),
        named_by_serial: true,
    },
];

/// The number by which the institution knows the bank. Where the bank is the one who calls, the example of a sender is the bank.
pub fn member(spec: &Spec) -> String {
    let known = of(spec).and_then(|habits| habits.member).map(ToOwned::to_owned);
    known
        .or_else(|| example(spec, Attribute::Sender).map(ToOwned::to_owned))
        .unwrap_or_default()
}

pub(super) fn named_by_serial(spec: &Spec) -> bool {
    of(spec).is_some_and(|habits| habits.named_by_serial)
}

/// The text that the spec gives as an example of an attribute.
pub(super) fn example(spec: &Spec, attribute: Attribute) -> Option<&str> {
    let (_, value) = spec.examples().iter().find(|(known, _)| *known == attribute)?;
    match value {
        Value::Text(text) => Some(text),
        Value::Money(_) | Value::Date(_) | Value::List(_) => None,
    }
}

fn of(spec: &Spec) -> Option<&'static Habits> {
    HABITS.iter().find(|habits| habits.codec == spec.codec)
}
