//! From a received request to its durable record: keys, content digest, the exact bytes.

use super::{Gateway, LinkParts, Trouble};
use crate::clock::millis;
use crate::journal::{Accept, Accepted, OriginalKey, Sending, Write};
use crate::limits::LEASE_MS;
use crate::pipeline::Received;
use crate::record::{self, Place, RecordError};
use codecs::payment::{Attribute, Operation, Payment};
use codecs::wire::Wire;
use time::OffsetDateTime;

impl Gateway {
    /// Makes a request durable, with what goes out for it at once, or finds that it is not new.
    pub(super) async fn accept(
        &self,
        link: &LinkParts,
        received: &Received,
        wire: &Wire,
        sends: Option<Box<Sending>>,
    ) -> Result<Accepted, Trouble> {
        let accept = Accept {
            sends,
            ..self.accept_record(link, received, wire, self.clock.now())?
        };
        Ok(self.journal.write(Write::Accept(Box::new(accept))).await?.accepted()?)
    }

    fn accept_record(&self, link: &LinkParts, received: &Received, wire: &Wire, now: OffsetDateTime) -> Result<Accept, Trouble> {
        let keyring = self.keyring.load();
        let payment = &received.payment;
        let place = Place {
            link: &link.name,
            direction: "received",
            part: "request",
        };
        let message = record::seal(&keyring, &*self.entropy, place, &received.code, wire, now)?;
        self.note_sealed(&message);
        let digest = keyring.digest().map_err(RecordError::Key)?;
        let owned = |attribute| payment.text(attribute).map(ToOwned::to_owned);
        let at = millis(now);
        Ok(Accept {
            owner: self.config.instance.clone(),
            lease_until: at.saturating_add(LEASE_MS),
            communication_key: communication_key(&link.name, payment),
            business_key: business_key(payment),
            content: digest.tag(&[payment.business_text().as_bytes()]),
            link_in: link.name.clone(),
            operation: payment.operation.name().to_owned(),
            institution: owned(Attribute::Institution),
            amount_fen: payment.money(Attribute::Amount).map(codecs::payment::Money::fen),
            initiator: initiator(payment).to_owned(),
            msg_id: business_id(payment).to_owned(),
            msg_code: received.code.clone(),
            end_to_end_id: owned(Attribute::EndToEndId),
            settlement_date: payment.date(Attribute::SettlementDate).map(|date| date.to_string()),
            batch: owned(Attribute::Batch),
            account_digest: payment
                .text(Attribute::PayerAccount)
                .map(|account| digest.tag(&[account.as_bytes()])),
            cancels: (payment.operation == Operation::Cancel).then(|| cancelled(payment)),
            identities: identities(payment, &received.code),
            message,
            at,
            deadline: at.saturating_add(i64::try_from(link.config.answer_ms).unwrap_or(i64::MAX)),
            sends: None,
        })
    }
}

/// The key of a message among all of its link: sender, application, date, serial and code (facts/clearing.md 1.1).
pub(super) fn communication_key(link: &str, payment: &Payment) -> String {
    let names = [
        Attribute::Sender,
        Attribute::SenderApp,
        Attribute::SendDate,
        Attribute::Serial,
        Attribute::MessageCode,
    ];
    join(link, payment, names)
}

/// The key of the request that a reply refers to, formed alike.
pub(super) fn reference_key(link: &str, payment: &Payment) -> String {
    let names = [
        Attribute::RefSender,
        Attribute::RefSenderApp,
        Attribute::RefDate,
        Attribute::RefSerial,
        Attribute::RefCode,
    ];
    join(link, payment, names)
}

/// The key of a request of ours as the replies to it will refer to it: where a format's replies say less of their request, so
/// does the key.
pub(super) fn sent_key(link: &LinkParts, payment: &Payment) -> String {
    if !link.is_queue() {
        return communication_key(&link.name, payment);
    }
    let names = [
        (Attribute::Sender, Attribute::RefSender),
        (Attribute::SenderApp, Attribute::RefSenderApp),
        (Attribute::SendDate, Attribute::RefDate),
        (Attribute::Serial, Attribute::RefSerial),
        (Attribute::MessageCode, Attribute::RefCode),
    ];
    let said = names.map(|(name, reference)| link.spec.replies_say(reference).then_some(name));
    joined(&link.name, payment, said)
}

fn join(link: &str, payment: &Payment, names: [Attribute; 5]) -> String {
    joined(link, payment, names.map(Some))
}

