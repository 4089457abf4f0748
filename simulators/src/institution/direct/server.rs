//! The institution as the bank calls it: it verifies, executes once, answers, and tells later what it could not say at once.

use super::course::Manner;
use super::request::numbered;
use super::{Direct, held, one_more};
use crate::counterparty::{Refusal, Step, Twist};
use crate::http::{plain, response_of, wire_of};
use crate::ids::stamp;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
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
    let received = direct.inner.party.receive(&wire_of(&head, &body), direct.inner.world.now());
    let request = match received {
        Ok(request) if request.role == Role::Request => request,
        Ok(_) => return direct.reject("not a request"),
        Err(refusal) => return direct.reject(&refusal.to_string()),
    };
    one_more(&direct.inner.counts.verified);
    let answered = direct.answer(&request).await;
    answered.and_then(response_of).unwrap_or_else(|refusal| {
        tracing::error!(%refusal, "an institution could not write its answer");
        plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain",
            refusal.to_string().into_bytes(),
        )
    })
}

impl Direct {
    fn reject(&self, text: &str) -> Response<Body> {
        one_more(&self.inner.counts.rejected);
        tracing::warn!(text, "a request was not accepted");
        plain(StatusCode::UNAUTHORIZED, "text/plain", text.as_bytes().to_vec())
    }

    async fn answer(&self, request: &Payment) -> Result<Wire, Refusal> {
        if request.operation == Operation::Query {
            return self.answer_query(request);
        }
        let manner = self.manner(request);
        let (outcome, bank_tx_id) = self.execute(request, manner);
        match manner {
            Manner::Executes | Manner::Refuses => self.answer_or_tell(request, &outcome, &bank_tx_id),
            Manner::TellsLater => {
                self.tell_soon(request, &outcome, &bank_tx_id);
                self.reply(request, &Outcome::Unknown, &bank_tx_id, Twist::None)
            }
            Manner::SignsWrongly => {
                let twisted = self.reply(request, &outcome, &bank_tx_id, Twist::BadSignature);
                twisted.or_else(|_| self.reply(request, &Outcome::Unknown, &bank_tx_id, Twist::BadSignature))
            }
            Manner::Silent => {
                self.inner.stop.cancelled().await;
                Err(Refusal {
                    step: Step::Build,
                    text: "stopping".to_owned(),
                })
            }
        }
    }

    fn manner(&self, request: &Payment) -> Manner {
        let name = request.text(Attribute::EndToEndId).unwrap_or_default();
        held(&self.inner.manners).get(name).copied().unwrap_or(Manner::Executes)
    }

    /// Books a request once; whoever asks again hears the same.
    fn execute(&self, request: &Payment, manner: Manner) -> (Outcome, String) {
        let outcome = if manner == Manner::Refuses {
            Outcome::failed(Reason::InsufficientFunds, "the balance is too small")
        } else {
            Outcome::Success
        };
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
    fn answer_or_tell(&self, request: &Payment, outcome: &Outcome, bank_tx_id: &str) -> Result<Wire, Refusal> {
        match self.reply(request, outcome, bank_tx_id, Twist::None) {
            Err(refusal) if refusal.step == Step::Build => {
                self.tell_soon(request, outcome, bank_tx_id);
                self.reply(request, &Outcome::Unknown, bank_tx_id, Twist::None)
            }
            other => other,
        }
    }

    fn answer_query(&self, query: &Payment) -> Result<Wire, Refusal> {
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
        self.reply(&told, &outcome, &bank_tx_id, Twist::None)
    }

    fn reply(&self, request: &Payment, outcome: &Outcome, bank_tx_id: &str, twist: Twist) -> Result<Wire, Refusal> {
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
        self.emitted(&code, &reply, twist)
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
