//! Straight through: where nothing stands in a payment's way, its acceptance and its first attempt are one write of the journal.
//!
//! What would go out is made before it is known whether the request is new; for one that is not, it is thrown away unsent, with
//! its number. Whatever cannot go at once is accepted alone, and goes on or is refused from there.

use super::answer::Ids;
use super::{Gateway, Job, Lane, LinkParts, Place, Trouble};
use crate::journal::{Accepted, EPOCH_FIRST, Exchange, JournalError, Sending, State};
use crate::pipeline::{Received, Signed};
use codecs::payment::{Operation, Payment};
use codecs::wire::Wire;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What goes out for a request as soon as its acceptance is durable.
pub(super) struct Ready<'a> {
    link: &'a LinkParts,
    signed: Signed,
    ids: Ids,
    /// As the journal gets it, and then no more.
    sending: Option<Box<Sending>>,
    place: Option<Place>,
}

/// Outbound keys that stand in the journal for all we know, because the commit was not answered, and under which this process has
/// certainly sent nothing.
#[derive(Default)]
pub(super) struct Unsent(Mutex<BTreeSet<String>>);

impl Unsent {
    fn note(&self, key: &str) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= UNSENT_MAX {
            // Those forgotten are queried like everything that may have been sent.
            keys.clear();
        }
        keys.insert(key.to_owned());
    }

    fn holds(&self, key: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Gateway {
    /// Accepts a request together with the attempt to send it on, if it can go at once. `place` is what it holds already.
    pub(super) async fn accept_and_send(
        &self,
        link: &LinkParts,
        received: &Received,
        wire: &Wire,
        place: &mut Option<Place>,
    ) -> Result<(Accepted, Option<Ready<'_>>), Trouble> {
        let mut ready = self.ready(link, received, place).await;
        let sending = ready.as_mut().and_then(|ready| ready.sending.take());
        let out_key = sending.as_ref().map(|sending| sending.out_key.clone());
        let accepted = self.accept(link, received, wire, sending).await;
        if let (Err(Trouble::Journal(JournalError::Unknown(_))), Some(key)) = (&accepted, &out_key) {
            self.unsent.note(key);
        }
        let accepted = accepted?;
        let is_new = matches!(accepted, Accepted::New { .. });
        // What is not new gives the place back before it waits for anything.
        Ok((accepted, ready.filter(|_| is_new)))
    }

    /// Goes on with a new exchange: sends what it was accepted with, or works on it from the beginning.
    pub(super) async fn go_on(&self, job: &mut Job, original: Option<Exchange>, ready: Option<Ready<'_>>) -> Result<(), Trouble> {
        let Some(ready) = ready else {
            return self.work(job, original).await;
        };
        job.place = ready.place;
        self.send_signed(job, ready.link, &ready.signed, ready.ids).await
    }

    /// Whether an exchange stands as sent and was certainly not: its commit was not answered, and nobody has sent it since.
    pub(super) fn is_unsent(&self, exchange: &Exchange) -> bool {
        let key = exchange.out_key.as_deref().unwrap_or_default();
        exchange.state == State::Sent && exchange.attempts == 1 && exchange.epoch == EPOCH_FIRST && self.unsent.holds(key)
    }

    /// Before it is sent after all.
    pub(super) fn forget_unsent(&self, exchange: &Exchange) {
        self.unsent.forget(exchange.out_key.as_deref().unwrap_or_default());
    }

    /// Any trouble here is met again, and told, by the way that accepts first.
    async fn ready(&self, link_in: &LinkParts, received: &Received, place: &mut Option<Place>) -> Option<Ready<'_>> {
        let request = &received.payment;
        if !goes_straight(request.operation) {
            return None;
        }
        let (link, code) = self.route(&link_in.name, request.operation, None)?;
        let held = match (place.take(), self.bulkheads.get(&link.name)) {
            (None, Some(bulkhead)) => Some(bulkhead.try_place(&Lane::of(request))?),
            (held, _) => held,
        };
        let made = self.made_straight(request, link, &code).await;
        match made {
            Ok((signed, ids, sending)) => Some(Ready {
                link,
                signed,
                ids,
                sending: Some(sending),
                place: held,
            }),
            Err(_trouble) => {
                *place = held;
                None
            }
        }
    }

    async fn made_straight(
        &self,
        request: &Payment,
        link: &LinkParts,
        code: &str,
    ) -> Result<(Signed, Ids, Box<Sending>), Trouble> {
        let identity = if link.is_queue() {
            String::new()
        } else {
            self.identity().await?
        };
        let payment = self.forward_payment(&identity, request.clone(), link, code).await?;
        let (out_key, ids) = (super::accept::sent_key(link, &payment), Ids::sent(link, code, &payment));
        let signed = self.sign(link, payment, code)?;
        let sending = Sending {
            link_out: link.name.clone(),
            out_key,
            message: self.sent_record(&link.name, "request", &signed)?,
            due: self.answer_due(link),
        };
        Ok((signed, ids, Box::new(sending)))
    }

    /// A serial for a request that has no exchange yet, never given again in this journal.
    async fn identity(&self) -> Result<String, Trouble> {
        Ok(format!("xs{}", self.numbering.identity(&self.journal).await?))
    }
}

/// What is only sent on, whatever else there is.
const fn goes_straight(operation: Operation) -> bool {
    match operation {
        Operation::Sign | Operation::Terminate | Operation::Verify | Operation::Debit | Operation::Credit | Operation::Refund => {
            true
        }
        Operation::Cancel
        | Operation::Query
        | Operation::Notice
        | Operation::Status
        | Operation::Certificate
        | Operation::Ack
        | Operation::Echo => false,
    }
}

/// Keys that are remembered; each stands for a commit that was not answered.
const UNSENT_MAX: usize = 1_024;
