//! From the tape of a run to its latencies: each request with the time until it was answered, as the party that stands at the
//! gateway saw it.

use super::expect::answers;
use super::tape::Event;
use super::verdict::outcome;
use crate::ids::{communication_key, reference_key};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Role};
use serde::Serialize;

/// One request and what answered it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Span {
    /// Who asked; the other side is the gateway, or this party when the gateway asked.
    pub from: String,
    pub to: String,
    pub operation: String,
    pub sent_us: u64,
    /// The first answer; absent when none came before the end of the run.
    pub first_us: Option<u64>,
    /// The answer that "processing" does not hold back.
    pub last_us: Option<u64>,
    /// Of the last answer.
    pub outcome: String,
}

impl Span {
    /// The time until the final answer.
    pub fn took_us(&self) -> Option<u64> {
        Some(self.last_us?.saturating_sub(self.sent_us))
    }

    /// Whether the gateway was asked, and did not ask itself.
    pub fn is_asked(&self) -> bool {
        self.to == GATEWAY
    }
}

/// Spans in the order of their requests. A request that is repeated before it was answered is one request.
pub(super) fn spans(events: &[Event]) -> Vec<Span> {
    let mut open: Vec<Open> = Vec::new();
    for event in events {
        if let Some(request) = event.seen.message.as_ref().filter(|message| message.role == Role::Request) {
            begin(&mut open, event, request);
        } else if let Some(one) = open.iter_mut().find(|one| one.is_answered_by(event)) {
            one.answer(event);
        }
    }
    open.into_iter().map(|one| one.span).collect()
}

struct Open {
    span: Span,
    key: String,
    ids: Vec<Option<String>>,
    party: String,
    is_sent: bool,
    asks: bool,
}

impl Open {
    fn is_answered_by(&self, event: &Event) -> bool {
        let seen = &event.seen;
        let is_there = self.party == seen.party && self.is_sent != seen.is_sent;
        is_there && self.span.last_us.is_none() && (answers(event, &self.key) || self.is_the_same_business(event))
    }

    /// What goes by HTTP names no request that it answers: its ids are those of the request.
    fn is_the_same_business(&self, event: &Event) -> bool {
        let answer = event.seen.message.as_ref().filter(|message| message.role == Role::Reply);
        answer.is_some_and(|answer| {
            answer.operation.name() == self.span.operation && reference_key(answer).is_none() && ids(answer) == self.ids
        })
    }

    fn answer(&mut self, event: &Event) {
        let said = event.seen.message.as_ref().and_then(|message| message.outcome.as_ref());
        // What a query tells may be "processing", and is its answer all the same.
        let is_final = self.asks || said != Some(&Outcome::Unknown);
        self.span.first_us.get_or_insert(event.at_us);
        self.span.last_us = is_final.then_some(event.at_us);
        self.span.outcome = said.map(outcome).unwrap_or_default();
    }
}

fn begin(open: &mut Vec<Open>, event: &Event, request: &Payment) {
    let (seen, key) = (&event.seen, communication_key(request));
    let is_known = |one: &Open| one.key == key && one.party == seen.party && one.is_sent == seen.is_sent;
    if open.iter().any(|one| is_known(one) && one.span.last_us.is_none()) {
        return;
    }
    let (party, gateway) = (seen.party.to_owned(), GATEWAY.to_owned());
    let (from, to) = if seen.is_sent {
        (party.clone(), gateway)
    } else {
        (gateway, party.clone())
    };
    open.push(Open {
        span: Span {
            from,
            to,
            operation: request.operation.name().to_owned(),
            sent_us: event.at_us,
            first_us: None,
            last_us: None,
            outcome: String::new(),
        },
        key,
        ids: ids(request),
        party,
        is_sent: seen.is_sent,
        asks: request.operation == Operation::Query,
    });
}

fn ids(message: &Payment) -> Vec<Option<String>> {
    IDS.iter().map(|id| message.text(*id).map(str::to_owned)).collect()
}

const IDS: [Attribute; 4] = [
    Attribute::MsgId,
    Attribute::EndToEndId,
    Attribute::OriginalMsgId,
    Attribute::OriginalEndToEndId,
];
const GATEWAY: &str = "gateway";
