//! Parked messages on their way back: the stored bytes through the whole pipeline, as if they had just come from their link.
//!
//! A release keeps the message's bytes and keys, so whoever does it twice (a crash in between, two instances) finds a repeat:
//! one effect. What is refused again stays parked in its own row, because parking knows the bytes.

use super::accept::{communication_key, reference_key};
use super::{Gateway, HttpAnswer, LinkParts, Timing, Trouble};
use crate::clock::millis;
use crate::journal::{ExchangeId, Parked, Read, Resolution, Write};
use crate::limits::RELEASES_LISTED;
use crate::pipeline::{Received, Rejection, Step};
use crate::record;
use codecs::payment::Role;
use codecs::wire::Wire;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why a parked message did not go through.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreleased {
    /// It stays parked.
    #[error("{0}")]
    Refused(String),
    /// Another task of this instance has it in hand.
    #[error("its release is under way")]
    InHand,
    /// It may be tried again.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// Releases that this instance has in hand, each with why it was refused again.
#[derive(Default)]
pub(super) struct Releases(Mutex<BTreeMap<i64, Option<String>>>);

/// Holds a release until dropped.
struct Hold<'a> {
    releases: &'a Releases,
    id: i64,
}

impl Gateway {
    /// Parked messages whose release was asked for.
    pub async fn releasing(&self) -> Result<Vec<Parked>, Trouble> {
        let read = Read::Parked {
            id: None,
            status: Some("releasing"),
            limit: RELEASES_LISTED,
        };
        Ok(self.journal.read(read).await?.parked()?)
    }

    /// Releases a message, if no other task has it in hand, and notes what became of it.
    pub async fn take_up_release(&self, parked: Parked) {
        let id = parked.id;
        let resolution = match self.release(&parked).await {
            Ok(exchange) => (Resolution::Released(exchange), None),
            Err(Unreleased::Refused(reason)) => (Resolution::Parked, Some(refused_note(&parked, &reason))),
            Err(Unreleased::InHand) => return,
            Err(Unreleased::Trouble(trouble)) => {
                return tracing::error!(parked = id, %trouble, "not released yet; it is tried again");
            }
        };
        tracing::info!(parked = id, resolution = ?resolution.0, "release done");
        let write = Write::Resolve {
            id,
            to: resolution.0,
            note: resolution.1,
            at: millis(self.clock.now()),
        };
        // A conflict is another instance's word on the same bytes.
        if let Err(error) = self.journal.write(write).await {
            tracing::error!(parked = id, %error, "release not noted; it is done again, with one effect");
        }
    }

    /// Takes a parked message's bytes through the pipeline; gives the exchange that it became, repeated or settled, if it
    /// is one.
    pub async fn release(&self, parked: &Parked) -> Result<Option<ExchangeId>, Unreleased> {
        let hold = self.releases.take(parked.id).ok_or(Unreleased::InHand)?;
        self.release_held(parked, &hold).await
    }

    async fn release_held(&self, parked: &Parked, hold: &Hold<'_>) -> Result<Option<ExchangeId>, Unreleased> {
        let refused = |reason: &dyn std::fmt::Display| Unreleased::Refused(reason.to_string());
        let link = self.link(&parked.park.link).map_err(|trouble| refused(&trouble))?;
        let wire = self.parked_bytes(parked)?;
        let received = self
            .receive_again(link, parked, &wire)?
            .map_err(|rejection| refused(&rejection))?;
        let fed = self.feed(link, parked, &wire, received.clone()).await;
        if let Some(reason) = hold.refusal() {
            return Err(Unreleased::Refused(reason));
        }
        let is_request = received.payment.role != Role::Reply;
        match fed {
            Ok(Some(rejection)) => Err(refused(&rejection)),
            Ok(None) | Err(Trouble::Stale(_)) => match self.became(link, &received).await? {
                // There was no place for it: it is fed again at the next look.
                None if !link.is_queue() => Err(Unreleased::InHand),
                became => Ok(became),
            },
            Err(trouble @ (Trouble::Journal(_) | Trouble::Record(_) | Trouble::Confused(_))) => Err(trouble.into()),
            Err(trouble) => match self.became(link, &received).await? {
                // The exchange is durable, so it is taken up again by itself.
                Some(exchange) if is_request => Ok(Some(exchange)),
                Some(_) | None => Err(refused(&trouble)),
            },
        }
    }

