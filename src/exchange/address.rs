//! Who sends to whom, under which numbers: the communication part of replies, requests and queries.

use super::accept::{end_to_end, initiator};
use super::{Gateway, Job, LinkParts, Trouble};
use crate::clock::BEIJING;
use crate::journal::Exchange;
use codecs::digits::{push_date, push_digits};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Role};
use time::OffsetDateTime;

impl Gateway {
    /// The reply to a job's request: what the request said, what the counterparty's answer adds, the outcome.
    pub(super) async fn reply_payment(&self, job: &Job, outcome: Outcome, result: Option<&Payment>) -> Result<Payment, Trouble> {
        let link = self.link(&job.link_in)?;
        let mut reply = mirrored(&job.request);
        if let Some(result) = result {
            reply.copy(result, RESULTS);
            if reply.date(Attribute::SettlementDate).is_none() {
                // Only where the request names none: nothing in flight is re-dated.
                reply.copy(result, &[Attribute::SettlementDate]);
            }
        }
        reply.outcome = Some(outcome);
        self.number_reply(link, &job.request, &mut reply).await?;
        Ok(reply)
    }

    async fn number_reply(&self, link: &LinkParts, request: &Payment, reply: &mut Payment) -> Result<(), Trouble> {
        refer(reply, request);
        let now = self.clock.now();
        reply.set_text(Attribute::CreatedAt, created_at(now));
        if !link.is_queue() {
            reply.copy(request, &[Attribute::Serial]);
            reply.set_text(Attribute::Sender, own_name(link));
            return Ok(());
        }
        let date = request
            .date(Attribute::SettlementDate)
            .or_else(|| request.date(Attribute::SystemDate))
            .or_else(|| self.system().settlement_date)
            // A refusal moves no money: before the day is known it may carry the date of what it refuses.
            .or_else(|| {
                request
                    .date(Attribute::SendDate)
                    .filter(|_| matches!(request.operation, Operation::Notice | Operation::Certificate))
            })
            .ok_or(Trouble::NoSettlementDate)?;
        let number = self
            .numbering
            .next(&self.journal, &link.name, &link.config.origin, date)
            .await?;
        address(reply, link, &number, now);
        reply.set_text(Attribute::MsgId, number);
        // The reply goes to whoever asked, which may be another member than the link's usual one.
        reply.set_from(Attribute::Receiver, request, Attribute::Sender);
        reply.set_from(Attribute::ReceiverApp, request, Attribute::SenderApp);
        Ok(())
    }

    /// The request as it goes on to another link; `identity` is its serial where the link has no numbering of its own.
    pub(super) async fn forward_payment(
        &self,
        identity: &str,
        request: Payment,
        link: &LinkParts,
        code: &str,
    ) -> Result<Payment, Trouble> {
        let mut payment = request;
        let business_id = end_to_end(&payment).to_owned();
        let from = initiator(&payment).to_owned();
        payment
            .set_text(Attribute::EndToEndId, business_id)
            .set_text(Attribute::MessageCode, code);
        payment.set_text(Attribute::Initiator, from);
        self.number_request(link, &mut payment, identity).await?;
        Ok(payment)
    }

    /// A query for the outcome of an exchange that was sent over `link`; `nth` makes its identity.
    pub(super) async fn query_payment(&self, exchange: &Exchange, link: &LinkParts, code: &str) -> Result<Payment, Trouble> {
        let mut query = Payment::new(Operation::Query, Role::Request);
        query.set_text(Attribute::MessageCode, code);
        query.set_text(Attribute::OriginalOperation, &*exchange.operation);
        query.set_text(
            Attribute::OriginalEndToEndId,
            exchange.end_to_end_id.as_deref().unwrap_or(&exchange.msg_id),
        );
        Self::name_original(exchange, link, &mut query);
        self.number_request(link, &mut query, &format!("x{}-q{}", exchange.id, exchange.queries))
            .await?;
        let id = query.text(Attribute::Serial).unwrap_or_default().to_owned();
        query.set_text(Attribute::EndToEndId, id);
        Ok(query)
    }

    /// Names an exchange's outbound request the way its receiver knows it.
    pub(super) fn name_original(exchange: &Exchange, link: &LinkParts, payment: &mut Payment) {
        let Some(key) = exchange.out_key.as_deref().filter(|_| link.is_queue()) else {
            payment.set_text(Attribute::OriginalInitiator, &*exchange.initiator);
            payment.set_text(Attribute::OriginalMsgId, &*exchange.msg_id);
            payment.set_text(Attribute::OriginalCode, &*exchange.msg_code);
            return;
        };
        let mut parts = key.split('|').skip(1);
        let sender = parts
            .next()
            .filter(|sender| !sender.is_empty())
            .unwrap_or(&link.config.member);
        let serial = parts.nth(2).unwrap_or_default();
        let code = parts.next().unwrap_or_default();
        payment.set_text(Attribute::OriginalInitiator, sender);
        payment
            .set_text(Attribute::OriginalMsgId, serial)
            .set_text(Attribute::OriginalTxId, serial);
        payment.set_text(Attribute::OriginalCode, code);
    }

