//! What can be read of a message without a key: by the spec of its link, as far as it stands in the clear.

use super::frame::{Frame, Framing};
use crate::fault::corrupt_value;
use codecs::examined::Stated;
use codecs::payment::{Attribute, Money, Operation, Value};
use codecs::spec::Spec;
use codecs::wire::Wire;
use std::sync::Arc;

/// How messages of a link are read.
#[derive(Clone)]
pub struct Reading {
    pub spec: Arc<Spec>,
    /// Frames over TCP: whether the network's address stands before each message.
    pub is_addressed: bool,
}

/// The fields that were read.
pub(super) struct Fields {
    operation: Operation,
    stated: Vec<Stated>,
    /// Where the bytes that offsets count from begin in the content.
    begin: usize,
}

impl Reading {
    /// A message of a stream. An answer over HTTP may have its name from the request that it answers.
    pub(super) fn of_frame(&self, framing: Framing, frame: &Frame, asked: Option<&Wire>) -> (Wire, Option<Fields>) {
        let begin = match framing {
            Framing::Counted if self.is_addressed => ADDRESS_BYTES,
            Framing::Counted | Framing::Http | Framing::Amqp => 0,
        };
        let mut wire = framing.wire(frame);
        wire.body.drain(..begin.min(wire.body.len()));
        let named = match asked {
            Some(asked) => self.spec.named(asked, wire.clone()),
            None => wire.clone(),
        };
        let fields = self.read(&named).map(|fields| Fields { begin, ..fields });
        (wire, fields)
    }

    pub(super) fn of_body(&self, body: &[u8]) -> Option<Fields> {
        self.read(&Wire::queue(body.to_vec()))
    }

    fn read(&self, wire: &Wire) -> Option<Fields> {
        let message = self.spec.parse(wire).ok()?;
        Some(Fields {
            operation: message.operation(),
            stated: message.stated(),
            begin: 0,
        })
    }
}

impl Fields {
    pub(super) const fn operation(&self) -> Operation {
        self.operation
    }

    pub(super) fn amount(&self) -> Option<Money> {
        self.stated.iter().find_map(|one| match (one.attribute, &one.value) {
            (Attribute::Amount, Value::Money(money)) => Some(*money),
            _ => None,
        })
    }

    pub(super) fn is_of(&self, institution: &str) -> bool {
        self.says(&[Attribute::Institution], institution)
    }

    pub(super) fn names(&self, account: &str) -> bool {
        self.says(&[Attribute::PayerAccount, Attribute::PayeeAccount], account)
    }

    pub(super) fn states(&self, attribute: Attribute) -> bool {
        self.stated.iter().any(|one| one.attribute == attribute)
    }

    /// Changes the last character of a field in the content, so that it remains a value of its kind.
    pub(super) fn corrupt(&self, attribute: Attribute, content: &mut [u8]) {
        let Some(one) = self.stated.iter().find(|one| one.attribute == attribute) else {
            return;
        };
        let place = one.offset.map(|offset| self.begin + offset);
        let Some((byte, is_packed)) = place.and_then(|place| last_of(&one.sent, place, content)) else {
            corrupt_value(content, &one.sent);
            return;
        };
        *byte = match (is_packed, *byte) {
            (true, packed) => packed & 0xf0 | if packed & 0x0f == 7 { 8 } else { 7 },
            (false, b'7') => b'8',
            (false, _) => b'7',
        };
    }

    fn says(&self, attributes: &[Attribute], text: &str) -> bool {
        let mut named = self.stated.iter().filter(|one| attributes.contains(&one.attribute));
        named.any(|one| one.value.canonical() == text)
    }
}

/// The byte of a value's last character, and whether it holds two digits.
fn last_of<'c>(sent: &str, place: usize, content: &'c mut [u8]) -> Option<(&'c mut u8, bool)> {
    let is_plain = content.get(place..)?.starts_with(sent.as_bytes());
    if is_plain {
        return Some((content.get_mut(place + sent.len().checked_sub(1)?)?, false));
    }
    let packed = content.get(place..place + sent.len() / 2)?;
    let halves = packed.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    let is_packed = !sent.is_empty() && halves.map(|half| b'0' + half).eq(sent.bytes());
    if !is_packed {
        return None;
    }
    Some((content.get_mut(place + sent.len() / 2 - 1)?, true))
}

const ADDRESS_BYTES: usize = 5;
