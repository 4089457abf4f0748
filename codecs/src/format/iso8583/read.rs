//! From bytes to fields: every element that a bitmap announces, and not a byte more.

use super::bcd;
use super::table::{Content, Element, IsoPlan, JOINT, Length, Place};
use crate::error::ParseError;
use crate::field::{Broken, hex_encode};
use crate::format::{Found, fault};
use crate::spec::plan::{Field, Place as FieldPlace};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use crate::wire::Wire;
use nom::bytes::complete::take;
use std::borrow::Cow;
use std::collections::BTreeMap;

pub(crate) fn read<'a>(plan: &IsoPlan, spec: &'a Spec, wire: &'a Wire) -> Result<Found<'a>, ParseError> {
    let texts = texts(plan, &wire.body)?;
    let message = named(spec, &texts)?;
    if let Some((place, text)) = texts.iter().find(|(place, _)| !has(message, **place)) {
        return Err(at_place(
            *place,
            text.offset,
            "iso.unexpected",
            "this message has no such element",
        ));
    }
    Ok((message, values(message, &texts)))
}

/// The frame of a message that names one of the spec's; `None` where it cannot be read to its end.
pub(crate) fn peek<'a>(plan: &IsoPlan, spec: &'a Spec, body: &'a [u8]) -> Option<Values<'a>> {
    let texts = texts(plan, body).ok()?;
    Some(values(named(spec, &texts).ok()?, &texts))
}

/// Every element and part as text, whichever message it is.
pub(crate) fn unpack(plan: &IsoPlan, body: &[u8]) -> Result<BTreeMap<Place, String>, ParseError> {
    let texts = texts(plan, body)?;
    Ok(texts
        .into_iter()
        .map(|(place, text)| (place, text.text.into_owned()))
        .collect())
}

/// One element or part as text, and where it begins.
#[derive(Clone)]
struct Text<'a> {
    text: Cow<'a, str>,
    offset: usize,
}

type Texts<'a> = BTreeMap<Place, Text<'a>>;

fn texts<'a>(plan: &IsoPlan, body: &'a [u8]) -> Result<Texts<'a>, ParseError> {
    let mut rest = Rest { whole: body, rest: body };
    let mut texts = Texts::new();
    for (place, bytes) in [(Place::Header, plan.header_bytes), (Place::Type, TYPE_BYTES)] {
        let offset = rest.offset();
        let digits = rest.digits(place, bytes * 2, true, None)?;
        if bytes > 0 {
            let text = Cow::Owned(digits);
            texts.insert(place, Text { text, offset });
        }
    }
    for number in bitmaps(plan, &mut rest)? {
        let offset = rest.offset();
        let place = Place::Element(number);
        let Some(element) = plan.elements.get(&number) else {
            return Err(at_place(place, offset, "iso.unknown", "the table has no such element"));
        };
        let text = rest.element(place, element)?;
        if element.parts.is_empty() {
            texts.insert(place, text);
        } else {
            parts(number, element, &text, &mut texts)?;
        }
    }
    if rest.rest.is_empty() {
        Ok(texts)
    } else {
        Err(fault("iso.trailing", Some(rest.offset()), "bytes behind the last element"))
    }
}

/// The numbers that the bitmaps announce, in order.
fn bitmaps(plan: &IsoPlan, rest: &mut Rest<'_>) -> Result<Vec<u8>, ParseError> {
    let mut numbers = Vec::new();
    let mut first = 0;
    loop {
        let offset = rest.offset();
        let bits = rest.take(Place::Element(first + 1), BITMAP_BYTES)?;
        let is_set = |bit: u8| {
            bits.get(usize::from(bit / 8))
                .is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
        };
        numbers.extend((1..64).filter(|&bit| is_set(bit)).map(|bit| first + bit + 1));
        if !is_set(0) {
            return Ok(numbers);
        }
        first += 64;
        if first >= plan.elements_max {
            return Err(at_place(
                Place::Element(first - 63),
                offset,
                "iso.bitmap",
                "a further bitmap, where the spec has none",
            ));
        }
    }
}

/// The parts of an element: each full, the last as long as what is left.
fn parts<'a>(number: u8, element: &Element, text: &Text<'a>, texts: &mut Texts<'a>) -> Result<(), ParseError> {
    let mut rest = text.text.as_ref();
    for (at, &length) in element.parts.iter().enumerate() {
        let is_last = at + 1 == element.parts.len();
        let (part, after) = match rest.split_at_checked(length) {
            Some(split) => split,
            None if is_last => (rest, ""),
            None if rest.is_empty() => break,
            None => return Err(at_place(Place::Part(number, at), text.offset, "iso.part", "it is cut off")),
        };
        rest = after;
        if !part.is_empty() {
            let text = Text {
                text: Cow::Owned(part.to_owned()),
                offset: text.offset,
            };
            texts.insert(Place::Part(number, at), text);
        }
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(at_place(
            Place::Element(number),
            text.offset,
            "iso.part",
            "it is longer than its parts",
        ))
    }
}

