//! Settling an exchange and handing its reply over: outcome and exact reply bytes first durable, then sent.

use super::keys::aside;
use super::{Gateway, Job, LinkParts, Transport, Trouble};
use crate::clock::{Random, millis};
use crate::journal::{Exchange, ExchangeId, MessageRecord, Move, Read, State, StoredOutcome, Write};
use crate::mq::{Publication, Published};
use crate::pipeline::{self, Fault, Signed};
use crate::record::{self, Place};
use codecs::payment::{Attribute, Outcome, Payment, Reason};
use codecs::spec::MessageSpec;
use codecs::wire::Wire;
use keys::keyring::Keyring;
use tokio::time::Instant;

/// What settles an exchange.
pub(super) struct Settlement<'a> {
    pub(super) outcome: Outcome,
    /// The counterparty's answer, whose results go into the reply.
    pub(super) result: Option<&'a Payment>,
    /// Its exact bytes.
    pub(super) received: Option<MessageRecord>,
    /// When it arrived.
    pub(super) arrived: Instant,
}

impl Settlement<'_> {
    /// An outcome that the gateway itself knows.
    pub(super) fn ours(outcome: Outcome) -> Self {
        Self {
            outcome,
            result: None,
            received: None,
            arrived: Instant::now(),
        }
    }
}

impl Gateway {
    /// Makes a final outcome and its reply durable, wakes who waits for it, and sends the reply where the link is a queue.
    pub(super) async fn settle(&self, job: &Job, settlement: Settlement<'_>) -> Result<(), Trouble> {
        let Settlement {
            outcome,
            result,
            received,
            arrived,
        } = settlement;
        let (signed, ids) = self.writable_reply(job, &outcome, result).await?;
        let record = self.sent_record(&job.link_in, "reply", &signed)?;
        // What we decide ourselves is decided before anything is sent; from then on only the counterparty's word counts.
        let from = if received.is_some() {
            vec![State::Accepted, State::Sent, State::Unknown]
        } else {
            vec![State::Accepted]
        };
        let messages = received.into_iter().chain([record]).collect();
        let now = millis(self.clock.now());
        let step = Move {
            due: now.saturating_add(REDELIVER_MS),
            outcome: Some(stored(&outcome)),
            messages,
            answers: Some(job.key.clone()),
            ..Move::bare(job.id, job.epoch, from, State::Answered, now)
        };
        self.advance(step).await?;
        self.counters.settled(job.request.operation, &outcome);
        note_settled(job, &outcome);
        self.waiting.wake(job.id, arrived);
        let link = self.link(&job.link_in)?;
        if link.is_queue() && is_confirmed(link, self.publish_signed(link, &signed, ids).await) {
            self.delivered(job).await?;
        }
        Ok(())
    }

    /// The reply with everything the counterparty said; where that does not fit the requester's format, without it. An outcome
    /// must not be lost because a detail cannot be written.
    async fn writable_reply(&self, job: &Job, outcome: &Outcome, result: Option<&Payment>) -> Result<(Signed, Ids), Trouble> {
        let bare = match outcome {
            Outcome::Failed { reason, .. } => Outcome::failed(*reason, ""),
            Outcome::Success | Outcome::Unknown => outcome.clone(),
        };
        let mut fault = None;
        for (outcome, result) in [(outcome, result), (outcome, None), (&bare, None)] {
            let reply = self.reply_payment(job, outcome.clone(), result).await?;
            let ids = Ids::of(&reply);
            match self.sign_reply(job, reply) {
                Err(Trouble::Fault(Fault::Build(error))) => {
                    tracing::error!(exchange = job.id, %error, "alarm: a detail of the answer does not fit the reply");
                    self.counters.alarm();
                    fault = Some(error);
                }
                other => return Ok((other?, ids)),
            }
        }
        Err(fault.map_or(Trouble::Stale(job.id), |error| Trouble::Fault(Fault::Build(error))))
    }

    /// Tells the requester that the outcome is not known yet, and keeps that reply for repeats.
    pub(super) async fn answer_processing(&self, job: &Job, step: Move) -> Result<(), Trouble> {
        let reply = self.reply_payment(job, Outcome::Unknown, None).await?;
        let ids = Ids::of(&reply);
        let signed = self.sign_reply(job, reply)?;
        let record = self.sent_record(&job.link_in, "interim", &signed)?;
        let messages = step.messages.into_iter().chain([record]).collect();
        self.advance(Move {
            messages,
            answers: Some(job.key.clone()),
            ..step
        })
        .await?;
        self.waiting.wake(job.id, Instant::now());
        let link = self.link(&job.link_in)?;
        if link.is_queue() {
            is_confirmed(link, self.publish_signed(link, &signed, ids).await);
        }
        Ok(())
    }

