//! A header of fixed width before a document, and the line `{S:...}` that may stand between both (CNAPS2, DCEP). A value stands
//! at the left of its field and blanks behind it.
//!
//! The line holds a signature alone, or parts that their names stand before: `{S::SSN:value:NSN:value}`.

use super::{fault, utf8};
use crate::error::ParseError;
use crate::spec::plan::{Field, FieldId, Place, SameAs};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub(crate) struct HeaderPlan {
    pub(crate) open: String,
    pub(crate) close: String,
    /// Its length, `open` and `close` included.
    pub(crate) bytes: usize,
}

/// Takes the fields of header and line; gives where the document begins.
pub(super) fn read<'a>(plan: &HeaderPlan, spec: &Spec, text: &'a str, values: &mut Values<'a>) -> Result<usize, ParseError> {
    let header = whole(plan, text)?;
    let Some(any) = spec.messages().next() else {
        return Ok(plan.bytes);
    };
    let frame = || any.plan.fields.iter().enumerate().take(spec.frame_count);
    for (id, field) in frame() {
        if let Place::Fixed { at, width } = field.place {
            let value = value(field, header.get(at..at + width).unwrap_or_default(), at)?;
            if !value.is_empty() {
                values.push(Item {
                    offset: Some(at),
                    ..Item::new(id, value)
                });
            }
        }
    }
    line(plan, text, frame(), values)
}

/// What can be read of header and line in bytes that were refused.
pub(super) fn peek<'a>(plan: &HeaderPlan, spec: &Spec, body: &'a [u8]) -> Option<Values<'a>> {
    let valid = std::str::from_utf8(body).map_or_else(|error| error.valid_up_to(), str::len);
    let mut values = Values::new();
    let text = utf8::text(body.get(..valid)?).ok()?;
    read(plan, spec, text, &mut values).ok()?;
    Some(values)
}

/// The exact bytes behind header and line.
pub(super) fn content<'b>(plan: &HeaderPlan, body: &'b [u8]) -> &'b [u8] {
    let rest = body.get(plan.bytes..).unwrap_or_default();
    if !rest.starts_with(OPEN.as_bytes()) {
        return rest;
    }
    let end = rest.windows(CLOSE.len()).position(|window| window == CLOSE.as_bytes());
    end.and_then(|end| rest.get(end + CLOSE.len()..)).unwrap_or(rest)
}

pub(super) fn write(plan: &HeaderPlan, message: &MessageSpec, values: &Values<'_>) -> String {
    let mut header = plan.open.clone();
    let frame = || message.plan.fields.iter().enumerate().take(message.frame_count);
    let mut fixed: Vec<(usize, usize, &str)> = frame().filter_map(|(id, field)| fixed(id, field, values)).collect();
    fixed.sort_unstable();
    for (at, width, value) in fixed {
        header.push_str(&format!(
            "{:<fill$}{value:<width$}",
            "",
            fill = at.saturating_sub(header.len())
        ));
    }
    let fill = (plan.bytes - plan.close.len()).saturating_sub(header.len());
    header.push_str(&" ".repeat(fill));
    header.push_str(&plan.close);
    let of = |id: FieldId| values.get(id).map(|item| item.sent.as_ref());
    let alone = frame()
        .find(|(_, field)| field.place == Place::Trailer)
        .and_then(|(id, _)| of(id));
    if let Some(signature) = alone {
        header.push_str(&[OPEN, signature, CLOSE].concat());
    }
    let labelled: String = frame().filter_map(|(id, field)| label(field, of(id)?)).collect();
    if !labelled.is_empty() {
        header.push_str(&[OPEN, &labelled, CLOSE].concat());
    }
    header
}

/// Fields of the header that another field of the message repeats must say the same.
pub(super) fn agree(message: &MessageSpec, values: &Values<'_>) -> Result<(), ParseError> {
    for (id, field) in message.plan.fields.iter().enumerate().take(message.frame_count) {
        let (Some(SameAs { paths, besides }), Some(item)) = (&field.same_as, values.get(id)) else {
            continue;
        };
        let mut others = message
            .plan
            .fields
            .iter()
            .enumerate()
            .filter(|(_, other)| paths.contains(&other.path));
        let Some((path, other)) = others.find_map(|(id, other)| Some((&other.path, values.get(id)?))) else {
            continue;
        };
        if item.sent != other.sent && !besides.iter().any(|value| *value == item.sent) {
            return Err(of_field(
                field,
                "header.differs",
                item.offset,
                format!("{path} says something else"),
            ));
        }
    }
    Ok(())
}

