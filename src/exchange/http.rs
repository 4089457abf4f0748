//! What comes by HTTP: a counterparty's requests, answered on the same connection, with the outcome or "processing".

use super::accept::communication_key;
use super::answer::outcome_of;
use super::straight::Ready;
use super::waiting::Waiter;
use super::{Gateway, Job, LinkParts, Timing, Trouble};
use crate::clock::millis;
use crate::journal::{Accepted, EPOCH_FIRST, Exchange, MessageRecord, Move, Read, Search, State};
use crate::pipeline::{Received, Rejection, Step};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::spec::MessageSpec;
use codecs::wire::{Start, Wire};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What an HTTP requester gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HttpAnswer {
    /// An answer in the requester's own format; authenticated, but for the words by which its spec refuses.
    Message(Wire),
    /// The request was refused before it became an exchange: status and what was wrong. Not authenticated, so it says
    /// nothing of any payment.
    Refused { status: u16, rejection: Box<Rejection> },
    /// No answer for the moment; the same request may be sent again.
    Later { reason: String },
}

impl Gateway {
    /// Takes one HTTP request through. Whatever happens to the connection, an accepted exchange goes on: the shell runs
    /// this to its end on a task of its own.
    pub async fn from_http(self: Arc<Self>, link: String, wire: Wire) -> HttpAnswer {
        match self.answer(&link, &wire).await {
            Ok(answer) => answer,
            Err(trouble) => {
                tracing::error!(link, %trouble, "request not answered");
                HttpAnswer::Later {
                    reason: trouble.to_string(),
                }
            }
        }
    }

    async fn answer(&self, name: &str, wire: &Wire) -> Result<HttpAnswer, Trouble> {
        let timing = Timing::start();
        let link = self.link(name)?;
        self.check_current()?;
        if let Some(answer) = self.sign_in(link, wire) {
            return match answer {
                Ok(answer) => Ok(HttpAnswer::Message(answer)),
                Err(rejection) => self.refuse_http(link, wire, rejection).await,
            };
        }
        match self.received(link, wire, millis(self.clock.now()))? {
            Ok(received) => self.answer_received(link, wire, received, timing).await,
            Err(rejection) => self.refuse_http(link, wire, rejection).await,
        }
    }

    pub(super) async fn answer_received(
        &self,
        link: &LinkParts,
        wire: &Wire,
        received: Received,
        timing: Timing,
    ) -> Result<HttpAnswer, Trouble> {
        let is_notice = received.payment.role == Role::Notice && received.payment.operation == Operation::Notice;
        if received.payment.role != Role::Request && !is_notice {
            let rejection = Rejection::new(
                Step::Route,
                "route.role",
                "only requests and final-state notices are taken here",
            );
            return self.refuse_http(link, wire, Box::new(rejection)).await;
        }
        if is_lookup(link, &received) {
            return self.look_up(link, &received).await;
        }
        self.answer_request(link, wire, received, timing).await
    }

    async fn answer_request(
        &self,
        link: &LinkParts,
        wire: &Wire,
        received: Received,
        timing: Timing,
    ) -> Result<HttpAnswer, Trouble> {
        if let Some(rejection) = self.unacceptable(link, &received.payment) {
            return self.refuse_http(link, wire, Box::new(rejection)).await;
        }
        let Ok(mut place) = self.place_before(&link.name, &received.payment) else {
            self.counters.shed();
            return Ok(HttpAnswer::Later {
                reason: "too many requests of this institution or operation in flight".to_owned(),
            });
        };
        let key = communication_key(&link.name, &received.payment);
        let (accepted, ready) = if self.is_held(&received.payment) {
            (self.accept(link, &received, wire, None).await?, None)
        } else {
            self.accept_and_send(link, &received, wire, &mut place).await?
        };
        match accepted {
            Accepted::New { id, original } => {
                let mut job = Job::new(id, EPOCH_FIRST, &link.name, key, received, timing);
                job.place = place;
                self.answer_new(&mut job, original, ready).await
            }
            Accepted::Tombstoned { id } => {
                let job = Job::new(id, EPOCH_FIRST, &link.name, key, received, timing);
                self.refuse_tombstoned(&job).await?;
                self.hand_over(&job).await
            }
            Accepted::Repeat { exchange, reply } => {
                self.counters.duplicate();
                let job = Job::new(exchange.id, exchange.epoch, &link.name, key, received, timing);
                self.answer_repeat(&job, exchange, reply).await
            }
            Accepted::Again { exchange } => {
                let job = Job::new(exchange.id, exchange.epoch, &link.name, key, received, timing);
                let exchange = self.wait_for(exchange).await?;
                self.answer_again(&job, exchange, None).await
            }
            Accepted::Altered { exchange } => {
                self.counters.alarm();
                let detail = format!("the content differs from exchange {}", exchange.id);
                tracing::error!(exchange = exchange.id, "alarm: a repeated request was altered");
                self.refuse_http(
                    link,
                    wire,
                    Box::new(Rejection::new(Step::Duplicate, Reason::Altered.name(), detail)),
                )
                .await
            }
        }
    }

