//! A flat document: one root, one element a field, text or one CDATA section in it, and nothing else at all. CDATA is known here
//! alone, since every party of this format writes it. What names a message is its target, or the request that it answers.

use super::attributes::{is_name, reference, white};
use super::write::escape;
use crate::error::ParseError;
use crate::format::form::Pair;
use crate::format::{Found, fault, http, utf8};
use crate::spec::plan::{Place, Tree};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use crate::wire::Wire;
use std::borrow::Cow;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub(crate) struct FlatPlan {
    pub(crate) root: String,
}

pub(in crate::format) fn read<'a>(plan: &FlatPlan, spec: &'a Spec, wire: &'a Wire) -> Result<Found<'a>, ParseError> {
    let mut values = Values::new();
    let place = http::place(spec, wire, &mut values)?;
    let pairs = pairs(plan, &wire.body)?;
    if pairs.len() > spec.limits.nodes_max {
        return Err(fault("limit.nodes", None, "too many elements"));
    }
    let message = http::named(spec, &place, &values)?;
    place.check(message)?;
    let tree = &message.plan.tree;
    for pair in pairs.into_iter().filter(|pair| !pair.value.is_empty()) {
        let node = tree.child(Tree::ROOT, &pair.key).and_then(|child| tree.node(child));
        if let Some(field) = node.and_then(|node| node.field) {
            values.push(Item {
                offset: Some(pair.offset),
                ..Item::new(field, pair.value)
            });
        }
    }
    Ok((message, values))
}

/// Every element in its order: no name twice.
pub(in crate::format) fn pairs<'a>(plan: &FlatPlan, body: &'a [u8]) -> Result<Vec<Pair<'a>>, ParseError> {
    let text = utf8::text(body)?;
    let open = format!("<{}>", plan.root);
    let close = format!("</{}>", plan.root);
    let inside = text.trim_matches(white).strip_prefix(open.as_str());
    let inside = inside.and_then(|text| text.strip_suffix(close.as_str()));
    let inside = inside.ok_or_else(|| outside(text, &plan.root))?;
    let (mut pairs, mut names) = (Vec::new(), BTreeSet::new());
    let mut rest = inside.trim_start_matches(white);
    while !rest.is_empty() {
        let at = text.len() - text.trim_start_matches(white).len() + open.len() + inside.len() - rest.len();
        let (pair, after) = element(rest, at)?;
        if !names.insert(pair.key.clone()) {
            return Err(fault("field.duplicate", Some(at), "an element stands twice"));
        }
        pairs.push(pair);
        rest = after.trim_start_matches(white);
    }
    Ok(pairs)
}

/// Elements of what was sealed whole; those that the spec does not know are passed over.
pub(in crate::format) fn inside_read(
    plan: &FlatPlan,
    message: &MessageSpec,
    clear: &[u8],
) -> Result<Vec<Item<'static>>, ParseError> {
    let tree = &message.plan.inside;
    let pairs = pairs(plan, clear)?.into_iter().filter(|pair| !pair.value.is_empty());
    let item = |pair: Pair<'_>| {
        let field = tree.node(tree.child(Tree::ROOT, &pair.key)?)?.field?;
        Some(Item::new(field, pair.value.into_owned()))
    };
    Ok(pairs.filter_map(item).collect())
}

pub(in crate::format) fn write(plan: &FlatPlan, message: &MessageSpec, values: &Values<'_>) -> Vec<u8> {
    let name = |place: &Place| place.steps().first().cloned();
    elements(plan, message, values, name)
}

pub(in crate::format) fn inside_write(plan: &FlatPlan, message: &MessageSpec, values: &Values<'_>) -> Vec<u8> {
    let name = |place: &Place| {
        let Place::Whole(steps) = place else { return None };
        steps.first().cloned()
    };
    elements(plan, message, values, name)
}

/// One element for each value whose place has a name.
fn elements(plan: &FlatPlan, message: &MessageSpec, values: &Values<'_>, name: fn(&Place) -> Option<String>) -> Vec<u8> {
    let mut out = format!("<{}>", plan.root);
    for &id in &message.plan.written {
        let name = message.plan.field(id).and_then(|field| name(&field.place));
        let (Some(name), Some(item)) = (name, values.get(id)) else {
            continue;
        };
        for piece in ["<", &name, ">"] {
            out.push_str(piece);
        }
        escape(&mut out, &item.sent);
        for piece in ["</", &name, ">"] {
            out.push_str(piece);
        }
    }
    for piece in ["</", &plan.root, ">"] {
        out.push_str(piece);
    }
    out.into_bytes()
}

/// `<name>text</name>` or `<name><![CDATA[text]]></name>`, and what follows it.
fn element(text: &str, at: usize) -> Result<(Pair<'_>, &str), ParseError> {
    let syntax = |detail| fault(refused(text), Some(at), detail);
    let (name, rest) = text
        .strip_prefix('<')
        .and_then(|text| text.split_once('>'))
        .filter(|(name, _)| is_name(name) && !name.contains(':'))
        .ok_or_else(|| syntax("an element without attributes is expected"))?;
    let offset = at + name.len() + 2;
    let (value, after) = if let Some(section) = rest.strip_prefix(CDATA) {
        let section = section.split_once("]]>").map(|(value, after)| (Cow::Borrowed(value), after));
        section.ok_or_else(|| syntax("a CDATA section without an end"))?
    } else {
        let end = rest.find('<').ok_or_else(|| syntax("an element without an end"))?;
        let (value, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        (decoded(value, offset)?, after)
    };
    let after = after.strip_prefix("</").and_then(|after| after.strip_prefix(name));
    let after = after.and_then(|after| after.strip_prefix('>'));
    let after = after.ok_or_else(|| {
        fault(
            "xml.unbalanced",
            Some(offset),
            "a field holds text or one CDATA section, nothing else",
        )
    })?;
    let key = Cow::Borrowed(name);
    Ok((Pair { key, value, offset }, after))
}

/// The five references in their places; any other is refused.
fn decoded(text: &str, offset: usize) -> Result<Cow<'_, str>, ParseError> {
    if text.contains("]]>") {
        return Err(fault("xml.syntax", Some(offset), "`]]>` in text"));
    }
    let Some((before, references)) = text.split_once('&') else {
        return Ok(Cow::Borrowed(text));
    };
    let mut decoded = before.to_owned();
    for piece in references.split('&') {
        let known = piece
            .split_once(';')
            .and_then(|(name, after)| Some((reference(name)?, after)));
        let (meant, after) =
            known.ok_or_else(|| fault("xml.entity", Some(offset), "only amp, lt, gt, quot and apos are known"))?;
        decoded.push_str(meant);
        decoded.push_str(after);
    }
    Ok(Cow::Owned(decoded))
}

fn outside(text: &str, root: &str) -> ParseError {
    fault(
        refused(text),
        Some(0),
        format!("one element {root} is expected, and nothing around it"),
    )
}

/// The rule by which what stands at the head of a text is refused.
fn refused(text: &str) -> &'static str {
    let begins = |prefix: &str| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    if begins("<!DOCTYPE") {
        "xml.doctype"
    } else if begins("<!--") {
        "xml.comment"
    } else if begins("<?") {
        "xml.instruction"
    } else {
        "xml.syntax"
    }
}

const CDATA: &str = "<![CDATA[";
