//! What comes from a queue: requests, replies, notices and acknowledgements, and what is refused.

use super::answer::{Ids, Settlement, outcome_of};
use super::{Gateway, Job, LinkParts, Timing, Trouble};
use crate::clock::millis;
use crate::journal::{Accepted, EPOCH_FIRST, Exchange, MessageRecord, Park, Read, Write};
use crate::limits;
use crate::mq::{Delivery, Published, Settle};
use crate::pipeline::{Received, Rejection, Step};
use crate::record;
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use std::time::Duration;

impl Gateway {
    /// Takes one delivery through to its end. It is acknowledged as soon as its acceptance or its parking is durable. While
    /// neither can be made durable it stays unacknowledged here: a broker may drop what is given back too often.
    pub async fn from_queue(&self, link: &str, delivery: Delivery) {
        let Delivery { queue, body, settle, .. } = delivery;
        let wire = Wire::queue(body.into());
        let mut ticket = Some(settle);
        let mut pause = GIVE_BACK_PAUSE;
        for tries in 1.. {
            let result = self.take(link, &queue, &wire, &mut ticket, Timing::start()).await;
            let trouble = match (result, ticket.take()) {
                (Ok(()), Some(settle)) => return settle.ack().await,
                (Ok(()), None) => return,
                (Err(trouble), None) => return note_trouble(link, &trouble),
                (Err(trouble), Some(settle)) => {
                    ticket = Some(settle);
                    trouble
                }
            };
            if tries >= TRIES_MAX
                && !matches!(trouble, Trouble::Journal(_) | Trouble::Outdated)
                && !trouble.is_of_device()
                && self.park_trouble(link, &queue, &wire, &trouble).await
            {
                // The journal is well and the message is not: it is kept for a person instead of holding up others.
                if let Some(settle) = ticket.take() {
                    settle.ack().await;
                }
                return;
            }
            tracing::error!(link, queue, %trouble, "message not taken yet; it stays unacknowledged");
            self.counters.holds_back(millis(self.clock.now()));
            if self.wait_or_stop(pause).await {
                // Not acknowledged: the broker hands it to another instance, or to the next life of this one.
                return;
            }
            pause = (pause * 2).min(GIVE_BACK_PAUSE_MAX);
        }
    }

    /// Keeps for a person what the broker gave up after too many failed deliveries from `queue`. It is acknowledged once it
    /// is durable here; its source is `queue`, so that a release sends it there again.
    pub async fn from_dead_letters(&self, name: &str, queue: &str, delivery: Delivery) {
        let wire = Wire::queue(delivery.body.to_vec());
        let reason = format!("queue {queue} gave it up after too many failed deliveries");
        let rejection = Rejection::new(Step::Route, "mq.dead_letter", reason);
        let mut pause = GIVE_BACK_PAUSE;
        loop {
            let parked = match self.link(name) {
                Ok(link) => self.park(link, queue, &wire, &rejection).await,
                Err(trouble) => Err(trouble),
            };
            let trouble = match parked {
                Ok(parked) => {
                    tracing::error!(
                        link = name,
                        queue,
                        parked,
                        "alarm: the broker gave a message up; it is parked"
                    );
                    self.counters.alarm();
                    return delivery.settle.ack().await;
                }
                Err(trouble) => trouble,
            };
            tracing::error!(link = name, queue, %trouble, "dead letter not parked yet; it stays unacknowledged");
            self.counters.holds_back(millis(self.clock.now()));
            if self.wait_or_stop(pause).await {
                return;
            }
            pause = (pause * 2).min(GIVE_BACK_PAUSE_MAX);
        }
    }

    async fn park_trouble(&self, name: &str, queue: &str, wire: &Wire, trouble: &Trouble) -> bool {
        let Ok(link) = self.link(name) else { return false };
        let rejection = Rejection::new(Step::Route, "gateway.trouble", trouble.to_string());
        tracing::error!(link = name, queue, %trouble, "alarm: a message that the gateway cannot work on is parked");
        self.counters.alarm();
        self.park(link, queue, wire, &rejection).await.is_ok()
    }

    async fn take(&self, name: &str, queue: &str, wire: &Wire, ticket: &mut Ticket, timing: Timing) -> Result<(), Trouble> {
        self.check_current()?;
        let link = self.link(name)?;
        match self.received(link, wire, millis(self.clock.now()))? {
            Err(rejection) => self.refuse(link, queue, wire, &rejection).await,
            Ok(received) => self.take_received(link, queue, wire, received, ticket, timing).await,
        }
    }