    /// `identity` is the serial within this journal on links that have no numbering of their own. What may have been sent goes
    /// out again as it was stored, so that the receiver sees one key.
    pub(super) async fn number_request(&self, link: &LinkParts, payment: &mut Payment, identity: &str) -> Result<(), Trouble> {
        let now = self.clock.now();
        payment.set_text(Attribute::CreatedAt, created_at(now));
        if !link.is_queue() {
            let journal = self.journal_id().await?;
            payment.set_text(Attribute::Serial, format!("{}-{journal}-{identity}", self.config.instance));
            payment.set_text(Attribute::Sender, own_name(link));
            self.date_business(payment);
            return Ok(());
        }
        let date = self.system().settlement_date.ok_or(Trouble::NoSettlementDate)?;
        let number = self
            .numbering
            .next(&self.journal, &link.name, &link.config.origin, date)
            .await?;
        address(payment, link, &number, now);
        payment.set_text(Attribute::Initiator, &*link.config.member);
        payment.set_text(Attribute::TxId, &*number).set_text(Attribute::MsgId, number);
        if payment.date(Attribute::SettlementDate).is_none() {
            payment.set_date(Attribute::SettlementDate, date);
        }
        Ok(())
    }

    /// What moves money and has no date of its own is of the day that the centre has told; a terminal knows none.
    fn date_business(&self, payment: &mut Payment) {
        let is_business = matches!(payment.operation, Operation::Debit | Operation::Credit | Operation::Refund);
        if let (true, None, Some(date)) = (
            is_business,
            payment.date(Attribute::SettlementDate),
            self.system().settlement_date,
        ) {
            payment.set_date(Attribute::SettlementDate, date);
        }
    }
}

/// What a counterparty over HTTP calls us: our member number, where it has given us one.
fn own_name(link: &LinkParts) -> &str {
    if link.config.member.is_empty() {
        "hangu"
    } else {
        &link.config.member
    }
}

/// Header fields of a message that we send over a queue link.
fn address(payment: &mut Payment, link: &LinkParts, serial: &str, now: OffsetDateTime) {
    let local = now.to_offset(BEIJING);
    let mut time = String::with_capacity(TIME_BYTES);
    push_clock(&mut time, local, "");
    payment.set_texts([
        (Attribute::Sender, &link.config.member),
        (Attribute::SenderApp, &link.config.app),
        (Attribute::Receiver, &link.config.counterparty),
        (Attribute::ReceiverApp, &link.config.counterparty_app),
        (Attribute::Channel, &link.config.channel),
        (Attribute::Serial, serial),
        (Attribute::SendTime, &time),
    ]);
    payment.set_date(Attribute::SendDate, local.date());
}

/// A reply that refers to a request.
fn refer(reply: &mut Payment, request: &Payment) {
    for (reference, source) in REFERENCES {
        reply.set_from(reference, request, source);
    }
}

/// What a reply repeats of its request. A reply speaks of the request itself as the original, but the reply to a cancel or
/// query speaks of what these spoke of.
fn mirrored(request: &Payment) -> Payment {
    let mut reply = Payment::new(request.operation, Role::Reply);
    reply.copy_business(request);
    if matches!(request.operation, Operation::Cancel | Operation::Query) {
        return reply;
    }
    let pairs = [
        (Attribute::OriginalMsgId, Attribute::MsgId),
        (Attribute::OriginalCode, Attribute::MessageCode),
        (Attribute::OriginalTxId, Attribute::TxId),
        (Attribute::OriginalEndToEndId, Attribute::EndToEndId),
        (Attribute::OriginalInitiator, Attribute::Sender),
    ];
    for (original, source) in pairs {
        reply.set_from(original, request, source);
    }
    reply
}

/// yyyy-MM-ddTHH:mm:ss in Beijing time.
pub(super) fn created_at(now: OffsetDateTime) -> String {
    let local = now.to_offset(BEIJING);
    let mut text = String::with_capacity(TIME_BYTES);
    push_date(&mut text, local.date(), "-");
    text.push('T');
    push_clock(&mut text, local, ":");
    text
}

fn push_clock(text: &mut String, local: OffsetDateTime, between: &str) {
    let (hour, minute, second) = local.time().as_hms();
    push_digits::<2>(text, hour.into());
    for number in [minute, second] {
        text.push_str(between);
        push_digits::<2>(text, number.into());
    }
}

/// Of the longest moment.
const TIME_BYTES: usize = 19;

const REFERENCES: [(Attribute, Attribute); 5] = [
    (Attribute::RefSender, Attribute::Sender),
    (Attribute::RefSenderApp, Attribute::SenderApp),
    (Attribute::RefDate, Attribute::SendDate),
    (Attribute::RefSerial, Attribute::Serial),
    (Attribute::RefCode, Attribute::MessageCode),
];

/// What the counterparty's answer may add to a reply.
const RESULTS: &[Attribute] = &[
    Attribute::BankTxId,
    Attribute::PayerAccount,
    Attribute::PayerName,
    Attribute::PayerAccountType,
    Attribute::Agreement,
    Attribute::Remark,
];
