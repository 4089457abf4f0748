//! What the institution sends: requests until a final answer comes, and notices until they are acknowledged.
//!
//! Bytes are written once. Whatever is not an authenticated answer is no answer: the same bytes go out again.

use super::{Direct, held, one_more};
use crate::counterparty::{Refusal, Step, Twist};
use crate::ids::stamp;
use codecs::payment::{Attribute, Operation, Outcome, Payment, Role};
use codecs::wire::Wire;
use std::time::Duration;
use tokio::time::Instant;

/// How a request ended.
pub(super) struct Sent {
    pub(super) outcome: Outcome,
    /// Until the final answer.
    pub(super) latency: Option<Duration>,
    /// The bytes of request and final answer.
    pub(super) wire: Wire,
    pub(super) answer: Option<Wire>,
}

impl Direct {
    /// Sends a request until its final outcome is known, and books it.
    pub(super) async fn send(&self, request: &Payment) -> Result<Sent, Refusal> {
        held(&self.inner.books).begin(request);
        let sent = self.exchange(request).await?;
        held(&self.inner.books).end(request, &sent.outcome);
        Ok(sent)
    }

    async fn exchange(&self, request: &Payment) -> Result<Sent, Refusal> {
        let wire = self.written(request, Twist::None)?;
        let config = &self.inner.config;
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(config.final_ms) {
            if let Some((outcome, answer)) = self.attempt(&wire, request).await? {
                return Ok(Sent {
                    outcome,
                    latency: Some(start.elapsed()),
                    wire,
                    answer: Some(answer),
                });
            }
            tokio::time::sleep(Duration::from_millis(config.pause_ms)).await;
            one_more(&self.inner.counts.repeats);
        }
        Ok(Sent {
            outcome: Outcome::Unknown,
            latency: None,
            wire,
            answer: None,
        })
    }

    /// One exchange; a final outcome and the bytes that say it, if it brought any.
    pub(super) async fn attempt(&self, wire: &Wire, request: &Payment) -> Result<Option<(Outcome, Wire)>, Refusal> {
        let limit = Duration::from_millis(self.inner.config.attempt_ms);
        let answer = match self.inner.line.call(wire, limit).await? {
            Ok(answer) => self.spec()?.named(wire, answer),
            Err(reason) => {
                tracing::info!(reason, "an institution asks again");
                return Ok(None);
            }
        };
        Ok(self.read(&answer, request).map(|outcome| (outcome, answer)))
    }

    pub(super) fn read(&self, answer: &Wire, request: &Payment) -> Option<Outcome> {
        let reply = match self.inner.party.receive(answer, self.inner.world.now()) {
            Ok(reply) => reply,
            Err(refusal) => {
                one_more(&self.inner.counts.rejected);
                tracing::warn!(%refusal, status = ?answer.start, "an answer was not accepted");
                return None;
            }
        };
        one_more(&self.inner.counts.verified);
        fitting(&reply, request)
    }

    /// Sends a request whose signature does not fit; says whether it was refused.
    pub(super) async fn forge_request(&self, request: &Payment) -> Result<bool, Refusal> {
        let wire = self.written(request, Twist::BadSignature)?;
        self.forge(&wire).await
    }

    /// The same with a notice.
    pub(super) async fn forge_notice(&self, about: &Payment) -> Result<bool, Refusal> {
        let number = self.bank_tx_id()?;
        match self.notice(about, &Outcome::Success, &number, Twist::BadSignature)? {
            Some((_, wire)) => self.forge(&wire).await,
            None => Ok(false),
        }
    }

    async fn forge(&self, wire: &Wire) -> Result<bool, Refusal> {
        one_more(&self.inner.counts.forged);
        let limit = Duration::from_millis(self.inner.config.attempt_ms);
        let refused = self.inner.line.is_refused(wire, limit).await?;
        if refused {
            one_more(&self.inner.counts.forged_refused);
        }
        Ok(refused)
    }

