//! Attributes of a start tag and of the XML declaration, read strictly.

use crate::spec::plan::Limits;
use std::ops::Deref;

/// A broken rule, with the offset inside the text that was given.
pub(super) type Broken = (&'static str, usize, String);

/// Name and raw value of every attribute. Most tags have none or one, which takes no list.
#[derive(Debug)]
pub(super) enum Attributes<'a> {
    None,
    One((&'a str, &'a str)),
    Several(Vec<(&'a str, &'a str)>),
}

impl<'a> Deref for Attributes<'a> {
    type Target = [(&'a str, &'a str)];

    fn deref(&self) -> &Self::Target {
        match self {
            Self::None => &[],
            Self::One(attribute) => std::slice::from_ref(attribute),
            Self::Several(attributes) => attributes,
        }
    }
}

impl<'a> Attributes<'a> {
    fn push(&mut self, attribute: (&'a str, &'a str)) {
        match self {
            Self::None => *self = Self::One(attribute),
            Self::One(first) => *self = Self::Several(vec![*first, attribute]),
            Self::Several(attributes) => attributes.push(attribute),
        }
    }
}

/// Each attribute is preceded by white space, quoted, unique by name; values hold no `<` and no reference but the five named
/// ones.
pub(super) fn attributes<'a>(text: &'a str, limits: &Limits) -> Result<Attributes<'a>, Broken> {
    let mut found = Attributes::None;
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start_matches(white);
        let at = text.len() - trimmed.len();
        if trimmed.is_empty() {
            return Ok(found);
        }
        if trimmed.len() == rest.len() {
            return Err(("xml.attribute", at, "attributes are set apart by white space".to_owned()));
        }
        let (name, value, after) = one(trimmed).ok_or_else(|| ("xml.attribute", at, "expected name=\"value\"".to_owned()))?;
        if value.len() > limits.attribute_bytes_max {
            return Err((
                "limit.attribute_bytes",
                at,
                format!("an attribute over {} bytes", limits.attribute_bytes_max),
            ));
        }
        if !clean(value) {
            return Err(("xml.attribute", at, "`<` or a reference in an attribute".to_owned()));
        }
        if found.iter().any(|(known, _)| *known == name) {
            return Err(("xml.attribute_duplicate", at, format!("attribute {name} stands twice")));
        }
        if found.len() >= limits.attributes_max {
            return Err((
                "limit.attributes",
                at,
                format!("more than {} attributes", limits.attributes_max),
            ));
        }
        found.push((name, value));
        rest = after;
    }
}

/// Splits `name = "value"` from what follows.
fn one(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('=')?;
    let name = name.trim_end_matches(white);
    let rest = rest.trim_start_matches(white);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, after) = rest.strip_prefix(quote)?.split_once(quote)?;
    is_name(name).then_some((name, value, after))
}

/// ASCII names with at most one prefix; no peer uses others.
pub(super) fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    match bytes.iter().position(|&b| b == b':') {
        None => is_simple_name(bytes),
        Some(colon) => {
            let (prefix, local) = bytes.split_at(colon);
            is_simple_name(prefix) && local.split_first().is_some_and(|(_, local)| is_simple_name(local))
        }
    }
}

pub(super) fn is_simple_name(name: &[u8]) -> bool {
    begins_name(name) && name.iter().all(|&b| is_in_name(b))
}

pub(super) fn begins_name(name: &[u8]) -> bool {
    name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
}

/// Whether a byte may stand in a name without a prefix.
pub(super) fn is_in_name(byte: u8) -> bool {
    NAME.get(usize::from(byte)).copied().unwrap_or_default()
}

static NAME: [bool; 256] = names();

const fn names() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        #[expect(clippy::indexing_slicing, reason = "a byte is an index of 256 places")]
        let place = &mut table[byte as usize];
        *place = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        byte += 1;
    }
    table
}

/// The text of the five named references; character references and others are refused (`None`).
pub(super) fn reference(name: &str) -> Option<&'static str> {
    Some(match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => return None,
    })
}

fn clean(value: &str) -> bool {
    let known = |part: &str| part.split_once(';').is_some_and(|(name, _)| reference(name).is_some());
    !value.contains('<') && value.split('&').skip(1).all(known)
}

pub(super) fn white(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