fn joined(link: &str, payment: &Payment, names: [Option<Attribute>; 5]) -> String {
    let mut key = String::with_capacity(128);
    key.push_str(link);
    for name in names {
        key.push('|');
        if let Some(value) = name.and_then(|name| payment.value(name)) {
            value.write_canonical(&mut key);
        }
    }
    key
}

/// Who started the business.
pub(super) fn initiator(payment: &Payment) -> &str {
    payment
        .text(Attribute::Initiator)
        .or_else(|| payment.text(Attribute::Sender))
        .unwrap_or_default()
}

/// What the initiator calls the message: its MsgId, or where the format has none the end-to-end id.
pub(super) fn business_id(payment: &Payment) -> &str {
    [Attribute::MsgId, Attribute::TxId, Attribute::EndToEndId, Attribute::Serial]
        .into_iter()
        .find_map(|attribute| payment.text(attribute))
        .unwrap_or_default()
}

/// What identifies the business end to end: the end-to-end id, or where the message has none the transaction's id.
pub(super) fn end_to_end(payment: &Payment) -> &str {
    [Attribute::EndToEndId, Attribute::TxId, Attribute::MsgId, Attribute::Serial]
        .into_iter()
        .find_map(|attribute| payment.text(attribute))
        .unwrap_or_default()
}

/// Initiator, operation and end-to-end id; a cancel is known by what it cancels. What has no effect has no business key.
fn business_key(payment: &Payment) -> Option<String> {
    let id = match payment.operation {
        Operation::Query | Operation::Notice | Operation::Status | Operation::Certificate | Operation::Ack | Operation::Echo => {
            return None;
        }
        Operation::Cancel => {
            let OriginalKey {
                initiator,
                msg_id,
                msg_code,
            } = cancelled(payment);
            // With its date, so that a cancel refused for a wrong one does not stand in the way of the right one.
            let date = payment
                .date(Attribute::SettlementDate)
                .map(|date| date.to_string())
                .unwrap_or_default();
            format!("{date}|{initiator}|{msg_code}|{msg_id}")
        }
        Operation::Sign | Operation::Terminate | Operation::Verify | Operation::Debit | Operation::Credit | Operation::Refund => {
            end_to_end(payment).to_owned()
        }
    };
    Some(format!("{}|{}|{id}", initiator(payment), payment.operation))
}

/// The original that a cancel or query speaks of, under one of the names that `identities` gives the original.
pub(super) fn cancelled(payment: &Payment) -> OriginalKey {
    let text = |attribute| payment.text(attribute);
    let initiator = text(Attribute::OriginalInitiator).unwrap_or_else(|| initiator(payment));
    if let (Some(msg_id), Some(code)) = (text(Attribute::OriginalMsgId), text(Attribute::OriginalCode)) {
        return original_key(initiator, msg_id.to_owned(), code);
    }
    let id = text(Attribute::OriginalEndToEndId)
        .or_else(|| text(Attribute::OriginalMsgId))
        .unwrap_or_default();
    original_key(
        initiator,
        by_end_to_end(id),
        text(Attribute::OriginalOperation).unwrap_or_default(),
    )
}

/// Whether a cancel says which original it means: an id, and what kind of message that was.
pub(super) fn names_original(payment: &Payment) -> bool {
    let has = |attribute| payment.text(attribute).is_some_and(|text| !text.is_empty());
    (has(Attribute::OriginalMsgId) && has(Attribute::OriginalCode))
        || (has(Attribute::OriginalEndToEndId) && has(Attribute::OriginalOperation))
}

/// Every name under which a later cancel may speak of this request: by whoever sent it or started it, by message id and
/// code, or by end-to-end id and operation.
fn identities(payment: &Payment, code: &str) -> Vec<OriginalKey> {
    let starters = [initiator(payment), payment.text(Attribute::Sender).unwrap_or_default()];
    let names = |starter: &str| {
        let by_message = original_key(starter, business_id(payment).to_owned(), code);
        let by_end_to_end = original_key(starter, by_end_to_end(end_to_end(payment)), payment.operation.name());
        [by_message, by_end_to_end]
    };
    starters.into_iter().flat_map(names).collect()
}

fn original_key(initiator: &str, msg_id: String, msg_code: &str) -> OriginalKey {
    OriginalKey {
        initiator: initiator.to_owned(),
        msg_id,
        msg_code: msg_code.to_owned(),
    }
}

/// Kept apart from message ids, which live in the same column.
fn by_end_to_end(id: &str) -> String {
    format!("e2e:{id}")
}
