//! Replies from a queue: matched by reference, settling what is sent or unknown; late and unmatched ones are never lost.

use super::accept::reference_key;
use super::answer::{Settlement, outcome_of};
use super::forward::is_final;
use super::{Gateway, Job, LinkParts, Timing, Trouble};
use crate::clock::from_millis;
use crate::journal::{Exchange, MessageRecord, Read, State, Write};
use crate::pipeline::{self, Received, Rejection, Signed, Step};
use crate::record;
use codecs::payment::{Operation, Outcome, Payment, Role};
use codecs::wire::Wire;
use std::time::Duration;
use tokio::time::Instant;

impl Gateway {
    /// Matches a reply to the exchange that waits for it. The caller acknowledges when this returns.
    pub(super) async fn take_reply(
        &self,
        link: &LinkParts,
        queue: &str,
        wire: &Wire,
        received: Received,
        timing: Timing,
    ) -> Result<(), Trouble> {
        let key = reference_key(&link.name, &received.payment);
        let Some(exchange) = self.by_out_key(&key).await? else {
            return self.unmatched(link, queue, wire, &received).await;
        };
        if received.payment.operation == Operation::Query && exchange.operation != Operation::Query.name() {
            return self
                .take_query_reply(link, queue, wire, &received, exchange, timing.started)
                .await;
        }
        self.settle_by_reply(link, queue, wire, &received, exchange, timing.started)
            .await
    }

    async fn settle_by_reply(
        &self,
        link: &LinkParts,
        queue: &str,
        wire: &Wire,
        received: &Received,
        exchange: Exchange,
        arrived: Instant,
    ) -> Result<(), Trouble> {
        if matches!(exchange.state, State::Answered | State::Delivered) {
            return self.after_the_fact(link, queue, wire, received, &exchange).await;
        }
        if !is_final(&received.payment) {
            // "Processing" settles nothing: the query, or the final reply, will.
            return Ok(());
        }
        if exchange.state == State::Unknown {
            self.counters.late();
        }
        let Some(job) = self.job_of(&exchange).await? else {
            return Ok(());
        };
        let outcome = received.payment.outcome.clone().unwrap_or(Outcome::Unknown);
        let record = self.received_record(&link.name, "reply", &received.code, wire)?;
        let settlement = Settlement {
            outcome,
            result: Some(&received.payment),
            received: Some(record),
            arrived,
        };
        match self.settle(&job, settlement).await {
            // Somebody settled it meanwhile; what this reply says is compared with that.
            Err(Trouble::Stale(id)) => {
                let exchange = self.exchange(id).await?;
                self.after_the_fact(link, queue, wire, received, &exchange).await
            }
            other => other,
        }
    }

    /// A reply for an exchange that has its outcome: the same is a repeat, another one is kept and raises an alarm.
    async fn after_the_fact(
        &self,
        link: &LinkParts,
        queue: &str,
        wire: &Wire,
        received: &Received,
        exchange: &Exchange,
    ) -> Result<(), Trouble> {
        let said = received.payment.outcome.as_ref().map_or("unknown", Outcome::name);
        let stands = outcome_of(exchange);
        if said == stands.name() || said == Outcome::Unknown.name() {
            self.counters.duplicate_reply();
            return Ok(());
        }
        tracing::error!(
            exchange = exchange.id,
            said,
            stands = stands.name(),
            "alarm: a late reply contradicts the outcome"
        );
        self.counters.alarm();
        let detail = format!("exchange {} stands as {}, this reply says {said}", exchange.id, stands.name());
        self.park(link, queue, wire, &Rejection::new(Step::Match, "reply.contradicts", detail))
            .await
            .map(drop)
    }

    async fn unmatched(&self, link: &LinkParts, queue: &str, wire: &Wire, received: &Received) -> Result<(), Trouble> {
        self.counters.unmatched();
        let detail = format!("no exchange of ours sent what {} refers to", received.code);
        self.park(link, queue, wire, &Rejection::new(Step::Match, "reply.unmatched", detail))
            .await
            .map(drop)
    }

    /// The outcome of the original as its receiver tells it. "Not found" settles nothing here; the sweeper acts on it.
    pub(super) async fn take_query_reply(
        &self,
        link: &LinkParts,
        queue: &str,
        wire: &Wire,
        received: &Received,
        exchange: Exchange,
        arrived: Instant,
    ) -> Result<(), Trouble> {
        if super::revisit::is_not_found(&received.payment) {
            return self.not_found(&exchange).await;
        }
        self.settle_by_reply(link, queue, wire, received, exchange, arrived).await
    }

