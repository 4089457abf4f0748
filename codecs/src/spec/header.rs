//! The table `header`: a header of fixed width before an XML document, and the fields that stand in it or in the line between
//! both.

#[cfg(test)]
mod tests;

use super::names::At;
use super::plan::{Field, Place, SameAs};
use super::text::{FieldText, SpecText};
use crate::error::SpecError;
use crate::field::Kind;
use crate::format::HeaderPlan;
use serde::Deserialize;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderText {
    /// Its first characters.
    open: String,
    /// Its last characters.
    close: String,
    /// Its length, `open` and `close` included; it is all ASCII.
    bytes: usize,
}

#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct SameAsText {
    paths: Vec<String>,
    #[serde(default)]
    besides: Vec<String>,
}

pub(super) fn same_as(text: SameAsText) -> SameAs {
    SameAs {
        paths: text.paths,
        besides: text.besides,
    }
}

/// The place of a field whose path begins with `{H:}/` or `{S:}/`.
pub(super) fn place(at: &At, path: &str, text: &FieldText) -> Result<Option<Place>, SpecError> {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    if let Some(label) = path.strip_prefix("{S:}/") {
        let place = Some(label)
            .filter(|label| is_name(label))
            .map(|label| Place::Labelled(label.to_owned()));
        return place.map(Some).ok_or_else(|| at.fail("a part of the line is `{S:}/NAME`"));
    }
    let named = path.strip_prefix("{H:}/").filter(|name| is_name(name));
    match (named, text.at, text.width) {
        (Some(_), Some(begin), Some(width)) => Ok(Some(Place::Fixed { at: begin, width })),
        (None, None, None) => Ok(None),
        _ => Err(at.fail("a field of the header is `{H:}/NAME` with `at` and `width`, and nothing else has those")),
    }
}

/// Every character of the header belongs to one field.
pub(super) fn load(at: &At, text: &SpecText, frame: &[Field]) -> Result<Option<HeaderPlan>, SpecError> {
    let at = at.inside("header");
    let mut fields: Vec<(usize, usize, &Field)> = frame.iter().filter_map(fixed).collect();
    let Some(header) = &text.header else {
        return if fields.is_empty() {
            Ok(None)
        } else {
            Err(at.fail("missing"))
        };
    };
    if text.xml.is_none() || text.http.is_some() {
        return Err(at.fail("it stands before XML, and over queues only"));
    }
    fields.sort_by_key(|(begin, _, _)| *begin);
    let mut next = header.open.len();
    for (begin, width, field) in fields {
        if begin != next || width == 0 {
            return Err(at.fail(format!(
                "field {} begins at {begin}, the one before it ends at {next}",
                field.path
            )));
        }
        if longest(field) > width {
            return Err(at.fail(format!("field {} may be longer than its {width} characters", field.path)));
        }
        next = begin + width;
    }
    if next + header.close.len() != header.bytes {
        return Err(at.fail(format!("its fields end at {next}; with `close` that is not {}", header.bytes)));
    }
    Ok(Some(HeaderPlan {
        open: header.open.clone(),
        close: header.close.clone(),
        bytes: header.bytes,
    }))
}

fn longest(field: &Field) -> usize {
    if let Kind::Code(values) = &field.rules.kind {
        return values.iter().map(String::len).max().unwrap_or_default();
    }
    field.rules.length.chars_max()
}

fn fixed(field: &Field) -> Option<(usize, usize, &Field)> {
    match field.place {
        Place::Fixed { at, width } => Some((at, width, field)),
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
