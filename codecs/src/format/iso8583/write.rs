//! From fields to bytes. What would not be read again is refused here, before it is signed.

use super::bcd;
use super::table::{Content, Element, IsoPlan, JOINT, Length, Place};
use crate::error::BuildError;
use crate::field::{Broken, hex_decode};
use crate::spec::MessageSpec;
use crate::spec::plan::Place as FieldPlace;
use crate::values::Values;
use std::collections::BTreeMap;

type Texts<'v> = BTreeMap<Place, &'v str>;

pub(crate) fn write(plan: &IsoPlan, message: &MessageSpec, values: &Values<'_>) -> Result<Vec<u8>, BuildError> {
    pack(plan, &texts(message, values)?, unsigned(message, values))
}

/// `due` is the element of a MAC that is still to come.
pub(crate) fn pack(plan: &IsoPlan, texts: &BTreeMap<Place, &str>, due: Option<u8>) -> Result<Vec<u8>, BuildError> {
    let mut elements: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    let numbers = texts.keys().filter_map(|place| place.element());
    for number in numbers.chain(due) {
        let broken = |broken: Broken| broken.built(&number.to_string());
        let element = plan.elements.get(&number);
        let element = element.ok_or_else(|| broken(Broken::new("iso.unknown", "the table has no such element")))?;
        let bytes = match whole(number, element, texts).map_err(broken)? {
            Some(text) => encoded(element, &text).map_err(broken)?,
            // What will hold the MAC is announced before there is one, since the MAC covers the bitmap.
            None => vec![0; element.length.max()],
        };
        elements.insert(number, bytes);
    }
    let mut out = Vec::with_capacity(512);
    for (place, name, bytes) in [(Place::Header, "header", plan.header_bytes), (Place::Type, "type", 2)] {
        let digits = texts.get(&place).and_then(|text| bcd::encode(text, true, None));
        let fits = digits
            .or_else(|| (bytes == 0).then(Vec::new))
            .filter(|digits| digits.len() == bytes);
        let wrong = || Broken::new("iso.length", format!("{} digits are due", bytes * 2)).built(name);
        out.extend(fits.ok_or_else(wrong)?);
    }
    out.extend(bitmaps(elements.keys().copied()));
    out.extend(elements.into_values().flatten());
    Ok(out)
}

/// Every piece of every field at its place; fields that share a place agree there.
fn texts<'v>(message: &MessageSpec, values: &'v Values<'_>) -> Result<Texts<'v>, BuildError> {
    let mut texts = Texts::new();
    for item in values.items() {
        let Some(field) = message.plan.field(item.field) else {
            continue;
        };
        let FieldPlace::Body(steps) = &field.place else { continue };
        let pieces: Vec<&str> = if steps.len() == 1 {
            vec![item.sent.as_ref()]
        } else {
            item.sent.split(JOINT).collect()
        };
        if pieces.len() != steps.len() {
            return Err(
                Broken::new("iso.pieces", format!("{} pieces with a dash between are due", steps.len())).built(&field.path),
            );
        }
        let placed = steps.iter().filter_map(|step| Place::parse(step)).zip(pieces);
        for (place, piece) in placed.filter(|(_, piece)| !piece.is_empty()) {
            if texts.insert(place, piece).is_some_and(|other| other != piece) {
                return Err(Broken::new("iso.conflict", "another field says otherwise of the same element").built(&field.path));
            }
        }
    }
    Ok(texts)
}

/// The element of a MAC that is still due.
fn unsigned(message: &MessageSpec, values: &Values<'_>) -> Option<u8> {
    let id = message.plan.signing.signature.filter(|&id| values.get(id).is_none())?;
    let step = message.plan.field(id)?.place.steps().first()?;
    Place::parse(step)?.element()
}

/// The text of an element: its own, or its parts one behind the other.
fn whole(number: u8, element: &Element, texts: &Texts<'_>) -> Result<Option<String>, Broken> {
    if element.parts.is_empty() {
        return Ok(texts.get(&Place::Element(number)).map(|text| (*text).to_owned()));
    }
    let mut whole = String::new();
    let mut is_open = true;
    for (at, &length) in element.parts.iter().enumerate() {
        let Some(part) = texts.get(&Place::Part(number, at)) else {
            is_open = false;
            continue;
        };
        let is_last = at + 1 == element.parts.len();
        if !is_open || part.len() > length || (part.len() < length && !is_last) {
            return Err(Broken::new(
                "iso.part",
                format!("part {} is not of its length, or one before it is missing", at + 1),
            ));
        }
        whole.push_str(part);
    }
    Ok(Some(whole))
}

fn encoded(element: &Element, text: &str) -> Result<Vec<u8>, Broken> {
    let bytes = match element.content {
        Content::Bcd { is_left } => bcd::encode(text, is_left, None),
        Content::Track => bcd::encode(text, true, Some(b'D')),
        Content::Ascii => text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~'))
            .then(|| text.as_bytes().to_vec()),
        Content::Bytes => hex_decode(text),
    };
    let bytes = bytes.ok_or_else(|| Broken::new("iso.text", "a character that the element cannot hold"))?;
    let count = if element.content == Content::Bytes {
        bytes.len()
    } else {
        text.len()
    };
    let wrong = |allowed: String| Broken::new("iso.length", format!("{count} characters, allowed {allowed}"));
    match element.length {
        Length::Fixed(length) if count == length => Ok(bytes),
        Length::Fixed(length) => Err(wrong(length.to_string())),
        Length::Counted { max, .. } if count == 0 || count > max => Err(wrong(format!("1..{max}"))),
        Length::Counted { digits, .. } => {
            let prefix = bcd::encode(&format!("{count:0digits$}"), false, None).unwrap_or_default();
            Ok([prefix, bytes].concat())
        }
    }
}

fn bitmaps(numbers: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut bits = [0_u8; 16];
    for number in numbers {
        let at = number.saturating_sub(1);
        if let Some(byte) = bits.get_mut(usize::from(at / 8)) {
            *byte |= 0x80 >> (at % 8);
        }
    }
    let (first, second) = bits.split_at(8);
    if second.iter().all(|byte| *byte == 0) {
        return first.to_vec();
    }
    let mut both = bits.to_vec();
    if let Some(byte) = both.first_mut() {
        *byte |= 0x80;
    }
    both
}
