//! What comes by HTTP: a counterparty's requests, answered on the same connection, with the outcome or "processing".

use super::accept::communication_key;
use super::answer::outcome_of;
use super::{Gateway, Job, LinkParts, Timing, Trouble};
use crate::journal::{Accepted, EPOCH_FIRST, Exchange, MessageRecord, Read, State};
use crate::pipeline::{self, Received, Rejection, Step};
use crate::record;
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What an HTTP requester gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HttpAnswer {
    /// An authenticated answer.
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
        let received = {
            let keyring = self.keyring.load();
            pipeline::receive(wire, link.view(&keyring), self.clock.now())
        };
        let received = match received {
            Ok(received) => received,
            Err(rejection) => return self.refuse_http(link, wire, rejection).await,
        };
        if received.payment.role != Role::Request {
            let rejection = Rejection::new(Step::Route, "route.role", "only requests are taken here");
            return self.refuse_http(link, wire, Box::new(rejection)).await;
        }
        if is_lookup(&received) {
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
        let key = communication_key(&link.name, &received.payment);
        match self.accept(link, &received, wire).await? {
            Accepted::New { id, original } => {
                let mut job = Job::new(id, EPOCH_FIRST, &link.name, key, received, timing);
                self.answer_new(&mut job, original).await
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
                self.answer_again(&job, exchange).await
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

    async fn answer_new(&self, job: &mut Job, original: Option<Exchange>) -> Result<HttpAnswer, Trouble> {
        let hold = self.hands.take(job.id);
        let settled = self.waiting.register(job.id);
        if self.system().is_stopped() && job.request.operation.moves_money() {
            self.refuse_unsent(job, "the centre has stopped").await?;
        } else {
            self.work(job, original).await?;
        }
        drop(hold);
        self.wait_for_reply(job, settled).await?;
        self.hand_over(job).await
    }

    /// Waits for the counterparty's reply until the link's deadline, then the outcome is unknown.
    async fn wait_for_reply(&self, job: &mut Job, settled: tokio::sync::oneshot::Receiver<Instant>) -> Result<(), Trouble> {
        let exchange = self.exchange(job.id).await?;
        if exchange.state != State::Sent {
            return Ok(());
        }
        let link = self.link(exchange.link_out.as_deref().unwrap_or_default())?;
        let sent = Instant::now();
        let limit = Duration::from_millis(link.config.answer_ms);
        match tokio::time::timeout(limit, settled).await {
            Ok(arrived) => {
                job.timing.away += arrived
                    .unwrap_or_else(|_closed| Instant::now())
                    .saturating_duration_since(sent);
                self.counters.leg(&link.name, job.timing.away);
                Ok(())
            }
            Err(_elapsed) => match self.turn_unknown(job).await {
                // The reply came at the last moment.
                Err(Trouble::Stale(_)) => Ok(()),
                other => other,
            },
        }
    }

    /// The stored answer to this very request; a final one is then delivered.
    async fn hand_over(&self, job: &Job) -> Result<HttpAnswer, Trouble> {
        let messages = self.messages(job.id).await?;
        let last = messages
            .iter()
            .rfind(|message| message.direction == "sent" && is_answer(message) && message.link == job.link_in);
        let Some(last) = last else {
            return Ok(HttpAnswer::Later {
                reason: "in work".to_owned(),
            });
        };
        let wire = record::open(&self.keyring.load(), last)?;
        if last.part == "reply" {
            match self.delivered(job).await {
                Ok(()) | Err(Trouble::Stale(_)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(HttpAnswer::Message(wire))
    }

    /// The stored reply byte for byte while its authentication is fresh; later it is authenticated anew, outcome unchanged.
    async fn answer_repeat(&self, job: &Job, exchange: Exchange, reply: Option<MessageRecord>) -> Result<HttpAnswer, Trouble> {
        let age = |reply: &MessageRecord| crate::clock::millis(self.clock.now()).saturating_sub(reply.at);
        let Some(reply) = reply.filter(|reply| reply.part == "reply" && age(reply) < FRESH_MS) else {
            return self.answer_again(job, exchange).await;
        };
        let wire = record::open(&self.keyring.load(), &reply)?;
        if exchange.state == State::Answered {
            match self.delivered(job).await {
                Ok(()) | Err(Trouble::Stale(_)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(HttpAnswer::Message(wire))
    }

    async fn answer_again(&self, job: &Job, exchange: Exchange) -> Result<HttpAnswer, Trouble> {
        let exchange = self.wait_for(exchange).await?;
        let outcome = outcome_of(&exchange);
        let signed = self.reply_again(job, &exchange, outcome).await?;
        if exchange.state == State::Answered {
            match self.delivered(job).await {
                Ok(()) | Err(Trouble::Stale(_)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(HttpAnswer::Message(signed.wire().clone()))
    }

    /// `GET /v1/payments/{id}`: reads, changes nothing, and so is no exchange of its own.
    async fn look_up(&self, link: &LinkParts, received: &Received) -> Result<HttpAnswer, Trouble> {
        let id = received
            .payment
            .text(Attribute::OriginalEndToEndId)
            .or_else(|| received.payment.text(Attribute::EndToEndId));
        let search = crate::journal::Search {
            key: id.map(ToOwned::to_owned),
            limit: 8,
            ..Default::default()
        };
        let found = self.journal.read(Read::Search(Box::new(search))).await?.exchanges()?;
        let found = found
            .into_iter()
            .find(|exchange| exchange.link_in == link.name && moves(exchange));
        let (outcome, result) = match &found {
            Some(exchange) => (outcome_of(exchange), self.stored_result(exchange).await?),
            None => (Outcome::failed(Reason::OriginalNotFound, "no such payment"), None),
        };
        let reply = self.lookup_reply(link, &received.payment, outcome, result.as_ref()).await?;
        let code = link
            .spec
            .message(&received.code)
            .and_then(|kind| kind.reply.clone())
            .unwrap_or_default();
        Ok(HttpAnswer::Message(self.sign(link, &reply, &code)?.wire().clone()))
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
        tracing::warn!(link = link.name, %rejection, "request refused");
        self.counters.rejected(rejection.step);
        self.park(link, &source(wire), wire, &rejection).await?;
        let status = match rejection.step {
            Step::Verify => 401,
            Step::Duplicate => 409,
            Step::Parse | Step::Open | Step::Translate | Step::Route | Step::Match => 400,
        };
        Ok(HttpAnswer::Refused { status, rejection })
    }
}

fn source(wire: &Wire) -> String {
    match &wire.start {
        codecs::wire::Start::Request { method, target } => format!("{method} {target}"),
        codecs::wire::Start::Queue | codecs::wire::Start::Status(_) => "http".to_owned(),
    }
}

fn is_answer(message: &MessageRecord) -> bool {
    message.part == "reply" || message.part == "interim"
}

/// A request that only asks what the gateway knows of an earlier one.
fn is_lookup(received: &Received) -> bool {
    received.payment.operation == Operation::Query && received.code == LOOKUP
}

fn moves(exchange: &Exchange) -> bool {
    exchange.business_key.is_some()
}

/// Message code of `GET /v1/payments/{id}` (design section 8).
const LOOKUP: &str = "payment";
/// Stored replies older than this are authenticated anew; half of the platform link's window.
const FRESH_MS: i64 = 150_000;
