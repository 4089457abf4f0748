//! What the transport says of a message: headers that are fields, and the message that method and target name.

use super::{Found, fault, parts};
use crate::error::ParseError;
use crate::spec::plan::{FieldId, Piece, Place as FieldPlace, Target};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use crate::wire::{Start, Wire};

/// Where a message came in.
pub(super) enum Place<'a> {
    /// At a target that names the message.
    Own(&'a MessageSpec),
    /// At the target of every request; the body names the message.
    Common,
    /// As the answer to a request of ours.
    Answer,
}

impl<'a> Place<'a> {
    pub(super) fn message(&self) -> Option<&'a MessageSpec> {
        match self {
            Self::Own(message) => Some(message),
            Self::Common | Self::Answer => None,
        }
    }

    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Self::Answer)
    }

    /// The message that the body names is the one that the target names too; an answer is no request.
    pub(super) fn check(&self, message: &MessageSpec) -> Result<(), ParseError> {
        let fits = match self {
            Self::Own(own) => own.code == message.code,
            Self::Common => !message.is_answer() && message.plan.target.is_none(),
            Self::Answer => message.is_answer(),
        };
        let detail = "the message does not belong to this target or answer";
        if fits {
            Ok(())
        } else {
            Err(fault("message.mismatch", None, detail))
        }
    }
}

/// Takes the headers and the target's parameter into `values`, and says where the message came in.
pub(super) fn place<'a>(spec: &'a Spec, wire: &'a Wire, values: &mut Values<'a>) -> Result<Place<'a>, ParseError> {
    heads(spec, wire, values)?;
    target(spec, wire, values)
}

/// The message of a request's target, or the one that the transport says to be the answer.
pub(super) fn named<'a>(spec: &'a Spec, place: &Place<'a>, values: &Values<'_>) -> Result<&'a MessageSpec, ParseError> {
    if let Some(message) = place.message() {
        return Ok(message);
    }
    let code = values.get(spec.code_field);
    let code = code.ok_or_else(|| fault("message.code", None, "nothing says which request this answers"))?;
    let message = spec.message(&code.sent);
    message.ok_or_else(|| fault("message.unknown", None, "the spec has no message of this code"))
}

/// What the transport says; the body of a refused message is not looked at.
pub(super) fn peek<'a>(spec: &'a Spec, wire: &'a Wire) -> Option<Values<'a>> {
    let mut values = Values::new();
    let message = place(spec, wire, &mut values).ok()?.message()?;
    values.set(spec.code_field, message.said().to_owned());
    Some(values)
}

/// An answer whose whole body is the word that an acknowledgement consists of.
pub(crate) fn literal<'a>(spec: &'a Spec, wire: &'a Wire) -> Option<Found<'a>> {
    let word = |message: &&MessageSpec| {
        let word = message.plan.literal.as_ref();
        word.is_some_and(|word| word.as_bytes() == wire.body)
    };
    let answer = matches!(wire.start, Start::Status(_));
    let message = spec.messages().filter(|_| answer).find(word)?;
    Some((message, Values::new()))
}

/// The key of the body that holds the message code.
pub(super) fn code_key(spec: &Spec) -> &str {
    let field = spec.messages().next().and_then(|message| message.plan.field(spec.code_field));
    let step = field.and_then(|field| field.place.steps().first());
    step.map(String::as_str).unwrap_or_default()
}

fn heads<'a>(spec: &'a Spec, wire: &'a Wire, values: &mut Values<'a>) -> Result<(), ParseError> {
    let Some(any) = spec.messages().next() else { return Ok(()) };
    for (id, field) in any.plan.fields.iter().enumerate().take(spec.frame_count) {
        let (FieldPlace::Head(name) | FieldPlace::Part { header: name, .. }) = &field.place else {
            continue;
        };
        let broken = |rule, detail| ParseError {
            field: Some(field.path.clone()),
            ..fault(rule, None, detail)
        };
        let mut found = wire.headers.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        if found.next().is_some() {
            return Err(broken("field.duplicate", "a header stands twice"));
        }
        let value = match (&field.place, value) {
            (FieldPlace::Part { name, .. }, Some(value)) => {
                let parts =
                    parts::read(value).ok_or_else(|| broken("header.parts", "expected a word and name=\"value\" pairs"))?;
                parts.into_iter().find(|(part, _)| part == name).map(|(_, value)| value)
            }
            (_, value) => value,
        };
        if let Some(value) = value {
            values.push(Item::new(id, value));
        }
    }
    Ok(())
}

/// The message that a request's target names.
pub(crate) fn request_kind<'a>(spec: &'a Spec, wire: &Wire) -> Option<&'a MessageSpec> {
    let Start::Request { method, target } = &wire.start else {
        return None;
    };
    let fits = |message: &&MessageSpec| {
        let own = message.plan.target.as_ref().filter(|own| own.method == *method);
        own.is_some_and(|own| captured(own, target).is_some())
    };
    spec.messages().find(fits)
}

/// The values in a target, if the whole of it fits.
fn captured<'p>(target: &Target, path: &'p str) -> Option<Vec<(FieldId, &'p str)>> {
    let (mut rest, mut found) = (path, Vec::new());
    let mut pieces = target.pieces.iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Fixed(text) => rest = rest.strip_prefix(text.as_str())?,
            Piece::Field(id) => {
                let end = match pieces.peek() {
                    Some(Piece::Fixed(next)) => rest.find(next.as_str())?,
                    Some(Piece::Field(_)) | None => rest.len(),
                };
                let (value, after) = rest.split_at_checked(end)?;
                if value.is_empty() || value.contains(['/', '?', '#', '%', '&']) {
                    return None;
                }
                found.push((*id, value));
                rest = after;
            }
        }
    }
    rest.is_empty().then_some(found)
}

fn target<'a>(spec: &'a Spec, wire: &'a Wire, values: &mut Values<'a>) -> Result<Place<'a>, ParseError> {
    let (method, path) = match &wire.start {
        Start::Request { method, target } => (method, target.as_str()),
        Start::Status(_) => return Ok(Place::Answer),
        Start::Queue => return Err(fault("http.start", None, "an HTTP request or answer is expected")),
    };
    for message in spec.messages() {
        let Some(target) = message.plan.target.as_ref().filter(|target| target.method == *method) else {
            continue;
        };
        if let Some(found) = captured(target, path) {
            for (field, value) in found {
                values.push(Item::new(field, value));
            }
            return Ok(Place::Own(message));
        }
    }
    let common = spec.http.as_ref().and_then(|http| http.target.as_deref());
    if method == "POST" && common == Some(path) {
        return Ok(Place::Common);
    }
    Err(fault("http.target", None, "no message has this method and target"))
}
