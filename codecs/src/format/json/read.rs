//! From an HTTP message to fields: start line and headers, then the object by the tree of paths.

use super::JsonPlan;
use super::tree::{Json, parse};
use crate::error::ParseError;
use crate::field::Kind;
use crate::format::{Found, fault, utf8};
use crate::spec::plan::{FieldId, Node, Place, Plan, Tree};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use crate::wire::{Start, Wire};
use std::borrow::Cow;

/// Reads a request or an answer.
pub(crate) fn read<'a>(plan: &JsonPlan, spec: &'a Spec, wire: &'a Wire) -> Result<Found<'a>, ParseError> {
    let mut values = Values::new();
    heads(spec, wire, &mut values)?;
    let targeted = target(spec, wire, &mut values)?;
    if let Some(message) = targeted.filter(|message| message.is_bodyless()) {
        return if wire.body.is_empty() {
            Ok((message, values))
        } else {
            Err(fault("message.body", Some(0), "a body is not expected"))
        };
    }
    let text = utf8::text(&wire.body)?;
    let json = parse(text, &spec.limits).map_err(|(rule, detail, offset)| fault(rule, offset, detail))?;
    let Json::Object(pairs) = json else {
        return Err(fault("json.type", Some(0), "the body is one object"));
    };
    let message = named(spec, &pairs, targeted)?;
    let mut reading = Reading {
        reject_unknown: plan.reject_unknown,
        plan: &message.plan,
        values,
    };
    reading.object(pairs, Tree::ROOT, 0)?;
    Ok((message, reading.values))
}

/// What the transport says; the body of a refused message is not looked at.
pub(crate) fn peek<'a>(spec: &'a Spec, wire: &'a Wire) -> Option<Values<'a>> {
    let mut values = Values::new();
    heads(spec, wire, &mut values).ok()?;
    let message = target(spec, wire, &mut values).ok()??;
    values.set(spec.code_field, message.code.clone());
    Some(values)
}

fn heads<'a>(spec: &'a Spec, wire: &'a Wire, values: &mut Values<'a>) -> Result<(), ParseError> {
    let Some(any) = spec.messages().next() else { return Ok(()) };
    for (id, field) in any.plan.fields.iter().enumerate().take(spec.frame_count) {
        let Place::Head(name) = &field.place else { continue };
        let mut found = wire.headers.iter().filter(|(key, _)| key == name);
        if let Some((_, value)) = found.next() {
            values.push(Item::new(id, value.as_str()));
        }
        if found.next().is_some() {
            return Err(ParseError {
                field: Some(field.path.clone()),
                ..fault("field.duplicate", None, "a header stands twice")
            });
        }
    }
    Ok(())
}

/// The message that a request's method and target name; `None` for an answer.
fn target<'a>(spec: &'a Spec, wire: &'a Wire, values: &mut Values<'a>) -> Result<Option<&'a MessageSpec>, ParseError> {
    let (method, path) = match &wire.start {
        Start::Request { method, target } => (method, target.as_str()),
        Start::Status(_) => return Ok(None),
        Start::Queue => return Err(fault("http.start", None, "an HTTP request or answer is expected")),
    };
    for message in spec.messages() {
        let Some(target) = message.plan.target.as_ref().filter(|target| target.method == *method) else {
            continue;
        };
        match (path.strip_prefix(target.prefix.as_str()), target.parameter) {
            (Some(""), None) => return Ok(Some(message)),
            (Some(value), Some(field)) if !value.is_empty() && !value.contains(['/', '?', '#', '%']) => {
                values.push(Item::new(field, value));
                return Ok(Some(message));
            }
            (Some(_) | None, _) => {}
        }
    }
    Err(fault("http.target", None, "no message has this method and target"))
}

