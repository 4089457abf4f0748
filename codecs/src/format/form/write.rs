//! Writes pairs in the spec's order; fields below a key become one JSON value.

use super::escape::encode;
use super::{Escaping, FormPlan};
use crate::format::json::Node;
use crate::spec::MessageSpec;
use crate::spec::plan::Place;
use crate::values::Values;
use std::borrow::Cow;

pub(crate) fn write(plan: &FormPlan, message: &MessageSpec, values: &Values<'_>) -> Vec<u8> {
    let mut pairs: Vec<(&str, Content<'_>)> = Vec::new();
    for &id in &message.plan.written {
        let Some(field) = message.plan.field(id) else { continue };
        let Place::Body(steps) = &field.place else { continue };
        let Some((key, below)) = steps.split_first() else { continue };
        let group = field.group.and_then(|group| message.plan.groups.get(group));
        for item in values.all(id) {
            if below.is_empty() {
                pairs.push((key, Content::Text(&item.sent)));
                continue;
            }
            let repeat = group.map(|group| (group.depth, item.occurrence));
            if !pairs.iter().any(|(known, _)| known == key) {
                pairs.push((key, Content::Json(Node::default())));
            }
            if let Some((_, Content::Json(node))) = pairs.iter_mut().find(|(known, _)| known == key) {
                node.put(below, 2, repeat, Node::scalar(field, item));
            }
        }
    }
    joined(&pairs, plan.escaping(message.is_answer())).into_bytes()
}

fn joined(pairs: &[(&str, Content<'_>)], escaping: Escaping) -> String {
    let mut out = String::with_capacity(2048);
    let put = |out: &mut String, text: &str| match escaping {
        Escaping::Percent => encode(out, text),
        Escaping::Plain => out.push_str(text),
    };
    for (at, (key, content)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push('&');
        }
        put(&mut out, key);
        out.push('=');
        put(&mut out, &content.text());
    }
    out
}

/// What stands after a key.
enum Content<'v> {
    Text(&'v str),
    Json(Node<'v>),
}

impl Content<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Json(node) => {
                let mut out = String::new();
                node.write(&mut out);
                Cow::Owned(out)
            }
        }
    }
}
