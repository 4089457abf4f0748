//! Writes one object without white space, keys in the spec's order, absent values left out.

use crate::field::Kind;
use crate::spec::MessageSpec;
use crate::spec::plan::{Field, Place};
use crate::values::{Item, Values};

pub(crate) fn write(message: &MessageSpec, values: &Values<'_>) -> Vec<u8> {
    if message.is_bodyless() {
        return Vec::new();
    }
    let mut root = Node::default();
    for &id in &message.plan.written {
        let Some(field) = message.plan.field(id).filter(|field| matches!(field.place, Place::Body(_))) else {
            continue;
        };
        let group = field.group.and_then(|group| message.plan.groups.get(group));
        for item in values.all(id) {
            let repeat = group.map(|group| (group.depth, item.occurrence));
            root.put(field.place.steps(), 1, repeat, scalar(field, item));
        }
    }
    let mut out = String::with_capacity(2048);
    root.write(&mut out);
    out.into_bytes()
}

fn scalar(field: &Field, item: &Item<'_>) -> String {
    if field.rules.kind == Kind::AmountFen {
        item.sent.to_string()
    } else {
        quote(&item.sent)
    }
}

/// JSON text (RFC 8259 clause 7) of a string.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An object, a list or a written scalar.
#[derive(Debug)]
enum Node {
    Object(Vec<(String, Self)>),
    List(Vec<Self>),
    Scalar(String),
}

impl Default for Node {
    fn default() -> Self {
        Self::Object(Vec::new())
    }
}

impl Node {
    /// Puts a scalar at a path; at the depth of a repeat a list stands between.
    fn put(&mut self, steps: &[String], depth: usize, repeat: Option<(usize, usize)>, scalar: String) {
        let Some((step, below)) = steps.split_first() else {
            *self = Self::Scalar(scalar);
            return;
        };
        let Self::Object(pairs) = self else { return };
        if !pairs.iter().any(|(key, _)| key == step) {
            pairs.push((step.clone(), Self::default()));
        }
        let Some((_, child)) = pairs.iter_mut().find(|(key, _)| key == step) else {
            return;
        };
        match repeat {
            Some((at, occurrence)) if at == depth => child.put_item(occurrence, below, depth + 1, scalar),
            _ => child.put(below, depth + 1, repeat, scalar),
        }
    }

    /// Puts a scalar into an item of a list, both made where they are missing.
    fn put_item(&mut self, occurrence: usize, below: &[String], depth: usize, scalar: String) {
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

    fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Object(pairs) => {
                let keys = pairs.iter().map(|(key, node)| (Some(key), node));
                list(out, '{', keys, '}');
            }
            Self::List(items) => list(out, '[', items.iter().map(|item| (None, item)), ']'),
        }
    }
}

fn list<'n>(out: &mut String, open: char, items: impl Iterator<Item = (Option<&'n String>, &'n Node)>, close: char) {
    out.push(open);
    for (at, (key, node)) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        if let Some(key) = key {
            out.push_str(&quote(key));
            out.push(':');
        }
        node.write(out);
    }
    out.push(close);
}
