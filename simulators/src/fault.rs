//! Faults on messages: a closed list, each decided by a seed and a condition on the message.
//!
//! It changes bytes that are already made; faults inside the signature or the envelope are a `Twist` of the maker.

#[cfg(test)]
mod tests;

use crate::counterparty::Twist;
use crate::world::Dice;
use codecs::payment::{Attribute, Money, Operation, Payment};
use serde::{Deserialize, Serialize};

/// What is wrong with a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// One bit of the signature is flipped.
    BadSignature,
    /// The same ids with another amount, correctly signed.
    AlteredRepeat,
    /// The same bytes once more.
    Repeat,
    /// One byte in the middle is another one.
    CorruptByte,
    /// The last third is missing.
    Truncate,
    /// Text in GBK where UTF-8 is due.
    Gbk,
    /// A document type declaration with an entity.
    Doctype,
    /// Names a key serial that is not known.
    UnknownSerial,
    /// Sealed so that the receiver's key does not open it.
    WrongSealKey,
    /// Never sent.
    Drop,
    /// Sent after a wait.
    Delay,
    /// The next message of the same way goes before it.
    Reorder,
    /// Its broker puts it back again and again, and refuses to confirm what is put meanwhile.
    NackStorm,
}

impl Fault {
    pub const ALL: [Self; 13] = [
        Self::BadSignature,
        Self::AlteredRepeat,
        Self::Repeat,
        Self::CorruptByte,
        Self::Truncate,
        Self::Gbk,
        Self::Doctype,
        Self::UnknownSerial,
        Self::WrongSealKey,
        Self::Drop,
        Self::Delay,
        Self::Reorder,
        Self::NackStorm,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::AlteredRepeat => "altered_repeat",
            Self::Repeat => "repeat",
            Self::CorruptByte => "corrupt_byte",
            Self::Truncate => "truncate",
            Self::Gbk => "gbk",
            Self::Doctype => "doctype",
            Self::UnknownSerial => "unknown_serial",
            Self::WrongSealKey => "wrong_seal_key",
            Self::Drop => "drop",
            Self::Delay => "delay",
            Self::Reorder => "reorder",
            Self::NackStorm => "nack_storm",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// How the message must be made.
    pub const fn twist(self) -> Twist {
        match self {
            Self::BadSignature => Twist::BadSignature,
            Self::UnknownSerial => Twist::UnknownSerial,
            Self::WrongSealKey => Twist::WrongSealKey,
            Self::AlteredRepeat
            | Self::Repeat
            | Self::CorruptByte
            | Self::Truncate
            | Self::Gbk
            | Self::Doctype
            | Self::Drop
            | Self::Delay
            | Self::Reorder
            | Self::NackStorm => Twist::None,
        }
    }

    /// Whether the message as sent must be refused by its receiver.
    pub const fn spoils(self) -> bool {
        !matches!(self, Self::Drop) && !self.is_harmless()
    }

    /// Whether it only happens on the way: the message comes whole, late, again or out of its order.
    pub const fn is_harmless(self) -> bool {
        matches!(self, Self::Repeat | Self::Delay | Self::Reorder | Self::NackStorm)
    }

    /// Changes the finished bytes.
    pub fn change(self, body: &mut Vec<u8>, dice: &mut Dice) {
        match self {
            Self::CorruptByte => corrupt(body, dice),
            Self::Truncate => body.truncate(body.len() * 2 / 3),
            Self::Gbk => insert(body, &[0xd6, 0xd0, 0xce, 0xc4]),
            Self::Doctype => declare(body),
            Self::BadSignature
            | Self::AlteredRepeat
            | Self::Repeat
            | Self::UnknownSerial
            | Self::WrongSealKey
            | Self::Drop
            | Self::Delay
            | Self::Reorder
            | Self::NackStorm => {}
        }
    }
}

/// Changes the last character of a value wherever it stands whole in the clear, as somebody on the way would. `false` when it
/// stands nowhere.
pub fn corrupt_value(body: &mut [u8], value: &str) -> bool {
    let (wanted, mut places) = (value.as_bytes(), Vec::new());
    for at in 1..=body.len().saturating_sub(wanted.len()) {
        let is_whole = body.get(at - 1).is_some_and(|before| b">\":=".contains(before))
            && body.get(at + wanted.len()).is_none_or(|after| b"<\",}&".contains(after));
        if is_whole && !wanted.is_empty() && body.get(at..at + wanted.len()) == Some(wanted) {
            places.push(at + wanted.len() - 1);
        }
    }
    for place in &places {
        if let Some(last) = body.get_mut(*place) {
            *last = if *last == b'7' { b'8' } else { b'7' };
        }
    }
    !places.is_empty()
}

/// On which messages something happens: all conditions that are given must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    #[serde(with = "operation_name")]
    pub operation: Option<Operation>,
    pub amount_fen: Option<i64>,
    /// Every n-th message that fits the other conditions.
    pub nth: Option<u64>,
}

impl When {
    /// `seen` is how many fitting messages came before this one.
    pub fn holds(&self, message: &Payment, seen: u64) -> bool {
        self.fits(message) && self.nth.is_none_or(|nth| nth != 0 && (seen + 1).is_multiple_of(nth))
    }

    /// Whether the message fits, its number aside.
    pub fn fits(&self, message: &Payment) -> bool {
        let amount = message.money(Attribute::Amount).map(Money::fen);
        let operation_fits = self.operation.is_none_or(|operation| operation == message.operation);
        operation_fits && self.amount_fen.is_none_or(|fen| amount == Some(fen))
    }
}

pub(crate) mod operation_name {
    use super::Operation;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(crate) fn serialize<S: Serializer>(operation: &Option<Operation>, to: S) -> Result<S::Ok, S::Error> {
        match operation {
            Some(operation) => to.serialize_str(operation.name()),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Operation>, D::Error> {
        let name = Option::<String>::deserialize(from)?;
        let parse = |name: String| Operation::parse(&name).ok_or_else(|| D::Error::custom(format!("no operation {name}")));
        name.map(parse).transpose()
    }
}

/// Changes one byte in the middle half to another printable one.
fn corrupt(body: &mut [u8], dice: &mut Dice) {
    let length = body.len() as u64;
    let place = usize::try_from(length / 4 + dice.below(length / 2)).unwrap_or(0);
    if let Some(byte) = body.get_mut(place) {
        *byte = if *byte == b'#' { b'%' } else { b'#' };
    }
}

/// Puts bytes into the first value of an id, else into the first one of an XML document, a JSON object or a form, or at the end.
fn insert(body: &mut Vec<u8>, bytes: &[u8]) {
    let after = |mark: &[u8]| find(body, mark).map(|start| start + mark.len());
    let first = after(b"<MsgId>").or_else(|| find(body, b"</"));
    let first = first.or_else(|| after(b"\":\"")).or_else(|| after(b"="));
    let place = first.unwrap_or(body.len());
    body.splice(place..place, bytes.iter().copied());
}

fn declare(body: &mut Vec<u8>) {
    let place = find(body, b"?>").map_or(0, |start| start + 2);
    body.splice(place..place, *b"<!DOCTYPE transaction [<!ENTITY a \"b\">]>");
}

fn find(body: &[u8], wanted: &[u8]) -> Option<usize> {
    body.windows(wanted.len()).position(|window| window == wanted)
}