    /// Marks an answered exchange delivered. Its time ends here, with the word that the reply is there: the journal may take a
    /// moment longer to note it.
    pub(super) async fn delivered(&self, job: &Job) -> Result<(), Trouble> {
        let total = job.timing.started.elapsed();
        let step = Move {
            from: vec![State::Answered],
            ..self.step(job.id, job.epoch, State::Delivered)
        };
        self.advance(step).await?;
        self.counters.delivered(job.request.operation, total, job.timing.away);
        Ok(())
    }

    /// Sends stored reply bytes; true when the broker confirmed them.
    pub(super) async fn send_reply(&self, link: &str, wire: &Wire) -> bool {
        let Ok(link) = self.link(link) else {
            return false;
        };
        let ids = Ids::peeked(link, wire, &self.keyring.load());
        is_confirmed(link, publish(link, wire, ids).await)
    }

    pub(super) fn sign_reply(&self, job: &Job, reply: Payment) -> Result<Signed, Trouble> {
        let link = self.link(&job.link_in)?;
        let code = link.spec.message(&job.code).and_then(|kind| kind.reply.clone());
        let code = code.ok_or_else(|| Trouble::Reread(format!("{} has no reply", job.code)))?;
        self.sign(link, reply, &code)
    }

    pub(super) fn sign(&self, link: &LinkParts, mut payment: Payment, code: &str) -> Result<Signed, Trouble> {
        payment.set_text(Attribute::MessageCode, code);
        // A general message, such as an acknowledgement, answers operations that it does not carry itself.
        if let Some(kind) = link
            .spec
            .message(code)
            .filter(|kind| !kind.operations().contains(&payment.operation))
        {
            payment.operation = kind.operation;
        }
        self.check_current()?;
        let keyring = self.keyring.load();
        let (now, mut rng) = (self.clock.now(), Random(&*self.entropy));
        let signed = aside(&keyring, || {
            pipeline::emit(&payment, code, link.view(&keyring), now, &mut rng)
        })?;
        self.traffic.sent(&link.name, signed.under(), millis(now));
        Ok(signed)
    }

    /// Publishes what was signed a moment ago, unless a key of it was revoked within that moment.
    pub(super) async fn publish_signed(&self, link: &LinkParts, signed: &Signed, ids: Ids) -> Published {
        if !self.is_still_good(link, signed) {
            return Published::Refused("a key that it stands under was revoked a moment ago".to_owned());
        }
        publish(link, signed.wire(), ids).await
    }

    pub(super) fn sent_record(&self, link: &str, part: &str, signed: &Signed) -> Result<MessageRecord, Trouble> {
        let place = Place {
            link,
            direction: "sent",
            part,
        };
        self.seal_record(place, signed.code(), signed.wire())
    }

    pub(super) fn received_record(&self, link: &str, part: &str, code: &str, wire: &Wire) -> Result<MessageRecord, Trouble> {
        let place = Place {
            link,
            direction: "received",
            part,
        };
        self.seal_record(place, code, wire)
    }

    fn seal_record(&self, place: Place<'_>, code: &str, wire: &Wire) -> Result<MessageRecord, Trouble> {
        let keyring = self.keyring.load();
        let message = record::seal(&keyring, &*self.entropy, place, code, wire, self.clock.now())?;
        self.note_sealed(&message);
        Ok(message)
    }

    /// A move that changes nothing but the state.
    pub(super) fn step(&self, id: ExchangeId, epoch: i64, to: State) -> Move {
        Move::bare(id, epoch, Vec::new(), to, millis(self.clock.now()))
    }

    /// Applies a move; one that no longer fits is `Stale`: somebody else was first.
    pub(super) async fn advance(&self, step: Move) -> Result<(), Trouble> {
        let id = step.id;
        if self.journal.write(Write::Move(Box::new(step))).await?.moved()? {
            Ok(())
        } else {
            Err(Trouble::Stale(id))
        }
    }

    pub(super) async fn exchange(&self, id: ExchangeId) -> Result<Exchange, Trouble> {
        self.journal
            .read(Read::Exchange(id))
            .await?
            .exchange()?
            .ok_or(Trouble::Stale(id))
    }

