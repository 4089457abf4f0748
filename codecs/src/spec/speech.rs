//! What a spec says of how its institution speaks, for those who stand in for it: transport, ciphers, which messages go where.

use super::{Direction, MessageSpec, Spec};
use crate::envelope::{SealingScheme, WholeScheme};
use crate::format::Format;
use crate::payment::{Attribute, Operation, Role, Value};

impl Spec {
    /// Whether its messages travel by HTTP.
    pub fn speaks_http(&self) -> bool {
        self.http.is_some()
    }

    /// Whether its messages travel as frames over TCP.
    pub fn speaks_frames(&self) -> bool {
        matches!(self.format_of(false), Format::Iso8583(_))
    }

    /// The party whose key authenticates the messages of the spec's examples, where messages name one.
    pub fn example_signer(&self) -> Option<&str> {
        let signing = &self.envelope.signing;
        let serial = signing.serial.filter(|_| signing.is_shared)?;
        let named = self.messages().next()?.plan.field(serial)?.map?;
        let (_, value) = self.examples().iter().find(|(attribute, _)| *attribute == named)?;
        match value {
            Value::Text(text) => Some(text),
            Value::Money(_) | Value::Date(_) | Value::List(_) => None,
        }
    }

    /// How single values are sealed, if they are.
    pub fn sealing_scheme(&self) -> Option<SealingScheme> {
        self.envelope
            .sealing
            .as_ref()
            .filter(|sealing| sealing.on)
            .map(|sealing| sealing.scheme)
    }

    /// Whether a message that comes to us holds single values that are sealed.
    pub fn seals_to_us(&self) -> bool {
        self.messages()
            .any(|message| message.direction != Direction::Outbound && message.plan.seals())
    }

    /// Whether our own requests hold nothing but what is sealed whole.
    pub fn seals_every_content(&self) -> bool {
        self.requests_of_ours().any(|message| message.plan.whole.is_some())
    }

    /// How objects are sealed whole, if there are any.
    pub fn whole_scheme(&self) -> Option<WholeScheme> {
        self.envelope.whole
    }

    /// The institution's usual requests to us.
    pub fn requests_to_us(&self) -> impl Iterator<Item = &MessageSpec> {
        self.requests().filter(|message| message.direction != Direction::Outbound)
    }

    /// Our usual requests to the institution.
    pub fn requests_of_ours(&self) -> impl Iterator<Item = &MessageSpec> {
        self.requests().filter(|message| message.direction != Direction::Inbound)
    }

    /// The notice by which the institution tells how a request of ours for this operation ended.
    pub fn notice_of(&self, operation: Operation) -> Option<&MessageSpec> {
        self.messages().find(|message| {
            let comes = message.role == Role::Notice && message.direction != Direction::Outbound;
            comes && message.plan.outcome.is_some() && message.speaks_of() == Some(operation)
        })
    }

    /// Whether any reply that comes says this of the request that it answers.
    pub fn replies_say(&self, reference: Attribute) -> bool {
        let mut replies = self
            .messages()
            .filter(|message| message.role == Role::Reply && message.direction != Direction::Outbound);
        replies.any(|message| message.maps(reference))
    }

    /// Our request that asks how a request for an operation ended: one that asks for that operation alone, else the usual one.
    pub fn query_of(&self, operation: Operation) -> Option<&MessageSpec> {
        let own = self.messages().find(|message| {
            let asks = message.role == Role::Request && message.operations.contains(&Operation::Query);
            asks && message.direction != Direction::Inbound && message.speaks_of() == Some(operation)
        });
        own.or_else(|| self.message_for(Operation::Query, Role::Request))
    }

    fn requests(&self) -> impl Iterator<Item = &MessageSpec> {
        self.messages()
            .filter(|message| message.role == Role::Request && !message.is_alternative())
    }
}

impl MessageSpec {
    /// The operation whose end it tells or asks for, where it is about one kind of request.
    pub fn speaks_of(&self) -> Option<Operation> {
        let mut constants = self.plan.constants.iter();
        let (_, name) = constants.find(|(attribute, _)| *attribute == Attribute::OriginalOperation)?;
        Operation::parse(name)
    }

    /// Whether one of its fields holds an attribute.
    pub fn maps(&self, attribute: Attribute) -> bool {
        self.plan.fields.iter().any(|field| field.map == Some(attribute))
    }

    /// Whether it has no number of its own, only that of its original.
    pub fn is_named_by_original(&self) -> bool {
        self.derives(Attribute::Serial) == Some(Attribute::OriginalEndToEndId)
    }

    /// The attribute from which another one is derived, where the message says so.
    pub fn derives(&self, target: Attribute) -> Option<Attribute> {
        let mut pairs = self.plan.derive.iter();
        pairs.find(|(derived, _)| *derived == target).map(|(_, source)| *source)
    }
}