    /// The exact bytes; a message of which only the beginning was kept cannot be released.
    fn parked_bytes(&self, parked: &Parked) -> Result<Wire, Unreleased> {
        let keyring = self.keyring.load();
        let opened = record::open_parked(&keyring, &parked.park.link, &parked.park.record);
        let wire = opened.map_err(|error| Unreleased::Refused(error.to_string()))?;
        let digest = record::parked_digest(&keyring, &wire.body).map_err(|error| Unreleased::Refused(error.to_string()))?;
        if digest == parked.park.digest {
            return Ok(wire);
        }
        Err(Unreleased::Refused(
            "the stored bytes are not the whole message that came".to_owned(),
        ))
    }

    /// An HTTP message that was verified when it came is not too old because a person took time to decide on it.
    fn receive_again(&self, link: &LinkParts, parked: &Parked, wire: &Wire) -> Result<Result<Received, Box<Rejection>>, Trouble> {
        let received = self.received(link, wire, millis(self.clock.now()))?;
        let was_verified = VERIFIED.iter().any(|step| step.name() == parked.park.step);
        match received {
            Err(rejection) if rejection.code == "signature.window" && was_verified && !link.is_queue() => {
                self.received(link, wire, parked.park.at)
            }
            received => Ok(received),
        }
    }

    /// Goes on as the entry of the link does. A queue's refusals are known from their parking, an HTTP one is the answer.
    async fn feed(
        &self,
        link: &LinkParts,
        parked: &Parked,
        wire: &Wire,
        received: Received,
    ) -> Result<Option<Box<Rejection>>, Trouble> {
        let timing = Timing::start();
        if link.is_queue() {
            let source = &parked.park.source;
            self.take_received(link, source, wire, received, &mut None, timing).await?;
            return Ok(None);
        }
        match self.answer_received(link, wire, received, timing).await? {
            HttpAnswer::Refused { rejection, .. } => Ok(Some(rejection)),
            // The answer has nobody to go to; the outcome is in the journal.
            HttpAnswer::Message(_) | HttpAnswer::Later { .. } => Ok(None),
        }
    }

    async fn became(&self, link: &LinkParts, received: &Received) -> Result<Option<ExchangeId>, Trouble> {
        let payment = &received.payment;
        let read = match payment.role {
            Role::Request | Role::Notice => Read::ByCommunicationKey(communication_key(&link.name, payment)),
            Role::Reply => Read::ByOutKey(reference_key(&link.name, payment)),
            Role::Ack => return Ok(None),
        };
        Ok(self.journal.read(read).await?.exchange()?.map(|exchange| exchange.id))
    }
}

impl Releases {
    fn take(&self, id: i64) -> Option<Hold<'_>> {
        let mut held = self.lock();
        if held.contains_key(&id) {
            return None;
        }
        held.insert(id, None);
        Some(Hold { releases: self, id })
    }

    /// Parking found the row of a message that is being released: it was refused again.
    pub(super) fn refused(&self, id: i64, rejection: &Rejection) {
        if let Some(refusal) = self.lock().get_mut(&id) {
            *refusal = Some(rejection.to_string());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold<'_> {
    fn refusal(&self) -> Option<String> {
        self.releases.lock().get(&self.id).cloned().flatten()
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.releases.lock().remove(&self.id);
    }
}

/// What the person wrote, and why it did not help.
fn refused_note(parked: &Parked, reason: &str) -> String {
    let asked = parked.note.as_deref().map(|note| format!("{note}; ")).unwrap_or_default();
    format!("{asked}refused again: {reason}")
}

/// Steps that only a verified message reaches.
const VERIFIED: [Step; 4] = [Step::Translate, Step::Route, Step::Duplicate, Step::Match];
