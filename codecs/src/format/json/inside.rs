//! An object that is sealed whole: read and written like a body, by a tree of its own.

use super::read::Reading;
use super::tree::{Json, parse};
use super::write::Node;
use crate::error::ParseError;
use crate::format::{fault, utf8};
use crate::spec::plan::{Place, Tree};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};

/// Its values, once it is opened; keys that the spec does not know are passed over.
pub(in crate::format) fn read(spec: &Spec, message: &MessageSpec, clear: &[u8]) -> Result<Vec<Item<'static>>, ParseError> {
    let json = parse(utf8::text(clear)?, &spec.limits).map_err(|(rule, detail, offset)| fault(rule, offset, detail))?;
    let Json::Object(pairs) = json.owned() else {
        return Err(fault("json.type", Some(0), "what is sealed is one object"));
    };
    let mut reading = Reading::inside(message);
    reading.object(pairs, Tree::ROOT, 0)?;
    Ok(reading.values.items().to_vec())
}

pub(in crate::format) fn write(message: &MessageSpec, values: &Values<'_>) -> Vec<u8> {
    let mut root = Node::default();
    for item in values.items() {
        let Some(field) = message.plan.field(item.field) else {
            continue;
        };
        if let Place::Whole(steps) = &field.place {
            root.put(steps, 1, None, Node::scalar(field, item));
        }
    }
    let mut out = String::new();
    root.write(&mut out);
    out.into_bytes()
}
