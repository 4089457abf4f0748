//! Elements that stand side by side inside the clear text of a sealed field: names and texts, nothing deeper.

use super::scan::{Scanner, Token};
use super::write::escape;
use crate::error::ParseError;
use crate::format::fault;
use crate::spec::plan::Limits;

/// The elements with a text, under the same strict layer as a document; no name twice.
pub(crate) fn fragment(text: &str, limits: &Limits) -> Result<Vec<(String, String)>, ParseError> {
    let whole = format!("<{ROOT}>{text}</{ROOT}>");
    let mut scanner = Scanner::new(&whole, limits);
    let mut found: Vec<(String, String)> = Vec::new();
    let mut depth = 0;
    loop {
        match scanner.next()? {
            Token::Open { name, attributes, .. } => {
                depth += 1;
                open(&mut found, name, depth, attributes.is_empty())?;
            }
            Token::Text { text, .. } if depth == 2 => {
                if let Some((_, value)) = found.last_mut() {
                    value.push_str(text);
                }
            }
            Token::Text { .. } => return Err(fault("xml.mixed", None, "text between the elements inside a sealed field")),
            Token::Close => depth -= 1,
            Token::End => break,
        }
    }
    found.retain(|(_, value)| !value.is_empty());
    Ok(found)
}

/// Writes elements with their texts, one after another.
pub(crate) fn elements<'t>(elements: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let mut out = String::new();
    for (name, text) in elements {
        out.push('<');
        out.push_str(name);
        out.push('>');
        escape(&mut out, text);
        out.push_str("</");
        out.push_str(name);
        out.push('>');
    }
    out
}

fn open(found: &mut Vec<(String, String)>, name: &str, depth: usize, bare: bool) -> Result<(), ParseError> {
    if depth == 1 {
        return Ok(());
    }
    if depth > 2 || !bare {
        return Err(fault(
            "xml.unknown",
            None,
            "an element or attribute inside an element of a sealed field",
        ));
    }
    if found.iter().any(|(known, _)| known == name) {
        return Err(fault("field.duplicate", None, format!("element {name} stands twice")));
    }
    found.push((name.to_owned(), String::new()));
    Ok(())
}

const ROOT: &str = "sealed";
