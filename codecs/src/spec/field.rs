//! One field of a spec: its text merged with its type, checked, compiled.

use super::header;
use super::names::At;
use super::plan::{Field, Place, Tag};
use super::text::FieldText;
use crate::error::SpecError;
use crate::field::{Charset, Kind, Length, Mask, Rules};
use crate::payment::{Attribute, Role};
use std::collections::BTreeMap;

/// How many unnamed tagged texts a message may hold unless its spec says otherwise.
const REST_MAX: usize = 16;

/// A field with the number of times it may stand; `None` for a field that stands once.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) field: Field,
    pub(super) max: Option<usize>,
}

/// Compiles one field.
pub(super) fn load(at: &At, text: &FieldText, types: &BTreeMap<String, FieldText>) -> Result<Loaded, SpecError> {
    let step = text.path.as_deref().ok_or_else(|| at.fail("a field without `path`"))?;
    let at = at.inside(&format!("field {step}"));
    let text = merged(&at, text, types)?;
    let rules = rules(&at, &text)?;
    let tag = match text.tag.as_deref() {
        None => Tag::None,
        Some("*") => Tag::Rest,
        Some(name) if name.bytes().all(|b| b.is_ascii_alphanumeric()) => Tag::Named(name.to_owned()),
        Some(_) => return Err(at.fail("a tag is letters and digits, or `*`")),
    };
    let field = Field {
        path: if let Some(tag) = &text.tag {
            format!("{step}/{tag}")
        } else {
            step.to_owned()
        },
        place: header::place(&at, step, &text)?.map_or_else(|| place(&at, step), Ok)?,
        name_zh: text.zh.unwrap_or_default(),
        name_en: text.en.unwrap_or_default(),
        mask: mask(&at, text.mask.as_deref())?,
        seal: text.seal.unwrap_or(false),
        signed: text.signed.unwrap_or_else(|| text.map.is_some() || text.fill.is_some()),
        unsigned: text.unsigned,
        counted: text.counted.unwrap_or(false),
        required: text.required.unwrap_or(false),
        map: attribute(&at, text.map.as_deref())?,
        fill: attribute(&at, text.fill.as_deref())?,
        fill_else: attribute(&at, text.fill_else.as_deref())?,
        default: text.default,
        group: None,
        roles: roles(&at, text.roles.as_deref())?,
        same_as: text.same_as.map(header::same_as),
        rules,
        tag,
    };
    let max = if field.tag == Tag::Rest {
        text.max.or(Some(REST_MAX))
    } else {
        text.max
    };
    shape(&at, &field, max)?;
    Ok(Loaded { field, max })
}

/// What a field does not say itself it takes from its type.
fn merged(at: &At, text: &FieldText, types: &BTreeMap<String, FieldText>) -> Result<FieldText, SpecError> {
    let Some(name) = &text.base else { return Ok(text.clone()) };
    let base = at.known("type", name, types.get(name), types.keys().map(String::as_str))?;
    if base.base.is_some() || base.path.is_some() {
        return Err(at.fail(format!("type `{name}` may have neither `type` nor `path`")));
    }
    let (text, base) = (text.clone(), base.clone());
    Ok(FieldText {
        path: text.path,
        tag: text.tag,
        base: None,
        zh: text.zh.or(base.zh),
        en: text.en.or(base.en),
        kind: text.kind.or(base.kind),
        values: text.values.or(base.values),
        len: text.len.or(base.len),
        bytes: text.bytes.or(base.bytes),
        charset: text.charset.or(base.charset),
        mask: text.mask.or(base.mask),
        seal: text.seal.or(base.seal),
        signed: text.signed.or(base.signed),
        unsigned: text.unsigned.or(base.unsigned),
        counted: text.counted.or(base.counted),
        required: text.required.or(base.required),
        map: text.map.or(base.map),
        fill: text.fill.or(base.fill),
        fill_else: text.fill_else.or(base.fill_else),
        default: text.default.or(base.default),
        max: text.max.or(base.max),
        roles: text.roles.or(base.roles),
        at: text.at.or(base.at),
        width: text.width.or(base.width),
        same_as: text.same_as.or(base.same_as),
        source: text.source.or(base.source),
        confidence: text.confidence.or(base.confidence),
    })
}

fn rules(at: &At, text: &FieldText) -> Result<Rules, SpecError> {
    let name = text.kind.as_deref().ok_or_else(|| at.fail("no `kind`"))?;
    let values = text.values.clone().unwrap_or_default();
    let kind = at.known("kind", name, Kind::parse(name, &values), Kind::NAMES.iter().copied())?;
    if matches!(kind, Kind::Code(_)) == values.is_empty() {
        return Err(at.fail("`values` belongs to kind `code`, which needs it"));
    }
    let length = match text.len.as_deref().or_else(|| own_length(&kind)) {
        Some(length) => Length::parse(length, text.bytes).ok_or_else(|| at.fail("`len` is `n` or `min..max`, at least 1"))?,
        None => return Err(at.fail("no `len`")),
    };
    let charset = text.charset.as_deref().unwrap_or_else(|| own_charset(&kind));
    let charset = at.known("charset", charset, Charset::parse(charset), Charset::NAMES.iter().copied())?;
    let rules = Rules { kind, length, charset };
    if let Some(default) = &text.default {
        rules
            .check(default)
            .map_err(|broken| at.fail(format!("its default breaks its own rules: {}", broken.detail)))?;
    }
    Ok(rules)
}