/// The message that the body names. In a request it is the one that the target names too; an answer is no request.
fn named<'a>(
    spec: &'a Spec,
    pairs: &[(Cow<'_, str>, Json<'_>)],
    targeted: Option<&'a MessageSpec>,
) -> Result<&'a MessageSpec, ParseError> {
    let field = spec.messages().next().and_then(|message| message.plan.field(spec.code_field));
    let name = field
        .and_then(|field| field.place.steps().first())
        .map(String::as_str)
        .unwrap_or_default();
    let value = pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let Some(Json::Text(code)) = value else {
        return Err(fault("message.code", None, format!("`{name}` is missing")));
    };
    let message = spec
        .message(code)
        .ok_or_else(|| fault("message.unknown", None, "the spec has no message of this code"))?;
    let fits = match targeted {
        Some(targeted) => targeted.code == message.code,
        None => message.plan.target.is_none(),
    };
    if fits {
        Ok(message)
    } else {
        Err(fault(
            "message.mismatch",
            None,
            format!("`{name}` does not belong to this target or answer"),
        ))
    }
}

struct Reading<'p, 'a> {
    reject_unknown: bool,
    plan: &'p Plan,
    values: Values<'a>,
}

impl<'a> Reading<'_, 'a> {
    fn object(&mut self, pairs: Vec<(Cow<'a, str>, Json<'a>)>, node: usize, occurrence: usize) -> Result<(), ParseError> {
        for (key, json) in pairs {
            match self.plan.tree.child(node, &key) {
                Some(child) => self.value(json, child, occurrence)?,
                None if self.reject_unknown => return Err(fault("json.unknown", None, "an unknown key")),
                None => {}
            }
        }
        Ok(())
    }

    fn value(&mut self, json: Json<'a>, id: usize, occurrence: usize) -> Result<(), ParseError> {
        let Some(node) = self.plan.tree.node(id) else { return Ok(()) };
        match (node.group, json) {
            (Some(group), Json::Array(items)) => {
                let max = self.plan.groups.get(group).map_or(0, |group| group.max);
                if items.len() > max {
                    return Err(self.broken(node, "limit.repeats", &format!("more than {max} items")));
                }
                let mut items = items.into_iter().enumerate();
                items.try_for_each(|(occurrence, item)| self.one(item, id, node, occurrence))
            }
            (Some(_), _) => Err(self.broken(node, "json.type", "a list is expected")),
            (None, json) => self.one(json, id, node, occurrence),
        }
    }

    fn one(&mut self, json: Json<'a>, id: usize, node: &Node, occurrence: usize) -> Result<(), ParseError> {
        match (node.field, json) {
            (None, Json::Object(pairs)) => self.object(pairs, id, occurrence),
            (None, _) => Err(self.broken(node, "json.type", "an object is expected")),
            (Some(field), json) => self.scalar(json, field, node, occurrence),
        }
    }

    /// Amounts are whole numbers, everything else is text.
    fn scalar(&mut self, json: Json<'a>, field: FieldId, node: &Node, occurrence: usize) -> Result<(), ParseError> {
        let whole = self
            .plan
            .field(field)
            .is_some_and(|field| field.rules.kind == Kind::AmountFen);
        let sent = match (whole, json) {
            (false, Json::Text(text)) => text,
            (true, Json::Whole(number)) => Cow::Owned(number.to_string()),
            (true, Json::Other(what)) => {
                return Err(self.broken(node, "json.type", &format!("a whole number is expected, not {what}")));
            }
            (true, _) => return Err(self.broken(node, "json.type", "a whole number is expected")),
            (false, _) => return Err(self.broken(node, "json.type", "a text is expected")),
        };
        self.values.push(Item {
            occurrence,
            ..Item::new(field, sent)
        });
        Ok(())
    }

    fn broken(&self, node: &Node, rule: &'static str, detail: &str) -> ParseError {
        let group = || self.plan.groups.get(node.group?).map(|group| group.path.clone());
        let field = node
            .field
            .and_then(|id| self.plan.field(id))
            .map(|field| field.path.clone())
            .or_else(group);
        ParseError {
            field,
            ..fault(rule, None, detail)
        }
    }
}