    /// Nothing that moves money begins while the centre has stopped.
    fn is_held(&self, payment: &Payment) -> bool {
        payment.operation.moves_money() && self.system().is_stopped()
    }

    async fn answer_new(
        &self,
        job: &mut Job,
        original: Option<Exchange>,
        ready: Option<Ready<'_>>,
    ) -> Result<HttpAnswer, Trouble> {
        let hold = self.hands.take(job.id);
        let waiter = self.waiting.register(job.id);
        if hold.is_none() {
            // The sweeper was quicker and works on it.
        } else if ready.is_none() && self.is_held(&job.request) {
            self.refuse_unsent(job, "the centre has stopped").await?;
        } else {
            self.go_on(job, original, ready).await?;
        }
        drop(hold);
        self.wait_for_reply(job, waiter).await?;
        self.hand_over(job).await
    }

    /// Waits for the counterparty's reply until the link's deadline, then the outcome is unknown. The reply may reach another
    /// instance, which leaves word; in case that is lost, the journal is looked at now and then.
    async fn wait_for_reply(&self, job: &mut Job, mut waiter: Waiter) -> Result<(), Trouble> {
        let exchange = self.exchange(job.id).await?;
        if exchange.state != State::Sent {
            return Ok(());
        }
        let link = self.link(exchange.link_out.as_deref().unwrap_or_default())?;
        let sent = Instant::now();
        let end = sent + Duration::from_millis(link.config.answer_ms);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let word = waiter.word(left.min(self.look_every())).await;
            // A journal that is away for a moment must not end the wait.
            let state = self.exchange(job.id).await.map_or(State::Sent, |exchange| exchange.state);
            if state != State::Sent {
                job.timing.away += word.unwrap_or_else(Instant::now).saturating_duration_since(sent);
                self.counters.leg(&link.name, job.timing.away);
                return Ok(());
            }
            if Instant::now() >= end {
                return match self.turn_unknown(job).await {
                    // The reply came at the last moment.
                    Err(Trouble::Stale(_)) => Ok(()),
                    other => other,
                };
            }
        }
    }

    /// The stored answer to this very request; a final one is then delivered.
    async fn hand_over(&self, job: &Job) -> Result<HttpAnswer, Trouble> {
        let Some(reply) = self.reply_to(&job.key).await? else {
            return Ok(HttpAnswer::Later {
                reason: "in work".to_owned(),
            });
        };
        let Some(wire) = self.outgoing(&reply)? else {
            let exchange = self.exchange(job.id).await?;
            return self.answer_again(job, exchange, Some(reply)).await;
        };
        if reply.part == "reply" {
            self.handed_over(job).await?;
        }
        Ok(HttpAnswer::Message(wire))
    }

    /// Delivered, unless it was before. It may have changed hands since the job began; what its requester got counts all the
    /// same.
    async fn handed_over(&self, job: &Job) -> Result<(), Trouble> {
        let id = match self.delivered(job).await {
            Err(Trouble::Stale(id)) => id,
            other => return other,
        };
        for _ in 0..HAND_OVER_TRIES {
            let exchange = self.exchange(id).await?;
            if exchange.state != State::Answered {
                break;
            }
            let step = Move {
                from: vec![State::Answered],
                ..self.step(id, exchange.epoch, State::Delivered)
            };
            match self.advance(step).await {
                Err(Trouble::Stale(_)) => {}
                other => return other,
            }
        }
        Ok(())
    }

    /// The stored reply byte for byte while its authentication is fresh; later it is authenticated anew, outcome unchanged.
    async fn answer_repeat(&self, job: &Job, exchange: Exchange, reply: Option<MessageRecord>) -> Result<HttpAnswer, Trouble> {
        if let Some(wire) = reply.as_ref().map(|reply| self.as_stored(reply)).transpose()?.flatten() {
            return self.answer_stored(job, &exchange, wire).await;
        }
        let exchange = self.wait_for(exchange).await?;
        // The final reply may have come while we waited.
        let Some(reply) = self.reply_to(&job.key).await? else {
            return self.answer_again(job, exchange, None).await;
        };
        match self.as_stored(&reply)? {
            Some(wire) => self.answer_stored(job, &exchange, wire).await,
            None => {
                self.answer_again(job, exchange, Some(reply).filter(|reply| reply.part == "reply"))
                    .await
            }
        }
    }

    /// The bytes of a final reply that may be handed over as they were stored.
    fn as_stored(&self, reply: &MessageRecord) -> Result<Option<Wire>, Trouble> {
        if self.is_fresh(reply) {
            self.outgoing(reply)
        } else {
            Ok(None)
        }
    }

    /// A final reply that may be handed over as it was stored: where authentication ages, only for a while.
    fn is_fresh(&self, reply: &MessageRecord) -> bool {
        let ages = self.link(&reply.link).is_ok_and(|link| link.spec.authentication_ages());
        if !ages {
            return reply.part == "reply";
        }
        let age = millis(self.clock.now()).saturating_sub(reply.at);
        reply.part == "reply" && age < FRESH_MS
    }

    /// A final reply that stands. It may have come after the exchange was last read, so the journal says whether this is the
    /// first time that it is handed over.
    async fn answer_stored(&self, job: &Job, exchange: &Exchange, wire: Wire) -> Result<HttpAnswer, Trouble> {
        if exchange.state != State::Delivered && exchange.link_in == job.link_in {
            self.handed_over(job).await?;
        }
        Ok(HttpAnswer::Message(wire))
    }

    async fn answer_again(&self, job: &Job, exchange: Exchange, replaces: Option<MessageRecord>) -> Result<HttpAnswer, Trouble> {
        let (wire, is_final) = self.reply_again(job, &exchange, outcome_of(&exchange), replaces).await?;
        // It may have been settled since it was last read; then the reply that stands is handed over.
        if is_final && exchange.state != State::Delivered && exchange.link_in == job.link_in {
            self.handed_over(job).await?;
        }
        Ok(HttpAnswer::Message(wire))
    }

    /// An answered exchange that came by this link is delivered when its requester, asking again, got the outcome.
    async fn handed_over_first(&self, job: &Job, exchange: &Exchange) -> Result<(), Trouble> {
        if exchange.state == State::Answered && exchange.link_in == job.link_in {
            return self.handed_over(job).await;
        }
        Ok(())
    }

    /// `GET /v1/payments/{id}`: reads, changes nothing, and so is no exchange of its own.
    async fn look_up(&self, link: &LinkParts, received: &Received) -> Result<HttpAnswer, Trouble> {
        let payment = &received.payment;
        let id = payment
            .text(Attribute::OriginalEndToEndId)
            .or_else(|| payment.text(Attribute::EndToEndId))
            .unwrap_or_default();
        let mut found = self.payments_of(link, id).await?;
        let (outcome, result) = match (found.pop(), found.is_empty()) {
            (Some(exchange), true) => {
                let job = Job::new(
                    exchange.id,
                    exchange.epoch,
                    &link.name,
                    String::new(),
                    received.clone(),
                    Timing::start(),
                );
                self.handed_over_first(&job, &exchange).await?;
                (outcome_of(&exchange), self.stored_result(&exchange).await?)
            }
            // Two payments under one id: saying the outcome of either would be a guess.
            (Some(_), false) => (Outcome::Unknown, None),
            (None, _) => (Outcome::failed(Reason::OriginalNotFound, "no such payment"), None),
        };
        let reply = self.lookup_reply(link, payment, outcome, result.as_ref()).await?;
        let code = link
            .spec
            .message(&received.code)
            .and_then(|kind| kind.reply.clone())
            .unwrap_or_default();
        Ok(HttpAnswer::Message(self.sign(link, reply, &code)?.wire().clone()))
    }

    /// The payments that came by this link under an end-to-end id; a cancel is known by what it cancels, not by this id.
    async fn payments_of(&self, link: &LinkParts, id: &str) -> Result<Vec<Exchange>, Trouble> {
        let search = Search {
            key: Some(id.to_owned()),
            limit: 64,
            ..Search::default()
        };
        let mut found = self.journal.read(Read::Search(Box::new(search))).await?.exchanges()?;
        found.retain(|exchange| {
            let is_named = exchange.end_to_end_id.as_deref().unwrap_or(&exchange.msg_id) == id;
            is_named && exchange.link_in == link.name && moves(exchange) && exchange.operation != Operation::Cancel.name()
        });
        Ok(found)
    }

    async fn lookup_reply(
        &self,
        link: &LinkParts,
        request: &Payment,
        outcome: Outcome,
        result: Option<&Payment>,
    ) -> Result<Payment, Trouble> {
        let mut reply = self.refusal_payment(link, request, outcome).await?;
        if let Some(result) = result {
            reply.copy(result, &[Attribute::BankTxId, Attribute::Amount, Attribute::SettlementDate]);
        }
        Ok(reply)
    }

    async fn refuse_http(&self, link: &LinkParts, wire: &Wire, rejection: Box<Rejection>) -> Result<HttpAnswer, Trouble> {
        self.counters.rejected(rejection.step);
        // What nobody we know has signed is answered, not kept: anybody could fill the journal with it.
        let is_known = matches!(rejection.step, Step::Translate | Step::Route | Step::Duplicate | Step::Match);
        let parked = if is_known {
            Some(self.park(link, &source(wire), wire, &rejection).await?)
        } else {
            None
        };
        let serial = rejection.header.as_ref().and_then(|header| header.text(Attribute::Serial));
        let became = if is_known {
            "request refused and parked"
        } else {
            "request refused"
        };
        tracing::warn!(link = link.name, parked, serial, %rejection, "{became}");
        let status = match rejection.step {
            Step::Verify => 401,
            Step::Duplicate => 409,
            Step::Parse | Step::Open | Step::Translate | Step::Route | Step::Match => 400,
        };
        let refused = link.spec.refused().map(|said| refusal(status, said));
        Ok(refused.unwrap_or(HttpAnswer::Refused { status, rejection }))
    }
}

/// The words by which a requester's format refuses.
fn refusal(status: u16, (content_type, body): (&str, &str)) -> HttpAnswer {
    HttpAnswer::Message(Wire {
        start: Start::Status(status),
        headers: vec![("content-type".to_owned(), content_type.to_owned())],
        body: body.as_bytes().to_vec(),
    })
}

fn source(wire: &Wire) -> String {
    match &wire.start {
        Start::Request { method, target } => format!("{method} {target}"),
        Start::Queue | Start::Status(_) => "http".to_owned(),
    }
}

/// A request that only asks what the gateway knows of an earlier one.
fn is_lookup(link: &LinkParts, received: &Received) -> bool {
    let kind = link.spec.message(&received.code);
    received.payment.operation == Operation::Query && kind.is_some_and(MessageSpec::is_bodyless)
}

fn moves(exchange: &Exchange) -> bool {
    exchange.business_key.is_some()
}

/// An exchange that changes hands more often than this within a moment is left to its next request.
const HAND_OVER_TRIES: u32 = 8;
/// Stored replies older than this are authenticated anew; half of the platform link's window.
const FRESH_MS: i64 = 150_000;
