//! Taking up what is due: after a deadline, after a crash, or because a reply was not confirmed.
//!
//! The journal alone says what is due, so this works the same in the life that sent a request and in the next one.

use super::answer::{Ids, Settlement, outcome_of};
use super::forward::{call_until, is_final};
use super::keys::aside;
use super::{Gateway, Job, LinkParts, Place, Transport, Trouble};
use crate::clock::{Random, millis};
use crate::config::SettleConfig;
use crate::journal::{Exchange, ExchangeId, MessageRecord, Move, State};
use crate::mq::Published;
use crate::record;
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::spec::MessageSpec;
use codecs::wire::Wire;
use std::time::Duration;
use tokio::time::Instant;

impl Gateway {
    /// Takes up one exchange that is due.
    pub async fn revisit(&self, exchange: Exchange) {
        let Some(_hold) = self.hands.take(exchange.id) else { return };
        self.revisit_with(exchange.id, None).await;
    }

    /// The same for one that is held already, and may hold its place.
    pub(super) async fn revisit_with(&self, id: ExchangeId, place: Option<Place>) {
        match self.revisit_held(id, place).await {
            Ok(()) => {}
            Err(Trouble::Stale(_)) => tracing::debug!(exchange = id, "settled meanwhile"),
            Err(trouble) => {
                tracing::error!(exchange = id, %trouble, "exchange cannot go on; it is taken up again later");
                self.postpone(id).await;
            }
        }
    }

    /// Moves an exchange that cannot go on out of the way of the others: later the older it is, at most five minutes.
    async fn postpone(&self, id: ExchangeId) {
        let Ok(exchange) = self.exchange(id).await else { return };
        let age = millis(self.clock.now()).saturating_sub(exchange.accepted_at);
        self.put_off(&exchange, age.saturating_div(2).clamp(1_000, 300_000)).await;
    }

    /// Makes an exchange due so long from here, and changes nothing else.
    pub async fn put_off(&self, exchange: &Exchange, wait_ms: i64) {
        let step = self.step(exchange.id, exchange.epoch, exchange.state);
        let step = Move {
            from: vec![exchange.state],
            due: step.at.saturating_add(wait_ms),
            ..step
        };
        match self.advance(step).await {
            // It went on meanwhile.
            Ok(()) | Err(Trouble::Stale(_)) => {}
            Err(trouble) => tracing::warn!(exchange = exchange.id, %trouble, "not put off"),
        }
    }

    async fn revisit_held(&self, id: ExchangeId, place: Option<Place>) -> Result<(), Trouble> {
        // The list of due exchanges may be older than what happened since.
        let exchange = self.exchange(id).await?;
        if exchange.owner != self.config.instance {
            return Ok(());
        }
        let Some(mut job) = self.job_of(&exchange).await? else {
            return Err(Trouble::Reread("its request is not in the journal".to_owned()));
        };
        job.place = place;
        match exchange.state {
            State::Accepted => self.take_up_accepted(&mut job, &exchange).await,
            State::Sent => self.take_up_sent(&mut job, &exchange).await,
            State::Unknown if asks_only(job.request.operation) || self.goes_by_original(&exchange) => {
                self.ask_again(&mut job, &exchange).await
            }
            State::Unknown => self.query(&job, &exchange).await,
            State::Answered => self.redeliver(&job, &exchange).await,
            State::Delivered => Ok(()),
        }
    }

