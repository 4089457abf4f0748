//! What the centre says to the bank's requests, from its own books: once for each request, the same for each repeat.

use crate::report::{BookEntry, Gone, has_effect, key_of};
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Payee accounts with this ending do not exist at the other bank.
pub(super) const UNKNOWN_PAYEE: &str = "0404";

/// What is known of a request's communication key.
pub(super) enum Replied {
    Never,
    /// The same request was answered with these bytes.
    Same(Vec<u8>),
    /// Another request was answered under this key.
    Altered,
}

/// Requests of the bank that were decided.
#[derive(Default)]
pub(crate) struct CounterBook {
    /// Content and outcome by business key.
    decided: BTreeMap<String, (String, Outcome)>,
    entries: BTreeMap<String, BookEntry>,
    /// Business keys by `MsgId`.
    originals: BTreeMap<String, String>,
    tombstones: BTreeSet<String>,
    /// Content and reply bytes by communication key.
    replies: BTreeMap<String, (String, Vec<u8>)>,
    /// Communication and business keys, oldest first.
    order: VecDeque<(String, String)>,
    gone: Gone,
}

impl CounterBook {
    /// Whether a request was answered before, and how.
    pub(super) fn replied(&self, communication_key: &str, request: &Payment) -> Replied {
        match self.replies.get(communication_key) {
            None => Replied::Never,
            Some((content, body)) if *content == request.business_text() => Replied::Same(body.clone()),
            Some(_) => Replied::Altered,
        }
    }

    pub(super) fn store(&mut self, communication_key: &str, request: &Payment, body: Vec<u8>) {
        self.replies
            .insert(communication_key.to_owned(), (request.business_text(), body));
        self.order.push_back((communication_key.to_owned(), key_of(request)));
    }

    /// Lets go of what is older than the last so many; gives what was booked of it.
    pub(super) fn shed(&mut self, size: usize) -> Vec<(String, BookEntry)> {
        let over = self.order.len().saturating_sub(size);
        let old: Vec<(String, String)> = self.order.drain(..over).collect();
        let forget = |(communication_key, key): (String, String)| {
            self.replies.remove(&communication_key);
            self.decided.remove(&key);
            let entry = self.entries.remove(&key)?;
            self.originals.remove(&entry.msg_id);
            self.gone.note(&key, &entry.outcome);
            Some((key, entry))
        };
        old.into_iter().filter_map(forget).collect()
    }

    /// Decides a request once.
    pub(super) fn decide(&mut self, request: &Payment, payout_max: Money) -> Outcome {
        let (key, content) = (key_of(request), request.business_text());
        if has_effect(request.operation)
            && let Some((known, outcome)) = self.decided.get(&key)
        {
            let same = request.operation == Operation::Cancel || *known == content;
            return if same {
                outcome.clone()
            } else {
                Outcome::failed(Reason::Altered, "sent before with other content")
            };
        }
        if let Some(outcome) = self.gone.outcome(&key) {
            return outcome;
        }
        let outcome = self.perform(request, payout_max);
        if has_effect(request.operation) {
            let entry = BookEntry {
                executions: u32::from(outcome == Outcome::Success),
                ..BookEntry::of(request, &outcome)
            };
            if request.operation != Operation::Cancel {
                self.originals.insert(entry.msg_id.clone(), key.clone());
            }
            self.entries.insert(key.clone(), entry);
            self.decided.insert(key, (content, outcome.clone()));
        }
        outcome
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &BookEntry)> {
        self.entries.iter()
    }

    fn perform(&mut self, request: &Payment, payout_max: Money) -> Outcome {
        let id = request.text(Attribute::MsgId).unwrap_or_default();
        if request.operation != Operation::Cancel && self.tombstones.contains(id) {
            return Outcome::failed(Reason::AlreadyCancelled, "cancelled before it came");
        }
        match request.operation {
            Operation::Credit | Operation::Refund => payout(request, payout_max),
            Operation::Sign | Operation::Verify | Operation::Terminate | Operation::Echo => Outcome::Success,
            Operation::Cancel => self.cancel(request),
            Operation::Query => self.original(request).map_or_else(
                || Outcome::failed(Reason::OriginalNotFound, "the original is not known"),
                |(_, outcome)| outcome.clone(),
            ),
            Operation::Debit | Operation::Notice | Operation::Status | Operation::Certificate | Operation::Ack => {
                Outcome::failed(Reason::NotSupported, "the centre does not take this request")
            }
        }
    }

    fn cancel(&mut self, request: &Payment) -> Outcome {
        let Some(original) = request.text(Attribute::OriginalMsgId) else {
            return Outcome::failed(Reason::InvalidMessage, "the cancel names no original");
        };
        if !self.originals.contains_key(original) {
            self.tombstones.insert(original.to_owned());
        }
        Outcome::Success
    }

    fn original(&self, request: &Payment) -> Option<&(String, Outcome)> {
        let ids = [Attribute::OriginalMsgId, Attribute::OriginalTxId].map(|attribute| request.text(attribute));
        let key = ids.into_iter().flatten().find_map(|id| self.originals.get(id))?;
        self.decided.get(key)
    }
}

fn payout(request: &Payment, payout_max: Money) -> Outcome {
    let amount = request.money(Attribute::Amount).unwrap_or(Money::ZERO);
    let payee = request.text(Attribute::PayeeAccount).unwrap_or_default();
    if amount <= Money::ZERO {
        Outcome::failed(Reason::InvalidMessage, "no positive amount")
    } else if amount > payout_max {
        Outcome::failed(Reason::LimitExceeded, "above the limit of one payout")
    } else if payee.ends_with(UNKNOWN_PAYEE) {
        Outcome::failed(Reason::AccountNotFound, "no such account at the other bank")
    } else {
        Outcome::Success
    }
}
