//! Specs: loaded, wholly checked and compiled to a plan at start.
//!
//! A spec is a table (`codecs/<institution>/spec.toml`); this module turns it into plans and holds no institution's names.

pub(crate) mod capsule;
mod check;
mod envelope;
mod field;
mod header;
mod iso8583;
mod load;
mod message;
mod names;
mod origin;
pub(crate) mod plan;
pub(crate) mod sealing;
mod speech;
mod suite;
mod text;
pub(crate) mod whole;

#[cfg(test)]
mod tests;

pub use origin::Origin;
pub use text::Confidence;

use crate::envelope::{SignatureEncoding, SignatureScheme};
use crate::error::SpecError;
use crate::field::Rules;
use crate::format::{Charset, Format, JsonNames, request_kind};
use crate::payment::{Attribute, Operation, Reason, Role, Value};
use crate::wire::{Start, Wire};
use plan::{Code, EnvelopePlan, Habits, Http, Limits, Plan, Tree};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All specs by codec name (`nps`, `platform`, ...).
#[derive(Debug, Default)]
pub struct Specs {
    specs: BTreeMap<String, Arc<Spec>>,
}

impl Specs {
    /// The specs built into the binary: every folder `codecs/*/spec.toml`, found by `build.rs`.
    pub fn embedded() -> Result<Self, SpecError> {
        let mut specs = Self::default();
        for (codec, text) in crate::embedded::SPECS {
            specs.insert(codec, text)?;
        }
        Ok(specs)
    }

    /// Each embedded spec as it is written, by its codec: what tells one version of it from another.
    pub fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
        crate::embedded::SPECS.iter().map(|(codec, text)| (*codec, *text))
    }

    /// Loads one spec from its text, for an operator's own file or a test.
    pub fn insert(&mut self, codec: &str, text: &str) -> Result<(), SpecError> {
        self.specs.insert(codec.to_owned(), Arc::new(load::load(codec, text)?));
        Ok(())
    }

    pub fn spec(&self, codec: &str) -> Option<&Arc<Spec>> {
        self.specs.get(codec)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Spec>> {
        self.specs.values()
    }
}

/// One institution's compiled spec.
#[derive(Clone, Debug)]
pub struct Spec {
    pub codec: String,
    pub name_zh: String,
    pub name_en: String,
    /// Where the spec as a whole comes from, and how sure that is.
    pub source: String,
    pub confidence: Confidence,
    pub(crate) format: Format,
    /// The format of answers, where it is not that of requests.
    pub(crate) answers: Option<Format>,
    pub(crate) limits: Limits,
    pub(crate) charset: Charset,
    pub(crate) http: Option<Http>,
    pub(crate) envelope: EnvelopePlan,
    pub(crate) habits: Habits,
    /// Finds frame fields before the message's code is known.
    pub(crate) frame: Tree,
    pub(crate) frame_count: usize,
    pub(crate) code_field: usize,
    pub(crate) codes: Vec<Code>,
    pub(crate) origins: Vec<Origin>,
    examples: Vec<(Attribute, Value)>,
    /// Which of its suites this is; empty where it has but one set of algorithms.
    pub suite: String,
    /// The same spec in its other suites.
    others: Vec<Arc<Self>>,
    messages: Vec<MessageSpec>,
    by_code: BTreeMap<String, usize>,
}

/// One message type of a spec.
#[derive(Clone, Debug)]
pub struct MessageSpec {
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    /// The operation, or the first of `operations()`.
    pub operation: Operation,
    pub role: Role,
    /// Message code of the reply, for requests.
    pub reply: Option<String>,
    pub direction: Direction,
    pub source: String,
    pub confidence: Confidence,
    pub(crate) operations: Vec<Operation>,
    /// Number of frame fields, which come first in the plan.
    pub(crate) frame_count: usize,
    pub(crate) plan: Plan,
}

