//! What a run keeps under names, and the texts that refer to it.

use super::PartyName;
use super::check::{DAY, references};
use codecs::payment::{Attribute, Date, Money, Payment, Shape, Value};
use codecs::wire::Wire;
use std::collections::BTreeMap;
use time::macros::format_description;

/// A message that was sent or that came, as later steps speak of it.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) message: Payment,
    /// Who sent it, or for one that was expected, who got it.
    pub(super) party: PartyName,
    pub(super) wire: Option<Wire>,
    pub(super) digest: [u8; 32],
    /// It was made so that nobody can take it.
    pub(super) is_spoiled: bool,
    /// Where it stands on the tape.
    pub(super) place: usize,
}

/// Everything kept, and the first day of the run.
pub(super) struct Store {
    pub(super) kept: BTreeMap<String, Kept>,
    pub(super) first_day: Date,
}

impl Store {
    pub(super) fn get(&self, name: Option<&str>) -> Option<&Kept> {
        self.kept.get(name?)
    }

    /// A text with its references replaced; one to a field that the message does not have becomes nothing.
    pub(super) fn resolve(&self, text: &str) -> String {
        let mut resolved = text.to_owned();
        for reference in references(text) {
            let value = self.value(reference).unwrap_or_default();
            resolved = resolved.replace(&format!("${{{reference}}}"), &value);
        }
        resolved
    }

    fn value(&self, reference: &str) -> Option<String> {
        let (name, field) = reference.split_once('.')?;
        if name == DAY {
            let days = match field {
                "next" => 1,
                "last" => -1,
                _ => 0,
            };
            return Some((self.first_day + time::Duration::days(days)).to_string());
        }
        let message = &self.kept.get(name)?.message;
        Some(shown(message.value(Attribute::parse(field)?)?))
    }
}

/// A value as the language writes it: amounts in yuan, dates as yyyy-mm-dd.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Money(money) => money.to_string(),
        Value::Text(_) | Value::Date(_) | Value::List(_) => value.canonical(),
    }
}

/// A text of the language as a value of a field; `None` when it does not fit the field's shape.
pub(super) fn value_of(attribute: Attribute, text: &str) -> Option<Value> {
    Some(match attribute.shape() {
        Shape::Text => Value::text(text),
        Shape::Money => Value::Money(Money::parse_yuan(text)?),
        Shape::Date => Value::Date(Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?),
        Shape::List => Value::List(text.split(' ').map(str::to_owned).collect()),
    })
}
