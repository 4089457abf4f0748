//! Writes one object without white space, keys in the spec's order, absent values left out.

use crate::field::Kind;
use crate::spec::MessageSpec;
use crate::spec::plan::{Field, Place};
use crate::values::{Item, Values};

pub(crate) fn write(message: &MessageSpec, values: &Values<'_>) -> Vec<u8> {
    if message.is_bodyless() {
        return Vec::new();
    }
    let mut root = Node::Object(Vec::with_capacity(message.plan.written.len()));
    for &id in &message.plan.written {
        let Some(field) = message.plan.field(id).filter(|field| matches!(field.place, Place::Body(_))) else {
            continue;
        };
        let group = field.group.and_then(|group| message.plan.groups.get(group));
        for item in values.all(id) {
            let repeat = group.map(|group| (group.depth, item.occurrence));
            root.put(field.place.steps(), 1, repeat, Node::scalar(field, item));
        }
    }
    let mut out = String::with_capacity(2048);
    root.write(&mut out);
    out.into_bytes()
}

/// An object, a list, or a scalar; all borrow from the values that are written.
#[derive(Debug)]
pub(in crate::format) enum Node<'v> {
    Object(Vec<(&'v str, Self)>),
    List(Vec<Self>),
    Number(&'v str),
    Text(&'v str),
}

impl Default for Node<'_> {
    fn default() -> Self {
        Self::Object(Vec::new())
    }
}

impl<'v> Node<'v> {
    /// A value as it stands in JSON.
    pub(in crate::format) fn scalar(field: &Field, item: &'v Item<'_>) -> Self {
        if field.rules.kind == Kind::AmountFen {
            Self::Number(&item.sent)
        } else {
            Self::Text(&item.sent)
        }
    }

    /// Puts a scalar at a path; at the depth of a repeat a list stands between.
    pub(in crate::format) fn put(&mut self, steps: &'v [String], depth: usize, repeat: Option<(usize, usize)>, scalar: Self) {
        let Some((step, below)) = steps.split_first() else {
            *self = scalar;
            return;
        };
        let Self::Object(pairs) = self else { return };
        // What is written next mostly stands beside what was written last.
        let at = pairs.iter().rposition(|(key, _)| key == step).unwrap_or_else(|| {
            let members = if below.is_empty() { 0 } else { MEMBERS };
            pairs.push((step, Self::Object(Vec::with_capacity(members))));
            pairs.len() - 1
        });
        let Some((_, child)) = pairs.get_mut(at) else { return };
        match repeat {
            Some((at, occurrence)) if at == depth => child.put_item(occurrence, below, depth + 1, scalar),
            _ => child.put(below, depth + 1, repeat, scalar),
        }
    }

    /// Puts a scalar into an item of a list, both made where they are missing.
    fn put_item(&mut self, occurrence: usize, below: &'v [String], depth: usize, scalar: Self) {
        if !matches!(self, Self::List(_)) {
            *self = Self::List(Vec::new());
        }
        let Self::List(items) = self else { return };
        while items.len() <= occurrence {
            items.push(Self::default());
        }
        if let Some(item) = items.get_mut(occurrence) {
            item.put(below, depth, None, scalar);
        }
    }

    pub(in crate::format) fn write(&self, out: &mut String) {
        match self {
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => quote(out, text),
            Self::Object(pairs) => {
                let keys = pairs.iter().map(|(key, node)| (Some(*key), node));
                list(out, '{', keys, '}');
            }
            Self::List(items) => list(out, '[', items.iter().map(|item| (None, item)), ']'),
        }
    }
}

fn list<'n, 'v: 'n>(out: &mut String, open: char, items: impl Iterator<Item = (Option<&'v str>, &'n Node<'v>)>, close: char) {
    out.push(open);
    for (at, (key, node)) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        if let Some(key) = key {
            quote(out, key);
            out.push(':');
        }
        node.write(out);
    }
    out.push(close);
}

/// JSON text (RFC 8259 clause 7) of a string. Hardly any value needs an escape.
fn quote(out: &mut String, text: &str) {
    if text.bytes().any(|b| b < 0x20 || matches!(b, b'"' | b'\\')) {
        out.push_str(&serde_json::Value::from(text).to_string());
        return;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// Room for the members of most objects within the body's.
const MEMBERS: usize = 8;