/// The header itself: as long as it must be, with its first and last characters, all of it printable ASCII.
fn whole<'a>(plan: &HeaderPlan, text: &'a str) -> Result<&'a str, ParseError> {
    if !text.starts_with(&plan.open) {
        return Err(fault("header.syntax", Some(0), format!("it begins with {}", plan.open)));
    }
    let ends = plan.bytes - plan.close.len();
    let length = |at: usize| fault("header.length", Some(at), format!("it ends at byte {at}, not at {ends}"));
    let found = text.find(&plan.close).unwrap_or(text.len());
    if found != ends {
        return Err(length(found));
    }
    let header = text.get(..ends).ok_or_else(|| length(found))?;
    match header.bytes().position(|b| !(b' '..=b'~').contains(&b)) {
        Some(at) => Err(fault("header.charset", Some(at), "a character that is not printable ASCII")),
        None => Ok(header),
    }
}

fn value<'a>(field: &Field, raw: &'a str, at: usize) -> Result<&'a str, ParseError> {
    let value = raw.trim_end_matches(' ');
    if value.starts_with(' ') {
        return Err(of_field(
            field,
            "header.blank",
            Some(at),
            "a value stands at the left of its field".to_owned(),
        ));
    }
    if value.is_empty() && field.required {
        return Err(of_field(field, "field.missing", Some(at), "it is blank".to_owned()));
    }
    Ok(value)
}

/// The line between header and document, where there is one.
fn line<'a, 's>(
    plan: &HeaderPlan,
    text: &'a str,
    frame: impl Iterator<Item = (FieldId, &'s Field)>,
    values: &mut Values<'a>,
) -> Result<usize, ParseError> {
    let rest = text.get(plan.bytes..).unwrap_or_default();
    let Some(inside) = rest.strip_prefix(OPEN) else {
        return Ok(plan.bytes);
    };
    let begin = plan.bytes + OPEN.len();
    let (inside, _) = inside
        .split_once(CLOSE)
        .ok_or_else(|| fault("header.line", Some(begin), "the line has no end"))?;
    let parts = parts(inside, begin)?;
    for (id, field) in frame {
        let found = match &field.place {
            Place::Trailer => Some((begin, inside)),
            Place::Labelled(name) => parts.iter().find(|part| part.0 == name).map(|(_, at, value)| (*at, *value)),
            Place::Body(_)
            | Place::Head(_)
            | Place::Part { .. }
            | Place::Whole(_)
            | Place::Target
            | Place::Fixed { .. }
            | Place::Inside(..) => None,
        };
        if let Some((at, value)) = found.filter(|(_, value)| !value.is_empty()) {
            values.push(Item {
                offset: Some(at),
                ..Item::new(id, value)
            });
        }
    }
    Ok(begin + inside.len() + CLOSE.len())
}

/// `:NAME:value` again and again, no name twice; nothing for a line that holds a signature alone.
fn parts(inside: &str, begin: usize) -> Result<Vec<(&str, usize, &str)>, ParseError> {
    let Some(labelled) = inside.strip_prefix(':') else {
        return Ok(Vec::new());
    };
    let (mut parts, mut names, mut at) = (Vec::new(), BTreeSet::new(), begin + 1);
    let mut pieces = labelled.split(':');
    while let Some(name) = pieces.next() {
        let value = pieces
            .next()
            .ok_or_else(|| fault("header.line", Some(at), "a part without a value"))?;
        if !names.insert(name) {
            return Err(fault("field.duplicate", Some(at), "a part of the line stands twice"));
        }
        parts.push((name, at + name.len() + 1, value));
        at += name.len() + value.len() + 2;
    }
    Ok(parts)
}

fn fixed<'v>(id: FieldId, field: &Field, values: &'v Values<'_>) -> Option<(usize, usize, &'v str)> {
    let item = values.get(id)?;
    match field.place {
        Place::Fixed { at, width } => Some((at, width, &item.sent)),
        Place::Body(_)
        | Place::Head(_)
        | Place::Part { .. }
        | Place::Whole(_)
        | Place::Target
        | Place::Trailer
        | Place::Labelled(_)
        | Place::Inside(..) => None,
    }
}

fn label(field: &Field, value: &str) -> Option<String> {
    match &field.place {
        Place::Labelled(name) => Some(format!(":{name}:{value}")),
        Place::Body(_)
        | Place::Head(_)
        | Place::Part { .. }
        | Place::Whole(_)
        | Place::Target
        | Place::Trailer
        | Place::Fixed { .. }
        | Place::Inside(..) => None,
    }
}

fn of_field(field: &Field, rule: &'static str, offset: Option<usize>, detail: String) -> ParseError {
    ParseError {
        field: Some(field.path.clone()),
        ..fault(rule, offset, detail)
    }
}

const OPEN: &str = "{S:";
const CLOSE: &str = "}\r\n";