    async fn take_up_accepted(&self, job: &mut Job, exchange: &Exchange) -> Result<(), Trouble> {
        let outcome = outcome_of(exchange);
        if outcome.is_final() {
            // A tombstone refused it when it was accepted.
            return self.settle(job, Settlement::ours(outcome)).await;
        }
        let age = millis(self.clock.now()).saturating_sub(exchange.deadline);
        let is_payment = matches!(
            job.request.operation,
            Operation::Debit | Operation::Credit | Operation::Refund
        );
        if is_payment && age > self.settle_before(job).resend_after_ms {
            // Never sent, and its requester has long given up: refusing is certain, executing it now would surprise.
            return self.refuse_unsent(job, "it was not sent in time").await;
        }
        let original = if job.request.operation == Operation::Cancel {
            self.original_of(job).await?
        } else {
            None
        };
        self.work(job, original).await?;
        if job.is_lined_up {
            // Its turn comes by itself; this is for the case that it does not.
            self.put_off(exchange, IN_LINE_MS).await;
        }
        Ok(())
    }

    /// Past its deadline, or maybe sent by a life that ended. A request that waits for its broker goes out again; the
    /// deadline makes it unknown.
    async fn take_up_sent(&self, job: &mut Job, exchange: &Exchange) -> Result<(), Trouble> {
        let link = self.link(exchange.link_out.as_deref().unwrap_or_default())?;
        if self.is_unsent(exchange) {
            self.forget_unsent(exchange);
            return self.send_stored(job, exchange, link, State::Sent).await;
        }
        let sent_at = exchange.sent_at.unwrap_or(exchange.accepted_at);
        let is_late =
            millis(self.clock.now()).saturating_sub(sent_at) >= i64::try_from(link.config.answer_ms).unwrap_or(i64::MAX);
        if is_late || !link.is_queue() {
            return self.turn_unknown(job).await;
        }
        self.send_stored(job, exchange, link, State::Sent).await
    }

    /// A cancel that names its original alone: no query can name it, and twice has no more effect than once.
    fn goes_by_original(&self, exchange: &Exchange) -> bool {
        let link = exchange.link_out.as_deref().and_then(|name| self.link(name).ok());
        let sent = link.and_then(|link| link.spec.message_for(Operation::Cancel, Role::Request));
        exchange.operation == Operation::Cancel.name() && sent.is_some_and(MessageSpec::is_named_by_original)
    }

    /// What has no effect of its own, or the same effect however often, is not queried but asked again, with the same bytes.
    async fn ask_again(&self, job: &mut Job, exchange: &Exchange) -> Result<(), Trouble> {
        let link = self.link(exchange.link_out.as_deref().unwrap_or_default())?;
        self.send_stored(job, exchange, link, State::Unknown).await
    }

    /// Asks the counterparty for the outcome.
    async fn query(&self, job: &Job, exchange: &Exchange) -> Result<(), Trouble> {
        let link = self.link(exchange.link_out.as_deref().unwrap_or_default())?;
        let asked = Operation::parse(&exchange.operation).unwrap_or(Operation::Query);
        let Some(kind) = link.spec.query_of(asked) else {
            return self.query_later(job, exchange).await;
        };
        let query = match self.query_payment(exchange, link, &kind.code).await {
            Err(Trouble::NoSettlementDate) => return self.query_later(job, exchange).await,
            other => other?,
        };
        let (out_key, ids) = (super::accept::sent_key(link, &query), Ids::sent(link, &kind.code, &query));
        let signed = self.sign(link, query, &kind.code)?;
        let record = self.sent_record(&link.name, "query", &signed)?;
        let step = Move {
            from: vec![State::Unknown],
            due: self.query_due(&self.settle_of_exchange(exchange), exchange.queries.saturating_add(1)),
            out_key: Some(out_key),
            messages: vec![record],
            query: true,
            ..self.step(job.id, job.epoch, State::Unknown)
        };
        self.advance(step).await?;
        self.counters.query();
        self.note_queries(exchange);
        match &link.transport {
            Transport::Queue { .. } => {
                let published = self.publish_signed(link, &signed, ids).await;
                if let Published::Refused(reason) | Published::Unknown(reason) = published {
                    tracing::warn!(exchange = job.id, reason, "query not confirmed");
                }
                Ok(())
            }
            Transport::Call(caller) => {
                let limit = Duration::from_millis(link.config.answer_ms);
                match call_until(&**caller, signed.wire(), limit).await {
                    Ok(answer) => {
                        let answer = link.spec.named(signed.wire(), answer);
                        self.take_query_answer(job, exchange, link, &ids, &answer).await
                    }
                    Err(error) => {
                        tracing::warn!(exchange = job.id, %error, "query not answered");
                        Ok(())
                    }
                }
            }
        }
    }

