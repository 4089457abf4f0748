//! Some elements under a document's root with their texts, whatever else the document holds.

use super::scan::{Scanner, Token};
use crate::error::ParseError;
use crate::format::{fault, utf8};
use crate::spec::plan::Limits;
use std::collections::BTreeMap;

/// The texts of the named children of the root with their offsets: each once, without attributes and elements inside.
pub(crate) fn leaves(
    body: &[u8],
    root: &str,
    names: &[&str],
    limits: &Limits,
) -> Result<BTreeMap<String, (String, usize)>, ParseError> {
    let mut scanner = Scanner::new(utf8::text(body)?, limits);
    let mut found = BTreeMap::new();
    let (mut depth, mut open) = (0_usize, None);
    loop {
        match scanner.next()? {
            Token::Open {
                name,
                attributes,
                offset,
            } => {
                if depth == 0 && name != root {
                    return Err(fault("xml.root", Some(offset), format!("the root is {root}")));
                }
                if open.is_some() {
                    return Err(fault("xml.mixed", Some(offset), format!("element {name} where text stands")));
                }
                open = Some(name).filter(|name| depth == 1 && names.contains(name));
                if open.is_some() && (!attributes.is_empty() || found.contains_key(name)) {
                    let rule = if attributes.is_empty() {
                        "field.duplicate"
                    } else {
                        "xml.attribute"
                    };
                    return Err(fault(
                        rule,
                        Some(offset),
                        format!("element {name} stands once, without attributes"),
                    ));
                }
                depth += 1;
            }
            Token::Text { text, offset } => {
                if let Some(name) = open {
                    let entry: &mut (String, usize) = found.entry(name.to_owned()).or_insert_with(|| (String::new(), offset));
                    entry.0.push_str(text);
                }
            }
            Token::Close => {
                depth = depth.saturating_sub(1);
                open = None;
            }
            Token::End => return Ok(found),
        }
    }
}
