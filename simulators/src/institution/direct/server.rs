//! The institution as the bank calls it: it verifies, executes once, answers, and tells later what it could not say at once.

use super::course::Manner;
use super::request::numbered;
use super::script::{Conduct, DirectFault};
use super::{Direct, NAME, held, one_more};
use crate::counterparty::{Refusal, Step, Twist};
use crate::fault::Fault;
use crate::http::{plain, response_of, wire_of};
use crate::ids::stamp;
use crate::witness::Seen;
use crate::world::Dice;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use std::time::Duration;
use tokio::net::TcpListener;

pub(super) async fn serve(listener: TcpListener, direct: Direct) {
    let stop = direct.inner.stop.clone();
    let router = Router::new().fallback(handle).with_state(direct);
    let served = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = served.await {
        tracing::warn!(%error, "an institution's server ended");
    }
}

async fn handle(State(direct): State<Direct>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", b"too large".to_vec());
    };
    if direct.is_silent() {
        return direct.hold().await;
    }
    let wire = wire_of(&head, &body);
    let read = direct.inner.party.receive(&wire, direct.inner.world.now());
    direct.inner.world.tell(|| Seen::received(NAME, read.as_ref(), &wire.body));
    let request = match read {
        Ok(request) if request.role == Role::Request => request,
        Ok(_) => return direct.reject("not a request"),
        Err(refusal) => return direct.reject(&refusal.to_string()),
    };
    one_more(&direct.inner.counts.verified);
    let conduct = direct.conduct(&request);
    let response = direct.respond(&request, conduct).await.unwrap_or_else(|refusal| {
        tracing::error!(%refusal, "an institution could not write its answer");
        plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain",
            refusal.to_string().into_bytes(),
        )
    });
    if conduct.dies {
        direct.go_silent(true);
    }
    response
}

impl Direct {
    fn reject(&self, text: &str) -> Response<Body> {
        one_more(&self.inner.counts.rejected);
        tracing::warn!(text, "a request was not accepted");
        plain(StatusCode::UNAUTHORIZED, "text/plain", text.as_bytes().to_vec())
    }

    /// Holds the request until the caller gives up or the institution stops.
    async fn hold(&self) -> Response<Body> {
        self.inner.stop.cancelled().await;
        plain(StatusCode::SERVICE_UNAVAILABLE, "text/plain", b"stopping".to_vec())
    }

