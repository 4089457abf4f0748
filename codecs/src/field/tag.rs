//! The `/Tag/value` grammar of supplementary data (`facts/clearing.md` 1.1).

use nom::bytes::complete::{tag, take_while1};
use nom::sequence::delimited;
use nom::{IResult, Parser};

/// Splits `/SttlmDt/2030-01-02` into tag and value; `None` when the text does not begin with a tag.
pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
    let mut prefix = delimited(tag("/"), take_while1(|c: char| c.is_ascii_alphanumeric()), tag("/"));
    let parsed: IResult<&str, &str> = prefix.parse(text);
    parsed.ok().map(|(value, name)| (name, value))
}

/// The text of a tagged value as it is written.
pub(crate) fn join(name: &str, value: &str) -> String {
    let mut text = String::with_capacity(name.len() + value.len() + 2);
    for part in ["/", name, "/", value] {
        text.push_str(part);
    }
    text
}
