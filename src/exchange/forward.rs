//! From accepted to sent: route, emit, a durable attempt, the send, and what its answer means.

use super::accept::sent_key;
use super::answer::{Ids, Settlement, publish};
use super::{CallError, Caller, Gateway, Job, LinkParts, Transport, Trouble};
use crate::clock::millis;
use crate::config::SettleConfig;
use crate::journal::{Exchange, ExchangeId, Move, State};
use crate::mq::Published;
use crate::pipeline::{self, Received, Signed};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::spec::MessageSpec;
use codecs::wire::Wire;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl Gateway {
    /// Sends a request on to where its route leads: a job's own, or what a cancel becomes. On links that answer at once the
    /// answer settles the job; on queues the reply comes by another way.
    pub(super) async fn forward(&self, job: &mut Job, request: Payment) -> Result<(), Trouble> {
        self.forward_over(job, request, None).await
    }

    /// The same over a given link: a cancel goes where its original went.
    pub(super) async fn forward_over(&self, job: &mut Job, request: Payment, via: Option<&str>) -> Result<(), Trouble> {
        let Some((link, code)) = self.route(&job.link_in, job.request.operation, via) else {
            let refusal = Outcome::failed(Reason::NotSupported, format!("no route for {}", job.request.operation));
            return self.refuse_own(job, refusal).await;
        };
        if !self.has_place(job, link).await? {
            return Ok(());
        }
        let payment = match self.forward_payment(&format!("x{}", job.id), request, link, &code).await {
            Err(Trouble::NoSettlementDate) => return self.refuse_unsent(job, "no settlement date is known yet").await,
            other => other?,
        };
        let (out_key, ids) = (sent_key(link, &payment), Ids::sent(link, &code, &payment));
        let signed = match self.sign(link, payment, &code) {
            Err(Trouble::Fault(pipeline::Fault::Build(error))) => {
                let refusal = Outcome::failed(Reason::InvalidMessage, error.to_string());
                return self.refuse_own(job, refusal).await;
            }
            other => other?,
        };
        let record = self.sent_record(&link.name, "request", &signed)?;
        let step = Move {
            from: vec![State::Accepted],
            due: self.answer_due(link),
            link_out: Some(link.name.clone()),
            out_key: Some(out_key),
            messages: vec![record],
            attempt: true,
            ..self.step(job.id, job.epoch, State::Sent)
        };
        self.advance(step).await?;
        self.send_signed(job, link, &signed, ids).await
    }

    /// Sends what was signed a moment ago and is durable.
    pub(super) async fn send_signed(&self, job: &mut Job, link: &LinkParts, signed: &Signed, ids: Ids) -> Result<(), Trouble> {
        if !self.is_still_good(link, signed) {
            // Revoked within this moment; it was never sent, and the sweeper finds that these bytes never will be.
            return self.send_again_soon(job).await;
        }
        self.dispatch(job, link, signed.wire(), ids).await
    }

    /// Sends the durable bytes of a sent exchange and waits for what this transport can tell.
    pub(super) async fn dispatch(&self, job: &mut Job, link: &LinkParts, wire: &Wire, ids: Ids) -> Result<(), Trouble> {
        match &link.transport {
            Transport::Queue { .. } => {
                if let Published::Refused(reason) | Published::Unknown(reason) = publish(link, wire, ids).await {
                    tracing::warn!(
                        exchange = job.id,
                        link = link.name,
                        reason,
                        "request not confirmed by the broker"
                    );
                    return self.send_again_soon(job).await;
                }
                Ok(())
            }
            Transport::Call(caller) => self.call_and_settle(job, link, caller, wire, &ids).await,
        }
    }

    async fn call_and_settle(
        &self,
        job: &mut Job,
        link: &LinkParts,
        caller: &Arc<dyn Caller>,
        sent_wire: &Wire,
        ids: &Ids,
    ) -> Result<(), Trouble> {
        let sent = Instant::now();
        let answer = call_until(&**caller, sent_wire, Duration::from_millis(link.config.answer_ms)).await;
        let answer = answer.map(|answer| link.spec.named(sent_wire, answer));
        let arrived = Instant::now();
        job.place = None;
        job.timing.away += arrived - sent;
        self.counters.leg(&link.name, arrived - sent);
        match answer
            .map_err(|error| error.to_string())
            .and_then(|wire| self.read_answer(link, &wire, ids, job.request.operation).map(|r| (wire, r)))
        {
            Ok((wire, received)) => self.settle_by_answer(job, link, &wire, &received, arrived).await,
            Err(reason) => {
                tracing::warn!(exchange = job.id, link = link.name, reason, "outcome unknown");
                self.turn_unknown(job).await
            }
        }
    }

    async fn settle_by_answer(
        &self,
        job: &Job,
        link: &LinkParts,
        wire: &Wire,
        received: &Received,
        arrived: Instant,
    ) -> Result<(), Trouble> {
        let outcome = received.payment.outcome.clone().unwrap_or(Outcome::Unknown);
        if !outcome.is_final() {
            return self.turn_unknown(job).await;
        }
        let record = self.received_record(&link.name, "reply", &received.code, wire)?;
        let settlement = Settlement {
            outcome,
            result: Some(&received.payment),
            received: Some(record),
            arrived,
        };
        match self.settle(job, settlement).await {
            Err(Trouble::Stale(id)) => self.settle_after_all(id, link, wire, received, arrived).await,
            other => other,
        }
    }

    /// The exchange changed hands, or was settled, while its answer was under way: the answer counts under the epoch that
    /// stands, or is compared with the outcome that stands.
    pub(super) async fn settle_after_all(
        &self,
        id: ExchangeId,
        link: &LinkParts,
        wire: &Wire,
        received: &Received,
        arrived: Instant,
    ) -> Result<(), Trouble> {
        let exchange = self.exchange(id).await?;
        self.settle_by_reply(link, ANSWER, wire, received, exchange, arrived).await
    }

    /// Only an authenticated answer to this very request counts; whatever else comes leaves the outcome unknown.
    pub(super) fn read_answer(
        &self,
        link: &LinkParts,
        wire: &Wire,
        sent: &Ids,
        operation: Operation,
    ) -> Result<Received, String> {
        let received = self.receive(link, wire, millis(self.clock.now()));
        let received = received.map_err(|rejection| rejection.to_string())?;
        let Received { payment, .. } = &received;
        if payment.role != Role::Reply || payment.operation != operation {
            return Err(format!(
                "a {} {} came where a {operation} reply was due",
                payment.operation, payment.role
            ));
        }
        // A proxy may hand over the answer to somebody else's request.
        let is_named = link.spec.message(&received.code).is_some_and(MessageSpec::names_request);
        // Where only the connection names answers, one that names nothing is tied to it alone.
        let is_silent = link.spec.names_answers() && payment.text(Attribute::Serial).is_none();
        if is_named && !is_silent && (sent.serial.is_none() || sent.serial.as_deref() != payment.text(Attribute::Serial)) {
            return Err("the answer is to another request".to_owned());
        }
        Ok(received)
    }

    /// Sent, and no usable answer: the requester is told "processing" and the sweeper takes over.
    pub(super) async fn turn_unknown(&self, job: &Job) -> Result<(), Trouble> {
        self.counters.unknown();
        let settle = self.settle_of_exchange(&self.exchange(job.id).await?);
        let step = Move {
            from: vec![State::Sent, State::Unknown],
            due: self.query_due(&settle, 0),
            outcome: Some(super::answer::stored(&Outcome::Unknown)),
            ..self.step(job.id, job.epoch, State::Unknown)
        };
        self.answer_processing(job, step).await
    }

    /// Refuses what has certainly not been sent anywhere.
    pub(super) async fn refuse_unsent(&self, job: &Job, text: &str) -> Result<(), Trouble> {
        self.refuse_own(job, Outcome::failed(Reason::SystemStopped, text)).await
    }

    /// A query's outcome is its original's outcome: that we cannot ask says nothing of it.
    async fn refuse_own(&self, job: &Job, refusal: Outcome) -> Result<(), Trouble> {
        let is_query = job.request.operation == Operation::Query;
        let outcome = if is_query { Outcome::Unknown } else { refusal };
        self.settle(job, Settlement::ours(outcome)).await
    }

    /// The broker did not take the request, or may not have: the same bytes go out again shortly.
    async fn send_again_soon(&self, job: &Job) -> Result<(), Trouble> {
        let step = self.step(job.id, job.epoch, State::Sent);
        let due = step.at.saturating_add(RESEND_MS);
        match self
            .advance(Move {
                from: vec![State::Sent],
                due,
                ..step
            })
            .await
        {
            // Unknown by now: the queries decide when it goes out again.
            Err(Trouble::Stale(_)) => Ok(()),
            other => other,
        }
    }

    /// Where a request goes, and as which message.
    pub(super) fn route(&self, link_in: &str, operation: Operation, via: Option<&str>) -> Option<(&LinkParts, String)> {
        let link = self.links.get(via.or_else(|| self.route_of(link_in, operation))?)?;
        let kind = link.spec.message_for(operation, Role::Request)?;
        Some((link, kind.code.clone()))
    }

    /// The link that requests of a link and operation go out by.
    pub(super) fn route_of(&self, link_in: &str, operation: Operation) -> Option<&str> {
        let fits = |route: &&crate::config::RouteConfig| {
            let named = route
                .operations
                .as_ref()
                .is_none_or(|names| names.iter().any(|name| name == operation.name()));
            route.from == link_in && named
        };
        self.config.route.iter().find(fits).map(|route| route.to.as_str())
    }

    /// When a request sent now must have its answer.
    pub(super) fn answer_due(&self, link: &LinkParts) -> i64 {
        let answer_ms = i64::try_from(link.config.answer_ms).unwrap_or(i64::MAX);
        millis(self.clock.now()).saturating_add(answer_ms).saturating_add(MARGIN_MS)
    }

    /// When the query after `queries` earlier ones is due.
    pub(super) fn query_due(&self, settle: &SettleConfig, queries: i64) -> i64 {
        let waits = &settle.query_after_ms;
        let index = usize::try_from(queries)
            .unwrap_or(usize::MAX)
            .min(waits.len().saturating_sub(1));
        millis(self.clock.now()).saturating_add(waits.get(index).copied().unwrap_or(MARGIN_MS))
    }

    /// How an exchange's unknown outcome is settled: as its way out says, and its institution.
    pub(super) fn settle_of(&self, link: Option<&str>, institution: Option<&str>) -> SettleConfig {
        let Some(link) = link.and_then(|name| self.config.link.get(name)) else {
            return self.config.settle.clone();
        };
        self.config.settle.over(&link.settle, institution)
    }

    pub(super) fn settle_of_exchange(&self, exchange: &Exchange) -> SettleConfig {
        self.settle_of(exchange.link_out.as_deref(), exchange.institution.as_deref())
    }
}

/// Calls, and calls again with the same bytes as long as nothing was sent and there is time.
pub(super) async fn call_until(caller: &dyn Caller, wire: &Wire, limit: Duration) -> Result<Wire, CallError> {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_millis(20);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match caller.call(wire, left).await {
            Err(CallError::NotSent(_)) if left > pause => tokio::time::sleep(pause).await,
            other => return other,
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Where an answer on a call's connection came from, for the parked store.
const ANSWER: &str = "answer";
/// What the sweeper allows beyond a deadline before it takes an exchange up, so that the task in hand comes first.
const MARGIN_MS: i64 = 500;
/// Between two publishes of a request that the broker did not confirm.
const RESEND_MS: i64 = 500;

/// The payment of a reply that is known to be one.
pub(super) fn is_final(payment: &Payment) -> bool {
    payment.outcome.as_ref().is_some_and(Outcome::is_final)
}