    pub(super) async fn take_received(
        &self,
        link: &LinkParts,
        queue: &str,
        wire: &Wire,
        received: Received,
        ticket: &mut Ticket,
        timing: Timing,
    ) -> Result<(), Trouble> {
        match received.payment.role {
            Role::Request | Role::Notice => self.take_request(link, queue, wire, received, ticket, timing).await,
            Role::Reply => self.take_reply(link, queue, wire, received, timing).await,
            Role::Ack => {
                self.counters.acks();
                Ok(())
            }
        }
    }

    async fn take_request(
        &self,
        link: &LinkParts,
        queue: &str,
        wire: &Wire,
        received: Received,
        ticket: &mut Ticket,
        timing: Timing,
    ) -> Result<(), Trouble> {
        if let Some(rejection) = self.unacceptable(link, &received.payment) {
            return self.refuse(link, queue, wire, &rejection).await;
        }
        if let Some(rejection) = self.unfit_announcement(link, &received).await? {
            return self.refuse(link, queue, wire, &rejection).await;
        }
        let (accepted, ready) = self.accept_and_send(link, &received, wire, &mut None).await?;
        if let Accepted::Altered { exchange } = &accepted {
            return self.refuse_altered(link, queue, wire, &received, exchange).await;
        }
        acknowledge(ticket).await;
        let key = super::accept::communication_key(&link.name, &received.payment);
        match accepted {
            Accepted::New { id, original } => {
                let Some(_hold) = self.hands.take(id) else { return Ok(()) };
                let mut job = Job::new(id, EPOCH_FIRST, &link.name, key, received, timing);
                self.go_on(&mut job, original, ready).await
            }
            Accepted::Tombstoned { id } => {
                let job = Job::new(id, EPOCH_FIRST, &link.name, key, received, timing);
                self.refuse_tombstoned(&job).await
            }
            Accepted::Repeat { exchange, reply } => self.repeat(link, exchange, key, reply, received, timing).await,
            Accepted::Again { exchange } => self.again(link, exchange, key, received, timing).await,
            Accepted::Altered { .. } => Ok(()),
        }
    }

    /// What is signed and still must not become an exchange: a cancel of nothing, a message for somebody else, a replay older
    /// than our memory.
    pub(super) fn unacceptable(&self, link: &LinkParts, payment: &Payment) -> Option<Rejection> {
        let named = |code, field: &str, detail: &str| {
            let mut rejection = Rejection::new(Step::Translate, code, detail);
            rejection.field = Some(field.to_owned());
            rejection.header = Some(payment.clone());
            Some(rejection)
        };
        if payment.operation == Operation::Cancel && !super::accept::names_original(payment) {
            let detail = "a cancel names its original by message id and code, or by end-to-end id and operation";
            return named("cancel.original", "original", detail);
        }
        let receiver = payment
            .text(Attribute::Receiver)
            .filter(|_| link.is_queue() && !link.config.member.is_empty());
        if receiver.is_some_and(|receiver| receiver != link.config.member) {
            return named(
                "receiver.other",
                Attribute::Receiver.name(),
                "it is addressed to another member",
            );
        }
        if self.is_out_of_time(payment) {
            let detail = "its dates are older than the keys by which a repeat is told, or too far ahead";
            return named("date.range", Attribute::SendDate.name(), detail);
        }
        None
    }

    /// Keys of delivered exchanges go after `journal.keep_days`; a request dated before that could be one of them.
    fn is_out_of_time(&self, payment: &Payment) -> bool {
        let Some(today) = self.system().settlement_date else {
            return false;
        };
        let kept = time::Duration::days(i64::from(self.config.journal.keep_days).saturating_sub(1));
        let ahead = time::Duration::days(limits::MESSAGE_DAYS_AHEAD_MAX);
        let dates = [payment.date(Attribute::SendDate), payment.date(Attribute::SettlementDate)];
        dates
            .into_iter()
            .flatten()
            .any(|date| today - date > kept || date - today > ahead)
    }

    /// What is to be done for a new exchange.
    pub(super) async fn work(&self, job: &mut Job, original: Option<Exchange>) -> Result<(), Trouble> {
        match job.request.operation {
            Operation::Echo | Operation::Ack => self.settle(job, Settlement::ours(Outcome::Success)).await,
            Operation::Status => {
                self.apply_status(&job.request).await?;
                self.settle(job, Settlement::ours(Outcome::Success)).await
            }
            Operation::Notice => {
                self.apply_notice(job).await?;
                self.settle(job, Settlement::ours(Outcome::Success)).await
            }
            Operation::Certificate => self.keep_announced(job).await,
            Operation::Cancel => self.cancel(job, original).await,
            Operation::Query => self.answer_query(job).await,
            Operation::Sign
            | Operation::Terminate
            | Operation::Verify
            | Operation::Debit
            | Operation::Credit
            | Operation::Refund => {
                let request = job.request.clone();
                self.forward(job, request).await
            }
        }
    }

