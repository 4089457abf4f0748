//! From bytes to a message: the charset of the wire, then the format of the spec.

use crate::error::ParseError;
use crate::mapping;
use crate::message::Message;
use crate::payment::{Operation, Payment, Role};
use crate::spec::plan::Place;
use crate::spec::{MessageSpec, Spec};
use crate::values::Values;
use crate::wire::{Start, Wire};
use std::borrow::Cow;

impl Spec {
    /// Parses strictly; no key is needed. Refuses what the spec's limits and kinds refuse.
    pub fn parse<'a>(&'a self, wire: &'a Wire) -> Result<Message<'a>, ParseError> {
        if self.charset.is_utf8() {
            let (kind, values) = self.read(wire)?;
            return self.checked(kind, values, Cow::Borrowed(wire));
        }
        let content = self.decoded(wire)?;
        let message = self.parse_content(&content);
        message.map_err(|error| ParseError {
            offset: error.offset.map(|at| self.charset.offset(&content.body, at)),
            ..error
        })
    }

    /// Parses what was decoded; nothing of the message is borrowed from it.
    fn parse_content(&self, content: &Wire) -> Result<Message<'_>, ParseError> {
        let (kind, values) = self.read(content)?;
        let own = self.message(&kind.code).filter(|own| own.direction == kind.direction);
        let kind = own.or_else(|| self.message_said(&kind.code, matches!(content.start, Start::Status(_))));
        let kind = kind.ok_or_else(|| crate::format::fault("message.unknown", None, "the spec has no message of this code"))?;
        self.checked(kind, values.into_owned(), Cow::Owned(content.clone()))
    }

    fn read<'a>(&'a self, wire: &'a Wire) -> Result<(&'a MessageSpec, Values<'a>), ParseError> {
        self.format_of(matches!(wire.start, Start::Status(_))).read(self, wire)
    }

    fn checked<'a>(&'a self, kind: &'a MessageSpec, values: Values<'a>, wire: Cow<'a, Wire>) -> Result<Message<'a>, ParseError> {
        let mut message = Message {
            spec: self,
            kind,
            values,
            wire,
        };
        message.check()?;
        if !self.seals() {
            message.kind.plan.enclosing().try_for_each(|id| message.disclose(id))?;
        }
        Ok(message)
    }

    fn decoded(&self, wire: &Wire) -> Result<Wire, ParseError> {
        Ok(Wire {
            start: wire.start.clone(),
            headers: wire.headers.clone(),
            body: self.charset.decoded(&wire.body)?,
        })
    }

    /// Reads only the communication header of a message that `parse` refused, for an answer such as NPS.900.
    /// Returns com.* attributes; `None` when not even the header can be trusted to be readable.
    /// A code that the spec does not know gives operation `notice`.
    pub fn peek(&self, wire: &Wire) -> Option<Payment> {
        if self.charset.is_utf8() {
            return self.peek_content(wire);
        }
        self.peek_content(&self.decoded(wire).ok()?)
    }

    /// The same of a message in UTF-8.
    pub(crate) fn peek_content(&self, wire: &Wire) -> Option<Payment> {
        let is_answer = matches!(wire.start, Start::Status(_));
        let values = self.format_of(is_answer).peek(self, wire)?;
        let code = values.get(self.code_field)?.sent.as_ref();
        let known = self.message_said(code, is_answer);
        let any = known.or_else(|| self.messages().next())?;
        let (operation, role) = known.map_or((Operation::Notice, Role::Request), |kind| {
            (mapping::operation(kind, &values).unwrap_or(kind.operation), kind.role)
        });
        let mut payment = Payment::new(operation, role);
        for (id, field) in any.plan.fields.iter().enumerate().take(self.frame_count) {
            let Some(item) = values.get(id) else {
                // The transport's own fields suffice where the body cannot be read.
                if field.required && !(self.http.is_some() && matches!(field.place, Place::Body(_))) {
                    return None;
                }
                continue;
            };
            if field.rules.check(&item.sent).is_err() {
                return None;
            }
            if let (Some(attribute), Some(value)) = (field.map, field.rules.kind.value(&item.sent)) {
                payment.put(attribute, value).ok()?;
            }
        }
        Some(payment)
    }
}