impl MessageSpec {
    /// Every operation that this message can carry; a field's value selects among several.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Whether the message is a request without a body (its target says everything).
    pub fn is_bodyless(&self) -> bool {
        self.plan.target.as_ref().is_some_and(|target| target.method == "GET")
    }

    /// Whether another message is the spec's usual one for its operation and role.
    pub fn is_alternative(&self) -> bool {
        self.plan.alternative
    }

    /// Whether an answer says which request it answers. Where it does not, the connection is all there is.
    pub fn names_request(&self) -> bool {
        self.named_by().is_some()
    }

    /// The attribute by which an answer is matched to this request: the serial, or what the spec derives it from.
    pub fn named_by(&self) -> Option<Attribute> {
        if self.plan.fields.iter().any(|field| field.map == Some(Attribute::Serial)) {
            return Some(Attribute::Serial);
        }
        let mut derived = self.plan.derive.iter();
        derived
            .find(|(target, _)| *target == Attribute::Serial)
            .map(|(_, source)| *source)
    }

    /// Whether it answers a request on the request's own connection, where the transport has one.
    pub fn is_answer(&self) -> bool {
        matches!(self.role, Role::Reply | Role::Ack)
    }

    /// What the field of the code holds: the code itself, or what the spec says that it is named by.
    pub(crate) fn said(&self) -> &str {
        let named = self.plan.named.as_ref().and_then(|named| named.values.first());
        named.unwrap_or(&self.code)
    }

    /// Whether what stands in the field of the code names this message among answers, or among what is no answer.
    fn is_named(&self, said: &str, is_answer: bool) -> bool {
        let named = self.plan.named.as_ref();
        self.is_answer() == is_answer && named.is_some_and(|named| named.values.iter().any(|value| value == said))
    }

    fn carries(&self, operation: Operation, role: Role) -> bool {
        self.role == role && self.operations.contains(&operation)
    }
}

/// Who sends a message, seen from the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    Inbound,
    Outbound,
    Both,
}

impl Direction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Both => "both",
        }
    }
}

/// What `hangu check` warns about, such as `signature = "none"` or a vendor switch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpecWarning {
    pub place: String,
    pub detail: String,
}

impl Spec {
    /// The message type with this code.
    pub fn message(&self, code: &str) -> Option<&MessageSpec> {
        self.by_code.get(code).and_then(|&at| self.messages.get(at))
    }

    /// The message type that the field of the code names: by its code, or by what the spec says that it holds instead.
    pub(crate) fn message_said(&self, said: &str, is_answer: bool) -> Option<&MessageSpec> {
        let by_code = self.message(said).filter(|message| message.plan.named.is_none());
        by_code.or_else(|| self.messages.iter().find(|message| message.is_named(said, is_answer)))
    }

    /// The message type that carries an operation in a role; the first that fits in the spec's order.
    /// (321 is the request of credit and of refund; the plan resolves by operation.)
    pub fn message_for(&self, operation: Operation, role: Role) -> Option<&MessageSpec> {
        self.messages
            .iter()
            .find(|message| !message.plan.alternative && message.carries(operation, role))
    }

