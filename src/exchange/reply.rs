//! Replies from a queue: matched by reference, settling what is sent or unknown; late and unmatched ones are never lost.

use super::accept::reference_key;
use super::answer::{Settlement, outcome_of};
use super::forward::is_final;
use super::keys::aside;
use super::{Gateway, Job, LinkParts, Timing, Trouble};
use crate::journal::{Exchange, MessageRecord, Move, Read, State, Write};
use crate::pipeline::{self, Received, Rejection, Step};
use crate::record;
use codecs::payment::{Operation, Outcome, Payment, Reason, Role};
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
            if self.take_distribution_reply(&key, wire, &received).await? {
                return Ok(());
            }
            return self.unmatched(link, queue, wire, &received).await;
        };
        if exchange.out_key.as_deref() != Some(&key) {
            return self
                .take_query_reply(link, queue, wire, &received, exchange, timing.started)
                .await;
        }
        let answers = received.payment.operation;
        if answers == Operation::Notice && exchange.operation == Operation::Query.name() {
            // That the query was refused says nothing of what it asked for.
            return self.query_refused(link, wire, &received, &exchange).await;
        }
        if answers.name() != exchange.operation && answers != Operation::Notice {
            let detail = format!("a {answers} reply to a {}", exchange.operation);
            return self
                .park(link, queue, wire, &Rejection::new(Step::Match, "reply.operation", detail))
                .await
                .map(drop);
        }
        self.settle_by_reply(link, queue, wire, &received, exchange, timing.started)
            .await
    }

    pub(super) async fn settle_by_reply(
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
        if is_doubtful_refusal(received, &exchange) {
            return self.query_refused(link, wire, received, &exchange).await;
        }
        match self.settle_under(&exchange, received, link, wire, arrived).await {
            // Somebody settled it meanwhile; what this reply says is compared with that.
            Err(Trouble::Stale(id)) => {
                let exchange = self.exchange(id).await?;
                if !matches!(exchange.state, State::Answered | State::Delivered) {
                    // Taken over meanwhile: the new owner's epoch counts.
                    return self.settle_under(&exchange, received, link, wire, arrived).await;
                }
                self.after_the_fact(link, queue, wire, received, &exchange).await
            }
            other => other,
        }
    }

    /// Settles an exchange under the epoch that it has.
    async fn settle_under(
        &self,
        exchange: &Exchange,
        received: &Received,
        link: &LinkParts,
        wire: &Wire,
        arrived: Instant,
    ) -> Result<(), Trouble> {
        let Some(job) = self.job_of(exchange).await? else {
            return Ok(());
        };
        let outcome = received.payment.outcome.clone().unwrap_or(Outcome::Unknown);
        let record = self.received_record(&link.name, "reply", &received.code, wire)?;
        self.settle(
            &job,
            Settlement {
                outcome,
                result: Some(&received.payment),
                received: Some(record),
                arrived,
            },
        )
        .await?;
        self.hand_off(link, exchange);
        Ok(())
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
        if received.payment.operation != Operation::Query {
            return self.query_refused(link, wire, received, &exchange).await;
        }
        if super::revisit::is_not_found(&received.payment) {
            return self.not_found(&exchange).await;
        }
        self.settle_by_reply(link, queue, wire, received, exchange, arrived).await
    }

    /// What refuses our query says nothing of the payment: it is kept with the exchange, which stays as it is.
    async fn query_refused(
        &self,
        link: &LinkParts,
        wire: &Wire,
        received: &Received,
        exchange: &Exchange,
    ) -> Result<(), Trouble> {
        tracing::warn!(exchange = exchange.id, code = received.code, "our query was refused");
        let record = self.received_record(&link.name, "query_reply", &received.code, wire)?;
        let step = Move {
            from: vec![exchange.state],
            due: exchange.due,
            messages: vec![record],
            ..self.step(exchange.id, exchange.epoch, exchange.state)
        };
        match self.advance(step).await {
            Err(Trouble::Stale(_)) => Ok(()),
            other => other,
        }
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

    /// The newest stored reply to the request with this communication key.
    pub(super) async fn reply_to(&self, key: &str) -> Result<Option<MessageRecord>, Trouble> {
        Ok(self.journal.read(Read::ReplyTo(key.to_owned())).await?.messages()?.pop())
    }

    /// The final reply to the first request of an exchange as it may go out: the stored bytes, or where a key that they stand
    /// under may not be used any more, the same outcome signed anew.
    pub(super) async fn deliverable(&self, job: &Job, exchange: &Exchange) -> Result<Option<Wire>, Trouble> {
        let newest = self.reply_to(&exchange.communication_key).await?;
        let Some(reply) = newest.filter(|newest| newest.part == "reply") else {
            return Ok(None);
        };
        if let Some(wire) = self.outgoing(&reply)? {
            return Ok(Some(wire));
        }
        let (wire, _) = self.reply_again(job, exchange, outcome_of(exchange), Some(reply)).await?;
        Ok(Some(wire))
    }

    /// The stored reply to a job's request, if it may not be sent any more.
    pub(super) async fn dead_reply(&self, job: &Job) -> Result<Option<MessageRecord>, Trouble> {
        let Some(reply) = self.reply_to(&job.key).await? else {
            return Ok(None);
        };
        let may = self.outgoing(&reply)?.is_some();
        Ok((!may).then_some(reply))
    }

    /// Reads stored bytes again. The journal key vouches for them; the keys of the moment they came may be gone by now.
    fn reread(&self, message: &MessageRecord) -> Result<Received, Trouble> {
        let keyring = self.keyring.load();
        let link = self.link(&message.link)?;
        let stored = record::open_stored(&keyring, message)?;
        aside(&keyring, || pipeline::reopen(&stored, link.view(&keyring))).map_err(|rejection| {
            if rejection.is_of_device() {
                Trouble::Device(rejection.detail)
            } else {
                Trouble::Reread(rejection.to_string())
            }
        })
    }

    /// A reply of its own for a further request of a known business; it is durable before it is sent, and there is only one
    /// that is final. `replaces` is for one whose authentication has aged, or whose key may not be used any more: it is signed
    /// anew by whoever is first. True if it is final, which it may be by another task's doing.
    pub(super) async fn reply_again(
        &self,
        job: &Job,
        exchange: &Exchange,
        outcome: Outcome,
        replaces: Option<MessageRecord>,
    ) -> Result<(Wire, bool), Trouble> {
        let result = self.stored_result(exchange).await?;
        let is_final = outcome.is_final();
        let part = if is_final { "reply" } else { "interim" };
        let reply = self.reply_payment(job, outcome, result.as_ref()).await?;
        let signed = self.sign_reply(job, reply)?;
        let message = self.sent_record(&job.link_in, part, &signed)?;
        let is_anew = replaces.is_some();
        let write = Write::Reply {
            replaces: replaces.map(|stored| Box::new(stored.record)),
            id: job.id,
            answers: job.key.clone(),
            message,
        };
        if self.journal.write(write).await?.stored()? {
            if is_anew {
                self.counters.signed_anew();
            }
            return Ok((signed.wire().clone(), is_final));
        }
        // Another task answered the same request meanwhile: both say the same, byte for byte.
        let newest = self.reply_to(&job.key).await?.ok_or(Trouble::Stale(job.id))?;
        let wire = self.outgoing(&newest)?.ok_or(Trouble::DeadKey)?;
        Ok((wire, newest.part == "reply"))
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
            under: Vec::new(),
        };
        let job = Job::new(0, 0, &link.name, String::new(), received, Timing::start());
        let mut payment = self.reply_payment(&job, outcome, None).await?;
        payment.role = Role::Reply;
        Ok(payment)
    }

    /// Waits, bounded, until an exchange has its outcome; then as it stands.
    pub(super) async fn wait_for(&self, exchange: Exchange) -> Result<Exchange, Trouble> {
        let mut waiter = self.waiting.register(exchange.id);
        let exchange = self.exchange(exchange.id).await?;
        if outcome_of(&exchange).is_final() {
            return Ok(exchange);
        }
        let may_be_idle = exchange.state == State::Accepted || self.is_unsent(&exchange);
        if may_be_idle && exchange.owner == self.config.instance {
            // Nobody may have begun with it: its acceptance was durable, but the word of that was lost.
            Box::pin(self.revisit(exchange.clone())).await;
        }
        let end = Instant::now() + Duration::from_millis(self.settle_of_exchange(&exchange).wait_ms);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            // Another instance may settle it, and its word may be lost.
            let word = waiter.word(left.min(self.look_every())).await;
            let exchange = self.exchange(exchange.id).await?;
            let has_changed = word.is_some() && exchange.state != State::Accepted;
            if outcome_of(&exchange).is_final() || has_changed || Instant::now() >= end {
                return Ok(exchange);
            }
        }
    }
}

/// A general refusal may speak of one copy of a request that was sent several times, or of another content under its key:
/// then it says nothing certain of the request, and the query decides.
fn is_doubtful_refusal(received: &Received, exchange: &Exchange) -> bool {
    let is_altered = matches!(
        &received.payment.outcome,
        Some(Outcome::Failed {
            reason: Reason::Altered,
            ..
        })
    );
    received.payment.operation == Operation::Notice && (is_altered || exchange.attempts > 1)
}
