//! The hash chain over terminal effects: every final outcome of an exchange, once, in the order in which they became durable.
//!
//! A chain belongs to one writer and one settlement date, so that nobody waits for another to extend it. Each record is
//! chained to the one before it by a digest keyed under the journal key: whoever can write the tables but has not the key can
//! change, drop, add or swap nothing unnoticed. A cut tail shows only against a tip that was exported before.

use super::{Exchange, ExchangeId, Millis, StoredOutcome};
use std::fmt;
use std::sync::Arc;

/// A keyed digest of the parts in order.
type Tag = dyn Fn(&[&[u8]]) -> [u8; 32] + Send + Sync;

/// Under which name and key a writer chains the outcomes that it makes durable.
#[derive(Clone)]
pub struct Chain {
    name: String,
    tag: Arc<Tag>,
}

/// One record of a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effect {
    pub chain: String,
    /// Settlement date of the exchange, or `none`.
    pub date: String,
    /// From 1, without gaps.
    pub seq: i64,
    pub exchange: ExchangeId,
    /// SM3 of the sealed bytes of the reply that carries the outcome; none where nothing was replied.
    pub reply: Option<[u8; 32]>,
    /// Digest of what the exchange says of itself; it stays when the exchange goes.
    pub facts: [u8; 32],
    pub digest: [u8; 32],
    pub at: Millis,
    /// The exchange was old enough to go, and went.
    pub pruned: bool,
}

/// The last record of a chain, to be handed to somebody outside: a tail that is cut off shows only against it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tip {
    pub chain: String,
    pub date: String,
    pub seq: i64,
    pub digest: [u8; 32],
}

impl Chain {
    pub fn new(name: impl Into<String>, tag: impl Fn(&[&[u8]]) -> [u8; 32] + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            tag: Arc::new(tag),
        }
    }

    /// Without a key: what is damaged shows, what is forged does not. For journals of tests and simulations.
    pub fn unkeyed(name: impl Into<String>) -> Self {
        Self::new(name, keys::sm3::sm3)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same key under a further name, for a journal whose writers chain on their own.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            tag: self.tag.clone(),
        }
    }

    /// Digest of an exchange's facts.
    pub fn facts(&self, exchange: &Exchange) -> [u8; 32] {
        self.digest_of(&Facts::of(exchange))
    }

    /// The same where they are in hand.
    pub fn digest_of(&self, facts: &Facts<'_>) -> [u8; 32] {
        (self.tag)(&[b"hangu facts", &facts.bytes()])
    }

    /// Digest of a record, given the digest of the one before it; `FIRST` begins a chain. It can be computed without the
    /// exchange, so that also the record of one that was pruned holds.
    pub fn digest(&self, before: &[u8; 32], effect: &Effect) -> [u8; 32] {
        (self.tag)(&[b"hangu effect", before, &place(effect)])
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({})", self.name)
    }
}

/// What stands before the first record.
pub const FIRST: [u8; 32] = [0; 32];

/// The date under which an exchange is chained.
pub fn date_of(exchange: &Exchange) -> &str {
    exchange.settlement_date.as_deref().unwrap_or("none")
}

/// Digest of a reply's sealed bytes, as they were first written.
pub fn reply_digest(sealed: &[u8]) -> [u8; 32] {
    super::rewrap::first_digest(sealed)
}

pub fn is_final(outcome: Option<&StoredOutcome>) -> bool {
    outcome.is_some_and(|outcome| matches!(outcome.name.as_str(), "success" | "failed"))
}

/// Every fact of an exchange that stands once its outcome is final. What may still change afterwards (state, owner, times, the
/// text of a failure) is not in it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub id: ExchangeId,
    pub outcome: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub operation: &'a str,
    pub institution: Option<&'a str>,
    pub amount_fen: Option<i64>,
    pub link_in: &'a str,
    pub link_out: Option<&'a str>,
    pub communication_key: &'a str,
    pub business_key: Option<&'a str>,
    pub initiator: &'a str,
    pub msg_id: &'a str,
    pub msg_code: &'a str,
    pub end_to_end_id: Option<&'a str>,
    pub settlement_date: Option<&'a str>,
    pub batch: Option<&'a str>,
    pub out_key: Option<&'a str>,
    pub accepted_at: Millis,
}

impl<'a> Facts<'a> {
    fn of(exchange: &'a Exchange) -> Self {
        let outcome = exchange.outcome.as_ref();
        Self {
            id: exchange.id,
            outcome: outcome.map(|outcome| &*outcome.name),
            reason: outcome.and_then(|outcome| outcome.reason.as_deref()),
            operation: &exchange.operation,
            institution: exchange.institution.as_deref(),
            amount_fen: exchange.amount_fen,
            link_in: &exchange.link_in,
            link_out: exchange.link_out.as_deref(),
            communication_key: &exchange.communication_key,
            business_key: exchange.business_key.as_deref(),
            initiator: &exchange.initiator,
            msg_id: &exchange.msg_id,
            msg_code: &exchange.msg_code,
            end_to_end_id: exchange.end_to_end_id.as_deref(),
            settlement_date: exchange.settlement_date.as_deref(),
            batch: exchange.batch.as_deref(),
            out_key: exchange.out_key.as_deref(),
            accepted_at: exchange.accepted_at,
        }
    }

    /// The date under which the exchange is chained.
    pub fn date(&self) -> &'a str {
        self.settlement_date.unwrap_or("none")
    }

    fn bytes(&self) -> Vec<u8> {
        let [id, accepted_at] = [self.id, self.accepted_at].map(|value| value.to_string());
        let amount_fen = self.amount_fen.map(|value| value.to_string());
        joined([
            Some(&id),
            self.outcome,
            self.reason,
            Some(self.operation),
            self.institution,
            amount_fen.as_deref(),
            Some(self.link_in),
            self.link_out,
            Some(self.communication_key),
            self.business_key,
            Some(self.initiator),
            Some(self.msg_id),
            Some(self.msg_code),
            self.end_to_end_id,
            self.settlement_date,
            self.batch,
            self.out_key,
            Some(&accepted_at),
        ])
    }
}

/// What a record says beside the facts: where it stands, of which exchange, when, and with which reply.
fn place(effect: &Effect) -> Vec<u8> {
    let [seq, id, at] = [effect.seq, effect.exchange, effect.at].map(|value| value.to_string());
    joined([
        Some(&effect.chain),
        Some(&effect.date),
        Some(&seq),
        Some(&id),
        Some(&listed(&effect.facts)),
        effect.reply.as_ref().map(listed).as_deref(),
        Some(&at),
    ])
}

/// The bytes as `[0a, 1b]`. Every outcome needs two, so it does without the formatter.
fn listed(digest: &[u8; 32]) -> String {
    let mut text = String::with_capacity(digest.len() * 4);
    let mut before = "[";
    for byte in digest {
        text.push_str(before);
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
        before = ", ";
    }
    text.push(']');
    text
}

/// Each field with its length before it.
fn joined<const N: usize>(fields: [Option<&str>; N]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    for field in fields {
        // A field that is absent differs from an empty one.
        let length = field.map_or(-1, |field| i64::try_from(field.len()).unwrap_or(i64::MAX));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(field.map_or(&[], str::as_bytes));
    }
    bytes
}

#[cfg(test)]
mod tests;
