//! From an HTTP message to fields: start line and headers, then the object by the tree of paths.

use super::tree::{Json, parse};
use super::{JsonNames, JsonPlan};
use crate::error::ParseError;
use crate::field::Kind;
use crate::format::{Found, fault, http, utf8};
use crate::spec::plan::{FieldId, Node, Plan, Tree};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use crate::wire::Wire;
use std::borrow::Cow;

/// Reads a request or an answer.
pub(crate) fn read<'a>(plan: &JsonPlan, spec: &'a Spec, wire: &'a Wire) -> Result<Found<'a>, ParseError> {
    let mut values = Values::new();
    let place = http::place(spec, wire, &mut values)?;
    if let Some(message) = place.message().filter(|message| message.is_bodyless()) {
        return if wire.body.is_empty() {
            Ok((message, values))
        } else {
            Err(fault("message.body", Some(0), "a body is not expected"))
        };
    }
    let text = match utf8::text(&wire.body)? {
        // An answer that has nothing to say says so with no body at all.
        "" if plan.named_by == JsonNames::Target && place.is_answer() => "{}",
        text => text,
    };
    let json = parse(text, &spec.limits).map_err(|(rule, detail, offset)| fault(rule, offset, detail))?;
    let Json::Object(pairs) = json else {
        return Err(fault("json.type", Some(0), "the body is one object"));
    };
    let message = match plan.named_by {
        JsonNames::Member => by_member(spec, &pairs)?,
        JsonNames::Field => by_field(spec, &pairs)?,
        JsonNames::Target => http::named(spec, &place, &values)?,
    };
    place.check(message)?;
    let mut reading = Reading::new(plan.reject_unknown, message, values);
    reading.object(pairs, Tree::ROOT, 0)?;
    Ok((message, reading.values))
}

/// The message whose code the body's field holds.
fn by_field<'a>(spec: &'a Spec, pairs: &[(Cow<'_, str>, Json<'_>)]) -> Result<&'a MessageSpec, ParseError> {
    let name = http::code_key(spec);
    let value = pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let Some(Json::Text(code)) = value else {
        return Err(fault("message.code", None, format!("`{name}` is missing")));
    };
    let message = spec.message(code);
    message.ok_or_else(|| fault("message.unknown", None, "the spec has no message of this code"))
}

/// The message whose root is a member of the object; two of them would leave it open which one is meant.
fn by_member<'a>(spec: &'a Spec, pairs: &[(Cow<'_, str>, Json<'_>)]) -> Result<&'a MessageSpec, ParseError> {
    let named = |message: &&MessageSpec| {
        let root = message.plan.root.as_deref().filter(|_| message.is_answer());
        root.is_some_and(|root| pairs.iter().any(|(key, _)| key == root))
    };
    let mut found = spec.messages().filter(named);
    match (found.next(), found.next()) {
        (Some(message), None) => Ok(message),
        (Some(_), Some(_)) => Err(fault("message.two", None, "two members that are messages of their own")),
        (None, _) => Err(fault("message.unknown", None, "no member is a message of the spec")),
    }
}

/// Takes values into a message by its tree of paths.
pub(in crate::format) struct Reading<'p, 'a> {
    reject_unknown: bool,
    plan: &'p Plan,
    tree: &'p Tree,
    pub(in crate::format) values: Values<'a>,
}

impl<'p, 'a> Reading<'p, 'a> {
    pub(in crate::format) fn new(reject_unknown: bool, message: &'p MessageSpec, values: Values<'a>) -> Self {
        Self {
            reject_unknown,
            plan: &message.plan,
            tree: &message.plan.tree,
            values,
        }
    }

    /// For what is sealed whole.
    pub(super) fn inside(message: &'p MessageSpec) -> Self {
        Self {
            tree: &message.plan.inside,
            ..Self::new(false, message, Values::new())
        }
    }

    pub(in crate::format) fn object(
        &mut self,
        pairs: Vec<(Cow<'a, str>, Json<'a>)>,
        node: usize,
        occurrence: usize,
    ) -> Result<(), ParseError> {
        for (key, json) in pairs {
            match self.tree.child(node, &key) {
                Some(child) => self.value(json, child, occurrence)?,
                None if self.reject_unknown => return Err(fault("json.unknown", None, "an unknown key")),
                None => {}
            }
        }
        Ok(())
    }

    pub(in crate::format) fn value(&mut self, json: Json<'a>, id: usize, occurrence: usize) -> Result<(), ParseError> {
        let Some(node) = self.tree.node(id) else { return Ok(()) };
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
