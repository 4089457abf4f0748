//! From a form to fields: pairs first, then each value by the tree of paths.

use super::FormPlan;
use super::escape::decode;
use crate::error::ParseError;
use crate::format::json::{Reading, parse};
use crate::format::{Found, fault, http, utf8};
use crate::spec::plan::{Named, Tree};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use crate::wire::{Start, Wire};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// One pair of a form, decoded.
pub(crate) struct Pair<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) value: Cow<'a, str>,
    /// Where the value begins in the body.
    pub(crate) offset: usize,
}

/// How keys and values are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Escaping {
    Percent,
    /// As they are: no value holds `&`.
    Plain,
}

pub(crate) fn read<'a>(plan: &FormPlan, spec: &'a Spec, wire: &'a Wire) -> Result<Found<'a>, ParseError> {
    let mut values = Values::new();
    let place = http::place(spec, wire, &mut values)?;
    let escaping = plan.escaping(matches!(wire.start, Start::Status(_)));
    let pairs = pairs(&wire.body, escaping)?;
    if pairs.len() > spec.limits.nodes_max {
        return Err(fault("limit.nodes", None, "too many pairs"));
    }
    let message = match place.message() {
        Some(message) => own(spec, message, &pairs)?,
        None => named(spec, &place, &pairs)?,
    };
    place.check(message)?;
    let mut reading = Reading::new(plan.reject_unknown, message, values);
    for pair in pairs.into_iter().filter(|pair| !pair.value.is_empty()) {
        take(plan, spec, message, &mut reading, pair)?;
    }
    Ok((message, reading.values))
}

/// Every pair in its order: no key twice, nothing but what the encoding knows.
pub(crate) fn pairs(body: &[u8], escaping: Escaping) -> Result<Vec<Pair<'_>>, ParseError> {
    let text = utf8::text(body)?;
    let mut keys = BTreeSet::new();
    let mut pairs = Vec::new();
    let mut at = 0;
    for piece in text.split('&') {
        let offset = at;
        at += piece.len() + 1;
        let (key, value) = piece
            .split_once('=')
            .ok_or_else(|| fault("form.syntax", Some(offset), "a pair is `key=value`"))?;
        let pair = Pair {
            key: decoded(key, offset, escaping)?,
            value: decoded(value, offset + key.len() + 1, escaping)?,
            offset: offset + key.len() + 1,
        };
        if pair.key.is_empty() {
            return Err(fault("form.syntax", Some(offset), "a pair without a key"));
        }
        if !keys.insert(pair.key.clone()) {
            return Err(fault("field.duplicate", Some(offset), "a key stands twice"));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

fn decoded(text: &str, offset: usize, escaping: Escaping) -> Result<Cow<'_, str>, ParseError> {
    if escaping == Escaping::Plain {
        return Ok(Cow::Borrowed(text));
    }
    let escaped = || fault("form.escape", Some(offset), "not percent-encoded as forms are");
    match decode(text).ok_or_else(escaped)? {
        Cow::Borrowed(_) => Ok(Cow::Borrowed(text)),
        Cow::Owned(bytes) => {
            let checked = utf8::text(&bytes).map(drop);
            checked.map_err(|error| fault(error.rule, Some(offset), error.detail))?;
            String::from_utf8(bytes).map(Cow::Owned).map_err(|_| escaped())
        }
    }
}

/// The message of a target of its own: a code that stands in it all the same is its own.
fn own<'a>(spec: &Spec, message: &'a MessageSpec, pairs: &[Pair<'_>]) -> Result<&'a MessageSpec, ParseError> {
    let fits = message.plan.named.as_ref().is_none_or(|named| fits(spec, named, pairs));
    let other = || fault("message.mismatch", None, "another message than its target's");
    fits.then_some(message).ok_or_else(other)
}

fn fits(spec: &Spec, named: &Named, pairs: &[Pair<'_>]) -> bool {
    let has = |key: &str| pairs.iter().find(|pair| pair.key == key && !pair.value.is_empty());
    let said = has(http::code_key(spec)).is_some_and(|pair| named.values.iter().any(|value| *value == pair.value));
    said || named.with.as_ref().is_some_and(|key| has(key).is_some())
}

/// The message whose code the form holds; else the first in the spec's order that says how it is named, and is so.
fn named<'a>(spec: &'a Spec, place: &http::Place<'_>, pairs: &[Pair<'_>]) -> Result<&'a MessageSpec, ParseError> {
    let name = http::code_key(spec);
    let code = pairs.iter().find(|pair| pair.key == name).map(|pair| pair.value.as_ref());
    let code = code.ok_or_else(|| fault("message.code", None, format!("`{name}` is missing")))?;
    let by_code = || spec.message(code).filter(|message| message.plan.named.is_none());
    let by_name = |message: &&MessageSpec| {
        let named = message.plan.named.as_ref();
        place.check(message).is_ok() && named.is_some_and(|named| fits(spec, named, pairs))
    };
    let message = by_code().or_else(|| spec.messages().find(by_name));
    message.ok_or_else(|| fault("message.unknown", None, "the spec has no message of this code"))
}

/// A value that is a field, or JSON with fields inside.
fn take<'a>(
    plan: &FormPlan,
    spec: &Spec,
    message: &MessageSpec,
    reading: &mut Reading<'_, 'a>,
    pair: Pair<'a>,
) -> Result<(), ParseError> {
    let tree = &message.plan.tree;
    let child = tree.child(Tree::ROOT, &pair.key);
    let Some((child, node)) = child.and_then(|child| Some((child, tree.node(child)?))) else {
        return if plan.reject_unknown {
            Err(fault("form.unknown", Some(pair.offset), "an unknown key"))
        } else {
            Ok(())
        };
    };
    if let Some(field) = node.field {
        reading.values.push(Item {
            offset: Some(pair.offset),
            ..Item::new(field, pair.value)
        });
        return Ok(());
    }
    let json = parse(&pair.value, &spec.limits).map_err(|(rule, detail, _)| fault(rule, Some(pair.offset), detail))?;
    reading.value(json.owned(), child, 0)
}
