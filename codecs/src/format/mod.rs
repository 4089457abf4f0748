//! Containers: how values stand in bytes. Adding one (fixed headers) is a module here and a line in each match.
//!
//! A container knows paths and limits; kinds, lengths, sealing and signatures are checked above it, alike for all.

mod charset; // what the wire's bytes are characters of
mod form;
mod header; // fixed width, before a document
mod http; // start line and headers, alike for every container
mod iso8583;
mod json;
mod parts; // one header of several named values
mod utf8;
mod words; // eight bytes at a time
mod xml;

pub(crate) use charset::Charset;
pub(crate) use form::{FormPlan, Pair};
pub(crate) use header::HeaderPlan;
pub(crate) use http::{literal, request_kind};
pub(crate) use iso8583::{
    Content as IsoContent, Element as IsoElement, IsoPlan, Length as IsoLength, Place as IsoPlace, pack as iso_pack,
    unpack as iso_unpack,
};
pub(crate) use json::{JsonNames, JsonPlan};
pub(crate) use parts::write as write_parts;
pub(crate) use xml::flat::FlatPlan;
pub(crate) use xml::leaves;
pub(crate) use xml::{XmlPlan, document as xml_document, elements as xml_elements, fragment as xml_fragment};

use crate::error::{BuildError, ParseError};
use crate::spec::plan::Limits;
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use crate::wire::Wire;
use xml::flat;

/// The container of a spec.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    Xml(XmlPlan),
    Json(JsonPlan),
    Form(FormPlan),
    Flat(FlatPlan),
    Iso8583(IsoPlan),
}

/// What a container found: which message it is, and its values.
pub(crate) type Found<'a> = (&'a MessageSpec, Values<'a>);

impl Format {
    /// As specs name it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Xml(_) => "xml",
            Self::Json(_) => "json",
            Self::Form(_) => "form",
            Self::Flat(_) => "flat",
            Self::Iso8583(_) => "iso8583",
        }
    }

    pub(crate) fn read<'a>(&self, spec: &'a Spec, wire: &'a Wire) -> Result<Found<'a>, ParseError> {
        let max = spec.limits.message_bytes_max;
        if wire.body.len() > max {
            return Err(fault(
                "limit.bytes",
                None,
                format!("{} bytes, allowed {max}", wire.body.len()),
            ));
        }
        if let Some(found) = literal(spec, wire) {
            return Ok(found);
        }
        match self {
            Self::Xml(plan) => xml::read(plan, spec, wire),
            Self::Json(plan) => json::read(plan, spec, wire),
            Self::Form(plan) => form::read(plan, spec, wire),
            Self::Flat(plan) => flat::read(plan, spec, wire),
            Self::Iso8583(plan) => iso8583::read(plan, spec, wire),
        }
    }

    pub(crate) fn has_header(&self) -> bool {
        matches!(self, Self::Xml(XmlPlan { header: Some(_), .. }))
    }

    /// The body behind what stands before its document.
    pub(crate) fn content<'b>(&self, body: &'b [u8]) -> &'b [u8] {
        match self {
            Self::Xml(XmlPlan {
                header: Some(header), ..
            }) => header::content(header, body),
            Self::Xml(_) | Self::Json(_) | Self::Form(_) | Self::Flat(_) | Self::Iso8583(_) => body,
        }
    }

    /// Whether the frame has a part of the body to itself; else its fields stand among the message's own.
    pub(crate) fn is_framed(&self) -> bool {
        match self {
            Self::Xml(plan) => plan.is_framed(),
            Self::Json(_) | Self::Form(_) | Self::Flat(_) | Self::Iso8583(_) => false,
        }
    }

    /// The pairs of a body that is made of such, in their order.
    pub(crate) fn pairs<'a>(&self, body: &'a [u8], is_answer: bool) -> Result<Vec<Pair<'a>>, ParseError> {
        match self {
            Self::Form(plan) => form::pairs(body, plan.escaping(is_answer)),
            Self::Flat(plan) => flat::pairs(plan, body),
            Self::Xml(_) | Self::Json(_) | Self::Iso8583(_) => Err(fault("form.syntax", None, "no pairs")),
        }
    }

    /// Frame values of bytes that `read` refused; `None` when the frame cannot be read to its end.
    pub(crate) fn peek<'a>(&self, spec: &'a Spec, wire: &'a Wire) -> Option<Values<'a>> {
        if wire.body.len() > spec.limits.message_bytes_max {
            return None;
        }
        match self {
            Self::Xml(XmlPlan {
                header: Some(header), ..
            }) => header::peek(header, spec, &wire.body),
            Self::Xml(plan) if plan.is_framed() => xml::peek(plan, spec, &wire.body),
            Self::Xml(_) | Self::Json(_) | Self::Form(_) | Self::Flat(_) => http::peek(spec, wire),
            Self::Iso8583(plan) => iso8583::peek(plan, spec, &wire.body),
        }
    }

    pub(crate) fn write(&self, message: &MessageSpec, values: &Values<'_>) -> Result<Vec<u8>, BuildError> {
        Ok(match self {
            Self::Xml(plan) => xml::write(plan, message, values),
            Self::Json(_) => json::write(message, values),
            Self::Form(plan) => form::write(plan, message, values),
            Self::Flat(plan) => flat::write(plan, message, values),
            Self::Iso8583(plan) => iso8583::write(plan, message, values)?,
        })
    }
}

/// The values of what was sealed whole: one object of JSON, or elements under a root of their own.
pub(crate) fn inside_read(spec: &Spec, message: &MessageSpec, clear: &[u8]) -> Result<Vec<Item<'static>>, ParseError> {
    match inside_root(message) {
        Some(root) => flat::inside_read(&root, message, clear),
        None => json::inside_read(spec, message, clear),
    }
}

pub(crate) fn inside_write(message: &MessageSpec, values: &Values<'_>) -> Vec<u8> {
    match inside_root(message) {
        Some(root) => flat::inside_write(&root, message, values),
        None => json::inside_write(message, values),
    }
}

fn inside_root(message: &MessageSpec) -> Option<FlatPlan> {
    let root = message.plan.whole.as_ref()?.root.clone()?;
    Some(FlatPlan { root })
}

/// The strict XML layer over a whole document, with the limits that specs have unless they say otherwise.
pub(crate) fn strict_xml(body: &[u8]) -> Result<(), ParseError> {
    xml::strict(utf8::text(body)?, &Limits::default())
}

/// An error about the message as a whole.
pub(crate) fn fault(rule: &'static str, offset: Option<usize>, detail: impl Into<String>) -> ParseError {
    ParseError {
        rule,
        field: None,
        offset,
        detail: detail.into(),
    }
}
