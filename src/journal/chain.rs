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
        (self.tag)(&[b"hangu facts", &facts(exchange)])
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

/// Digest of a reply's sealed bytes.
pub fn reply_digest(sealed: &[u8]) -> [u8; 32] {
    keys::sm3::sm3(&[sealed])
}

pub fn is_final(outcome: Option<&StoredOutcome>) -> bool {
    outcome.is_some_and(|outcome| matches!(outcome.name.as_str(), "success" | "failed"))
}

/// Every fact of an exchange that stands once its outcome is final, each field with its length before it. What may still
/// change afterwards (state, owner, times, the text of a failure) is not in it.
fn facts(exchange: &Exchange) -> Vec<u8> {
    let outcome = exchange.outcome.as_ref();
    let [id, accepted_at] = [exchange.id, exchange.accepted_at].map(|value| value.to_string());
    let amount_fen = exchange.amount_fen.map(|value| value.to_string());
    joined([
        Some(&id),
        outcome.map(|outcome| &outcome.name),
        outcome.and_then(|outcome| outcome.reason.as_ref()),
        Some(&exchange.operation),
        exchange.institution.as_ref(),
        amount_fen.as_ref(),
        Some(&exchange.link_in),
        exchange.link_out.as_ref(),
        Some(&exchange.communication_key),
        exchange.business_key.as_ref(),
        Some(&exchange.initiator),
        Some(&exchange.msg_id),
        Some(&exchange.msg_code),
        exchange.end_to_end_id.as_ref(),
        exchange.settlement_date.as_ref(),
        exchange.batch.as_ref(),
        exchange.out_key.as_ref(),
        Some(&accepted_at),
    ])
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
        effect.reply.as_ref().map(listed).as_ref(),
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
fn joined<const N: usize>(fields: [Option<&String>; N]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    for field in fields {
        // A field that is absent differs from an empty one.
        let length = field.map_or(-1, |field| i64::try_from(field.len()).unwrap_or(i64::MAX));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(field.map_or(&[], String::as_bytes));
    }
    bytes
}

#[cfg(test)]
mod tests;
