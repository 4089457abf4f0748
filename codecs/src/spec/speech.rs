//! What a spec says of how its institution speaks, for those who stand in for it: transport, ciphers, which messages go where.

use super::{Direction, MessageSpec, Spec};
use crate::envelope::{SealingScheme, WholeScheme};
use crate::payment::{Attribute, Operation, Role};

impl Spec {
    /// Whether its messages travel by HTTP.
    pub fn speaks_http(&self) -> bool {
        self.http.is_some()
    }

    /// How single values are sealed, if they are.
    pub fn sealing_scheme(&self) -> Option<SealingScheme> {
        self.envelope
            .sealing
            .as_ref()
            .filter(|sealing| sealing.on)
            .map(|sealing| sealing.scheme)
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

    fn requests(&self) -> impl Iterator<Item = &MessageSpec> {
        self.messages()
            .filter(|message| message.role == Role::Request && !message.is_alternative())
    }
}

impl MessageSpec {
    /// The operation whose end it tells, for a notice that is about one kind of request.
    pub fn speaks_of(&self) -> Option<Operation> {
        let mut constants = self.plan.constants.iter();
        let (_, name) = constants.find(|(attribute, _)| *attribute == Attribute::OriginalOperation)?;
        Operation::parse(name)
    }

    /// Whether one of its fields holds an attribute.
    pub fn maps(&self, attribute: Attribute) -> bool {
        self.plan.fields.iter().any(|field| field.map == Some(attribute))
    }
}