    /// An outcome that stays unknown so long is for a person to look at; the queries go on at their slowest pace.
    fn note_queries(&self, exchange: &Exchange) {
        let queries = exchange.queries.saturating_add(1);
        if queries == self.settle_of_exchange(exchange).queries_max {
            tracing::error!(
                exchange = exchange.id,
                queries,
                "alarm: the outcome is still unknown after many queries"
            );
            self.counters.alarm();
        }
    }

    /// What will hold for a request that has not gone out yet.
    fn settle_before(&self, job: &Job) -> SettleConfig {
        let link = self.route_of(&job.link_in, job.request.operation);
        self.settle_of(link, job.request.text(Attribute::Institution))
    }

    async fn query_later(&self, job: &Job, exchange: &Exchange) -> Result<(), Trouble> {
        let due = self.query_due(&self.settle_of_exchange(exchange), exchange.queries.saturating_add(1));
        let step = Move {
            from: vec![State::Unknown],
            due,
            ..self.step(job.id, job.epoch, State::Unknown)
        };
        self.advance(step).await
    }

    async fn take_query_answer(
        &self,
        job: &Job,
        exchange: &Exchange,
        link: &LinkParts,
        sent: &Ids,
        wire: &Wire,
    ) -> Result<(), Trouble> {
        let received = match self.read_answer(link, wire, sent, Operation::Query) {
            Ok(received) => received,
            Err(reason) => {
                tracing::warn!(exchange = job.id, reason, "query answer not taken");
                return Ok(());
            }
        };
        if is_not_found(&received.payment) {
            return self.not_found(exchange).await;
        }
        if !is_final(&received.payment) {
            return Ok(());
        }
        let outcome = received.payment.outcome.clone().unwrap_or(Outcome::Unknown);
        let record = self.received_record(&link.name, "reply", &received.code, wire)?;
        let (result, arrived) = (Some(&received.payment), Instant::now());
        let settlement = Settlement {
            outcome,
            result,
            received: Some(record),
            arrived,
        };
        match self.settle(job, settlement).await {
            Err(Trouble::Stale(id)) => self.settle_after_all(id, link, wire, &received, arrived).await,
            other => other,
        }
    }

    /// "Not found" allows sending the same bytes again, and only after the peer's horizon. It never means failed.
    pub(super) async fn not_found(&self, exchange: &Exchange) -> Result<(), Trouble> {
        let sent_at = exchange.attempted_at.or(exchange.sent_at).unwrap_or(exchange.accepted_at);
        let age = millis(self.clock.now()).saturating_sub(sent_at);
        if exchange.state != State::Unknown || age < self.settle_of_exchange(exchange).resend_after_ms {
            return Ok(());
        }
        let Some(mut job) = self.job_of(exchange).await? else {
            return Ok(());
        };
        let link = self.link(exchange.link_out.as_deref().unwrap_or_default())?;
        tracing::info!(
            exchange = exchange.id,
            "not found at the counterparty: the same bytes are sent again"
        );
        self.send_stored(&mut job, exchange, link, State::Unknown).await
    }