    pub(super) async fn refuse_tombstoned(&self, job: &Job) -> Result<(), Trouble> {
        let refusal = Outcome::failed(Reason::AlreadyCancelled, "a cancel came before this request");
        self.settle(job, Settlement::ours(refusal)).await
    }

    /// What the journal knows is answered from it: an original that is still in work here is "processing", whatever the
    /// counterparty may say of it yet. Only what the journal does not know is asked where such requests go.
    async fn answer_query(&self, job: &mut Job) -> Result<(), Trouble> {
        let Some(original) = self.original_of(job).await? else {
            let request = job.request.clone();
            return self.forward(job, request).await;
        };
        let result = self.stored_result(&original).await?;
        let settlement = Settlement {
            result: result.as_ref(),
            ..Settlement::ours(outcome_of(&original))
        };
        self.settle(job, settlement).await
    }

    /// The very same request again: the stored reply, byte for byte; in work, a bounded wait.
    async fn repeat(
        &self,
        link: &LinkParts,
        exchange: Exchange,
        key: String,
        reply: Option<MessageRecord>,
        received: Received,
        timing: Timing,
    ) -> Result<(), Trouble> {
        self.counters.duplicate();
        let Some(reply) = reply else {
            return self.again(link, exchange, key, received, timing).await;
        };
        let is_settled = reply.part != "reply" && outcome_of(&self.wait_for(exchange.clone()).await?).is_final();
        if is_settled {
            return self.again(link, exchange, key, received, timing).await;
        }
        let Some(wire) = self.outgoing(&reply)? else {
            return self.again(link, exchange, key, received, timing).await;
        };
        self.send_reply(&link.name, &wire).await;
        Ok(())
    }

    /// The same business under another key, or the same request still in work: wait, bounded; then the outcome in a reply
    /// of its own, or "processing".
    async fn again(
        &self,
        link: &LinkParts,
        exchange: Exchange,
        key: String,
        received: Received,
        timing: Timing,
    ) -> Result<(), Trouble> {
        let exchange = self.wait_for(exchange).await?;
        let job = Job::new(exchange.id, exchange.epoch, &link.name, key, received, timing);
        let outcome = outcome_of(&exchange);
        let is_first = exchange.communication_key == job.key;
        if is_first && outcome.is_final() {
            if let Some(wire) = self.deliverable(&job, &exchange).await? {
                self.send_reply(&link.name, &wire).await;
            }
            return Ok(());
        }
        if !outcome.is_final() && !has_processing(job.request.operation) {
            return Ok(());
        }
        let stale = self.dead_reply(&job).await?;
        let (reply, _) = self.reply_again(&job, &exchange, outcome, stale).await?;
        self.send_reply(&link.name, &reply).await;
        Ok(())
    }

    /// Same key, other content: parked and answered as a rejection of this message, which says nothing of the first one.
    async fn refuse_altered(
        &self,
        link: &LinkParts,
        queue: &str,
        wire: &Wire,
        received: &Received,
        exchange: &Exchange,
    ) -> Result<(), Trouble> {
        tracing::error!(
            exchange = exchange.id,
            link = link.name,
            "alarm: a repeated request was altered"
        );
        self.counters.alarm();
        let detail = format!("the content differs from exchange {}", exchange.id);
        let mut rejection = Rejection::new(Step::Duplicate, Reason::Altered.name(), detail);
        rejection.header = Some(received.payment.clone());
        self.refuse(link, queue, wire, &rejection).await
    }

    /// Keeps a refused message, then answers it where its header can be read.
    pub(super) async fn refuse(&self, link: &LinkParts, source: &str, wire: &Wire, rejection: &Rejection) -> Result<(), Trouble> {
        self.counters.rejected(rejection.step);
        let parked = self.park(link, source, wire, rejection).await?;
        let serial = rejection.header.as_ref().and_then(|header| header.text(Attribute::Serial));
        tracing::warn!(link = link.name, source, parked, serial, %rejection, "message refused and parked");
        let Some(header) = rejection.header.as_ref().filter(|header| answers_rejection(header)) else {
            return Ok(());
        };
        if self.is_misleading(link, header, rejection).await? {
            tracing::error!(
                link = link.name,
                parked,
                "alarm: a damaged copy of a known request; it is not answered"
            );
            self.counters.alarm();
            return Ok(());
        }
        self.answer_rejection(link, header, rejection).await;
        Ok(())
    }

    /// A refusal that refers to a request we know would be read as that request's failure. Only `altered` says in its own code
    /// that the first one stands.
    async fn is_misleading(&self, link: &LinkParts, header: &Payment, rejection: &Rejection) -> Result<bool, Trouble> {
        if rejection.step == Step::Duplicate {
            return Ok(false);
        }
        let key = super::accept::communication_key(&link.name, header);
        Ok(self.journal.read(Read::ByCommunicationKey(key)).await?.exchange()?.is_some())
    }

