//! Places and turns: what an exchange holds at the link that it goes out by, and how it goes on when its turn has come.

use super::answer::Settlement;
use super::bulkhead::Wish;
use super::{Gateway, Job, Lane, LinkParts, Phase, Place, Trouble};
use crate::journal::{Exchange, ExchangeId};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason};
use std::collections::BTreeMap;
use std::time::Duration;

impl Gateway {
    /// True when the job has its place and may go out. Otherwise it waits in line, or it was told that there is none.
    pub(super) async fn has_place(&self, job: &mut Job, link: &LinkParts) -> Result<bool, Trouble> {
        let Some(bulkhead) = self.bulkheads.get(&link.name).filter(|_| job.place.is_none()) else {
            return Ok(true);
        };
        let lane = Lane::of(&job.request);
        if self.phase() >= Phase::Stopping {
            // Nobody calls the next one up any more: what finds no place goes on at another instance.
            job.place = bulkhead.try_place(&lane);
            return Ok(job.place.is_some());
        }
        match bulkhead.place(&lane, job.id).await {
            Wish::Granted(place) => {
                job.place = Some(place);
                Ok(true)
            }
            Wish::LinedUp => {
                job.is_lined_up = true;
                Ok(false)
            }
            Wish::Busy if self.phase() >= Phase::Stopping => Ok(false),
            Wish::Busy => self.send_away(job).await.map(|()| false),
        }
    }

    /// A place for a request that was not accepted yet, by the link that it would go out by. `Err` when it has to come again;
    /// what may be answered without going out asks for its place later.
    pub(super) fn place_before(&self, link_in: &str, request: &Payment) -> Result<Option<Place>, ()> {
        let operation = request.operation;
        if matches!(operation, Operation::Cancel | Operation::Query) {
            return Ok(None);
        }
        let bulkhead = self.route_of(link_in, operation).and_then(|name| self.bulkheads.get(name));
        let Some(bulkhead) = bulkhead else { return Ok(None) };
        bulkhead.try_place(&Lane::of(request)).map(Some).ok_or(())
    }

    /// The next exchange of a link's lines that can have a place; waits until there is one.
    pub async fn next_turn(&self, link: &str) -> (ExchangeId, Place) {
        match self.bulkheads.get(link) {
            Some(bulkhead) => bulkhead.next().await,
            None => std::future::pending().await,
        }
    }

    /// Goes on with an exchange whose turn has come.
    pub async fn take_turn(&self, id: ExchangeId, place: Place) {
        for _ in 0..HOLD_TRIES {
            // Whoever lined it up may not have let go of it yet.
            if let Some(_hold) = self.hands.take(id) {
                return self.revisit_with(id, Some(place)).await;
            }
            tokio::time::sleep(HOLD_PAUSE).await;
        }
        drop(place);
        if let Ok(exchange) = self.exchange(id).await {
            self.put_off(&exchange, 0).await;
        }
    }

    /// How many wait in line, by link.
    pub fn lined_up(&self) -> BTreeMap<&str, usize> {
        let bulkheads = self.bulkheads.iter();
        bulkheads
            .map(|(name, bulkhead)| (name.as_str(), bulkhead.lined_up()))
            .collect()
    }

    /// A payment that was never sent is refused, which is certain. A cancel must not fail for such a reason: it comes up again.
    async fn send_away(&self, job: &Job) -> Result<(), Trouble> {
        self.counters.shed();
        match job.request.operation {
            Operation::Cancel => self.cancel_later(job).await,
            Operation::Query => self.settle(job, Settlement::ours(Outcome::Unknown)).await,
            Operation::Sign
            | Operation::Terminate
            | Operation::Verify
            | Operation::Debit
            | Operation::Credit
            | Operation::Refund
            | Operation::Notice
            | Operation::Status
            | Operation::Certificate
            | Operation::Ack
            | Operation::Echo => {
                let refusal = Outcome::failed(Reason::Busy, "too many such requests wait");
                self.settle(job, Settlement::ours(refusal)).await
            }
        }
    }
}

impl Lane {
    pub(super) fn of(request: &Payment) -> Self {
        Self {
            institution: request.text(Attribute::Institution).map(ToOwned::to_owned),
            operation: request.operation,
        }
    }

    /// The lane of a stored exchange.
    pub fn of_exchange(exchange: &Exchange) -> Self {
        Self {
            institution: exchange.institution.clone(),
            operation: Operation::parse(&exchange.operation).unwrap_or(Operation::Echo),
        }
    }
}

const HOLD_PAUSE: Duration = Duration::from_millis(20);
const HOLD_TRIES: u32 = 50;