fn named<'a>(spec: &'a Spec, texts: &Texts<'_>) -> Result<&'a MessageSpec, ParseError> {
    let field = spec.messages().next().and_then(|message| message.plan.field(spec.code_field));
    let code = field.and_then(|field| joined(field, texts));
    let code = code.ok_or_else(|| fault("message.code", None, "nothing says which message it is"))?;
    let message = spec.message(&code.text);
    let offset = Some(code.offset);
    message.ok_or_else(|| fault("message.unknown", offset, "the spec has no message of this type and kind"))
}

fn values<'a>(message: &MessageSpec, texts: &Texts<'a>) -> Values<'a> {
    let mut values = Values::new();
    for (id, field) in fields(message) {
        if let Some(Text { text, offset }) = joined(field, texts) {
            values.push(Item {
                offset: Some(offset),
                ..Item::new(id, text)
            });
        }
    }
    values
}

/// The text of a field: of its one step, or those of several with a dash between. `None` when nothing of it is there.
fn joined<'a>(field: &Field, texts: &Texts<'a>) -> Option<Text<'a>> {
    let found: Vec<Option<&Text<'a>>> = places(field).map(|place| texts.get(&place)).collect();
    let first = found.iter().flatten().next()?;
    if let [only] = found.as_slice() {
        return only.cloned();
    }
    let pieces: Vec<&str> = found.iter().map(|text| text.map_or("", |text| text.text.as_ref())).collect();
    Some(Text {
        text: Cow::Owned(pieces.join(&JOINT.to_string())),
        offset: first.offset,
    })
}

fn has(message: &MessageSpec, place: Place) -> bool {
    fields(message).any(|(_, field)| places(field).any(|own| own == place))
}

fn fields(message: &MessageSpec) -> impl Iterator<Item = (usize, &Field)> {
    let fields = message.plan.fields.iter().enumerate();
    fields.filter(|(_, field)| field.belongs_to(message.role) && matches!(field.place, FieldPlace::Body(_)))
}

fn places(field: &Field) -> impl Iterator<Item = Place> {
    field.place.steps().iter().filter_map(|step| Place::parse(step))
}

/// What has not been read yet.
struct Rest<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Rest<'a> {
    fn offset(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    fn take(&mut self, place: Place, count: usize) -> Result<&'a [u8], ParseError> {
        let taken = take::<_, _, nom::error::Error<&[u8]>>(count)(self.rest);
        let (rest, taken) = taken.map_err(|_short| at_place(place, self.offset(), "iso.cut", "the message ends inside of it"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn digits(&mut self, place: Place, count: usize, is_left: bool, separator: Option<u8>) -> Result<String, ParseError> {
        let offset = self.offset();
        let bytes = self.take(place, count.div_ceil(2))?;
        bcd::decode(bytes, count, is_left, separator).map_err(|(at, wrong)| match wrong {
            bcd::Fault::Digit => at_place(place, offset + at, "iso.bcd", "a half-byte that is no digit"),
            bcd::Fault::Filler => at_place(
                place,
                offset + at,
                "iso.filler",
                "the half-byte beside an odd digit is not zero",
            ),
        })
    }

    fn element(&mut self, place: Place, element: &Element) -> Result<Text<'a>, ParseError> {
        let count = self.count(place, element.length)?;
        let offset = self.offset();
        let text = match element.content {
            Content::Bcd { is_left } => Cow::Owned(self.digits(place, count, is_left, None)?),
            Content::Track => Cow::Owned(self.digits(place, count, true, Some(b'D'))?),
            Content::Ascii => Cow::Borrowed(ascii(place, offset, self.take(place, count)?)?),
            Content::Bytes => Cow::Owned(hex_encode(self.take(place, count)?)),
        };
        Ok(Text { text, offset })
    }

    fn count(&mut self, place: Place, length: Length) -> Result<usize, ParseError> {
        let Length::Counted { digits, max } = length else {
            return Ok(length.max());
        };
        let offset = self.offset();
        let text = self.digits(place, digits, false, None)?;
        match text.parse() {
            Ok(count) if (1..=max).contains(&count) => Ok(count),
            Ok(_) | Err(_) => Err(at_place(
                place,
                offset,
                "iso.length",
                &format!("it announces {text}, allowed 1..{max}"),
            )),
        }
    }
}

fn ascii(place: Place, offset: usize, bytes: &[u8]) -> Result<&str, ParseError> {
    let odd = bytes.iter().position(|byte| !matches!(byte, b' '..=b'~'));
    let at = offset + odd.unwrap_or(0);
    let text = std::str::from_utf8(bytes).ok().filter(|_| odd.is_none());
    text.ok_or_else(|| at_place(place, at, "iso.text", "a byte that is no printable ASCII"))
}

fn at_place(place: Place, offset: usize, rule: &'static str, detail: &str) -> ParseError {
    let path = match place {
        Place::Header => "header".to_owned(),
        Place::Type => "type".to_owned(),
        Place::Element(number) => number.to_string(),
        Place::Part(number, at) => format!("{number}.{}", at + 1),
    };
    Broken::new(rule, detail).read(&path, Some(offset))
}

const TYPE_BYTES: usize = 2;
const BITMAP_BYTES: usize = 8;