/// Kinds whose texts have one form need no `len`.
fn own_length(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::Date8 => Some("8"),
        Kind::DateDash | Kind::UnixSeconds => Some("10"),
        Kind::Time6 | Kind::Clock6 => Some("6"),
        Kind::Day4 => Some("4"),
        Kind::AmountFen12 | Kind::Tail12 => Some("12"),
        Kind::DateTime | Kind::DateTimeSpace => Some("19"),
        Kind::DateTimeDigits => Some("14"),
        Kind::Rfc3339 => Some("20..35"),
        Kind::AmountYuan => Some("4..18"),
        Kind::AmountCny => Some("7..21"),
        Kind::AmountFen => Some("1..17"),
        Kind::Code(_) => Some("1..64"),
        Kind::Text | Kind::Digits | Kind::Alnum | Kind::DatedId | Kind::Base64 => None,
    }
}

fn own_charset(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Digits
        | Kind::Date8
        | Kind::Time6
        | Kind::Clock6
        | Kind::Day4
        | Kind::DateTimeDigits
        | Kind::AmountFen
        | Kind::AmountFen12
        | Kind::UnixSeconds => "digits",
        Kind::Alnum | Kind::DatedId | Kind::Tail12 => "alnum",
        Kind::Code(_)
        | Kind::AmountYuan
        | Kind::AmountCny
        | Kind::DateDash
        | Kind::DateTime
        | Kind::DateTimeSpace
        | Kind::Rfc3339
        | Kind::Base64 => "ascii",
    }
}

fn place(at: &At, step: &str) -> Result<Place, SpecError> {
    if let Some(steps) = step.strip_prefix('#') {
        return match place(at, steps)? {
            Place::Body(steps) => Ok(Place::Whole(steps)),
            Place::Head(_)
            | Place::Part { .. }
            | Place::Inside(..)
            | Place::Whole(_)
            | Place::Target
            | Place::Trailer
            | Place::Fixed { .. }
            | Place::Labelled(_) => Err(at.fail("after `#` stand names joined by `/`")),
        };
    }
    if let Some((header, name)) = step.strip_prefix('@').and_then(|step| step.split_once('/')) {
        return match place(at, &format!("@{header}"))? {
            Place::Head(header) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
                let name = name.to_owned();
                Ok(Place::Part { header, name })
            }
            Place::Body(_)
            | Place::Head(_)
            | Place::Part { .. }
            | Place::Inside(..)
            | Place::Whole(_)
            | Place::Target
            | Place::Trailer
            | Place::Fixed { .. }
            | Place::Labelled(_) => Err(at.fail("a part of a header is `@header/name`, lower case")),
        };
    }
    if let Some(header) = step.strip_prefix('@') {
        let lower = header
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        return if lower {
            Ok(Place::Head(header.to_owned()))
        } else {
            Err(at.fail("a header's name is lower case"))
        };
    }
    if step.starts_with(':') {
        return Ok(Place::Target);
    }
    if step == TRAILER {
        return Ok(Place::Trailer);
    }
    let enclosed = step.strip_suffix('}').and_then(|step| step.split_once('{'));
    let (outer, element) = enclosed.map_or((step, None), |(outer, element)| (outer, Some(element.to_owned())));
    let steps: Vec<String> = outer.split('/').map(str::to_owned).collect();
    let name = |step: &String| {
        !step.is_empty()
            && step
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    };
    if !steps.iter().chain(&element).all(name) {
        return Err(at.fail("a path is names joined by `/`"));
    }
    Ok(match element {
        Some(element) => Place::Inside(steps, element),
        None => Place::Body(steps),
    })
}

fn roles(at: &At, names: Option<&[String]>) -> Result<Vec<Role>, SpecError> {
    let known = || Role::ALL.iter().map(|role| role.name());
    let role = |name: &String| at.known("role", name, Role::parse(name), known());
    names.unwrap_or_default().iter().map(role).collect()
}

fn mask(at: &At, name: Option<&str>) -> Result<Mask, SpecError> {
    let name = name.unwrap_or("none");
    at.known("mask", name, Mask::parse(name), Mask::NAMES.iter().copied())
}

pub(super) fn attribute(at: &At, name: Option<&str>) -> Result<Option<Attribute>, SpecError> {
    let Some(name) = name else { return Ok(None) };
    let names = Attribute::ALL.iter().map(|attribute| attribute.name());
    at.known("attribute", name, Attribute::parse(name), names).map(Some)
}

/// A field and the attribute that it maps to must be of one shape; what is sealed must be text.
fn shape(at: &At, field: &Field, max: Option<usize>) -> Result<(), SpecError> {
    use crate::payment::Shape;
    for attribute in [field.map, field.fill, field.fill_else].into_iter().flatten() {
        let fits = match attribute.shape() {
            Shape::List => field.rules.kind.shape() == Shape::Text,
            Shape::Text | Shape::Money | Shape::Date => max.is_none() && field.rules.kind.shape() == attribute.shape(),
        };
        if !fits {
            return Err(at.fail(format!(
                "its kind does not fit attribute `{attribute}`, which is {:?}",
                attribute.shape()
            )));
        }
    }
    if field.map.is_some() && field.fill.is_some() {
        return Err(at.fail("`map` and `fill` exclude each other"));
    }
    if field.seal && !matches!(field.rules.kind, Kind::Text | Kind::Digits | Kind::Alnum) {
        return Err(at.fail("only text, digits and alnum can be sealed"));
    }
    if max.is_some() && matches!(field.place, Place::Whole(_)) {
        return Err(at.fail("what is sealed whole holds no repeats"));
    }
    if field.seal && (max.is_some() || !matches!(field.place, Place::Body(_))) {
        return Err(at.fail("what is sealed stands once, in the body"));
    }
    Ok(())
}

/// How a spec writes the place after an XML document where a signature stands.
const TRAILER: &str = "{S:}";
