//! XML: tokens of a strict layer, elements found by a tree of paths, one line written.

mod attributes;
pub(in crate::format) mod flat; // one element a field, nothing below it
mod fragment;
mod leaves;
mod read;
mod scan;
mod trailer;
mod write;

pub(crate) use fragment::{elements, fragment};
pub(crate) use leaves::leaves;
pub(crate) use read::{peek, read};
pub(crate) use trailer::document;
pub(crate) use write::write;

use crate::error::ParseError;
use crate::format::{Charset, HeaderPlan};
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
    /// The child under which a message's own root element stands; empty where there is none: what names the message stands
    /// outside of the document, and its fields stand under the document's root.
    pub(crate) body: String,
    /// Fields stand directly under `body`.
    pub(crate) bare: bool,
    /// An empty element is an absent one.
    pub(crate) empty_is_absent: bool,
    pub(crate) currency: String,
    pub(crate) charset: Charset,
    pub(crate) reject_unknown: bool,
    /// What stands before the document.
    pub(crate) header: Option<HeaderPlan>,
}

impl XmlPlan {
    /// The namespace of a message: `{code}` is its code, `{family}` what stands before the first dot of that.
    pub(crate) fn namespace_of(&self, code: &str) -> String {
        let family = code.split_once('.').map_or(code, |(family, _)| family);
        let mut pieces = self.namespace.split('{');
        let mut namespace = String::with_capacity(self.namespace.len() + code.len());
        namespace.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let named = [("code}", code), ("family}", family)];
            let named = named.iter().find_map(|(name, text)| Some((*text, piece.strip_prefix(name)?)));
            let (text, rest) = named.unwrap_or(("{", piece));
            namespace.push_str(text);
            namespace.push_str(rest);
        }
        namespace
    }

    /// Whether the frame has a part of the document to itself.
    pub(crate) fn is_framed(&self) -> bool {
        !self.body.is_empty()
    }
}