    pub(super) async fn park(&self, link: &LinkParts, source: &str, wire: &Wire, rejection: &Rejection) -> Result<i64, Trouble> {
        let now = self.clock.now();
        let keyring = self.keyring.load_full();
        let digest = record::parked_digest(&keyring, &wire.body)?;
        // What no codec would read anyway is kept by its beginning, so that nobody can fill the journal's disk with it.
        let kept = if wire.body.len() > limits::BODY_BYTES_MAX {
            beginning(wire)
        } else {
            wire.clone()
        };
        let park = Park {
            link: link.name.clone(),
            source: source.to_owned(),
            step: rejection.step.name().to_owned(),
            code: rejection.code.clone(),
            field: rejection.field.clone(),
            reason: rejection.detail.clone(),
            record: record::seal_wire(&keyring, &*self.entropy, &link.name, &kept, now)?,
            digest,
            at: millis(now),
        };
        let id = self.journal.write(Write::Park(Box::new(park))).await?.parked()?;
        self.releases.refused(id, rejection);
        Ok(id)
    }

    /// A rejection's answer is best effort: the parked message is the record, and a repeat is refused alike.
    async fn answer_rejection(&self, link: &LinkParts, header: &Payment, rejection: &Rejection) {
        let result = self.rejection_reply(link, header, rejection).await;
        match result {
            Ok(Published::Confirmed) => {}
            Ok(Published::Refused(reason) | Published::Unknown(reason)) => {
                tracing::warn!(link = link.name, reason, "rejection not confirmed");
            }
            Err(trouble) => tracing::warn!(link = link.name, %trouble, "rejection not answered"),
        }
    }

    async fn rejection_reply(&self, link: &LinkParts, header: &Payment, rejection: &Rejection) -> Result<Published, Trouble> {
        let Some(kind) = link.spec.message_for(Operation::Notice, Role::Reply) else {
            return Ok(Published::Refused("the codec has no rejection".to_owned()));
        };
        let mut request = Payment::new(Operation::Notice, Role::Request);
        let header_attributes = Attribute::ALL
            .iter()
            .copied()
            .filter(|attribute| !attribute.is_business())
            .collect::<Vec<_>>();
        request.copy(header, &header_attributes);
        let reply = self.refusal_payment(link, &request, reason_of(rejection)).await?;
        let ids = Ids::of(&reply);
        let signed = self.sign(link, reply, &kind.code)?;
        Ok(self.publish_signed(link, &signed, ids).await)
    }
}

/// The acknowledgement that a delivery still owes.
type Ticket = Option<Box<dyn Settle>>;

fn beginning(wire: &Wire) -> Wire {
    let body = wire.body.iter().copied().take(limits::PARKED_BYTES_OF_TOO_LARGE).collect();
    Wire {
        start: wire.start.clone(),
        headers: wire.headers.clone(),
        body,
    }
}

/// The exchange is durable, so it is taken up again by itself.
fn note_trouble(link: &str, trouble: &Trouble) {
    if let Trouble::Stale(id) = trouble {
        tracing::info!(link, exchange = id, "another task settled the exchange");
        return;
    }
    tracing::error!(link, %trouble, "exchange stays in the journal and is taken up again");
}

async fn acknowledge(ticket: &mut Ticket) {
    if let Some(settle) = ticket.take() {
        settle.ack().await;
    }
}

/// A rejection is answered only where the sender waits for an answer; two gateways must not reject each other's rejections.
fn answers_rejection(header: &Payment) -> bool {
    header.role == Role::Request && header.text(Attribute::Sender).is_some() && header.text(Attribute::Serial).is_some()
}

/// Whether "processing" can be said of an operation. An acknowledgement says "done", so until it is there is no answer.
const fn has_processing(operation: Operation) -> bool {
    !matches!(
        operation,
        Operation::Status | Operation::Notice | Operation::Certificate | Operation::Ack | Operation::Echo
    )
}

fn reason_of(rejection: &Rejection) -> Outcome {
    let reason = match rejection.step {
        Step::Verify => Reason::SignatureInvalid,
        Step::Duplicate => Reason::Altered,
        Step::Parse | Step::Open | Step::Translate | Step::Route | Step::Match => Reason::InvalidMessage,
    };
    let field = rejection.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
    Outcome::failed(reason, format!("{} {}{field}", rejection.step.name(), rejection.code))
}
/// Between two tries to make a message durable.
const GIVE_BACK_PAUSE: Duration = Duration::from_millis(200);
/// After so many tries a message that fails for another reason than the journal is parked.
const TRIES_MAX: u32 = 6;
const GIVE_BACK_PAUSE_MAX: Duration = Duration::from_secs(5);
