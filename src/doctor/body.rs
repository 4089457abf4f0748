//! The same message in other bytes: what a sender or something on the way did to them. Proved by the pipeline, which takes them.

use super::coding::{Escaping, from_gbk, to_gbk, unescape};
use super::proof::Attempt;
use super::seen::Seen;
use super::{Case, Refused, Variant};
use codecs::wire::{Start, Wire};

/// Without the mark that some editors write before a text.
pub(super) fn bom(case: &Case<'_>) -> Vec<Variant<Wire>> {
    let body = case.wire.body.strip_prefix(BOM);
    body.map(|body| Variant::new("without EF BB BF before the body", case.with_body(body.to_vec())))
        .into_iter()
        .collect()
}

/// Without white space behind the body.
pub(super) fn line_end_added(case: &Case<'_>) -> Vec<Variant<Wire>> {
    let body = case.wire.body.trim_ascii_end();
    if body.len() == case.wire.body.len() {
        return Vec::new();
    }
    let added = case.wire.body.len() - body.len();
    vec![Variant::new(
        format!("without the last {added} bytes, which are white space"),
        case.with_body(body.to_vec()),
    )]
}

/// With a line end behind the body.
pub(super) fn line_end_lost(case: &Case<'_>) -> Vec<Variant<Wire>> {
    let with = |end: &str| {
        let body = [case.wire.body.as_slice(), end.as_bytes()].concat();
        Variant::new(format!("with {end:?} behind the body"), case.with_body(body))
    };
    ["\n", "\r\n", " "].into_iter().map(with).collect()
}

/// Bytes that are UTF-8, while the declaration says otherwise.
pub(super) fn declared(case: &Case<'_>) -> Vec<Variant<Wire>> {
    let body = std::str::from_utf8(&case.wire.body).ok().and_then(declared_as_utf8);
    body.map(|body| {
        Variant::new(
            "with encoding=\"UTF-8\" in the declaration",
            case.with_body(body.into_bytes()),
        )
    })
    .into_iter()
    .collect()
}

/// A form whose values stand as they are, where they are to be percent-encoded.
pub(super) fn unescaped(case: &Case<'_>) -> Vec<Variant<Wire>> {
    if matches!(case.wire.start, Start::Status(_)) {
        return Vec::new();
    }
    let pairs = std::str::from_utf8(&case.wire.body)
        .ok()
        .and_then(|body| pairs(body, |value| Some(Escaping::FORM.escape(value))));
    let plus = |value: &str| Some(Escaping::FORM.escape(&text(unescape(&value.replace('+', "%2B"))?)?));
    let plus = std::str::from_utf8(&case.wire.body)
        .ok()
        .and_then(|body| self::pairs(body, plus));
    [("every value percent-encoded", pairs), ("every + percent-encoded", plus)]
        .into_iter()
        .filter_map(|(what, body)| Some(Variant::new(what, case.with_body(body?.into_bytes()))))
        .collect()
}

/// An answer whose values are percent-encoded, where they are to stand as they are.
pub(super) fn escaped(case: &Case<'_>) -> Vec<Variant<Wire>> {
    if !matches!(case.wire.start, Start::Status(_)) {
        return Vec::new();
    }
    let decoded = |value: &str| text(unescape(value)?).filter(|text| !text.contains('&'));
    let body = std::str::from_utf8(&case.wire.body)
        .ok()
        .and_then(|body| pairs(body, decoded));
    body.map(|body| Variant::new("every value percent-decoded", case.with_body(body.into_bytes())))
        .into_iter()
        .collect()
}

/// Sent in GBK; signed in UTF-8, or in GBK too.
pub(super) fn gbk(refused: &Refused<'_>) -> Option<String> {
    let case = refused.case;
    gbk_bodies(case)
        .into_iter()
        .map(|body| case.with_body(body.into_bytes()))
        .find_map(|wire| {
            if case.receive(&wire).is_ok() {
                return Some("the body read as GBK, the signature over UTF-8".to_owned());
            }
            let seen = Seen::of(case, case.spec, &wire)?;
            let text = to_gbk(std::str::from_utf8(&seen.text).ok()?)?;
            let holds = Attempt::text("", text).holds(&seen);
            holds.then(|| "the body read as GBK, the signature over GBK".to_owned())
        })
}

/// What the body is in UTF-8 if its bytes, or those that its escapes stand for, are GBK.
fn gbk_bodies(case: &Case<'_>) -> Vec<String> {
    let whole = from_gbk(&case.wire.body);
    let declared = whole.as_deref().and_then(declared_as_utf8);
    let value = |value: &str| {
        let bytes = unescape(value)?;
        Some(Escaping::FORM.escape(&from_gbk(&bytes).or_else(|| text(bytes))?))
    };
    let escaped = std::str::from_utf8(&case.wire.body)
        .ok()
        .filter(|body| body.contains('%'))
        .and_then(|body| pairs(body, value));
    [declared, whole, escaped].into_iter().flatten().collect()
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

/// A form with every value written anew; `None` where it is none, or nothing changes.
fn pairs(body: &str, write: impl Fn(&str) -> Option<String>) -> Option<String> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some(format!("{key}={}", write(value)?))
    };
    let written: Option<Vec<String>> = body.split('&').map(pair).collect();
    written.map(|pairs| pairs.join("&")).filter(|written| written != body)
}

/// The text with another encoding in its declaration.
fn declared_as_utf8(text: &str) -> Option<String> {
    let (declaration, rest) = text.strip_prefix("<?xml")?.split_once("?>")?;
    let (before, quoted) = declaration.split_once("encoding=")?;
    let quote = quoted.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (name, after) = quoted.strip_prefix(quote)?.split_once(quote)?;
    let is_other = !name.eq_ignore_ascii_case("UTF-8");
    is_other.then(|| format!("<?xml{before}encoding={quote}UTF-8{quote}{after}?>{rest}"))
}

const BOM: &[u8] = b"\xef\xbb\xbf";