    async fn by_out_key(&self, key: &str) -> Result<Option<Exchange>, Trouble> {
        Ok(self.journal.read(Read::ByOutKey(key.to_owned())).await?.exchange()?)
    }

    /// The job of a stored exchange, from the exact bytes of its request.
    pub(super) async fn job_of(&self, exchange: &Exchange) -> Result<Option<Job>, Trouble> {
        let messages = self.messages(exchange.id).await?;
        let first = messages
            .iter()
            .find(|message| message.direction == "received" && message.part == "request");
        let Some(first) = first else { return Ok(None) };
        Ok(Some(Job::of(exchange, self.reread(first)?)))
    }

    /// The counterparty's stored answer, for replies that are built anew.
    pub(super) async fn stored_result(&self, exchange: &Exchange) -> Result<Option<Payment>, Trouble> {
        let messages = self.messages(exchange.id).await?;
        let last = messages
            .iter()
            .rfind(|message| message.direction == "received" && message.part == "reply");
        last.map(|message| self.reread(message).map(|received| received.payment))
            .transpose()
    }

    /// The stored reply to the first request of an exchange.
    pub(super) async fn stored_reply(&self, exchange: &Exchange) -> Result<Option<Wire>, Trouble> {
        let messages = self.messages(exchange.id).await?;
        let first = messages
            .iter()
            .find(|message| message.direction == "sent" && message.part == "reply");
        Ok(first.map(|message| record::open(&self.keyring.load(), message)).transpose()?)
    }

    /// Takes stored bytes through the pipeline again, as of the moment they came.
    fn reread(&self, message: &MessageRecord) -> Result<Received, Trouble> {
        let keyring = self.keyring.load();
        let link = self.link(&message.link)?;
        let wire = record::open(&keyring, message)?;
        pipeline::receive(&wire, link.view(&keyring), from_millis(message.at))
            .map_err(|rejection| Trouble::Reread(rejection.to_string()))
    }

    /// A reply of its own for a further request of a known business; it is durable before it is sent.
    pub(super) async fn reply_again(&self, job: &Job, exchange: &Exchange, outcome: Outcome) -> Result<Signed, Trouble> {
        let result = self.stored_result(exchange).await?;
        let part = if outcome.is_final() { "reply" } else { "interim" };
        let reply = self.reply_payment(job, outcome, result.as_ref()).await?;
        let signed = self.sign_reply(job, &reply)?;
        let message = self.sent_record(&job.link_in, part, &signed)?;
        let write = Write::Reply {
            id: job.id,
            answers: job.key.clone(),
            message,
        };
        if self.journal.write(write).await?.stored()? {
            Ok(signed)
        } else {
            Err(Trouble::Stale(job.id))
        }
    }

    /// The refusal of a message whose header alone is known.
    pub(super) async fn refusal_payment(
        &self,
        link: &LinkParts,
        request: &Payment,
        outcome: Outcome,
    ) -> Result<Payment, Trouble> {
        let received = Received {
            payment: request.clone(),
            code: String::new(),
            signed_by: String::new(),
        };
        let job = Job::new(0, 0, &link.name, String::new(), received, Timing::start());
        let mut payment = self.reply_payment(&job, outcome, None).await?;
        payment.role = Role::Reply;
        Ok(payment)
    }

    /// Waits, bounded, until an exchange has its outcome; then as it stands.
    pub(super) async fn wait_for(&self, exchange: Exchange) -> Result<Exchange, Trouble> {
        let settled = self.waiting.register(exchange.id);
        let exchange = self.exchange(exchange.id).await?;
        if outcome_of(&exchange).is_final() {
            return Ok(exchange);
        }
        if exchange.state == State::Accepted && exchange.owner == self.config.instance {
            // Nobody may have begun with it: its acceptance was durable, but the word of that was lost.
            Box::pin(self.revisit(exchange.clone())).await;
        }
        let limit = Duration::from_millis(self.config.settle.wait_ms);
        if tokio::time::timeout(limit, settled).await.is_err() {
            self.waiting.sweep();
        }
        self.exchange(exchange.id).await
    }
}