    pub(super) async fn messages(&self, id: ExchangeId) -> Result<Vec<MessageRecord>, Trouble> {
        Ok(self.journal.read(Read::Messages(id)).await?.messages()?)
    }
}

/// By which a message is known: its own serial, and that of the request that it answers.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Ids {
    pub(super) serial: Option<String>,
    refers_to: Option<String>,
}

impl Ids {
    pub(super) fn of(payment: &Payment) -> Self {
        let text = |attribute| payment.text(attribute).map(ToOwned::to_owned);
        Self {
            serial: text(Attribute::Serial),
            refers_to: text(Attribute::RefSerial),
        }
    }

    /// Of a request of ours, whose answer may name it by something else than a serial.
    pub(super) fn sent(link: &LinkParts, code: &str, payment: &Payment) -> Self {
        let names = link.spec.message(code).and_then(MessageSpec::named_by);
        Self {
            serial: names.and_then(|attribute| payment.text(attribute)).map(ToOwned::to_owned),
            ..Self::of(payment)
        }
    }

    /// Read off stored bytes, where the payment that they were made of is not in hand.
    pub(super) fn peeked(link: &LinkParts, wire: &Wire, keyring: &Keyring) -> Self {
        // Where not even the content can be opened, the transport's own words are all there is.
        let content = pipeline::stored_content(wire, link.view(keyring));
        let wire = content.as_deref().unwrap_or(wire);
        let ids = link.spec.peek(wire).as_ref().map(Self::of).unwrap_or_default();
        let inside = || {
            let mut message = link.spec.parse(wire).ok()?;
            // What is sealed for the counterparty alone stays closed, and names nothing.
            drop(pipeline::disclose_stored(&mut message, link.view(keyring)));
            message.serial()
        };
        let serial = ids.serial.clone().or_else(inside);
        Self { serial, ..ids }
    }
}

/// Publishes on a queue link. Ids are set for the broker's tools only; we correlate by header fields.
pub(super) async fn publish(link: &LinkParts, wire: &Wire, ids: Ids) -> Published {
    let Transport::Queue { mq, outbound } = &link.transport else {
        return Published::Refused(format!("link {} has no queue", link.name));
    };
    let publication = Publication {
        queue: outbound.clone(),
        message_id: ids.serial.unwrap_or_default(),
        correlation_id: ids.refers_to,
        content_type: "application/xml",
        body: wire.body.clone().into(),
    };
    mq.publish(publication).await
}

fn is_confirmed(link: &LinkParts, published: Published) -> bool {
    match published {
        Published::Confirmed => true,
        Published::Refused(reason) | Published::Unknown(reason) => {
            tracing::warn!(link = link.name, reason, "reply not confirmed; it is sent again");
            false
        }
    }
}

/// The one line of a business event. Ids and codes only: no account, no name.
fn note_settled(job: &Job, outcome: &Outcome) {
    let reason = match outcome {
        Outcome::Failed { reason, .. } => reason.name(),
        Outcome::Success | Outcome::Unknown => "",
    };
    tracing::info!(
        exchange = job.id,
        link = job.link_in,
        operation = job.request.operation.name(),
        institution = job.request.text(Attribute::Institution),
        msg_id = job.request.text(Attribute::MsgId),
        end_to_end_id = job.request.text(Attribute::EndToEndId),
        outcome = outcome.name(),
        reason,
        ms = u64::try_from(job.timing.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "settled"
    );
}

pub(super) fn stored(outcome: &Outcome) -> StoredOutcome {
    let (reason, text) = match outcome {
        Outcome::Failed { reason, text } => (Some(reason.name().to_owned()), Some(text.clone())),
        Outcome::Success | Outcome::Unknown => (None, None),
    };
    StoredOutcome {
        name: outcome.name().to_owned(),
        reason,
        text,
    }
}

/// The stored outcome in canonical form; absent means unknown.
pub(super) fn outcome_of(exchange: &Exchange) -> Outcome {
    match &exchange.outcome {
        Some(StoredOutcome { name, .. }) if name == Outcome::Success.name() => Outcome::Success,
        Some(StoredOutcome { name, reason, text }) if name != Outcome::Unknown.name() => {
            let reason = reason.as_deref().and_then(Reason::parse).unwrap_or(Reason::Other);
            Outcome::failed(reason, text.clone().unwrap_or_default())
        }
        Some(_) | None => Outcome::Unknown,
    }
}

/// After this an answered exchange whose reply was not confirmed is sent again.
const REDELIVER_MS: i64 = 1_000;
