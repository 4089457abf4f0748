//! Bytes to text without replacing anything.

use super::fault;
use super::words::any_below;
use crate::error::ParseError;

/// The body as text: no byte order mark, strict UTF-8 (no overlong forms, no surrogates), no control characters but
/// tab and line ends.
pub(super) fn text(body: &[u8]) -> Result<&str, ParseError> {
    if body.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(fault("encoding.bom", Some(0), "a byte order mark"));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        let looks = if like_gbk(body.get(at..).unwrap_or_default()) {
            "; the bytes look like GBK"
        } else {
            ""
        };
        fault("encoding.utf8", Some(at), format!("not UTF-8{looks}"))
    })?;
    let control = |b: u8| b < 0x20 && !matches!(b, b'\t' | b'\r' | b'\n');
    // Lines have ends; whatever else is below the visible characters is told exactly.
    if any_below(body, b' ') && body.iter().any(|&b| control(b)) {
        return Err(fault(
            "encoding.control",
            body.iter().position(|&b| control(b)),
            "a control character",
        ));
    }
    match if text.is_ascii() {
        None
    } else {
        text.find(['\u{fffe}', '\u{ffff}'])
    } {
        None => Ok(text),
        Some(at) => Err(fault("encoding.control", Some(at), "a character that is none")),
    }
}

/// Whether the run of bytes above ASCII consists of GBK pairs (first 81-FE, second 40-FE but 7F).
fn like_gbk(bytes: &[u8]) -> bool {
    let mut pairs = 0;
    let mut rest = bytes;
    while let [first @ 0x81..=0xfe, second @ 0x40..=0xfe, tail @ ..] = rest {
        if *second == 0x7f || *first == 0xff {
            break;
        }
        pairs += 1;
        rest = tail;
    }
    pairs > 0 && rest.first().is_none_or(u8::is_ascii)
}
