//! XML: tokens of a strict layer, elements found by a tree of paths, one line written.

mod attributes;
pub(in crate::format) mod flat; // one element a field, nothing below it
mod fragment;
mod read;
mod scan;
mod trailer;
mod write;

pub(crate) use fragment::{elements, fragment};
pub(crate) use read::{peek, read};
pub(crate) use trailer::document;
pub(crate) use write::write;

use crate::error::ParseError;
use crate::spec::plan::Limits;
use scan::{Scanner, Token};

/// Reads a whole document for its form alone.
pub(in crate::format) fn strict(text: &str, limits: &Limits) -> Result<(), ParseError> {
    let mut scanner = Scanner::new(text, limits);
    while !matches!(scanner.next()?, Token::End) {}
    Ok(())
}

/// How a spec's messages stand in XML.
#[derive(Clone, Debug)]
pub(crate) struct XmlPlan {
    pub(crate) root: String,
    /// `{code}` stands for the message code.
    pub(crate) namespace: String,
    /// Children of the root, in their order.
    pub(crate) order: Vec<String>,
    /// The child under which a message's own root element stands.
    pub(crate) body: String,
    /// Fields stand directly under `body`.
    pub(crate) bare: bool,
    /// An empty element is an absent one.
    pub(crate) empty_is_absent: bool,
    pub(crate) currency: String,
    pub(crate) reject_unknown: bool,
}
