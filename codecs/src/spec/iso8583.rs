//! The table `[iso8583]`: header, bitmaps, one row an element; and whether a spec's fields and its MAC stand where the table has
//! a place for them.

use super::names::At;
use super::plan::{Over, Place as FieldPlace};
use super::{Confidence, MessageSpec, Spec};
use crate::error::SpecError;
use crate::format::{Format, IsoContent as Content, IsoElement as Element, IsoLength as Length, IsoPlace as Place, IsoPlan};
use crate::sign_in::SignInPlan;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Iso8583Text {
    /// Bytes between the transport's address and the message type.
    #[serde(default)]
    header_bytes: usize,
    /// 64, or 128 where a second bitmap is allowed.
    elements_max: u8,
    element: Vec<ElementText>,
    sign_in: Option<SignInText>,
}

impl Iso8583Text {
    /// Where the sign-in is known from, if there is one.
    pub(super) fn sign_in_origin(&self) -> Option<(&String, Confidence)> {
        self.sign_in.as_ref().map(|text| (&text.source, text.confidence))
    }
}

/// Element or part = its value, as in `paths`.
type Said = BTreeMap<String, String>;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct SignInText {
    /// By which a request is known.
    request: Said,
    /// What it may hold besides, with what we write there.
    #[serde(default)]
    besides: Said,
    /// What the answer says of itself.
    answer: Said,
    /// Who signs in, by a path such as messages have.
    holder: String,
    /// What tells this message from others of its holder.
    serial: String,
    time: String,
    day: String,
    /// The element with the wrapped keys, each with its check value behind it: that for PINs, then that for MACs.
    keys: String,
    source: String,
    confidence: Confidence,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct ElementText {
    number: u8,
    /// `bcd`, `bcd_right`, `track`, `ascii` or `bytes`.
    content: String,
    /// `12`, `LL..19` or `LLL..255`.
    length: String,
    #[serde(default)]
    parts: Vec<usize>,
}

pub(super) fn load(at: &At, text: &Iso8583Text) -> Result<IsoPlan, SpecError> {
    if ![64, 128].contains(&text.elements_max) {
        return Err(at.fail("`elements_max` is 64 or 128"));
    }
    let mut elements = BTreeMap::new();
    for row in &text.element {
        let at = at.inside(&format!("element {}", row.number));
        if row.number < 2 || row.number > text.elements_max || row.number == 65 {
            return Err(at.fail("elements are 2 to `elements_max`; 1 and 65 announce bitmaps"));
        }
        if elements.insert(row.number, element(&at, row)?).is_some() {
            return Err(at.fail("another row has this number"));
        }
    }
    let mut plan = IsoPlan {
        header_bytes: text.header_bytes,
        elements_max: text.elements_max,
        elements,
        sign_in: None,
    };
    plan.sign_in = text.sign_in.as_ref().map(|text| sign_in(at, &plan, text)).transpose()?;
    Ok(plan)
}

fn sign_in(at: &At, plan: &IsoPlan, text: &SignInText) -> Result<SignInPlan, SpecError> {
    let at = at.inside("sign_in");
    if text.source.is_empty() {
        return Err(at.fail("`source` says where this is known from"));
    }
    let place = |path: &str| {
        let known = Place::parse(path).filter(|place| plan.knows(*place) && !is_parted(plan, *place));
        known.ok_or_else(|| {
            at.fail(format!(
                "`{path}` is neither `header`, `type`, an element of the table nor a part of one"
            ))
        })
    };
    let said = |said: &Said| -> Result<BTreeMap<Place, String>, SpecError> {
        said.iter().map(|(path, value)| Ok((place(path)?, value.clone()))).collect()
    };
    let places = |path: &str| path.split('/').map(place).collect::<Result<Vec<_>, _>>();
    Ok(SignInPlan {
        request: said(&text.request)?,
        besides: said(&text.besides)?,
        answer: said(&text.answer)?,
        holder: places(&text.holder)?,
        serial: places(&text.serial)?,
        time: place(&text.time)?,
        day: place(&text.day)?,
        keys: place(&text.keys)?,
    })
}

fn element(at: &At, row: &ElementText) -> Result<Element, SpecError> {
    let content = match row.content.as_str() {
        "bcd" => Content::Bcd { is_left: true },
        "bcd_right" => Content::Bcd { is_left: false },
        "track" => Content::Track,
        "ascii" => Content::Ascii,
        "bytes" => Content::Bytes,
        name => return at.known("content", name, None, ["bcd", "bcd_right", "track", "ascii", "bytes"]),
    };
    let length = Length::parse(&row.length).ok_or_else(|| at.fail("`length` is `n`, `LL..max` or `LLL..max`"))?;
    let parts = row.parts.clone();
    let whole: usize = parts.iter().sum();
    if parts.contains(&0) || (!parts.is_empty() && (whole != length.max() || content == Content::Bytes)) {
        return Err(at.fail("`parts` are of characters, each at least 1, and as long together as the element may be"));
    }
    Ok(Element { content, length, parts })
}

/// Every path names what the table has, and a MAC over the message's own bytes is the last of them.
pub(super) fn check(at: &At, spec: &Spec, message: &MessageSpec) -> Result<(), SpecError> {
    let signing = &message.plan.signing;
    let Format::Iso8583(table) = spec.format_of(message.is_answer()) else {
        return if signing.over == Over::BeforeMac {
            Err(at.fail("`over = \"before_mac\"` belongs to the format iso8583"))
        } else {
            Ok(())
        };
    };
    for field in &message.plan.fields {
        let at = at.inside(&format!("field {}", field.path));
        let FieldPlace::Body(steps) = &field.place else {
            return Err(at.fail("fields of this format are elements of the message"));
        };
        let known = |step: &String| Place::parse(step).is_some_and(|place| table.knows(place));
        if let Some(step) = steps.iter().find(|step| !known(step)) {
            return Err(at.fail(format!(
                "`{step}` is neither `header`, `type`, an element of the table nor a part of one"
            )));
        }
        let whole = |step: &String| Place::parse(step).is_some_and(|place| is_parted(table, place));
        if let Some(step) = steps.iter().find(|step| whole(step)) {
            return Err(at.fail(format!("element {step} has parts: name one, such as `{step}.1`")));
        }
    }
    let mac = signing
        .signature
        .and_then(|id| message.plan.field(id))
        .map(|field| field.place.steps());
    let last = table.last().filter(|(_, element)| element.content == Content::Bytes);
    let is_last = match (mac, last) {
        (Some([step]), Some((number, element))) => {
            matches!(element.length, Length::Fixed(_)) && Place::parse(step) == Some(Place::Element(number))
        }
        _ => false,
    };
    if signing.over == Over::BeforeMac && !is_last {
        return Err(at.fail("the MAC is the last element of the table, bytes of a fixed length"));
    }
    Ok(())
}

fn is_parted(table: &IsoPlan, place: Place) -> bool {
    match place {
        Place::Element(number) => table.elements.get(&number).is_some_and(|element| !element.parts.is_empty()),
        Place::Header | Place::Type | Place::Part(..) => false,
    }
}