    /// The same spec in the suite of this name.
    pub fn in_suite<'s>(self: &'s Arc<Self>, name: &str) -> Option<&'s Arc<Self>> {
        self.suites().find(|spec| spec.suite == name)
    }

    /// The spec in each of its suites, this one first. Only the first suite knows the others: a link's spec, which is of the
    /// suite that was chosen, is taken for itself.
    pub fn suites(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        [self].into_iter().chain(&self.others)
    }

    pub fn messages(&self) -> impl Iterator<Item = &MessageSpec> {
        self.messages.iter()
    }

    /// The institution's codes for failures: code, its own name for it, and our reason.
    /// Codes without a reason leave the outcome unknown.
    pub fn codes(&self) -> impl Iterator<Item = (&str, &str, Option<Reason>)> {
        self.codes
            .iter()
            .map(|row| (row.code.as_str(), row.name_zh.as_str(), row.reason))
    }

    /// How its messages are signed.
    pub fn signature_scheme(&self) -> SignatureScheme {
        self.envelope.scheme
    }

    /// How a signature is written in its messages.
    pub fn signature_encoding(&self) -> SignatureEncoding {
        self.envelope.encoding
    }

    /// The same spec, taking any line of ASCII or several for a signature: to look at a message that is refused for that alone.
    #[must_use]
    pub fn with_any_signature(&self) -> Self {
        let mut spec = self.clone();
        for message in &mut spec.messages {
            let at = message.plan.signing.signature;
            if let Some(field) = at.and_then(|at| message.plan.fields.get_mut(at)) {
                field.rules = Rules::any_lines();
            }
        }
        spec
    }

    /// Invented values that fit this institution's fields.
    pub fn examples(&self) -> &[(Attribute, Value)] {
        &self.examples
    }

    /// Content type and body with which a refused request is answered over HTTP; `None` where the gateway's own will do.
    pub fn refused(&self) -> Option<(&str, &str)> {
        let (content_type, body) = self.http.as_ref()?.refused.as_ref()?;
        Some((content_type, body))
    }

    /// Where each part comes from, and how sure that is.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    pub fn warnings(&self) -> Vec<SpecWarning> {
        check::warnings(self)
    }

    /// The longest message that it takes or writes.
    pub fn message_bytes_max(&self) -> usize {
        self.limits.message_bytes_max
    }

    /// Whether messages name the party whose key serves both ways, so that a link has one MAC key for each of them.
    pub fn has_key_for_each(&self) -> bool {
        self.envelope.signing.is_shared
    }

    /// The same spec with sealing switched, for a link whose counterparty differs from the profile.
    /// Switching it on does nothing for a spec that describes no envelope.
    #[must_use]
    pub fn with_sealing(&self, on: bool) -> Self {
        let mut spec = self.clone();
        if let Some(sealing) = &mut spec.envelope.sealing {
            sealing.on = on;
        }
        spec
    }

    /// The start lines at which a spec takes requests, one of each kind.
    pub(crate) fn targets(&self) -> Vec<Start> {
        let own = self.messages.iter().find_map(|message| message.plan.target.as_ref());
        let own = own.map(|target| (target.method.clone(), target.pattern()));
        let common = self.http.as_ref().and_then(|http| http.target.clone());
        let common = common.map(|target| ("POST".to_owned(), target));
        let start = |(method, target)| Start::Request { method, target };
        own.into_iter().chain(common).map(start).collect()
    }

    /// Whether answers say nothing of which message they are: the request that they answer names them.
    pub fn names_answers(&self) -> bool {
        match self.format_of(true) {
            Format::Json(json) => json.named_by == JsonNames::Target,
            Format::Xml(xml) => !xml.is_framed() && self.http.is_some(),
            Format::Flat(_) => true,
            Format::Form(_) | Format::Iso8583(_) => false,
        }
    }

    /// An answer as `parse` wants it: where only the request tells which message it is, that is said in a header of ours, and
    /// whatever the counterparty said there is taken out.
    #[must_use]
    pub fn named(&self, request: &Wire, mut answer: Wire) -> Wire {
        let field = self.messages().next().and_then(|message| message.plan.field(self.code_field));
        let (Some(plan::Place::Head(name)), true) = (field.map(|field| &field.place), self.names_answers()) else {
            return answer;
        };
        answer.headers.retain(|(header, _)| header != name);
        if let Some(reply) = request_kind(self, request).and_then(|kind| kind.reply.clone()) {
            answer.headers.push((name.clone(), reply));
        }
        answer
    }

    pub(crate) fn format_of(&self, is_answer: bool) -> &Format {
        self.answers.as_ref().filter(|_| is_answer).unwrap_or(&self.format)
    }

    pub(crate) fn seals(&self) -> bool {
        self.envelope.sealing.as_ref().is_some_and(|sealing| sealing.on)
    }
}