    /// Sends the stored bytes of the outbound request again, after a durable attempt.
    async fn send_stored(&self, job: &mut Job, exchange: &Exchange, link: &LinkParts, state: State) -> Result<(), Trouble> {
        let messages = self.messages(exchange.id).await?;
        let stored = messages
            .iter()
            .rfind(|message| message.direction == "sent" && message.part == "request");
        let Some(stored) = stored else { return Ok(()) };
        let (wire, renewed) = self.sendable(link, stored)?;
        let due = if state == State::Sent {
            self.answer_due(link)
        } else {
            self.query_due(&self.settle_of_exchange(exchange), exchange.queries.max(exchange.attempts))
        };
        let step = Move {
            from: vec![state],
            due,
            attempt: true,
            messages: renewed.into_iter().collect(),
            ..self.step(job.id, job.epoch, state)
        };
        self.advance(step).await?;
        self.counters.resent();
        let ids = Ids::peeked(link, &wire, &self.keyring.load());
        self.dispatch(job, link, &wire, ids).await
    }

    /// The stored bytes; where their authentication has aged, or their key may not be used any more, the same body authenticated
    /// anew, with its record. A signed request cannot be: its receiver knows it by its bytes, so it stays unsent and is queried.
    fn sendable(&self, link: &LinkParts, stored: &MessageRecord) -> Result<(Wire, Option<MessageRecord>), Trouble> {
        self.check_current()?;
        let keyring = self.keyring.load();
        let wire = record::open(&keyring, stored)?;
        let may_go_out = self.may_go_out(link, stored, &wire);
        let age = millis(self.clock.now()).saturating_sub(stored.at);
        if may_go_out && age < FRESH_MS {
            return Ok((wire, None));
        }
        let mut rng = Random(&*self.entropy);
        match aside(&keyring, || {
            crate::pipeline::renew(&wire, link.view(&keyring), self.clock.now(), &mut rng)
        })? {
            Some(signed) => Ok((signed.wire().clone(), Some(self.sent_record(&link.name, "request", &signed)?))),
            None if may_go_out => Ok((wire, None)),
            None => Err(Trouble::DeadKey),
        }
    }

    /// Sends the stored reply bytes again until the broker confirms them. Where the requester asks by HTTP it comes back
    /// for its answer by itself.
    async fn redeliver(&self, job: &Job, exchange: &Exchange) -> Result<(), Trouble> {
        if !self.link(&exchange.link_in)?.is_queue() {
            let kept_ms = i64::from(self.config.journal.keep_days).saturating_mul(DAY_MS);
            let answered_at = exchange.answered_at.unwrap_or(exchange.accepted_at);
            if millis(self.clock.now()).saturating_sub(answered_at) > kept_ms {
                tracing::warn!(exchange = exchange.id, "nobody has fetched this answer; it is given up");
                return self.delivered(job).await;
            }
            let step = self.step(job.id, job.epoch, State::Answered);
            let due = step.at.saturating_add(UNCLAIMED_MS);
            return self
                .advance(Move {
                    from: vec![State::Answered],
                    due,
                    ..step
                })
                .await;
        }
        let Some(wire) = self.deliverable(job, exchange).await? else {
            return Ok(());
        };
        if self.send_reply(&exchange.link_in, &wire).await {
            return self.delivered(job).await;
        }
        let step = self.step(job.id, job.epoch, State::Answered);
        let due = step.at.saturating_add(REDELIVER_MS);
        self.advance(Move {
            from: vec![State::Answered],
            due,
            ..step
        })
        .await
    }
}

const fn asks_only(operation: Operation) -> bool {
    matches!(operation, Operation::Query | Operation::Verify)
}

pub(super) fn is_not_found(payment: &Payment) -> bool {
    matches!(
        &payment.outcome,
        Some(Outcome::Failed {
            reason: Reason::OriginalNotFound,
            ..
        })
    )
}

/// Between two looks at what waits in line.
const IN_LINE_MS: i64 = 5_000;
/// Between two sends of a reply that the broker did not confirm.
const REDELIVER_MS: i64 = 1_000;
/// An HTTP answer that nobody has fetched is looked at once an hour.
const UNCLAIMED_MS: i64 = 3_600_000;

/// Requests older than this are authenticated anew where authentication ages; half of the platform link's window.
const FRESH_MS: i64 = 150_000;
const DAY_MS: i64 = 86_400_000;