    /// Executes at once, and answers as it is to.
    async fn respond(&self, request: &Payment, conduct: Conduct) -> Result<Response<Body>, Refusal> {
        let answer = self.answer(request, conduct);
        match conduct.fault {
            Some(DirectFault::Never) => return Ok(self.hold().await),
            Some(DirectFault::Delay(milliseconds)) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
            Some(DirectFault::Status500) => {
                self.tell_unsigned(request, DirectFault::Status500.name());
                return Ok(plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "text/plain",
                    b"internal error".to_vec(),
                ));
            }
            Some(DirectFault::Garbage) => {
                self.tell_unsigned(request, DirectFault::Garbage.name());
                return Ok(plain(StatusCode::OK, "text/plain", b"{\"outcome\":".to_vec()));
            }
            Some(DirectFault::Processing | DirectFault::Answer(_)) | None => {}
        }
        let (reply, mut wire) = answer?;
        let fault = match conduct.fault {
            Some(DirectFault::Answer(fault)) => Some(fault),
            _ => None,
        };
        if let Some(fault) = fault {
            let mut dice = Dice::new(0, wire.body.len() as u64);
            fault.change(&mut wire.body, &mut dice);
        }
        self.inner
            .world
            .tell(|| Seen::sent(NAME, &reply, &wire.body).remarking(fault.map_or("", Fault::name)));
        response_of(wire)
    }

    /// Tells a watcher of an answer that is no message.
    fn tell_unsigned(&self, request: &Payment, remark: &str) {
        let seen = || Seen::sent(NAME, request, &[]).remarking(remark);
        self.inner.world.tell(|| Seen { message: None, ..seen() });
    }

    fn answer(&self, request: &Payment, conduct: Conduct) -> Result<(Payment, Wire), Refusal> {
        let twist = conduct.fault.map_or(Twist::None, DirectFault::twist);
        if request.operation == Operation::Query {
            return self.answer_query(request, twist);
        }
        let (outcome, bank_tx_id) = self.execute(request, conduct.refusal);
        if conduct.fault == Some(DirectFault::Processing) {
            if conduct.tells {
                self.tell_soon(request, &outcome, &bank_tx_id);
            }
            return self.reply(request, &Outcome::Unknown, &bank_tx_id, twist);
        }
        self.answer_or_tell(request, &outcome, &bank_tx_id, twist)
    }

    pub(super) fn manner(&self, request: &Payment) -> Manner {
        if request.operation == Operation::Query {
            return Manner::Executes;
        }
        let name = request.text(Attribute::EndToEndId).unwrap_or_default();
        held(&self.inner.manners).get(name).copied().unwrap_or(Manner::Executes)
    }

    /// Books a request once; whoever asks again hears the same.
    fn execute(&self, request: &Payment, refusal: Option<Reason>) -> (Outcome, String) {
        let outcome = refusal.map_or(Outcome::Success, |reason| {
            Outcome::failed(reason, "refused by the institution")
        });
        let number = self.bank_tx_id().unwrap_or_default();
        let booked = held(&self.inner.books).execute(request, outcome, number);
        (booked.outcome, booked.bank_tx_id)
    }

    /// A new number of the institution's own.
    pub(super) fn bank_tx_id(&self) -> Result<String, Refusal> {
        let serial = self.inner.config.first_serial + one_more(&self.inner.counts.executed);
        Ok(numbered(self.spec()?, Attribute::BankTxId, serial, self.inner.world.now()))
    }

    /// An answer that cannot say the outcome only says that the request was taken; a notice follows.
    fn answer_or_tell(
        &self,
        request: &Payment,
        outcome: &Outcome,
        bank_tx_id: &str,
        twist: Twist,
    ) -> Result<(Payment, Wire), Refusal> {
        match self.reply(request, outcome, bank_tx_id, twist) {
            Err(refusal) if refusal.step == Step::Build => {
                if twist == Twist::None {
                    self.tell_soon(request, outcome, bank_tx_id);
                }
                self.reply(request, &Outcome::Unknown, bank_tx_id, twist)
            }
            other => other,
        }
    }

    fn answer_query(&self, query: &Payment, twist: Twist) -> Result<(Payment, Wire), Refusal> {
        let mut told = query.clone();
        let booked = held(&self.inner.books).asked_for(query).cloned();
        let (outcome, bank_tx_id) = match booked {
            Some(booked) => {
                told.copy(&booked.request, &[Attribute::Amount]);
                (booked.outcome, booked.bank_tx_id)
            }
            // It may be on its way: saying that it failed would be a guess.
            None => (Outcome::Unknown, String::new()),
        };
        self.reply(&told, &outcome, &bank_tx_id, twist)
    }

    fn reply(&self, request: &Payment, outcome: &Outcome, bank_tx_id: &str, twist: Twist) -> Result<(Payment, Wire), Refusal> {
        let asked = request.text(Attribute::MessageCode).unwrap_or_default();
        let code = self.spec()?.message(asked).and_then(|kind| kind.reply.clone());
        let code = code.ok_or_else(|| Refusal {
            step: Step::Sign,
            text: format!("{asked} has no reply"),
        })?;
        let mut reply = request.clone();
        (reply.role, reply.outcome) = (Role::Reply, Some(outcome.clone()));
        reply.set_text(Attribute::CreatedAt, stamp(self.inner.world.now()));
        if !bank_tx_id.is_empty() {
            reply.set_text(Attribute::BankTxId, bank_tx_id);
        }
        let wire = self.emitted(&code, &reply, twist)?;
        Ok((reply, wire))
    }

    /// On a task of its own: the notice must not hold up the answer.
    fn tell_soon(&self, request: &Payment, outcome: &Outcome, bank_tx_id: &str) {
        let (direct, request, outcome, bank_tx_id) = (self.clone(), request.clone(), outcome.clone(), bank_tx_id.to_owned());
        tokio::spawn(async move {
            let stop = direct.inner.stop.clone();
            tokio::select! {
                told = direct.tell(&request, &outcome, &bank_tx_id) => {
                    if let Err(refusal) = told {
                        tracing::error!(%refusal, "a notice could not be written");
                    }
                }
                () = stop.cancelled() => {}
            }
        });
    }
}

const BODY_BYTES_MAX: usize = 64 * 1024;