    /// Tells how a request of the bank's ended, until that is acknowledged. Nothing where the spec has no such notice.
    pub(super) async fn tell(&self, about: &Payment, outcome: &Outcome, bank_tx_id: &str) -> Result<(), Refusal> {
        let Some((notice, wire)) = self.notice(about, outcome, bank_tx_id, Twist::None)? else {
            return Ok(());
        };
        let config = &self.inner.config;
        for _ in 0..NOTICES_MAX {
            tokio::time::sleep(Duration::from_millis(config.pause_ms)).await;
            let limit = Duration::from_millis(config.attempt_ms);
            let answer = self.put_once(&notice, &wire, "", limit).await?;
            if answer.is_some_and(|answer| answer.role == Role::Ack) {
                one_more(&self.inner.counts.notices);
                return Ok(());
            }
            one_more(&self.inner.counts.repeats);
        }
        tracing::warn!("a notice was never acknowledged");
        Ok(())
    }

    /// A notice as bytes, and the acknowledgement that is due.
    fn notice(
        &self,
        about: &Payment,
        outcome: &Outcome,
        bank_tx_id: &str,
        twist: Twist,
    ) -> Result<Option<(Payment, Wire)>, Refusal> {
        let Some(notice) = self.notice_about(about, outcome, bank_tx_id)? else {
            return Ok(None);
        };
        let wire = self.written(&notice, twist)?;
        Ok(Some((notice, wire)))
    }

    pub(super) fn notice_about(&self, about: &Payment, outcome: &Outcome, bank_tx_id: &str) -> Result<Option<Payment>, Refusal> {
        let Some(kind) = self.spec()?.notice_of(about.operation) else {
            return Ok(None);
        };
        let now = self.inner.world.now();
        let id = about.text(Attribute::EndToEndId).unwrap_or_default();
        let mut notice = Payment::new(Operation::Notice, Role::Notice);
        notice.copy(about, &[Attribute::Sender, Attribute::Amount, Attribute::Agreement]);
        notice
            .set_text(Attribute::MessageCode, &*kind.code)
            .set_text(Attribute::Serial, format!("N{id}"))
            .set_text(Attribute::OriginalEndToEndId, id)
            .set_text(Attribute::BankTxId, bank_tx_id)
            .set_text(Attribute::CreatedAt, stamp(now));
        notice.outcome = Some(outcome.clone());
        Ok(Some(notice))
    }

    /// What acknowledges a notice; nothing for any other message.
    pub(super) fn acknowledgement(&self, notice: &Payment) -> Result<Option<(Payment, Wire)>, Refusal> {
        if notice.role != Role::Notice {
            return Ok(None);
        }
        let kind = self.spec()?.message(notice.text(Attribute::MessageCode).unwrap_or_default());
        let code = kind.and_then(|kind| kind.reply.clone()).unwrap_or_default();
        let mut acknowledgement = Payment::new(Operation::Ack, Role::Ack);
        acknowledgement.copy(notice, &[Attribute::Sender, Attribute::CreatedAt]);
        let wire = self.emitted(&code, &acknowledgement, Twist::None)?;
        Ok(Some((acknowledgement, wire)))
    }

    pub(super) fn written(&self, request: &Payment, twist: Twist) -> Result<Wire, Refusal> {
        let code = request.text(Attribute::MessageCode).ok_or_else(|| Refusal {
            step: Step::Build,
            text: "the request names no message".to_owned(),
        })?;
        self.emitted(code, request, twist)
    }

    pub(super) fn emitted(&self, code: &str, payment: &Payment, twist: Twist) -> Result<Wire, Refusal> {
        let (party, world) = (&self.inner.party, &self.inner.world);
        party.emit_twisted(code, payment, world.now(), &mut world.rng(), twist)
    }
}

/// The final outcome that a reply brings to a request, if it is one to it.
pub(super) fn fitting(reply: &Payment, request: &Payment) -> Option<Outcome> {
    let same = |attribute| {
        let (said, asked) = (reply.value(attribute), request.value(attribute));
        said.is_none() || asked.is_none() || said == asked
    };
    let fits = reply.role == Role::Reply && reply.operation == request.operation;
    let fits = fits && same(Attribute::EndToEndId) && same(Attribute::Amount);
    reply.outcome.clone().filter(|outcome| fits && outcome.is_final())
}

const NOTICES_MAX: u32 = 20;
