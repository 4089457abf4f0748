//! The table of elements, and how paths of fields name what stands in a message.

use crate::sign_in::SignInPlan;
use std::collections::BTreeMap;

/// How a spec's messages stand in bytes.
#[derive(Clone, Debug)]
pub(crate) struct IsoPlan {
    /// Bytes before the message type, two digits each.
    pub(crate) header_bytes: usize,
    /// 64, or 128 where a second bitmap may follow the first.
    pub(crate) elements_max: u8,
    pub(crate) elements: BTreeMap<u8, Element>,
    /// How a terminal gets its working keys, where that is by a message.
    pub(crate) sign_in: Option<SignInPlan>,
}

/// One row of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Element {
    pub(crate) content: Content,
    pub(crate) length: Length,
    /// Characters of each part, in order; the last holds at most so many, the others exactly.
    pub(crate) parts: Vec<usize>,
}

/// How an element's characters stand in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// Two digits a byte; the odd digit has its zero behind it (`left`) or before it (`right`).
    Bcd { is_left: bool },
    /// The same, with `D` as the separator of a magnetic stripe.
    Track,
    /// One printable ASCII character a byte.
    Ascii,
    /// Bytes, which fields hold as lower-case hex digits.
    Bytes,
}

/// Characters of an element; of `Content::Bytes` its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Length {
    Fixed(usize),
    /// Two or three digits before it, in BCD, count them.
    Counted {
        digits: usize,
        max: usize,
    },
}

impl Length {
    /// Reads `12`, `LL..19` or `LLL..255`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Some((prefix, max)) = text.split_once("..") else {
            return text.parse().ok().filter(|&length| length > 0).map(Self::Fixed);
        };
        let (digits, largest) = match prefix {
            "LL" => (2, 99),
            "LLL" => (3, 999),
            _ => return None,
        };
        let max = max.parse().ok().filter(|max| (1..=largest).contains(max))?;
        Some(Self::Counted { digits, max })
    }

    pub(crate) fn max(self) -> usize {
        match self {
            Self::Fixed(length) => length,
            Self::Counted { max, .. } => max,
        }
    }
}

impl IsoPlan {
    /// The last element of a message that has all: where a MAC over the message's own bytes stands.
    pub(crate) fn last(&self) -> Option<(u8, &Element)> {
        let (number, element) = self.elements.last_key_value()?;
        Some((*number, element))
    }

    /// Whether the table has what a step of a path names.
    pub(crate) fn knows(&self, place: Place) -> bool {
        match place {
            Place::Header => self.header_bytes > 0,
            Place::Type => true,
            Place::Element(number) => self.elements.contains_key(&number),
            Place::Part(number, at) => self.elements.get(&number).is_some_and(|element| at < element.parts.len()),
        }
    }
}

/// What one step of a path names: `header`, `type`, `60`, or `60.2`, the second part of an element.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Place {
    Header,
    Type,
    Element(u8),
    /// 0-based.
    Part(u8, usize),
}

impl Place {
    pub(crate) fn parse(step: &str) -> Option<Self> {
        match step {
            "header" => Some(Self::Header),
            "type" => Some(Self::Type),
            _ => match step.split_once('.') {
                Some((number, part)) => Some(Self::Part(number.parse().ok()?, part.parse::<usize>().ok()?.checked_sub(1)?)),
                None => step.parse().ok().map(Self::Element),
            },
        }
    }

    /// The element that it is, or is a part of.
    pub(crate) fn element(self) -> Option<u8> {
        match self {
            Self::Header | Self::Type => None,
            Self::Element(number) | Self::Part(number, _) => Some(number),
        }
    }
}

/// What stands between the pieces of a field whose path has several steps.
pub(super) const JOINT: char = '-';
